"""Past steps in a prompt: what every family needs to tell them."""

import json

from action_space.actions import ACTION, Action, points_of
from action_space.dialects.base import Dialect, PastStep
from action_space.errors import InvalidAction
from action_space.geometry import Frame

_LONGEST_REPLY = 4000


def one_line(text: str) -> str:
    """The text with single blanks between its words and no line breaks."""
    return " ".join(text.split())


def fields_of(action: Action, frame: Frame) -> str:
    """An action that a family has no word for, as JSON: its fields, and its points in model pixels as "at"."""
    fields = ACTION.dump_python(action, mode="json", exclude_defaults=True)
    for name in ("point", "start", "end"):
        fields.pop(name, None)
    seen = [frame.to_model(point) for point in points_of(action) if frame.screen.contains(point)]
    places = {"at": [[point.x, point.y] for point in seen]} if seen else {}
    return json.dumps({"action": action.kind, **fields, **places}, ensure_ascii=False)


def own_reply(dialect: Dialect, step: PastStep, frame: Frame) -> str:
    """The recorded reply, if in this dialect it means what was done (and is not very long); otherwise "".

    Another family's reply would teach the model a foreign language. frame: of the newest screenshot, for steps
    without one.
    """
    reply = step.reply.strip()
    if step.action is None or len(reply) > _LONGEST_REPLY:
        return ""
    try:
        return reply if dialect.parse(reply, step.frame or frame) == step.action else ""
    except InvalidAction:
        return ""

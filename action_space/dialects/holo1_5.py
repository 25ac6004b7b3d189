"""Holo1.5: the picture and a target in, `{"action": "click_absolute", "x": 1, "y": 2}` out.

x and y are pixels of the picture as the model sees it. The facts give no pixel limits and no part order: the limits are
the checkpoints', and the picture comes first, as in Holo1.
"""

import json

from action_space.dialects.grounder import Grounder, only
from action_space.dialects.lenient import Value
from action_space.dialects.tool_call import find_object
from action_space.dialects.tool_dialect import CHECKPOINT_MAX_PIXELS, CHECKPOINT_MIN_PIXELS
from action_space.errors import InvalidAction
from action_space.geometry import Point, Size

_ACTION = "click_absolute"
_SCHEMA = {
    "description": "A click at an absolute position.",
    "properties": {
        "action": {"const": _ACTION, "default": _ACTION, "title": "Action", "type": "string"},
        "x": {"description": "Number of pixels from the left edge.", "title": "X", "type": "integer"},
        "y": {"description": "Number of pixels from the top edge.", "title": "Y", "type": "integer"},
    },
    "required": ["x", "y"],
    "title": "ClickAbsoluteAction",
    "type": "object",
}


def _ask(instruction: str, size: Size) -> str:  # noqa: ARG001 (the family is not told)
    return (
        "Find the target on this GUI image, and output where to click.\n"
        f" * Output valid JSON that follows this schema: {json.dumps(_SCHEMA)}\n"
        f" Your target is:\n{instruction}"
    )


def _find(reply: str) -> Value:
    found = find_object(reply, ("action", "x", "y"), "click")
    only(found, "action", _ACTION)
    if not {"x", "y"} <= found.keys():
        raise InvalidAction(f"{_ACTION} needs x and y")
    return {"x": found["x"], "y": found["y"]}


def _write(point: Point) -> str:
    return json.dumps({"action": _ACTION, "x": point.x, "y": point.y})


DIALECT = Grounder(
    name="holo1_5",
    form='{"action": "click_absolute", "x": x, "y": y}',
    ask=_ask,
    find=_find,
    write=_write,
    min_pixels=CHECKPOINT_MIN_PIXELS,
    max_pixels=CHECKPOINT_MAX_PIXELS,
)

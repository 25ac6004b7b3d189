"""The language of the bundled model: first the next instruction in words, then one short call on the screen.

Its tokens are single bytes, so a reply is as short as it can be. Stage one (`plan_prompt`) is text only and answers
with an instruction such as `click "Subscribe"`, `type "Alice"`, `scroll down` or `done`. An instruction that needs no
pointing is an action already (`plan_action`). The others are grounded in stage two (`prompt`), answered by one call
(`drag "Report" to "Archive"` by one for each name):

    click(x, y)   click(x, y, "right", 2, "ctrl")       button, count, modifiers
    move(x, y)    drag click(x1, y1) click(x2, y2)      drag(x1, y1, x2, y2, 1.5): seconds
    scroll(x, y, "down", 3)                             long_press(x, y)   long_press(x, y, 2): seconds
    type("text")  press("ctrl", "a")  open("target")    strings are quoted as in JSON
    wait(1)       ask("question")     finish("success") finish("failure", "text")

Stage two answers what is not there with `finish("failure", "not on the screen")`; the next plan is told so.

What the words of a task do not say, such as which shape to click or how far to drag, the screen says: then the plan is
`look`, and stage two gets the task and what was done in place of an instruction. A drag is written as two clicks,
for whose halves the model has tokens.

Coordinates are model pixels. The model is trained on these exact prompts and calls: change them only together with it.
"""

import json
import re
from collections.abc import Sequence
from typing import assert_never

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects.base import PastStep, Turn
from action_space.dialects.compact_plans import plan_grammar
from action_space.dialects.grammar import keys, numbers, pixels, places, strings
from action_space.dialects.lenient import NotAValue, Reader, Value
from action_space.dialects.retell import one_line
from action_space.dialects.tool_call import build, read_point, shown
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size
from action_space.keys import MODIFIERS, chord
from action_space.messages import Message

LOOK = "look"
"""The plan to let the screen say what is due."""
GRID = 7
"""Pixels between the points for which the model has tokens; so exactly it is told where it acted."""
_SYSTEM = "GUI"
_DRAG_SECONDS = 0.5
ANYWHERE = Frame(Size(10**6, 10**6), Size(10**6, 10**6))
"""Of calls whose places are screenshot pixels already."""
_ENDS = 4
"""Numbers of the two ends of a drag."""
_LONG_PRESS_SECONDS = 1.0
_LONGEST_QUOTE = 200
_SCROLL_NOTCHES = 3
_NOTCH = 100
"""CSS pixels that a notch scrolls."""
_FORMS = {
    "click": 'click(x, y), click(x, y, "right") or click(x, y, "left", 2)',
    "move": "move(x, y)",
    "drag": "drag click(x1, y1) click(x2, y2)",
    "scroll": 'scroll(x, y, "down", 3)',
    "type": 'type("text")',
    "press": 'press("ctrl", "a")',
    "long_press": "long_press(x, y)",
    "open": 'open("address or app")',
    "wait": "wait(1)",
    "ask": 'ask("question")',
    "finish": 'finish("success") or finish("failure", "text")',
}
_PLAN_FORMS = {
    "type": 'type "text"',
    "press": 'press "enter" or press "ctrl" "a"',
    "open": 'open "address or app"',
    "ask": 'ask "question"',
    "wait": "wait or wait 2",
    "done": 'done or done "answer"',
    "failed": 'failed or failed "reason"',
}
_FIELDS = {
    "type": ("text",),
    "open": ("target",),
    "wait": ("seconds",),
    "ask": ("question",),
    "finish": ("status", "text"),
}
_CHECKBOX = " checkbox"
_GRAMMAR = (
    """start: call ")"
call: "click(" place (", " button)? (", " count)? (", " modifier)*
  | "move(" x ", " y
  | "drag click(" x ", " y ") click(" x ", " y
  | "scroll(" x ", " y ", " direction (", " amount)?
  | "long_press(" x ", " y (", " seconds)?
  | "type(" string | "press(" key (", " key){0,4} | "open(" string | "wait(" seconds | "ask(" string
  | "finish(" status (", " string)?
button: %json {"enum": ["left", "right", "middle"]}
count: "1" | "2" | "3"
direction: %json {"enum": ["up", "down", "left", "right"]}
status: %json {"enum": ["success", "failure"]}
modifier: %json {"enum": ["ctrl", "shift", "alt", "meta"]}
"""
    + numbers("seconds", 1, 30)
    + numbers("amount", 1, 50)
    + keys()
    + strings()
)
_CALL = re.compile(rf"(?<![A-Za-z0-9_])(?:drag (?=click\()|({'|'.join(_FORMS)})\()")
_ARGUMENT = re.compile(r"[\s(\[]*[\"'0-9.+-]")
_SCROLL = re.compile(r"\s*scroll (up|down|left|right)\s*")
_DRAG = re.compile(r'drag ("(?:[^"\\]|\\.)+") to ("(?:[^"\\]|\\.)+")')
_NAMED = re.compile(r'[^"]*("(?:[^"\\]|\\.)+")[^"]*')
_PLAN = re.compile(r"""\s*(type|press|open|ask|wait|done|failed)(?:\s+((?:["']|[0-9]).*))?\s*""", re.DOTALL)


class Compact:
    """Implements `Dialect`, `SaysNames` and `SaysLook`. A turn's context is not told: no model was taught to use it."""

    name = "compact"
    min_pixels = 3136
    max_pixels = 1280 * 28 * 28 * 4

    def plan_prompt(self, turn: Turn) -> list[Message]:
        """The task, what was done so far with what came of it, and the question for the next instruction."""
        return [Message("system", (_SYSTEM,)), Message("user", (f"{self._behind(turn)}Next?",))]

    def plan_grammar(self, turn: Turn) -> str:
        """See `compact_plans`."""
        return plan_grammar(turn.task, turn.history)

    def plan_action(self, plan: str, frame: Frame) -> Action | None:
        """The action of `type "text"`, `press "ctrl" "a"`, `open "target"`, `ask "question"`, `wait`, `wait 2`, `done`,
        `failed`, `done "answer"`, `failed "reason"`, or `scroll down` of what is in the middle, by a third of the
        screen, so that a list in it is not passed by; None for everything else, which has to be grounded.

        Raises InvalidAction for one of these that is broken: an open quote, an unknown key, nothing to type.
        """
        if scroll := _SCROLL.fullmatch(plan):
            middle = Point(frame.screen.width // 2, frame.screen.height // 2)
            side = frame.screen.height if scroll[1] in ("up", "down") else frame.screen.width
            third = side / (frame.density or frame.device_scale) / 3
            return build("scroll", point=middle, direction=scroll[1], amount=max(1, int(third // _NOTCH)))
        match = _PLAN.fullmatch(plan)
        if match is None:
            return None
        verb, rest = match.groups()
        try:
            return _planned(verb, _quoted(Reader(rest or "")))
        except NotAValue as error:
            raise InvalidAction(f"the plan cannot be read: {error}. Write {_PLAN_FORMS[verb]}") from None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """The instruction (to look: the task and what was done; without a plan: the task), then the screenshot."""
        words = f"{self._behind(turn)}Look." if self.is_look(plan) else plan or turn.task
        return [Message("system", (_SYSTEM,)), Message("user", (words, turn.screenshot))]

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:
        return _GRAMMAR + pixels(frame.model) + places(frame.model, [frame.to_model(point) for point in spent])

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:  # noqa: ARG002 (never needed)
        name, values = _first_call(reply)
        try:
            return _action(name, values, frame)
        except InvalidAction as error:
            raise InvalidAction(f"{error}. Write {_FORMS[name]}") from None

    def render(self, action: Action, frame: Frame) -> str:
        values = [_written(value) for value in _said(action, frame)]
        if action.kind == "drag" and len(values) == _ENDS:
            return "drag click({}, {}) click({}, {})".format(*values)
        return f"{action.kind}({', '.join(values)})"

    def named(self, plan: str) -> str | None:
        """What a plan has in quotes: `Save` of `click "Save" button`; None without, or with several, and for a field,
        which has its name beside it."""
        match = _NAMED.fullmatch(plan)
        try:
            return str(json.loads(match[1])) if match and not plan.endswith(" field") else None
        except ValueError:
            return None

    def naming(self, words: str) -> str:
        return f"click {json.dumps(words, ensure_ascii=False)}"

    def drag_ends(self, plan: str) -> tuple[str, str] | None:
        match = _DRAG.fullmatch(plan)
        return (f"click {match[1]}", f"click {match[2]}") if match else None

    def are_apart(self, plan: str, other: str) -> bool:
        """Of two names of checkboxes the second one would untick what the first one ticked."""
        return plan != other and plan.endswith(_CHECKBOX) and other.endswith(_CHECKBOX)

    def is_look(self, plan: str) -> bool:
        return plan == LOOK

    def looked(self, action: Action) -> str:
        """How a prompt tells a step that was found by looking: the call, about where it was in screenshot pixels."""
        places = {name: at for name, at in action if isinstance(at, Point)}
        rounded = {name: Point(round(at.x / GRID) * GRID, round(at.y / GRID) * GRID) for name, at in places.items()}
        return self.render(action.model_copy(update=rounded), ANYWHERE)

    def _behind(self, turn: Turn) -> str:
        done = "".join(
            f"{number}. {self._told(step, turn.frame)}\n" for number, step in enumerate(turn.history, start=1)
        )
        return f"Task: {turn.task}\n{done}"

    def _told(self, step: PastStep, frame: Frame) -> str:
        plan = self.looked(step.action) if self.is_look(step.plan) and step.action else step.plan
        said = plan or self._rendered(step, frame) or step.reply[:_LONGEST_QUOTE]
        note = one_line(step.note)
        return one_line(said) + (f" ({note})" if note else "")

    def _rendered(self, step: PastStep, frame: Frame) -> str:
        if step.action is None:
            return ""
        try:
            return self.render(step.action, step.frame or frame)
        except InvalidAction:
            return step.action.kind


def _planned(verb: str, values: list[Value]) -> Action:
    numbers = verb == "wait"
    if any(isinstance(value, str) is numbers for value in values):
        raise InvalidAction(f"{verb} cannot be followed by {shown(values)}: write {_PLAN_FORMS[verb]}")
    if verb in ("done", "failed"):
        return _pointless("finish", ["success" if verb == "done" else "failure", *values])
    return _pointless(verb, values)


def _first_call(reply: str) -> tuple[str, list[Value]]:
    """Name and values of the first call. A word with a bracket behind it that holds words is prose, not a call."""
    for match in _CALL.finditer(reply):
        name = match[1] or "drag"
        if match[1] not in ("wait", None) and not _ARGUMENT.match(reply, match.end()):
            continue
        reader = Reader(reply, match.end())
        try:
            return name, _arguments(reader) if match[1] else _two_clicks(reader)
        except NotAValue as error:
            raise InvalidAction(f"the call cannot be read: {error}. Write {_FORMS[name]}") from None
    raise InvalidAction(f"the reply holds no call. Write one of {'; '.join(_FORMS.values())}")


def _arguments(reader: Reader) -> list[Value]:
    """The values up to the closing bracket of a call."""
    found: list[Value] = []
    while not reader.next_is(")"):
        found.append(reader.value())
        if not reader.next_is(","):
            if reader.next_is(")"):
                break
            raise NotAValue("a comma or the closing bracket is missing")
    return found


def _two_clicks(reader: Reader) -> list[Value]:
    """The values of both ends of a drag."""
    found: list[Value] = []
    for _ in range(2):
        if not reader.next_is("click("):
            raise NotAValue("a place is missing")
        found += _arguments(reader)
    return found


def _quoted(reader: Reader) -> list[Value]:
    """The values up to the end of a plan, with nothing but blanks between them."""
    found: list[Value] = []
    while not reader.at_end():
        found.append(reader.value())
    return found


def _action(name: str, values: list[Value], frame: Frame) -> Action:
    match name, values:
        case "click", [x, y, *rest]:
            return _click(_pixel(x, y, frame), rest)
        case "move", [x, y]:
            return build("move", point=_pixel(x, y, frame))
        case "drag", [x1, y1, x2, y2, *rest] if len(rest) < 2:
            seconds = rest[0] if rest else _DRAG_SECONDS
            return build("drag", start=_pixel(x1, y1, frame), end=_pixel(x2, y2, frame), seconds=seconds)
        case "scroll", [x, y, direction, *rest] if len(rest) < 2:
            amount = rest[0] if rest else _SCROLL_NOTCHES
            return build("scroll", point=_pixel(x, y, frame), direction=direction, amount=amount)
        case "long_press", [x, y, *rest] if len(rest) < 2:
            seconds = rest[0] if rest else _LONG_PRESS_SECONDS
            return build("long_press", point=_pixel(x, y, frame), seconds=seconds)
        case "click" | "move" | "drag" | "scroll" | "long_press", _:
            raise InvalidAction(f"{name} cannot take {shown(values)}")
        case _:
            return _pointless(name, values)


def _pointless(name: str, values: list[Value]) -> Action:
    if name == "press":
        if not values:
            raise InvalidAction("press needs a key")
        return build("press", keys=_keys(values))
    fields = _FIELDS[name]
    if len(values) > len(fields):
        raise InvalidAction(f"{name} cannot take {shown(values)}")
    return build(name, **dict(zip(fields, values, strict=False)))


def _click(point: Point, rest: list[Value]) -> Action:
    """rest: button, count, modifiers, each of which may be left out."""
    named = bool(rest) and isinstance(rest[0], str) and rest[0] not in MODIFIERS
    button, rest = (rest[0], rest[1:]) if named else ("left", rest)
    counted = bool(rest) and not isinstance(rest[0], str)
    count, rest = (rest[0], rest[1:]) if counted else (1, rest)
    return build("click", point=point, button=button, count=count, modifiers=tuple(rest))


def _pixel(x: Value, y: Value, frame: Frame) -> Point:
    return frame.to_screen(read_point("the point", [x, y]))


def _keys(values: list[Value]) -> tuple[str, ...]:
    keys: list[str] = []
    for value in values:
        if not isinstance(value, str):
            raise InvalidAction(f"a key is a name in quotes, not {shown(value)}")
        try:
            keys.extend(chord(value))
        except ValueError as error:
            raise InvalidAction(str(error)) from None
    return tuple(keys)


def _said(action: Action, frame: Frame) -> list[str | int | float]:
    match action:
        case Click():
            return [*_seen(action.point, frame), *_said_of_click(action)]
        case Move():
            return _seen(action.point, frame)
        case Drag():
            return [*_seen(action.start, frame), *_seen(action.end, frame), *_unless(action.seconds, _DRAG_SECONDS)]
        case Scroll():
            return [*_seen(action.point, frame), action.direction, action.amount]
        case LongPress():
            return [*_seen(action.point, frame), *_unless(action.seconds, _LONG_PRESS_SECONDS)]
        case _:
            return _said_in_words(action)


def _said_in_words(action: Type | Press | Open | Wait | Ask | Finish) -> list[str | int | float]:
    match action:
        case Type():
            return [action.text]
        case Press():
            return [*action.keys]
        case Open():
            return [action.target]
        case Wait():
            return [action.seconds]
        case Ask():
            return [action.question]
        case Finish():
            return [action.status, action.text] if action.text else [action.status]
        case _:
            assert_never(action)


def _said_of_click(action: Click) -> list[str | int | float]:
    if action.modifiers or action.count > 1:
        return [action.button, action.count, *action.modifiers]
    return [action.button] if action.button != "left" else []


def _seen(point: Point, frame: Frame) -> list[str | int | float]:
    pixel = frame.to_model(point)
    return [pixel.x, pixel.y]


def _unless(value: float, default: float) -> list[float]:
    return [] if value == default else [value]


def _written(value: str | int | float) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


DIALECT = Compact()

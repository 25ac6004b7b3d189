"""GUI-Owl (the first generation, on Qwen2.5-VL): thoughts, a call of `computer_use` or `mobile_use`, a conclusion.

On a computer (`gui_owl`) it has its own words for Qwen's function: `click` for a left click, `drag` with both ends, a
`type` that can press Enter, and `scroll` in notches of the wheel. On a phone (`gui_owl_mobile`) it has Qwen's words and
`answer`. Words of computer_use that it was not taught are read too, and rendered where its own cannot say the whole.

`type` may ask to `clear` the field first. An action does one thing, so that is refused and said, and `clear` is not
advertised. The facts give no type of `enter`: it is written as 1, and read as a number, a truth value or text.
"""

from dataclasses import replace

from action_space.actions import Action, Drag, Scroll, Type
from action_space.dialects import computer_use, mobile_use
from action_space.dialects.tool_call import Arguments, build
from action_space.dialects.tool_dialect import Argument, Json, Word, coordinate, understood, vocabulary
from action_space.dialects.tool_words import COORDINATE, STATUS, TERMINATE, TEXT, TIME, WAIT, say_time
from action_space.errors import InvalidAction
from action_space.geometry import Frame

_MAX_PIXELS = 10_035_200
_MOST_NOTCHES = 5
_DRAG_SECONDS = 0.5
_MANNER = (
    "First think step by step inside <thinking></thinking>, then write the call inside <tool_call></tool_call>, and "
    "after it sum up what it does inside <conclusion></conclusion>."
)
_QWEN = computer_use.DIALECT


def _type(call: Arguments) -> Action:
    if call.flag("clear"):
        raise InvalidAction("type cannot clear a field: press ctrl and a first, then type without 'clear'")
    return build("type", text=call.text("text") + ("\n" if call.flag("enter") else ""))


def _say(action: Action, frame: Frame) -> dict[str, Json]:
    match action:
        case Type(text=text) if text.endswith("\n"):
            return {"action": "type", "text": text[:-1], "enter": 1}
        case Drag():
            places = {"coordinate": coordinate(action.start, frame), "coordinate2": coordinate(action.end, frame)}
            return {"action": "drag", **places, **say_time(action.seconds, unless=_DRAG_SECONDS)}
        case Scroll(direction="up" | "down") if action.amount <= _MOST_NOTCHES:
            notches = action.amount if action.direction == "up" else -action.amount
            return {"action": "scroll", "coordinate": coordinate(action.point, frame), "pixels": notches}
        case _:
            said = _QWEN.say(action, frame)
            return {**said, "action": "click"} if said["action"] == "left_click" else said


_TYPE = Word("type", "Type a text where the keyboard focus is.", ("text", "enter"), _type)
_WORDS = vocabulary(
    _QWEN.words["key"],
    _TYPE,
    _QWEN.words["mouse_move"],
    replace(_QWEN.words["click"], meaning="Click with the left mouse button.", taught=True),
    replace(
        _QWEN.words["drag"],
        meaning="Hold the left button from one pixel to another.",
        arguments=("coordinate", "coordinate2"),
        taught=True,
    ),
    _QWEN.words["right_click"],
    _QWEN.words["middle_click"],
    _QWEN.words["double_click"],
    _QWEN.words["scroll"],
    WAIT,
    TERMINATE,
)

COMPUTER = replace(
    _QWEN,
    name="gui_owl",
    function="computer_use",
    example="click",
    words=understood(_WORDS, _QWEN.words),
    arguments=(
        Argument("keys", {"type": "array", "items": {"type": "string"}}, "Names of the keys."),
        TEXT,
        Argument("enter", {"type": "number", "enum": [0, 1]}, "1 to press Enter after the text."),
        COORDINATE,
        Argument("coordinate2", COORDINATE.schema, "[x, y] in pixels where the drag ends."),
        Argument("pixels", {"type": "number"}, "How far to turn the wheel, -5 to 5: positive is up, negative is down."),
        TIME,
        STATUS,
    ),
    say=_say,
    max_pixels=_MAX_PIXELS,
    manner=_MANNER,
)
MOBILE = replace(
    mobile_use.DIALECT,
    name="gui_owl_mobile",
    function="mobile_use",
    words={
        **mobile_use.DIALECT.words,
        "type": replace(_TYPE, arguments=("text",)),
        "answer": replace(mobile_use.DIALECT.words["answer"], taught=True),
    },
    max_pixels=_MAX_PIXELS,
    manner=_MANNER,
)

"""The `computer_use` function of Qwen2.5-VL: a desktop or a browser, mouse and keyboard.

Read, but not advertised, because models of later vocabularies write them: `triple_click`, `hscroll`, `answer`, `click`,
`drag`, `keys` with a click (held down meanwhile), `coordinate` with a scroll, a drag's start (`start_coordinate` and
`coordinate`, or `coordinate` and `coordinate2`), `time` with a drag, `text` with `terminate`. Rendered calls use them
where the advertised words cannot say the whole action, so that every rendered action reads back as itself.

`pixels` of a scroll are device pixels, 100 to a wheel notch, at least one notch; up to 10 they count notches, which
is what models trained on pyautogui mean. Positive is up, and to the right.
"""

from typing import assert_never

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.dialects.tool_call import Arguments, build
from action_space.dialects.tool_dialect import Argument, Json, ToolDialect, Word, coordinate, vocabulary
from action_space.dialects.tool_words import (
    ANSWER,
    COORDINATE,
    STATUS,
    TERMINATE,
    TEXT,
    TIME,
    TYPE,
    WAIT,
    say_finish,
    say_time,
)
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame

PIXELS_PER_NOTCH = 100
_MOST_NOTCHES = 100
_NOTCHES_NOT_PIXELS = 10
_DRAG_SECONDS = 0.5

_CLICKS = {
    "left_click": ("left", 1),
    "click": ("left", 1),
    "right_click": ("right", 1),
    "middle_click": ("middle", 1),
    "double_click": ("left", 2),
    "triple_click": ("left", 3),
}
_CLICK_NAMES = {meaning: name for name, meaning in _CLICKS.items() if name != "click"}


def _click(call: Arguments) -> Action:
    button, count = _CLICKS[call.action]
    modifiers = call.keys("keys") if "keys" in call else ()
    return build("click", point=call.point_or_pointer("coordinate"), button=button, count=count, modifiers=modifiers)


def _move(call: Arguments) -> Action:
    return Move(point=call.point("coordinate"))


def _drag(call: Arguments) -> Action:
    """From `start_coordinate`, from `coordinate` to `coordinate2`, or from where the mouse is to `coordinate`."""
    if "coordinate2" in call:
        start, end = call.point("coordinate"), call.point("coordinate2")
    elif "start_coordinate" in call:
        start, end = call.point("start_coordinate"), call.point("coordinate")
    elif call.pointer is not None:
        start, end = call.pointer, call.point("coordinate")
    else:
        raise InvalidAction(f"{call.action} starts where the mouse is: first use mouse_move, or give start_coordinate")
    return build("drag", start=start, end=end, seconds=call.number("time", _DRAG_SECONDS))


def _scroll(call: Arguments) -> Action:
    pixels = call.number("pixels")
    if call.action == "hscroll":
        direction = "right" if pixels > 0 else "left"
    else:
        direction = "up" if pixels > 0 else "down"
    return build("scroll", point=call.point_or_middle("coordinate"), direction=direction, amount=_notches(pixels))


def _notches(pixels: float) -> int:
    distance = abs(pixels)
    if not 0 < distance <= _MOST_NOTCHES * PIXELS_PER_NOTCH:
        most = _MOST_NOTCHES * PIXELS_PER_NOTCH
        raise InvalidAction(f"'pixels' must be between -{most} and {most} and not 0, not {pixels:g}")
    notches = distance if distance <= _NOTCHES_NOT_PIXELS else distance / PIXELS_PER_NOTCH
    return max(1, round(notches))


def _press(call: Arguments) -> Action:
    return build("press", keys=call.keys("keys" if "keys" in call or "text" not in call else "text"))


def _say(action: Action, frame: Frame) -> dict[str, Json]:
    match action:
        case Click():
            return _say_click(action, frame)
        case Move():
            return {"action": "mouse_move", "coordinate": coordinate(action.point, frame)}
        case Drag():
            places = {"start_coordinate": coordinate(action.start, frame), "coordinate": coordinate(action.end, frame)}
            return {"action": "left_click_drag", **places, **say_time(action.seconds, unless=_DRAG_SECONDS)}
        case Scroll():
            return _say_scroll(action, frame)
        case Type():
            return {"action": "type", "text": action.text}
        case Press():
            return {"action": "key", "keys": list(action.keys)}
        case Wait():
            return {"action": "wait", **say_time(action.seconds)}
        case Finish():
            return say_finish(action)
        case LongPress() | Open() | Ask():
            raise UnsupportedAction(f"computer_use has no word for {action.kind!r}")
        case _:
            assert_never(action)


def _say_click(action: Click, frame: Frame) -> dict[str, Json]:
    name = _CLICK_NAMES.get((action.button, action.count))
    if name is None:
        raise UnsupportedAction(f"computer_use has no word for {action.count} clicks of the {action.button} button")
    held: dict[str, Json] = {"keys": list(action.modifiers)} if action.modifiers else {}
    return {"action": name, "coordinate": coordinate(action.point, frame), **held}


def _say_scroll(action: Scroll, frame: Frame) -> dict[str, Json]:
    sign = 1 if action.direction in ("up", "right") else -1
    name = "scroll" if action.direction in ("up", "down") else "hscroll"
    pixels = sign * action.amount * PIXELS_PER_NOTCH
    return {"action": name, "coordinate": coordinate(action.point, frame), "pixels": pixels}


DIALECT = ToolDialect(
    name="computer_use",
    device="computer",
    example="left_click",
    notes=(
        "It is a desktop or a web page: there is no terminal and no other way in than mouse and keyboard.",
        "Pages and programs need time: if a screenshot shows no result yet, wait before you repeat an action.",
        "Aim at the middle of buttons, links, icons and fields, not at their edges.",
        "If an action changed nothing, do something else instead of repeating it.",
    ),
    words=vocabulary(
        Word("key", "Press the given keys in order and release them in reverse order.", ("keys",), _press),
        TYPE,
        Word("mouse_move", "Move the mouse to a pixel.", ("coordinate",), _move),
        Word("left_click", "Click with the left mouse button.", ("coordinate",), _click),
        Word("left_click_drag", "Hold the left button from where the mouse is to a pixel.", ("coordinate",), _drag),
        Word("right_click", "Click with the right mouse button.", ("coordinate",), _click),
        Word("middle_click", "Click with the middle mouse button.", ("coordinate",), _click),
        Word("double_click", "Click twice with the left mouse button.", ("coordinate",), _click),
        Word("scroll", "Turn the mouse wheel.", ("pixels",), _scroll),
        WAIT,
        TERMINATE,
        Word("click", "Like left_click.", ("coordinate",), _click, taught=False),
        Word("drag", "Like left_click_drag.", ("coordinate",), _drag, taught=False),
        Word("triple_click", "Click three times.", ("coordinate",), _click, taught=False),
        Word("hscroll", "Scroll sideways.", ("pixels",), _scroll, taught=False),
        ANSWER,
    ),
    arguments=(
        Argument("keys", {"type": "array", "items": {"type": "string"}}, "Names of the keys."),
        TEXT,
        COORDINATE,
        Argument("pixels", {"type": "number"}, "How far to scroll: positive is up, negative is down."),
        TIME,
        STATUS,
    ),
    say=_say,
)

"""The `mobile_use` function of Qwen2.5-VL: a touch screen, a phone's buttons.

Read, but not advertised: `answer` of later vocabularies, `time` with a swipe, a chord ("ctrl+a") as a key's `text`,
`text` with `terminate`. Rendered calls use them where the advertised words cannot say the whole action. Key names are
Android's: there `home` is the phone's button, `del` deletes backwards, and `move_home` and `forward_del` are the keys
of a keyboard.
"""

from typing import assert_never

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
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
from action_space.errors import UnsupportedAction
from action_space.geometry import Frame

_SWIPE_SECONDS = 0.5
_BUTTONS = {"Back": "back", "Home": "device_home", "Menu": "menu", "Enter": "enter"}
_BUTTON_NAMES = {key: button for button, key in _BUTTONS.items()}
_ANDROID_NAMES = {"home": "move_home", "end": "move_end", "delete": "forward_del", "backspace": "del"}


def _click(call: Arguments) -> Action:
    return build("click", point=call.point("coordinate"))


def _long_press(call: Arguments) -> Action:
    return build("long_press", point=call.point("coordinate"), seconds=call.number("time", 1.0))


def _swipe(call: Arguments) -> Action:
    start, end = call.point("coordinate"), call.point("coordinate2")
    return build("drag", start=start, end=end, seconds=call.number("time", _SWIPE_SECONDS))


def _key(call: Arguments) -> Action:
    return build("press", keys=call.keys("keys" if "text" not in call and "keys" in call else "text", android=True))


def _button(call: Arguments) -> Action:
    return build("press", keys=(call.choice("button", _BUTTONS),))


def _open(call: Arguments) -> Action:
    return build("open", target=call.text("text"))


def _say(action: Action, frame: Frame) -> dict[str, Json]:
    match action:
        case Click(button="left", count=1, modifiers=()):
            return {"action": "click", "coordinate": coordinate(action.point, frame)}
        case LongPress():
            place = coordinate(action.point, frame)
            return {"action": "long_press", "coordinate": place, **say_time(action.seconds)}
        case Drag():
            places = {"coordinate": coordinate(action.start, frame), "coordinate2": coordinate(action.end, frame)}
            return {"action": "swipe", **places, **say_time(action.seconds, unless=_SWIPE_SECONDS)}
        case Type():
            return {"action": "type", "text": action.text}
        case Press():
            return _say_press(action)
        case Open():
            return {"action": "open", "text": action.target}
        case Wait():
            return {"action": "wait", **say_time(action.seconds)}
        case Finish():
            return say_finish(action)
        case Click() | Move() | Scroll() | Ask():
            raise UnsupportedAction(f"mobile_use has no word for {_described(action)}")
        case _:
            assert_never(action)


def _described(action: Click | Move | Scroll | Ask) -> str:
    if isinstance(action, Click):
        return "a click that is not one plain tap"
    return "'scroll': swipe instead" if isinstance(action, Scroll) else repr(action.kind)


def _say_press(action: Press) -> dict[str, Json]:
    if len(action.keys) == 1 and action.keys[0] in _BUTTON_NAMES:
        return {"action": "system_button", "button": _BUTTON_NAMES[action.keys[0]]}
    return {"action": "key", "text": "+".join(_ANDROID_NAMES.get(key, key) for key in action.keys)}


DIALECT = ToolDialect(
    name="mobile_use",
    device="mobile device",
    example="click",
    notes=(
        "It is a touch screen: to see what is further down, swipe upwards.",
        "Apps need time: if a screenshot shows no result yet, wait before you repeat an action.",
        "Aim at the middle of buttons, links, icons and fields, not at their edges.",
        "If an action changed nothing, do something else instead of repeating it.",
    ),
    words=vocabulary(
        Word(
            "key", "Send a key event by Android's name of the key, such as volume_up, power or clear.", ("text",), _key
        ),
        Word("click", "Tap a pixel.", ("coordinate",), _click),
        Word("long_press", "Press a pixel and hold it for some seconds.", ("coordinate", "time"), _long_press),
        Word("swipe", "Swipe from one pixel to another.", ("coordinate", "coordinate2"), _swipe),
        TYPE,
        Word("system_button", "Press a button of the system.", ("button",), _button),
        Word("open", "Open an app by its name.", ("text",), _open),
        WAIT,
        TERMINATE,
        ANSWER,
    ),
    arguments=(
        COORDINATE,
        Argument("coordinate2", COORDINATE.schema, "[x, y] in pixels where the swipe ends."),
        TEXT,
        TIME,
        Argument("button", {"type": "string", "enum": list(_BUTTONS)}, "Which button."),
        STATUS,
    ),
    say=_say,
)

"""An action as PyAutoGUI calls, which `pyautogui_code` reads back."""

from collections.abc import Callable
from typing import assert_never

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.errors import UnsupportedAction
from action_space.geometry import Point
from action_space.keys import DEVICE_KEYS

Write = Callable[[Point], str]
"""A pixel -> its coordinates as arguments, such as "x=0.25, y=0.5"."""

_KEYS = {"escape": "esc", "meta": "win", "page_up": "pageup", "page_down": "pagedown", "caps_lock": "capslock"} | {
    "num_lock": "numlock",
    "scroll_lock": "scrolllock",
    "print_screen": "printscreen",
    "menu": "apps",
}
"""Our names of keys -> PyAutoGUI's, where they differ."""

_TIMES = {1: "click", 2: "doubleClick"}


def write_code(action: Action, write: Write) -> str:  # noqa: C901 (one case per action)
    """One or more lines. Raises UnsupportedAction for what PyAutoGUI has no word for."""
    match action:
        case Click():
            return _click(action, write(action.point))
        case Move():
            return f"pyautogui.moveTo({write(action.point)})"
        case Drag():
            end = f"{write(action.end)}, duration={action.seconds:g}"
            return f"pyautogui.moveTo({write(action.start)})\npyautogui.dragTo({end})"
        case Scroll():
            name = "scroll" if action.direction in ("up", "down") else "hscroll"
            amount = action.amount if action.direction in ("up", "right") else -action.amount
            return f"pyautogui.{name}({amount}, {write(action.point)})"
        case Type():
            return f"pyautogui.write(message={action.text!r})"
        case Press():
            keys = [_key(key) for key in action.keys]
            return f"pyautogui.press({keys[0]!r})" if len(keys) == 1 else f"pyautogui.hotkey({str(keys)[1:-1]})"
        case LongPress():
            held = f"time.sleep({action.seconds:g})"
            return f"pyautogui.mouseDown({write(action.point)})\n{held}\npyautogui.mouseUp()"
        case Wait():
            return f"time.sleep({action.seconds:g})"
        case Finish():
            answer = f", answer={action.text!r}" if action.text else ""
            return f"computer.terminate(status={action.status!r}{answer})"
        case Open() | Ask():
            raise UnsupportedAction(f"PyAutoGUI has no word for {action.kind!r}")
        case _:
            assert_never(action)


def _click(action: Click, place: str) -> str:
    if action.count == 3:
        call = f"computer.tripleClick({place}{_button(action)})"
    elif action.count == 1 and action.button != "left":
        call = f"pyautogui.{action.button}Click({place})"
    else:
        call = f"pyautogui.{_TIMES[action.count]}({place}{_button(action)})"
    held = [_key(key) for key in action.modifiers]
    down = [f"pyautogui.keyDown({key!r})" for key in held]
    up = [f"pyautogui.keyUp({key!r})" for key in reversed(held)]
    return "\n".join([*down, call, *up])


def _button(action: Click) -> str:
    return "" if action.button == "left" else f", button={action.button!r}"


def _key(key: str) -> str:
    if key in DEVICE_KEYS and not key.startswith("volume"):
        raise UnsupportedAction(f"PyAutoGUI has no key {key!r}")
    return _KEYS.get(key, key.replace("_", "") if len(key) > 1 else key)

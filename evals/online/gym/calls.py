"""Our actions as calls of BrowserGym's action set: pixels of its screenshot, keys, navigation; no elements."""

from collections.abc import Sequence

from action_space.actions import (
    Action,
    Click,
    Direction,
    Drag,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.errors import UnsupportedAction
from action_space.geometry import Point
from environments.browser_input import browser_command, driver_key
from environments.typed import typed_parts

SUBSETS = ("chat", "infeas", "coord", "nav", "tab")
"""Of BrowserGym's HighLevelActionSet, those that need no element."""

KINDS = frozenset({"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait"})
"""Actions that there are calls for."""

_NOTCH = 100
_WHEEL: dict[Direction, tuple[int, int]] = {
    "up": (0, -_NOTCH),
    "down": (0, _NOTCH),
    "left": (-_NOTCH, 0),
    "right": (_NOTCH, 0),
}
_COMMANDS = {"back": "go_back()", "forward": "go_forward()", "close_tab": "tab_close()", "new_tab": "new_tab()"}


def call_of(action: Action) -> str:
    """The calls, one a line. Raises UnsupportedAction, InvalidAction."""
    match action:
        case Click():
            return "\n".join(_click(action))
        case Move(point=point):
            return _call("mouse_move", point)
        case Drag(start=start, end=end):
            middle = Point((start.x + end.x) // 2, (start.y + end.y) // 2)
            path = [_call("mouse_move", middle), _call("mouse_move", end)]
            return "\n".join([_call("mouse_down", start), *path, _call("mouse_up", end)])
        case LongPress(point=point, seconds=seconds):
            return "\n".join([_call("mouse_down", point), _wait(seconds), _call("mouse_up", point)])
        case Scroll(point=point, direction=direction, amount=amount):
            across, down = _WHEEL[direction]
            return f"scroll_at({point.x}, {point.y}, {amount * across}, {amount * down})"
        case Type(text=text):
            # An empty text is nothing to type, and BrowserGym takes no empty action.
            return "\n".join(f"keyboard_type({part!r})" for part in typed_parts(text)) or _wait(0)
        case Press(keys=keys):
            return _press(keys)
        case Open(target=target):
            return f"goto({target!r})"
        case Wait(seconds=seconds):
            return _wait(seconds)
        case _:
            raise UnsupportedAction(f"{action.kind!r} is not possible here: use one of {', '.join(sorted(KINDS))}")


def _click(action: Click) -> Sequence[str]:
    if action.count == 3:
        raise UnsupportedAction("a triple click is not possible here: click into the field and press ctrl and a")
    verb = "mouse_dblclick" if action.count == 2 else "mouse_click"
    held = [driver_key(key) for key in action.modifiers]
    return [
        *(f"keyboard_down({key!r})" for key in held),
        f"{verb}({action.point.x}, {action.point.y}, {action.button!r})",
        *(f"keyboard_up({key!r})" for key in reversed(held)),
    ]


def _press(keys: tuple[str, ...]) -> str:
    command = browser_command(keys)
    if command is None:
        return f"keyboard_press({'+'.join(map(driver_key, keys))!r})"
    if command not in _COMMANDS:
        raise UnsupportedAction(f"{'+'.join(keys)!r} is not possible here: use the page itself")
    return _COMMANDS[command]


def _call(name: str, point: Point) -> str:
    return f"{name}({point.x}, {point.y})"


def _wait(seconds: float) -> str:
    return f"noop({round(1000 * seconds)})"

"""An action in a few words, for people: the terminal, the report, a question."""

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
from action_space.geometry import Point

_TIMES = {1: "", 2: "double ", 3: "triple "}


def describe(action: Action) -> str:  # noqa: C901 (one case per action)
    """One line, e.g. `click (412, 233)` or `type 'Ada'`."""
    match action:
        case Click():
            held = "".join(f"{modifier}+" for modifier in action.modifiers)
            button = "" if action.button == "left" else f"{action.button} "
            return f"{held}{button}{_TIMES[action.count]}click {_at(action.point)}"
        case Move():
            return f"move to {_at(action.point)}"
        case Drag():
            return f"drag {_at(action.start)} to {_at(action.end)}"
        case Scroll():
            return f"scroll {action.direction} {action.amount} at {_at(action.point)}"
        case Type():
            return f"type {_shorten(action.text)!r}"
        case Press():
            return f"press {'+'.join(action.keys)}"
        case LongPress():
            return f"long press {_at(action.point)}"
        case Open():
            return f"open {_shorten(action.target)}"
        case Wait():
            return f"wait {action.seconds:g} s"
        case Ask():
            return f"ask {_shorten(action.question)!r}"
        case Finish():
            return f"finish: {action.status}" + (f", {_shorten(action.text)!r}" if action.text else "")
        case _:
            assert_never(action)


def _at(point: Point) -> str:
    return f"({point.x}, {point.y})"


def _shorten(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

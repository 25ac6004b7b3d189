"""Between the actions of an agent and those of benchmarks."""

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
from action_space.geometry import Point, Size
from evals.predictions import ActLine
from evals.protocols.values import Act, Place


def line_of(action: Action | None, *, is_grounding: bool) -> ActLine | None:  # noqa: C901 (a case for each kind)
    """An action as a line of predictions has it; None for none, and for a question to a person.

    Where only a place is asked for, "it cannot be done" says that nothing on the screen fits.
    """
    match action:
        case Click(point=point, button=button, count=count):
            return ActLine(kind="click", point=(point.x, point.y), button=button, count=count)
        case Move(point=point) | LongPress(point=point):
            return ActLine(kind=action.kind, point=(point.x, point.y))
        case Drag(start=start, end=end):
            return ActLine(kind="drag", point=(start.x, start.y), end=(end.x, end.y))
        case Scroll(point=point, direction=direction):
            return ActLine(kind="scroll", point=(point.x, point.y), direction=direction)
        case Type(text=text):
            return ActLine(kind="type", text=text)
        case Press(keys=keys):
            return ActLine(kind="press" if len(keys) == 1 else "hotkey", keys=keys)
        case Open(target=target):
            return ActLine(kind="open", text=target)
        case Wait():
            return ActLine(kind="wait")
        case Finish(status="failure") if is_grounding:
            return ActLine(kind="refuse")
        case Finish(status=status, text=text):
            return ActLine(kind="finish", status=status, text=text)
        case Ask() | None:
            return None


def action_of(act: Act, screen: Size) -> Action | None:  # noqa: C901 (a case for each kind)
    """What a benchmark says was done, its places in pixels of the screen; None where we have no such action, or it has
    no place, or one outside the screen."""
    point, end = _pixel(act.point, screen), _pixel(act.end, screen)
    match act.kind:
        case "click" | "select" if point:
            return Click(point=point, button=act.button, count=act.count)
        case "long_press" if point:
            return LongPress(point=point)
        case "move" if point:
            return Move(point=point)
        case "drag" if point and end:
            return Drag(start=point, end=end)
        case "scroll" if act.direction:
            return Scroll(point=point or Point(screen.width // 2, screen.height // 2), direction=act.direction)
        case "type":
            return Type(text=act.text)
        case "press" | "hotkey":
            return _press(act.keys)
        case "open" if act.text:
            return Open(target=act.text)
        case "wait":
            return Wait()
        case "finish":
            return Finish(status=act.status, text=act.text)
        case "refuse":
            return Finish(status="failure")
        case _:
            return None


def _press(keys: tuple[str, ...]) -> Press | None:
    try:
        return Press(keys=keys)
    except ValueError:
        return None


def _pixel(place: Place | None, screen: Size) -> Point | None:
    """The pixel that a place lies in; the right and the bottom edge belong to the last one."""
    if place is None or not (0 <= place[0] <= screen.width and 0 <= place[1] <= screen.height):
        return None
    return Point(min(int(place[0]), screen.width - 1), min(int(place[1]), screen.height - 1))

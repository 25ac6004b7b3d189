"""Between the actions of an agent and those of benchmarks."""

from dataclasses import replace
from typing import assert_never, get_args

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Modifier,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.geometry import Point, Size
from evals.predictions import ALLOWED, PHONE_KEYS, ActLine
from evals.protocols.values import Act, Place, Region

OUR_KEYS = {theirs: ours for ours, theirs in PHONE_KEYS.items()}


def acts_of(action: Action | None, targets: tuple[Region, ...] = ()) -> tuple[Act, ...]:
    """An action as rules see it; none for a reply that holds none, and for a question to a person."""
    if action is None or isinstance(action, Ask):
        return ()
    return (_act(action, targets),)


def _act(
    action: Click | Move | Drag | Scroll | Type | Press | LongPress | Open | Wait | Finish, targets: tuple[Region, ...]
) -> Act:
    match action:
        case Click():
            held = action.modifiers
            place = _place(action.point)
            return Act("click", place, keys=held, button=action.button, count=action.count, targets=targets)
        case Move() | LongPress():
            return Act(action.kind, _place(action.point), targets=targets)
        case Drag():
            return Act("drag", _place(action.start), _place(action.end), targets=targets)
        case Scroll():
            return Act("scroll", _place(action.point), direction=action.direction)
        case Type():
            return Act("type", text=action.text)
        case Press():
            keys = tuple(PHONE_KEYS.get(key, key) for key in action.keys)
            return Act("press" if len(keys) == 1 else "hotkey", keys=keys)
        case Open():
            return Act("open", text=action.target)
        case Wait():
            return Act("wait")
        case Finish():
            return Act("finish", text=action.text, status=action.status)
        case _:
            assert_never(action)


def _place(point: Point) -> Place:
    return float(point.x), float(point.y)


def line_of(act: Act) -> ActLine:
    """A line of predictions that says the act; its targets are no part of it."""
    must, may = ALLOWED[act.kind]
    said = {
        "place": act.point,
        "end": act.end,
        "text": act.text,
        "direction": act.direction,
        "keys": act.keys,
        "button": act.button,
        "count": act.count,
        "status": act.status,
    }
    fields = {"point" if name == "place" else name: said[name] for name in must | may if name in must or said[name]}
    return ActLine.model_validate({"kind": act.kind, **fields})


def action_of(act: Act, screen: Size, *, phone: bool = False) -> Action | None:  # noqa: C901 (a case for each kind)
    """What a benchmark says was done, its places in pixels of the screen; None where we have no such action, or it has
    no place, or one outside the screen. phone: `home` is the button that shows the home screen, and not a key."""
    point, end = _pixel(act.point, screen), _pixel(act.end, screen)
    match act.kind:
        case "click" | "select" if point:
            held: tuple[Modifier, ...] = tuple(key for key in get_args(Modifier) if key in act.keys)
            return Click(point=point, button=act.button, count=act.count, modifiers=held)
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
            return _press(tuple(OUR_KEYS.get(key, key) for key in act.keys) if phone else act.keys)
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


def separated(act: Act) -> tuple[Act, ...]:
    """Typing into a place, which some benchmarks have as one action, as the two that ours are."""
    if act.kind != "type" or act.point is None:
        return (act,)
    return Act("click", act.point), replace(act, point=None, targets=())


def entered(acts: tuple[Act, ...]) -> tuple[Act, ...]:
    """A click and what is typed then as one action: typing into that place. Of others the first."""
    match acts:
        case Act(kind="click", point=point), Act(kind="type", point=None, text=text), *_:
            return (Act("type", point, text=text),)
        case _:
            return acts[:1]

"""The contract of `Environment`, executed: run it on every new environment.

assert check_environment(make_env) == []
"""

from collections.abc import Callable, Iterator

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
from action_space.errors import ClickwrightError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Point, Size
from environments.base import Environment, Observation

NOT_FOR_DEVICES = frozenset({"ask", "finish"})
_KINDS = frozenset({"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait"} | NOT_FOR_DEVICES)


def check_environment(make: Callable[[], Environment]) -> list[str]:
    """Run every check on environments from `make`; returns what is wrong, one readable line each, [] if nothing is.

    The checks move the pointer to two corners and wait for no time; they press, type and open nothing.
    """
    return [f"{check.__name__.removeprefix('_')}: {problem}" for check in _CHECKS for problem in _run(check, make)]


def _run(check: Callable[[Environment], Iterator[str]], make: Callable[[], Environment]) -> list[str]:
    environment = make()
    try:
        return list(check(environment))
    except ClickwrightError as error:
        return [f"unexpected {type(error).__name__}: {error}"]
    finally:
        environment.close()


def _names_itself(environment: Environment) -> Iterator[str]:
    if not environment.name or environment.name != environment.name.strip().lower():
        yield f"name is {environment.name!r}, it must be lower-case and not empty"
    if unknown := environment.actions - _KINDS:
        yield f"actions has {sorted(unknown)}, valid are {sorted(_KINDS - NOT_FOR_DEVICES)}"
    if wrong := environment.actions & NOT_FOR_DEVICES:
        yield f"actions has {sorted(wrong)}, which are for the agent and not for a device"
    if not environment.actions:
        yield "actions is empty"


def _sees_the_screen(environment: Environment) -> Iterator[str]:
    observation = environment.observe()
    yield from _problems_of(observation)
    again = environment.observe()
    if again.frame != observation.frame:
        yield f"the frame changed from {observation.frame} to {again.frame} though nothing was done"


def _problems_of(observation: Observation) -> Iterator[str]:
    frame, image = observation.frame, observation.image
    if image.mode != "RGB":
        yield f"the picture's mode is {image.mode!r}, it must be 'RGB'"
    if Size(*image.size) != frame.screen:
        yield f"the picture is {Size(*image.size)}, frame.screen is {frame.screen}"
    if frame.model != frame.screen:
        yield f"frame.model is {frame.model}, but no model has seen the picture of {frame.screen}"
    if not frame.device_scale > 0:
        yield f"frame.device_scale is {frame.device_scale}"
    if observation.settle_s < 0:
        yield f"settle_s is {observation.settle_s}"
    for line in observation.context:
        if "\n" in line or not line.strip():
            yield f"context holds {line!r}, it must hold lines with text"


def _accepts_corners(environment: Environment) -> Iterator[str]:
    size = environment.observe().frame.screen
    if "move" in environment.actions:
        for corner in (Point(0, 0), Point(size.width - 1, size.height - 1)):
            try:
                environment.execute(Move(point=corner))
            except InvalidAction as error:
                yield f"moving to {corner}, which is on the screen of {size}, was refused: {error}"


def _refuses_points_outside(environment: Environment) -> Iterator[str]:
    size = environment.observe().frame.screen
    beside = (Point(-1, 0), Point(0, -1), Point(size.width, 0), Point(0, size.height), Point(size.width, size.height))
    for point in beside:
        for action in _pointing(point):
            if action.kind in environment.actions:
                yield from _expect(InvalidAction, environment, action)


def _pointing(point: Point) -> tuple[Action, ...]:
    inside = Point(0, 0)
    return (
        Click(point=point),
        Move(point=point),
        Drag(start=point, end=inside, seconds=0),
        Drag(start=inside, end=point, seconds=0),
        Scroll(point=point, direction="down"),
        LongPress(point=point, seconds=0),
    )


def _refuses_other_kinds(environment: Environment) -> Iterator[str]:
    environment.observe()
    others: tuple[Action, ...] = (
        *_pointing(Point(0, 0)),
        Type(text="a"),
        Press(keys=("a",)),
        Open(target="about:blank"),
        Wait(seconds=0),
        Ask(question="?"),
        Finish(status="success"),
    )
    for action in others:
        if action.kind not in environment.actions:
            yield from _expect(UnsupportedAction, environment, action)


def _waits(environment: Environment) -> Iterator[str]:
    environment.observe()
    if "wait" in environment.actions:
        environment.execute(Wait(seconds=0))
    yield from ()


def _releases_at_any_time(environment: Environment) -> Iterator[str]:
    environment.release()
    environment.observe()
    environment.release()
    environment.close()
    environment.release()
    yield from ()


def _closes_twice(environment: Environment) -> Iterator[str]:
    environment.observe()
    environment.close()
    environment.close()
    try:
        environment.observe()
        yield "observe after close returned a picture, it must raise DeviceError"
    except DeviceError as error:
        yield from _one_line(error)
    if "wait" in environment.actions:
        yield from _expect(DeviceError, environment, Wait(seconds=0))


def _expect(kind: type[ClickwrightError], environment: Environment, action: Action) -> Iterator[str]:
    try:
        environment.execute(action)
    except kind as error:
        yield from _one_line(error)
    except ClickwrightError as error:
        yield f"{action!r} raised {type(error).__name__}, it must be {kind.__name__}: {error}"
    else:
        yield f"{action!r} was carried out, it must raise {kind.__name__}"


def _one_line(error: ClickwrightError) -> Iterator[str]:
    if not str(error).strip() or "\n" in str(error):
        yield f"the text of a {type(error).__name__} must be one line, not {str(error)!r}"


_CHECKS: tuple[Callable[[Environment], Iterator[str]], ...] = (
    _names_itself,
    _sees_the_screen,
    _accepts_corners,
    _refuses_points_outside,
    _refuses_other_kinds,
    _waits,
    _releases_at_any_time,
    _closes_twice,
)

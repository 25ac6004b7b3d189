"""mobilerun (formerly droidrun): a trajectory folder, or one that holds such folders.

`macro.json` is `{description, actions [{action_type, ...}]}` with what was done in pixels of the device, in the order
in which it was done; `screenshots/0000.png` and so on are the looks, and `trajectory.json` is a list of events `{type,
...}`, the last `success` of which is the end. Nothing says which picture an action was done on, so the two are paired
by number, which is right as long as there is one picture for each action, and perhaps one more at the end. A run where
there are more or fewer of them is left out, for a wrong picture is worse than none. A tap's target is the smallest
element of its `pre_state` that holds it, where the run has these.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import Field, FiniteFloat

from action_space.actions import Action, Finish
from action_space.dialects.tool_call import build
from action_space.errors import ConfigError
from action_space.geometry import Box, Point, Size
from action_space.keys import canonical_key
from agent.trajectory import StopReason
from evals.benchmarks.reading import Broken, Record, problem
from evals.exchange.foreign import Foreign, Importer, Taken, load_document, read_picture, steps_of

MACRO, EVENTS, LOOKS = "macro.json", "trajectory.json", "screenshots"

KEYCODES = {3: "device_home", 4: "back", 24: "volume_up", 25: "volume_down", 26: "power"} | {
    61: "tab",
    62: "space",
    66: "enter",
    67: "backspace",
    82: "menu",
    111: "escape",
    112: "delete",
    187: "recents",
}
"""Android's numbers of the keys that the program sends."""

HELD_S = 0.5
"""A swipe that stays in place for so long is a long press."""

_BOUNDS = re.compile(r"-?\d{1,6}")


class Node(Record):
    bounds: object = None


class State(Record):
    nodes: list[Node] = Field(default_factory=list)


class Step(Record):
    action_type: str
    x: FiniteFloat | None = None
    y: FiniteFloat | None = None
    start_x: FiniteFloat | None = None
    start_y: FiniteFloat | None = None
    end_x: FiniteFloat | None = None
    end_y: FiniteFloat | None = None
    duration_ms: FiniteFloat | None = None
    duration: FiniteFloat | None = None
    text: str | None = None
    keycode: int | None = None
    button: str | None = None
    package: str | None = None
    pre_state: State = State()


class Macro(Record):
    description: str = ""
    actions: list[object]


class Event(Record):
    success: bool | None = None
    reason: str | None = ""


def runs(path: Path, task: str) -> Iterator[Foreign | Broken]:
    folders = sorted(file.parent for file in path.rglob(MACRO))
    if not folders:
        raise ConfigError(f"{str(path)!r} holds no {MACRO}: give a trajectory folder of mobilerun")
    for folder in folders:
        try:
            yield _run(folder, task)
        except OSError as error:
            yield Broken(str(folder / MACRO), f"cannot be read: {error.strerror}")
        except ValueError as error:
            yield Broken(str(folder / MACRO), problem(error))


def _run(folder: Path, task: str) -> Foreign:
    macro = Macro.model_validate(load_document((folder / MACRO).read_bytes()))
    task = task or macro.description
    if not task:
        raise ValueError("description: it does not say its task: give one with --task")
    looks = sorted((folder / LOOKS).glob("[0-9]*.png"))
    if not 0 <= len(looks) - len(macro.actions) <= 1:
        raise ValueError(
            f"{len(macro.actions)} actions and {len(looks)} screenshots cannot be paired: each action needs one"
        )
    reason, text = _ending(folder / EVENTS)
    steps = partial(_steps, folder, macro.actions, looks, reason, text)
    return Foreign(str(folder), folder.name, task, "android", "mobilerun", steps, reason, text)


def _ending(path: Path) -> tuple[StopReason, str]:
    try:
        events = load_document(path.read_bytes())
    except (OSError, ValueError):
        return "interrupted", "the run does not say how it ended"
    for raw in reversed(events if isinstance(events, list) else []):
        try:
            event = Event.model_validate(raw)
        except ValueError:
            continue
        if event.success is not None:
            return ("success" if event.success else "failure"), event.reason or ""
    return "interrupted", "the run does not say how it ended"


def _steps(
    folder: Path, actions: Sequence[object], looks: Sequence[Path], reason: StopReason, text: str
) -> Iterator[Taken | Broken]:
    def read(where: str, row: tuple[object, Path]) -> Taken:
        step = Step.model_validate(row[0])
        image = read_picture(row[1])
        action = _action(step)
        return Taken(where, image, (action,), _target(step, Size(*image.size)))

    rows = [(f"{folder / MACRO} actions.{at}", row) for at, row in enumerate(zip(actions, looks, strict=False))]
    yield from steps_of(rows, read)
    if len(looks) > len(actions) and reason in ("success", "failure"):
        yield from steps_of([(str(looks[-1]), looks[-1])], lambda where, look: _end(where, look, reason, text))


def _end(where: str, look: Path, reason: StopReason, text: str) -> Taken:
    status = "success" if reason == "success" else "failure"
    return Taken(where, read_picture(look), (Finish(status=status, text=text),))


def _action(step: Step) -> Action:
    match step.action_type:
        case "tap":
            return build("click", point=_point(step.x, step.y, "x, y"))
        case "swipe" | "drag":
            start = _point(step.start_x, step.start_y, "start_x, start_y")
            end = _point(step.end_x, step.end_y, "end_x, end_y")
            seconds = min(max(0.0, step.duration or (step.duration_ms or 500.0) / 1000), 30.0)
            if start == end and seconds >= HELD_S:
                return build("long_press", point=start, seconds=seconds)
            return build("drag", start=start, end=end, seconds=seconds)
        case "input_text":
            return build("type", text=step.text)
        case "key_press":
            if step.keycode not in KEYCODES:
                raise ValueError(f"keycode: {step.keycode} is no key that is known here")
            return build("press", keys=(KEYCODES[step.keycode],))
        case "system_button" | "back":
            return build("press", keys=(canonical_key(step.button or "back", android=True),))
        case "start_app":
            return build("open", target=step.package)
        case "wait":
            return build("wait", seconds=min(max(0.0, step.duration or 1.0), 60.0))
        case _:
            raise ValueError(f"action_type: {step.action_type!r:.40} is no action of a screen")


def _point(x: float | None, y: float | None, names: str) -> Point:
    if x is None or y is None or max(abs(x), abs(y)) > 1e6:
        raise ValueError(f"{names}: pixels are needed, not {x}, {y}")
    return Point(int(x), int(y))


def _target(step: Step, size: Size) -> tuple[Box, ...]:
    """The smallest element under a tap, none where the run knows none."""
    if step.action_type != "tap" or step.x is None or step.y is None:
        return ()
    point = Point(int(step.x), int(step.y))
    boxes = [box for node in step.pre_state.nodes if (box := _box(node.bounds, size)) and box.contains(point)]
    return tuple(sorted(boxes, key=lambda box: (box.right - box.left) * (box.bottom - box.top))[:1])


def _box(bounds: object, size: Size) -> Box | None:
    """From "left,top,right,bottom", in any brackets, or a list of them."""
    numbers = [int(number) for number in _BOUNDS.findall(str(bounds))] if isinstance(bounds, str | list) else []
    if len(numbers) != 4:
        return None
    left, top = max(0, numbers[0]), max(0, numbers[1])
    right, bottom = min(size.width, numbers[2]), min(size.height, numbers[3])
    return Box(left, top, right, bottom) if left < right and top < bottom else None


IMPORTER = Importer("mobilerun", f"a trajectory folder (with {MACRO}), or one that holds such folders", runs)

"""AgentNet: a trajectory a line of JSONL or a JSON file, beside its pictures.

Both published forms are read. The training data: `{task_id, instruction, task_completed, traj [{index, image, value
{code, observation, thought, action, ...}}]}`, where code is PyAutoGUI with coordinates from 0 to 1 and action is the
instruction in words. The benchmark: `{task_id, high_level_task_description, steps [{step_num, image, action,
ground_truth_actions, inner_monologue}]}` (see `evals.benchmarks.agentnet`), whose boxes become targets.

Pictures are looked for beside the file, in `images/` beside it and in `images/` beside its folder. The training data's
`task_completed` says whether a run succeeded; the benchmark's trajectories all did. A step that the data calls wrong
(`last_step_correct` of the step, which despite its name is about the step itself) is kept as refused, so that it is
part of the history and no right answer.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import Field

from action_space.actions import Action
from action_space.dialects.tool_call import build
from action_space.errors import ConfigError
from action_space.geometry import Box, Point, Size
from agent.trajectory import StepError, StopReason
from evals.benchmarks.agentnet import CLICKS, GivenAction
from evals.benchmarks.reading import Broken, Record, problem
from evals.exchange.foreign import (
    Foreign,
    Importer,
    Taken,
    first_file,
    load_document,
    pixel,
    pointer_after,
    read_picture,
    steps_of,
)
from evals.exchange.pyautogui_code import merged, read_code

NOTCHES = 3
"""Of a scroll whose amount the data does not say."""


class Value(Record):
    code: str = Field(min_length=1)
    thought: str | None = ""
    action: str | None = ""
    last_step_correct: bool | None = True


class Row(Record):
    image: str = Field(min_length=1)
    value: Value


class Monologue(Record):
    thought: str | None = ""
    low_level_instruction: str | None = ""


class BenchRow(Record):
    image: str = Field(min_length=1)
    action: str = ""
    ground_truth_actions: list[GivenAction] = Field(default_factory=list)
    inner_monologue: Monologue = Monologue()


class Data(Record):
    """Either form: it has traj or steps."""

    task_id: str = Field(min_length=1)
    instruction: str | None = ""
    high_level_task_description: str | None = ""
    user_task_description: str | None = ""
    task_completed: bool | None = None
    traj: list[object] | None = None
    steps: list[object] | None = None


def runs(path: Path, task: str) -> Iterator[Foreign | Broken]:
    files = sorted([*path.glob("*.jsonl"), *path.glob("**/*.json")]) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise ConfigError(
            f"{str(path)!r} holds no trajectory: give a .jsonl or .json file of AgentNet, or their folder"
        )
    for file in files:
        for where, raw in _documents(file):
            try:
                yield _run(file.parent, where, Data.model_validate(load_document(raw)), task)
            except ValueError as error:
                yield Broken(where, problem(error))


def _documents(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if file.suffix != ".jsonl":
            yield str(file), file.read_bytes()
            return
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file}:{number}", line
    except OSError as error:
        raise ConfigError(f"cannot read {str(file)!r}: {error.strerror}") from error


def _run(folder: Path, where: str, data: Data, task: str) -> Foreign:
    if (data.traj is None) == (data.steps is None):
        raise ValueError("it has neither traj nor steps, or both")
    words = task or data.instruction or data.high_level_task_description or data.user_task_description
    if not words:
        raise ValueError("it does not say its task: give one with --task")
    rows = data.traj if data.traj is not None else data.steps or []
    numbered = [(f"{where} step {number}", row) for number, row in enumerate(rows)]
    read = _training_steps if data.traj is not None else _bench_steps
    reason: StopReason = "failure" if data.task_completed is False else "success"
    return Foreign(where, data.task_id, words, "desktop", "AgentNet annotator", partial(read, folder, numbered), reason)


def _training_steps(folder: Path, rows: Sequence[tuple[str, object]]) -> Iterator[Taken | Broken]:
    pointer: Point | None = None

    def read(where: str, raw: object) -> Taken:
        nonlocal pointer
        row = Row.model_validate(raw)
        image = read_picture(_find(folder, row.image))
        size = Size(*image.size)
        actions = read_code(row.value.code, lambda x, y: pixel(x, y, size), pointer)
        pointer = pointer_after(actions, pointer)
        wrong = StepError(kind="PolicyRefusal", text="the data calls this step wrong")
        return Taken(
            where,
            image,
            actions,
            plan=row.value.action or "",
            reply=_reply(row.value.thought, row.value.code),
            error=wrong if row.value.last_step_correct is False else None,
        )

    return steps_of(rows, read)


def _reply(thought: str | None, code: str) -> str:
    return f"Thought: {thought}\nAction: {code}" if thought else code


def _bench_steps(folder: Path, rows: Sequence[tuple[str, object]]) -> Iterator[Taken | Broken]:
    pointer: Point | None = None

    def read(where: str, raw: object) -> Taken:
        nonlocal pointer
        row = BenchRow.model_validate(raw)
        image = read_picture(_find(folder, row.image))
        size, actions, targets = Size(*image.size), list[Action](), tuple[Box, ...]()
        for given in row.ground_truth_actions:
            actions.append(_action(given, size, pointer))
            targets = targets or _targets(given, size)
            pointer = pointer_after(actions, pointer)
        if not actions:  # then its code is all there is
            actions = read_code(row.action, lambda x, y: pixel(x, y, size), pointer)
            pointer = pointer_after(actions, pointer)
        plan, thought = row.inner_monologue.low_level_instruction, row.inner_monologue.thought
        return Taken(where, image, merged(actions), targets, plan or "", _reply(thought, row.action))

    return steps_of(rows, read)


def _action(given: GivenAction, size: Size, pointer: Point | None) -> Action:
    name, params = given.type.lower(), given.params
    place = pixel(params.position.x, params.position.y, size) if params.position else None
    if name in CLICKS:
        button, count = CLICKS[name]
        return build("click", point=_there(place, name), button=button, count=count)
    match name:
        case "moveto":
            return build("move", point=_there(place, name))
        case "dragto":
            return build("drag", start=_there(pointer, "the start of dragTo"), end=_there(place, name))
        case "write":
            return build("type", text=params.content or params.text)
        case "press" | "hotkey":
            return build("press", keys=[params.keys] if isinstance(params.keys, str) else params.keys)
        case "scroll":
            direction = "up" if params.direction == "up" else "down"
            middle = Point(size.width // 2, size.height // 2)
            return build("scroll", point=place or pointer or middle, direction=direction, amount=NOTCHES)
        case "terminate":
            return build("finish", status="success" if params.status == "success" else "failure")
        case "wait":
            return build("wait")
        case _:
            raise ValueError(f"type: {given.type!r:.40} is no action of AgentNet")


def _there(place: Point | None, what: str) -> Point:
    if place is None:
        raise ValueError(f"params.position: missing for {what}")
    return place


def _targets(given: GivenAction, size: Size) -> tuple[Box, ...]:
    """Boxes in pixels, cut to the screen; both edges of the source's are inside."""
    found: list[Box] = []
    for given_box in given.metadata.bboxes:
        left, top, width, height = given_box.rel_bbox
        corners = (left * size.width, top * size.height, (left + width) * size.width, (top + height) * size.height)
        if all(abs(corner) <= 10 * max(size.width, size.height) for corner in corners):
            box = Box(
                max(0, round(corners[0])),
                max(0, round(corners[1])),
                min(size.width, round(corners[2])),
                min(size.height, round(corners[3])),
            )
            found += [box] if box.left < box.right and box.top < box.bottom else []
    return tuple(found)


def _find(folder: Path, name: str) -> Path:
    """Where a picture lies. Raises ValueError."""
    plain = Path(name).name
    found = first_file((folder / plain, folder / "images" / plain, folder.parent / "images" / plain))
    if found is None:
        raise ValueError(f"image: {plain!r:.200} is neither beside the file nor in a folder images")
    return found


IMPORTER = Importer("agentnet", "a .jsonl or .json file of AgentNet, or their folder", runs)

"""AgentNetBench: a trajectory a JSON file, or one a line of JSONL.

`{task_id, high_level_task_description, steps [{step_num, image, ground_truth_actions, alternative_options}]}`. Actions
are `{type, params, metadata {bboxes [{rel_bbox}]}}`, where params holds what the type needs of `position {x, y}`, text
or content, keys and status, and rel_bbox is x, y, width, height. All coordinates are 0 to 1. alternative_options are
lists of such actions, or objects that hold one as `actions` or `ground_truth_actions`; what else may stand there is
not documented and passed over.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from evals.benchmarks.reading import (
    Broken,
    Record,
    Row,
    Sized,
    Source,
    json_lines,
    json_rows,
    load_json,
    problem,
    region,
)
from evals.protocols.values import Act, Place, Region, Step


class Position(Record):
    x: FiniteFloat
    y: FiniteFloat


class Params(Record):
    position: Position | None = None
    text: str = ""
    content: str = ""
    keys: str | list[str] = Field(default_factory=list)
    status: str = "success"
    direction: str = ""


class Box(Record):
    rel_bbox: Sized


class Metadata(Record):
    bboxes: list[Box] = Field(default_factory=list)


class GivenAction(Record):
    type: str
    params: Params = Params()
    metadata: Metadata = Metadata()


ACTIONS: TypeAdapter[list[GivenAction]] = TypeAdapter(list[GivenAction])


class RecordedStep(Record):
    step_num: int | None = None
    image: str = ""
    ground_truth_actions: list[GivenAction] = Field(min_length=1)
    alternative_options: object = None


class Trajectory(Record):
    task_id: str = Field(min_length=1)
    high_level_task_description: str = ""
    steps: list[object]


def rows(folder: Path) -> Iterator[Row | Broken]:
    if any(folder.glob("*.jsonl")):
        return json_lines(folder, ["*.jsonl"], "AgentNetBench")
    return json_rows(folder, ["**/*.json"], "AgentNetBench")


def steps(row: Row, _folder: Path) -> Iterator[Step | Broken]:
    task = Trajectory.model_validate(load_json(row.data) if isinstance(row.data, bytes) else row.data)
    for number, data in enumerate(task.steps):
        try:
            recorded = RecordedStep.model_validate(data)
            acts = tuple(map(act_of, recorded.ground_truth_actions))
            alternatives = tuple(_alternatives(recorded.alternative_options))
        except ValueError as error:
            yield Broken(f"{row.where} step {number}", problem(error))
            continue
        yield Step(
            id=f"{task.task_id}-{number if recorded.step_num is None else recorded.step_num}",
            acts=acts,
            alternatives=alternatives,
            size=(1.0, 1.0),
            instruction=task.high_level_task_description,
            image=recorded.image,
            episode=task.task_id,
            number=number,
            steps=len(task.steps),
        )


CLICKS: dict[str, tuple[Literal["left", "right", "middle"], int]] = {
    "click": ("left", 1),
    "doubleclick": ("left", 2),
    "tripleclick": ("left", 3),
    "rightclick": ("right", 1),
    "middleclick": ("middle", 1),
}


def act_of(given: GivenAction) -> Act:
    """The source's action. Raises ValueError for a type that it does not have, and for a place that is missing."""
    name, params = given.type.lower(), given.params
    if name in CLICKS:
        button, count = CLICKS[name]
        return Act("click", _place(given), button=button, count=count, targets=_targets(given))
    match name:
        case "moveto":
            return Act("move", _place(given), targets=_targets(given))
        case "dragto":
            return Act("drag", end=_place(given), targets=_targets(given))
        case "write":
            return Act("type", text=params.content or params.text)
        case "press" | "hotkey":
            return Act("press" if name == "press" else "hotkey", keys=_keys(params.keys))
        case "scroll":
            return Act("scroll", direction="up" if params.direction == "up" else "down")
        case "terminate":
            return Act("finish", status="success" if params.status == "success" else "failure")
        case "wait":
            return Act("wait")
        case _:
            raise ValueError(f"type: {given.type!r} is no action of AgentNetBench")


def _place(given: GivenAction) -> Place:
    if given.params.position is None:
        raise ValueError(f"params.position: missing for {given.type}")
    return given.params.position.x, given.params.position.y


def _targets(given: GivenAction) -> tuple[Region, ...]:
    return tuple(region(box.rel_bbox) for box in given.metadata.bboxes)


def _keys(keys: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(key.lower() for key in ([keys] if isinstance(keys, str) else keys))


def _alternatives(options: object) -> Iterator[tuple[Act, ...]]:
    for option in options if isinstance(options, list) else []:
        actions = option
        if isinstance(option, dict):
            actions = option.get("ground_truth_actions") or option.get("actions")
        if isinstance(actions, list) and actions:
            yield tuple(map(act_of, ACTIONS.validate_python(actions)))


MOST = 3
"""Actions that a model may give to a step, such as a click, typing and Enter. What is too much costs nothing."""

IDS = "task_id, a hyphen, step_num (the place from 0 where it is missing)"

SOURCE = Source("agentnet", rows, steps, IDS, "0 to 1", most=MOST)

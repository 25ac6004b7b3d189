"""GUI-Odyssey: `annotations/*.json`, an episode a file.

`{episode_id, task_info {category, instruction}, step_length, steps [{step, screenshot, action, info, sam2_bbox}]}`.
Actions are CLICK and LONG_PRESS (info [[x, y]] or [x, y], or KEY_HOME, KEY_BACK, KEY_APPSELECT), SCROLL (info [[x1,
y1], [x2, y2]], the way of the finger, or its direction), TYPE or TEXT (info), COMPLETE, IMPOSSIBLE or INCOMPLETE,
HOME, BACK, RECENT. Coordinates are 0 to 1000.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from evals.benchmarks.reading import Broken, Corners, Record, Row, Source, groups, json_rows, problem
from evals.protocols.values import Act, Direction, Place, Region, Step

EXTENT = (1000.0, 1000.0)

PLACES: TypeAdapter[list[tuple[FiniteFloat, FiniteFloat]]] = TypeAdapter(list[tuple[FiniteFloat, FiniteFloat]])

KEYS = {"KEY_HOME": "home", "KEY_BACK": "back", "KEY_APPSELECT": "recent"}
SCROLLS: dict[str, Direction] = {"up": "down", "down": "up", "left": "right", "right": "left"}
"""The way of the finger -> what is shown."""


class Task(Record):
    category: str = ""
    instruction: str = ""


class RecordedStep(Record):
    step: int = Field(ge=0)
    action: Literal[
        "CLICK",
        "LONG_PRESS",
        "SCROLL",
        "TYPE",
        "TEXT",
        "COMPLETE",
        "IMPOSSIBLE",
        "INCOMPLETE",
        "HOME",
        "BACK",
        "RECENT",
    ]
    info: object = ""
    screenshot: str = ""
    sam2_bbox: Corners | None = None


class Episode(Record):
    episode_id: str = Field(min_length=1)
    task_info: Task = Task()
    step_length: int = 0
    steps: list[object]


def rows(folder: Path) -> Iterator[Row | Broken]:
    return json_rows(folder, ["annotations/*.json"], "GUI-Odyssey")


def steps(row: Row, _folder: Path) -> Iterator[Step | Broken]:
    episode = Episode.model_validate(row.data)
    for number, data in enumerate(episode.steps):
        try:
            recorded = RecordedStep.model_validate(data)
            act = act_of(recorded)
        except ValueError as error:
            yield Broken(f"{row.where} step {number}", problem(error))
            continue
        yield Step(
            id=f"{episode.episode_id.removesuffix('.json')}_{recorded.step}",
            acts=(act,),
            size=EXTENT,
            instruction=episode.task_info.instruction,
            image=recorded.screenshot,
            episode=episode.episode_id,
            number=recorded.step,
            steps=episode.step_length,
            groups=groups(category=episode.task_info.category),
        )


def act_of(step: RecordedStep) -> Act:
    """Raises ValueError where info does not fit the action."""
    match step.action:
        case "CLICK" | "LONG_PRESS":
            if isinstance(step.info, str) and step.info in KEYS:
                return Act("press", keys=(KEYS[step.info],))
            targets = (Region(*step.sam2_bbox),) if step.sam2_bbox is not None else ()
            return Act("click" if step.action == "CLICK" else "long_press", _places(step.info)[0], targets=targets)
        case "SCROLL":
            return _scroll(step.info)
        case "TYPE" | "TEXT":
            if not isinstance(step.info, str):
                raise ValueError(f"info: {step.info!r:.60} is no text")
            return Act("type", text=step.info)
        case "COMPLETE":
            return Act("finish")
        case "IMPOSSIBLE" | "INCOMPLETE":
            return Act("finish", status="failure")
        case _:
            return Act("press", keys=(step.action.lower(),))


def _scroll(info: object) -> Act:
    if isinstance(info, str):
        if info.lower() not in SCROLLS:
            raise ValueError(f"info: {info!r:.60} is no direction")
        return Act("scroll", direction=SCROLLS[info.lower()])
    places = _places(info)
    if len(places) < 2:
        raise ValueError(f"info: {info!r:.60} is not where a finger goes from and to")
    return Act("drag", places[0], places[1])


def _places(info: object) -> list[Place]:
    pair = isinstance(info, list) and info and not isinstance(info[0], list | tuple)
    places = PLACES.validate_python([info] if pair else info)
    if not places:
        raise ValueError("info: no place")
    return [*places]


SOURCE = Source("gui-odyssey", rows, steps, "episode_id without .json, `_`, step", "0 to 1000", is_phone=True)

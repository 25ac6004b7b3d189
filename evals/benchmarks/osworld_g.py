"""OSWorld-G: JSON arrays of `{id, image_path, image_size, instruction, box_type, box_coordinates, GUI_types}`.

box_type says what box_coordinates are: bbox is x, y, width, height; polygon a flat list of corners; refusal nothing
that counts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat

from evals.benchmarks.reading import Broken, Record, Row, Source, groups, json_rows
from evals.benchmarks.screenspot_pro import Side
from evals.protocols.values import Act, Place, Region, Step


class Question(Record):
    id: str = Field(min_length=1)
    image_path: str
    image_size: tuple[Side, Side]
    instruction: str
    box_type: Literal["bbox", "polygon", "refusal"]
    box_coordinates: list[FiniteFloat] = Field(default_factory=list)


def rows(folder: Path) -> Iterator[Row | Broken]:
    return json_rows(folder, ["*.json"], "OSWorld-G")


def steps(row: Row, _folder: Path) -> Iterator[Step]:
    question = Question.model_validate(row.data)
    values = question.box_coordinates
    yield Step(
        id=question.id,
        acts=(Act("click", targets=(_box(values),)),) if question.box_type == "bbox" else (),
        size=question.image_size,
        instruction=question.instruction,
        image=question.image_path,
        polygon=_corners(values) if question.box_type == "polygon" else (),
        refusal=question.box_type == "refusal",
        groups=groups(type=question.box_type),
    )


def _box(values: list[float]) -> Region:
    if len(values) != 4 or values[2] < 0 or values[3] < 0:
        raise ValueError(f"box_coordinates: {values} is not x, y, width, height")
    return Region.sized(*values)


def _corners(values: list[float]) -> tuple[Place, ...]:
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"box_coordinates: {len(values)} numbers are no corners of a polygon")
    return tuple(zip(values[::2], values[1::2], strict=True))


SOURCE = Source("osworld-g", rows, steps, "the row's `id`", "pixels", is_grounding=True)

"""ScreenSpot-Pro: `annotations/*.json`.

Rows are `{id, img_filename, bbox [left, top, right, bottom], instruction, application, platform, img_size, ui_type,
group}`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from evals.benchmarks.reading import Broken, Corners, Record, Row, Source, groups, json_rows
from evals.protocols.values import Act, Region, Step

Side = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Question(Record):
    id: str = Field(min_length=1)
    img_filename: str
    bbox: Corners
    instruction: str
    img_size: tuple[Side, Side]
    application: str = ""
    platform: str = ""
    ui_type: str = ""
    group: str = ""


def rows(folder: Path) -> Iterator[Row | Broken]:
    return json_rows(folder, ["annotations/*.json"], "ScreenSpot-Pro")


def steps(row: Row, _folder: Path) -> Iterator[Step]:
    question = Question.model_validate(row.data)
    yield Step(
        id=question.id,
        acts=(Act("click", targets=(Region(*question.bbox),)),),
        size=question.img_size,
        instruction=question.instruction,
        image=f"images/{question.img_filename}",
        groups=groups(
            type=question.ui_type,
            group=question.group,
            application=question.application,
            platform=question.platform,
        ),
    )


SOURCE = Source("screenspot-pro", rows, steps, "the row's `id`", "pixels", is_grounding=True)

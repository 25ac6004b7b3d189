"""Generated pages: words, fonts and layouts that training never drew. `evals.drawing` draws them into a folder.

`questions.jsonl` has a line for each question: `{id, image, size [width, height], control, instruction, boxes [[left,
top, right, bottom], ...]}`, the boxes being the control and, of a checkbox or radio button, its label, where a click
ticks it too. The control "missing" has none: nothing on the page is called so. It is written when all pages are, so
where it is, they are whole. Screens of an application of one's own (`evals.online.gather`) are stored alike; there
`name` says whether training may know the control's name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from evals.benchmarks.reading import Broken, Corners, Record, Row, Source, groups, json_lines, load_json
from evals.protocols.values import Act, Region, Step

QUESTIONS = "questions.jsonl"
MISSING = "missing"
"""What `control` is called where nothing on the page is meant."""


class Asked(Record):
    """A line of the file."""

    id: str = Field(min_length=1)
    image: str
    size: tuple[FiniteFloat, FiniteFloat]
    control: str
    instruction: str
    name: Literal["", "known", "new"] = ""
    boxes: tuple[Corners, ...] = ()

    @model_validator(mode="after")
    def _has_boxes(self) -> Self:
        if bool(self.boxes) == (self.control == MISSING):
            raise ValueError("a control has boxes, one that is missing has none")
        return self


def rows(folder: Path) -> Iterator[Row | Broken]:
    return json_lines(folder, [QUESTIONS], "generated pages")


def steps(row: Row, _folder: Path) -> Iterator[Step]:
    asked = Asked.model_validate(load_json(row.data))
    yield Step(
        id=asked.id,
        acts=(Act("click", targets=tuple(Region(*box) for box in asked.boxes)),) if asked.boxes else (),
        refusal=not asked.boxes,
        size=asked.size,
        instruction=asked.instruction,
        image=asked.image,
        groups=groups(control=asked.control, name=asked.name),
    )


SOURCE = Source("generated", rows, steps, "page, a hyphen, question, both from 0: `12-3`", "pixels", is_grounding=True)

"""The failures of an evaluation: which are shown, and what was right and what was done drawn on the screenshot."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from evals.benchmarks.reading import Broken
from evals.exchange.foreign import read_picture
from evals.protocols.values import Act, Score, Step
from evals.report.marks import draw_done, draw_right, words_of

SHOWN = 48
"""Failures of a report; the JSON of an evaluation has them all."""

LONGEST_SIDE = 1280
"""Pixels of an embedded picture, and of the blank that stands for one that is gone."""

QUALITY = 80


@dataclass(frozen=True, slots=True)
class Did:
    """What one model did at a step. acts: None if it was not asked. words: its own, or what was done in words."""

    label: str
    acts: Sequence[Act] | None
    score: Score
    words: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that was scored. picture: its file, or itself; None where there is none. link: to the episode's report,
    or "".
    """

    step: Step
    picture: Path | Image.Image | None
    did: Sequence[Did]
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What a card says of one model. colour: its number, from 0."""

    label: str
    colour: int
    right: bool
    words: str
    why: str


@dataclass(frozen=True, slots=True)
class Card:
    """A case as it is shown. uri: "" without a picture. right: what should have been done, in words."""

    id: str
    task: str
    link: str
    width: int
    height: int
    uri: str
    marks: Markup
    right: str
    lines: Sequence[Line]
    note: str = ""


def is_failure(case: Case) -> bool:
    return any(did.score.value < 1 for did in case.did)


def chosen(cases: Sequence[Case], limit: int = SHOWN) -> list[Case]:
    """The failures to show: those on which models disagree first; if there are too many, evenly spread over all."""
    failures = [case for case in cases if is_failure(case)]
    disputed = [case for case in failures if len({did.score.value == 1 for did in case.did}) > 1]
    settled = [case for case in failures if case not in disputed]
    kept = spread(disputed, limit)
    return kept + spread(settled, limit - len(kept))


def spread(cases: Sequence[Case], limit: int) -> list[Case]:
    """So many of them, evenly over all."""
    if len(cases) <= limit:
        return list(cases)
    return [cases[at * len(cases) // limit] for at in range(limit)]


def card_of(case: Case) -> tuple[Card, list[Broken]]:
    """A case with its picture embedded; and what is wrong with the picture."""
    picture, broken = _picture(case)
    width, height = picture.size if picture else _blank(case.step)
    step = case.step
    shapes = Markup("")
    if (size := step.size or (picture.size if picture else None)) is not None:
        scale = width / size[0], height / size[1]
        shapes = draw_right(step, scale, max(width, height)) + Markup("").join(
            draw_done(did.acts or (), scale, max(width, height), colour) for colour, did in enumerate(case.did)
        )
    lines = [
        Line(did.label, colour, did.score.value == 1, _said(did), did.score.why) for colour, did in enumerate(case.did)
    ]
    note = broken[0].why if broken else "" if picture else "no picture"
    right = "say that nothing fits" if step.refusal else ", ".join(words_of(act) for act in step.acts)
    uri = _embedded(picture) if picture else ""
    card = Card(step.id, step.instruction, case.link, width, height, uri, shapes, right, lines, note)
    return card, broken


def _said(did: Did) -> str:
    if did.words or did.acts is None:
        return did.words
    return ", ".join(words_of(act) for act in did.acts) or "no action"


def _picture(case: Case) -> tuple[Image.Image | None, list[Broken]]:
    if not isinstance(case.picture, Path):
        return case.picture, []
    where = case.step.row or case.step.id
    try:
        picture = read_picture(case.picture)
    except ValueError as error:
        return None, [Broken(where, str(error))]
    if _in_pixels(case.step) and picture.size != case.step.size:
        width, height = case.step.size or (0.0, 0.0)
        why = f"the picture is {picture.size[0]}x{picture.size[1]}, and the data says {width:g}x{height:g}"
        return picture, [Broken(where, why)]
    return picture, []


def _in_pixels(step: Step) -> bool:
    """Whether a step's units are those of its picture; some benchmarks go from 0 to 1, or to 1000."""
    return step.size is not None and step.size[0] > 1 and step.size != (1000.0, 1000.0)


def _blank(step: Step) -> tuple[int, int]:
    """A surface of the screen's shape, where there is no picture of it. A unit square says nothing of the shape."""
    width, height = step.size if step.size and _in_pixels(step) else (16.0, 9.0)
    scale = LONGEST_SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _embedded(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()

"""Grounding on generated pages: words, fonts and layouts that training never drew.

The rule is ScreenSpot's: the predicted point lies in the target's box, edges inside; a reply without a point is a
miss. A checkbox or radio button is hit on its label too, where a click ticks it (since protocol 2). Pages come from
the generator of the training data, on the held-out side of its words and fonts.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from action_space.actions import points_of
from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size
from agent.models import SpokenModel
from agent.planner import model_frame
from environments.chromium import drawing_tab
from evals.intervals import wilson
from vlm.training.data.render import Element, Screen, read_screens, render_screens
from vlm.training.questions import NOUNS, PLAN_NOUNS, quoted

PROTOCOL = "point-in-box 2"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question's outcome. point: in screenshot pixels, None when the reply held none."""

    page: int
    kind: str
    instruction: str
    box: tuple[int, int, int, int]
    point: tuple[int, int] | None
    hit: bool
    seconds: float


def ask_about_pages(
    model: SpokenModel,
    *,
    pages: int,
    seed: int,
    size: Size,
    questions: int = 5,
    keep: Callable[[int, Image.Image], None] = lambda _page, _picture: None,
) -> Iterator[Answer]:
    """Draw `pages` held-out pages of `size` and ask for up to `questions` controls on each. keep: gets every page."""
    dialect = load_dialect(model.dialect)
    with TemporaryDirectory(prefix="clickwright-pages-") as folder:
        _draw(Path(folder), pages, seed, size)
        for number, screen in enumerate(read_screens(Path(folder))):
            with Image.open(screen.image) as picture:
                image = picture.convert("RGB")
            keep(number, image)
            for element in choose(screen, random.Random(f"{seed}-{number}"), questions):
                yield _ask(model, dialect, image, element, number)


def _draw(folder: Path, pages: int, seed: int, size: Size) -> None:
    with drawing_tab() as tab:
        for _ in render_screens(tab, folder, count=pages, seed=seed, held_out=True, size=(size.width, size.height)):
            pass


def choose(screen: Screen, rng: random.Random, most: int) -> list[Element]:
    """Up to `most` controls whose names are unique on their page."""
    names = [element.name.lower() for element in screen.elements]
    askable = [
        e
        for e in screen.elements
        if e.name and e.kind in NOUNS and names.count(e.name.lower()) == 1 and len(e.name) <= 48
    ]
    return rng.sample(askable, min(most, len(askable)))


def _ask(model: SpokenModel, dialect: Dialect, image: Image.Image, element: Element, page: int) -> Answer:
    words = f"click {quoted(element.name)} {PLAN_NOUNS[element.kind]}".strip()
    size = Size(*image.size)
    frame = model_frame(Frame(size, size), dialect)
    started = time.monotonic()
    turn = Turn(words, image, frame)
    reply = model.generate(
        dialect.prompt(turn, words), min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels, max_new_tokens=64
    )
    point = _point(dialect, reply.text, frame)
    box = element.box
    hit = point is not None and element.hit_by(point.x, point.y)
    place = (point.x, point.y) if point else None
    return Answer(
        page, element.kind, words, (box.left, box.top, box.right, box.bottom), place, hit, time.monotonic() - started
    )


def _point(dialect: Dialect, reply: str, frame: Frame) -> Point | None:
    try:
        return next(iter(points_of(dialect.parse(reply, frame))), None)
    except InvalidAction:
        return None


def summary(answers: list[Answer], size: Size, seed: int) -> dict[str, object]:
    """Hits overall and by kind of control, with 95 % Wilson intervals."""
    kinds = sorted({answer.kind for answer in answers})
    groups = {"all": answers, **{kind: [a for a in answers if a.kind == kind] for kind in kinds}}
    rows = {}
    for name, group in groups.items():
        hits = sum(answer.hit for answer in group)
        low, high = wilson(hits, len(group))
        rows[name] = {"hits": hits, "n": len(group), "rate": hits / len(group), "low": low, "high": high}
    return {
        "benchmark": "generated",
        "protocol": PROTOCOL,
        "size": str(size),
        "seed": seed,
        "groups": rows,
        "answers": [asdict(a) for a in answers],
    }

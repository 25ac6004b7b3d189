"""Draws the pages of `agent eval generated`, and chooses what is asked about them.

Pages come from the generator of the training data, on the held-out side of its words, fonts and icons.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from rich.progress import track

from action_space.errors import ConfigError, RecordingError
from agent.disk import write_whole
from environments.chromium import drawing_tab
from evals.asking import Drawing
from evals.benchmarks.generated import MISSING, QUESTIONS, Asked
from evals.tables import notes_console
from vlm.training.data.icons import Icons
from vlm.training.data.pages import Page
from vlm.training.data.pages_text import text_page
from vlm.training.data.pages_web import web_page
from vlm.training.data.render import Element, Screen, installed_fonts, read_screens, render_screens, writers
from vlm.training.data.sheet import Sheet
from vlm.training.data.words import Words
from vlm.training.questions import PLAN_NOUNS, askable, quoted


def draw(folder: Path, drawing: Drawing) -> None:
    """Pages and questions, the same for the same drawing; nothing if they are there. What a drawing that was cut short
    left is drawn anew. Raises DeviceError without a browser, ConfigError if the pages have no control, RecordingError.
    """
    if (folder / QUESTIONS).exists():
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
        _draw_pages(folder, drawing)
        rows = [each.model_dump(mode="json") for each in _asked(folder, drawing)]
        if not rows:
            size = f"{drawing.size[0]}x{drawing.size[1]}"
            raise ConfigError(f"no page of {size} has a control to ask for: take a larger size or another seed")
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(folder / QUESTIONS, lines.encode())
    except OSError as error:
        raise RecordingError(f"cannot write pages to {str(folder)!r}: {error.strerror or error}") from error


def _draw_pages(folder: Path, drawing: Drawing) -> None:
    console = notes_console()
    page_of = _STYLES[drawing.style](drawing.size)
    with drawing_tab() as tab:
        pages = render_screens(tab, folder, page_of, count=drawing.pages, seed=drawing.seed)
        quiet = not console.is_terminal
        for _ in track(pages, "drawing", total=drawing.pages, console=console, transient=True, disable=quiet):
            pass


def _plain_pages(size: tuple[int, int]) -> Callable[[Random], Page]:
    writer = writers(held_out=True)
    return lambda rng: writer(rng).page(size)


def _pages_of(write: Callable[[Sheet, tuple[int, int]], Page], size: tuple[int, int]) -> Callable[[Random], Page]:
    fonts, icons = installed_fonts(held_out=True), Icons(held_out=True)
    return lambda rng: write(Sheet(rng, Words(rng, held_out=True), fonts, icons), size)


_STYLES: dict[str, Callable[[tuple[int, int]], Callable[[Random], Page]]] = {
    "plain": _plain_pages,
    "app": partial(_pages_of, web_page),
    "text": partial(_pages_of, text_page),
}


def _asked(folder: Path, drawing: Drawing) -> Iterator[Asked]:
    screens = list(read_screens(folder))
    names = [screen.elements[number] for screen in screens for number in askable(screen)]
    for page, screen in enumerate(screens):
        rng = Random(f"{drawing.seed}-{page}")
        chosen = choose(screen, rng, drawing.questions)
        said = screen.said
        away = [element for element in names if element.name.lower() not in said]
        for number, element in enumerate([*chosen, *rng.sample(away, min(drawing.missing, len(away)))]):
            asked = ask_for(element, f"{page}-{number}", screen.image.name, drawing.size)
            there = {} if number < len(chosen) else {"control": MISSING, "boxes": ()}
            yield asked.model_copy(update=there)


def ask_for(element: Element, ident: str, image: str, size: tuple[int, int]) -> Asked:
    """A question in the words of a plan. image, size: of the picture."""
    boxes = (element.box, element.label) if element.label else (element.box,)
    return Asked(
        id=ident,
        image=image,
        size=size,
        control="icon" if element.icon else element.kind,
        instruction=f"click {quoted(element.name)} {PLAN_NOUNS[element.kind]}".strip(),
        boxes=tuple((box.left, box.top, box.right, box.bottom) for box in boxes),
    )


def choose(screen: Screen, rng: Random, most: int) -> list[Element]:
    """Up to `most` controls whose names are unique on their page."""
    found = [screen.elements[number] for number in askable(screen)]
    return rng.sample(found, min(most, len(found)))

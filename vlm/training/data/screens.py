"""Draws screens of all kinds of pages into shards, and writes down what is asked about them.

A screen is known by its number and the seed: the same two give the same screen and the same records. What cannot be
used is counted by its reason in the shard's index: a page that fails to render, a screen that was drawn before,
controls that are covered or not wholly on the screen.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlm.training.data.episodes import Episode, Moment, deeds_on, do, task_of
from vlm.training.data.icons import Icons
from vlm.training.data.kinds import makers
from vlm.training.data.kinds.question import Question, click_on
from vlm.training.data.pages import Page, PageWriter
from vlm.training.data.pages_desktop import desktop_page
from vlm.training.data.pages_document import document_page
from vlm.training.data.pages_figures import figures_page
from vlm.training.data.pages_lists import list_page
from vlm.training.data.pages_phone import phone_page
from vlm.training.data.pages_text import text_page
from vlm.training.data.pages_web import web_page
from vlm.training.data.records import KINDS, Kind, Record
from vlm.training.data.render import Screen, draw, installed_fonts, screen_of
from vlm.training.data.shards import NewShard, new_shard, picture_name, read_shards
from vlm.training.data.sheet import Sheet
from vlm.training.data.words import Words

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

A_SHARD = 500
"""Screens."""
FAILED, AGAIN = "page failed", "drawn before"


def _plain(sheet: Sheet) -> Page:
    return PageWriter(sheet.rng, sheet.words, sheet.fonts).page()


PAGES: dict[str, tuple[Callable[[Sheet], Page], int]] = {
    "web": (_plain, 18),
    "app": (web_page, 15),
    "lists": (list_page, 13),
    "text": (text_page, 12),
    "phone": (phone_page, 17),
    "desktop": (desktop_page, 16),
    "document": (document_page, 5),
    "figures": (figures_page, 4),
}
"""Kind of page -> who writes it, and how often."""
WORKED_ON = 0.08
"""The share of screens that are worked on, as an episode, if they have anything to do."""


@dataclass(slots=True)
class Studio:
    """A browser, with what pages are made of. held_out: which side of the split words, fonts and icons come from."""

    browser: "Browser"
    icons: Icons
    fonts: tuple[str, ...]
    held_out: bool
    _tabs: dict[float, "Tab"] = field(default_factory=dict)

    def tab(self, scale: float) -> "Tab":
        """A tab of that device scale, the same one every time."""
        if scale not in self._tabs:
            self._tabs[scale] = self.browser.new_page(device_scale_factor=scale)
        return self._tabs[scale]

    def sheet(self, rng: random.Random) -> Sheet:
        return Sheet(rng, Words(rng, held_out=self.held_out), self.fonts, self.icons)

    def forget(self) -> None:
        """Close all tabs: one of them may have crashed."""
        for tab in self._tabs.values():
            tab.close()
        self._tabs.clear()


def open_studio(browser: "Browser", icons_in: Path | None = None, *, held_out: bool = False) -> Studio:
    """Raises ConfigError when no icons are installed."""
    return Studio(browser, Icons(held_out=held_out, folder=icons_in), installed_fonts(held_out=held_out), held_out)


def draw_shards(
    studio: Studio, folder: Path, *, screens: int, seed: int, kinds: Sequence[Kind] = KINDS, a_shard: int = A_SHARD
) -> Iterator[int]:
    """Draw what a set of `screens` screens has not yet; yields how many are done. Raises RecordingError."""
    done = {shard.folder.name: shard for shard in read_shards(folder)[0]}
    seen: set[str] = set()
    for first in range(0, screens, a_shard):
        number, end = first // a_shard, min(first + a_shard, screens)
        there = done.get(f"shard-{number:05d}")
        if there is None or there.counts.get("drawn") != end - first:
            with new_shard(folder, number) as shard:
                for screen in range(first, end):
                    _add(studio, shard, screen, seed, kinds, seen)
                    yield screen + 1
            there = next(shard for shard in read_shards(folder)[0] if shard.folder.name == f"shard-{number:05d}")
        seen |= there.pictures()
        yield end


def _add(studio: Studio, shard: NewShard, number: int, seed: int, kinds: Sequence[Kind], seen: set[str]) -> None:
    from playwright.sync_api import Error as PlaywrightError

    shard.drawn += 1
    rng = random.Random(f"{seed}-{number}")
    source = rng.choices(list(PAGES), weights=[often for _, often in PAGES.values()])[0]
    try:
        page = PAGES[source][0](studio.sheet(rng))
        tab = studio.tab(page.device_scale)
        png, labels = draw(tab, page)
        name = picture_name(png)
        if name in seen:
            shard.dropped[AGAIN] += 1
            return
        seen.add(name)
        row = _row(shard, source, png, labels)
        for reason, count in labels["hidden"].items():
            shard.dropped[reason] += count
        screen = screen_of(Path(row["image"]), row)
        questions = list(on_screen(rng, screen, kinds))
        if rng.random() < WORKED_ON:
            questions += _worked_on(studio, shard, tab, page, screen, rng, kinds)
    except PlaywrightError:
        shard.dropped[FAILED] += 1
        studio.forget()
        return
    shard.add_screen(row)
    write_records(shard, questions, (row["image"],), source, f"{number:06d}")


def _row(shard: NewShard, source: str, png: bytes, labels: dict[str, Any]) -> dict[str, Any]:
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")  # PNG's header
    return {"image": shard.add_picture(png), "source": source, **labels, "size": [width, height]}


def on_screen(rng: random.Random, screen: Screen, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Question]]:
    """What is asked about a screen."""
    for kind, maker in makers.STILL.items():
        if kind in kinds:
            yield from ((kind, question) for question in maker(rng, screen))


def on_episode(rng: random.Random, episode: Episode, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Question]]:
    """What is asked about an episode."""
    for kind, maker in makers.MOVING.items():
        if kind in kinds:
            yield from ((kind, question) for question in maker(rng, episode))


def _worked_on(
    studio: Studio, shard: NewShard, tab: "Tab", page: Page, screen: Screen, rng: random.Random, kinds: Sequence[Kind]
) -> list[tuple[Kind, Question]]:
    """Do a few things on the page that is in the tab, and ask about that. The pictures go into the shard."""
    deeds = deeds_on(rng, Words(rng, held_out=studio.held_out), screen)
    if not deeds:
        return []
    image, clock = screen.image.name, 0.0
    moments: list[Moment] = []
    events: list[tuple[float, float, str]] = []
    for deed in deeds:
        began = clock
        for number, plan in enumerate(do(tab, deed, page.device_scale)):
            points = number == 0
            call, box = (click_on(deed.element), deed.element.box) if points else ("", None)
            moments.append(Moment(image, clock, plan, call, box))
            image = shard.add_picture(tab.screenshot(type="png", animations="allow", caret="initial"))
            clock = round(clock + rng.choice((0.5, 1.0, 1.5, 2.0)), 1)
        events.append((began, clock, deed.seen))
    moments.append(Moment(image, clock, "done"))
    return list(on_episode(rng, Episode(task_of(deeds), tuple(moments), tuple(events)), kinds))


def write_records(
    shard: NewShard, questions: Sequence[tuple[Kind, Question]], images: tuple[str, ...], source: str, ident: str
) -> None:
    """Number questions and store them. images: of those that have none of their own; words alone get none."""
    for number, (kind, question) in enumerate(questions):
        shown = any(not isinstance(part, str) for part in question.prompt)
        shard.add_record(
            Record(
                id=f"{kind}-{ident}-{number}",
                kind=kind,
                form=question.form,
                images=(question.images or images) if shown else (),
                prompt=question.prompt,
                answer=question.answer,
                source=source,
                truth=question.truth,
            )
        )

"""Practice pages: pages of the training generator that live, each with a task and what the page is like on the way.

They share nothing with the demo's pages: not the template, not the words, not the seeds. What is right is not written
down but found out: the deeds of the task are performed on the page, and its state is read after each of them.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any

from playwright.sync_api import Page as Tab

from action_space.geometry import Box, Size
from vlm.training.data.pages import Page, PageWriter
from vlm.training.data.render import installed_fonts, read_labels
from vlm.training.data.words import Words
from vlm.training.questions import Deed, task_about

FIRST_SEED = 1000
"""Below it are seeds that are looked at to measure."""
SIZES = ((1280, 720), (1280, 720), (1280, 720), (1024, 768), (1366, 768), (800, 600))
"""What the trainer keeps: up to 1,400 cells."""
MOST_TRIES = 20
_ENDS = ("button", "link")
_ALONE = ("radio", "tab")
"""Kinds of which a task names one: the next one undoes it."""


@dataclass(frozen=True, slots=True)
class Practice:
    """A page and its task. plans: of each deed. states: what the page is like before the first deed and after each."""

    seed: int
    html: str
    size: Size
    task: str
    plans: tuple[tuple[str, ...], ...]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Askable:
    deed: Deed
    box: Box


def draw_practice(tab: Tab, seed: int) -> Practice | None:
    """The page of a seed, worked out in an open tab; None if there is hardly anything to do on it."""
    for number in range(MOST_TRIES):
        rng = Random(f"practice {seed} {number}")
        words = Words(rng, held_out=False)
        page = PageWriter(rng, words, installed_fonts(held_out=False)).page(rng.choice(SIZES))
        asked = _choose(rng, _askable(rng, tab, _shown(tab, page, "", "")))
        if asked:
            return _worked_out(rng, tab, words, page, asked, seed)
    return None


def _worked_out(
    rng: Random, tab: Tab, words: Words, page: Page, asked: Sequence[_Askable], seed: int
) -> Practice | None:
    last = asked[-1].deed
    # A form is gone once it was sent; other pages stay.
    ends = last.name if last.kind == "button" or (last.kind == "link" and rng.random() < 0.5) else ""
    farewell = words.sentence()
    _shown(tab, page, ends, farewell)
    states = [_state(tab)]
    for one in asked:
        box = [one.box.left, one.box.top, one.box.right, one.box.bottom]
        tab.evaluate("([box, value]) => practice.perform(box, value)", [box, one.deed.value])
        states.append(_state(tab))
    if len(set(states)) < len(states):
        return None
    task, plans = task_about(rng, words, [one.deed for one in asked])
    html = _with_script(page.html, ends, farewell)
    return Practice(seed, html, Size(page.width, page.height), task, plans, tuple(states))


def _shown(tab: Tab, page: Page, ends: str, farewell: str) -> list[dict[str, Any]]:
    """Show the page. The rows of its controls."""
    tab.set_viewport_size({"width": page.width, "height": page.height})
    tab.set_content(_with_script(page.html, ends, farewell))
    rows: list[dict[str, Any]] = read_labels(tab)["elements"]
    return rows


def _with_script(html: str, ends: str, farewell: str) -> str:
    script = files("evals.online").joinpath("practice.js").read_text("utf-8").rstrip()
    given = json.dumps([ends, farewell]).replace("<", "\\u003c")[1:-1]
    return html.replace("</body>", f"<script>\n{script}({given});\n</script></body>")


def _state(tab: Tab) -> str:
    return str(tab.evaluate("() => practice.state()"))


def _askable(rng: Random, tab: Tab, rows: Sequence[dict[str, Any]]) -> list[_Askable]:
    """What a task can name on the page that is shown: controls that nothing else is called like, and not done yet."""
    free = tab.evaluate("boxes => practice.free(boxes)", [row["box"] for row in rows])
    names = Counter(str(row["name"]).lower() for row in rows)
    found = []
    for row, offers in zip(rows, free, strict=True):
        name, kind = str(row["name"]), str(row["kind"])
        if offers is None or not 2 <= len(name) <= 48 or names[name.lower()] > 1 or '"' in name:
            continue
        value = _value(rng, kind, [offer for offer in offers if offer.lower() not in names])
        if value or kind not in ("field", "select"):
            found.append(_Askable(Deed(kind, name, value), Box(*row["box"])))
    return found


def _value(rng: Random, kind: str, offers: Sequence[str]) -> str:
    if kind == "select":
        return rng.choice(offers) if offers else ""
    return Words(rng, held_out=False).value() if kind == "field" else ""


def _choose(rng: Random, askable: Sequence[_Askable]) -> list[_Askable]:
    """Up to five deeds in the order of reading; mostly a button or a link is the last of them."""
    rest = [one for one in askable if one.deed.kind not in _ENDS]
    ends = [one for one in askable if one.deed.kind in _ENDS]
    chosen: list[_Askable] = []
    for _ in range(rng.choice((1, 1, 2, 2, 3, 3, 4))):
        kinds = sorted({one.deed.kind for one in rest})
        if not kinds:
            break
        kind = rng.choice(kinds)
        chosen.append(rng.choice([one for one in rest if one.deed.kind == kind]))
        rest = [one for one in rest if one is not chosen[-1] and (kind not in _ALONE or one.deed.kind != kind)]
    chosen.sort(key=lambda one: (one.box.top, one.box.left))
    return [*chosen, rng.choice(ends)] if ends and (not chosen or rng.random() < 0.8) else chosen

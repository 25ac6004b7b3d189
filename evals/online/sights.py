"""One look at a page of somebody's own application: its picture, and the controls on it that can be asked for.

The page says what its controls are called and where they are (`labels.js`). It was not written for that, so what nobody
could point at by its name is left out, and counted by its reason.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import SplitResult, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from action_space.errors import DeviceError
from environments.browser import BrowserEnvironment
from environments.browser_tabs import one_line
from environments.browser_watchdog import time_limit
from vlm.training.data.render import read_labels
from vlm.training.questions import LONGEST_NAME, NOUNS

READ_S = 20.0
"""The longest that reading a page may take: a script that never ends would hold it for ever."""
ROLES = {
    "menuitem": "link",
    "option": "link",
    "treeitem": "link",
    "menuitemcheckbox": "checkbox",
    "menuitemradio": "radio",
    "textbox": "field",
    "searchbox": "field",
    "spinbutton": "field",
    "combobox": "select",
}
"""Roles of ARIA that are kinds of ours under another name."""
SMALLEST, LARGEST, FLATTEST = 8, 0.4, 6
"""Of a control: pixels of its shorter side, share of the picture, grey levels between its darkest and brightest."""
BORDER = 3
"""Pixels."""
_WRITTEN_ON = ("button", "link", "tab")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff\ue000-\uf8ff]")
"""Characters of no width, and those that fonts of icons use."""
UNNAMED, FLAT, OTHERWISE = "a control without a name", "nothing to be seen of it", "called otherwise than written"
SIZE, TWICE = "too small or too large", "inside of another one of its name"


@dataclass(frozen=True, slots=True)
class Sight:
    """A screen. png: its picture; labels: as `labels.js` gives them, elements being those that can be asked for."""

    png: bytes
    url: str
    title: str
    labels: dict[str, Any]

    @property
    def state(self) -> str:
        return state_of(self.url, self.title)


def parts_of(url: str) -> SplitResult:
    """Of an address as a page has it; what is no address has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def state_of(url: str, title: str) -> str:
    """The page that a screen is one of, whatever was typed, ticked or scrolled there."""
    parts = parts_of(url)
    # Behind "#/" many applications keep a path of their own.
    route = parts.fragment.partition("?")[0] if parts.fragment.startswith(("/", "!")) else ""
    return f"{parts.path or '/'}{'#' if route else ''}{route} {title}".strip()


def look(world: BrowserEnvironment, browsers: list[int], left_out: Counter[str]) -> Sight | None:
    """What is shown now; None if it moved while it was looked at. browsers: processes. left_out: counts controls by
    reason. Raises DeviceError for a page that cannot be read, or does not answer."""
    seen, labels = world.observe(), _read(world.page, browsers)
    if not seen.settled:
        before, seen, labels = labels, world.observe(), _read(world.page, browsers)
        if labels["elements"] != before["elements"]:
            return None
    png = BytesIO()
    seen.image.save(png, "PNG", compress_level=3)
    return Sight(png.getvalue(), world.page.url, seen.details["title"], tidied(labels, seen.image, left_out))


def _read(page: Page, browsers: list[int]) -> dict[str, Any]:
    with time_limit(READ_S, lambda: browsers) as is_over:
        try:
            return read_labels(page, live=True)
        except PlaywrightError as error:
            late = f"it did not react for {READ_S:g} s"
            raise DeviceError(f"the page cannot be read: {late if is_over() else one_line(error.message)}") from error


def tidied(labels: dict[str, Any], picture: Image.Image, left_out: Counter[str]) -> dict[str, Any]:
    """Labels whose elements are of known kinds, seen, and called what they show; an icon's are marked as such."""
    grey = np.asarray(picture.convert("L"))
    left_out.update({reason: count for reason, count in labels["hidden"].items() if count})
    letters = Letters(labels["chars"])
    kept = []
    for row in _known(labels["elements"]):
        why = problem(row, grey)
        if not why and row["kind"] in _WRITTEN_ON and "value" not in row:
            written = letters.within(row["box"])
            row = row if written else {**row, "icon": row["name"]}
            why = _not_as_written(row, written, grey)
        if why:
            left_out[why] += 1
        else:
            kept.append(row)
    single = [row for row in kept if not _holds_another(row, kept)]
    left_out[TWICE] += len(kept) - len(single)
    size = {"size": [grey.shape[1], grey.shape[0]]}
    return {**labels, "elements": single, **size}


def _known(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        kind = ROLES.get(row["kind"], row["kind"])
        if kind in NOUNS:
            yield {**row, "kind": kind, "name": _UNSEEN.sub("", row["name"]).strip()}


def problem(row: dict[str, Any], grey: np.ndarray) -> str:
    """Why nobody could point at a control, "" if one can."""
    if sum(char.isalnum() for char in row["name"]) < 2 or len(row["name"]) > LONGEST_NAME:
        return UNNAMED
    left, top, right, bottom = row["box"]
    if min(right - left, bottom - top) < SMALLEST or (right - left) * (bottom - top) > LARGEST * grey.size:
        return SIZE
    return FLAT if _is_flat(grey[top:bottom, left:right]) else ""


def _is_flat(part: np.ndarray) -> bool:
    return not part.size or int(np.ptp(part)) < FLATTEST


def _not_as_written(row: dict[str, Any], written: str, grey: np.ndarray) -> str:
    """What is written on it has to be its name; where nothing is, there has to be a picture inside of its border."""
    if written:
        return "" if plain(row["name"]) in written else OTHERWISE
    left, top, right, bottom = row["box"]
    return FLAT if _is_flat(grey[top + BORDER : bottom - BORDER, left + BORDER : right - BORDER]) else ""


def plain(text: str) -> str:
    """A text as it can be compared with letters on the screen."""
    return "".join(text.split()).lower()


class Letters:
    """The characters of a screen in the order of its page. flat: x, y and code of each, as `labels.js` gives them."""

    def __init__(self, flat: list[int]) -> None:
        self._places = np.array(flat, dtype=np.int64).reshape(-1, 3)

    def within(self, box: list[int]) -> str:
        """What is written in a box, without spaces, in small letters."""
        x, y, codes = self._places.T
        inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3]) & (codes > 0)
        return plain("".join(map(chr, codes[inside])))


def _holds_another(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether another one of its name lies inside: a list's entry around its link. A click on the inner one does it."""
    return any(_inside(other["box"], row["box"]) for other in rows if _alike(other, row))


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one is not other and one["name"].lower() == other["name"].lower()


def _inside(inner: list[int], outer: list[int]) -> bool:
    within = inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
    return within and inner != outer

"""Draws pages with a real Chromium and stores screens with their labels.

A folder of screens holds `screens.jsonl` (a line a screen) and the PNG files that it names, or shards of such folders
(`shards.py`). Reading a folder that was cut off in the middle of a write skips what is not whole.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError, run
from typing import TYPE_CHECKING, Any

from action_space.errors import ConfigError
from action_space.geometry import Box, Size
from vlm.training.data.pages import Page, PageWriter
from vlm.training.data.shards import SCREENS, read_shards
from vlm.training.data.words import Words, is_held_out

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

_LABELS = (Path(__file__).parent / "labels.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Element:
    """A control on a screen: its kind (button, link, field, select, checkbox, radio, switch, tab), name and box.

    label: of a checkbox or radio button, where a click on its words ticks it. checked: whether it is ticked or on.
    value: what a field holds or a select shows; options: what it can show; None where that is not known. icon: name of
    the icon that is all it shows.
    """

    kind: str
    name: str
    box: Box
    label: Box | None = None
    checked: bool | None = None
    value: str | None = None
    options: tuple[str, ...] = ()
    icon: str | None = None

    def hit_by(self, x: int, y: int) -> bool:
        """Whether a click at (x, y) reaches it, edges inside."""
        return any(_is_on(box, x, y) for box in (self.box, self.label) if box)


@dataclass(frozen=True, slots=True)
class Written:
    """Text and where it stands. block: in a document, what it is (`h1`, `p`, `table` ...); then the text is HTML."""

    text: str
    box: Box
    block: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a place looks like: all that one may call it, in small letters, though others may be called so too."""

    names: tuple[str, ...]
    box: Box

    def hit_by(self, x: int, y: int) -> bool:
        """Whether (x, y) is on it, edges inside."""
        return _is_on(self.box, x, y)


def _is_on(box: Box, x: int, y: int) -> bool:
    return box.left <= x <= box.right and box.top <= y <= box.bottom


@dataclass(frozen=True, slots=True)
class Screen:
    """A drawn page. chars: (x, y, character) of every visible character's centre, in screenshot pixels.

    source: kind of page. lines: of text. blocks: of a document. hidden: how many controls were left out, as they are
    covered or not wholly on the screen.
    """

    image: Path
    elements: tuple[Element, ...]
    chars: tuple[tuple[int, int, str], ...]
    source: str = "web"
    size: Size | None = None
    lines: tuple[Written, ...] = ()
    blocks: tuple[Written, ...] = ()
    hidden: int = 0
    figures: tuple[Figure, ...] = ()

    @property
    def said(self) -> str:
        """All names and lines, in small letters: what is not in it can be nowhere on the screen."""
        return "\n".join([*(e.name for e in self.elements), *(line.text for line in self.lines)]).lower()


@dataclass(frozen=True, slots=True)
class Drawn:
    """Folders of drawn pages. specimens: full of text. icons: full of icons."""

    screens: Path
    specimens: Path
    icons: Path


def installed_fonts(*, held_out: bool) -> tuple[str, ...]:
    """Families with Latin letters that fontconfig knows, of one side of the split. Raises ConfigError without any."""
    command = ["fc-list", ":lang=en", "family", "fontformat"]
    try:
        lines = run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, CalledProcessError) as error:
        raise ConfigError("fc-list cannot tell which fonts there are: install fontconfig") from error
    forms = [(re.split(",|:", line)[0].strip(), line.endswith("=Type 1")) for line in lines]
    # Chromium draws no Type 1: of a family that is there in another form too it takes the one or the other, by chance.
    families = {name for name, _ in forms} - {name for name, is_type_1 in forms if is_type_1}
    plain = {
        name for name in families if name and not name.startswith("Noto ") and "'" not in name and "Emoji" not in name
    }
    plain |= families & {"Noto Sans", "Noto Serif", "Noto Sans Mono", "Noto Sans Display"}
    symbols = (
        "BRK",
        "Symbol",
        "Dingbats",
        "D050000L",
        "Standard Symbols",
        "Icons",
        "Math",
        "esint",
        "Keyboard",
        "Initials",
        "Outline",
    )
    fonts = [name for name in plain if is_held_out(name) == held_out and not any(word in name for word in symbols)]
    if not fonts:
        side = "held-out" if held_out else "training"
        raise ConfigError(f"no font of the {side} share is installed: install more of them (Debian: fonts-dejavu)")
    return tuple(sorted(fonts))


def draw(tab: "Tab", page: Page) -> tuple[bytes, dict[str, Any]]:
    """PNG bytes and raw labels of a page, in an open tab whose device scale is the page's."""
    tab.set_viewport_size({"width": page.width, "height": page.height})
    tab.set_content(page.html, wait_until="commit")
    labels = read_labels(tab, page.device_scale)
    return tab.screenshot(type="png", animations="allow", caret="initial"), labels


def read_labels(tab: "Tab", scale: float = 1.0, *, live: bool = False) -> dict[str, Any]:
    """Raw labels of the page that is in a tab, in pixels of its screenshot. live: the page is none of ours."""
    labels: dict[str, Any] = tab.evaluate(_LABELS, {"scale": scale, "live": live})
    return labels


def writers(*, held_out: bool) -> Callable[[random.Random], PageWriter]:
    """What writes the pages of one side of the split, for each page anew."""
    fonts = installed_fonts(held_out=held_out)
    return lambda rng: PageWriter(rng, Words(rng, held_out=held_out), fonts)


def render_screens(
    tab: "Tab", folder: Path, page_of: Callable[[random.Random], Page], *, count: int, seed: int
) -> Iterator[int]:
    """Draw `count` screens into `folder`, going on where an earlier call stopped; yields each number done."""
    folder.mkdir(parents=True, exist_ok=True)
    done = sum(1 for _ in read_screens(folder))
    with (folder / "screens.jsonl").open("a", encoding="utf-8") as index:
        for number in range(done, count):
            png, labels = draw(tab, page_of(random.Random(f"{seed}-{number}")))
            (folder / f"{number:06d}.png").write_bytes(png)
            index.write(json.dumps({"image": f"{number:06d}.png", **labels}, separators=(",", ":")) + "\n")
            index.flush()
            yield number + 1


def read_screens(folder: Path) -> Iterator[Screen]:
    """The whole screens of a folder and of its whole shards, in order."""
    for part in (folder, *(shard.folder for shard in read_shards(folder)[0])):
        index = part / SCREENS
        for line in index.read_text(encoding="utf-8").splitlines() if index.is_file() else ():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line that was being written when the process was killed
            yield screen_of(part / row["image"], row)


def screen_of(image: Path, row: dict[str, Any]) -> Screen:
    """From what `labels.js` says."""
    flat = row["chars"]
    return Screen(
        image,
        tuple(element_of(e) for e in row["elements"]),
        tuple((flat[i], flat[i + 1], chr(flat[i + 2])) for i in range(0, len(flat), 3)),
        row.get("source", "web"),
        Size(*row["size"]) if "size" in row else None,
        tuple(Written(line["text"], Box(*line["box"])) for line in row.get("lines", ()) if line["text"]),
        tuple(Written(b["text"], Box(*b["box"]), b["block"]) for b in row.get("blocks", ())),
        sum(row.get("hidden", {}).values()),
        tuple(Figure(tuple(f["names"]), Box(*f["box"])) for f in row.get("figures", ())),
    )


def element_of(row: dict[str, Any]) -> Element:
    """From a row of `labels.js`."""
    label = row.get("label")
    return Element(
        row["kind"],
        row["name"],
        Box(*row["box"]),
        Box(*label) if label else None,
        row.get("checked"),
        row.get("value"),
        tuple(row.get("options", ())),
        row.get("icon"),
    )

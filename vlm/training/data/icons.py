"""Icons with names, from icon sets that are installed: the one of the extra `training` (Font Awesome, a wheel from PyPI),
GNOME's own, and those that npm put into a folder (`npm install @mdi/svg bootstrap-icons`).

An icon's name is its file's name in words ("arrow-up.svg" is "arrow up"), or what people call it on a button: MEANINGS.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from action_space.errors import ConfigError
from vlm.training.data.words import is_held_out

_IN_NODE_MODULES = {"@mdi/svg": "svg", "bootstrap-icons": "icons", "lucide-static": "icons"}
_GNOME = Path("/usr/share/icons/Adwaita")

MEANINGS = {
    "Search": "magnifying-glass magnify search edit-find system-search",
    "Settings": "gear cog settings emblem-system",
    "Menu": "bars menu list open-menu",
    "More options": "ellipsis-vertical dots-vertical three-dots-vertical view-more",
    "Back": "arrow-left go-previous chevron-left",
    "Forward": "arrow-right go-next chevron-right",
    "Home": "house home house-door go-home user-home",
    "Close": "xmark close x-lg window-close",
    "Delete": "trash trash-can delete edit-delete user-trash",
    "Edit": "pen pencil pen-to-square document-edit",
    "Save": "floppy-disk content-save floppy document-save",
    "Print": "print printer document-print",
    "Share": "share-nodes share-variant share emblem-shared",
    "Add": "plus plus-lg list-add",
    "Favorite": "heart",
    "Star": "star starred",
    "Notifications": "bell preferences-system-notifications",
    "Profile": "user account person avatar-default",
    "Cart": "cart-shopping cart",
    "Download": "download folder-download",
    "Upload": "upload",
    "Refresh": "arrows-rotate refresh arrow-clockwise view-refresh",
    "Undo": "rotate-left undo arrow-counterclockwise edit-undo",
    "Redo": "rotate-right redo edit-redo",
    "Copy": "copy content-copy edit-copy",
    "Cut": "scissors content-cut edit-cut",
    "Paste": "paste content-paste clipboard edit-paste",
    "New file": "file file-plus document-new",
    "Open folder": "folder-open folder-open2 document-open",
    "Camera": "camera camera-photo",
    "Call": "phone telephone call-start",
    "Mail": "envelope email mail-unread",
    "Calendar": "calendar x-office-calendar",
    "Clock": "clock alarm",
    "Location": "location-dot map-marker geo-alt mark-location",
    "Lock": "lock changes-prevent",
    "Play": "play play-fill media-playback-start",
    "Pause": "pause pause-fill media-playback-pause",
    "Next track": "forward-step skip-next skip-forward media-skip-forward",
    "Previous track": "backward-step skip-previous skip-backward media-skip-backward",
    "Volume": "volume-high volume-up audio-volume-high",
    "Microphone": "microphone mic audio-input-microphone",
    "Filter": "filter funnel",
    "Help": "circle-question help-circle question-circle help-browser",
    "Information": "circle-info information info-circle dialog-information",
    "Zoom in": "magnifying-glass-plus magnify-plus zoom-in",
    "Zoom out": "magnifying-glass-minus magnify-minus zoom-out",
    "Bold": "bold format-bold type-bold format-text-bold",
    "Italic": "italic format-italic type-italic format-text-italic",
    "Underline": "underline format-underline type-underline format-text-underline",
    "Align left": "align-left format-align-left text-left format-justify-left",
    "Align center": "align-center format-align-center text-center format-justify-center",
    "Attach": "paperclip attachment mail-attachment",
    "Image": "image image-x-generic insert-image",
    "Send": "paper-plane send",
    "Bookmark": "bookmark user-bookmarks",
    "Full screen": "expand fullscreen view-fullscreen",
    "Show": "eye view-reveal",
    "Hide": "eye-slash eye-off view-conceal",
    "Grid view": "table-cells-large view-grid grid",
    "List view": "list-ul view-list",
}
"""What people call an icon on a button, and the names of its files in the sets."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A picture (inline SVG in the colour of the text) and the name by which one asks for it."""

    name: str
    svg: str


class Icons:
    """The icons of one side of the split: held-out names are those whose hash says so.

    folder: where npm put icon sets (it holds `node_modules`), if any. Raises ConfigError when there is no set at all.
    """

    def __init__(self, *, held_out: bool, folder: Path | None = None) -> None:
        self._files: defaultdict[str, list[Path]] = defaultdict(list)
        for path in _files(folder):
            self._files[_stem(path)].append(path)
        if not self._files:
            raise ConfigError('no icons are installed: pip install "clickwright[training]"')
        self._names = tuple(sorted(name for name in self._files if is_held_out(name) == held_out))
        known = {name: [stem for stem in stems.split() if stem in self._files] for name, stems in MEANINGS.items()}
        self._meant = {name: tuple(stems) for name, stems in known.items() if stems and is_held_out(name) == held_out}

    def draw(self, rng: random.Random, common: float = 0.75) -> Icon:
        """One that people know from buttons, with the chance `common`; else any."""
        if self._meant and rng.random() < common:
            name = rng.choice(sorted(self._meant))
            return Icon(name, self._svg(rng, rng.choice(self._meant[name])))
        stem = rng.choice(self._names)
        return Icon(words_of(stem), self._svg(rng, stem))

    def meant(self, rng: random.Random, name: str) -> Icon | None:
        """The one that is called so, None if there is none on this side of the split."""
        stems = self._meant.get(name)
        return Icon(name, self._svg(rng, rng.choice(stems))) if stems else None

    def several(self, rng: random.Random, count: int, common: float = 0.75) -> list[Icon]:
        """`count` icons of different names, or fewer if luck has it."""
        return list({icon.name: icon for icon in (self.draw(rng, common) for _ in range(count))}.values())

    def _svg(self, rng: random.Random, stem: str) -> str:
        return _inline(rng.choice(self._files[stem]))


def words_of(stem: str) -> str:
    """ "arrow-up" -> "Arrow up"."""
    text = " ".join(stem.replace("_", "-").split("-"))
    return text[:1].upper() + text[1:]


def _files(folder: Path | None) -> Iterator[Path]:
    """Every icon's file, in an order that does not depend on the disk."""
    places = []
    if found := find_spec("fontawesomefree"):
        base = Path(next(iter(found.submodule_search_locations or ()))) / "static" / "fontawesomefree" / "svgs"
        places += [base / "solid", base / "regular"]
    if folder:
        places += [folder / "node_modules" / package / inner for package, inner in _IN_NODE_MODULES.items()]
    for place in places:
        yield from sorted(place.glob("*.svg"))
    yield from sorted(_GNOME.rglob("actions/*-symbolic.svg"))


def _stem(path: Path) -> str:
    """Its name, without what tells only how it is drawn."""
    return re.sub(r"-(symbolic|outline|fill|solid|rtl)\b", "", path.stem)


@lru_cache(maxsize=4096)
def _inline(path: Path) -> str:
    """An `<svg>` element that takes size and colour from its surroundings."""
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(
        r"<\?xml.*?\?>|<!--.*?-->|<!doctype[^>]*>|<(title|metadata)\b.*?</\1>|\sid=\"[^\"]*\"", "", text, flags=re.S
    )
    text = re.sub(
        r"(fill|stroke)(=\"|:)#(?:2e3436|2e3434|222222|000000|000|474747|bebebe)\b", r"\1\2currentColor", text
    )
    head, _, rest = text[text.find("<svg") :].partition(">")
    head = re.sub(r"\s(width|height|class|style)=\"[^\"]*\"", "", head)
    box = "" if "viewBox" in head else ' viewBox="0 0 16 16"'
    fill = "" if re.search(r"\sfill=", head) else " fill=currentColor"
    return f"{head} class=ic{box}{fill}>{rest.strip()}"

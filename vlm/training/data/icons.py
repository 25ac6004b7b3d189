"""Icons with names, from icon sets that are installed.

Those to train on: the one of the extra `training` (Font Awesome, from PyPI), GNOME's, and those that npm put into a
folder (`_IN_NODE_MODULES`, and those of `vlm.training.data.iconify`). Held out are whole sets, drawn by other
hands: Lucide and Heroicons, both of that extra. Names are not held out: what is called "Search" has to be learned. An
icon's name is its file's name in words ("arrow-up.svg" is "Arrow up"), or what people call it on a button: MEANINGS.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from zipfile import Path as ZipPath
from zipfile import ZipFile

from action_space.errors import ConfigError
from vlm.training.data.iconify import iconify_icons

_IN_NODE_MODULES = (
    "@mdi/svg/svg",
    "bootstrap-icons/icons",
    "@tabler/icons/icons/outline",
    "@tabler/icons/icons/filled",
    "@phosphor-icons/core/assets/regular",
    "@phosphor-icons/core/assets/bold",
    "@phosphor-icons/core/assets/fill",
    "ionicons/dist/svg",
    "remixicon/icons/*",
)
_HELD_OUT = {"lucide": "lucide.zip", "heroicons": "heroicons.zip"}
"""Package -> archive in it."""
_GNOME = Path("/usr/share/icons/Adwaita")
_Drawing = Path | ZipPath | str
"""A file, or the drawing itself."""

MEANINGS = {
    "Search": "magnifying-glass magnify search edit-find system-search",
    "Settings": "gear cog settings emblem-system gear-six cog-6-tooth cog-8-tooth",
    "Menu": "bars menu list open-menu menu-2 bars-3",
    "More options": "ellipsis-vertical dots-vertical three-dots-vertical view-more dots-three-vertical more-2",
    "Back": "arrow-left go-previous chevron-left caret-left arrow-back chevron-back arrow-left-s",
    "Forward": "arrow-right go-next chevron-right caret-right arrow-forward chevron-forward arrow-right-s",
    "Home": "house home house-door go-home user-home home-2",
    "Close": "xmark close x x-lg window-close x-mark",
    "Delete": "trash trash-can delete edit-delete user-trash trash-2 trash-simple delete-bin",
    "Edit": "pen pencil pen-to-square pencil-square document-edit edit create pencil-simple square-pen",
    "Save": "floppy-disk content-save floppy document-save device-floppy save",
    "Print": "print printer document-print",
    "Share": "share-nodes share-variant share emblem-shared share-network share-2 share-social",
    "Add": "plus plus-lg list-add add",
    "Favorite": "heart",
    "Star": "star starred",
    "Notifications": "bell preferences-system-notifications notifications notification",
    "Profile": "user account person avatar-default",
    "Cart": "cart-shopping cart shopping-cart",
    "Download": "download folder-download download-simple arrow-down-tray",
    "Upload": "upload upload-simple arrow-up-tray",
    "Refresh": "arrows-rotate refresh arrow-clockwise view-refresh arrows-clockwise refresh-cw arrow-path",
    "Undo": "rotate-left undo arrow-counterclockwise edit-undo arrow-back-up arrow-u-up-left undo-2 arrow-uturn-left",
    "Redo": "rotate-right redo edit-redo arrow-forward-up arrow-u-up-right redo-2 arrow-uturn-right",
    "Copy": "copy content-copy edit-copy files document-duplicate file-copy",
    "Cut": "scissors content-cut edit-cut cut",
    "Paste": "paste content-paste clipboard edit-paste clipboard-text",
    "New file": "file-plus document-new file-circle-plus file-earmark-plus file-add document-plus",
    "Open folder": "folder-open folder-open2 document-open",
    "Camera": "camera camera-photo",
    "Call": "phone telephone call-start call",
    "Mail": "envelope email mail-unread mail",
    "Calendar": "calendar x-office-calendar calendar-blank",
    "Clock": "clock time",
    "Location": "location-dot map-marker geo-alt mark-location map-pin location",
    "Lock": "lock changes-prevent lock-closed",
    "Play": "play play-fill media-playback-start player-play",
    "Pause": "pause pause-fill media-playback-pause player-pause",
    "Next track": "forward-step skip-next skip-forward media-skip-forward player-skip-forward play-skip-forward",
    "Previous track": "backward-step skip-previous skip-backward media-skip-backward player-skip-back skip-back "
    "play-skip-back",
    "Volume": "volume-high volume-up audio-volume-high volume speaker-high speaker-wave volume-2",
    "Microphone": "microphone mic audio-input-microphone",
    "Filter": "filter funnel",
    "Help": "circle-question help-circle question-circle help-browser help question question-mark-circle circle-help "
    "circle-question-mark",
    "Information": "circle-info information info-circle dialog-information info information-circle",
    "Zoom in": "magnifying-glass-plus magnify-plus zoom-in",
    "Zoom out": "magnifying-glass-minus magnify-minus zoom-out",
    "Bold": "bold format-bold type-bold format-text-bold text-b",
    "Italic": "italic format-italic type-italic format-text-italic text-italic",
    "Underline": "underline format-underline type-underline format-text-underline text-underline",
    "Align left": "align-left format-align-left text-left format-justify-left text-align-left text-align-start "
    "bars-3-bottom-left",
    "Align center": "align-center format-align-center text-center format-justify-center text-align-center",
    "Attach": "paperclip attachment mail-attachment paper-clip attach attachment-2",
    "Image": "image image-x-generic insert-image photo picture-in",
    "Send": "paper-plane send paper-plane-right paper-plane-tilt paper-airplane send-plane",
    "Bookmark": "bookmark user-bookmarks bookmark-simple",
    "Full screen": "expand fullscreen view-fullscreen maximize arrows-out arrows-pointing-out",
    "Show": "eye view-reveal",
    "Hide": "eye-slash eye-off view-conceal",
    "Grid view": "table-cells-large view-grid grid squares-four layout-grid squares-2x2 grid-fill",
    "List view": "list-ul view-list list-bullets list-bullet",
}
"""What people call an icon on a button, and the names of its files in the sets."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A picture (inline SVG in the colour of the text) and the name by which one asks for it."""

    name: str
    svg: str


class Icons:
    """The icons of one side of the split.

    folder: where npm put icon sets (it holds `node_modules`), if any. Raises ConfigError when there is no set at all.
    """

    def __init__(self, *, held_out: bool, folder: Path | None = None) -> None:
        self._files: defaultdict[str, list[_Drawing]] = defaultdict(list)
        for path in _held_out() if held_out else _files(folder):
            self._files[_stem(path.stem)].append(path)
        for stem, svg in iconify_icons(folder) if folder and not held_out else ():
            self._files[stem].append(svg)
        if not self._files:
            raise ConfigError('no icons are installed: pip install "clickwright[training]"')
        self._names = tuple(sorted(self._files))
        known = {name: tuple(stem for stem in stems.split() if stem in self._files) for name, stems in MEANINGS.items()}
        self._meant = {name: stems for name, stems in known.items() if stems}

    def draw(self, rng: random.Random, common: float = 0.75) -> Icon:
        """One that people know from buttons, with the chance `common`; else any."""
        if self._meant and rng.random() < common:
            name = rng.choice(sorted(self._meant))
            return Icon(name, self._svg(rng, rng.choice(self._meant[name])))
        stem = rng.choice(self._names)
        return Icon(words_of(stem), self._svg(rng, stem))

    def meant(self, rng: random.Random, name: str) -> Icon | None:
        """The one that is called so, None if no set has it."""
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
    """Every icon's file to train on, in an order that does not depend on the disk."""
    places = []
    if base := _package("fontawesomefree"):
        svgs = base / "static" / "fontawesomefree" / "svgs"
        places += [svgs / "solid", svgs / "regular"]
    if folder:
        places += [place for inner in _IN_NODE_MODULES for place in sorted((folder / "node_modules").glob(inner))]
    for place in places:
        yield from sorted(place.glob("*.svg"))
    yield from sorted(_GNOME.rglob("actions/*-symbolic.svg"))


def _held_out() -> Iterator[ZipPath]:
    for package, archive in _HELD_OUT.items():
        if base := _package(package):
            file = ZipFile(base / archive)  # open for as long as an icon of it is: a path of its own would each be slow
            names = sorted(name for name in file.namelist() if name.endswith(".svg"))
            yield from (ZipPath(file, name) for name in names)


def _package(name: str) -> Path | None:
    found = find_spec(name)
    return Path(next(iter(found.submodule_search_locations or ()))) if found else None


def _stem(stem: str) -> str:
    """A file's name, without what tells only how it is drawn."""
    return re.sub(r"-(symbolic|outline|fill|filled|solid|sharp|bold|line|rtl)\b", "", stem)


@lru_cache(maxsize=4096)
def _inline(drawing: _Drawing) -> str:
    """An `<svg>` element that takes size and colour from its surroundings."""
    if isinstance(drawing, str):
        return drawing
    text = drawing.read_text(encoding="utf-8", errors="replace")
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

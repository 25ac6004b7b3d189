"""Which tasks there are, which of them are never trained on, and which seeds are for evaluation only."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from action_space.errors import ConfigError

HELD_OUT = (
    "click-test-2",
    "click-dialog-2",
    "click-tab-2-easy",
    "click-tab-2-medium",
    "focus-text-2",
    "enter-text-2",
    "login-user-popup",
    "click-checkboxes-transfer",
    "email-inbox-noscroll",
    "form-sequence-2",
    "social-media-some",
    "click-menu-2",
    "read-table-2",
    "use-autocomplete-nodelay",
    "multi-layouts",
    "search-engine",
    "click-option",
    "navigate-tree",
)
"""Tasks on no page of which a model of ours is trained."""

PIX2ACT = (
    "bisect-angle",
    "choose-date-nodelay",
    "circle-center",
    "click-button",
    "click-button-sequence",
    "click-checkboxes",
    "click-checkboxes-large",
    "click-checkboxes-soft",
    "click-checkboxes-transfer",
    "click-collapsible-2-nodelay",
    "click-collapsible-nodelay",
    "click-color",
    "click-dialog",
    "click-dialog-2",
    "click-link",
    "click-option",
    "click-pie-nodelay",
    "click-shades",
    "click-shape",
    "click-tab",
    "click-tab-2",
    "click-tab-2-easy",
    "click-tab-2-hard",
    "click-tab-2-medium",
    "click-test",
    "click-test-2",
    "click-test-transfer",
    "click-widget",
    "count-shape",
    "count-sides",
    "drag-box",
    "drag-item",
    "drag-items",
    "drag-items-grid",
    "drag-shapes",
    "drag-sort-numbers",
    "email-inbox-delete",
    "email-inbox-important",
    "enter-date",
    "enter-text-2",
    "enter-time",
    "find-midpoint",
    "grid-coordinate",
    "identify-shape",
    "navigate-tree",
    "number-checkboxes",
    "resize-textarea",
    "right-angle",
    "simple-algebra",
    "simple-arithmetic",
    "text-transform",
    "tic-tac-toe",
    "unicode-test",
    "use-autocomplete-nodelay",
    "use-colorwheel",
    "use-colorwheel-2",
    "use-slider",
    "use-slider-2",
    "visual-addition",
)
"""The 59 tasks that Pix2Act is measured on, by pixels as here (its list: pix2act/tasks/miniwob/eval/tasks.txt of
google-deepmind/pix2act). Nine of them are held out here; the wheel has no page of `drag-item`."""

FIRST_EVALUATION_SEED = 1_000_000
"""Of every task, the pages of this seed and all above it are for evaluation only."""

SCALE = 2.0
"""Screenshot pixels for each CSS pixel: the pages' text of 10 pixels becomes as large as that of ordinary pages."""
MAX_STEPS = 30
"""Of an episode."""


def pages_folder() -> Path:
    """Where the pages of the `miniwob` package lie; its code, which needs selenium, is not run. Raises ConfigError."""
    found = find_spec("miniwob")
    for place in (found.submodule_search_locations or ()) if found else ():
        folder = Path(place) / "html" / "miniwob"
        if folder.is_dir():
            return folder
    raise ConfigError("the pages of MiniWoB++ are missing: pip install --no-deps miniwob")


def all_tasks() -> tuple[str, ...]:
    """Every task whose page opens as a file, in the order of the alphabet. Raises ConfigError."""
    return tuple(sorted(page.stem for page in pages_folder().glob("*.html")))


def train_tasks() -> tuple[str, ...]:
    """All that are not held out. Raises ConfigError."""
    return tuple(task for task in all_tasks() if task not in HELD_OUT)


GROUPS: dict[str, Callable[[], tuple[str, ...]]] = {
    "train": train_tasks,
    "heldout": lambda: HELD_OUT,
    "pix2act": lambda: tuple(task for task in PIX2ACT if task in all_tasks()),
    "all": all_tasks,
}
"""Name -> the tasks that it stands for."""


def address_of(task: str, seed: int) -> str:
    """How a run says which page it was on; no model sees it."""
    return f"miniwob:{task}#{seed}"


def is_for_evaluation(address: str | None) -> bool:
    """Whether nothing that was done on this page may be learned from: a held-out task, or an evaluation seed."""
    task, _, seed = (address or "").removeprefix("miniwob:").partition("#")
    is_page = (address or "").startswith("miniwob:") and seed.isdecimal()
    return is_page and (task in HELD_OUT or int(seed) >= FIRST_EVALUATION_SEED)


def choose_tasks(text: str) -> tuple[str, ...]:
    """The tasks that a group or `NAME,NAME` stands for. Raises ConfigError naming a wrong one."""
    if text in GROUPS:
        return GROUPS[text]()
    groups = ", ".join(GROUPS)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    known = all_tasks()
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no task {name!r}: choose {groups}, or of {', '.join(known)}")
    if not names:
        raise ConfigError(f"--tasks {text!r} names no task: choose {groups}, or names with commas")
    return names

"""Which tasks there are, which of them are never trained on, and which seeds are for evaluation only."""

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


def choose_tasks(text: str) -> tuple[str, ...]:
    """The tasks that `train`, `heldout`, `all` or `NAME,NAME` stands for. Raises ConfigError naming a wrong one."""
    match text:
        case "all":
            return all_tasks()
        case "train":
            return train_tasks()
        case "heldout":
            return HELD_OUT
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    known = all_tasks()
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no task {name!r}: choose train, heldout, all, or of {', '.join(known)}")
    if not names:
        raise ConfigError(f"--tasks {text!r} names no task: choose train, heldout, all, or names with commas")
    return names

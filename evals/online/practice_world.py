"""A practice page as an environment: the ordinary browser, and what its page was like at every look."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from PIL import Image
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Action
from action_space.errors import DeviceError, UnsupportedAction
from environments.base import Observation
from environments.browser import BrowserEnvironment
from environments.browser_tabs import one_line
from evals.online.practice import Practice
from vlm.training.data.render import read_labels

_T = TypeVar("_T")
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page was like when a screenshot was taken. elements, chars: as `labels.js` gives them, and the entries
    of an open list, which count as radio buttons."""

    state: str
    elements: tuple[dict[str, Any], ...]
    chars: tuple[int, ...]


class PracticeWorld:
    """Implements `Environment`. file: where the page's HTML is put. looks: by the pixels of the screenshot."""

    name = "browser"
    actions = BrowserEnvironment.actions - {"open"}

    def __init__(self, practice: Practice, file: Path, browser: Browser) -> None:
        file.write_text(practice.html, encoding="utf-8")
        self.looks: dict[bytes, Shown] = {}
        self._browser = BrowserEnvironment(
            file.resolve().as_uri(), viewport=practice.size, settle_s=_SETTLE_S, browser=browser
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def observe(self) -> Observation:
        seen = self._browser.observe()
        page = self._browser.page
        labels = _told(lambda: read_labels(page))
        options = _told(lambda: page.evaluate("() => practice.options()"))
        self.looks[pixels_of(seen.image)] = Shown(self.state(), (*labels["elements"], *options), tuple(labels["chars"]))
        return replace(seen, context=())

    def state(self) -> str:
        """What is set and pressed on the page now. Raises DeviceError."""
        return _told(lambda: str(self._browser.page.evaluate("() => practice.state()")))

    def execute(self, action: Action) -> None:
        if action.kind not in self.actions:
            raise UnsupportedAction(
                f"{action.kind!r} is not possible here: use one of {', '.join(sorted(self.actions))}"
            )
        self._browser.execute(action)

    def release(self) -> None:
        self._browser.release()

    def close(self) -> None:
        self._browser.close()


def pixels_of(image: Image.Image) -> bytes:
    """What tells a picture from others."""
    return image.convert("RGB").tobytes()


def _told(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except PlaywrightError as error:
        raise DeviceError(f"the page cannot be read: {one_line(error.message)}") from error

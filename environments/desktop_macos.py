"""A Mac's desktop. Not run where this project is tested: the tests check it against fakes of the libraries."""

import subprocess
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import mss

from action_space.errors import InvalidAction
from action_space.geometry import Box
from environments.desktop_keys import NAMES, PyautoguiKeyboard, utf16_units
from environments.desktop_mouse import PyautoguiMouse, import_pyautogui
from environments.desktop_system import Window

_LINES_A_NOTCH = 3
_MOST_UNITS = 20
"""Of UTF-16 that one event may carry."""
_NAMES = NAMES | {"meta": "command", "alt": "option"}


class MacSystem:
    """Implements `System`. Points are logical: half a Retina screen's pixels, which the frame's scale says."""

    display = ""
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, driver: Any = None, quartz: Any = None) -> None:  # noqa: ANN401 - libraries without types
        self._driver = driver or import_pyautogui()
        self._quartz = quartz or import_module("Quartz")
        self.mouse = PyautoguiMouse(self._driver, _LINES_A_NOTCH)
        self.keyboard = PyautoguiKeyboard(self._driver, self._insert, _NAMES)

    def screens(self) -> Any:  # noqa: ANN401 - a context that gives mss's object
        return mss.MSS()

    def active_window(self) -> Window | None:
        quartz = self._quartz
        shown = quartz.kCGWindowListOptionOnScreenOnly | quartz.kCGWindowListExcludeDesktopElements
        # From front to back; menus and the dock are on layers of their own.
        for window in quartz.CGWindowListCopyWindowInfo(shown, quartz.kCGNullWindowID) or ():
            if window.get("kCGWindowLayer") == 0:
                return _window(window)
        return None

    def is_in_use(self) -> bool:
        """Not known here; the pointer alone tells of a person."""
        return False

    def open_app(self, name: str) -> str | None:
        result = subprocess.run(["open", "-a", name], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise InvalidAction(f"no application is called {name[:80]!r} here")
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _insert(self, text: str) -> None:
        quartz = self._quartz
        for piece in pieces(text, _MOST_UNITS):
            for is_down in (True, False):
                event = quartz.CGEventCreateKeyboardEvent(None, 0, is_down)
                quartz.CGEventKeyboardSetUnicodeString(event, len(utf16_units(piece)), piece)
                quartz.CGEventPost(quartz.kCGHIDEventTap, event)


def pieces(text: str, most_units: int) -> Iterator[str]:
    """A text in pieces of so many UTF-16 units at most, no character cut in two."""
    piece, units = "", 0
    for character in text:
        size = len(utf16_units(character))
        if units + size > most_units:
            yield piece
            piece, units = "", 0
        piece, units = piece + character, units + size
    if piece:
        yield piece


def _window(window: Any) -> Window:  # noqa: ANN401 - a dictionary of Quartz
    bounds = window["kCGWindowBounds"]
    left, top = int(bounds["X"]), int(bounds["Y"])
    box = Box(left, top, left + int(bounds["Width"]), top + int(bounds["Height"]))
    # The title is only told to programs that may record the screen.
    return Window(window.get("kCGWindowName") or "", window.get("kCGWindowOwnerName") or "", box)

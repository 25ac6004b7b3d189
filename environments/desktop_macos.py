"""A Mac's desktop. Not run where this project is tested: the tests check it against fakes of the libraries."""

import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import mss
import mss.darwin

from action_space.actions import Button
from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box
from environments.desktop_keys import NAMES, no_such_key, utf16_units
from environments.desktop_mouse import PyautoguiMouse, import_pyautogui
from environments.desktop_system import Window

_LINES_A_NOTCH = 3
_MOST_UNITS = 20
"""Of UTF-16 that one event may carry."""
_AT_ONCE = 40
_BETWEEN_S = 0.01
"""For programs to take in one event before the next."""
_NAMES = NAMES | {"meta": "command", "alt": "option"}
_FLAGS = {"shift": 0x020000, "ctrl": 0x040000, "alt": 0x080000, "meta": 0x100000}
_ALL_FLAGS = sum(_FLAGS.values())
_BUTTONS: dict[Button, str] = {"left": "Left", "right": "Right", "middle": "Center"}
_HARDWARE = 1
"""The state of keys and buttons as the devices have it, and not as one program was told."""
_PERMISSIONS = (
    ("CGPreflightScreenCaptureAccess", "CGRequestScreenCaptureAccess", "see the screen", "Screen Recording"),
    ("CGPreflightPostEventAccess", "CGRequestPostEventAccess", "use mouse and keyboard", "Accessibility"),
)


class MacSystem:
    """Implements `System`. Points are logical: half a Retina screen's pixels, which the frame's scale says.

    Raises ConfigError where macOS withholds the screen or the input: it would show wallpaper, and lose every click.
    """

    display = ""
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, driver: Any = None, quartz: Any = None) -> None:  # noqa: ANN401 - libraries without types
        self._driver = driver or import_pyautogui()
        self._quartz = quartz or import_module("Quartz")
        _check_permissions(self._quartz)
        # mss halves Retina pictures unless it is told not to.
        mss.darwin.IMAGE_OPTIONS &= ~mss.darwin.kCGWindowImageNominalResolution
        self.keyboard = MacKeyboard(self._driver, self._quartz)
        self.mouse = MacMouse(self._driver, self._quartz, self.keyboard.flags)

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
        quartz = self._quartz
        return bool(quartz.CGEventSourceFlagsState(_HARDWARE) & _ALL_FLAGS) or any(
            quartz.CGEventSourceButtonState(_HARDWARE, button) for button in range(len(_BUTTONS))
        )

    def open_app(self, name: str) -> str | None:
        # `open -a` also takes the path of any program.
        result = None if "/" in name else subprocess.run(["open", "-a", name], capture_output=True, check=False)
        if result is None or result.returncode != 0:
            raise InvalidAction(f"no application is called {name[:80]!r} here")
        return None

    def close(self) -> None:
        """Nothing is held."""


class MacMouse(PyautoguiMouse):
    """Clicks and the wheel by Quartz. flags: the modifiers that are held.

    pyautogui's double click is two single ones to programs, and its wheel turns left when it should turn right.
    """

    def __init__(self, driver: Any, quartz: Any, flags: Callable[[], int]) -> None:  # noqa: ANN401 - without types
        super().__init__(driver)
        self._quartz = quartz
        self._flags = flags

    def click(self, x: int, y: int, button: Button, count: int) -> None:
        self.move(x, y)
        kind = "Other" if button == "middle" else _BUTTONS[button]
        for number in range(1, count + 1):
            for what in ("Down", "Up"):
                self._post(f"kCGEvent{kind}Mouse{what}", x, y, button, number)
                time.sleep(_BETWEEN_S)

    def wheel(self, right: int, down: int) -> None:
        quartz, lines = self._quartz, _LINES_A_NOTCH
        event = quartz.CGEventCreateScrollWheelEvent(
            None, quartz.kCGScrollEventUnitLine, 2, -down * lines, -right * lines
        )
        quartz.CGEventPost(quartz.kCGHIDEventTap, event)
        time.sleep(_BETWEEN_S)

    def _post(self, kind: str, x: int, y: int, button: Button, number: int) -> None:
        """number: which click of a row this is."""
        quartz = self._quartz
        of_button = getattr(quartz, f"kCGMouseButton{_BUTTONS[button]}")
        event = quartz.CGEventCreateMouseEvent(None, getattr(quartz, kind), (x, y), of_button)
        quartz.CGEventSetIntegerValueField(event, quartz.kCGMouseEventClickState, number)
        quartz.CGEventSetFlags(event, self._flags())
        quartz.CGEventPost(quartz.kCGHIDEventTap, event)


class MacKeyboard:
    """Implements `Keyboard`. Every event says which modifiers are held: otherwise ⌘C may arrive as a plain c.

    A character in a chord is the key at its place on a US keyboard; text does not depend on the layout.
    """

    def __init__(self, driver: Any, quartz: Any) -> None:  # noqa: ANN401 - libraries without types
        self._driver = driver
        self._quartz = quartz
        self._held: set[str] = set()

    def flags(self) -> int:
        """Of the modifiers that are held, as events carry them."""
        return sum(_FLAGS[key] for key in self._held)

    def down(self, key: str) -> None:
        code = self._code(key)
        if code is None:
            raise no_such_key(key)
        self._held |= {key} & _FLAGS.keys()
        self._post(key, code, is_down=True)

    def up(self, key: str) -> None:
        code = self._code(key)
        self._held -= {key}
        if code is not None:
            self._post(key, code, is_down=False)

    def tap(self, key: str) -> None:
        self.down(key)
        self.up(key)

    def type_text(self, text: str, between: Callable[[], None]) -> None:
        for start in range(0, len(text), _AT_ONCE):
            between()
            for piece in pieces(text[start : start + _AT_ONCE], _MOST_UNITS):
                for is_down in (True, False):
                    self._insert(piece, is_down=is_down)

    def _code(self, key: str) -> int | None:
        """Where the key is on the keyboard; None if it is not there."""
        code: int | None = self._driver.platformModule.keyboardMapping.get(_NAMES.get(key, key))
        return code

    def _post(self, key: str, code: int, *, is_down: bool) -> None:
        quartz = self._quartz
        event = quartz.CGEventCreateKeyboardEvent(None, code, is_down)
        flags = self.flags() | (_FLAGS["shift"] if self._driver.isShiftCharacter(key) else 0)
        # Beside the modifiers there are flags that belong to the key itself, such as those of arrows.
        quartz.CGEventSetFlags(event, (quartz.CGEventGetFlags(event) & ~_ALL_FLAGS) | flags)
        quartz.CGEventPost(quartz.kCGHIDEventTap, event)
        time.sleep(_BETWEEN_S)

    def _insert(self, piece: str, *, is_down: bool) -> None:
        quartz = self._quartz
        event = quartz.CGEventCreateKeyboardEvent(None, 0, is_down)
        quartz.CGEventKeyboardSetUnicodeString(event, len(utf16_units(piece)), piece)
        quartz.CGEventSetFlags(event, 0)
        quartz.CGEventPost(quartz.kCGHIDEventTap, event)
        time.sleep(_BETWEEN_S)


def _check_permissions(quartz: Any) -> None:  # noqa: ANN401 - a library without types
    for asking, request, what, setting in _PERMISSIONS:
        # Before macOS 10.15 there is nothing to ask.
        is_allowed = getattr(quartz, asking, None)
        if is_allowed is not None and not is_allowed():
            # The system asks the person, and lists the program in its settings.
            getattr(quartz, request)()
            raise ConfigError(
                f"macOS does not let this program {what}: allow your terminal under System Settings, "
                f"Privacy & Security, {setting}, and start it again"
            )


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

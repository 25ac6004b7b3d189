"""A Windows desktop. Not run where this project is tested: the tests check it against fakes of the libraries."""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mss
from mss.exception import ScreenShotError

from action_space.errors import UnsupportedAction
from action_space.geometry import Box
from environments.desktop_entries import not_installed
from environments.desktop_eyes import unreadable
from environments.desktop_keys import NAMES, PyautoguiKeyboard, utf16_units
from environments.desktop_mouse import PyautoguiMouse, import_pyautogui
from environments.desktop_system import Window

_NOTCH = 120
_HORIZONTAL_WHEEL = 0x1000
_KEYBOARD_INPUT = 1
_KEY_UP = 0x0002
_UNICODE = 0x0004
_DOWN_NOW = 0x8000
_ALT = 0x12
_RESTORE = 9
_LONGEST_TITLE = 512


class _KeyInput(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_uint16),
        ("scan", ctypes.c_uint16),
        ("flags", ctypes.c_uint32),
        ("time", ctypes.c_uint32),
        ("extra", ctypes.c_void_p),
    )


class _Union(ctypes.Union):
    # As large as the mouse's part, which Windows checks.
    _fields_ = (("key", _KeyInput), ("size", ctypes.c_byte * (ctypes.sizeof(ctypes.c_void_p) * 2 + 16)))


class _Rect(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int32) for name in ("left", "top", "right", "bottom"))


class _Input(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_uint32), ("what", _Union))


class WindowsMouse(PyautoguiMouse):
    """pyautogui turns the vertical wheel when it is asked for the horizontal one."""

    def __init__(self, driver: Any, user32: Any) -> None:  # noqa: ANN401 - libraries without types
        super().__init__(driver, _NOTCH)
        self._user32 = user32

    def wheel(self, right: int, down: int) -> None:
        super().wheel(0, down)
        if right:
            self._user32.mouse_event(_HORIZONTAL_WHEEL, 0, 0, right * _NOTCH, 0)


class WindowsSystem:
    """Implements `System`. Points are pixels, on every monitor whatever its scaling."""

    display = ""
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, driver: Any = None, user32: Any = None) -> None:  # noqa: ANN401 - libraries without types
        # Opened once before all else: mss makes the process aware of each monitor's scaling, and pyautogui, whoever
        # imports it first, of the main one's only, which nobody can change afterwards.
        try:
            with self.screens():
                self._driver = driver or import_pyautogui()
        except ScreenShotError as error:
            raise unreadable(error) from error
        self._user32 = user32 or ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # only there
        self.mouse = WindowsMouse(self._driver, self._user32)
        self.keyboard = PyautoguiKeyboard(self._driver, self._insert, NAMES)

    @contextmanager
    def screens(self) -> Iterator[Any]:
        try:
            with mss.MSS() as screen:
                yield screen
        except ScreenShotError as error:
            # The lock screen and the question for an administrator's consent are a desktop of Windows' own.
            raise ScreenShotError(f"{error}; unlock the screen, and answer what Windows asks") from error

    def active_window(self) -> Window | None:
        window, rect = self._user32.GetForegroundWindow(), _Rect()
        # 0 between two windows, and while one closes.
        if not window or not self._user32.GetWindowRect(window, ctypes.byref(rect)):
            return None
        title = ctypes.create_unicode_buffer(_LONGEST_TITLE)
        self._user32.GetWindowTextW(window, title, _LONGEST_TITLE)
        return Window(title.value, "", Box(rect.left, rect.top, rect.right, rect.bottom))

    def is_in_use(self) -> bool:
        return any(self._user32.GetAsyncKeyState(code) & _DOWN_NOW for code in range(1, 255))

    def open_app(self, name: str) -> str | None:
        wanted = name.strip().lower()
        shortcuts = {path.stem.lower(): path for folder in start_menus() for path in sorted(folder.rglob("*.lnk"))}
        if wanted not in shortcuts:
            raise not_installed(name, [path.stem for path in shortcuts.values()])
        for title in self._driver.getAllTitles():
            if is_window_of(wanted, title):
                return self._raise_up(title)
        os.startfile(shortcuts[wanted])  # type: ignore[attr-defined,unused-ignore]  # only there
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _raise_up(self, title: str) -> str | None:
        """Bring a window to the front; what the model should know if Windows does not let it come."""
        window = self._user32.FindWindowW(None, title)
        if self._user32.IsIconic(window):
            self._user32.ShowWindow(window, _RESTORE)
        # Only the program that had the last input may choose the window in front.
        for flags in (0, _KEY_UP):
            self._user32.keybd_event(_ALT, 0, flags, 0)
        if self._user32.SetForegroundWindow(window):
            return None
        return f"{title!r} is open, but Windows does not let it come to the front: click it on the taskbar."

    def _insert(self, text: str) -> None:
        strokes = [_stroke(unit, flags) for unit in utf16_units(text) for flags in (_UNICODE, _UNICODE | _KEY_UP)]
        sent = self._user32.SendInput(len(strokes), (_Input * len(strokes))(*strokes), ctypes.sizeof(_Input))
        if sent != len(strokes):
            raise UnsupportedAction("Windows takes no keys for this window: an administrator's, or the lock screen")


def _stroke(unit: int, flags: int) -> _Input:
    return _Input(_KEYBOARD_INPUT, _Union(key=_KeyInput(0, unit, flags, 0, None)))


def is_window_of(application: str, title: str) -> bool:
    """Whether a title is that of an application's window: "Paint", or "holiday - Paint"; not "Paint it - Chrome"."""
    return title.lower() == application or title.lower().endswith(f" - {application}")


def start_menus() -> Iterable[Path]:
    """Where the shortcuts of the installed applications lie."""
    for variable in ("APPDATA", "PROGRAMDATA"):
        if folder := os.environ.get(variable):
            yield Path(folder) / "Microsoft" / "Windows" / "Start Menu" / "Programs"

"""A Windows desktop. Not run where this project is tested: the tests check it against fakes of the libraries."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mss

from action_space.geometry import Box
from environments.desktop_entries import not_installed
from environments.desktop_keys import NAMES, PyautoguiKeyboard, utf16_units
from environments.desktop_mouse import PyautoguiMouse, import_pyautogui
from environments.desktop_system import Window

_NOTCH = 120
_HORIZONTAL_WHEEL = 0x1000
_KEYBOARD_INPUT = 1
_KEY_UP = 0x0002
_UNICODE = 0x0004
_DOWN_NOW = 0x8000


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
    """Implements `System`. Points are pixels: pyautogui and mss both make the process aware of scaling."""

    display = ""
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, driver: Any = None, user32: Any = None) -> None:  # noqa: ANN401 - libraries without types
        self._driver = driver or import_pyautogui()
        self._user32 = user32 or ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # only there
        self.mouse = WindowsMouse(self._driver, self._user32)
        self.keyboard = PyautoguiKeyboard(self._driver, self._insert, NAMES)

    def screens(self) -> Any:  # noqa: ANN401 - a context that gives mss's object
        return mss.MSS()

    def active_window(self) -> Window | None:
        window = self._driver.getActiveWindow()
        if window is None:
            return None
        return Window(window.title, "", Box(window.left, window.top, window.right, window.bottom))

    def is_in_use(self) -> bool:
        return any(self._user32.GetAsyncKeyState(code) & _DOWN_NOW for code in range(1, 255))

    def open_app(self, name: str) -> str | None:
        wanted = name.strip().lower()
        shortcuts = {path.stem.lower(): path for folder in start_menus() for path in sorted(folder.rglob("*.lnk"))}
        if wanted not in shortcuts:
            raise not_installed(name, [path.stem for path in shortcuts.values()])
        for window in self._driver.getWindowsWithTitle(shortcuts[wanted].stem):
            window.activate()
            return None
        os.startfile(shortcuts[wanted])  # type: ignore[attr-defined,unused-ignore]  # only there
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _insert(self, text: str) -> None:
        strokes = [_stroke(unit, flags) for unit in utf16_units(text) for flags in (_UNICODE, _UNICODE | _KEY_UP)]
        sent = self._user32.SendInput(len(strokes), (_Input * len(strokes))(*strokes), ctypes.sizeof(_Input))
        if sent != len(strokes):
            raise OSError("Windows did not take the keys: a window of an administrator is in front")


def _stroke(unit: int, flags: int) -> _Input:
    return _Input(_KEYBOARD_INPUT, _Union(key=_KeyInput(0, unit, flags, 0, None)))


def start_menus() -> Iterable[Path]:
    """Where the shortcuts of the installed applications lie."""
    for variable in ("APPDATA", "PROGRAMDATA"):
        if folder := os.environ.get(variable):
            yield Path(folder) / "Microsoft" / "Windows" / "Start Menu" / "Programs"

"""The seam of the desktop: what X11, Windows and macOS each do in their own way.

`desktop.py` and `desktop_hands.py` know this file only. Coordinates here are the system's own (device units).
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from action_space.actions import Button
from action_space.errors import ConfigError
from action_space.geometry import Box

INSTALL = "install it with: pip install 'clickwright[desktop]'"


@dataclass(frozen=True, slots=True)
class Window:
    """A window with its frame. app: what the system calls the program, "" if unknown."""

    title: str
    app: str
    box: Box


class Mouse(Protocol):
    """The pointer of a desktop."""

    def position(self) -> tuple[int, int]: ...
    def move(self, x: int, y: int) -> None: ...
    def click(self, x: int, y: int, button: Button, count: int) -> None: ...
    def down(self, button: Button) -> None: ...
    def up(self, button: Button) -> None: ...
    def drag_to(self, x: int, y: int, button: Button) -> None:
        """Move while `button` is down."""

    def wheel(self, right: int, down: int) -> None:
        """Turn it by so many notches; up and left are negative."""


class Keyboard(Protocol):
    """The keys of a desktop, by their canonical names (`action_space.keys`)."""

    def down(self, key: str) -> None:
        """Raises UnsupportedAction for a key that is not there."""

    def up(self, key: str) -> None: ...

    def tap(self, key: str) -> None:
        """Down and up at once, so that no server repeats it."""

    def type_text(self, text: str, between: Callable[[], None]) -> None:
        """Exactly these characters, whatever the layout. No line breaks and no tabs.

        between: called now and then; what it raises ends the typing, with everything released.
        """


class System(Protocol):
    """One desktop. errors: what its drivers raise when the desktop is gone. display: of X11, else ""."""

    @property
    def display(self) -> str: ...
    @property
    def mouse(self) -> Mouse: ...
    @property
    def keyboard(self) -> Keyboard: ...
    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    def screens(self) -> AbstractContextManager[Any]:
        """Open mss anew, so that it sees the monitors as they are now."""

    def active_window(self) -> Window | None:
        """The window that gets the keys."""

    def is_in_use(self) -> bool:
        """Whether a key or a mouse button is down that a person must be holding."""

    def open_app(self, name: str) -> str | None:
        """Start an application, or raise its window. Returns what the model should know, None if all is well.

        Raises InvalidAction when there is none of this name.
        """

    def close(self) -> None: ...


def open_system(display: str, variables: Mapping[str, str]) -> System:
    """The desktop of this machine. display: of X11, "" is $DISPLAY. variables: environment of what is started there.

    Raises ConfigError when there is no desktop, or a package is missing.
    """
    try:
        if sys.platform == "win32":
            from environments.desktop_windows import WindowsSystem

            return WindowsSystem()
        if sys.platform == "darwin":
            from environments.desktop_macos import MacSystem

            return MacSystem()
        from environments.desktop_x11 import X11System

        return X11System(display, {**os.environ, **variables})
    except ModuleNotFoundError as error:
        raise ConfigError(f"the desktop needs the Python package {error.name!r}: {INSTALL}") from error

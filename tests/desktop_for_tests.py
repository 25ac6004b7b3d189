"""What tests of the desktop share: displays of their own, programs that may be missing, and a window that listens."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from Xlib import X

from action_space.geometry import Box, Size
from environments.desktop import DesktopEnvironment
from environments.desktop_virtual import VirtualDisplay
from environments.x11_connection import connect

PACKAGES = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "galculator": "galculator",
    "mousepad": "mousepad",
    "xrandr": "x11-xserver-utils",
    "setxkbmap": "x11-xkb-utils",
    "xclip": "xclip",
    "dbus-daemon": "dbus",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
}


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips where a program is missing, and says how to get it."""
    missing = [PACKAGES[name] for name in ("Xvfb", "openbox", *programs) if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"the desktop lacks programs: apt-get install {' '.join(missing)}")


SIZE = Size(800, 600)
Found = TypeVar("Found")


@contextmanager
def own_display(home: Path, size: Size = SIZE) -> Iterator[VirtualDisplay]:
    """A display whose programs find an empty home."""
    places = {"HOME": home, "XDG_CONFIG_HOME": home / ".config", "XDG_DATA_HOME": home / ".local" / "share"}
    with VirtualDisplay(size, {name: str(path) for name, path in places.items()} | {"LANG": "C.UTF-8"}) as display:
        yield display


@contextmanager
def joined(display: VirtualDisplay, *, monitor: str = "", settle_s: float = 10.0) -> Iterator[DesktopEnvironment]:
    """The environment on a display that stays. The cap is high for machines that are busy with something else."""
    with DesktopEnvironment(
        display.name, variables=display.variables, monitor=monitor, settle_s=settle_s
    ) as environment:
        yield environment


def xrandr(display: VirtualDisplay, *arguments: str) -> None:
    subprocess.run(["xrandr", *arguments], env=display.variables, check=True, capture_output=True)


def resize(display: VirtualDisplay, width: int, height: int) -> None:
    """Change the resolution as a person does in the settings."""
    name = f"{width}x{height}"
    columns, rows = (str(width + add) for add in (0, 40, 80, 160)), (str(height + add) for add in (0, 3, 6, 20))
    xrandr(display, "--newmode", name, "60", *columns, *rows)
    xrandr(display, "--addmode", "screen", name)
    xrandr(display, "--output", "screen", "--mode", name)


def two_monitors(display: VirtualDisplay) -> None:
    """Make two of a display of 800x600: 500x600 to the left, and 300x400 to the right, 150 pixels lower."""
    for monitor in (("left", "500/132x600/159+0+0", "screen"), ("right", "300/79x400/106+500+150", "none")):
        xrandr(display, "--setmonitor", *monitor)


def until(look: Callable[[], Found], within_s: float = 30.0) -> Found:
    """What `look` gives once it gives something true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """kind: press, release, key, key_up or motion. code: the button's or key's number. state: modifiers and buttons."""

    kind: str
    x: int
    y: int
    code: int
    state: int
    time_ms: int


_KINDS = {
    X.ButtonPress: "press",
    X.ButtonRelease: "release",
    X.KeyPress: "key",
    X.KeyRelease: "key_up",
    X.MotionNotify: "motion",
}


class Listener:
    """A window over a whole display that the window manager does not touch, and everything that arrives in it."""

    def __init__(self, name: str) -> None:
        self._display = connect(name)
        root = self._display.screen().root
        size = root.get_geometry()
        mask = X.ButtonPressMask | X.ButtonReleaseMask | X.KeyPressMask | X.KeyReleaseMask | X.PointerMotionMask
        self._window = root.create_window(
            0, 0, size.width, size.height, 0, X.CopyFromParent, override_redirect=True, event_mask=mask
        )
        self._window.map()
        self._window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self._display.sync()
        # Let go of a motion that the window's coming made.
        self.events()

    def events(self, kinds: str = "press release key key_up motion") -> list[Event]:
        """What has come since the last call."""
        self._display.sync()
        found = []
        while self._display.pending_events():
            event = self._display.next_event()
            if (kind := _KINDS.get(event.type)) in kinds.split():
                found.append(Event(kind, event.root_x, event.root_y, event.detail, event.state, event.time))
        return found

    def keysyms(self, kinds: str = "key") -> list[int]:
        """The keysyms that the keys of the events gave, without regard to modifiers."""
        return [self._display.keycode_to_keysym(event.code, 0) for event in self.events(kinds)]

    def paint(self, box: Box, colour: int) -> None:
        """Fill a part of the window; red, green and blue are a byte each."""
        pen = self._window.create_gc(foreground=colour)
        self._window.fill_rectangle(pen, box.left, box.top, box.right - box.left, box.bottom - box.top)
        pen.free()
        self._display.sync()

    def close(self) -> None:
        self._window.destroy()
        self._display.close()

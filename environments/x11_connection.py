"""Connections to an X server: for our own requests, and pyautogui's."""

import io
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Lock
from typing import Any

import Xlib.threaded  # noqa: F401 - makes locks real: without them two threads on a connection can wait for ever
from Xlib import X, error
from Xlib.display import Display
from Xlib.protocol.event import ClientMessage
from Xlib.support import connect as xlib_connect

from action_space.errors import ConfigError, DeviceError
from environments.desktop_mouse import import_pyautogui

ERRORS: tuple[type[Exception], ...] = (
    error.ConnectionClosedError,
    error.DisplayError,
    error.XauthError,
    error.XError,
    OSError,
)
"""What a server that is gone, or a window that is just closing, makes of a request."""

_PYAUTOGUI = ("pyautogui", "pyautogui._pyautogui_x11")
_loading = Lock()


def connect(name: str) -> Any:  # noqa: ANN401 - Xlib has no types
    """A connection to the display `name`. Raises DeviceError when there is none."""
    try:
        with _surroundings(name):
            display = Display(name)
    except ERRORS as problem:
        reason = " ".join(str(problem).split())
        raise DeviceError(f"the display {name!r} does not answer ({reason}): check --display") from problem
    # Xlib prints errors of requests that have no answer; a window may close at any moment.
    display.set_error_handler(lambda *_: None)
    return display


def pyautogui_on(name: str) -> Any:  # noqa: ANN401 - a module without types
    """pyautogui, connected to the display `name`. Raises ConfigError, DeviceError and ModuleNotFoundError.

    It connects once, when it is imported, and keeps that display: so every display gets a module of its own.
    """
    with _loading, _surroundings(name):
        before = {module: sys.modules.pop(module) for module in _PYAUTOGUI if module in sys.modules}
        try:
            return import_pyautogui()
        except ERRORS as problem:
            raise DeviceError(f"the display {name!r} does not take input: {problem}") from problem
        finally:
            for module in _PYAUTOGUI:
                sys.modules.pop(module, None)
            sys.modules.update(before)


def check_extensions(display: Any, name: str) -> None:  # noqa: ANN401 - Xlib has no types
    """Raises ConfigError for a server that takes no artificial input."""
    if not display.query_extension("XTEST").present:
        raise ConfigError(f"the display {name!r} has no XTEST extension, so that nothing can be typed there")


@contextmanager
def _surroundings(name: str) -> Iterator[None]:
    """What Xlib reads while it connects; and it must not print, since stdout is for results."""
    authority = os.environ.get("XAUTHORITY") or str(Path.home() / ".Xauthority")
    wanted = {"DISPLAY": name, "XAUTHORITY": authority if Path(authority).exists() else os.devnull}
    before, plain = {key: os.environ.get(key) for key in wanted}, xlib_connect.get_socket
    os.environ.update(wanted)
    xlib_connect.get_socket = lambda *address: _Socket(plain(*address))
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        xlib_connect.get_socket = plain
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


class _Socket:
    """Loses what is sent to a server that is gone: Xlib stumbles over that, but not over the end of what it reads."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain

    def send(self, data: bytes) -> int:
        try:
            return self._plain.send(data)
        except OSError:
            return len(data)

    def recv(self, size: int) -> bytes:
        try:
            return self._plain.recv(size)
        except OSError:
            return b""

    def fileno(self) -> int:
        return self._plain.fileno()

    def close(self) -> None:
        self._plain.close()


class Windows:
    """What the window manager says about windows. Raises ERRORS when the server is gone."""

    def __init__(self, display: Any) -> None:  # noqa: ANN401 - Xlib has no types
        self._display = display
        self._root = display.screen().root

    def active(self) -> Any:  # noqa: ANN401 - Xlib has no types
        """The window that has the keyboard, None if there is none."""
        found = self._property(self._root, "_NET_ACTIVE_WINDOW")
        return self._display.create_resource_object("window", found[0]) if found and found[0] else None

    def all(self) -> list[Any]:
        """Every window of a program, in the order in which they came."""
        listed = self._property(self._root, "_NET_CLIENT_LIST") or []
        return [self._display.create_resource_object("window", number) for number in listed]

    def is_managed(self) -> bool:
        """Whether a window manager runs."""
        return bool(self._property(self._root, "_NET_SUPPORTING_WM_CHECK"))

    def title(self, window: Any) -> str:  # noqa: ANN401 - Xlib has no types
        name = self._property(window, "_NET_WM_NAME") or self._property(window, "WM_NAME") or b""
        return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)

    def names(self, window: Any) -> tuple[str, ...]:  # noqa: ANN401 - Xlib has no types
        """What a program calls itself: the two parts of WM_CLASS."""
        return tuple(window.get_wm_class() or ())

    def bounds(self, window: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 - Xlib has no types
        """Left, top, right, bottom on the screen, with the frame that the window manager drew."""
        size = window.get_geometry()
        place = self._root.translate_coords(window, 0, 0)
        left, right, top, bottom = self._property(window, "_NET_FRAME_EXTENTS") or (0, 0, 0, 0)
        return place.x - left, place.y - top, place.x + size.width + right, place.y + size.height + bottom

    def raise_up(self, window: Any) -> None:  # noqa: ANN401 - Xlib has no types
        """Bring it to the front and give it the keyboard."""
        self._tell(self._root, window, "_NET_ACTIVE_WINDOW", (2, X.CurrentTime, 0, 0, 0), to_manager=True)

    def wait_until_read(self, timeout_s: float) -> None:
        """Wait until the active program has read every key so far; programs that cannot say so get half a second."""
        window = self.active()
        ping = self._display.intern_atom("_NET_WM_PING")
        if window is None or ping not in (self._property(window, "WM_PROTOCOLS") or ()):
            time.sleep(min(0.5, timeout_s))
            return
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask)
        self._tell(window, window, "WM_PROTOCOLS", (ping, X.CurrentTime, window.id, 0, 0))
        deadline = time.monotonic() + timeout_s
        while not self._has_answered(ping) and (left := deadline - time.monotonic()) > 0:
            select.select([self._display.fileno()], [], [], left)
        self._root.change_attributes(event_mask=X.NoEventMask)

    def _has_answered(self, ping: int) -> bool:
        answered = False
        while self._display.pending_events():
            event = self._display.next_event()
            answered = answered or (event.type == X.ClientMessage and event.data[1][0] == ping)
        return answered

    def _tell(
        self,
        receiver: Any,  # noqa: ANN401 - Xlib has no types
        window: Any,  # noqa: ANN401 - Xlib has no types
        kind: str,
        data: tuple[int, ...],
        *,
        to_manager: bool = False,
    ) -> None:
        message = ClientMessage(window=window, client_type=self._display.intern_atom(kind), data=(32, data))
        mask = X.SubstructureRedirectMask | X.SubstructureNotifyMask if to_manager else X.NoEventMask
        receiver.send_event(message, event_mask=mask)
        self._display.sync()

    def _property(self, window: Any, name: str) -> Any:  # noqa: ANN401 - Xlib has no types
        found = window.get_full_property(self._display.intern_atom(name), X.AnyPropertyType)
        return found.value if found is not None else None

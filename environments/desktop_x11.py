"""A desktop on an X server: Linux, and whatever else has one."""

import subprocess
import time
from collections.abc import Mapping
from typing import Any

import mss
from Xlib import X

from action_space.errors import InvalidAction
from action_space.geometry import Box
from environments.desktop_entries import Application, find_application, installed_applications, not_installed
from environments.desktop_mouse import PyautoguiMouse
from environments.desktop_system import Window
from environments.desktop_x11_keys import X11Keyboard
from environments.x11_connection import ERRORS, Windows, check_extensions, connect, pyautogui_on

_WINDOW_S = 15.0
_LOOK_S = 0.05
_BUTTONS = X.Button1Mask | X.Button2Mask | X.Button3Mask


class X11System:
    """Implements `System`. name: of the display. variables: the environment of what is started.

    Raises DeviceError when the display does not answer, ConfigError when it takes no input.
    """

    errors = ERRORS

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.display = name
        # A program that finds Wayland would show up there, and not here.
        self._variables = {key: value for key, value in variables.items() if key != "WAYLAND_DISPLAY"}
        self._variables |= {"DISPLAY": name, "XDG_SESSION_TYPE": "x11"}
        self._connection = connect(name)
        check_extensions(self._connection, name)
        self._windows = Windows(self._connection)
        self._started: list[subprocess.Popen[bytes]] = []
        self.keyboard = X11Keyboard(self._connection, self._windows)
        self.mouse = PyautoguiMouse(pyautogui_on(name))

    def screens(self) -> Any:  # noqa: ANN401 - a context that gives mss's object
        return mss.MSS(display=self.display)

    def active_window(self) -> Window | None:
        window = self._windows.active()
        if window is None:
            return None
        try:
            names = self._windows.names(window)
            return Window(self._windows.title(window), names[-1] if names else "", Box(*self._windows.bounds(window)))
        except ERRORS:
            # It has just closed. A server that is gone is noticed by the next screenshot.
            return None

    def is_in_use(self) -> bool:
        return any(self._connection.query_keymap()) or bool(
            self._connection.screen().root.query_pointer().mask & _BUTTONS
        )

    def open_app(self, name: str) -> str | None:
        applications = installed_applications(self._variables)
        found = find_application(name, applications)
        if found is None:
            raise not_installed(name, [application.title for application in applications])
        window = self._window_of(found)
        if window is not None:
            self._windows.raise_up(window)
            return None
        return self._start(found)

    def close(self) -> None:
        try:
            self.keyboard.close()
            self._connection.close()
        except ERRORS:
            # The server is gone, and everything with it.
            pass
        for process in self._started:
            process.poll()

    def _window_of(self, application: Application) -> Any:  # noqa: ANN401 - Xlib has no types
        for window in reversed(self._windows.all()):
            try:
                names = {name.lower() for name in self._windows.names(window)}
            except ERRORS:
                continue
            if names & application.window_names:
                return window
        return None

    def _start(self, application: Application) -> str | None:
        before = len(self._windows.all())
        try:
            process = subprocess.Popen(
                application.command,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise InvalidAction(f"{application.title!r} does not start: {error.strerror}") from error
        self._started.append(process)
        deadline = time.monotonic() + _WINDOW_S
        while time.monotonic() < deadline:
            if len(self._windows.all()) > before:
                return None
            if process.poll():
                raise InvalidAction(f"{application.title!r} does not start: it ended with status {process.returncode}")
            time.sleep(_LOOK_S)
        return f"{application.title} was started, but no window of it has come within {_WINDOW_S:g} s."

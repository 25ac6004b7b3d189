"""A whole desktop: mss looks, pyautogui acts. What only one system needs is behind `desktop_system.System`."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self, assert_never

from mss.exception import ScreenShotError

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
    points_of,
)
from action_space.errors import ClickwrightError, ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Box, Frame
from environments.base import Observation
from environments.desktop_eyes import Eyes, Shot, read_monitor
from environments.desktop_guard import Guard, NoGuard
from environments.desktop_hands import Hands
from environments.desktop_system import System, Window, open_system

_AGAIN = "start again, or go on with --resume"
OpenSystem = Callable[[str, Mapping[str, str]], System]


class DesktopEnvironment:
    """One desktop; see `Environment` for the contract.

    display: "" is the person's own screen, "virtual" or "virtual:WxH" a display of the agent's own, which ends with it,
    ":1" joins a display of X11. live: the person has agreed that their own mouse and keyboard are used. monitor: a
    number from 1, "all" as one picture, "" for the main one. app: an application to begin with. settle_s: the longest
    wait for a quiet picture. variables: environment of the programs that `open` starts.

    On every display that somebody else can reach, an action raises Paused when the pointer is not where the agent
    left it. Raises ConfigError for a desktop that may not or cannot be used, DeviceError when it does not answer.
    """

    name = "desktop"
    actions = frozenset({"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait"})

    def __init__(
        self,
        display: str = "",
        *,
        live: bool = False,
        monitor: str = "",
        app: str = "",
        settle_s: float = 3.0,
        variables: Mapping[str, str] | None = None,
        open_system: OpenSystem = open_system,
    ) -> None:
        self._settle_s, self._closed = settle_s, False
        self._notes: list[str] = []
        self._cleanup = ExitStack()
        number = read_monitor(monitor)
        _check_consent(display, live)
        try:
            self._system = self._open(display, dict(variables or {}), open_system)
            self._cleanup.callback(self._system.close)
            self._guard = NoGuard() if _is_own(display) else Guard(self._system.mouse.position, self._system.is_in_use)
            self._hands = Hands(self._system.mouse, self._system.keyboard, self._guard)
            with self._device("starting"):
                self._eyes = Eyes(self._system.screens, number)
                self._seen = self._eyes.shot()
                self._guard.corners = self._seen.corners
                if app:
                    self._start(app)
        except BaseException:
            self._cleanup.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def system(self) -> System:
        """Mouse, keyboard and windows below the actions, for tests and measurements that look at what happened."""
        return self._system

    @property
    def display(self) -> str:
        """The X11 display, ":99"; "" where there is no such thing."""
        return self._system.display

    @property
    def area(self) -> Box:
        """The monitor that was looked at, in device units."""
        return self._seen.area

    def observe(self) -> Observation:
        self._require_open()
        with self._device("looking at the screen"):
            shot, settled = self._eyes.look(self._settle_s)
            window = self._system.active_window()
        if shot.area != self._seen.area:
            self._guard.forget()
        self._seen = shot
        self._guard.corners = shot.corners
        lines, self._notes = [*_told(window, shot.frame), *self._notes], []
        details = {"window": _one_line(window.title), "app": window.app} if window else {}
        return Observation(shot.image, shot.frame, tuple(lines), settled.seconds, settled.quiet, details)

    def execute(self, action: Action) -> None:
        if action.kind not in self.actions:
            raise UnsupportedAction(f"a desktop cannot {action.kind!r}: use one of {', '.join(sorted(self.actions))}")
        for point in points_of(action):
            self._seen.frame.to_device(point)
        self._require_open()
        with self._device(f"carrying out {action.kind!r}"):
            if points_of(action):
                self._require_same_screen(self._seen)
            self._perform(action)

    def release(self) -> None:
        try:
            if not self._closed:
                with self._device("releasing keys and buttons"):
                    self._hands.release()
        except ClickwrightError:
            # Nothing that is gone holds anything down.
            return

    def close(self) -> None:
        if not self._closed:
            self.release()
            self._closed = True
            self._cleanup.close()

    def _open(self, display: str, variables: dict[str, str], open_system: OpenSystem) -> System:
        if not _is_own(display):
            return open_system(display or os.environ.get("DISPLAY", ""), variables)
        from environments.desktop_virtual import VirtualDisplay, read_size

        own = VirtualDisplay(read_size(display), variables)
        self._cleanup.callback(own.close)
        return open_system(own.name, own.variables)

    def _perform(self, action: Action) -> None:
        match action:
            case Click() | Move() | Drag() | Scroll() | LongPress():
                self._hands.point(action, self._seen.frame)
            case Type():
                self._hands.type_text(action.text)
            case Press():
                self._hands.press(action)
            case Open():
                self._guard.check()
                self._tell(self._system.open_app(action.target))
            case Wait():
                time.sleep(action.seconds)
            case Ask() | Finish():
                raise UnsupportedAction(f"a desktop cannot {action.kind!r}")
            case _:
                assert_never(action)

    def _start(self, app: str) -> None:
        try:
            self._tell(self._system.open_app(app))
        except InvalidAction as error:
            raise ConfigError(f"--app: {error}") from error

    def _tell(self, note: str | None) -> None:
        if note is not None:
            self._notes.append(note)

    def _require_open(self) -> None:
        if self._closed:
            raise DeviceError(f"the desktop was closed: {_AGAIN}")

    def _require_same_screen(self, seen: Shot) -> None:
        """A point means a pixel of the picture that was seen, and nothing on a screen of another size."""
        now = self._eyes.area()
        if now != seen.area:
            raise InvalidAction(
                f"the screen has changed since it was looked at, from {_size(seen.area)} to {_size(now)}: look again"
            )

    @contextmanager
    def _device(self, doing: str) -> Iterator[None]:
        gone: tuple[type[Exception], ...] = (ScreenShotError, *self._system.errors)
        try:
            yield
        except gone as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DeviceError(f"the desktop is gone while {doing} ({reason}): {_AGAIN}") from error


def _is_own(display: str) -> bool:
    return display.startswith("virtual")


def _check_consent(display: str, live: bool) -> None:
    """Raises ConfigError where the person's own mouse would be taken without a word from them."""
    if _is_own(display):
        if sys.platform in ("win32", "darwin"):
            raise ConfigError("virtual displays are for X11: on this system use your own screen with --live")
        return
    if sys.platform not in ("win32", "darwin"):
        _check_x11(display)
    if not live and _is_persons(display):
        raise ConfigError(
            "this would use your own mouse and keyboard: allow it with --live, "
            "or give the agent a display of its own with --display virtual"
        )


def _check_x11(display: str) -> None:
    if not display and not os.environ.get("DISPLAY"):
        raise ConfigError("there is no display here: give the agent one of its own with --display virtual")
    if _is_persons(display) and os.environ.get("WAYLAND_DISPLAY"):
        raise ConfigError(
            "Wayland lets no program see the screen or use the mouse: use --display virtual, or log in with X11"
        )


def _is_persons(display: str) -> bool:
    return not display or display.removesuffix(".0") == os.environ.get("DISPLAY", "").removesuffix(".0")


def _told(window: Window | None, frame: Frame) -> list[str]:
    """The window that gets the keys, in pixels of the screenshot."""
    if window is None:
        return []
    left, top, right, bottom = (
        math.floor((end - start) * frame.device_scale)
        for end, start in zip(
            (window.box.left, window.box.top, window.box.right, window.box.bottom),
            (frame.origin.x, frame.origin.y) * 2,
            strict=True,
        )
    )
    return [f"Active window: {_one_line(window.title) or window.app} at ({left}, {top}) to ({right}, {bottom})"]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _size(area: Box) -> str:
    return f"{area.right - area.left}x{area.bottom - area.top}"

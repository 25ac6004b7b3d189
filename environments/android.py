"""An Android device, driven through adb. Use an environment from one thread only."""

import io
import os
import re
import time
from contextlib import suppress
from typing import assert_never

from PIL import Image, UnidentifiedImageError

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
from action_space.geometry import Frame, Size
from environments.adb_server import server_port
from environments.android_input import density, press, touches
from environments.android_link import Link, Words
from environments.android_state import (
    APPS,
    PACKAGES,
    STATUS,
    App,
    Status,
    find_app,
    read_apps,
    read_packages,
    read_status,
)
from environments.android_typing import Typist
from environments.base import Observation
from environments.settle import Settled, wait_until_quiet

_THUMBNAIL = (240, 240)
_LOOKS = 4
"""How often a screen is looked at that turns, sleeps or is black meanwhile."""
_AGAIN = "start again, or go on with --resume"
_BLACK = ((0, 0), (0, 0), (0, 0))
_PNG = b"\x89PNG"
_WEB = ("http://", "https://")
_WOKEN = "The screen was off and was woken."
_FAILED = re.compile(r"^(?:Error\b|\*\* No activities found|Security exception)", re.MULTILINE)
_FORBIDDEN = re.compile(r"SecurityException|INJECT_EVENTS")
_WAKE = ("input", "keyevent", "KEYCODE_WAKEUP")


class AndroidEnvironment:
    """One device; see `Environment` for the contract. Points are pixels of the screenshot, which is the screen as held.

    serial: as `adb devices` says, or HOST:PORT to connect to; None takes ANDROID_SERIAL or the only device. app: label
    or package to open at the start. url: address to open at the start. adb_port: of the adb server; None takes
    ANDROID_ADB_SERVER_PORT or 5037.
    timeout_s: the longest that one answer may take. reconnect_s: how long a device that is lost is looked for.
    settle_s: the longest wait for a quiet picture.

    Raises ConfigError (no adb, several devices and no serial, an app that is not there) and DeviceError.
    """

    name = "android"
    actions = frozenset({"click", "drag", "scroll", "type", "press", "long_press", "open", "wait"})

    def __init__(
        self,
        serial: str | None = None,
        *,
        app: str | None = None,
        url: str | None = None,
        adb_port: int | None = None,
        timeout_s: float = 30.0,
        reconnect_s: float = 30.0,
        settle_s: float = 5.0,
    ) -> None:
        self._settle_s = settle_s
        self._closed = False
        self._frame: Frame | None = None
        self._notes: list[str] = []
        serial = serial or os.environ.get("ANDROID_SERIAL") or None
        self._link = Link(serial, port=adb_port or server_port(), timeout_s=timeout_s, reconnect_s=reconnect_s)
        self._typist = Typist(self._link, self._act)
        self._link.run(_WAKE)
        if url is not None:
            self._open_first(url, "--url")
        if app is not None:
            self._open_first(app, "--app")

    @property
    def serial(self) -> str:
        """Which device this is."""
        return self._link.serial

    @property
    def link(self) -> Link:
        """The way to the device, for measurements that need more of it than actions."""
        return self._link

    def observe(self) -> Observation:
        self._require_open()
        for _ in range(_LOOKS):
            seen = self._look()
            if isinstance(seen, Observation):
                return seen
        raise DeviceError(f"the screen of {self.serial!r} cannot be seen: {seen}; {_AGAIN}")

    def execute(self, action: Action) -> None:
        if action.kind not in self.actions:
            raise UnsupportedAction(
                f"an Android device cannot {action.kind!r}: use one of {', '.join(sorted(self.actions))}"
            )
        self._require_open()
        if points_of(action):
            frame = self._frame or self.observe().frame
            for point in points_of(action):
                frame.to_device(point)
            self._require_same_screen(frame)
        self._perform(action)

    def release(self) -> None:
        # A finger is never left on the glass: every touch is one command of the device. The keyboard may be another.
        if not self._closed:
            with suppress(ClickwrightError):
                self._typist.restore()

    def close(self) -> None:
        self.release()
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise DeviceError(f"the device was let go of: {_AGAIN}")

    def _open_first(self, target: str, option: str) -> None:
        if option == "--url" and not target.casefold().startswith(_WEB):
            raise ConfigError(f"--url {target!r} is no address: it must begin with http:// or https://")
        try:
            self._start(target)
        except InvalidAction as error:
            raise ConfigError(f"{option}: {error}") from error

    def _look(self) -> Observation | str:
        """The screen once it is quiet; or why it has to be looked at again."""
        pictures: list[Image.Image] = []

        def thumbnail() -> Image.Image:
            pictures[:] = [self._picture()]
            return pictures[0].resize(_THUMBNAIL, Image.Resampling.BOX)

        settled = wait_until_quiet(thumbnail, cap_s=self._settle_s)
        image, status = pictures[0], self._status()
        if not status.awake:
            self._wake()
            return "it is off and does not wake up, press its power button"
        if image.getextrema() == _BLACK:
            time.sleep(self._settle_s / _LOOKS)
            return f"the picture is black, {status.app or 'the app in front'} may forbid screenshots"
        size = Size(*image.size)
        if status.size is not None and _is_wide(status.size) != _is_wide(size):
            return "it keeps turning"
        scale = size.width / status.size.width if status.size else 1.0
        self._frame = Frame(size, size, scale, density=density(size))
        return self._observation(image, status, settled)

    def _picture(self) -> Image.Image:
        """A screenshot. Raises DeviceError when the device gives none: never a black one instead."""
        output = self._link.run(("screencap", "-p"))
        start = output.out.find(_PNG)
        try:
            # Devices with several displays put a warning in front of it.
            return Image.open(io.BytesIO(output.out[max(start, 0) :])).convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            said = _first_line(output.err) or f"{len(output.out)} bytes that are no picture"
            raise DeviceError(f"{self.serial!r} gave no screenshot: {said}; {_AGAIN}") from error

    def _status(self) -> Status:
        return read_status(self._link.run(*STATUS, joint=";").text)

    def _wake(self) -> None:
        self._act("waking the screen", _WAKE)
        if _WOKEN not in self._notes:
            self._notes.append(_WOKEN)

    def _observation(self, image: Image.Image, status: Status, settled: Settled) -> Observation:
        lines = [f"App: {status.app}/{status.activity}"] if status.app else []
        if status.locked:
            lines.append("The screen is locked.")
        lines += self._notes
        self._notes.clear()
        details = {"app": status.app, "activity": status.activity, "locked": "yes" if status.locked else "no"}
        assert self._frame is not None
        return Observation(image, self._frame, tuple(lines), settled.seconds, settled.quiet, details)

    def _require_same_screen(self, frame: Frame) -> None:
        size = self._status().size
        if size is not None and size != _touch_size(frame):
            raise InvalidAction(f"the screen has changed and is {size} now: look again before touching it")

    def _perform(self, action: Action) -> None:
        match action:
            case Click() | Drag() | LongPress() | Scroll():
                assert self._frame is not None
                self._act(f"carrying out {action.kind!r}", *touches(action, self._frame), extra_s=_own_seconds(action))
            case Type():
                self._typist.type_text(action.text)
            case Press():
                self._press(action)
            case Open():
                self._start(action.target)
            case Wait():
                time.sleep(action.seconds)
            case Move() | Ask() | Finish():
                raise UnsupportedAction(f"an Android device cannot {action.kind!r}")
            case _:
                assert_never(action)

    def _press(self, action: Press) -> None:
        key = action.keys[0]
        if len(action.keys) == 1 and len(key) == 1 and not key.isalnum():
            self._typist.type_text(key)
            return
        output = self._link.act(press(action))
        if output is None:
            self._note_doubt("pressing a key")
        elif output.code != 0:
            raise UnsupportedAction(
                f"this device cannot press {'+'.join(action.keys)!r}: {_first_line(output.err or output.out)}"
            )

    def _start(self, target: str) -> None:
        if target.casefold().startswith(_WEB):
            words: Words = ("am", "start", "-a", "android.intent.action.VIEW", "-d", target)
        else:
            words = _starting(find_app(target, self._apps()))
        output = self._link.act(words)
        if output is None:
            self._note_doubt(f"opening {target[:100]!r}")
        elif output.code != 0 or _FAILED.search(output.text):
            raise InvalidAction(f"{target[:100]!r} did not open: {_first_line(output.err or output.out)}")

    def _apps(self) -> list[App]:
        return read_apps(self._link.run(APPS).text) or read_packages(self._link.run(PACKAGES).text)

    def _act(self, doing: str, *commands: Words, extra_s: float = 0.0) -> None:
        """Carry out commands that must not be carried out twice. Raises DeviceError when the device refuses them."""
        output = self._link.act(*commands, extra_s=extra_s)
        if output is None:
            self._note_doubt(doing)
        elif output.code != 0 or _FORBIDDEN.search(output.text):
            said = _first_line(output.err or output.out)
            raise DeviceError(
                f"{self.serial!r} refused {doing}: {said}; allow simulated input in its developer options"
            )

    def _note_doubt(self, doing: str) -> None:
        self._notes.append(f"The connection to the device broke while {doing}: it may not have been done.")


def _starting(app: App) -> Words:
    if app.activity:
        launcher = ("-a", "android.intent.action.MAIN", "-c", "android.intent.category.LAUNCHER")
        return ("am", "start", *launcher, "-n", f"{app.package}/{app.activity}")
    return ("monkey", "-p", app.package, "-c", "android.intent.category.LAUNCHER", "1")


def _touch_size(frame: Frame) -> Size:
    return Size(round(frame.screen.width / frame.device_scale), round(frame.screen.height / frame.device_scale))


def _is_wide(size: Size) -> bool:
    return size.width > size.height


def _first_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


def _own_seconds(action: Click | Drag | LongPress | Scroll) -> float:
    match action:
        case LongPress() | Drag():
            return action.seconds
        case _:
            return 0.0

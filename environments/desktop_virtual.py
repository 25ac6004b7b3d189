"""A desktop of the agent's own: an X server without a screen, a window manager, and a session bus.

Each of them runs under a small shell that ends it when this program is gone, however it ended.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self

from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Size
from environments.x11_connection import Windows, connect

DEFAULT_SIZE = Size(1280, 720)
_START_S = 30.0
_END_S = 5.0
# The shell waits for the end of its input, which comes when the program that holds the other end dies in any way.
# `kill 0` ends what the command has started in its turn.
_KEEPER = '"$@" </dev/null & exec >/dev/null; read -r _; kill $!; wait; kill 0'
_PACKAGES = "apt-get install xvfb openbox"


class VirtualDisplay:
    """Runs until `close`. name: of the display, ":99". variables: what programs need to show up on it.

    size: in pixels. environment: what the programs on it find beside the display. Raises ConfigError, DeviceError.
    """

    def __init__(self, size: Size = DEFAULT_SIZE, environment: Mapping[str, str] | None = None) -> None:
        for program in ("Xvfb", "openbox"):
            if shutil.which(program) is None:
                raise ConfigError(f"a virtual display needs {program}, which is missing: {_PACKAGES}")
        self._cleanup = ExitStack()
        self.variables = {**os.environ, **(environment or {})}
        self.variables.pop("WAYLAND_DISPLAY", None)
        try:
            self.name = self._start_server(size)
            self.variables["DISPLAY"] = self.name
            self.variables["DBUS_SESSION_BUS_ADDRESS"] = self._start_bus()
            self._start_manager()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything on it. Safe to call twice."""
        self._cleanup.close()

    def _start_server(self, size: Size) -> str:
        screen = f"{size.width}x{size.height}x24"
        said = self._keep("Xvfb", "-displayfd", "1", "-screen", "0", screen, "-nolisten", "tcp", "-noreset")
        if not said.isdecimal():
            raise DeviceError(f"Xvfb does not start with a screen of {size}: try another size, or --display :N")
        return f":{said}"

    def _start_bus(self) -> str:
        """A session bus of its own: on the person's one, a program would show its window on the person's screen."""
        if shutil.which("dbus-daemon") is None:
            return "disabled:"
        return self._keep("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1") or "disabled:"

    def _start_manager(self) -> None:
        self._keep("openbox", "--sm-disable", talks=False)
        deadline = time.monotonic() + _START_S
        with _connected(self.name) as windows:
            while not windows.is_managed():
                if time.monotonic() > deadline:
                    raise DeviceError("the window manager openbox does not start: is it installed as a whole?")
                time.sleep(0.02)

    def _keep(self, *command: str, talks: bool = True) -> str:
        """Run a command until `close`; the first line that it prints, "" if it ends without one."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "sh", *command],
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._cleanup.callback(_end, process)
        if not talks or process.stdout is None:
            return ""
        return process.stdout.readline().decode("utf-8", "replace").strip()


@contextmanager
def _connected(name: str) -> Iterator[Windows]:
    """The windows of a display, for a moment."""
    display = connect(name)
    try:
        yield Windows(display)
    finally:
        display.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()


def read_size(text: str) -> Size:
    """The size in "virtual" or "virtual:1920x1080". Raises ConfigError."""
    match = re.fullmatch(r"virtual(?::([1-9]\d{0,4})x([1-9]\d{0,4}))?", text)
    if match is None:
        raise ConfigError(f"--display {text!r} is not known: give virtual, virtual:WIDTHxHEIGHT, or a display like :1")
    return Size(int(match[1]), int(match[2])) if match[1] else DEFAULT_SIZE

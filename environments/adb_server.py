"""The adb server: finding the program, starting a server, and one of our own for tests and demos."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import randrange
from typing import Any

from action_space.errors import ConfigError, DeviceError

_START_S = 20.0
_NULL = subprocess.DEVNULL


def server_port() -> int:
    """The port that adb and its clients agree on. Raises ConfigError."""
    text = os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ConfigError(f"ANDROID_ADB_SERVER_PORT is {text!r}, it must be a port such as 5037")
    return int(text)


def adb_program() -> str:
    """The adb of ADBUTILS_ADB_PATH, of the PATH, or of the adbutils package. Raises ConfigError when there is none."""
    try:
        return str(adbutils().adb_path())
    except (adbutils().AdbError, OSError) as error:
        raise ConfigError(f"no adb was found ({error}): install Android's platform tools, or adbutils' wheel") from None


def adbutils() -> Any:  # noqa: ANN401 (it has no types)
    """The package adbutils, imported when it is needed. Raises ConfigError when it is not installed."""
    try:
        import adbutils
    except ModuleNotFoundError as error:
        raise ConfigError(f"Android devices need {error.name}: pip install 'clickwright[android]'") from None
    return adbutils


def failures() -> tuple[type[Exception], ...]:
    """What adbutils raises when a server or a device does not do as it should."""
    return (adbutils().AdbError, OSError, EOFError, ValueError)


def ensure_server(port: int) -> None:
    """Start the server of this machine unless one is running. Raises ConfigError, DeviceError."""
    if answers(port):
        return
    program = adb_program()
    try:
        command = [program, "-P", str(port), "start-server"]
        subprocess.run(command, timeout=_START_S, check=True, stdin=_NULL, stdout=_NULL, stderr=_NULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise DeviceError(
            f"the adb server does not start on port {port} ({type(error).__name__}): "
            f"try `adb start-server` by hand, or another ANDROID_ADB_SERVER_PORT"
        ) from None


@contextmanager
def own_server() -> Iterator[int]:
    """An adb server that ends with the block and knows only what is connected to it; gives its port.

    Raises ConfigError, DeviceError.
    """
    program, port = adb_program(), free_port()
    with tempfile.TemporaryDirectory(prefix="clickwright-adb-") as home:
        # The keys and settings of the person at this machine are left alone.
        settings = {**os.environ, "HOME": home, "ANDROID_USER_HOME": home, "ADB_MDNS": "0"}
        command = [program, "-P", str(port), "nodaemon", "server"]
        with subprocess.Popen(command, env=settings, stdin=_NULL, stdout=_NULL, stderr=_NULL) as server:
            try:
                _wait_for(port, server)
                yield port
            finally:
                server.kill()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_S
    while not answers(port):
        if server.poll() is not None or time.monotonic() > end:
            raise DeviceError(f"an adb server of its own does not start on port {port}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port below those that systems give to whoever asks for any, so that it is still free when it is used."""
    while True:
        port = randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

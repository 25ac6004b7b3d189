"""One Android device behind an adb server: its shell, and how it is found again when it is lost.

Everything that goes to the device's shell is built by `shell_line`, which quotes every word. Nothing is typed twice: a
command that may have begun when the device was lost is repeated only if repeating does no harm.
"""

import shlex
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from action_space.errors import ConfigError, DeviceError, InvalidAction
from environments.adb_devices import AdbDevice, devices, explain, forget, is_network, is_ready, new_client
from environments.adb_server import answers, ensure_server, failures

Words = Sequence[str]

_FIRST_PATIENCE_S = 8.0
"""For a device that has yet to be connected: the server has to find it, or a person to say yes on its screen."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0
_PROBE_S = 10.0
_LONGEST_LINE = 60_000
"""Bytes; the protocol writes a length in four hexadecimal digits."""
_LARGEST_PACKET = 64 * 1024 * 1024
_STATUS_MARK = b"CLICKWRIGHT-EXIT:"
_OUT, _ERR, _EXIT = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Output:
    """What a line of shell left. code: its exit status. err: empty on old devices, which mix it into `out`."""

    out: bytes
    err: bytes
    code: int

    @property
    def text(self) -> str:
        return (self.out + self.err).decode("utf-8", "replace").strip()


class Lost(Exception):  # noqa: N818 (what happened)
    """The device did not answer. begun: whether it may have begun what it was told."""

    def __init__(self, reason: str, *, begun: bool) -> None:
        super().__init__(reason)
        self.begun = begun


def shell_line(*commands: Words, joint: str = "&&") -> str:
    """Commands as one line for a POSIX shell, each word quoted. Raises InvalidAction for what no shell can be given."""
    line = f" {joint} ".join(shlex.join(words) for words in commands)
    if "\0" in line:
        raise InvalidAction("a NUL character cannot be sent to a device: leave it out")
    try:
        size = len(line.encode())
    except UnicodeEncodeError:
        raise InvalidAction("half of a surrogate pair cannot be sent to a device: leave it out") from None
    if size > _LONGEST_LINE:
        raise InvalidAction(f"{size} bytes are too long for one command: the most is {_LONGEST_LINE}")
    return line


class Link:
    """serial: None takes the only device. timeout_s: for one answer. reconnect_s: how long a lost device is looked for.

    Raises ConfigError (no adb, which of several devices?) and DeviceError (none, or one that cannot be used).
    """

    def __init__(self, serial: str | None, *, port: int, timeout_s: float, reconnect_s: float) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._reconnect_s = reconnect_s
        self._has_status = True
        self._client = new_client(port, timeout_s)
        ensure_server(port)
        self.serial = serial or _only_one(devices(port))
        self._device = self._client.device(self.serial)
        problem = self._find_again(min(reconnect_s, _FIRST_PATIENCE_S))
        if problem is not None:
            raise DeviceError(f"the device {self.serial!r} cannot be used: {problem}")

    def run(self, *commands: Words, joint: str = "&&", extra_s: float = 0.0) -> Output:
        """Run commands that do no harm when they are run twice. Raises DeviceError when the device stays lost."""
        return self._run(shell_line(*commands, joint=joint), extra_s, repeat=True)

    def act(self, *commands: Words, extra_s: float = 0.0) -> Output | None:
        """Run commands once. None: the device was lost on the way and is back, and nobody knows how far they got."""
        try:
            return self._run(shell_line(*commands), extra_s, repeat=False)
        except Lost:
            return None

    def reach_back(self, port: int) -> int:
        """Let the device reach a port of this computer (`adb reverse`): the port on its side. Raises DeviceError."""
        try:
            with closing(self._device.open_transport(timeout=self._timeout_s)) as connection:
                connection.send_command(f"reverse:forward:tcp:0;tcp:{port}")
                connection.check_okay()  # it has heard it
                connection.check_okay()  # it has done it
                return int(connection.read_string_block())
        except failures() as error:
            raise DeviceError(f"`adb reverse` does not work on {self.serial!r}: {_reason(error)}") from error

    def reach_no_more(self, device_port: int) -> None:
        """Take back what `reach_back` gave; a device that is lost has lost it too."""
        with suppress(*failures()):
            self._device.reverse_remove(f"tcp:{device_port}")

    def _run(self, line: str, extra_s: float, *, repeat: bool) -> Output:
        end: float | None = None
        while True:
            try:
                return self._ask(line, self._timeout_s + extra_s)
            except Lost as lost:
                end = end or time.monotonic() + self._reconnect_s
                problem = self._find_again(end - time.monotonic())
                if problem is not None or time.monotonic() > end:
                    raise DeviceError(
                        f"the device {self.serial!r} was lost for {self._reconnect_s:g} s: {problem or lost}; "
                        "bring it back and go on with --resume"
                    ) from lost
                if lost.begun and not repeat:
                    raise

    def _find_again(self, patience_s: float) -> str | None:
        """Try to reach the device, with longer and longer pauses. What is still in the way in the end, or None."""
        end, pause_s = time.monotonic() + patience_s, _FIRST_PAUSE_S
        while (problem := self._problem()) is not None and time.monotonic() + pause_s < end:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return problem

    def _problem(self) -> str | None:
        """Try once to reach the device; what is in the way, or None."""
        try:
            ensure_server(self._port)
            state = self._connected_state()
            if state != "device":
                return explain(state)
            self._has_status = "shell_v2" in str(self._tell(self._device.get_features)).split(",")
            self._probe()
        except (Lost, DeviceError) as error:
            return str(error)
        return None

    def _probe(self) -> None:
        """Raises Lost when the device does not answer; the next try then makes a new connection, where it can."""
        try:
            self._ask("echo here", min(self._timeout_s, _PROBE_S))
        except Lost:
            if is_network(self.serial):
                forget(self.serial, self._port)
            raise

    def _connected_state(self) -> str:
        """The device's state, after a new connection if it needs one and is an address. Raises Lost, DeviceError."""
        state = self._state()
        if state in ("absent", "offline") and is_network(self.serial):
            # A server that believes to be connected would not connect anew.
            self._tell(lambda: self._client.disconnect(self.serial))
            said = str(self._tell(lambda: self._client.connect(self.serial, timeout=self._timeout_s)))
            state = self._state()
            if state == "absent":
                raise Lost(said, begun=False)
        return state

    def _state(self) -> str:
        return next((found.state for found in devices(self._port) if found.serial == self.serial), "absent")

    def _tell(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 (adbutils has no types)
        """Call adbutils, whose failures are many. Raises Lost."""
        try:
            return call()
        except failures() as error:
            raise Lost(_reason(error), begun=False) from error

    def _ask(self, line: str, timeout_s: float) -> Output:
        """Run one line. Raises Lost."""
        begun = False
        if not answers(self._port):
            # adbutils would start a server of its own, on another port.
            raise Lost("the adb server is gone", begun=False)
        try:
            with closing(self._device.open_transport(timeout=timeout_s)) as connection:
                begun = True
                if self._has_status:
                    connection.send_command(f"shell,v2:{line}")
                    connection.check_okay()
                    return _read_parts(connection.read_exact)
                connection.send_command(f"shell:{line}; echo {_STATUS_MARK.decode()}$?")
                connection.check_okay()
                return _read_marked(connection.read_until_close(encoding=None))
        except failures() as error:
            raise Lost(_reason(error), begun=begun) from error


def _read_parts(read: Callable[[int], bytes]) -> Output:
    """Output, errors and exit status in their packets. Raises EOFError when it is cut off, ValueError for nonsense."""
    parts: dict[int, bytearray] = {_OUT: bytearray(), _ERR: bytearray()}
    while True:
        kind, size = struct.unpack("<BI", read(5))
        if size > _LARGEST_PACKET:
            raise ValueError(f"a packet of {size} bytes")
        data = read(size) if size else b""
        if kind == _EXIT:
            return Output(bytes(parts[_OUT]), bytes(parts[_ERR]), data[0] if data else 0)
        if kind in parts:
            parts[kind] += data


def _read_marked(output: bytes) -> Output:
    """Output of a device that sends no exit status, so that the line said it. Raises EOFError when it is not there."""
    out, mark, status = output.rpartition(_STATUS_MARK)
    if not mark or not status.strip().isdigit():
        raise EOFError("the connection ended in the middle of an answer")
    return Output(out, b"", int(status))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _only_one(found: Sequence[AdbDevice]) -> str:
    """The serial to use when none was named. Raises ConfigError, DeviceError."""
    ready = [device for device in found if is_ready(device)]
    if len(ready) > 1:
        names = ", ".join(device.serial for device in ready)
        raise ConfigError(f"there are {len(ready)} Android devices: name one with --device ({names})")
    if ready:
        return ready[0].serial
    if found:
        raise DeviceError("; ".join(f"{device.serial!r} cannot be used: {explain(device.state)}" for device in found))
    raise DeviceError(
        "no Android device is connected: plug one in with USB debugging on, give --device HOST:PORT for a wireless "
        "one, or start a simulated one with `agent device simulate`"
    )

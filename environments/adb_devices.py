"""Which Android devices an adb server knows, and what their states mean."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from action_space.errors import ConfigError, DeviceError
from environments.adb_server import adbutils, ensure_server, failures, server_port

_NETWORK = re.compile(r"[^:\s]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_STATES = {
    "absent": "it is not connected: check the cable or the network, and that USB debugging is on",
    "offline": "it is offline: unlock its screen, or pull the cable and plug it in again",
    "unauthorized": "it does not trust this computer yet: accept the question on its screen",
    "authorizing": "it has not answered yet whether it trusts this computer: look at its screen",
    "connecting": "it has not finished connecting: try again in a moment",
    "no": "this user may not use the USB device: set up udev rules, or run as another user",
}


@dataclass(frozen=True, slots=True)
class AdbDevice:
    """state: "device" when it can be used, else adb's own word ("offline", "unauthorized"). model: "" if not known."""

    serial: str
    state: str
    model: str


def devices(port: int | None = None) -> list[AdbDevice]:
    """All devices of the server, which is started if need be. Raises ConfigError (no adb), DeviceError (no server)."""
    port = port or server_port()
    client = new_client(port, 10.0)
    ensure_server(port)
    try:
        return [
            AdbDevice(found.serial, found.state, str(found.tags.get("model", "")))
            for found in client.list(extended=True)
        ]
    except failures() as error:
        raise DeviceError(f"the adb server on port {port} does not answer: {error}") from error


def connect(serial: str) -> None:
    """`adb connect`. Raises ConfigError (no adb), DeviceError (no server, or it is not there)."""
    port = server_port()
    client = new_client(port, 10.0)
    ensure_server(port)
    try:
        said = str(client.connect(serial))
    except failures() as error:
        raise DeviceError(f"the adb server on port {port} does not answer: {error}") from error
    if "connected to" not in said:
        raise DeviceError(f"adb cannot connect to {serial!r}: {said}")


def forget(serial: str, port: int | None = None) -> None:
    """`adb disconnect`; a server that does not answer knows it no more either."""
    with suppress(ConfigError), suppress(*failures()):
        new_client(port or server_port(), 10.0).disconnect(serial)


def is_ready(device: AdbDevice) -> bool:
    return device.state == "device"


def is_network(serial: str) -> bool:
    """Whether a serial is an address that can be connected to."""
    return _NETWORK.fullmatch(serial) is not None


def explain(state: str) -> str:
    """What a state means and what to do, in words."""
    return _STATES.get(state, f"adb says {state!r}")


def new_client(port: int, timeout_s: float) -> Any:  # noqa: ANN401 (adbutils has no types)
    """adbutils' client of a server on this machine. Raises ConfigError when adbutils is not installed."""
    return adbutils().AdbClient(host="127.0.0.1", port=port, socket_timeout=timeout_s)

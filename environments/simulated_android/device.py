"""A simulated Android device, whole.

with simulated_android() as device:
    ...  # adb connect 127.0.0.1:PORT, which is device.serial

Its apps are small pages of this package; what they keep is read with `device.state(app)`, which no client can. The
cable is `unplug` and `plug`; `faults` breaks what a real one does at times.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from action_space.errors import ConfigError
from environments.adb_server import free_port
from environments.simulated_android.apps import LAUNCHER, PACKAGE, Store, serve_apps
from environments.simulated_android.auth import Consent, Keyring
from environments.simulated_android.commands import Commands
from environments.simulated_android.files import Files
from environments.simulated_android.phone import PHYSICAL, Phone, opened
from environments.simulated_android.screen import Screen
from environments.simulated_android.services import Services
from environments.simulated_android.transport import Connection, Endpoint, Faults

_BANNER = (
    b"device::ro.product.name=simulated;ro.product.model=Simulated_phone;ro.product.device=simulated;"
    b"features=cmd,shell_v2"
)
_OLD_BANNER = b"device::ro.product.name=simulated;ro.product.model=Simulated_phone;ro.product.device=simulated;"


class SimulatedAndroid:
    """Made by `simulated_android`. alarms: what reached the shell that should have been quoted."""

    def __init__(self, phone: Phone, port: int, auth: Consent | None, *, old: bool) -> None:
        self.phone = phone
        self.files = Files()
        self.faults = Faults()
        self.alarms: list[str] = []
        self._banner = _OLD_BANNER if old else _BANNER
        self._keyring = None if auth is None else Keyring(auth)
        self._services = Services(
            Commands(phone, self.files).run, self.alarms.append, self.files, lambda: opened(phone.picture())
        )
        # It has to be free again after the cable was pulled.
        self._endpoint = Endpoint(self._connection, port or free_port())

    @property
    def serial(self) -> str:
        """What it is called by adb."""
        return f"127.0.0.1:{self._endpoint.port}"

    def plug(self) -> None:
        """Listen again. Raises ConfigError when the port is taken."""
        try:
            self._endpoint.plug()
        except OSError as error:
            raise ConfigError(f"port {self._endpoint.port} cannot be listened on ({error.strerror})") from error

    def unplug(self) -> None:
        """Pull the cable: every connection ends, and none can be made."""
        self._endpoint.unplug()

    def renew(self) -> None:
        """As new: plugged in, upright, awake, nothing saved, nothing broken."""
        self.faults.reset()
        self.alarms.clear()
        self.phone.renew()
        self.unplug()
        self.plug()

    def consent(self, answer: Consent) -> None:
        """What the person says from now on when a computer wants to debug the device."""
        if self._keyring is not None:
            self._keyring.consent = answer

    def state(self, app: str) -> dict[str, object]:
        """What an app ("settings") keeps; {} before it was opened the first time."""
        kept = self.phone.store.get(f"{PACKAGE}{app}")
        return kept if isinstance(kept, dict) else {}

    def _connection(self, sock: socket.socket) -> Connection:
        return Connection(sock, self._banner, self._keyring, self.faults, self._services.find)


@contextmanager
def simulated_android(
    *, port: int = 0, auth: Consent | None = None, headless: bool = True, old: bool = False
) -> Iterator[SimulatedAndroid]:
    """A device on a loopback port until the block ends. port: 0 takes a free one. auth: what the person answers when a
    computer's key is new; None asks for no key. old: as before Android 7, without exit statuses.

    Raises ConfigError (no Chromium, the port is taken) and DeviceError (it does not start).
    """
    store = Store()
    with serve_apps(store) as address:
        screen = Screen(address, PHYSICAL, headless=headless)
        try:
            phone = Phone(screen, store)
            phone.start(LAUNCHER)
            device = SimulatedAndroid(phone, port, auth, old=old)
            device.plug()
            try:
                yield device
            finally:
                device.unplug()
        finally:
            screen.close()

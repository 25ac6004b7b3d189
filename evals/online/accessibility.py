"""What programs on a desktop say of themselves over AT-SPI, for verdicts: the agent itself never looks here.

AT-SPI is D-Bus: the session bus knows the address of a second bus, on which every program answers for its widgets.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from jeepney import DBusAddress, DBusErrorResponse, MessageType, Properties, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Box

_ACCESSIBLE = "org.a11y.atspi.Accessible"
_TEXT = "org.a11y.atspi.Text"
_COMPONENT = "org.a11y.atspi.Component"
_ANSWER_S = 10.0
Found = TypeVar("Found")
_STATES = {"checked": 4, "focused": 12, "showing": 25}
"""Bits of the state set."""


@dataclass(frozen=True, slots=True)
class Widget:
    """One thing on the screen, as its program names it. owner, path: its address on the bus."""

    owner: str
    path: str
    role: str
    name: str


class Accessibility:
    """Reads the widgets of every program on a session bus. Raises ConfigError when the bus has no AT-SPI."""

    def __init__(self, session_bus: str) -> None:
        try:
            with open_dbus_connection(session_bus, auth_timeout=_ANSWER_S) as session:
                where = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
                (address,) = _ask(session, where, "GetAddress")
            self._bus = open_dbus_connection(address, auth_timeout=_ANSWER_S)
        except (OSError, ValueError, RuntimeError, DBusErrorResponse) as error:
            raise ConfigError(
                f"the desktop has no accessibility bus ({error}): apt-get install at-spi2-core dbus"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bus.close()

    def widgets(self, program: str) -> list[Widget]:
        """Every widget of the programs of this name that is on the screen, parents first; [] while there is none."""
        return list(self._all(program))

    def find(self, program: str, role: str, name: str | None = None) -> Widget | None:
        """The first widget on the screen of a role, and of a name if one is given."""
        for widget in self._all(program):
            if widget.role == role and name in (None, widget.name):
                return widget
        return None

    def wait_for(self, program: str, role: str, name: str | None = None, *, within_s: float = 20.0) -> Widget:
        """The first such widget, once it is there. Raises DeviceError when it does not come."""
        return until(lambda: self.find(program, role, name), f"a {role} {name or ''} of {program}", within_s)

    def text(self, widget: Widget) -> str:
        """What stands in it."""
        (text,) = _ask(self._bus, _at(widget.owner, widget.path, _TEXT), "GetText", "ii", (0, -1))
        return str(text)

    def box(self, widget: Widget) -> Box:
        """Where it is on the screen."""
        ((left, top, width, height),) = _ask(
            self._bus, _at(widget.owner, widget.path, _COMPONENT), "GetExtents", "u", (0,)
        )
        return Box(left, top, left + width, top + height)

    def is_in_state(self, widget: Widget, state: str) -> bool:
        """Whether it is checked, focused or showing."""
        return self._is_in_state(widget.owner, widget.path, state)

    def _all(self, program: str) -> Iterator[Widget]:
        root = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root")
        for owner, path in self._children(*root):
            if self._name(owner, path).lower() == program.lower():
                try:
                    windows = self._children(owner, path)
                except DBusErrorResponse:
                    continue  # it has ended while we looked
                for child in windows:
                    yield from self._below(*child)

    def _below(self, owner: str, path: str) -> Iterator[Widget]:
        try:
            if not self._is_in_state(owner, path, "showing"):
                return
            (role,) = _ask(self._bus, _at(owner, path, _ACCESSIBLE), "GetRoleName")
            widget, children = Widget(owner, path, role, self._name(owner, path)), self._children(owner, path)
            # A menu that is closed has all its items, and none of them is on the screen.
            if role == "menu" and children and not self._is_in_state(*children[0], "showing"):
                children = []
        except DBusErrorResponse:
            # It has closed while we looked.
            return
        yield widget
        for child in children:
            yield from self._below(*child)

    def _is_in_state(self, owner: str, path: str, state: str) -> bool:
        ((low, _),) = _ask(self._bus, _at(owner, path, _ACCESSIBLE), "GetState")
        return bool(low >> _STATES[state] & 1)

    def _children(self, owner: str, path: str) -> list[tuple[str, str]]:
        (children,) = _ask(self._bus, _at(owner, path, _ACCESSIBLE), "GetChildren")
        return [(owner, path) for owner, path in children if not path.endswith("/null")]

    def _name(self, owner: str, path: str) -> str:
        try:
            message = Properties(_at(owner, path, _ACCESSIBLE)).get("Name")
            return str(_reply(self._bus, message)[0][1]).strip()
        except DBusErrorResponse:
            return ""


def until(look: Callable[[], Found | None], what: str, within_s: float = 20.0) -> Found:
    """What `look` gives, once it gives something. Raises DeviceError when that takes longer than `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise DeviceError(f"{what} has not come within {within_s:g} s")
        time.sleep(0.05)


def _at(owner: str, path: str, interface: str) -> DBusAddress:
    return DBusAddress(path, owner, interface)


def _ask(bus: DBusConnection, where: DBusAddress, method: str, kinds: str = "", values: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401
    return _reply(bus, new_method_call(where, method, kinds or None, values))


def _reply(bus: DBusConnection, message: Any) -> Any:  # noqa: ANN401 - of D-Bus's own types
    reply = bus.send_and_get_reply(message, timeout=_ANSWER_S)
    if reply.header.message_type is MessageType.error:
        raise DBusErrorResponse(reply)
    return reply.body

"""Targets that a device draws on its screen, to measure whether clicks land where they should.

Each is a square of a colour of its own, so that it can be found in a screenshot; the device says where a click arrived.
One file for each device, and a line in TARGETS.
"""

import pkgutil
from dataclasses import dataclass
from typing import Any, Protocol

from action_space.errors import ConfigError
from environments.base import Environment

SIDE = 9
"""Of a square, in device units: odd, so that it has a middle."""

TARGETS = {
    "android": "environments.android_targets:AndroidTargets",
    "browser": "environments.browser_targets:BrowserTargets",
    "desktop": "environments.desktop_targets:DesktopTargets",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A square. x, y: the device unit in its middle."""

    x: int
    y: int
    colour: tuple[int, int, int]

    @property
    def hex(self) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


class Targets(Protocol):
    """What a device shows while it is measured. Made with the environment alone."""

    def draw(self) -> tuple[Target, ...]:
        """Show them. Raises ConfigError or DeviceError."""

    def arrived(self) -> tuple[float, float] | None:
        """The device unit in which the newest click arrived, None if none has since the last call."""

    def close(self) -> None: ...


def targets_on(name: str, environment: Environment) -> Targets:
    """The targets of the environment `name`. Raises ConfigError for one that draws none."""
    if name not in TARGETS:
        raise ConfigError(f"the environment {name!r} draws no targets: --coords works on {', '.join(TARGETS)}")
    found: Any = pkgutil.resolve_name(TARGETS[name])
    made: Targets = found(environment)
    return made


def spread(left: int, top: int, width: int, height: int) -> tuple[Target, ...]:
    """Nine targets: the corners, the middles of the edges, and the middle. Device units."""
    half = SIDE // 2
    columns = (left + half, left + width // 2, left + width - 1 - half)
    rows = (top + half, top + height // 2, top + height - 1 - half)
    # Strong in red and blue and without green: no page and no window has these by chance.
    colours = [(200 + 5 * number, 0, 255 - 5 * number) for number in range(9)]
    return tuple(
        Target(x, y, colours[3 * row + column]) for row, y in enumerate(rows) for column, x in enumerate(columns)
    )

"""Whether clicks land where they should: targets are drawn, found in a screenshot, clicked, and asked where it was."""

import math
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image

from action_space.actions import Click
from action_space.errors import DeviceError
from action_space.geometry import Box, Point
from agent.devices import open_environment
from agent.trajectory import Settings
from environments.base import Environment
from environments.targets import Target, Targets, targets_on

_NAMES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))


@dataclass(frozen=True, slots=True)
class Landing:
    """One click. pixel: of the screenshot, where the target was found and clicked. Both others are device units."""

    name: str
    pixel: Point
    wanted: tuple[int, int]
    arrived: tuple[float, float]
    error_px: float

    def __str__(self) -> str:
        return (
            f"clicked pixel ({self.pixel.x}, {self.pixel.y}), arrived at ({self.arrived[0]:g}, {self.arrived[1]:g}), "
            f"the target is at ({self.wanted[0]}, {self.wanted[1]}): {self.error_px:g} px off"
        )


def measure_clicks(settings: Settings) -> list[Landing]:
    """Click nine targets on the device of the settings. Raises ConfigError, DeviceError."""
    with closing(open_environment(settings)) as environment, closing(targets_on(settings.env, environment)) as targets:
        return measure_drawn(environment, targets)


def measure_drawn(environment: Environment, targets: Targets) -> list[Landing]:
    """Draw the nine targets and click them. Raises DeviceError."""
    drawn = targets.draw()
    return [_measure(environment, targets, target, name) for target, name in zip(drawn, _NAMES, strict=True)]


def _measure(environment: Environment, targets: Targets, target: Target, name: str) -> Landing:
    # A look for every click: the picture of a moment ago says nothing about where things are now.
    seen = environment.observe()
    pixel = find_colour(seen.image, target.colour, name).center
    environment.execute(Click(point=pixel))
    arrived = targets.arrived()
    if arrived is None:
        raise DeviceError(f"the click on the {name} target at ({pixel.x}, {pixel.y}) never arrived")
    off = math.dist((math.floor(arrived[0]), math.floor(arrived[1])), (target.x, target.y))
    return Landing(name, pixel, (target.x, target.y), arrived, round(off * seen.frame.device_scale, 1))


def find_colour(image: Image.Image, colour: tuple[int, int, int], name: str) -> Box:
    """Where a picture has exactly this colour. Raises DeviceError if it is nowhere."""
    rows, columns = np.nonzero((np.asarray(image.convert("RGB")) == colour).all(axis=2))
    if not rows.size:
        raise DeviceError(f"the {name} target is not on the screenshot: is something in front of it?")
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)

"""Absolute pixels, and the one transform at each edge.

Three coordinate systems exist, and no others:

* model pixels: the picture after `smart_resize`, in which a Qwen2.5-VL model writes coordinates;
* screenshot pixels: the picture as it was taken. Every `Action` is in these;
* device units: what the input driver takes (CSS pixels, logical points, touch pixels).
"""

import math
from dataclasses import replace

from pydantic.dataclasses import dataclass

from action_space.errors import InvalidAction


@dataclass(frozen=True, slots=True)
class Point:
    """A pixel, origin top left. 0 is a valid coordinate."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size must be at least 1x1, not {self.width}x{self.height}")

    def contains(self, point: Point) -> bool:
        return 0 <= point.x < self.width and 0 <= point.y < self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: left and top inside, right and bottom the first pixel outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def center(self) -> Point:
        return Point((self.left + self.right) // 2, (self.top + self.bottom) // 2)

    def contains(self, point: Point) -> bool:
        return self.left <= point.x < self.right and self.top <= point.y < self.bottom


@dataclass(frozen=True, slots=True)
class Frame:
    """How one screenshot relates to the model's picture and to the device.

    model: size of the picture the model saw. screen: size of the screenshot. device_scale: screenshot
    pixels per device unit. origin: device coordinates of the screenshot's top left corner (negative on
    a monitor to the left of the first one). density: screenshot pixels per CSS pixel (or point), in which
    letters are about as large on every device; None: as device_scale.
    """

    model: Size
    screen: Size
    device_scale: float = 1.0
    origin: Point = Point(0, 0)
    density: float | None = None

    def to_screen(self, point: Point) -> Point:
        """Model pixel to the screenshot pixel under its centre. Raises InvalidAction outside the picture."""
        _require_inside(point, self.model)
        return Point(
            _rescale(point.x, self.model.width, self.screen.width),
            _rescale(point.y, self.model.height, self.screen.height),
        )

    def to_model(self, point: Point) -> Point:
        """Screenshot pixel to the model pixel under its centre. Raises InvalidAction outside the screen."""
        _require_inside(point, self.screen)
        return Point(
            _rescale(point.x, self.screen.width, self.model.width),
            _rescale(point.y, self.screen.height, self.model.height),
        )

    def to_device(self, point: Point) -> tuple[float, float]:
        """Screenshot pixel to device units (x, y). Raises InvalidAction outside the screen."""
        _require_inside(point, self.screen)
        return self.origin.x + point.x / self.device_scale, self.origin.y + point.y / self.device_scale

    def with_model(self, size: Size) -> "Frame":
        """The same screen, shown to a model at `size`."""
        return replace(self, model=size)


def _require_inside(point: Point, size: Size) -> None:
    if not size.contains(point):
        raise InvalidAction(
            f"({point.x}, {point.y}) is outside the screen: x must be 0 to {size.width - 1}, y 0 to {size.height - 1}"
        )


def _rescale(value: int, old: int, new: int) -> int:
    # Through the pixel's centre, in integers: the result is always in range, and exact when sizes are equal.
    return (2 * value + 1) * new // (2 * old)


def smart_resize(size: Size, *, factor: int = 28, min_pixels: int = 3136, max_pixels: int = 12845056) -> Size:
    """The size at which a Qwen2.5-VL model sees a picture of `size`: multiples of `factor`, within the pixel limits.

    Rule of transformers' Qwen2VLImageProcessor. Raises ValueError for an aspect ratio above 200.
    """
    width, height = size.width, size.height
    if max(width, height) / min(width, height) > 200:
        raise ValueError(f"the picture is {size}: its aspect ratio is above 200, crop it first")
    new_width, new_height = round(width / factor) * factor, round(height / factor) * factor
    if new_width * new_height > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
    elif new_width * new_height < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_width = math.ceil(width * grow / factor) * factor
        new_height = math.ceil(height * grow / factor) * factor
    return Size(new_width, new_height)

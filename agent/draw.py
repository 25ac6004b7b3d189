"""Boxes, points and their labels, drawn on a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from action_space.errors import ConfigError
from action_space.geometry import Box, Point

_COLOURS = ("#d81b60", "#1e88e5", "#2e7d32", "#e65100", "#6a1b9a", "#00838f", "#c62828", "#5d4037")
_LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """What to draw: a box or a point in picture pixels, and its label ("" for none)."""

    place: Box | Point
    label: str


def require_writable(path: Path) -> None:
    """Raises ConfigError if no picture can be written there: ask before the model does, which takes longer."""
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write the picture {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise ConfigError(f"cannot write the picture {str(path)!r}: it is a folder, give the name of a file")
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in ("PNG", "JPEG", "WEBP"):
        raise ConfigError(f"cannot write the picture {str(path)!r}: its name must end in .png, .jpg or .webp")


def save_drawing(image: Image.Image, shapes: Sequence[Shape], path: Path) -> None:
    """Write a copy of an RGB picture with shapes on it. Raises ConfigError if it cannot be written."""
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    unit = max(1, round(max(image.size) / 640))
    # All labels after all shapes, so that no box crosses a text.
    for index, shape in enumerate(shapes):
        _outline(draw, shape.place, _COLOURS[index % len(_COLOURS)], unit)
    for index, shape in enumerate(shapes):
        _name(draw, image.size, shape, _COLOURS[index % len(_COLOURS)], unit)
    try:
        drawn.save(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot write the picture {str(path)!r}: {reason}") from error


def _outline(draw: ImageDraw.ImageDraw, place: Box | Point, colour: str, unit: int) -> None:
    if isinstance(place, Box):
        # Pillow's right and bottom are inside, and its lines grow inwards.
        draw.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), outline=colour, width=1 + unit)
        return
    for radius, ink in ((4 + 2 * unit, "white"), (3 + 2 * unit, colour)):
        draw.ellipse((place.x - radius, place.y - radius, place.x + radius, place.y + radius), fill=ink)
    draw.point((place.x, place.y), fill="white")


def _name(draw: ImageDraw.ImageDraw, size: tuple[int, int], shape: Shape, colour: str, unit: int) -> None:
    label = " ".join(shape.label.split())[:_LONGEST_LABEL]
    if not label:
        return
    if isinstance(shape.place, Box):
        x, y = shape.place.left, shape.place.top
    else:
        x, y = shape.place.x + 6 + 2 * unit, shape.place.y - 2 * unit
    font = ImageFont.load_default(size=11 + 2 * unit)
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    width, height = right - left + 4 * unit, bottom - top + 4 * unit
    # Above a box where there is room, and always inside the picture.
    y = int(y - height) if isinstance(shape.place, Box) and y >= height else y
    corner_x = max(min(x, size[0] - width), 0)
    corner_y = max(min(y, size[1] - height), 0)
    draw.rectangle((corner_x, corner_y, corner_x + width, corner_y + height), fill=colour)
    draw.text((corner_x + 2 * unit - left, corner_y + 2 * unit - top), label, fill="white", font=font)

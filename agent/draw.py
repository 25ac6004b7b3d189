"""Boxes, points and their labels, drawn on a picture."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from action_space.errors import ConfigError
from action_space.geometry import Box, Point
from vlm.places import Labelled

Mark = Labelled[Box | Point]
"""What to draw."""

_COLOURS = ("#d81b60", "#1e88e5", "#2e7d32", "#e65100", "#6a1b9a", "#00838f", "#c62828", "#5d4037")
_LONGEST_LABEL = 40
_FONTS = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "arial.ttf", "msyh.ttc")
"""What machines may have; Pillow's own font knows hardly more than the letters of English."""
_NO_LETTER = "\U0010fffe"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def require_writable(path: Path) -> None:
    """Raises ConfigError if no picture can be written there: ask before the model does, which takes longer."""
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write the picture {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise ConfigError(f"cannot write the picture {str(path)!r}: it is a folder, give the name of a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"cannot write the picture {str(path)!r}: writing there is not permitted")
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in ("PNG", "JPEG", "WEBP"):
        raise ConfigError(f"cannot write the picture {str(path)!r}: its name must end in .png, .jpg or .webp")


def save_drawing(image: Image.Image, marks: Sequence[Mark], path: Path) -> None:
    """Write a copy of an RGB picture with marks on it. Raises ConfigError if it cannot be written."""
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    unit = max(1, round(max(image.size) / 640))
    # All labels after all marks, so that no box crosses a text.
    for index, mark in enumerate(marks):
        _outline(draw, mark.place, _COLOURS[index % len(_COLOURS)], unit)
    for index, mark in enumerate(marks):
        _name(draw, image.size, mark, _COLOURS[index % len(_COLOURS)], unit)
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
    for radius, ink in ((_radius(unit), "white"), (_radius(unit) - 1, colour), ((unit + 1) // 2, "white")):
        draw.ellipse((place.x - radius, place.y - radius, place.x + radius, place.y + radius), fill=ink)


def _radius(unit: int) -> int:
    return 4 + 2 * unit


def _name(draw: ImageDraw.ImageDraw, size: tuple[int, int], mark: Mark, colour: str, unit: int) -> None:
    label = " ".join(mark.label.split())
    if len(label) > _LONGEST_LABEL:
        label = label[: _LONGEST_LABEL - 3] + "..."
    if not label:
        return
    font = _font_for(label, 11 + 2 * unit)
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    width, height = int(right - left) + 4 * unit, int(bottom - top) + 4 * unit
    x, y = _corner(mark.place, width, height, size[0], _radius(unit) + 2)
    # Always inside the picture.
    x, y = max(min(x, size[0] - width), 0), max(min(y, size[1] - height), 0)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    draw.text((x + 2 * unit - left, y + 2 * unit - top), label, fill="white", font=font)


def _font_for(label: str, size: int) -> Font:
    """The font that lacks the fewest letters of a label; of equal ones Pillow's own, the same anywhere."""
    letters = {letter for letter in label if not letter.isspace()}
    return min(_fonts(size), key=lambda font: sum(_lacks(font, letter) for letter in letters))


@lru_cache(maxsize=8)
def _fonts(size: int) -> tuple[Font, ...]:
    found: list[Font] = [ImageFont.load_default(size)]
    for name in _FONTS:
        with suppress(OSError):
            found.append(ImageFont.truetype(name, size))
    return tuple(found)


def _lacks(font: Font, letter: str) -> bool:
    """Whether it draws a letter as it draws what no font has."""
    return bytes(font.getmask(letter)) == bytes(font.getmask(_NO_LETTER))


def _corner(place: Box | Point, width: int, height: int, right_edge: int, gap: int) -> tuple[int, int]:
    """Where a label begins: above a box if there is room, and beside a point, where it does not cover the point."""
    if isinstance(place, Box):
        return place.left, place.top - height if place.top >= height else place.top
    has_room = place.x + gap + width <= right_edge
    return place.x + gap if has_room else place.x - gap - width, place.y - height // 2

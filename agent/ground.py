"""Where on a picture is what the instruction names? One question, one point."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from action_space.actions import points_of
from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect, Turn
from action_space.errors import ConfigError, DeviceError, InvalidAction
from action_space.geometry import Box, Frame, Point, Size
from agent.planner import model_frame
from vlm.backends.base import Model

_BOX = re.compile(r"[\[(]\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*[\])]")


@dataclass(frozen=True, slots=True)
class Grounding:
    """point, box: pixels of the picture as a viewer shows it. box: None unless the model gave one. reply: verbatim."""

    point: Point
    box: Box | None
    size: Size
    reply: str
    seconds: float


def open_picture(path: Path) -> Image.Image:
    """The picture in a file as RGB, turned as its EXIF orientation says. Raises ConfigError."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise ConfigError(f"{str(path)!r} is not a picture that can be read: give a PNG, JPEG or WebP file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read the picture {str(path)!r}: {reason}") from error


def locate(model: Model, dialect: str | Dialect, image: Image.Image, instruction: str) -> Grounding:
    """Ask a model where something is.

    Raises InvalidAction if the reply points nowhere, ConfigError for a picture of impossible shape, ModelError.
    """
    if not instruction.strip():
        raise ConfigError(f"the instruction is empty ({instruction!r}): name what to point at")
    spoken = load_dialect(dialect) if isinstance(dialect, str) else dialect
    size = Size(*image.size)
    try:
        frame = model_frame(Frame(size, size), spoken)
    except DeviceError as error:
        raise ConfigError(str(error)) from error
    started = time.monotonic()
    messages = spoken.prompt(Turn(instruction, image, frame), instruction)
    reply = model.generate(messages, min_pixels=spoken.min_pixels, max_pixels=spoken.max_pixels, max_new_tokens=256)
    points = points_of(spoken.parse(reply.text, frame))
    if not points:
        raise InvalidAction(f"the model pointed at nothing, it replied {reply.text[:200]!r}")
    box = _box_around(points[0], reply.text, frame)
    return Grounding(points[0], box, size, reply.text, time.monotonic() - started)


def _box_around(point: Point, reply: str, frame: Frame) -> Box | None:
    """The box in the reply whose centre the point is, in pixels of the picture."""
    for match in _BOX.finditer(reply):
        left, top, right, bottom = (int(number) for number in match.groups())
        corners = Point(left, top), Point(right - 1, bottom - 1)
        if left < right and top < bottom and all(frame.model.contains(corner) for corner in corners):
            first, last = (frame.to_screen(corner) for corner in corners)
            box = Box(first.x, first.y, last.x + 1, last.y + 1)
            if box.contains(point):
                return box
    return None

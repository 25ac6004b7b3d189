"""Where on a picture is what the instruction names? One question, one point."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from action_space.actions import points_of
from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect, Turn
from action_space.errors import ConfigError, DeviceError, InvalidAction
from action_space.geometry import Box, Frame, Point, Size
from agent.look import gives_up
from agent.looks import place
from agent.planner import model_frame
from vlm.backends.base import Model, Reply
from vlm.places import to_box

LONGEST_REPLY = 256
_BOX = re.compile(r"[\[(]\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*[\])]")


@dataclass(frozen=True, slots=True)
class Grounding:
    """point, box: pixels of the picture as a viewer shows it. box: None unless the model gave one. reply: verbatim."""

    point: Point
    box: Box | None
    size: Size
    reply: str
    seconds: float


def locate(
    model: Model,
    dialect: str | Dialect,
    image: Image.Image,
    instruction: str,
    *,
    constrained: bool = False,
    looks: int = 0,
) -> Grounding:
    """Ask a model where something is. constrained, looks: see `agent.planner.Planner`.

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
    ask = asking_for(model, spoken, LONGEST_REPLY, constrained=constrained)
    placed = place(ask, Turn(instruction, image, frame), instruction, spoken, looks=looks, model=model)
    if placed.action is None:
        raise placed.mistake or InvalidAction("the reply holds no action")
    reply, points = placed.reply, points_of(placed.action)
    if gives_up(placed.action):
        raise InvalidAction(f"the model does not find {instruction[:200]!r} on the picture: say what is there")
    if not points:
        raise InvalidAction(f"the model pointed at nothing, it replied {reply.text[:200]!r}")
    box = _box_around(points[0], reply.text, frame)
    return Grounding(points[0], box, size, reply.text, time.monotonic() - started)


def asking_for(model: Model, dialect: Dialect, longest: int, *, constrained: bool) -> Callable[[Turn, str], Reply]:
    """Asks the model for the place that an instruction names, on the picture of a turn. longest: reply, in tokens.
    constrained: the reply follows the dialect's grammar, if it has one."""

    def ask(turn: Turn, instruction: str) -> Reply:
        return model.generate(
            dialect.prompt(turn, instruction),
            min_pixels=dialect.min_pixels,
            max_pixels=dialect.max_pixels,
            constraint=dialect.grammar(turn.frame, turn.spent) if constrained else None,
            max_new_tokens=longest,
        )

    return ask


def _box_around(point: Point, reply: str, frame: Frame) -> Box | None:
    """The box in the reply that the point is in, in pixels of the picture."""
    boxes = (to_box([int(number) for number in match.groups()], frame) for match in _BOX.finditer(reply))
    return next((box for box in boxes if box is not None and box.contains(point)), None)

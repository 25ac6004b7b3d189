"""One look at a screen: at the whole of it, moved a little, or at a part of it from closer.

A vision tower sees a picture in cells, so the screen is pasted onto a slightly larger picture whose sides are whole
cells, which also spares small text the blur of being resized. Screens of more than one pixel per CSS pixel are shrunk
to one: letters are as large then as those that the model learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from PIL import Image

from action_space.actions import Action, Click, Finish
from action_space.dialects.base import Dialect, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size, smart_resize
from vlm.backends.base import Reply

CELL = 28
"""Pixels of a merged token's side in Qwen2.5-VL."""
CLOSE, CLOSER = (672, 392), 1.5
"""The part of a screen that is looked at from closer, in CSS pixels, and how much larger: then it is of whole cells."""
MOST_OF_IT = 0.75
"""A part that is more than this of the screen is not worth a look from closer: it is nearly the same picture again,
with letters larger than those that the model learned."""
NEAR = 28, 14
"""CSS pixels across and down: an answer from closer within these of one at the whole screen means the same control."""
SURE = 0.95
"""Of 1,236 looks at generated pages those with at least this were right in 98 %, the others in 55 %
(docs/experiments.md, twenty-eighth session; `python -m evals.looking` counts them)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer that counts, and every reply that was asked for, one a look. action: in screenshot pixels, None for a
    mistake. close: whether it was found from closer."""

    reply: Reply
    asked: tuple[Reply, ...]
    action: Action | None = None
    mistake: InvalidAction | None = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A turn whose picture shows the screen from `corner` on, moved by an offset; offset None: as the dialect shows it,
    resized. scale: screenshot pixels for each of its own. close: a part of the screen, to see what was named there."""

    turn: Turn
    offset: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    corner: tuple[int, int] = (0, 0)
    close: bool = False

    def there(self, point: Point) -> Point:
        """A pixel of the screenshot, in its picture."""
        (left, top), (dx, dy), (across, down) = self.corner, self.offset or (0, 0), self.scale
        return Point(int((point.x - left) / across) + dx, int((point.y - top) / down) + dy)

    def back(self, point: Point) -> Point:
        """The pixel of the screenshot under the middle of one of its own, which may stand for several."""
        (left, top), (dx, dy), (across, down) = self.corner, self.offset or (0, 0), self.scale
        return Point(left + int((point.x - dx + 0.5) * across), top + int((point.y - dy + 0.5) * down))


def moved_look(turn: Turn, dialect: Dialect, offset: tuple[int, int]) -> Look | None:
    """None for a screen that would have to be resized all the same."""
    image, scale = _shrunk(turn)
    return _on_cells(dialect, Look(replace(turn, screenshot=image), offset, scale))


def closer_look(turn: Turn, dialect: Dialect, found: Sequence[Placed]) -> Look | None:
    """The part of the screen around the surest answer, enlarged; None if that is no click, or the part nearly all of
    the screen."""
    action = max(found, key=sureness).action
    image, density = turn.screenshot, density_of(turn)
    width, height = (min(round(of * density), side) for of, side in zip(CLOSE, image.size, strict=True))
    if not isinstance(action, Click) or width * height > MOST_OF_IT * image.width * image.height:
        return None
    left = min(max(0, action.point.x - width // 2), image.width - width)
    top = min(max(0, action.point.y - height // 2), image.height - height)
    part = image.crop((left, top, left + width, top + height))
    shown = part.resize((round(width * CLOSER / density), round(height * CLOSER / density)), Image.Resampling.LANCZOS)
    scale = width / shown.width, height / shown.height
    return _on_cells(dialect, Look(replace(turn, screenshot=shown), (0, 0), scale, (left, top), close=True))


def _on_cells(dialect: Dialect, look: Look) -> Look | None:
    """The same with its picture moved and on whole cells, which the model sees as it is; None if it would not."""
    image, offset = look.turn.screenshot, look.offset or (0, 0)
    size = Size(*(-(-(side + by) // CELL) * CELL for side, by in zip(image.size, offset, strict=True)))
    if not dialect.min_pixels <= size.width * size.height <= dialect.max_pixels or smart_resize(size) != size:
        return None
    canvas = Image.new("RGB", (size.width, size.height), image.convert("RGB").getpixel((0, image.height - 1)))
    canvas.paste(image, offset)
    spent = tuple(there for point in look.turn.spent if size.contains(there := look.there(point)))
    return replace(look, turn=replace(look.turn, screenshot=canvas, frame=Frame(size, size), spent=spent))


def read_reply(look: Look, reply: Reply, turn: Turn, dialect: Dialect, pointer: Point | None) -> Placed:
    """What a reply to a look says, in pixels of the turn's screenshot."""
    try:
        if look.offset is None:
            return Placed(reply, (), dialect.parse(reply.text, turn.frame, pointer))
        action = dialect.parse(reply.text, look.turn.frame, look.there(pointer) if pointer else None)
        if look.close and not isinstance(action, Click):
            raise InvalidAction("what was to be clicked was looked at from closer, and the reply is no click")
        return Placed(reply, (), moved_back(action, look, turn.frame.screen), close=look.close)
    except InvalidAction as mistake:
        return Placed(reply, (), mistake=mistake)


def moved_back(action: Action, look: Look, screen: Size) -> Action:
    """Raises InvalidAction for a point beside the screen."""
    moved = with_points(action, look.back)
    for name, point in moved:
        if isinstance(point, Point) and not screen.contains(point):
            raise InvalidAction(f"the {name} ({point.x}, {point.y}) is beside the screen of {screen}")
    return moved


def with_points(action: Action, move: Callable[[Point], Point]) -> Action:
    """The same action elsewhere."""
    return action.model_copy(update={name: move(value) for name, value in action if isinstance(value, Point)})


def is_sure(placed: Placed) -> bool:
    """Whether no other look is worth while. That something is not there is not believed at once."""
    return sureness(placed) >= SURE and not gives_up(placed.action)


def sureness(placed: Placed) -> float:
    """A mistake is the worst answer; without a word on it the first one counts. That something is not there, but not
    surely so, is worse than any place where it may be."""
    if placed.action is None:
        return -1.0
    sure = 1.0 if placed.reply.sure is None else placed.reply.sure
    return sure - 1 if gives_up(placed.action) and sure < SURE else sure


def gives_up(action: Action | None) -> TypeGuard[Finish]:
    """Whether the model says that what it should find is not there."""
    return isinstance(action, Finish) and action.status == "failure"


def are_near(one: Point, other: Point, within: tuple[int, int], density: float) -> bool:
    """Whether two places are within so many CSS pixels across and down."""
    across, down = (by * density for by in within)
    return abs(one.x - other.x) <= across and abs(one.y - other.y) <= down


def density_of(turn: Turn) -> float:
    """Screenshot pixels for each CSS pixel, at least one."""
    return max(1.0, turn.frame.density or turn.frame.device_scale)


def _shrunk(turn: Turn) -> tuple[Image.Image, tuple[float, float]]:
    """The screen at a pixel for each CSS pixel, and how much larger it was, across and down."""
    image, density = turn.screenshot, density_of(turn)
    if density <= 1:
        return image, (1.0, 1.0)
    small = image.resize((max(1, round(image.width / density)), max(1, round(image.height / density))))
    return small, (image.width / small.width, image.height / small.height)

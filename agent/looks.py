"""Where something is on a screen, asked again while the model is not sure: each time with the picture moved a little.

A vision tower sees a picture in cells, and which letters share one is chance: a small model that misreads a name in one
look reads it in the next, or finds there what it did not see. So the screen is pasted onto a slightly larger picture
whose sides are whole cells, which also spares small text the blur of being resized. The surest answer counts; that
something is not there is believed after all looks only, and only if one is sure of it. Screens of more than one pixel
per CSS pixel are shrunk to one: letters are as large then as those that the model learned.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

from PIL import Image

from action_space.actions import Action, Finish
from action_space.dialects.base import Dialect, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size, smart_resize
from vlm.backends.base import Reply

CELL = 28
"""Pixels of a merged token's side in Qwen2.5-VL."""
OFFSETS = ((0, 0), (14, 14), (0, 14), (14, 0))
"""How far the screen is moved in each look."""
MOST_LOOKS = len(OFFSETS)
SURE = 0.8
"""`python -m evals.looking`: of 572 looks at generated pages those with at least this were right in 93 %, the others in
58 %."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer that counts, and every reply that was asked for. action: in screenshot pixels, None for a mistake."""

    reply: Reply
    asked: tuple[Reply, ...]
    action: Action | None = None
    mistake: InvalidAction | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """A turn whose picture is moved by so much; None: as the dialect shows it, resized. scale: screenshot pixels for
    each of its own."""

    turn: Turn
    offset: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)


def place(
    ask: Callable[[Turn], Reply],
    turn: Turn,
    dialect: Dialect,
    *,
    looks: int,
    attempt: int = 0,
    pointer: Point | None = None,
) -> Placed:
    """Ask for the next action on the screen.

    looks: at most so many; 0 shows the picture as it is. attempt: of a question that was asked before in vain; then one
    look is taken, each time another one. Raises what `ask` raises.
    """
    asked: list[Reply] = []
    best: Placed | None = None
    for look in _looks(turn, dialect, looks, attempt):
        reply = ask(look.turn)
        asked.append(reply)
        found = _read(look, reply, turn, dialect, pointer)
        sure = _sureness(found) >= SURE and not gives_up(found.action)
        if best is None or sure or _sureness(found) > _sureness(best):
            best = found
        if sure:
            break
    assert best is not None
    return replace(best, asked=tuple(asked))


def gives_up(action: Action | None) -> TypeGuard[Finish]:
    """Whether the model says that what it should find is not there."""
    return isinstance(action, Finish) and action.status == "failure"


def _looks(turn: Turn, dialect: Dialect, most: int, attempt: int) -> Iterator[_Look]:
    moved = [look for offset in OFFSETS[:most] if (look := _moved(turn, dialect, offset))]
    if not moved:
        yield _Look(turn)
    elif attempt:
        yield moved[attempt % len(moved)]
    else:
        yield from moved


def _moved(turn: Turn, dialect: Dialect, offset: tuple[int, int]) -> _Look | None:
    """None for a screen that would have to be resized all the same."""
    image, scale = _shrunk(turn)
    size = Size(*(-(-(side + by) // CELL) * CELL for side, by in zip(image.size, offset, strict=True)))
    if not dialect.min_pixels <= size.width * size.height <= dialect.max_pixels or smart_resize(size) != size:
        return None
    canvas = Image.new("RGB", (size.width, size.height), image.convert("RGB").getpixel((0, image.height - 1)))
    canvas.paste(image, offset)
    spent = tuple(_moved_there(point, offset, scale) for point in turn.spent)
    return _Look(replace(turn, screenshot=canvas, frame=Frame(size, size), spent=spent), offset, scale)


def _shrunk(turn: Turn) -> tuple[Image.Image, tuple[float, float]]:
    """The screen at a pixel for each CSS pixel, and how much larger it was, across and down."""
    image, density = turn.screenshot, turn.frame.density or turn.frame.device_scale
    if density <= 1:
        return image, (1.0, 1.0)
    small = image.resize((max(1, round(image.width / density)), max(1, round(image.height / density))))
    return small, (image.width / small.width, image.height / small.height)


def _read(look: _Look, reply: Reply, turn: Turn, dialect: Dialect, pointer: Point | None) -> Placed:
    try:
        if look.offset is None:
            return Placed(reply, (), dialect.parse(reply.text, turn.frame, pointer))
        before = _moved_there(pointer, look.offset, look.scale) if pointer else None
        action = dialect.parse(reply.text, look.turn.frame, before)
        return Placed(reply, (), _moved_back(action, look, turn.frame.screen))
    except InvalidAction as mistake:
        return Placed(reply, (), mistake=mistake)


def _moved_there(point: Point, offset: tuple[int, int], scale: tuple[float, float]) -> Point:
    (dx, dy), (across, down) = offset, scale
    return Point(int(point.x / across) + dx, int(point.y / down) + dy)


def _moved_back(action: Action, look: _Look, screen: Size) -> Action:
    """Raises InvalidAction for a point beside the screen."""
    (dx, dy), (across, down) = look.offset or (0, 0), look.scale
    # The middle of a pixel of the small picture, which stands for several.
    places = {
        name: Point(int((value.x - dx + 0.5) * across), int((value.y - dy + 0.5) * down))
        for name, value in action
        if isinstance(value, Point)
    }
    for name, point in places.items():
        if not screen.contains(point):
            raise InvalidAction(f"the {name} ({point.x}, {point.y}) is beside the screen of {screen}")
    return action.model_copy(update=places)


def _sureness(placed: Placed) -> float:
    """A mistake is the worst answer; without a word on it the first one counts. That something is not there, but not
    surely so, is worse than any place where it may be."""
    if placed.action is None:
        return -1.0
    sure = 1.0 if placed.reply.sure is None else placed.reply.sure
    return sure - 1 if gives_up(placed.action) and sure < SURE else sure

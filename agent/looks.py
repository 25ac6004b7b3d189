"""Where something is on a screen, asked again while the model is not sure: from closer, or moved a little.

A vision tower sees a picture in cells, and which letters share one is chance: a small model that misreads a name in one
look reads it in the next, or finds there what it did not see. So the screen is pasted onto a slightly larger picture
whose sides are whole cells, which also spares small text the blur of being resized. Every second look is at the part of
the screen around the surest answer so far, enlarged: of two icons side by side it is often seen only then which is
which. The surest answer counts, at the point that was found near it from closer, if there is one: that is more exact,
since a cell is a smaller piece of the screen there. If no look is sure, a model that also tells how well a name fits a
place (`vlm.backends.base.Names`) is asked where on the whole screen the name fits best; of these and of what the looks
found that place counts whose look and name together are likeliest. That something is not there is believed after all
looks only, and only if one at the whole screen is sure of it, or if its name fits nowhere. Screens of more than one
pixel per CSS pixel are shrunk to one: letters are as large then as those that the model learned.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from typing import TypeGuard

from PIL import Image

from action_space.actions import Action, Click, Finish
from action_space.dialects.base import NOT_THERE, Dialect, SaysNames, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size, smart_resize
from vlm.backends.base import Model, Names, Reply

CELL = 28
"""Pixels of a merged token's side in Qwen2.5-VL."""
OFFSETS = ((0, 0), (14, 14), (0, 14), (14, 0))
"""How far the whole screen is moved in each look at it."""
CLOSE, CLOSER = (672, 392), 1.5
"""The part of a screen that is looked at from closer, in CSS pixels, and how much larger: then it is of whole cells."""
MOST_OF_IT = 0.75
"""A part that is more than this of the screen is not worth a look from closer: it is nearly the same picture again,
with letters larger than those that the model learned."""
NEAR = 28, 14
"""CSS pixels across and down: an answer from closer within these of one at the whole screen means the same control."""
MOST_LOOKS = len(OFFSETS)
APART = 14, 10
"""Places within these are one to ask about; of two small icons side by side the middles are further apart."""
SEARCHED = 4
"""Places where a name is searched for, when no look was sure."""
LEAST = 0.01
"""How likely a place is taken to be at least, to the model that looks (docs/experiments.md, thirty-first session)."""
ABSENT = -5.0
"""The logarithm of how likely look and name together find the best place, below which it is taken for not there."""
SURE = 0.95
"""Of 1,236 looks at generated pages those with at least this were right in 98 %, the others in 55 %
(docs/experiments.md, twenty-eighth session; `python -m evals.looking` counts them)."""


@dataclass(frozen=True, slots=True)
class Name:
    """A model that is asked about one name, see `vlm.backends.base.Names`. fits: for places on a picture the logit of
    the probability that each is called so. search: up to so many places on a picture that are likeliest."""

    fits: Callable[[Image.Image, Sequence[Point]], list[float]]
    search: Callable[[Image.Image, int], list[Point]]


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
class _Look:
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


def place(
    ask: Callable[[Turn], Reply],
    turn: Turn,
    dialect: Dialect,
    *,
    looks: int,
    attempt: int = 0,
    pointer: Point | None = None,
    name: Name | None = None,
) -> Placed:
    """Ask for the next action on the screen.

    looks: at most so many; 0 shows the picture as it is. attempt: of a question that was asked before in vain; then one
    look is taken, each time another one. name: of what is asked for. Raises what `ask` and `name` raise.
    """
    density = max(1.0, _density(turn))
    found: list[Placed] = []
    taken: list[_Look] = []
    for look in _looks(turn, dialect, looks, attempt, found):
        taken.append(look)
        found.append(_read(look, ask(look.turn), turn, dialect, pointer))
        if _is_sure(found[-1]):
            break
    best = max(found, key=lambda each: (_is_sure(each), _sureness(each)))
    fitting = None
    if name and not _is_sure(best) and not gives_up(best.action):
        fitting = _fitting(found, taken, name, turn, dialect, may_be_absent=not attempt)
    best = fitting or replace(best, action=_exact(best, found, density))
    return replace(best, asked=tuple(each.reply for each in found))


def name_for(model: Model, dialect: Dialect, plan: str) -> Name | None:
    """Asks a model about what a plan names; None where that cannot be asked."""
    name = dialect.named(plan) if isinstance(dialect, SaysNames) else None
    if name is None or not isinstance(model, Names) or not model.knows_names:
        return None
    within = partial(partial, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
    return Name(within(model.fits, name), within(model.search, name))


def gives_up(action: Action | None) -> TypeGuard[Finish]:
    """Whether the model says that what it should find is not there."""
    return isinstance(action, Finish) and action.status == "failure"


def _looks(turn: Turn, dialect: Dialect, most: int, attempt: int, found: Sequence[Placed]) -> Iterator[_Look]:
    """found: what came of the looks before, none of them sure, while the next one is asked for."""
    moved = [look for offset in OFFSETS[:most] if (look := _moved(turn, dialect, offset))]
    if not moved:
        yield _Look(turn)
    elif attempt:
        yield moved[attempt % len(moved)]
    else:
        seen = set[tuple[int, int]]()
        for number in range(len(moved)):
            close = _closer(turn, dialect, found) if number % 2 else None
            if close and close.corner not in seen:
                seen.add(close.corner)
                yield close
            else:
                yield moved.pop(0)


def _fitting(
    found: Sequence[Placed], taken: Sequence[_Look], name: Name, turn: Turn, dialect: Dialect, *, may_be_absent: bool
) -> Placed | None:
    """Of the places that were found, and of those where the name is searched for, the one whose look and name together
    are likeliest, or that it is not there; None without a place. may_be_absent: not after a place that was right
    perhaps was tried in vain."""
    whole = [look for look in taken if look.offset is not None and not look.close]
    if not whole or not any(isinstance(each.action, Click) for each in found):
        return None
    density, places = max(1.0, _density(turn)), list[tuple[Point, Placed]]()
    for each in (*sorted(found, key=_sureness, reverse=True), *_searched(whole[0], name, turn, dialect)):
        if isinstance(each.action, Click):
            point = each.action.point
            if not any(_are_near(point, other, APART, density) for other, _ in places):
                places.append((point, each))
    told = [name.fits(look.turn.screenshot, [look.there(point) for point, _ in places]) for look in whole]
    means = [sum(logits) / len(logits) for logits in zip(*told, strict=True)]
    likely = [log(max(LEAST, _sureness(each))) + mean for (_, each), mean in zip(places, means, strict=True)]
    best = likely.index(max(likely))
    if may_be_absent and likely[best] < ABSENT:
        return replace(places[best][1], action=Finish(status="failure", text=NOT_THERE))
    return places[best][1]


def _searched(look: _Look, name: Name, turn: Turn, dialect: Dialect) -> Iterator[Placed]:
    """Places where a name is likeliest in a look at the whole screen, as if the model had said so, not at all sure."""
    density = max(1.0, _density(turn))
    for point in name.search(look.turn.screenshot, SEARCHED):
        there = look.back(point)
        spent = any(_are_near(there, other, NEAR, density) for other in turn.spent)
        if turn.frame.screen.contains(there) and not spent:
            said = dialect.render(Click(point=point), look.turn.frame)
            yield Placed(Reply(said, sure=0.0), (), Click(point=there))


def _are_near(one: Point, other: Point, within: tuple[int, int], density: float) -> bool:
    """Whether two places are within so many CSS pixels across and down."""
    across, down = (by * density for by in within)
    return abs(one.x - other.x) <= across and abs(one.y - other.y) <= down


def _exact(best: Placed, found: Sequence[Placed], density: float) -> Action | None:
    """The action of the best answer, where that was seen from closer."""
    if best.close or not isinstance(best.action, Click):
        return best.action
    for each in sorted(found, key=_sureness, reverse=True):
        if (
            each.close
            and isinstance(each.action, Click)
            and _are_near(each.action.point, best.action.point, NEAR, density)
        ):
            return best.action.model_copy(update={"point": each.action.point})
    return best.action


def _moved(turn: Turn, dialect: Dialect, offset: tuple[int, int]) -> _Look | None:
    """None for a screen that would have to be resized all the same."""
    image, scale = _shrunk(turn)
    return _on_cells(dialect, _Look(replace(turn, screenshot=image), offset, scale))


def _closer(turn: Turn, dialect: Dialect, found: Sequence[Placed]) -> _Look | None:
    """The part of the screen around the surest answer, enlarged; None if that is no click, or the part nearly all of
    the screen."""
    action = max(found, key=_sureness).action
    image, density = turn.screenshot, max(1.0, _density(turn))
    width, height = (min(round(of * density), side) for of, side in zip(CLOSE, image.size, strict=True))
    if not isinstance(action, Click) or width * height > MOST_OF_IT * image.width * image.height:
        return None
    left = min(max(0, action.point.x - width // 2), image.width - width)
    top = min(max(0, action.point.y - height // 2), image.height - height)
    part = image.crop((left, top, left + width, top + height))
    shown = part.resize((round(width * CLOSER / density), round(height * CLOSER / density)), Image.Resampling.LANCZOS)
    scale = width / shown.width, height / shown.height
    return _on_cells(dialect, _Look(replace(turn, screenshot=shown), (0, 0), scale, (left, top), close=True))


def _on_cells(dialect: Dialect, look: _Look) -> _Look | None:
    """The same with its picture moved and on whole cells, which the model sees as it is; None if it would not."""
    image, offset = look.turn.screenshot, look.offset or (0, 0)
    size = Size(*(-(-(side + by) // CELL) * CELL for side, by in zip(image.size, offset, strict=True)))
    if not dialect.min_pixels <= size.width * size.height <= dialect.max_pixels or smart_resize(size) != size:
        return None
    canvas = Image.new("RGB", (size.width, size.height), image.convert("RGB").getpixel((0, image.height - 1)))
    canvas.paste(image, offset)
    spent = tuple(there for point in look.turn.spent if size.contains(there := look.there(point)))
    return replace(look, turn=replace(look.turn, screenshot=canvas, frame=Frame(size, size), spent=spent))


def _density(turn: Turn) -> float:
    """Screenshot pixels for each CSS pixel."""
    return turn.frame.density or turn.frame.device_scale


def _shrunk(turn: Turn) -> tuple[Image.Image, tuple[float, float]]:
    """The screen at a pixel for each CSS pixel, and how much larger it was, across and down."""
    image, density = turn.screenshot, _density(turn)
    if density <= 1:
        return image, (1.0, 1.0)
    small = image.resize((max(1, round(image.width / density)), max(1, round(image.height / density))))
    return small, (image.width / small.width, image.height / small.height)


def _read(look: _Look, reply: Reply, turn: Turn, dialect: Dialect, pointer: Point | None) -> Placed:
    try:
        if look.offset is None:
            return Placed(reply, (), dialect.parse(reply.text, turn.frame, pointer))
        action = dialect.parse(reply.text, look.turn.frame, look.there(pointer) if pointer else None)
        if look.close and not isinstance(action, Click):
            raise InvalidAction("what was to be clicked was looked at from closer, and the reply is no click")
        return Placed(reply, (), _moved_back(action, look, turn.frame.screen), close=look.close)
    except InvalidAction as mistake:
        return Placed(reply, (), mistake=mistake)


def _moved_back(action: Action, look: _Look, screen: Size) -> Action:
    """Raises InvalidAction for a point beside the screen."""
    places = {name: look.back(value) for name, value in action if isinstance(value, Point)}
    for name, point in places.items():
        if not screen.contains(point):
            raise InvalidAction(f"the {name} ({point.x}, {point.y}) is beside the screen of {screen}")
    return action.model_copy(update=places)


def _is_sure(placed: Placed) -> bool:
    return _sureness(placed) >= SURE and not gives_up(placed.action)


def _sureness(placed: Placed) -> float:
    """A mistake is the worst answer; without a word on it the first one counts. That something is not there, but not
    surely so, is worse than any place where it may be."""
    if placed.action is None:
        return -1.0
    sure = 1.0 if placed.reply.sure is None else placed.reply.sure
    return sure - 1 if gives_up(placed.action) and sure < SURE else sure

"""Where something is on a screen, asked again while the model is not sure: from closer, or moved a little.

A vision tower sees a picture in cells, and which letters share one is chance: a small model that misreads a name in one
look reads it in the next, or finds there what it did not see. So the screen is pasted onto a slightly larger picture
whose sides are whole cells, which also spares small text the blur of being resized. Every second look is at the part of
the screen around the surest answer so far, enlarged: of two icons side by side it is often seen only then which is
which. The surest answer counts, at the point that was found near it from closer, if there is one: that is more exact,
since a cell is a smaller piece of the screen there. If no look is sure, a model that also tells how well a name fits a
place (`vlm.backends.base.Names`) is asked where on the whole screen the name fits best, and, for "Delete Smith", where
"Delete" does on the line on which the looks find "Smith"; of these and of what the looks found that place counts whose
look and name together are likeliest. That something is not there is believed after all
looks only, and only if one at the whole screen is sure of it, or if its name fits nowhere. Screens of more than one
pixel per CSS pixel are shrunk to one: letters are as large then as those that the model learned.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import TypeGuard

from PIL import Image

from action_space.actions import Action, Click, Finish
from action_space.dialects.base import NOT_THERE, Dialect, SaysNames, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size, smart_resize
from vlm.backends.base import Model, Names, NamesOn, Reply

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
AROUND = (-12, -6, 0, 6, 12)
"""CSS pixels from a place, across and down, at which a name is held against the screen to find the middle."""
LEAST = 0.01
"""How likely a place is taken to be at least, to the model that looks (docs/experiments.md, thirty-first session)."""
ABSENT = -5.0
"""The logarithm of how likely look and name together find the best place, below which it is taken for not there."""
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
class _Called:
    """What is asked for by its name, and a model that knows names."""

    name: str
    model: Names
    dialect: Dialect
    """Its limits are those of pictures."""
    plan_for: Callable[[str], str]
    """The plan to click what reads so."""

    def on(self, look: "_Look") -> NamesOn:
        """The picture of a look, to be asked for names. Raises ModelError."""
        limits = self.dialect
        return self.model.names_on(look.turn.screenshot, min_pixels=limits.min_pixels, max_pixels=limits.max_pixels)


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
    ask: Callable[[Turn, str], Reply],
    turn: Turn,
    plan: str,
    dialect: Dialect,
    *,
    looks: int,
    attempt: int = 0,
    pointer: Point | None = None,
    model: Model | None = None,
) -> Placed:
    """Ask for what a plan means on the screen, without one for the next action.

    ask: about the picture of a turn, with a plan. looks: at most so many; 0 shows the picture as it is. attempt: of a
    question that was asked before in vain; then one look is taken, each time another one. model: is asked about names,
    if it knows any. Raises what `ask` and `model` raise.
    """
    density = max(1.0, _density(turn))
    found: list[Placed] = []
    taken: list[_Look] = []
    for look in _looks(turn, dialect, looks, attempt, found):
        taken.append(look)
        found.append(_read(look, ask(look.turn, plan), turn, dialect, pointer))
        if _is_sure(found[-1]):
            break
    best = max(found, key=lambda each: (_is_sure(each), _sureness(each)))
    whole = [look for look in taken if look.offset is not None and not look.close]
    fitting = None
    if not _is_sure(best) and isinstance(best.action, Click) and whole and (called := _called(model, dialect, plan)):

        def find(words: str) -> Placed:
            return place(ask, turn, called.plan_for(words), dialect, looks=looks)

        fitting = _fitting(found, whole, called, find, turn, may_be_absent=not attempt)
    best = fitting or replace(best, action=_exact(best, found, density))
    return replace(best, asked=(*(each.reply for each in found), *best.asked))


def _called(model: Model | None, dialect: Dialect, plan: str) -> _Called | None:
    """None where a plan names nothing, or the model knows no names."""
    if model is None or not isinstance(dialect, SaysNames):
        return None
    name = dialect.named(plan)
    if name is None or not isinstance(model, Names) or not model.knows_names:
        return None
    return _Called(name, model, dialect, dialect.naming)


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
    found: Sequence[Placed],
    whole: Sequence[_Look],
    called: _Called,
    find: Callable[[str], Placed],
    turn: Turn,
    *,
    may_be_absent: bool,
) -> Placed:
    """Of the places that were found, and of those where the name is searched for, the one whose look and name together
    are likeliest, or that it is not there.

    whole: looks at the whole screen. find: what reads so. may_be_absent: not after a place that was right perhaps was
    tried in vain.
    """
    density, places = max(1.0, _density(turn)), list[tuple[Point, Placed]]()
    pictures = [called.on(look) for look in whole]
    words, searched = _searched(pictures[0], whole[0], called, find, turn)
    for each in sorted((*found, *searched), key=_sureness, reverse=True):
        if isinstance(each.action, Click):
            point = each.action.point
            if not any(_are_near(point, other, APART, density) for other, _ in places):
                places.append((point, each))
    told = [
        picture.fits(called.name, [look.there(point) for point, _ in places])
        for picture, look in zip(pictures, whole, strict=True)
    ]
    means = [sum(logits) / len(logits) for logits in zip(*told, strict=True)]
    likely = [log(max(LEAST, _sureness(each))) + mean for (_, each), mean in zip(places, means, strict=True)]
    point, best = places[likely.index(max(likely))]
    action: Action = Click(point=_middle(pictures[0], whole[0], called.name, point))
    if may_be_absent and max(likely) < ABSENT:
        action = Finish(status="failure", text=NOT_THERE)
    return replace(best, action=action, asked=words.asked if words else ())


def _searched(
    picture: NamesOn, look: _Look, called: _Called, find: Callable[[str], Placed], turn: Turn
) -> tuple[Placed | None, list[Placed]]:
    """Places where a name is likeliest in a look at the whole screen, as if the model had said so, not at all sure;
    and, of a name in two parts, the words that were found, and where the first part is likeliest on their line, as sure
    as these are."""
    places, words = [(point, 0.0) for point in picture.search(called.name, SEARCHED)], None
    if parts := picture.parted(called.name):
        here, beside = parts
        words = find(beside)
        if isinstance(words.action, Click):
            point = picture.along(here, look.there(words.action.point).y)
            places += [(point, _sureness(words))] if point else []
    density, searched = max(1.0, _density(turn)), list[Placed]()
    for point, sure in places:
        there = look.back(point)
        spent = any(_are_near(there, other, NEAR, density) for other in turn.spent)
        if turn.frame.screen.contains(there) and not spent:
            said = called.dialect.render(Click(point=point), look.turn.frame)
            searched.append(Placed(Reply(said, sure=sure), (), Click(point=there)))
    return words, searched


def _middle(picture: NamesOn, look: _Look, name: str, point: Point) -> Point:
    """A place, moved towards the middle of what is called so around it: an icon's edge may fit as well."""
    at, (width, height) = look.there(point), look.turn.screenshot.size
    around = [Point(at.x + dx, at.y + dy) for dx in AROUND for dy in AROUND]
    around = [each for each in around if 0 <= each.x < width and 0 <= each.y < height]
    likely = [1 / (1 + exp(-logit)) for logit in picture.fits(name, around)]
    x, y = (
        round(sum(by * side for by, side in zip(likely, sides, strict=True)) / sum(likely))
        for sides in ([each.x for each in around], [each.y for each in around])
    )
    return look.back(Point(x, y))


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

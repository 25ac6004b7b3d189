"""Objects and places in replies: leniently read, and brought from the model's pixels into the picture's.

Made for lists that a model was cut off in, or garbled here and there: what is complete is kept, the rest is stepped
over. Nothing here raises.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from action_space.dialects.lenient import NotAValue, Reader, Value
from action_space.dialects.tool_call import read_point
from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Point, Size

P = TypeVar("P", bound=Box | Point, covariant=True)

BOX_KEYS = ("bbox_2d", "bbox", "box_2d", "box")
POINT_KEYS = ("point_2d", "point")

_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?")
_LIST = re.compile(r"\[[^\[\]{}]*\]")
_NONE = re.compile(r"\[\s*\]")
# A place and one text in which quotes were not escaped: {"bbox_2d": [1, 2, 3, 4], "text_content": "5" disk"}
_BAD_QUOTES = re.compile(
    r"""\{\s*["'](\w+)["']\s*:\s*([\[(][^\[\](){}]*[\])])\s*,\s*["'](\w+)["']\s*:\s*(["'])([^{}\n]*?)\4\s*\}"""
)
_MOST_FAILURES = 1000
_FARTHEST = 10**6


@dataclass(frozen=True)  # no slots: Python 3.11 could not call Labelled[Box](...) then
class Labelled(Generic[P]):
    """A box or a point in picture pixels, and what is there: a name, or the text that was read ("": not said)."""

    place: P
    label: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a reply. items: every one, also those inside others, in reading order. rest: the text behind the
    last one. broken: how many were begun and cannot be read."""

    items: tuple[dict[str, Value], ...]
    rest: str
    broken: int


def read_objects(text: str) -> Objects:
    """Every JSON object that is complete, but for closing braces at the end of the text."""
    items: list[dict[str, Value]] = []
    position = end = broken = 0
    for _ in range(len(text)):
        position = text.find("{", position)
        if position < 0 or broken > _MOST_FAILURES:
            break
        found, after, keys_read = _object_at(text, position)
        if found is None:
            # Goes on inside: the items of a list that was cut off are complete.
            broken += keys_read > 0
            position += 1
        else:
            items += _nested(found)
            position = end = after
    return Objects(tuple(items), text[end:], broken)


def _object_at(text: str, position: int) -> tuple[Value, int, int]:
    """The object (None: it cannot be read), the position behind it, and the number of keys read."""
    reader = Reader(text, position, close_braces=True)
    try:
        return reader.value(), reader.position, reader.keys_read
    except NotAValue:
        match = _BAD_QUOTES.match(text, position)
        if match is None:
            return None, position, reader.keys_read
    try:
        return {match[1]: Reader(match[2]).value(), match[3]: match[5]}, match.end(), 2
    except NotAValue:
        return None, position, reader.keys_read


def _nested(value: Value) -> Iterator[dict[str, Value]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nested(child)


def read_rows(text: str, length: int) -> list[Value]:
    """The lists of that many numbers, which stand there without objects around them."""
    rows = (_NUMBER.findall(match[0]) for match in _LIST.finditer(text))
    return [[float(number) for number in row] for row in rows if len(row) == length]


def says_none(text: str) -> bool:
    """Whether the reply is an empty list, which says that there is nothing."""
    return "{" not in text and _NONE.search(text) is not None


def prose_after(text: str) -> str:
    """What a reply says in words behind its last object or list; nothing of one that was cut off."""
    rest = _LIST.sub(" ", read_objects(text).rest.partition("{")[0])
    _, bracket, after = rest.rpartition("[")
    return after.partition("]")[2] if bracket else rest


def first_of(item: Mapping[str, Value], keys: Sequence[str]) -> Value:
    """The value of the first key that is there; None if none is."""
    return next((item[key] for key in keys if key in item), None)


def text_of(item: Mapping[str, Value], keys: Sequence[str]) -> str:
    """The text of the first key that has one, in characters that can be printed and sent; "" if none has."""
    values = (item[key] for key in keys if key in item)
    return next((sound(str(v)) for v in values if isinstance(v, str | int | float) and not isinstance(v, bool)), "")


def sound(text: str) -> str:
    """Text with every lone surrogate, which no file and no terminal takes, as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def boxes_in(value: Value, frame: Frame) -> list[Box]:
    """The boxes that a value means, in picture pixels: [x1, y1, x2, y2], a polygon, text with its numbers, or a list
    of such. Those outside the picture, and those that are no boxes, are left out."""
    boxes = (to_box(row, frame) for row in _number_rows(value))
    return [box for box in boxes if box is not None]


def to_box(corners: Sequence[float], frame: Frame) -> Box | None:
    """Corners x1, y1, x2, y2, ... in model pixels, in any order, to the box around them in picture pixels.

    It is clipped to the picture, and at least a pixel large. None if it lies outside, or if these are no corners.
    """
    if len(corners) < 4 or len(corners) % 2 or not all(math.isfinite(n) and abs(n) <= _FARTHEST for n in corners):
        return None
    if any(number % 1 for number in corners) and all(0 <= number <= 1 for number in corners):
        return None  # fractions of the picture: another model family's habit, and no pixels
    across = _side(corners[0::2], frame.model.width, frame.screen.width)
    down = _side(corners[1::2], frame.model.height, frame.screen.height)
    return None if across is None or down is None else Box(across[0], down[0], across[1], down[1])


def _side(numbers: Sequence[float], model: int, screen: int) -> tuple[int, int] | None:
    """First picture pixel inside and first one outside. These are edges between pixels, unlike a point's pixels, so
    they are scaled as they are: a box around the whole model picture is one around the whole picture."""
    low, high = min(numbers), max(numbers)
    if high < 0 or low > model:
        return None
    first = min(max(round(low * screen / model), 0), screen - 1)
    return first, min(max(round(high * screen / model), first + 1), screen)


def points_in(value: Value, frame: Frame) -> list[Point]:
    """The points that a value means, in picture pixels: [x, y], a box's centre, text with its numbers, or a list of
    such. One outside the picture is moved to its edge; those that are no points are left out."""
    rows = value if isinstance(value, list) and value and all(isinstance(row, list) for row in value) else [value]
    points = (_point(row, frame.model) for row in rows)
    return [frame.to_screen(point) for point in points if point is not None]


def _point(value: Value, size: Size) -> Point | None:
    try:
        point = read_point("point", value)
    except InvalidAction:
        return None
    return Point(min(max(point.x, 0), size.width - 1), min(max(point.y, 0), size.height - 1))


def _number_rows(value: Value) -> list[list[float]]:
    if isinstance(value, str):
        return [[float(number) for number in _NUMBER.findall(value[:1000])]]
    if not isinstance(value, list):
        return []
    rows = [row for row in value if isinstance(row, list)]
    if rows and all(len(row) == 2 for row in rows):  # corners as pairs
        return _number_rows([number for row in rows for number in row])
    if rows:
        return [numbers for row in rows for numbers in _number_rows(row)]
    numbers = [_number(item) for item in value]
    return [[number for number in numbers if number is not None]] if None not in numbers else []


def _number(item: Value) -> float | None:
    if isinstance(item, str):
        return float(item) if _NUMBER.fullmatch(item.strip()) else None
    return None if isinstance(item, bool) or not isinstance(item, int | float) else float(item)

"""What Qwen2.5-VL models can be asked about a picture besides acting on it: ask, and parse.

A `Task` is one question with the reader of its answer. The functions that make one (`boxes`, `points`, `counting`,
`ocr`, `key_values`, `document`, `spans`, `plain`) write the question in the words of the cookbooks; `ask` puts it to a
model. The `parse_*` functions are pure and can be used on any reply.

Boxes and points are in pixels of the picture that was given, clipped to it. The parsers keep every complete item of a
reply that was cut off, and step over what they cannot read. A reply without anything of what was asked for raises
`InvalidAction` and nothing else, as in the dialects: the model erred, and asking again or otherwise may help.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from PIL import Image

from action_space.dialects.lenient import NotAValue, Reader, Value
from action_space.dialects.tool_call import shown, without_thoughts
from action_space.dialects.tool_dialect import CHECKPOINT_MAX_PIXELS, CHECKPOINT_MIN_PIXELS
from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box, Frame, Point, Size, smart_resize
from action_space.messages import Clip, Message
from vlm.backends.base import Model, Reply
from vlm.places import (
    BOX_KEYS,
    POINT_KEYS,
    Labelled,
    boxes_in,
    first_of,
    points_in,
    prose_after,
    read_objects,
    read_rows,
    says_none,
    sound,
    text_of,
)
from vlm.qwen_html import Document, parse_document
from vlm.spans import Span, parse_spans

T = TypeVar("T")

READING_MIN_PIXELS, READING_MAX_PIXELS = 512 * 784, 2048 * 784
"""The picture limits of the OCR and document cookbooks: small print is enlarged."""

_LABELS = ("text_content", "label", "name", "text", "content", "description", "object")
_POINTS_TAG = re.compile(r"<points?\b([^<>]*)(?:>([^<>]*))?", re.IGNORECASE)
_PLACED = re.compile(r"\b([xy][0-9]{0,4})\s*=\s*[\"'](-?[0-9]{1,9}(?:\.[0-9]{1,9})?)[\"']")
_ALT = re.compile(r"\balt\s*=\s*(\"[^\"]*\"|'[^']*')")
_QUOTE = re.compile("[\"']")
_NUMBER_WORDS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_AMOUNT = rf"(?<![\w.,])([0-9]{{1,6}}|none|zero|{'|'.join(_NUMBER_WORDS)})(?![\w]|[.,][0-9])"
_STATED = re.compile(rf"\b(?:are|is|total|total of|count|answer|see)\b\W{{0,6}}{_AMOUNT}", re.IGNORECASE)
_ANY_AMOUNT = re.compile(_AMOUNT, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are: as many as there are places, or what the model stated if it gave no places.

    stated: the number in words behind the places, None without one. It may differ from `count`: then one is wrong.
    """

    count: int
    places: tuple[Labelled[Box | Point], ...]
    stated: int | None


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """A question and the reader of its answer.

    parse: raises InvalidAction. max_new_tokens: room for the reply. min_pixels, max_pixels: limits of the area.
    """

    question: str
    parse: Callable[[str, Frame], T]
    max_new_tokens: int
    system: str | None = None
    min_pixels: int = CHECKPOINT_MIN_PIXELS
    max_pixels: int = CHECKPOINT_MAX_PIXELS

    def prompt(self, image: Image.Image | Clip) -> list[Message]:
        """The question, and then the picture or video."""
        system = [Message("system", (self.system,))] if self.system is not None else []
        return [*system, Message("user", (self.question, image))]

    def frame(self, size: Size) -> Frame:
        """How a picture of that size is seen by the model. Raises ConfigError for an aspect ratio above 200."""
        try:
            return Frame(smart_resize(size, min_pixels=self.min_pixels, max_pixels=self.max_pixels), size)
        except ValueError as error:
            raise ConfigError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came out, and the reply it was read from, verbatim. seconds: for the whole call."""

    value: T
    reply: Reply
    seconds: float


def ask(model: Model, task: Task[T], image: Image.Image | Clip, *, max_new_tokens: int | None = None) -> Answer[T]:
    """Put a task to a model. image: in RGB, or a video; places in a video are in pixels of its frames.

    Raises InvalidAction if the reply cannot be read, ConfigError for a picture of impossible shape, ModelError.
    """
    frame = _frame(task, image)
    started = time.monotonic()
    reply = model.generate(
        task.prompt(image),
        min_pixels=task.min_pixels,
        max_pixels=task.max_pixels,
        max_new_tokens=max_new_tokens or task.max_new_tokens,
    )
    try:
        value = task.parse(reply.text, frame)
    except InvalidAction as error:
        cut = "" if reply.finished else f" (cut off after {reply.tokens_out} tokens)"
        raise InvalidAction(f"{error}; the model replied {shown(reply.text)}{cut}") from None
    return Answer(value, reply, time.monotonic() - started)


def _frame(task: Task[T], image: Image.Image | Clip) -> Frame:
    if not isinstance(image, Clip):
        return task.frame(Size(*image.size))
    if not image.frames:
        raise ConfigError("the video has no frames")
    size = Size(*image.frames[0].size)
    return Frame(size, size)


# --- the questions ---


def plain(question: str) -> Task[str]:
    """Any question; the answer is the reply without its thoughts."""
    return Task(question, lambda reply, _: parse_text(reply), 1024)


def boxes(what: str) -> Task[tuple[Labelled[Box], ...]]:
    """Where is every one of these? what: in words, as in "each small cake"."""
    return Task(f"Outline the position of {what} and output all the coordinates in JSON format.", parse_boxes, 2048)


def points(what: str) -> Task[tuple[Labelled[Point], ...]]:
    """Where is this, or each of these? what: in words."""
    return Task(
        f"point to {what}, output its coordinates in XML format <points x y>object</points>", parse_points, 2048
    )


def counting(what: str) -> Task[Count]:
    """How many are there? They are located first, then counted. what: in words, as in "item"."""
    question = (
        f"Please first output bbox coordinates and names of every {what} in this image in JSON format, "
        f"and then answer how many {what} are there in the image."
    )
    return Task(question, parse_count, 4096)


def ocr(level: Literal["line", "word"] = "line") -> Task[tuple[Labelled[Box], ...]]:
    """All the text and where it stands, line by line or word by word; the labels are the texts."""
    question = f"Spotting all the text in the image with {level}-level, and output in JSON format."
    return Task(question, parse_boxes, 4096, min_pixels=READING_MIN_PIXELS, max_pixels=READING_MAX_PIXELS)


def key_values(keys: Sequence[str]) -> Task[dict[str, str | None]]:
    """The values of these keys on a form or a receipt. Raises ConfigError for no key, or an empty one."""
    if not keys or not all(key.strip() for key in keys):
        raise ConfigError(f"the keys are {list(keys)!r}: give at least one, and none empty")
    wanted = json.dumps(dict.fromkeys((key.strip() for key in keys), ""), ensure_ascii=False)
    return Task(
        f"Extract the key-value information in the format:{wanted}",
        lambda reply, _: parse_key_values(reply, keys),
        1024,
        min_pixels=READING_MIN_PIXELS,
        max_pixels=READING_MAX_PIXELS,
    )


def document() -> Task[Document]:
    """A page as QwenVL HTML: what stands on it, in reading order, each part with its box."""
    return Task(
        "QwenVL HTML ",
        parse_document,
        8192,
        system=(
            "You are an AI specialized in recognizing and extracting text from images. Your mission is to analyze the "
            "image document and generate the result in QwenVL Document Parser HTML format using specified tags while "
            "maintaining user privacy and data integrity."
        ),
        min_pixels=READING_MIN_PIXELS,
        max_pixels=READING_MAX_PIXELS,
    )


def spans(query: str) -> Task[tuple[Span, ...]]:
    """When does this happen in a video? query: in words. Times are seconds from the first frame that is shown."""
    question = f"Give the query: '{query}', when does the described content occur in the video?"
    return Task(question, lambda reply, _: parse_spans(reply), 1024)


# --- the answers ---


def parse_text(reply: str) -> str:
    """The reply without its thoughts and the blanks around it. Raises InvalidAction if nothing is left."""
    text = sound(without_thoughts(reply)).strip()
    if not text:
        raise InvalidAction("the reply is empty")
    return text


def parse_boxes(reply: str, frame: Frame) -> tuple[Labelled[Box], ...]:
    """The `bbox_2d` objects of a reply, in its order; their labels, or the text in them. Empty for an empty list.

    Raises InvalidAction.
    """
    text = without_thoughts(reply)
    found = read_objects(text)
    items = [(first_of(item, BOX_KEYS), text_of(item, _LABELS)) for item in found.items]
    if not found.items and not found.broken:
        items = [(row, "") for row in read_rows(text, 4)]
    result = tuple(Labelled(box, label) for value, label in items for box in boxes_in(value, frame))
    if not result and not says_none(text):
        raise InvalidAction("the reply holds no box that can be read")
    return result


def parse_points(reply: str, frame: Frame) -> tuple[Labelled[Point], ...]:
    """The `<points>` of a reply, or its `point_2d` objects; of a box its centre. Empty for an empty list.

    Raises InvalidAction.
    """
    text = without_thoughts(reply)
    found = read_objects(text)
    items = [(first_of(item, (*POINT_KEYS, *BOX_KEYS)), text_of(item, _LABELS)) for item in found.items]
    items += _tagged_points(text)
    if not items and not found.broken:
        items = [(row, "") for row in read_rows(text, 2)]
    result = tuple(Labelled(point, label) for value, label in items for point in points_in(value, frame))
    if not result and not says_none(text):
        raise InvalidAction("the reply holds no point that can be read")
    return result


def _tagged_points(text: str) -> list[tuple[Value, str]]:
    """`<points x1="382" y1="583" x2="..." y2="..." alt="a cake">a cake</points>`."""
    found: list[tuple[Value, str]] = []
    for tag in _POINTS_TAG.finditer(text):
        places = {name: float(number) for name, number in _PLACED.findall(tag[1])}
        alt = _ALT.search(tag[1])
        label = sound((alt[1][1:-1] if alt else tag[2] or "").strip())
        found += [
            ([x, places[f"y{name[1:]}"]], label)
            for name, x in places.items()
            if name[0] == "x" and f"y{name[1:]}" in places
        ]
    return found


def parse_count(reply: str, frame: Frame) -> Count:
    """The places in a reply and the number behind them. Raises InvalidAction if it has neither."""
    text = without_thoughts(reply)
    places = _or_none(parse_boxes, text, frame) or _or_none(parse_points, text, frame)
    stated = _stated_count(text)
    if places is None and stated is None:
        raise InvalidAction("the reply holds neither a place nor a number")
    return Count(len(places) if places else stated or 0, places or (), stated)


def _or_none(parse: Callable[[str, Frame], T], text: str, frame: Frame) -> T | None:
    try:
        return parse(text, frame)
    except InvalidAction:
        return None


def _stated_count(text: str) -> int | None:
    """The number that a reply ends in: "There are 7 cakes", else the last number behind the places."""
    prose = prose_after(text)
    amounts = _STATED.findall(prose) or _ANY_AMOUNT.findall(prose)
    if not amounts:
        return None
    word = amounts[-1].lower()
    if word.isdecimal():
        return int(word)
    return _NUMBER_WORDS.index(word) if word in _NUMBER_WORDS else 0


def parse_key_values(reply: str, keys: Sequence[str]) -> dict[str, str | None]:
    """The value of every key in `keys`, None where the reply has none. Raises InvalidAction if it has none at all.

    Keys are compared without regard to case and blanks. Numbers, and values that are lists or objects, are given as
    the model wrote them.
    """
    found: dict[str, str | None] = {}
    for key, value in _pairs(without_thoughts(reply)):
        if found.get(_folded(key)) is None:
            found[_folded(key)] = value
    if not any(_folded(key) in found for key in keys):
        raise InvalidAction(f"the reply holds none of the keys {', '.join(repr(key) for key in keys)}")
    return {key: found.get(_folded(key)) for key in keys}


def _pairs(text: str) -> Iterator[tuple[str, str | None]]:
    """Every quoted key with a complete value behind it, at any depth, also in an object that was garbled or cut off."""
    position = 0
    while (quote := _QUOTE.search(text, position)) is not None:
        position = quote.end()
        reader = Reader(text, quote.start())
        try:
            key = reader.string()
            if not reader.next_is(":"):
                continue
            reader.next_is("")
            start = reader.position
            value = reader.value()
        except NotAValue:
            continue
        raw = text[start : reader.position]
        position = reader.position if isinstance(value, str) else position
        if _is_whole(value, reader):
            yield key, None if value is None else sound(value if isinstance(value, str) else raw)


def _is_whole(value: Value, reader: Reader) -> bool:
    """Whether a value ends there: a number at the end may have lost digits, a string may go on: "17" wide"."""
    if reader.at_end():
        return isinstance(value, str)
    return reader.text[reader.position] in (",}`" if isinstance(value, str) else ",}")


def _folded(key: str) -> str:
    return "".join(key.split()).casefold()

"""Spans of time in replies about videos."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from action_space.dialects.lenient import Value
from action_space.dialects.tool_call import without_thoughts
from action_space.errors import InvalidAction
from vlm.places import first_of, read_objects, read_rows, says_none, text_of

_STARTS = ("start_time", "start", "start_timestamp", "begin", "from")
_ENDS = ("end_time", "end", "end_timestamp", "to")
_WHOLE = ("timestamp", "timestamps", "time", "span", "time_range", "interval")
_LABELS = ("description", "event", "label", "caption", "text")

_CLOCK = r"(?:[0-9]{1,3}:)?[0-9]{1,3}:[0-9]{1,2}(?:\.[0-9]{1,6})?"
_SECONDS = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_UNIT = r"\s*(?:seconds?|secs?|s)\b"
_TIME = re.compile(rf"\s*(?:({_CLOCK})|({_SECONDS})(?:{_UNIT})?)\s*")
_RANGE = re.compile(
    rf"(?<![\w:.])({_CLOCK}|{_SECONDS})({_UNIT})?\s*(?:-|–|—|~|to|until|till|and|through)\s*({_CLOCK}|{_SECONDS})"
    rf"(?![0-9:]|\.[0-9])({_UNIT})?",
    re.IGNORECASE,
)
_LONGEST_S = 10**6


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video, in seconds from its beginning, and what happens in it ("" if the model did not say)."""

    start_s: float
    end_s: float
    label: str = ""


def parse_spans(reply: str) -> tuple[Span, ...]:
    """The spans of a reply, in its order: JSON objects with a start and an end, or prose such as "64.0 - 72.0 seconds".

    Times are seconds, mm:ss.ff or hh:mm:ss.ff. Swapped ends are put in order. Empty for an empty list. Raises
    InvalidAction.
    """
    text = without_thoughts(reply)
    objects = read_objects(text)
    found = [span for item in objects.items if (span := _span_of(item)) is not None]
    if not found and not objects.items and not objects.broken:
        found = _written(text) or [span for row in read_rows(text, 2) if (span := _ends(row)) is not None]
    if not found and not says_none(text):
        raise InvalidAction("the reply holds no span of time that can be read")
    return tuple(found)


def seconds_of(value: Value) -> float | None:
    """Seconds from 64.0, "64.0", "64.0 seconds", "01:04.00" or "00:01:04"; None for anything else, or over 10^6 s."""
    if isinstance(value, str):
        match = _TIME.fullmatch(value[:100])
        return _clock(match[1] or match[2]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _LONGEST_S else None


def _clock(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return round(total, 6)


def _span_of(item: dict[str, Value]) -> Span | None:
    label = text_of(item, _LABELS)
    span = _ends([first_of(item, _STARTS), first_of(item, _ENDS)])
    if span is None:
        whole = first_of(item, _WHOLE)
        written = _written(whole[:200]) if isinstance(whole, str) else []
        span = _ends(whole) if isinstance(whole, list) else (written[0] if written else None)
    return Span(span.start_s, span.end_s, label) if span is not None else None


def _ends(values: Value | Sequence[Value]) -> Span | None:
    if not isinstance(values, list) or len(values) != 2:
        return None
    first, last = seconds_of(values[0]), seconds_of(values[1])
    return None if first is None or last is None else Span(min(first, last), max(first, last))


def _written(text: str) -> list[Span]:
    """Spans in prose. Bare numbers are times only if nothing in the text is marked as one: they may be years."""
    matches = list(_RANGE.finditer(text))
    marked = [match for match in matches if ":" in match[1] + match[3] or match[2] or match[4]]
    spans = (_ends([match[1], match[3]]) for match in marked or matches)
    return [span for span in spans if span is not None]

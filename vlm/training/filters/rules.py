"""The second stage: rules, some for all records and some for a domain. A rule gives the reason to drop a record, or "".

Rules look at a record alone. What needs its picture gets it with the record, as it is stored.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from action_space.geometry import Box, Point
from action_space.words import find_words
from vlm.training.data.records import Picture, Record
from vlm.training.filters.domains import words_of

LONGEST_ANSWER: Mapping[str, int] = {"documents": 6000, "reading": 2000, "description": 1500, "video": 1500}
"""Characters; in all other domains 300."""
SMALLEST, LARGEST = 6, 0.6
"""A box: pixels of its shorter side, and the share of the picture."""
FLATTEST = 6
"""Grey levels between the darkest and the brightest of what can be seen."""
_HARM = re.compile(
    r"\b(delete (my |your |the )?account|wire transfer|format (the )?(disk|drive)|erase everything|suicide|bomb|nazi"
    r"|rape|fuck\w*|shit\w*|cunt|(my|the) password is)\b",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){15}\d(?!\d)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffd]")
_CALL = re.compile(r"click\((\d+), (\d+)\)")
_RUN = re.compile(r"(.)\1{15,}|(\S{2,})(?:\s*\2){5,}")
_NOTHING = ("none", "nothing", "not there", "not on", "absent")


@dataclass(frozen=True, slots=True)
class Case:
    """A record with its domain, and its last picture or None."""

    record: Record
    domain: str
    picture: Image.Image | None = None


Rule = Callable[[Case], str]


def first_reason(case: Case) -> str:
    """Why the record has to go, "" if it may stay."""
    return next((why for rule in (*FOR_ALL, *OF_DOMAIN.get(case.domain, ())) if (why := rule(case))), "")


def _malformed(case: Case) -> str:
    record = case.record
    shown = [part.image for part in record.prompt if isinstance(part, Picture)]
    if not words_of(record).strip() or not record.answer.strip():
        return "malformed: nothing is asked or answered"
    if any(number >= len(record.images) for number in shown):
        return "malformed: a picture that the record does not have"
    return "malformed: characters that are none" if _CONTROL.search(words_of(record) + record.answer) else ""


def _cut_off(case: Case) -> str:
    answer = case.record.answer.rstrip()
    cut = answer.endswith(("...", "…", ",", "\\", "<")) or answer.count("(") > answer.count(")")
    return "cut off" if cut else ""


def _too_long(case: Case) -> str:
    return "too long" if len(case.record.answer) > LONGEST_ANSWER.get(case.domain, 300) else ""


def _repetition(case: Case) -> str:
    answer = case.record.answer
    if case.domain == "documents":  # rows of a table are alike
        return "repetition" if re.search(r"(.)\1{60,}", answer) else ""
    words = answer.lower().split()
    often = Counter(zip(words, words[1:], words[2:], strict=False)).most_common(1)
    return "repetition" if _RUN.search(answer) or (often and often[0][1] >= 4) else ""


def _harmful(case: Case) -> str:
    text = words_of(case.record) + "\n" + case.record.answer
    if _HARM.search(text):
        return "harmful: what must not be asked for"
    return "harmful: a card number" if any(_is_card(found) for found in _CARD.findall(text)) else ""


def _is_card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()][::-1]
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


def _bad_box(case: Case) -> str:
    size = case.picture.size if case.picture else None
    for box in case.record.truth.boxes:
        if min(box.right - box.left, box.bottom - box.top) < SMALLEST:
            return "low quality: a box that is too small"
        if size and (min(box.left, box.top) < 0 or box.right > size[0] or box.bottom > size[1]):
            return "low quality: a box beyond the picture"
        if size and _area(box) > LARGEST * size[0] * size[1]:
            return "low quality: a box over most of the picture"
    return ""


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)


def _unseen(case: Case) -> str:
    """A control of one colour with what is around it cannot be found by looking."""
    if case.picture is None or not case.record.truth.boxes:
        return ""
    boxes = case.record.truth.boxes
    left, top = min(b.left for b in boxes) - 4, min(b.top for b in boxes) - 4
    right, bottom = max(b.right for b in boxes) + 4, max(b.bottom for b in boxes) + 4
    grey = np.asarray(case.picture.convert("L").crop((left, top, right, bottom)))
    return "low quality: nothing to be seen in the box" if int(np.ptp(grey)) < FLATTEST else ""


def _point_off(case: Case) -> str:
    record = case.record
    if not record.truth.boxes:
        told = any(word in record.answer.lower() for word in _NOTHING)
        return "" if told else "malformed: a point of what is not there"
    call = _CALL.fullmatch(record.answer)
    if call is None:
        return "" if "click" not in record.answer else "malformed: no call"
    point = Point(int(call[1]), int(call[2]))
    return "" if any(box.contains(point) for box in record.truth.boxes) else "low quality: a point beside the box"


def _unnamed(case: Case) -> str:
    """The name of what is meant has to be asked for, unless it is told by its place or its picture."""
    record = case.record
    names = [text.lower() for text in record.truth.texts]
    plain = record.form in ("button", "link", "field", "select", "checkbox", "switch", "radio", "tab", "text", "label")
    if not plain or not names:
        return ""
    if not all(names):  # one sign is enough: the keys of a calculator have no more
        return "low quality: a name without a letter"
    said = words_of(record).lower()
    return "" if any(name in said for name in names) else "irrelevant: another control than the one that is asked for"


def _bad_plan(case: Case) -> str:
    record = case.record
    if record.images or record.form != "plan":
        return ""
    words = words_of(record)
    if not (words.startswith("Task: ") and words.endswith("Next?")):
        return "malformed: no planning prompt"
    try:
        quotes = [str(json.loads(quote)) for quote in re.findall(r'"(?:[^"\\]|\\.)*"', record.answer)]
    except ValueError:
        return "malformed: a quote that is none"
    if record.answer.count('"') % 2 and not quotes:
        return "cut off"
    task = words.splitlines()[0].lower()
    if record.answer.startswith(("click", "type")) and not all(find_words(task, quote.lower()) for quote in quotes):
        return "irrelevant: a plan about what the task does not name"
    done = [re.sub(r"^\d+\. | \(.*\)$", "", line) for line in words.splitlines()[1:-1]]
    again = len(done) >= 3 and done[-3:] == [record.answer] * 3
    return "repetition: a step for the fourth time" if again else ""


def _not_the_truth(case: Case) -> str:
    """An answer that says nothing of what is on the picture."""
    record = case.record
    texts = [text.lower() for text in record.truth.texts if text.strip()]
    said = record.answer.lower()
    return "" if not texts or any(text in said for text in texts) else "irrelevant: nothing of what is to be seen"


def _open_tag(case: Case) -> str:
    answer = case.record.answer
    opened, closed = (Counter(re.findall(rf"<{mark}(\w+)", answer)) for mark in ("", "/"))
    void = {"br", "hr", "img", "input", "meta"}
    return "cut off" if any(closed[tag] != number for tag, number in opened.items() if tag not in void) else ""


def _bad_span(case: Case) -> str:
    return "malformed: a span that ends before it begins" if any(a >= b for a, b in case.record.truth.spans) else ""


FOR_ALL: tuple[Rule, ...] = (_malformed, _harmful, _cut_off, _too_long, _repetition)
OF_DOMAIN: Mapping[str, tuple[Rule, ...]] = {
    "pointing": (_point_off, _bad_box, _unnamed, _unseen),
    "planning": (_bad_plan,),
    "reading": (_bad_box, _not_the_truth),
    "knowledge": (_not_the_truth,),
    "description": (_not_the_truth,),
    "questions": (_bad_box,),
    "documents": (_open_tag,),
    "video": (_bad_span,),
}

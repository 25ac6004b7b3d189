"""The first stage: what a record is about. Eight domains and thirty sub-categories, the report's adapted to screens.

The report classifies instructions by a model that was trained for it; here the makers know what they asked, so rules
over a record's kind, form, prompt and truth are enough.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlm.training.data.records import Kind, Record

DOMAINS: Mapping[str, tuple[str, ...]] = {
    "pointing": ("button", "link", "field", "list", "toggle", "option", "tab", "icon", "absent"),
    "planning": ("first step", "next step", "after no effect", "end of the task"),
    "reading": ("words", "region"),
    "knowledge": ("icon name", "purpose"),
    "description": ("screen", "element", "several pictures"),
    "questions": ("yes or no", "number", "place", "value"),
    "documents": ("page", "table", "form"),
    "video": ("description", "moment", "change"),
}
"""Each domain with its sub-categories."""

_POINTED = {
    "button": "button",
    "link": "link",
    "menu item": "link",
    "entry": "link",
    "field": "field",
    "input": "field",
    "textbox": "field",
    "select": "list",
    "list": "list",
    "dropdown": "list",
    "checkbox": "toggle",
    "check box": "toggle",
    "switch": "toggle",
    "toggle": "toggle",
    "radio": "option",
    "option": "option",
    "choice": "option",
    "tab": "tab",
    "icon": "icon",
}
"""The word for a control -> its sub-category; what has no such word is a link, or looks like one."""
_NOUN = re.compile(rf"\b({'|'.join(_POINTED)})\b")
_NAME = re.compile(r"""["'“`«].*["'”`»]""")
_NUMBER = re.compile(r"\s*\d+\W*")
_SIDES = re.compile(r"\b(left|right|above|below|over|under|top|bottom|where|first|last|next to)\b", re.IGNORECASE)
_SMALL_PART, _FEW_WORDS = 60, 8


@dataclass(frozen=True, slots=True)
class Category:
    domain: str
    sub: str


def classify(record: Record) -> Category:
    """What a record is about."""
    domain, sub = _OF_KIND[record.kind]
    return Category(domain, sub(record))


def words_of(record: Record) -> str:
    """The prompt without its pictures."""
    return "".join(part for part in record.prompt if isinstance(part, str))


def _pointing(record: Record) -> str:
    if not record.truth.boxes:
        return "absent"
    noun = _NOUN.search(f"{record.form} {_NAME.sub('', words_of(record))}".lower())
    return _POINTED[noun[1]] if noun else "link"


def _planning(record: Record) -> str:
    lines = words_of(record).strip().splitlines()
    if record.answer.startswith("done"):
        return "end of the task"
    if len(lines) > 1 and lines[-2].endswith("(nothing changed)"):
        return "after no effect"
    return "next step" if any(re.match(r"\d+\. ", line) for line in lines) else "first step"


def _reading(record: Record) -> str:
    return "words" if len(record.answer.split()) <= _FEW_WORDS else "region"


def _knowledge(record: Record) -> str:
    return "purpose" if re.search(r"\bfor\b|\bdoes\b|\bdo\b", words_of(record).lower()) else "icon name"


def _description(record: Record) -> str:
    if len(record.images) > 1:
        return "several pictures"
    return "element" if len(record.answer) <= _SMALL_PART or record.truth.boxes else "screen"


def _questions(record: Record) -> str:
    if record.answer.strip(" .").lower() in ("yes", "no"):
        return "yes or no"
    if record.truth.count is not None or _NUMBER.fullmatch(record.answer):
        return "number"
    return "place" if _SIDES.search(words_of(record)) else "value"


def _documents(record: Record) -> str:
    if "<table" in record.answer:
        return "table"
    return "form" if re.search(r"<(form|input|label)\b", record.answer) else "page"


def _video(record: Record) -> str:
    if record.truth.spans:
        return "moment"
    return "change" if "chang" in words_of(record).lower() else "description"


_OF_KIND: Mapping[Kind, tuple[str, Callable[[Record], str]]] = {
    "caption": ("description", _description),
    "interleaved": ("description", _description),
    "ocr": ("reading", _reading),
    "knowledge": ("knowledge", _knowledge),
    "qa": ("questions", _questions),
    "grounding": ("pointing", _pointing),
    "document": ("documents", _documents),
    "video_caption": ("video", _video),
    "video_grounding": ("video", _video),
    "agent": ("planning", _planning),
}

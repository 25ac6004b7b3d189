"""OCR: the text in a box, the box of a text, and all lines with their boxes."""

import random
from collections.abc import Iterator

from vlm.tasks import ocr as spotting
from vlm.training.data.kinds.question import Question, about, as_json, corners, shown_in
from vlm.training.data.records import Truth
from vlm.training.data.render import Screen, Written

_MOST_LINES = 40
_READ = ("Read the text in {}.", "What is written in {}?", "Which text stands in the box {}?")
_FIND = ('Where is the text "{}"?', 'Give the box of the text "{}".', 'Locate the words "{}".')


def ocr(rng: random.Random, screen: Screen) -> Iterator[Question]:
    """Two lines read, one found, and all lines of a screen that has few enough."""
    lines = [line for line in screen.lines if len(line.text) > 1]
    for line in rng.sample(lines, min(2, len(lines))):
        truth = Truth(boxes=(line.box,), texts=(line.text,))
        yield about("read", rng.choice(_READ).format(shown_in(line.box)), line.text, truth)
    texts = [line.text.lower() for line in lines]
    once = [line for line in lines if sum(line.text.lower() in text for text in texts) == 1 and '"' not in line.text]
    for line in rng.sample(once, min(1, len(once))):
        answer = as_json([_row(line)])
        yield about("find", rng.choice(_FIND).format(line.text), answer, Truth(boxes=(line.box,), texts=(line.text,)))
    if 0 < len(lines) <= _MOST_LINES:
        truth = Truth(boxes=tuple(line.box for line in lines), texts=tuple(line.text for line in lines))
        yield about("lines", spotting().question, as_json([_row(line) for line in lines]), truth)


def _row(line: Written) -> dict[str, object]:
    return {"bbox_2d": corners(line.box), "text_content": line.text}

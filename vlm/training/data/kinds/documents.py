"""Document parsing: a page of paper as QwenVL HTML, each block with its box."""

import random
from collections.abc import Iterator

from vlm.tasks import document as parsing
from vlm.training.data.kinds.question import Question, about, corners
from vlm.training.data.records import Truth
from vlm.training.data.render import Screen, Written


def document(rng: random.Random, screen: Screen) -> Iterator[Question]:  # noqa: ARG001 (makers are called alike)
    """One for a screen that is a document."""
    if screen.blocks:
        body = "\n".join(_block(block) for block in screen.blocks)
        truth = Truth(boxes=tuple(b.box for b in screen.blocks), texts=tuple(b.text for b in screen.blocks))
        yield about("html", parsing().question, f"```html\n<html><body>\n{body}\n</body></html>\n```", truth)


def _block(block: Written) -> str:
    at = f'data-bbox="{" ".join(map(str, corners(block.box)))}"'
    if block.block == "figure":
        return f'<div class="image caption" {at}><img {at}/><p>{block.text}</p></div>'
    return f"<{block.block} {at}>{block.text}</{block.block}>"

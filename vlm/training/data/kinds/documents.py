"""Document parsing: a page of paper as QwenVL HTML, each block with its box."""

import random
from collections.abc import Iterator

from vlm.tasks import document as parsing
from vlm.training.data.kinds.question import Question, about, corners
from vlm.training.data.records import Truth
from vlm.training.data.render import Screen, Written

_LISTS = ("ul", "ol")


def document(rng: random.Random, screen: Screen) -> Iterator[Question]:  # noqa: ARG001 (makers are called alike)
    """One for a screen that is a document."""
    if screen.blocks:
        answer = f"```html\n<html><body>\n{_body(screen.blocks)}</body></html>\n```"
        told = [block for block in screen.blocks if block.block not in _LISTS]
        truth = Truth(boxes=tuple(b.box for b in told), texts=tuple(b.text for b in told))
        yield about("html", parsing().question, answer, truth)


def _body(blocks: tuple[Written, ...]) -> str:
    """A line a block. A list has a box, and its items, which follow it, have theirs."""
    lines, is_open = "", ""
    for block in blocks:
        if is_open and block.block != "li":
            lines, is_open = f"{lines}</{is_open}>\n", ""
        if block.block in _LISTS:
            lines, is_open = f"{lines}<{block.block} {_at(block)}>\n", block.block
        else:
            lines += f"{_whole(block)}\n"
    return lines + (f"</{is_open}>\n" if is_open else "")


def _whole(block: Written) -> str:
    if block.block == "figure":
        return f'<div class="image caption" {_at(block)}><img {_at(block)}/><p>{block.text}</p></div>'
    return f"<{block.block} {_at(block)}>{block.text}</{block.block}>"


def _at(block: Written) -> str:
    return f'data-bbox="{" ".join(map(str, corners(block.box)))}"'

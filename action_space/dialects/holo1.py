"""Holo1: the picture and an instruction in, `Click(x, y)` out, in pixels of the picture as the model sees it.

The pixel limits are those of the family's own agent (Surfer-H), smaller than the checkpoint's.
"""

from action_space.dialects.grounder import Grounder, bracketed
from action_space.geometry import Point, Size


def _ask(instruction: str, size: Size) -> str:  # noqa: ARG001 (the family is not told)
    return (
        "Find the element on this GUI image that the instruction is about, and output where to click as Click(x, y), x "
        f"in pixels from the left edge and y in pixels from the top edge.\n{instruction}"
    )


def _write(point: Point) -> str:
    return f"Click({point.x}, {point.y})"


DIALECT = Grounder(
    name="holo1",
    form="Click(x, y)",
    ask=_ask,
    find=bracketed,
    write=_write,
    min_pixels=4 * 28 * 28,
    max_pixels=1280 * 28 * 28,
)

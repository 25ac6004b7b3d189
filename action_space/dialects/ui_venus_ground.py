"""UI-Venus-Ground (the first generation, on Qwen2.5-VL) and GUI-G2: a box `[x1,y1,x2,y2]`, whose centre is clicked.

Pixels of the picture as the model sees it, after the families' own code (one list of others has 0 to 1000). A click has
no box, so a rendered one is the box of no size at its point.
"""

from action_space.dialects.grounder import Grounder, bracketed
from action_space.geometry import Point, Size


def _ask(instruction: str, size: Size) -> str:  # noqa: ARG001 (the family is not told)
    return f"Where is what this instruction means: {instruction}. Output only its position as [x1,y1,x2,y2]."


def _write(point: Point) -> str:
    return f"[{point.x},{point.y},{point.x},{point.y}]"


DIALECT = Grounder(
    name="ui_venus_ground",
    form="[x1,y1,x2,y2]",
    ask=_ask,
    find=bracketed,
    write=_write,
    min_pixels=2_000_000,
    max_pixels=4_800_000,
)

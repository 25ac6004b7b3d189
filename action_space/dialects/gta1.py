"""GTA1: the picture and a description of an element in, one point `(x,y)` out.

The system message states the size of the picture as the model sees it, whose pixels the answer is in. The 32B model
writes `pyautogui.click(x=1, y=2)`, which is read too.
"""

from action_space.dialects.grounder import Grounder, bracketed
from action_space.geometry import Point, Size


def _system(size: Size) -> str:
    return (
        "You find elements on screenshots. Give the point in the middle of the element that the person describes. The "
        f"picture has height {size.height} and width {size.width}.\n\nAnswer with the point only:\n(x,y)"
    )


def _ask(instruction: str, size: Size) -> str:  # noqa: ARG001 (the system message states it)
    return instruction


def _write(point: Point) -> str:
    return f"({point.x},{point.y})"


DIALECT = Grounder(
    name="gta1",
    form="(x,y)",
    ask=_ask,
    find=bracketed,
    write=_write,
    system=_system,
    min_pixels=3136,
    max_pixels=4096 * 2160,
)

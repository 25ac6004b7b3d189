"""InfiGUI-R1 and InfiGUI-G1: thoughts, then a fenced list of points, of which the first is clicked.

    <think>...</think>
    ```json
    [{"point_2d": [x, y], "label": "..."}]
    ```

Pixels of the picture as the model sees it; its size is stated. The facts give no pixel limits and no part order: the
limits are the checkpoints', and the picture comes first. A click has no label, so a rendered one is a "target".
"""

from action_space.dialects.grounder import Grounder, labelled
from action_space.dialects.point_2d import write_point
from action_space.dialects.tool_dialect import CHECKPOINT_MAX_PIXELS, CHECKPOINT_MIN_PIXELS
from action_space.geometry import Size


def _system(size: Size) -> str:  # noqa: ARG001 (the question states it)
    return "Think first, inside <think></think>. After that give the answer."


def _ask(instruction: str, size: Size) -> str:
    return (
        f"The screenshot is {size} pixels. Locate what this instruction means: {instruction}\n"
        'Output the coordinates in JSON format: [{"point_2d": [x, y], "label": "what is there"}]'
    )


DIALECT = Grounder(
    name="infigui",
    form='[{"point_2d": [x, y], "label": "what is there"}]',
    ask=_ask,
    find=labelled,
    write=write_point,
    system=_system,
    min_pixels=CHECKPOINT_MIN_PIXELS,
    max_pixels=CHECKPOINT_MAX_PIXELS,
)

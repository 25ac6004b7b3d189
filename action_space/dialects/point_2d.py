"""Plain Qwen2.5-VL grounding in JSON, as points (`point_2d`) or as boxes (`bbox_2d`), fenced.

    [{"point_2d": [x, y], "label": "..."}]
    [{"bbox_2d": [x1, y1, x2, y2], "label": "..."}]

Pixels of the picture as the model sees it. Both dialects read both; of several objects the first is clicked, in its
centre. A click has neither box nor label, so a rendered one is a "target", in a box of no size.
"""

import json

from action_space.dialects.grounder import Grounder, labelled
from action_space.dialects.tool_dialect import CHECKPOINT_MAX_PIXELS, CHECKPOINT_MIN_PIXELS
from action_space.geometry import Point, Size


def write_point(point: Point) -> str:
    """A fenced list of one point."""
    return _fenced({"point_2d": [point.x, point.y], "label": "target"})


def _write_box(point: Point) -> str:
    return _fenced({"bbox_2d": [point.x, point.y, point.x, point.y], "label": "target"})


def _fenced(found: dict[str, list[int] | str]) -> str:
    return f"```json\n[\n\t{json.dumps(found)}\n]\n```"


def _ask_point(instruction: str, size: Size) -> str:  # noqa: ARG001 (the family is not told)
    return f'Point to this: {instruction}\nOutput JSON of the form {{"point_2d": [x, y], "label": "what is there"}}.'


def _ask_box(instruction: str, size: Size) -> str:  # noqa: ARG001
    return f"Locate this: {instruction}\nOutput its bbox_2d in JSON format."


POINT = Grounder(
    name="point_2d",
    form='[{"point_2d": [x, y], "label": "what is there"}]',
    ask=_ask_point,
    find=labelled,
    write=write_point,
    picture_first=False,
    min_pixels=CHECKPOINT_MIN_PIXELS,
    max_pixels=CHECKPOINT_MAX_PIXELS,
)
BOX = Grounder(
    name="bbox_2d",
    form='[{"bbox_2d": [x1, y1, x2, y2], "label": "what is there"}]',
    ask=_ask_box,
    find=labelled,
    write=_write_box,
    picture_first=False,
    min_pixels=CHECKPOINT_MIN_PIXELS,
    max_pixels=CHECKPOINT_MAX_PIXELS,
)

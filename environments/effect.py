"""What an action changed on the screen: something near its target, something elsewhere, or nothing."""

from typing import Literal

import numpy as np

from action_space.geometry import Box, Point, Size
from environments.base import Observation
from environments.settle import Mask, Pixels, changed_pixels

Effect = Literal["near", "elsewhere", "none"]

_PIXEL_CHANGE = 12
_FEWEST_PIXELS = 6
_NEAR_FRACTION = 0.06
_NEAR_LEAST = 32
_CARET_WIDTH = 5
_CARET_HEIGHT = (8, 120)
_CARET_SLACK = 4
_RING = 8
"""How far the ring around what has the focus reaches beyond it, in CSS pixels."""


def effect_of(before: Observation, after: Observation, points: tuple[Point, ...]) -> Effect:
    """Compare what was seen before and after an action that touched `points` (screenshot pixels of `before`).

    near: something changed within 6 % of the longer side (at least 32 pixels) of a point. elsewhere: only further
    away, or the screenshots differ in size. none: fewer than six pixels changed, or only a text caret blinked, or only
    what had the focus looks otherwise, because a click beside everything took the focus from it. A caret that appears
    on the line of a point counts as near: a field without a focus ring was clicked.
    """
    if before.image.size != after.image.size:
        return "elsewhere"
    old, new = (np.asarray(seen.image.convert("RGB")) for seen in (before, after))
    changed = changed_pixels(old, new, _PIXEL_CHANGE)
    if points and (left := _left_by_focus(before, after)):
        changed[max(0, left.top) : max(0, left.bottom), max(0, left.left) : max(0, left.right)] = False
    near = _near(Size(*before.image.size), points)
    if _counts(changed & near) or _caret_came(old, new, changed & near, points):
        return "near"
    return "elsewhere" if _counts(changed & ~near) else "none"


def _left_by_focus(before: Observation, after: Observation) -> Box | None:
    """The place of a page's control that had the focus and of its ring, if nothing has it any longer."""
    box = before.details.get("focus_box")
    if not box or after.details.get("focus") != "body":
        return None
    left, top, right, bottom = map(int, box.split(","))
    ring = (left - _RING, top - _RING, right + _RING, bottom + _RING)
    return Box(*(round(side * before.frame.device_scale) for side in ring))


def _near(size: Size, points: tuple[Point, ...]) -> Mask:
    reach = max(_NEAR_LEAST, round(_NEAR_FRACTION * max(size.width, size.height)))
    near = np.zeros((size.height, size.width), dtype=np.bool_)
    for point in points:
        top, left = max(0, point.y - reach), max(0, point.x - reach)
        near[top : point.y + reach + 1, left : point.x + reach + 1] = True
    return near


def _counts(changed: Mask) -> bool:
    return int(np.count_nonzero(changed)) >= _FEWEST_PIXELS and not _is_caret(_extent(changed))


def _extent(changed: Mask) -> Box | None:
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _is_caret(extent: Box | None) -> bool:
    """A thin upright line, and nothing else."""
    if extent is None:
        return False
    width, height = extent.right - extent.left, extent.bottom - extent.top
    return width <= _CARET_WIDTH and _CARET_HEIGHT[0] <= height <= _CARET_HEIGHT[1] and height >= 4 * width


def _caret_came(
    old: Pixels,
    new: Pixels,
    changed: Mask,
    points: tuple[Point, ...],
) -> bool:
    """Whether all that changed is a caret that was not there before, on the line of text of one of the points."""
    caret = _extent(changed)
    if caret is None or not _is_caret(caret):
        return False
    if not any(caret.top - _CARET_SLACK <= point.y < caret.bottom + _CARET_SLACK for point in points):
        return False
    return _contrast(new, caret) > _contrast(old, caret)


def _contrast(pixels: Pixels, box: Box) -> float:
    """How much a thin upright box differs from the columns beside it."""
    inside = pixels[box.top : box.bottom, box.left : box.right].astype(np.float64).mean(axis=1)
    last = pixels.shape[1] - 1
    beside = [pixels[box.top : box.bottom, x].astype(np.float64) for x in (max(0, box.left - 1), min(last, box.right))]
    return float(min(np.abs(inside - column).mean() for column in beside))

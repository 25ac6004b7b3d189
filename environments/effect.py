"""What an action changed on the screen: something near its target, something elsewhere, or nothing."""

import numpy as np

from action_space.actions import Action, Click, Effect, points_of
from action_space.geometry import Box, Point, Size
from environments.base import Observation
from environments.settle import Mask, Pixels, changed_pixels

_PIXEL_CHANGE = 12
_FEWEST_PIXELS = 6
_NEAR_FRACTION = 0.06
_NEAR_LEAST = 32
_CARET_WIDTH = 5
_CARET_HEIGHT = (8, 120)
_CARET_SLACK = 4
_RING = 8
"""How far the ring around what has the focus reaches beyond it, in CSS pixels."""


def effect_of(before: Observation, after: Observation, action: Action) -> Effect:
    """Compare what was seen before and after an action, whose points are screenshot pixels of `before`.

    near: something changed within 6 % of the longer side (at least 32 pixels) of a point. elsewhere: only further
    away, or the screenshots differ in size. none: fewer than six pixels changed, or only a text caret blinked, or only
    what had the focus looks otherwise, because a click beside everything took the focus from it. A caret that appears
    on the line of a point counts as near: a field without a focus ring was clicked. reached: nothing changed, but a
    page's control that has the focus now was clicked, as a field that had it before, or a radio button that was chosen.
    """
    if before.image.size != after.image.size:
        return "elsewhere"
    points = points_of(action)
    old, new = (np.asarray(seen.image.convert("RGB")) for seen in (before, after))
    changed = changed_pixels(old, new, _PIXEL_CHANGE)
    had, has = _focused(before), _focused(after)
    if points and had and after.details.get("focus") == "body":
        changed[max(0, had.top) : max(0, had.bottom), max(0, had.left) : max(0, had.right)] = False
    near = _near(Size(*before.image.size), points)
    if _counts(changed & near) or _caret_came(old, new, changed & near, points):
        return "near"
    if _counts(changed & ~near):
        return "elsewhere"
    return "reached" if isinstance(action, Click) and has and _is_on(action, has, after.details["focus"]) else "none"


def _focused(seen: Observation) -> Box | None:
    """Where a page's field, list or box to tick is that has the focus, with its ring, in screenshot pixels."""
    box = seen.details.get("focus_box")
    if not box:
        return None
    left, top, right, bottom = map(int, box.split(","))
    ring = (left - _RING, top - _RING, right + _RING, bottom + _RING)
    return Box(*(round(side * seen.frame.device_scale) for side in ring))


def _is_on(click: Click, box: Box, kind: str) -> bool:
    """A radio button is chosen by its words as well, which are beside it."""
    point = click.point
    return click.button == "left" and (box.contains(point) or (kind == "radio" and box.top <= point.y < box.bottom))


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

"""Wait until the picture is quiet, instead of sleeping for a fixed time.

Pure logic: it looks at small pictures from a callable and asks a clock. Quiet means that fewer than 0.1 % of the
pixels changed in two comparisons in a row, so a blinking caret never blocks. What moves for ever (a video, a spinner,
an animated picture) is noticed after a while and left out, so that the rest can be quiet. What moves once (a page that
fills up, a menu that slides open) is waited for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

QUIET_FRACTION = 0.001
QUIET_COMPARISONS = 2
LEAST_S = 0.2
"""The effect of an input is on the screen at the earliest some frames after it: never call it quiet before."""

_PIXEL_CHANGE = 16
_CELL = 8
_RESTLESS_CHANGES = 4
_RESTLESS_S = 0.8
_STILL_MOVING_S = 0.7
_MOST_RESTLESS = 0.75


@dataclass(frozen=True, slots=True)
class Settled:
    """seconds: how long it took. quiet: False when the cap was reached first."""

    seconds: float
    quiet: bool


def never_busy() -> bool:
    return False


def wait_until_quiet(
    capture: Callable[[], Image.Image],
    *,
    busy: Callable[[], bool] = never_busy,
    cap_s: float = 3.0,
    pause_s: float = 0.03,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Settled:
    """Return once the pictures from `capture` are quiet and the device is not `busy`, or after `cap_s` seconds.

    capture: a cheap picture; all of the same size, a few hundred pixels wide are enough. busy: what the device knows
    beyond pixels, e.g. a request that has not been answered. pause: waits that many seconds between pictures.
    Whatever `capture` raises passes through.
    """
    start = now()
    before = _pixels(capture())
    restless = _Restless()
    quiet = 0
    while True:
        pause(pause_s)
        after = _pixels(capture())
        elapsed = now() - start
        changed = changed_pixels(before, after, _PIXEL_CHANGE)
        restless.watch(changed, elapsed)
        quiet = quiet + 1 if restless.is_quiet(changed, elapsed) and not busy() else 0
        if quiet >= QUIET_COMPARISONS and elapsed >= min(LEAST_S, cap_s):
            return Settled(elapsed, quiet=True)
        if elapsed >= cap_s:
            return Settled(elapsed, quiet=False)
        before = after


def changed_pixels(before: Pixels, after: Pixels, threshold: int) -> Mask:
    """Where two (height, width, 3) pictures differ by `threshold` or more in a channel: (height, width).

    Pictures of different sizes differ everywhere.
    """
    if before.shape != after.shape:
        return np.ones(after.shape[:2], dtype=np.bool_)
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16))
    changed: Mask = difference.max(axis=2) >= threshold
    return changed


class _Restless:
    """Which cells of the picture keep changing. A cell is a square of pixels, so that a moving edge stays inside."""

    def __init__(self) -> None:
        self._count = np.zeros((0, 0), dtype=np.int64)
        self._first = np.zeros((0, 0))
        self._last = np.zeros((0, 0))

    def watch(self, changed: Mask, elapsed: float) -> None:
        cells = _cells(changed)
        if cells.shape != self._count.shape:
            self._count = np.zeros(cells.shape, dtype=np.int64)
            self._first = np.full(cells.shape, elapsed)
            self._last = np.full(cells.shape, elapsed)
        self._first = np.where(cells & (self._count == 0), elapsed, self._first)
        self._last = np.where(cells, elapsed, self._last)
        self._count += cells

    def is_quiet(self, changed: Mask, elapsed: float) -> bool:
        moving = self._moving(elapsed)
        # When most of the picture moves, the rest says nothing about it: a page that scrolls by itself, a fade.
        if float(moving.mean()) > _MOST_RESTLESS:
            return False
        height, width = changed.shape
        left_out = np.repeat(np.repeat(moving, _CELL, axis=0), _CELL, axis=1)[:height, :width]
        return int(np.count_nonzero(changed & ~left_out)) < max(1.0, QUIET_FRACTION * changed.size)

    def _moving(self, elapsed: float) -> Mask:
        lasting = np.greater_equal(self._last - self._first, _RESTLESS_S)
        recent = np.less_equal(elapsed - self._last, _STILL_MOVING_S)
        return _grown(np.asarray((self._count >= _RESTLESS_CHANGES) & lasting & recent, dtype=np.bool_))


def _cells(changed: Mask) -> Mask:
    height, width = changed.shape
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    padded = np.zeros((rows * _CELL, columns * _CELL), dtype=np.bool_)
    padded[:height, :width] = changed
    cells = padded.reshape(rows, _CELL, columns, _CELL).any(axis=(1, 3))
    return np.asarray(cells, dtype=np.bool_)


def _grown(cells: Mask) -> Mask:
    """The cells and their eight neighbours: the thing that moves also touches cells that it changes less often."""
    padded = np.pad(cells, 1)
    rows, columns = cells.shape
    shifted = [padded[dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3)]
    return np.asarray(np.stack(shifted).any(axis=0), dtype=np.bool_)


def _pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))

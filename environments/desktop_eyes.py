"""The eyes of a desktop: mss, opened anew for every picture, so that monitors may come, go and change their size."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mss.exception import ScreenShotError
from PIL import Image

from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Box, Frame, Point, Size
from environments.settle import Settled, wait_until_quiet

_CHEAP_WIDTH = 320
_TRIES = 5
_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a monitor. area: the monitor in device units. corners: of every monitor, in device units."""

    image: Image.Image
    frame: Frame
    area: Box
    corners: frozenset[tuple[int, int]]


class Eyes:
    """screens: opens mss. monitor: counted from 1 as mss does, 0 for all of them as one picture, None for the main one.

    Raises ConfigError when there is no such monitor.
    """

    def __init__(self, screens: Callable[[], AbstractContextManager[Any]], monitor: int | None) -> None:
        self._screens = screens
        self._monitor = monitor
        try:
            self.area()
        except DeviceError as error:
            raise ConfigError(str(error)) from error

    def look(self, cap_s: float) -> tuple[Shot, Settled]:
        """The screen once it is quiet, or after `cap_s` seconds. Raises DeviceError."""
        settled = wait_until_quiet(self._cheap_picture, cap_s=cap_s)
        return self.shot(), settled

    def shot(self) -> Shot:
        """The screen as it is now. Raises DeviceError, never gives a black picture."""
        for tries in range(_TRIES, 0, -1):
            try:
                with self._screens() as screen:
                    return self._grab(screen)
            except ScreenShotError as error:
                # A monitor that changes its size between the question and the picture is asked again.
                if tries == 1:
                    raise unreadable(error) from error
                time.sleep(_AGAIN_S)
        raise AssertionError("the loop returns or raises")

    def area(self) -> Box:
        """The monitor as it is now, in device units. Raises DeviceError when it is gone."""
        try:
            with self._screens() as screen:
                return _box(self._chosen(screen))
        except ScreenShotError as error:
            raise unreadable(error) from error

    def _grab(self, screen: Any) -> Shot:  # noqa: ANN401 - mss
        monitor = self._chosen(screen)
        grabbed = screen.grab(monitor)
        image = Image.frombytes("RGB", grabbed.size, grabbed.bgra, "raw", "BGRX")
        size, area = Size(*image.size), _box(monitor)
        # More pixels than units on a HiDPI screen of a Mac; elsewhere the two are the same.
        frame = Frame(size, size, size.width / (area.right - area.left), Point(area.left, area.top))
        return Shot(image, frame, area, frozenset(_corners(screen)))

    def _chosen(self, screen: Any) -> dict[str, Any]:  # noqa: ANN401 - mss
        # The first entry is all monitors together.
        whole, *single = screen.monitors
        if self._monitor == 0 or not single:
            chosen = whole
        elif self._monitor is None:
            chosen = next((one for one in single if one.get("is_primary")), single[0])
        elif self._monitor <= len(single):
            chosen = single[self._monitor - 1]
        else:
            raise DeviceError(f"there is no monitor {self._monitor}: give --monitor 1 to {len(single)}, or all")
        return dict(chosen)

    def _cheap_picture(self) -> Image.Image:
        image = self.shot().image
        return image.reduce(max(1, image.width // _CHEAP_WIDTH))


def unreadable(error: ScreenShotError) -> DeviceError:
    """What is said about a screen that gives no picture."""
    return DeviceError(
        f"the screen cannot be read ({' '.join(str(error).split())}): start again, or go on with --resume"
    )


def _box(monitor: dict[str, Any]) -> Box:
    left, top = int(monitor["left"]), int(monitor["top"])
    return Box(left, top, left + int(monitor["width"]), top + int(monitor["height"]))


def _corners(screen: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - mss
    boxes = [_box(monitor) for monitor in screen.monitors]
    return [(x, y) for box in boxes for x in (box.left, box.right - 1) for y in (box.top, box.bottom - 1)]


def read_monitor(text: str) -> int | None:
    """The number in `--monitor`: 0 for "all", None for "". Raises ConfigError."""
    if not text:
        return None
    if text == "all":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"--monitor {text!r} is not known: give a number from 1, or all")
    return int(text)

"""Settling on synthetic pictures and a synthetic clock."""

from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from environments.settle import LEAST_S, Settled, wait_until_quiet

SIZE = (320, 180)
STEP_S = 0.05


class Screen:
    """A picture that is a function of the time, and the clock of that time."""

    def __init__(self, paint: Callable[[ImageDraw.ImageDraw, float], None]) -> None:
        self.time = 0.0
        self._paint = paint

    def capture(self) -> Image.Image:
        self.time += 0.02
        image = Image.new("RGB", SIZE, "white")
        self._paint(ImageDraw.Draw(image), self.time)
        return image

    def pause(self, seconds: float) -> None:
        self.time += seconds


def settle(
    paint: Callable[[ImageDraw.ImageDraw, float], None], *, cap_s: float = 3.0, busy_until: float = 0.0
) -> Settled:
    screen = Screen(paint)
    return wait_until_quiet(
        screen.capture,
        busy=lambda: screen.time < busy_until,
        cap_s=cap_s,
        pause_s=STEP_S - 0.02,
        now=lambda: screen.time,
        pause=screen.pause,
    )


def still(draw: ImageDraw.ImageDraw, _time: float) -> None:
    draw.rectangle((20, 20, 100, 60), fill="navy")


def caret(draw: ImageDraw.ImageDraw, time: float) -> None:
    if int(time / 0.5) % 2:
        draw.line((50, 50, 50, 54), fill="black")


def fast_caret(draw: ImageDraw.ImageDraw, time: float) -> None:
    if round(time / STEP_S) % 2:
        draw.line((50, 50, 50, 54), fill="black")


def spinner(draw: ImageDraw.ImageDraw, time: float) -> None:
    start = int(time * 360) % 360
    draw.arc((100, 60, 160, 120), start, start + 90, fill="black", width=8)


def video(draw: ImageDraw.ImageDraw, time: float) -> None:
    shade = int(time * 400) % 256
    draw.rectangle((40, 40, 200, 140), fill=(shade, 255 - shade, 128))


def ball(draw: ImageDraw.ImageDraw, time: float) -> None:
    x = int(time * 200) % 100
    draw.ellipse((100 + x, 80, 120 + x, 100), fill="red")


def slide(end: float) -> Callable[[ImageDraw.ImageDraw, float], None]:
    return lambda draw, time: draw.rectangle((0, 0, int(300 * min(1.0, time / end)), 100), fill="green")


def late(at: float) -> Callable[[ImageDraw.ImageDraw, float], None]:
    return lambda draw, time: draw.rectangle((20, 20, 200, 100), fill="navy") if time > at else None


def spinner_then_page(draw: ImageDraw.ImageDraw, time: float) -> None:
    if time < 0.8:
        spinner(draw, time)
    else:
        late(0)(draw, time)


def growing_text(draw: ImageDraw.ImageDraw, time: float) -> None:
    for line in range(int(time / STEP_S)):
        draw.rectangle((10, 2 * line, 300, 2 * line + 1), fill="black")


def whole_screen(draw: ImageDraw.ImageDraw, time: float) -> None:
    shade = int(time * 400) % 256
    draw.rectangle((0, 0, *SIZE), fill=(shade, shade, shade))


@pytest.mark.parametrize(
    ("paint", "earliest", "latest"),
    [
        (still, LEAST_S, 0.35),
        (caret, LEAST_S, 0.35),
        (fast_caret, LEAST_S, 0.35),
        (slide(0.7), 0.7, 1.0),
        (spinner, 0.8, 1.6),
        (video, 0.8, 1.3),
        (ball, 0.8, 2.6),
        (spinner_then_page, 0.8, 1.2),
    ],
)
def test_settles_when_it_should(
    paint: Callable[[ImageDraw.ImageDraw, float], None], earliest: float, latest: float
) -> None:
    result = settle(paint)
    assert result.quiet
    assert earliest <= result.seconds <= latest


@pytest.mark.parametrize("paint", [growing_text, whole_screen])
def test_gives_up_at_the_cap(paint: Callable[[ImageDraw.ImageDraw, float], None]) -> None:
    result = settle(paint, cap_s=2.0)
    assert not result.quiet
    assert 2.0 <= result.seconds < 2.2


def test_content_beside_a_video_is_still_waited_for() -> None:
    def both(draw: ImageDraw.ImageDraw, time: float) -> None:
        video(draw, time)
        draw.rectangle((220, 20, 220 + int(90 * min(1.0, time / 1.5)), 170), fill="green")

    result = settle(both)
    assert result.quiet
    assert result.seconds >= 1.5


def test_waits_while_the_device_is_busy_even_if_nothing_moves() -> None:
    result = settle(late(0.8), busy_until=0.79)
    assert result.quiet
    assert 0.8 < result.seconds < 1.2


def test_a_device_that_is_always_busy_ends_at_the_cap() -> None:
    assert settle(still, busy_until=99, cap_s=1.0) == Settled(pytest.approx(1.0, abs=0.1), quiet=False)


def test_a_picture_that_changes_its_size_is_not_quiet() -> None:
    sizes = iter([(320, 180)] * 2 + [(200, 100)] * 20)
    screen = Screen(still)
    result = wait_until_quiet(
        lambda: screen.capture().resize(next(sizes)), now=lambda: screen.time, pause=screen.pause, pause_s=0.1
    )
    assert result.quiet
    assert result.seconds > 0.45


def test_errors_of_the_device_pass_through() -> None:
    def broken() -> Image.Image:
        raise OSError("no picture")

    with pytest.raises(OSError, match="no picture"):
        wait_until_quiet(broken)

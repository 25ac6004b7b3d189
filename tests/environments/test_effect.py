"""Effects told from pairs of screenshots."""

import pytest
from PIL import Image, ImageDraw

from action_space.geometry import Point
from environments.effect import Effect, effect_of

SIZE = (640, 400)
AT = (Point(100, 100),)


def screen(*shapes: tuple[int, int, int, int], fill: str = "black") -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    for shape in shapes:
        ImageDraw.Draw(image).rectangle(shape, fill=fill)
    return image


@pytest.mark.parametrize(
    ("before", "after", "points", "expected"),
    [
        ([], [], AT, "none"),
        ([], [(95, 95, 105, 105)], AT, "near"),
        ([(95, 95, 105, 105)], [], AT, "near"),
        ([], [(500, 300, 540, 340)], AT, "elsewhere"),
        ([], [(95, 95, 105, 105), (500, 300, 540, 340)], AT, "near"),
        ([], [(95, 95, 105, 105)], (), "elsewhere"),
        ([], [(0, 0, 4, 4)], (Point(0, 0),), "near"),
        ([], [(636, 396, 639, 399)], (Point(639, 399),), "near"),
        ([], [(500, 300, 540, 340)], (Point(10, 10), Point(520, 320)), "near"),
        # A caret of another field blinks on or off.
        ([], [(300, 300, 300, 315)], AT, "none"),
        ([(300, 300, 301, 320)], [], AT, "none"),
        ([], [(300, 300, 300, 315)], (), "none"),
        # A caret comes where a field was clicked; one that was there goes; one in the line above is another field's.
        ([], [(80, 92, 80, 107)], AT, "near"),
        ([(80, 92, 80, 107)], [], AT, "none"),
        ([], [(80, 70, 80, 85)], AT, "none"),
        # A caret goes in one field and comes in the clicked one.
        ([(400, 300, 400, 315)], [(80, 92, 80, 107)], AT, "near"),
        # A caret blinks near the target, and the page changes elsewhere.
        ([(80, 92, 80, 107)], [(500, 300, 540, 340)], AT, "elsewhere"),
        # Single pixels are noise; a typed "l" beside its caret is not.
        ([], [(100, 100, 101, 101)], AT, "none"),
        ([(100, 95, 100, 110)], [(100, 95, 100, 110), (106, 95, 106, 110), (110, 95, 110, 110)], AT, "near"),
    ],
)
def test_effect(
    before: list[tuple[int, int, int, int]],
    after: list[tuple[int, int, int, int]],
    points: tuple[Point, ...],
    expected: Effect,
) -> None:
    assert effect_of(screen(*before), screen(*after), points) == expected


def test_another_size_is_an_effect_elsewhere() -> None:
    assert effect_of(screen(), screen().resize((320, 200)), AT) == "elsewhere"


def test_faint_differences_do_not_count() -> None:
    assert effect_of(screen(), screen((0, 0, 639, 399), fill="#fafafa"), AT) == "none"


def test_pictures_of_other_modes_are_compared_too() -> None:
    assert effect_of(screen().convert("L"), screen((90, 90, 110, 110)).convert("RGBA"), AT) == "near"

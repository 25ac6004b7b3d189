"""Effects told from pairs of screenshots."""

import pytest
from PIL import Image, ImageDraw

from action_space.actions import Action, Click, Drag, Effect, Press, Scroll
from action_space.geometry import Frame, Point, Size
from environments.base import Observation
from environments.effect import effect_of

SIZE = (640, 400)
SIZE_OF = Size(*SIZE)
AT = Click(point=Point(100, 100))
KEY = Press(keys=("Enter",))


def screen(*shapes: tuple[int, int, int, int], fill: str = "black") -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    for shape in shapes:
        ImageDraw.Draw(image).rectangle(shape, fill=fill)
    return image


def seen(image: Image.Image, **details: str) -> Observation:
    return Observation(image, Frame(SIZE_OF, SIZE_OF), details=details)


@pytest.mark.parametrize(
    ("before", "after", "action", "expected"),
    [
        ([], [], AT, "none"),
        ([], [(95, 95, 105, 105)], AT, "near"),
        ([(95, 95, 105, 105)], [], AT, "near"),
        ([], [(500, 300, 540, 340)], AT, "elsewhere"),
        ([], [(95, 95, 105, 105), (500, 300, 540, 340)], AT, "near"),
        ([], [(95, 95, 105, 105)], KEY, "elsewhere"),
        ([], [(0, 0, 4, 4)], Click(point=Point(0, 0)), "near"),
        ([], [(636, 396, 639, 399)], Click(point=Point(639, 399)), "near"),
        ([], [(500, 300, 540, 340)], Drag(start=Point(10, 10), end=Point(520, 320)), "near"),
        # A caret of another field blinks on or off.
        ([], [(300, 300, 300, 315)], AT, "none"),
        ([(300, 300, 301, 320)], [], AT, "none"),
        ([], [(300, 300, 300, 315)], KEY, "none"),
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
    action: Action,
    expected: Effect,
) -> None:
    assert effect_of(seen(screen(*before)), seen(screen(*after)), action) == expected


def test_another_size_is_an_effect_elsewhere() -> None:
    assert effect_of(seen(screen()), seen(screen().resize((320, 200))), AT) == "elsewhere"


def test_faint_differences_do_not_count() -> None:
    assert effect_of(seen(screen()), seen(screen((0, 0, 639, 399), fill="#fafafa")), AT) == "none"


def test_pictures_of_other_modes_are_compared_too() -> None:
    assert effect_of(seen(screen().convert("L")), seen(screen((90, 90, 110, 110)).convert("RGBA")), AT) == "near"


RING = (300, 200, 420, 230)


@pytest.mark.parametrize(
    ("ring", "had", "has", "action", "expected"),
    [
        (RING, "text", "body", AT, "none"),
        (RING, "text", "body", Click(point=Point(290, 190)), "none"),  # however near the click was
        (RING, "text", "text", AT, "elsewhere"),  # another field has it
        (RING, "text", "", AT, "elsewhere"),  # nobody knows
        (RING, "text", "body", KEY, "elsewhere"),  # a key can do that and more
        ((300, 200, 420, 260), "text", "body", AT, "elsewhere"),  # more than the field changed
        ((300, 200, 420, 260), "text", "body", Click(point=Point(310, 255)), "near"),
    ],
)
def test_a_click_that_only_takes_the_focus_away_changes_nothing(
    ring: tuple[int, int, int, int], had: str, has: str, action: Action, expected: Effect
) -> None:
    before = seen(screen(ring), focus=had, focus_box="304,204,416,226")
    assert effect_of(before, seen(screen(), focus=has), action) == expected


def test_what_loses_the_focus_may_reach_beyond_the_screen() -> None:
    before = seen(screen((0, 0, 60, 20)), focus="text", focus_box="-30,-8,56,16")
    assert effect_of(before, seen(screen(), focus="body"), AT) == "none"


@pytest.mark.parametrize(
    ("has", "action", "expected"),
    [
        ("text", Click(point=Point(400, 210)), "reached"),  # it had the focus already
        ("text", Click(point=Point(430, 210)), "none"),
        ("radio", Click(point=Point(400, 210)), "reached"),
        ("radio", Click(point=Point(500, 210)), "reached"),  # its words
        ("radio", Click(point=Point(500, 240)), "none"),
        ("text", Click(point=Point(400, 210), button="right"), "none"),
        ("textarea", Scroll(point=Point(400, 210), direction="down"), "none"),  # it is at its end
        ("text", KEY, "none"),
    ],
)
def test_a_click_on_what_is_so_already_reaches_it(has: str, action: Action, expected: Effect) -> None:
    before = seen(screen(RING), focus="body")
    assert effect_of(before, seen(screen(RING), focus=has, focus_box="304,204,416,226"), action) == expected

"""Holo1: Click(x, y)."""

import pytest
from PIL import Image

from action_space.actions import Action, Click, Drag, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

HOLO1 = load_dialect("holo1")
SIZE = Size(1316, 728)
FRAME = Frame(SIZE, SIZE)


@pytest.mark.parametrize(
    ("reply", "point"),
    [
        ("Click(352, 348)", Point(352, 348)),
        ("Click(0, 0)", Point(0, 0)),
        ("Click(1315, 727)", Point(1315, 727)),
    ],
)
def test_both_ways(reply: str, point: Point) -> None:
    assert HOLO1.render(Click(point=point), FRAME) == reply
    assert HOLO1.parse(reply, FRAME) == Click(point=point)


@pytest.mark.parametrize(
    "reply",
    ["click(352,348)", "Click (352, 348)", "I see it: Click(352, 348).", "Click(352, 348)\nClick(1, 1)", "(352, 348)"],
)
def test_other_forms(reply: str) -> None:
    assert HOLO1.parse(reply, FRAME) == Click(point=Point(352, 348))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no place"),
        ("Click(352, 34", "the reply holds no place"),
        ("Scroll(352, 348)", "the reply holds no place"),
        ("Click(1316, 0)", "x must be 0 to 1315, y 0 to 727"),
        ("Click(0, 728)", "x must be 0 to 1315, y 0 to 727"),
        ("Click(0.5, 0.5)", "not in fractions"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        HOLO1.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "A valid reply has the form Click(x, y)" in str(caught.value)


@pytest.mark.parametrize(
    "action", [Wait(), Drag(start=Point(1, 2), end=Point(3, 4)), Click(point=Point(1, 2), count=2)]
)
def test_it_only_points(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="holo1 only points"):
        HOLO1.render(action, FRAME)


def test_the_prompt_is_the_picture_and_the_question() -> None:
    picture = Image.new("RGB", (1920, 1080))
    (message,) = HOLO1.prompt(Turn("Sign in", picture, FRAME), "the Next button")
    assert message.role == "user"
    assert message.content[0] is picture
    assert "Click(x, y)" in str(message.content[1])
    assert str(message.content[1]).endswith("\nthe Next button")
    assert (HOLO1.min_pixels, HOLO1.max_pixels) == (3136, 1_003_520)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    assert HOLO1.parse("Click(1315, 727)", Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

"""UI-Venus-Ground and GUI-G2: a box, whose centre is clicked."""

import pytest
from PIL import Image

from action_space.actions import Action, Click, Move, Scroll
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

VENUS = load_dialect("ui_venus_ground")
SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)


@pytest.mark.parametrize(
    ("reply", "point"),
    [
        ("[532,120,532,120]", Point(532, 120)),
        ("[0,0,0,0]", Point(0, 0)),
        ("[1931,1091,1931,1091]", Point(1931, 1091)),
    ],
)
def test_both_ways(reply: str, point: Point) -> None:
    assert VENUS.render(Click(point=point), FRAME) == reply
    assert VENUS.parse(reply, FRAME) == Click(point=point)


@pytest.mark.parametrize(
    ("reply", "point"),
    [
        ("[522,110,542,130]", Point(532, 120)),
        ("[522, 110, 543, 131]", Point(532, 120)),
        ("[0,0,1932,1092]", Point(966, 546)),
        ("[1930,1090,1932,1092]", Point(1931, 1091)),
        ("[522.0,110.5,542.0,130.5]", Point(532, 120)),
        ("The position is [522,110,542,130].", Point(532, 120)),
        ('[{"bbox_2d": [522, 110, 542, 130]}]', Point(532, 120)),
        ("[532, 120]", Point(532, 120)),
        ("[522,110,542,130]\n[1,1,2,2]", Point(532, 120)),
    ],
)
def test_other_forms(reply: str, point: Point) -> None:
    assert VENUS.parse(reply, FRAME) == Click(point=point)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no place"),
        ("[522,110,542,13", "the reply holds no place"),
        ("[522,110,542]", "whole pixels"),
        ("[1940,0,1944,10]", "x must be 0 to 1931, y 0 to 1091"),
        ("[0,1090,10,1094]", "x must be 0 to 1931, y 0 to 1091"),
        ("[-1,-1,-1,-1]", "x must be 0 to 1931, y 0 to 1091"),
        ("[0.1,0.2,0.3,0.4]", "not in fractions"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        VENUS.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "A valid reply has the form [x1,y1,x2,y2]" in str(caught.value)


@pytest.mark.parametrize("action", [Move(point=Point(1, 2)), Scroll(point=Point(1, 2), direction="down")])
def test_it_only_points(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="ui_venus_ground only points"):
        VENUS.render(action, FRAME)


def test_the_prompt_is_the_picture_and_the_question() -> None:
    picture = Image.new("RGB", (1920, 1080))
    (message,) = VENUS.prompt(Turn("Sign in", picture, FRAME), "the Next button")
    assert message.content[0] is picture
    assert "the Next button" in str(message.content[1])
    assert "[x1,y1,x2,y2]" in str(message.content[1])
    assert (VENUS.min_pixels, VENUS.max_pixels) == (2_000_000, 4_800_000)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    assert VENUS.parse("[1931,1091,1932,1092]", Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

"""GTA1: one point in brackets."""

import pytest
from PIL import Image

from action_space.actions import Action, Click, Finish, Type
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

GTA1 = load_dialect("gta1")
SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)


@pytest.mark.parametrize(
    ("reply", "point"),
    [
        ("(532,120)", Point(532, 120)),
        ("(0,0)", Point(0, 0)),
        ("(1931,1091)", Point(1931, 1091)),
    ],
)
def test_both_ways(reply: str, point: Point) -> None:
    assert GTA1.render(Click(point=point), FRAME) == reply
    assert GTA1.parse(reply, FRAME) == Click(point=point)


@pytest.mark.parametrize(
    "reply",
    [
        "( 532 , 120 )",
        "[532, 120]",
        "(532.7,120.2)",
        "The element is at (532,120).",
        "(532,120)\n(1,1)",
        "pyautogui.click(x=532, y=120)",
        "pyautogui.click(532, 120)",
        "[522, 110, 542, 130]",
    ],
)
def test_other_forms(reply: str) -> None:
    assert GTA1.parse(reply, FRAME) == Click(point=Point(532, 120))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no place"),
        ("done", "the reply holds no place"),
        ("(532,12", "the reply holds no place"),
        ("(532)", "the reply holds no place"),
        ("scroll(532, 120)", "the reply holds no place"),
        ("(1932,0)", "x must be 0 to 1931, y 0 to 1091"),
        ("(0,1092)", "x must be 0 to 1931, y 0 to 1091"),
        ("(-1,-1)", "x must be 0 to 1931, y 0 to 1091"),
        ("(0.27,0.11)", "not in fractions"),
        ("(1,2,3)", "whole pixels"),
        ("(9999999999,1)", "far outside the screen"),
        ("(" * 100_000, "the reply holds no place"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        GTA1.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "A valid reply has the form (x,y)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action", [Type(text="(1,2)"), Finish(status="success"), Click(point=Point(1, 2), button="right")]
)
def test_it_only_points(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="gta1 only points"):
        GTA1.render(action, FRAME)


def test_the_size_that_the_model_sees_is_stated_and_the_picture_comes_first() -> None:
    frame, picture = Frame(SIZE, Size(1920, 1080)), Image.new("RGB", (1920, 1080))
    system, user = GTA1.prompt(Turn("Sign in", picture, frame), "the Next button")
    assert "height 1092 and width 1932" in str(system.content[0])
    assert str(system.content[0]).endswith("\n(x,y)")
    assert user.content == (picture, "the Next button")
    assert GTA1.prompt(Turn("Sign in", picture, frame))[1].content[1] == "Sign in"
    assert GTA1.plan_prompt(Turn("Sign in", picture, frame)) is None
    assert GTA1.plan_action('type "x"', frame) is None
    assert (GTA1.min_pixels, GTA1.max_pixels) == (3136, 8_847_360)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    assert GTA1.parse("(1931,1091)", Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

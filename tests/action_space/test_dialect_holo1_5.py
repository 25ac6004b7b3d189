"""Holo1.5: click_absolute as JSON."""

import json

import pytest
from PIL import Image

from action_space.actions import Action, Click, LongPress, Press
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

HOLO = load_dialect("holo1_5")
SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)


@pytest.mark.parametrize(
    ("reply", "point"),
    [
        ('{"action": "click_absolute", "x": 352, "y": 348}', Point(352, 348)),
        ('{"action": "click_absolute", "x": 0, "y": 0}', Point(0, 0)),
        ('{"action": "click_absolute", "x": 1931, "y": 1091}', Point(1931, 1091)),
    ],
)
def test_both_ways(reply: str, point: Point) -> None:
    assert HOLO.render(Click(point=point), FRAME) == reply
    assert HOLO.parse(reply, FRAME) == Click(point=point)


@pytest.mark.parametrize(
    "reply",
    [
        '```json\n{"action": "click_absolute", "x": 352, "y": 348}\n```',
        "{'action': 'click_absolute', 'x': 352, 'y': 348}",
        '{"x": 352, "y": 348}',
        '{"action": "click_absolute", "x": "352", "y": 348.0,}',
        '{"thought": "there"} {"action": "click_absolute", "x": 352, "y": 348}',
        '{"action": "click_absolute", "x": 352, "y": 348}\n{"action": "click_absolute", "x": 1, "y": 1}',
    ],
)
def test_other_forms(reply: str) -> None:
    assert HOLO.parse(reply, FRAME) == Click(point=Point(352, 348))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no click"),
        ("Click(352, 348)", "the reply holds no click"),
        ('{"action": "click_absolute", "x": 352, "y": 34', "the click cannot be read"),
        ('{"action": "click_absolute", "x": 352}', "click_absolute needs x and y"),
        ('{"action": "scroll", "x": 352, "y": 348}', "unknown action 'scroll': the only one is 'click_absolute'"),
        ('{"action": "click_absolute", "x": 1932, "y": 0}', "x must be 0 to 1931, y 0 to 1091"),
        ('{"action": "click_absolute", "x": 0, "y": 1092}', "x must be 0 to 1931, y 0 to 1091"),
        ('{"action": "click_absolute", "x": -1, "y": -1}', "x must be 0 to 1931, y 0 to 1091"),
        ('{"action": "click_absolute", "x": 0.5, "y": 0.5}', "not in fractions"),
        ('{"action": "click_absolute", "x": null, "y": 1}', "whole pixels"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        HOLO.parse(reply, FRAME)
    assert told in str(caught.value)
    assert 'A valid reply has the form {"action": "click_absolute", "x": x, "y": y}' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action", [Press(keys=("a",)), LongPress(point=Point(1, 2)), Click(point=Point(1, 2), modifiers=("ctrl",))]
)
def test_it_only_points(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="holo1_5 only points"):
        HOLO.render(action, FRAME)


def test_the_prompt_holds_the_schema_and_ends_with_the_target() -> None:
    picture = Image.new("RGB", (1920, 1080))
    (message,) = HOLO.prompt(Turn("Sign in", picture, FRAME), "the Next button")
    assert message.content[0] is picture
    text = str(message.content[1])
    assert text.endswith(" Your target is:\nthe Next button")
    schema = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert schema["title"] == "ClickAbsoluteAction"
    assert schema["properties"]["action"]["const"] == "click_absolute"
    assert (HOLO.min_pixels, HOLO.max_pixels) == (3136, 12_845_056)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    reply = '{"action": "click_absolute", "x": 1931, "y": 1091}'
    assert HOLO.parse(reply, Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

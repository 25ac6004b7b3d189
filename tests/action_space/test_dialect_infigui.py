"""InfiGUI: thoughts, then a fenced list of points."""

import pytest
from PIL import Image

from action_space.actions import Action, Click, Open, Type
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

INFIGUI = load_dialect("infigui")
SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)


def _reply(x: int, y: int) -> str:
    return f'```json\n[\n\t{{"point_2d": [{x}, {y}], "label": "target"}}\n]\n```'


@pytest.mark.parametrize("point", [Point(532, 120), Point(0, 0), Point(1931, 1091)])
def test_both_ways(point: Point) -> None:
    reply = _reply(point.x, point.y)
    assert INFIGUI.render(Click(point=point), FRAME) == reply
    assert INFIGUI.parse(reply, FRAME) == Click(point=point)
    assert INFIGUI.parse(f'<think>Not {{"point_2d": [1, 1]}}, it is done.</think>\n{reply}', FRAME) == Click(
        point=point
    )


@pytest.mark.parametrize(
    "reply",
    [
        '<think>\nThere.\n</think>\n[{"point_2d":[532,120],"label":"Next"}]',
        '[{"point_2d": [532, 120], "label": "Next"}, {"point_2d": [1, 1], "label": "Back"}]',
        '{"point_2d": [532, 120]}',
        "[{'point_2d': [532, 120], 'label': 'the \"Next\" one'},]",
        '[{"point_2d": [532, 120], "label": "Next"}',
    ],
)
def test_other_forms(reply: str) -> None:
    assert INFIGUI.parse(reply, FRAME) == Click(point=Point(532, 120))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no place"),
        ('<think>I see [{"point_2d": [532, 120]}]', "the reply holds no place"),
        ("<think>x</think>[]", "the reply holds no place"),
        ('[{"point_2d": [532, 12', "the place cannot be read"),
        ('[{"point_2d": [532]}]', "whole pixels"),
        ('[{"point_2d": null}]', "whole pixels"),
        ('[{"point_2d": [1932, 0]}]', "x must be 0 to 1931, y 0 to 1091"),
        ('[{"point_2d": [0, 1092]}]', "x must be 0 to 1931, y 0 to 1091"),
        ('[{"point_2d": [0.2, 0.3]}]', "not in fractions"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        INFIGUI.parse(reply, FRAME)
    assert told in str(caught.value)
    assert 'A valid reply has the form [{"point_2d": [x, y], "label"' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", [Open(target="x"), Type(text="done"), Click(point=Point(1, 2), count=3)])
def test_it_only_points(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="infigui only points"):
        INFIGUI.render(action, FRAME)


def test_the_prompt_asks_for_thoughts_and_states_the_size_the_model_sees() -> None:
    picture = Image.new("RGB", (1920, 1080))
    system, user = INFIGUI.prompt(Turn("Sign in", picture, Frame(SIZE, Size(1920, 1080))), "the Next button")
    assert "<think></think>" in str(system.content[0])
    assert user.content[0] is picture
    assert "1932x1092" in str(user.content[1])
    assert "the Next button" in str(user.content[1])
    assert '[{"point_2d": [x, y]' in str(user.content[1])
    assert (INFIGUI.min_pixels, INFIGUI.max_pixels) == (3136, 12_845_056)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    assert INFIGUI.parse(_reply(1931, 1091), Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

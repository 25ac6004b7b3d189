"""Plain Qwen2.5-VL grounding in JSON: points and boxes."""

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)
both = pytest.mark.parametrize("name", ["point_2d", "bbox_2d"])


@pytest.mark.parametrize("point", [Point(532, 120), Point(0, 0), Point(1931, 1091)])
def test_both_ways(point: Point) -> None:
    x, y = point.x, point.y
    written = {
        "point_2d": f'```json\n[\n\t{{"point_2d": [{x}, {y}], "label": "target"}}\n]\n```',
        "bbox_2d": f'```json\n[\n\t{{"bbox_2d": [{x}, {y}, {x}, {y}], "label": "target"}}\n]\n```',
    }
    for name, reply in written.items():
        assert load_dialect(name).render(Click(point=point), FRAME) == reply
        assert load_dialect(name).parse(reply, FRAME) == Click(point=point)


@both
@pytest.mark.parametrize(
    "reply",
    [
        '```json\n[\n\t{"bbox_2d": [522, 110, 542, 130], "label": "Next"},\n\t{"bbox_2d": [1, 1, 2, 2]}\n]\n```',
        '```json\n[\n\t{"bbox_2d": [522, 110, 542, 130], "label": "Next"},\n\t{"bbox_2d": [1, 1,',
        '[{"bbox_2d": [522, 110, 542, 130], "text_content": "it is done"}]',
        '{"point_2d": [532, 120], "label": "Next"}',
        '{"label": "the {\\"done\\"} button", "point_2d": [532, 120]}',
        "{'point_2d': (532, 120)}",
        'Here it is: [{"point_2d": [532.0, 120.9]},]',
        '{"label": "none"} {"point_2d": [532, 120]}',
    ],
)
def test_other_forms(name: str, reply: str) -> None:
    assert load_dialect(name).parse(reply, FRAME) == Click(point=Point(532, 120))


@both
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no place"),
        ("[532, 120]", "the reply holds no place"),
        ('{"action": "wait"}', "the reply holds no place"),
        ('[{"bbox_2d": [522, 110, 542, 13', "the place cannot be read"),
        ('[{"label": "{\\"point_2d\\": [1, 2]}', "the place cannot be read"),
        ('[{"bbox_2d": [1, 2, 3]}]', "whole pixels"),
        ('[{"point_2d": "here"}]', "whole pixels"),
        ('[{"point_2d": [1932, 0]}]', "x must be 0 to 1931, y 0 to 1091"),
        ('[{"bbox_2d": [0, 1092, 2, 1094]}]', "x must be 0 to 1931, y 0 to 1091"),
        ('[{"bbox_2d": [0.1, 0.2, 0.3, 0.4]}]', "not in fractions"),
    ],
)
def test_mistakes_are_told(name: str, reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        load_dialect(name).parse(reply, FRAME)
    assert told in str(caught.value)
    assert f'A valid reply has the form [{{"{name}": [x' in str(caught.value)
    assert "\n" not in str(caught.value)


@both
@pytest.mark.parametrize("action", [Wait(), Ask(question="Which?"), Click(point=Point(1, 2), button="middle")])
def test_they_only_point(name: str, action: Action) -> None:
    with pytest.raises(UnsupportedAction, match=f"{name} only points"):
        load_dialect(name).render(action, FRAME)


@both
def test_the_question_names_its_form_and_the_picture_comes_last(name: str) -> None:
    picture, dialect = Image.new("RGB", (1920, 1080)), load_dialect(name)
    (message,) = dialect.prompt(Turn("Sign in", picture, FRAME), 'the "Next" {button}')
    assert message.content[1] is picture
    assert name in str(message.content[0])
    assert 'the "Next" {button}' in str(message.content[0])
    assert (dialect.min_pixels, dialect.max_pixels) == (3136, 12_845_056)


@both
def test_points_are_pixels_of_the_picture_the_model_saw(name: str) -> None:
    frame = Frame(SIZE, Size(1920, 1080))
    assert load_dialect(name).parse('{"point_2d": [1931, 1091]}', frame) == Click(point=Point(1919, 1079))

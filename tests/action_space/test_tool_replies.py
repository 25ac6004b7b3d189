"""What models really write as calls of `computer_use` and `mobile_use`, and what they are told when it is none."""

import json

import pytest

from action_space.actions import Action, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

SCREEN = Size(1092, 728)
FRAME = Frame(SCREEN, SCREEN)
P, Q = Point(532, 120), Point(600, 300)
CLICK = Click(point=P)


def _call(function: str, **arguments: object) -> str:
    return f"<tool_call>\n{json.dumps({'name': function, 'arguments': arguments})}\n</tool_call>"


COMPUTER: list[tuple[dict[str, object], Action]] = [
    ({"action": "left_click", "coordinate": [532, 120]}, CLICK),
    ({"action": "click", "coordinate": [532, 120]}, CLICK),
    ({"action": "right_click", "coordinate": [532, 120]}, Click(point=P, button="right")),
    ({"action": "middle_click", "coordinate": [532, 120]}, Click(point=P, button="middle")),
    ({"action": "double_click", "coordinate": [532, 120]}, Click(point=P, count=2)),
    ({"action": "triple_click", "coordinate": [532, 120]}, Click(point=P, count=3)),
    ({"action": "left_click", "coordinate": [532, 120], "keys": ["Control"]}, Click(point=P, modifiers=("ctrl",))),
    ({"action": "mouse_move", "coordinate": [0, 0]}, Move(point=Point(0, 0))),
    ({"action": "left_click_drag", "start_coordinate": [532, 120], "coordinate": [600, 300]}, Drag(start=P, end=Q)),
    ({"action": "drag", "coordinate": [532, 120], "coordinate2": [600, 300]}, Drag(start=P, end=Q)),
    ({"action": "left_click_drag", "coordinate": [600, 300]}, Drag(start=Point(1, 2), end=Q)),
    ({"action": "scroll", "pixels": -300}, Scroll(point=Point(1, 2), direction="down", amount=3)),
    ({"action": "scroll", "pixels": -300, "coordinate": [532, 120]}, Scroll(point=P, direction="down", amount=3)),
    ({"action": "scroll", "pixels": "300", "coordinate": [532, 120]}, Scroll(point=P, direction="up", amount=3)),
    ({"action": "scroll", "pixels": -5, "coordinate": [532, 120]}, Scroll(point=P, direction="down", amount=5)),
    ({"action": "scroll", "pixels": 20, "coordinate": [532, 120]}, Scroll(point=P, direction="up", amount=1)),
    ({"action": "hscroll", "pixels": 250, "coordinate": [532, 120]}, Scroll(point=P, direction="right", amount=2)),
    ({"action": "type", "text": "a\tb"}, Type(text="a\tb")),
    ({"action": "type", "text": 2024}, Type(text="2024")),
    ({"action": "key", "keys": ["ctrl", "c"]}, Press(keys=("ctrl", "c"))),
    ({"action": "key", "keys": "ctrl+c"}, Press(keys=("ctrl", "c"))),
    ({"action": "key", "keys": ["ctrl+shift", "T"]}, Press(keys=("ctrl", "shift", "t"))),
    ({"action": "key", "text": "Return"}, Press(keys=("enter",))),
    ({"action": "key", "keys": ["home"]}, Press(keys=("home",))),
    ({"action": "wait", "time": 2.5}, Wait(seconds=2.5)),
    ({"action": "wait"}, Wait(seconds=1)),
    ({"action": "terminate", "status": "success"}, Finish(status="success")),
    ({"action": "terminate", "status": "Failure"}, Finish(status="failure")),
    ({"action": "answer", "text": "42"}, Finish(status="success", text="42")),
    ({"action": "left_click", "coordinate": [532, 120], "text": None, "thought": "the button"}, CLICK),
]

MOBILE: list[tuple[dict[str, object], Action]] = [
    ({"action": "click", "coordinate": [532, 120]}, CLICK),
    ({"action": "long_press", "coordinate": [532, 120], "time": 2}, LongPress(point=P, seconds=2)),
    ({"action": "swipe", "coordinate": [532, 120], "coordinate2": [600, 300]}, Drag(start=P, end=Q)),
    ({"action": "type", "text": "x"}, Type(text="x")),
    ({"action": "key", "text": "volume_up"}, Press(keys=("volume_up",))),
    ({"action": "key", "text": "KEYCODE_HOME"}, Press(keys=("device_home",))),
    ({"action": "key", "text": "home"}, Press(keys=("device_home",))),
    ({"action": "key", "text": "move_home"}, Press(keys=("home",))),
    ({"action": "key", "text": "DEL"}, Press(keys=("backspace",))),
    ({"action": "system_button", "button": "Back"}, Press(keys=("back",))),
    ({"action": "system_button", "button": "Home"}, Press(keys=("device_home",))),
    ({"action": "system_button", "button": "menu"}, Press(keys=("menu",))),
    ({"action": "system_button", "button": "Enter"}, Press(keys=("enter",))),
    ({"action": "open", "text": "Clock"}, Open(target="Clock")),
    ({"action": "wait", "time": 3}, Wait(seconds=3)),
    ({"action": "terminate", "status": "success"}, Finish(status="success")),
    ({"action": "answer", "text": "42"}, Finish(status="success", text="42")),
]


@pytest.mark.parametrize(("arguments", "action"), COMPUTER)
def test_computer_use(arguments: dict[str, object], action: Action) -> None:
    assert load_dialect("computer_use").parse(_call("computer_use", **arguments), FRAME, Point(1, 2)) == action


@pytest.mark.parametrize(("arguments", "action"), MOBILE)
def test_mobile_use(arguments: dict[str, object], action: Action) -> None:
    assert load_dialect("mobile_use").parse(_call("mobile_use", **arguments), FRAME) == action


_PLAIN = '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [532, 120]}}'
_CALL = f"<tool_call>\n{_PLAIN}\n</tool_call>"
WRITTEN = [
    _CALL,
    _PLAIN,
    f"<tool_call>\n{_PLAIN}",
    f"<tool_call>{_PLAIN}</tool_call><|im_end|>",
    f"I see {{a button}} here.\n{_CALL}",
    f"<think>\nMaybe {{'action': 'wait'}}?\n</think>\n{_CALL}",
    f"<thinking>terminate, success</thinking>{_CALL}<conclusion>Clicked.</conclusion>",
    f"```json\n{_PLAIN}\n```",
    f"[{_PLAIN}]",
    f'{{"thought": "click it"}}\n{_PLAIN}',
    f'{_CALL}\n<tool_call>\n{{"name": "computer_use", "arguments": {{"action": "wait", "time": 1}}}}\n</tool_call>',
    '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [532, 120],},}',
    '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [532, 120]}',
    '<tool_call>{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [532, 120]</tool_call>',
    "{'name': 'computer_use', 'arguments': {'action': 'left_click', 'coordinate': (532, 120), 'keys': None}}",
    '{"name": "computer_use", "arguments": "{\\"action\\": \\"left_click\\", \\"coordinate\\": [532, 120]}"}',
    '{"action": "left_click", "coordinate": [532, 120]}',
    '{"name": "left_click", "arguments": {"coordinate": [532, 120]}}',
    '{"name": "computer_use", "action": "left_click", "coordinate": [532, 120]}',
]
COORDINATES = [
    *("[532, 120]", "[532.9, 120.0]", '"(532, 120)"', '"[532, 120]"', '"532, 120"', '["532", "120"]', "[[532, 120]]"),
    *("[522, 110, 542, 130]", '"(522,110,542,130)"', '{"x": 532, "y": 120}', '["(532, 120)"]'),
    *('"<point>532 120</point>"', '"<|box_start|>(532,120)<|box_end|>"', "[531, 119, 534, 122]"),
]


@pytest.mark.parametrize("reply", WRITTEN)
def test_forms_of_a_call(reply: str) -> None:
    assert load_dialect("computer_use").parse(reply, FRAME) == CLICK


@pytest.mark.parametrize("written", COORDINATES)
def test_forms_of_a_coordinate(written: str) -> None:
    reply = f'{{"name": "computer_use", "arguments": {{"action": "left_click", "coordinate": {written}}}}}'
    assert load_dialect("computer_use").parse(reply, FRAME) == CLICK


WRONG = [
    ("", "no function call"),
    ("I am done.", "no function call"),
    ("<think>I will click <tool_call>" + _PLAIN, "no function call"),
    ('{"name": "browser", "arguments": {"action": "wait"}}', "unknown function 'browser': the only one is"),
    ('{"name": "computer_use", "arguments": {}}', "the call has no action: choose one of key, type, mouse_move"),
    ('{"action": "fly"}', "unknown action 'fly': choose one of key, type"),
    ('{"action": ["left_click"]}', "the call has no action"),
    ('{"name": "computer_use", "arguments": [1]}', '"arguments" must be an object'),
    ('{"name": "computer_use", "arguments": "wait"}', '"arguments" cannot be read'),
    ('{"action": "left_click"}', "left_click needs the argument 'coordinate'"),
    ('{"action": "left_click", "coordinate": [532, 12', "cannot be read"),
    ('{"action": "type", "text": "hello wor', "cannot be read"),
    ('{"action": "type", "text": {"a": 1}}', "'text' of type must be a string"),
    ('{"action": "type"}', "type needs the argument 'text'"),
    ('{"action": "left_click", "coordinate": [1092, 0]}', "x must be 0 to 1091, y 0 to 727"),
    ('{"action": "left_click", "coordinate": [0, 728]}', "x must be 0 to 1091, y 0 to 727"),
    ('{"action": "left_click", "coordinate": [-1, 0]}', "x must be 0 to 1091, y 0 to 727"),
    ('{"action": "left_click", "coordinate": [-0.5, 0]}', "x must be 0 to 1091, y 0 to 727"),
    ('{"action": "left_click", "coordinate": [1e300, 0]}', "far outside the screen"),
    ('{"action": "left_click", "coordinate": [1e999, 0]}', "whole pixels"),
    ('{"action": "left_click", "coordinate": [NaN, 0]}', "cannot be read"),
    ('{"action": "left_click", "coordinate": [true, false]}', "whole pixels"),
    ('{"action": "left_click", "coordinate": [1, 2, 3]}', "whole pixels"),
    ('{"action": "left_click", "coordinate": "the button"}', "whole pixels"),
    ('{"action": "left_click", "coordinate": [0.48, 0.16]}', "not in fractions"),
    ('{"action": "left_click", "coordinate": [5, 5], "keys": ["a"]}', "'ctrl', 'shift', 'alt' or 'meta'"),
    ('{"action": "left_click_drag", "coordinate": [5, 5]}', "first use mouse_move, or give start_coordinate"),
    ('{"action": "scroll", "pixels": 0}', "not 0"),
    ('{"action": "scroll", "pixels": -99999}', "between -10000 and 10000"),
    ('{"action": "scroll", "pixels": "down"}', "must be a number"),
    ('{"action": "key", "keys": []}', "keys of press"),
    ('{"action": "key", "keys": ["ctrl", "hyperdrive"]}', "unknown key 'hyperdrive'"),
    ('{"action": "key", "keys": {"a": 1}}', "list of key names"),
    ('{"action": "wait", "time": 1000}', "less than or equal to 60"),
    ('{"action": "wait", "time": -1}', "greater than or equal to 0"),
    ('{"action": "terminate"}', "terminate needs the argument 'status'"),
    ('{"action": "terminate", "status": "done"}', "must be one of success, failure"),
    ("{" * 100_000, "no function call"),
    ('{"action":' * 100_000, "levels of brackets"),
    ('{"action": "left_click", "coordinate": ' + "[" * 100_000, "levels of brackets"),
    ('{"action": "left_click", "coordinate": [' + "9" * 100_000 + ", 0]}", "a number is too long"),
]


@pytest.mark.parametrize(("reply", "told"), WRONG, ids=range(len(WRONG)))
def test_mistakes_are_told_in_one_line(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        load_dialect("computer_use").parse(reply, FRAME)
    text = str(caught.value)
    assert told in text
    assert '"action": "left_click", "coordinate": [x, y]' in text
    assert "\n" not in text
    assert len(text) < 700


def test_done_in_a_typed_text_that_was_cut_off_ends_nothing() -> None:
    reply = """<tool_call>{"name": "computer_use", "arguments": {"action": "type", "text": "{'action': 'terminate', """
    with pytest.raises(InvalidAction):
        load_dialect("computer_use").parse(reply + "'status': 'success'} and so", FRAME)


def test_a_typed_text_may_hold_tags_and_calls() -> None:
    text = f"say {_CALL} or {{}} </tool_call>"
    reply = load_dialect("computer_use").render(Type(text=text), FRAME)
    assert load_dialect("computer_use").parse(reply, FRAME) == Type(text=text)


def test_a_scroll_without_a_place_scrolls_under_the_pointer_or_in_the_middle() -> None:
    reply = _call("computer_use", action="scroll", pixels=-100)
    dialect = load_dialect("computer_use")
    for pointer, place in [(P, P), (None, Point(546, 364)), (Point(5000, 0), Point(546, 364))]:
        assert dialect.parse(reply, FRAME, pointer) == Scroll(point=place, direction="down", amount=1)


def test_coordinates_are_those_of_the_picture_the_model_saw() -> None:
    frame = Frame(Size(1932, 1092), Size(1920, 1080))
    dialect = load_dialect("computer_use")
    assert dialect.parse(_call("computer_use", action="left_click", coordinate=[1931, 1091]), frame) == Click(
        point=Point(1919, 1079)
    )
    assert '"coordinate": [1931, 1091]' in dialect.render(Click(point=Point(1919, 1079)), frame)


@pytest.mark.parametrize(
    ("dialect", "action"),
    [
        ("computer_use", LongPress(point=P)),
        ("computer_use", Open(target="x")),
        ("computer_use", Click(point=P, button="right", count=2)),
        ("mobile_use", Click(point=P, button="right")),
        ("mobile_use", Click(point=P, count=2)),
        ("mobile_use", Move(point=P)),
        ("mobile_use", Scroll(point=P, direction="down")),
    ],
)
def test_what_has_no_word_is_unsupported(dialect: str, action: Action) -> None:
    with pytest.raises(UnsupportedAction, match=f"{dialect} has no word for"):
        load_dialect(dialect).render(action, FRAME)


def test_the_call_is_written_as_the_checkpoints_write_it() -> None:
    reply = load_dialect("mobile_use").render(Click(point=Point(935, 406)), FRAME)
    assert reply == (
        '<tool_call>\n{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [935, 406]}}\n</tool_call>'
    )
    assert "Schwarzwälder" in load_dialect("mobile_use").render(Type(text="Schwarzwälder"), FRAME)

"""GUI-Owl: its own words for computer_use, and mobile_use with answers; thoughts and conclusions around the call."""

import json
from typing import Any

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

OWL, MOBILE = load_dialect("gui_owl"), load_dialect("gui_owl_mobile")
SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)
P, Q = Point(532, 120), Point(0, 0)
NOW = Image.new("RGB", (1920, 1080))


def _call(function: str, arguments: dict[str, object]) -> str:
    call = json.dumps({"name": function, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


COMPUTER: list[tuple[dict[str, object], Action]] = [
    ({"action": "click", "coordinate": [532, 120]}, Click(point=P)),
    ({"action": "click", "coordinate": [0, 0]}, Click(point=Q)),
    ({"action": "click", "coordinate": [1931, 1091]}, Click(point=Point(1931, 1091))),
    ({"action": "right_click", "coordinate": [532, 120]}, Click(point=P, button="right")),
    ({"action": "middle_click", "coordinate": [532, 120]}, Click(point=P, button="middle")),
    ({"action": "double_click", "coordinate": [532, 120]}, Click(point=P, count=2)),
    ({"action": "mouse_move", "coordinate": [532, 120]}, Move(point=P)),
    ({"action": "drag", "coordinate": [532, 120], "coordinate2": [0, 0]}, Drag(start=P, end=Q)),
    ({"action": "scroll", "coordinate": [532, 120], "pixels": -5}, Scroll(point=P, direction="down", amount=5)),
    ({"action": "scroll", "coordinate": [532, 120], "pixels": 1}, Scroll(point=P, direction="up", amount=1)),
    ({"action": "scroll", "coordinate": [532, 120], "pixels": -600}, Scroll(point=P, direction="down", amount=6)),
    ({"action": "hscroll", "coordinate": [532, 120], "pixels": 200}, Scroll(point=P, direction="right", amount=2)),
    ({"action": "type", "text": 'it\'s "done"\nterminate'}, Type(text='it\'s "done"\nterminate')),
    ({"action": "type", "text": "Alice", "enter": 1}, Type(text="Alice\n")),
    ({"action": "key", "keys": ["ctrl", "a"]}, Press(keys=("ctrl", "a"))),
    ({"action": "wait", "time": 2}, Wait(seconds=2)),
    ({"action": "terminate", "status": "success"}, Finish(status="success")),
    ({"action": "terminate", "status": "failure"}, Finish(status="failure")),
    ({"action": "answer", "text": "42"}, Finish(status="success", text="42")),
]
PHONE: list[tuple[dict[str, object], Action]] = [
    ({"action": "click", "coordinate": [532, 120]}, Click(point=P)),
    ({"action": "long_press", "coordinate": [532, 120], "time": 2}, LongPress(point=P, seconds=2)),
    ({"action": "swipe", "coordinate": [532, 120], "coordinate2": [0, 0]}, Drag(start=P, end=Q)),
    ({"action": "type", "text": "all done\n"}, Type(text="all done\n")),
    ({"action": "system_button", "button": "Back"}, Press(keys=("back",))),
    ({"action": "key", "text": "volume_up"}, Press(keys=("volume_up",))),
    ({"action": "open", "text": "Clock"}, Open(target="Clock")),
    ({"action": "wait", "time": 2}, Wait(seconds=2)),
    ({"action": "answer", "text": "42"}, Finish(status="success", text="42")),
    ({"action": "terminate", "status": "success"}, Finish(status="success")),
]


@pytest.mark.parametrize(("arguments", "action"), COMPUTER)
def test_computer_calls_both_ways(arguments: dict[str, object], action: Action) -> None:
    reply = _call("computer_use", arguments)
    assert OWL.render(action, FRAME) == reply
    wrapped = f"<thinking>\nThen terminate.\n</thinking>\n{reply}\n<conclusion>Clicked.</conclusion>"
    assert OWL.parse(wrapped, FRAME) == action


@pytest.mark.parametrize(("arguments", "action"), PHONE)
def test_phone_calls_both_ways(arguments: dict[str, object], action: Action) -> None:
    reply = _call("mobile_use", arguments)
    assert MOBILE.render(action, FRAME) == reply
    assert MOBILE.parse(f"<thinking>x</thinking>\n{reply}\n<conclusion>y</conclusion>", FRAME) == action


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"action": "left_click", "coordinate": [532, 120]}, Click(point=P)),
        ({"action": "type", "text": "Alice", "clear": 0, "enter": 0}, Type(text="Alice")),
        ({"action": "type", "text": "Alice", "clear": False, "enter": True}, Type(text="Alice\n")),
        ({"action": "type", "text": "Alice", "enter": "true"}, Type(text="Alice\n")),
        ({"action": "scroll", "pixels": -5}, Scroll(point=Point(7, 8), direction="down", amount=5)),
        ({"action": "left_click_drag", "coordinate": [0, 0]}, Drag(start=Point(7, 8), end=Q)),
    ],
)
def test_other_forms(arguments: dict[str, object], action: Action) -> None:
    assert OWL.parse(_call("computer_use", arguments), FRAME, Point(7, 8)) == action


def test_of_two_calls_the_first_counts() -> None:
    two = _call("computer_use", {"action": "wait", "time": 1}) + _call("computer_use", {"action": "key", "keys": ["a"]})
    assert OWL.parse(two, FRAME) == Wait(seconds=1)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("<thinking>I click", "no function call"),
        ("<conclusion>All is done.</conclusion>", "no function call"),
        (_call("mobile_use", {"action": "wait"}), "the only one is 'computer_use'"),
        (_call("computer_use", {"action": "fly"}), "unknown action 'fly': choose one of key, type, mouse_move, click"),
        (_call("computer_use", {"action": "type", "text": "a", "clear": 1}), "press ctrl and a first"),
        (_call("computer_use", {"action": "type", "text": "a", "enter": 2}), "'enter' of type must be true or false"),
        (_call("computer_use", {"action": "type", "text": "a", "enter": [1]}), "must be true or false, not [1]"),
        (_call("computer_use", {"action": "click", "coordinate": [1932, 0]}), "x must be 0 to 1931, y 0 to 1091"),
        ('<tool_call>\n{"name": "computer_use", "arguments": {"action": "type", "text": "it is do', "cannot be read"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        OWL.parse(reply, FRAME)
    assert told in str(caught.value)
    assert '{"name": "computer_use", "arguments": {"action": "click", "coordinate": [x, y]}}' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", [LongPress(point=P), Open(target="x"), Ask(question="x")])
def test_what_has_no_word_on_a_computer(action: Action) -> None:
    with pytest.raises(UnsupportedAction):
        OWL.render(action, FRAME)


@pytest.mark.parametrize("action", [Move(point=P), Ask(question="x"), Click(point=P, count=2)])
def test_what_has_no_word_on_a_phone(action: Action) -> None:
    with pytest.raises(UnsupportedAction):
        MOBILE.render(action, FRAME)


def _function(name: str) -> dict[str, Any]:
    system = str(load_dialect(name).prompt(Turn("x", NOW, FRAME))[0].content[0])
    function: dict[str, Any] = json.loads(system.split("<tools>\n")[1].split("\n</tools>")[0])["function"]
    return function


def test_the_functions_have_the_published_names() -> None:
    computer, mobile = _function("gui_owl"), _function("gui_owl_mobile")
    assert (computer["name"], mobile["name"]) == ("computer_use", "mobile_use")
    assert computer["parameters"]["properties"]["action"]["enum"] == [
        *("key", "type", "mouse_move", "click", "drag", "right_click", "middle_click", "double_click", "scroll"),
        *("wait", "terminate"),
    ]
    assert mobile["parameters"]["properties"]["action"]["enum"] == [
        *("key", "click", "long_press", "swipe", "type", "system_button", "open", "wait", "terminate", "answer")
    ]
    assert "1932x1092" in computer["description"]


def test_the_prompt_asks_for_thoughts_and_a_conclusion() -> None:
    history = (PastStep(Click(point=Q), "", note="nothing changed"),)
    text = str(OWL.prompt(Turn("Sign in", NOW, FRAME, history))[1].content[0])
    assert '"action": "click", "coordinate": [0, 0]' in text
    assert text.splitlines()[-1].startswith("First think step by step inside <thinking></thinking>")
    assert "<conclusion></conclusion>" in text
    assert OWL.prompt(Turn("x", NOW, FRAME))[-1].content[-1] is NOW
    assert (OWL.min_pixels, OWL.max_pixels) == (MOBILE.min_pixels, MOBILE.max_pixels) == (3136, 10_035_200)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    reply = _call("computer_use", {"action": "click", "coordinate": [1931, 1091]})
    assert OWL.parse(reply, Frame(SIZE, Size(1920, 1080))) == Click(point=Point(1919, 1079))

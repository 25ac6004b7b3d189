"""Fara-7B: computer_use with words for pages, and a type that says four things at once."""

import json
from typing import Any

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

FARA = load_dialect("fara")
SIZE = Size(1428, 896)
FRAME = Frame(SIZE, SIZE)
P, Q = Point(532, 120), Point(0, 0)
NOW, BEFORE = Image.new("RGB", (1440, 900), "white"), Image.new("RGB", (1440, 900), "gray")


def _call(arguments: dict[str, object]) -> str:
    call = json.dumps({"name": "computer_use", "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


CALLS: list[tuple[dict[str, object], Action]] = [
    ({"action": "left_click", "coordinate": [532, 120]}, Click(point=P)),
    ({"action": "left_click", "coordinate": [0, 0]}, Click(point=Q)),
    ({"action": "left_click", "coordinate": [1427, 895]}, Click(point=Point(1427, 895))),
    ({"action": "mouse_move", "coordinate": [532, 120]}, Move(point=P)),
    ({"action": "scroll", "coordinate": [532, 120], "pixels": -300}, Scroll(point=P, direction="down")),
    ({"action": "key", "keys": ["ctrl", "a"]}, Press(keys=("ctrl", "a"))),
    ({"action": "history_back"}, Press(keys=("back",))),
    ({"action": "refresh"}, Press(keys=("f5",))),
    ({"action": "type", "text": 'it\'s "done"', "press_enter": False}, Type(text='it\'s "done"')),
    ({"action": "type", "text": "two\nlines", "press_enter": True}, Type(text="two\nlines\n")),
    ({"action": "visit_url", "url": "https://example.org/"}, Open(target="https://example.org/")),
    ({"action": "wait", "time": 2}, Wait(seconds=2)),
    ({"action": "terminate", "status": "success"}, Finish(status="success")),
    ({"action": "terminate", "status": "failure", "text": "gone"}, Finish(status="failure", text="gone")),
]


@pytest.mark.parametrize(("arguments", "action"), CALLS)
def test_calls_both_ways(arguments: dict[str, object], action: Action) -> None:
    reply = _call(arguments)
    assert FARA.render(action, FRAME) == reply
    assert FARA.parse(f"I should terminate soon.\n{reply}", FRAME) == action


_TYPE: dict[str, object] = {"action": "type", "text": "Alice", "coordinate": [532, 120]}


@pytest.mark.parametrize(
    ("arguments", "pointer", "action"),
    [
        (_TYPE, None, Click(point=P)),
        (_TYPE, Q, Click(point=P)),
        (_TYPE, P, Type(text="Alice")),
        ({**_TYPE, "press_enter": True}, Q, Click(point=P)),
        ({**_TYPE, "press_enter": True}, P, Type(text="Alice\n")),
        ({**_TYPE, "delete_existing_text": True}, Q, Click(point=P, count=3)),
        ({**_TYPE, "delete_existing_text": True, "press_enter": True}, P, Type(text="Alice\n")),
        ({"action": "type", "text": "Alice"}, Q, Type(text="Alice")),
    ],
)
def test_typing_somewhere_is_a_click_first(arguments: dict[str, object], pointer: Point | None, action: Action) -> None:
    assert FARA.parse(_call(arguments), FRAME, pointer) == action


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        (
            {"action": "web_search", "query": "a & b\ud800"},
            Open(target="https://www.bing.com/search?q=a+%26+b%3F"),
        ),
        ({"action": "pause_and_memorize_fact", "fact": "It costs 42."}, Wait(seconds=0)),
        ({"action": "scroll", "pixels": -500}, Scroll(point=Point(714, 448), direction="down", amount=5)),
        ({"action": "double_click", "coordinate": [532, 120]}, Click(point=P, count=2)),
        ({"action": "answer", "text": "42"}, Finish(status="success", text="42")),
    ],
)
def test_other_forms(arguments: dict[str, object], action: Action) -> None:
    assert FARA.parse(_call(arguments), FRAME) == action


def test_of_two_calls_the_first_counts() -> None:
    two = _call({"action": "refresh"}) + "\n" + _call({"action": "terminate", "status": "success"})
    assert FARA.parse(two, FRAME) == Press(keys=("f5",))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("The task is done.", "no function call"),
        (
            _call({"action": "fly"}),
            "unknown action 'fly': choose one of key, type, mouse_move, left_click, scroll, visit",
        ),
        (_call({"action": "visit_url"}), "visit_url needs the argument 'url'"),
        (_call({"action": "visit_url", "url": ""}), "at least 1 character"),
        (_call({"action": "web_search"}), "web_search needs the argument 'query'"),
        (_call({"action": "pause_and_memorize_fact"}), "needs the argument 'fact'"),
        (_call({"action": "type", "coordinate": [1, 2]}), "type needs the argument 'text'"),
        (_call({"action": "type", "text": "a", "delete_existing_text": True}), "press ctrl and a first"),
        (_call({"action": "type", "text": "a", "press_enter": "maybe"}), "must be true or false, not 'maybe'"),
        (_call({"action": "left_click", "coordinate": [1428, 0]}), "x must be 0 to 1427, y 0 to 895"),
        ('<tool_call>\n{"name": "computer_use", "arguments": {"action": "type", "text": "terminat', "cannot be read"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        FARA.parse(reply, FRAME)
    assert told in str(caught.value)
    assert '{"name": "computer_use", "arguments": {"action": "left_click"' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action",
    [
        Click(point=P, button="right"),
        Click(point=P, count=2),
        Click(point=P, modifiers=("ctrl",)),
        Scroll(point=P, direction="left"),
        Drag(start=P, end=Q),
        LongPress(point=P),
        Ask(question="Which?"),
    ],
)
def test_what_has_no_word_is_unsupported(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="fara has no word for"):
        FARA.render(action, FRAME)


def test_the_function_has_the_published_names() -> None:
    system = str(FARA.prompt(Turn("x", NOW, FRAME))[0].content[0])
    function: dict[str, Any] = json.loads(system.split("<tools>\n")[1].split("\n</tools>")[0])["function"]
    assert function["name"] == "computer_use"
    properties = function["parameters"]["properties"]
    assert properties["action"]["enum"] == [
        *("key", "type", "mouse_move", "left_click", "scroll", "visit_url", "web_search", "history_back"),
        *("pause_and_memorize_fact", "wait", "refresh", "terminate"),
    ]
    assert {"press_enter", "delete_existing_text", "url", "query", "fact"} < set(properties)
    assert "1428x896" in function["description"]
    assert (FARA.min_pixels, FARA.max_pixels) == (3136, 12_845_056)


def test_the_history_keeps_what_was_memorised() -> None:
    fact = "I note it.\n" + _call({"action": "pause_and_memorize_fact", "fact": "It costs 42."})
    history = (
        PastStep(Wait(seconds=0), fact, frame=FRAME),
        PastStep(Wait(seconds=0), fact, screenshot=BEFORE, frame=FRAME),
        PastStep(Wait(seconds=3), "another family's words", note="nothing changed"),
    )
    messages = FARA.prompt(Turn("Sign in", NOW, FRAME, history))
    assert 'Step 1: {"name": "computer_use", "arguments": {"action": "pause_and_memorize_fact"' in str(
        messages[1].content
    )
    assert messages[2].content == (fact,)
    assert 'Step 3: {"name": "computer_use", "arguments": {"action": "wait", "time": 3}} (nothing changed)' in str(
        messages[3].content
    )


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    reply = _call({"action": "left_click", "coordinate": [1427, 895]})
    assert FARA.parse(reply, Frame(SIZE, Size(1440, 900))) == Click(point=Point(1439, 899))

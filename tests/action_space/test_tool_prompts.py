"""The prompts of `computer_use` and `mobile_use`: generated from their words, newest screenshot last."""

import json
import re
from typing import Any

import pytest
from PIL import Image

from action_space.actions import Ask, Click, Finish, Press, Scroll, Type
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message

FRAME = Frame(Size(1932, 1092), Size(1920, 1080))
NOW, BEFORE, EARLIER = (Image.new("RGB", (1920, 1080), color) for color in ("white", "gray", "black"))
ACTIONS = {
    "computer_use": {
        "key": ["keys"],
        "type": ["text"],
        "mouse_move": ["coordinate"],
        "left_click": ["coordinate"],
        "left_click_drag": ["coordinate"],
        "right_click": ["coordinate"],
        "middle_click": ["coordinate"],
        "double_click": ["coordinate"],
        "scroll": ["pixels"],
        "wait": ["time"],
        "terminate": ["status"],
    },
    "mobile_use": {
        "key": ["text"],
        "click": ["coordinate"],
        "long_press": ["coordinate", "time"],
        "swipe": ["coordinate", "coordinate2"],
        "type": ["text"],
        "system_button": ["button"],
        "open": ["text"],
        "wait": ["time"],
        "terminate": ["status"],
    },
}


def _signature(messages: list[Message]) -> dict[str, Any]:
    system = messages[0]
    assert system.role == "system"
    lines = re.search(r"<tools>\n(.*)\n</tools>", str(system.content[0]))
    assert lines is not None
    tool = json.loads(lines[1])
    assert tool["type"] == "function"
    function: dict[str, Any] = tool["function"]
    return function


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_the_function_has_the_published_names(name: str) -> None:
    function = _signature(load_dialect(name).prompt(Turn("x", NOW, FRAME)))
    assert function["name"] == name
    properties = function["parameters"]["properties"]
    assert properties["action"]["enum"] == list(ACTIONS[name])
    assert function["parameters"]["required"] == ["action"]
    assert set(properties) == {"action"}.union(*ACTIONS[name].values())
    for word, arguments in ACTIONS[name].items():
        assert f"* `{word}`: " in properties["action"]["description"]
        assert [key for key in properties if f"`action={word}`" in properties[key]["description"]] == sorted(
            arguments, key=list(properties).index
        )
    assert properties["status"]["enum"] == ["success", "failure"]


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_the_stated_resolution_is_that_of_the_picture_the_model_sees(name: str) -> None:
    description = str(_signature(load_dialect(name).prompt(Turn("x", NOW, FRAME)))["description"])
    assert "resolution is 1932x1092" in description
    assert "x from 0 to 1931 and y from 0 to 1091" in description
    assert "1920" not in description


def test_the_answer_form_is_that_of_the_checkpoints() -> None:
    system = str(load_dialect("computer_use").prompt(Turn("x", NOW, FRAME))[0].content[0])
    assert "# Tools" in system
    assert system.endswith("<tool_call>\n{" + system.rpartition("<tool_call>\n{")[2])
    assert system.endswith("\n</tool_call>")


def test_the_first_step_is_the_task_and_then_the_picture() -> None:
    messages = load_dialect("computer_use").prompt(Turn("Sign in", NOW, FRAME))
    assert [message.role for message in messages] == ["system", "user"]
    text, picture = messages[1].content
    assert text == "The user query: Sign in\nTask progress (what was done on this computer so far): "
    assert picture is NOW


def test_history_is_numbered_calls_with_notes() -> None:
    history = (
        PastStep(Click(point=Point(0, 0)), "", note="nothing changed", frame=FRAME),
        PastStep(None, "hm", note="the reply holds\nno function call"),
        PastStep(Press(keys=("enter",)), ""),
    )
    text = str(load_dialect("computer_use").prompt(Turn("Sign in", NOW, FRAME, history, ("URL: x", "")))[1].content[0])
    assert text.splitlines()[1] == (
        "Task progress (what was done on this computer so far): "
        'Step 1: {"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [0, 0]}} '
        "(nothing changed); "
        "Step 2: no valid action (the reply holds no function call); "
        'Step 3: {"name": "computer_use", "arguments": {"action": "key", "keys": ["enter"]}}; '
    )
    assert text.splitlines()[2:] == ["URL: x"]


def test_older_pictures_are_turns_of_their_own_and_the_newest_is_last() -> None:
    history = (
        PastStep(Type(text="a"), ""),
        PastStep(Click(point=Point(1919, 1079)), "said otherwise", "", "nothing changed", EARLIER, FRAME),
        PastStep(None, "I am lost", "", "no function call", BEFORE, FRAME),
    )
    messages = load_dialect("computer_use").prompt(Turn("Go", NOW, FRAME, history, ("URL: x",)))
    assert [message.role for message in messages] == ["system", *("user", "assistant") * 2, "user"]
    assert [message.content[1] for message in messages if message.role == "user"] == [EARLIER, BEFORE, NOW]
    assert "Step 1: " in str(messages[1].content[0])
    assert messages[2].content == (
        '<tool_call>\n{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [1931, 1091]}}\n'
        "</tool_call>",
    )
    assert messages[3].content[0] == "Step 2: nothing changed; "
    assert messages[4].content == ("I am lost",)
    assert messages[5].content[0] == "Step 3: no function call; \nURL: x"


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_what_the_family_has_no_word_for_is_still_told(name: str) -> None:
    history = (PastStep(Ask(question="Which?"), "", note="the person answered: the first"),)
    text = str(load_dialect(name).prompt(Turn("x", NOW, FRAME, history))[1].content[0])
    assert '"action": "ask", "question": "Which?"' in text
    assert "the person answered: the first" in text


def test_a_scroll_is_told_to_a_phone_in_its_own_pixels() -> None:
    history = (PastStep(Scroll(point=Point(1919, 1079), direction="down", amount=5), ""),)
    text = str(load_dialect("mobile_use").prompt(Turn("x", NOW, FRAME, history))[1].content[0])
    assert '{"action": "scroll", "direction": "down", "amount": 5, "at": [[1931, 1091]]}' in text


def test_a_plan_of_another_model_is_passed_on() -> None:
    dialect = load_dialect("mobile_use")
    assert str(dialect.prompt(Turn("x", NOW, FRAME), "click Next")[1].content[0]).endswith("\nDo this now: click Next")
    assert "Do this now" not in str(dialect.prompt(Turn("x", NOW, FRAME), "x")[1].content[0])


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_planning_and_pointing_are_one_reply(name: str) -> None:
    dialect = load_dialect(name)
    assert dialect.plan_prompt(Turn("x", NOW, FRAME)) is None
    assert dialect.plan_action('type "x"', FRAME) is None


def test_a_failure_keeps_its_reason() -> None:
    dialect = load_dialect("computer_use")
    reply = dialect.render(Finish(status="failure", text="no such page"), FRAME)
    assert '"action": "terminate", "status": "failure", "text": "no such page"' in reply

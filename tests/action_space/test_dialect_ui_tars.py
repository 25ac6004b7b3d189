"""UI-TARS-1.5: a thought and a call with named arguments, on a computer or a phone."""

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message

SIZE = Size(1932, 1092)
FRAME = Frame(SIZE, SIZE)
P, Q = Point(197, 525), Point(0, 0)
COMPUTER, MOBILE = load_dialect("ui_tars"), load_dialect("ui_tars_mobile")
NOW, BEFORE = Image.new("RGB", (1920, 1080), "white"), Image.new("RGB", (1920, 1080), "gray")

BOTH: list[tuple[str, Action]] = [
    ("click(start_box='(197,525)')", Click(point=P)),
    ("click(start_box='(0,0)')", Click(point=Q)),
    ("click(start_box='(1931,1091)')", Click(point=Point(1931, 1091))),
    ("drag(start_box='(197,525)', end_box='(0,0)')", Drag(start=P, end=Q)),
    ("drag(start_box='(197,525)', end_box='(0,0)', time=1.5)", Drag(start=P, end=Q, seconds=1.5)),
    ("scroll(start_box='(197,525)', direction='down')", Scroll(point=P, direction="down", amount=5)),
    ("scroll(start_box='(197,525)', direction='left', amount=2)", Scroll(point=P, direction="left", amount=2)),
    (r"type(content='it\'s \"done\", finished\n')", Type(text='it\'s "done", finished\n')),
    (r"type(content='finished()\n\nAction: finished()')", Type(text="finished()\n\nAction: finished()")),
    (r"type(content='C:\\new')", Type(text=r"C:\new")),
    ("type(content='')", Type(text="")),
    ("hotkey(key='ctrl c')", Press(keys=("ctrl", "c"))),
    ("hotkey(key='ctrl l')", Press(keys=("ctrl", "l"))),
    ("hotkey(key='ctrl plus')", Press(keys=("ctrl", "+"))),
    ("hotkey(key='alt pagedown')", Press(keys=("alt", "page_down"))),
    ("wait()", Wait(seconds=5)),
    ("wait(time=2)", Wait(seconds=2)),
    ("call_user(content='Which?')", Ask(question="Which?")),
    ("finished()", Finish(status="success")),
    ("finished(content='42')", Finish(status="success", text="42")),
    ("finished(status='failure', content='gone')", Finish(status="failure", text="gone")),
]
COMPUTER_ONLY: list[tuple[str, Action]] = [
    ("left_double(start_box='(197,525)')", Click(point=P, count=2)),
    ("right_single(start_box='(197,525)')", Click(point=P, button="right")),
    ("hotkey(key='back')", Press(keys=("back",))),
]
MOBILE_ONLY: list[tuple[str, Action]] = [
    ("long_press(start_box='(197,525)')", LongPress(point=P)),
    ("long_press(start_box='(197,525)', time=3)", LongPress(point=P, seconds=3)),
    ("open_app(app_name='Clock')", Open(target="Clock")),
    ("press_home()", Press(keys=("device_home",))),
    ("press_back()", Press(keys=("back",))),
]


@pytest.mark.parametrize(("call", "action"), BOTH + COMPUTER_ONLY)
def test_computer_calls_both_ways(call: str, action: Action) -> None:
    assert COMPUTER.render(action, FRAME) == f"Action: {call}"
    assert COMPUTER.parse(f"Thought: It is there.\nAction: {call}", FRAME) == action


@pytest.mark.parametrize(("call", "action"), BOTH + MOBILE_ONLY)
def test_phone_calls_both_ways(call: str, action: Action) -> None:
    assert MOBILE.render(action, FRAME) == f"Action: {call}"
    assert MOBILE.parse(f"Thought: It is there.\nAction: {call}", FRAME) == action


@pytest.mark.parametrize(
    "reply",
    [
        "Action: click(start_box='<|box_start|>(197,525)<|box_end|>')",
        "Action: click(point='<point>197 525</point>')",
        "Action: click(start_box='[197, 525, 197, 525]')",
        "Action: click(start_box='(187,515,207,535)')",
        "Action: click(start_box=(197, 525))",
        "Action: left_single(start_box='(197,525)')",
        "Action: Click(start_box='(197,525)')",
        "Thought: I could click(the button) or type.\nAction: click(start_box='(197,525)')",
        "Thought: a\nb\n\nAction:\nclick(start_box='(197,525)')",
        "```\nThought: a\nAction: click(start_box='(197,525)')\n```",
        "Action: `click(start_box='(197,525)')`",
        "click(start_box='(197,525)')",
        "<think>Action: wait()</think>Action: click(start_box='(197,525)')",
        "Action: click(start_box='(197,525)')\n\ntype(content='second')",
        "Action: click(start_box='(197,525)')\nAction: finished()",
    ],
)
def test_other_forms_of_a_click(reply: str) -> None:
    assert COMPUTER.parse(reply, FRAME) == Click(point=P)


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("drag(start_point='<point>197 525</point>', end_point='<point>0 0</point>')", Drag(start=P, end=Q)),
        ("swipe(start_box='(197,525)', end_box='(0,0)')", Drag(start=P, end=Q)),
        ("scroll(direction='down')", Scroll(point=Point(7, 8), direction="down", amount=5)),
        ("hotkey(key='ctrl+shift+t')", Press(keys=("ctrl", "shift", "t"))),
        ("hotkey(key='ctrl + l')", Press(keys=("ctrl", "l"))),
        ("hotkey(key='ctrl +')", Press(keys=("ctrl", "+"))),
        ("hotkey(key='page down')", Press(keys=("page_down",))),
        ("hotkey(key='enter')", Press(keys=("enter",))),
        ("press(key='esc')", Press(keys=("escape",))),
        ("type(content='it's \"here\", (really)')", Type(text='it\'s "here", (really)')),
        ('type(content="it\'s")', Type(text="it's")),
        ("type(content='two\nfinished()\nlines')", Type(text="two\nfinished()\nlines")),
        ("finished(content='')", Finish(status="success")),
    ],
)
def test_other_forms(reply: str, action: Action) -> None:
    assert COMPUTER.parse(f"Action: {reply}", FRAME, Point(7, 8)) == action


def test_a_call_for_help_is_a_question() -> None:
    asked = COMPUTER.parse("Action: call_user()", FRAME)
    assert isinstance(asked, Ask)
    assert COMPUTER.render(asked, FRAME) == "Action: call_user()"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no call"),
        ("Thought: I am finished.", "the reply holds no call"),
        ("Action: finished", "the opening bracket is missing"),
        ("Action: click on the button", "the opening bracket is missing"),
        ("Action: fly(content='\nfinished()')", "unknown action 'fly': choose one of click, left_double"),
        ("Action: click()", "click needs the argument 'start_box'"),
        ("Action: click('(1,2)')", "name='value'"),
        ("Action: click(start_box='(197,525", "cannot be read"),
        ("Action: click(start_box='(197,525)'", "cannot be read"),
        ("Action: click(start_box='(1932,0)')", "x must be 0 to 1931, y 0 to 1091"),
        ("Action: click(start_box='(0,1092)')", "x must be 0 to 1931, y 0 to 1091"),
        ("Action: click(start_box='(-1,0)')", "x must be 0 to 1931"),
        ("Action: click(start_box='(0.1,0.5)')", "not in fractions"),
        ("Action: click(start_box='here')", "whole pixels"),
        ("Action: drag(start_box='(1,2)')", "drag needs the argument 'end_box'"),
        ("Action: scroll(start_box='(1,2)', direction='in')", "one of up, down, left, right"),
        ("Action: hotkey(key='hyper drive')", "unknown key"),
        ("Action: type(content='say finished()", "a string is not closed"),
        ("<think>Action: finished()", "the reply holds no call"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        COMPUTER.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "A valid reply has the form Action: click(start_box='(x,y)')" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action",
    [Move(point=P), Click(point=P, button="middle"), Click(point=P, count=3), Click(point=P, modifiers=("ctrl",))],
)
def test_what_neither_says(action: Action) -> None:
    for dialect in (COMPUTER, MOBILE):
        with pytest.raises(UnsupportedAction):
            dialect.render(action, FRAME)


def test_what_only_the_other_says() -> None:
    for action in (LongPress(point=P), Open(target="x")):
        with pytest.raises(UnsupportedAction, match="ui_tars has no word"):
            COMPUTER.render(action, FRAME)
    for click in (Click(point=P, count=2), Click(point=P, button="right")):
        with pytest.raises(UnsupportedAction, match="ui_tars_mobile has no word"):
            MOBILE.render(click, FRAME)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    frame = Frame(SIZE, Size(1920, 1080))
    assert COMPUTER.parse("Action: click(start_box='(1931,1091)')", frame) == Click(point=Point(1919, 1079))
    assert COMPUTER.render(Click(point=Point(1919, 1079)), frame) == "Action: click(start_box='(1931,1091)')"
    with pytest.raises(InvalidAction, match="outside the screen"):
        COMPUTER.render(Click(point=Point(1920, 0)), frame)


def test_limits_of_the_picture() -> None:
    assert (COMPUTER.min_pixels, COMPUTER.max_pixels) == (78_400, 12_845_056)


def test_the_prompt_is_one_text_and_then_pictures_with_replies() -> None:
    thoughtful = "Thought: The menu.\nAction: click(start_box='(197,525)')"
    history = (
        PastStep(Click(point=P), thoughtful, note="nothing\nchanged", screenshot=BEFORE, frame=FRAME),
        PastStep(Type(text="x"), "another family's words"),
        PastStep(None, "hm", note="the reply holds no call"),
    )
    messages = COMPUTER.prompt(Turn("Sign in", NOW, FRAME, history, ("URL: x",)), "click Next")
    assert [message.role for message in messages] == [
        *("user", "user", "assistant", "user", "assistant", "assistant", "user")
    ]
    text = str(messages[0].content[0])
    assert text.endswith("\n## User Instruction\nSign in")
    assert "hotkey(key='ctrl c')" in text
    assert "open_app" not in text
    assert messages[1].content == (BEFORE,)
    boxed = "Thought: The menu.\nAction: click(start_box='<|box_start|>(197,525)<|box_end|>')"
    assert messages[2] == Message("assistant", (boxed,))
    assert messages[3].content == ("nothing changed",)
    assert messages[4].content == ("Action: type(content='x')",)
    assert messages[-1].content == ("the reply holds no call\nURL: x\nDo this now: click Next", NOW)


def test_the_phone_has_its_own_words_and_the_first_screenshot_stands_alone() -> None:
    first, last = MOBILE.prompt(Turn("Sign in", NOW, FRAME), "Sign in")
    assert "open_app(app_name='xxx')" in str(first.content[0])
    assert "hotkey" not in str(first.content[0])
    assert last == Message("user", (NOW,))


def test_a_step_without_a_word_is_told_by_its_fields() -> None:
    history = (PastStep(Move(point=P), ""),)
    assert COMPUTER.prompt(Turn("x", NOW, FRAME, history))[1].content == ('{"action": "move", "at": [[197, 525]]}',)

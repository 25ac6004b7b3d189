"""The language of the bundled model: its literal prompts, its calls, its plans."""

import pytest
from PIL import Image

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point, Size, smart_resize
from action_space.messages import Message

COMPACT = load_dialect("compact")
SIZE = Size(1288, 728)
FRAME = Frame(SIZE, SIZE)
SCREENSHOT = Image.new("RGB", (1288, 728))
P, Q = Point(532, 120), Point(0, 0)

CALLS: list[tuple[str, Action]] = [
    ("click(532, 120)", Click(point=P)),
    ('click(532, 120, "right")', Click(point=P, button="right")),
    ('click(532, 120, "right", 2)', Click(point=P, button="right", count=2)),
    ('click(532, 120, "left", 3)', Click(point=P, count=3)),
    ('click(532, 120, "left", 1, "ctrl", "shift")', Click(point=P, modifiers=("ctrl", "shift"))),
    ("move(0, 0)", Move(point=Q)),
    ("drag click(532, 120) click(0, 0)", Drag(start=P, end=Q)),
    ("drag(532, 120, 0, 0, 1.5)", Drag(start=P, end=Q, seconds=1.5)),
    ('scroll(532, 120, "down", 3)', Scroll(point=P, direction="down")),
    ('scroll(532, 120, "left", 10)', Scroll(point=P, direction="left", amount=10)),
    ('type("say \\"hi\\"\\n")', Type(text='say "hi"\n')),
    ('type("Größe 🍒")', Type(text="Größe 🍒")),
    ('press("ctrl", "a")', Press(keys=("ctrl", "a"))),
    ("long_press(532, 120)", LongPress(point=P)),
    ("long_press(532, 120, 2)", LongPress(point=P, seconds=2)),
    ('open("https://example.org/")', Open(target="https://example.org/")),
    ("wait(1)", Wait()),
    ("wait(0.25)", Wait(seconds=0.25)),
    ('ask("Which?")', Ask(question="Which?")),
    ('finish("success")', Finish(status="success")),
    ('finish("failure", "gone")', Finish(status="failure", text="gone")),
]


@pytest.mark.parametrize(("text", "action"), CALLS)
def test_calls_both_ways(text: str, action: Action) -> None:
    assert COMPACT.render(action, FRAME) == text
    assert COMPACT.parse(text, FRAME) == action


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("click(532,120)\nclick(1, 1)", Click(point=P)),
        ("Action: click( 532 , 120 )", Click(point=P)),
        ("I type (words) and click(532, 120)", Click(point=P)),
        ("click(532, 120, 2)", Click(point=P, count=2)),
        ('click(532, 120, "ctrl")', Click(point=P, modifiers=("ctrl",))),
        ("click(532.7, 120.2)", Click(point=P)),
        ('scroll(532, 120, "down")', Scroll(point=P, direction="down")),
        ("drag(532, 120, 0, 0)", Drag(start=P, end=Q)),
        ("I drag click(532,120)  click( 0, 0 ) there", Drag(start=P, end=Q)),
        ('type("drag click(1, 2) click(3, 4)")', Type(text="drag click(1, 2) click(3, 4)")),
        ("wait()", Wait()),
        ('press("ctrl+a")', Press(keys=("ctrl", "a"))),
        ("type('it')", Type(text="it")),
    ],
)
def test_other_forms_are_read(reply: str, action: Action) -> None:
    assert COMPACT.parse(reply, FRAME) == action


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", 'Write one of click(x, y), click(x, y, "right")'),
        ("done", "the reply holds no call"),
        ("click(532, 12", "cannot be read"),
        ("click(532)", "click cannot take [532]. Write click(x, y)"),
        ("click(1288, 0)", "x must be 0 to 1287, y 0 to 727"),
        ("click(-1, 0)", "x must be 0 to 1287"),
        ("click(0.5, 0.5)", "not in fractions"),
        ("click(1, true)", "whole pixels"),
        ('click(1, 1, "fourth")', "'left', 'right' or 'middle'"),
        ("click(1, 1, 4)", "less than or equal to 3"),
        ('scroll(1, 1, "sideways", 3)', "'up', 'down', 'left' or 'right'"),
        ('scroll(1, 1, "down", 101)', "less than or equal to 100"),
        ("drag(1, 2, 3)", "Write drag click(x1, y1) click(x2, y2)"),
        ("drag click(1, 2) click(3", "cannot be read"),
        ("drag click(1, 2), 3", "a place is missing"),
        ("drag click(1, 2) click(3)", "drag cannot take [1, 2, 3]"),
        ('type("click(1, 2)', "cannot be read"),
        ("type(12)", "valid string"),
        ('press("nokey")', "unknown key 'nokey'"),
        ("press(1)", "a key is a name in quotes"),
        ("wait(61)", "less than or equal to 60"),
        ('finish("done")', "'success' or 'failure'"),
        ('finish("success", "a", "b")', "finish cannot take"),
        ("type(" + "(" * 100_000, "no call"),
        ("type(" + "[" * 100_000 + "1", "levels of brackets"),
        ("click(" + "9" * 10_000 + ", 1)", "too long"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        COMPACT.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("plan", "action"),
    [
        ('type "Alice"', Type(text="Alice")),
        ('type "a \\"b\\" \\n"', Type(text='a "b" \n')),
        ('press "enter"', Press(keys=("enter",))),
        ('press "ctrl" "a"', Press(keys=("ctrl", "a"))),
        ('press "ctrl+a"', Press(keys=("ctrl", "a"))),
        ("wait", Wait()),
        ("wait 2", Wait(seconds=2)),
        ('open "http://127.0.0.1:8000/"', Open(target="http://127.0.0.1:8000/")),
        ('ask "Which one?"', Ask(question="Which one?")),
        ("done", Finish(status="success")),
        ('done "42"', Finish(status="success", text="42")),
        (
            "scroll down",
            Scroll(point=Point(FRAME.screen.width // 2, FRAME.screen.height // 2), direction="down", amount=2),
        ),
        ("failed", Finish(status="failure")),
        ('failed "no such page"', Finish(status="failure", text="no such page")),
    ],
)
def test_plans_that_need_no_pointing(plan: str, action: Action) -> None:
    assert COMPACT.plan_action(plan, FRAME) == action
    assert COMPACT.plan_action(f" {plan}\n", FRAME) == action


@pytest.mark.parametrize(
    "plan",
    [
        *('click "Subscribe"', 'click "Email" field', 'double click "x"', 'right click "x"', "scroll", "drag"),
        *("", "done with it", "typewriter", "press the button", "type your name", "wait for the page", "Open door"),
        'click "done"',
        "scroll down here",
    ],
)
def test_plans_that_have_to_be_grounded(plan: str) -> None:
    assert COMPACT.plan_action(plan, FRAME) is None


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ('type "Alice', 'Write type "text"'),
        ("type", "type needs a text"),
        ("type 12", 'write type "text"'),
        ('press "warp"', "unknown key 'warp'"),
        ("press", "press needs a key"),
        ('open ""', "at least 1 character"),
        ('wait "2"', "write wait or wait 2"),
        ("wait 99", "less than or equal to 60"),
        ('done "a" "b"', "finish cannot take"),
    ],
)
def test_broken_plans_are_told(plan: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        COMPACT.plan_action(plan, FRAME)
    assert told in str(caught.value)


def test_the_first_planning_prompt_is_literally_the_trained_one() -> None:
    turn = Turn('Type "Alice" into "Name"', SCREENSHOT, FRAME, context=("URL: about:blank",))
    assert COMPACT.plan_prompt(turn) == [
        Message("system", ("GUI",)),
        Message("user", ('Task: Type "Alice" into "Name"\nNext?',)),
    ]


def test_history_is_told_by_plans_actions_and_notes() -> None:
    history = (
        PastStep(Click(point=P), "click(532, 120)", 'click "Name" field', "nothing changed"),
        PastStep(Type(text="Alice"), "", 'type "Alice"'),
        PastStep(Press(keys=("enter",)), ""),
        PastStep(None, "hm\nhm", "", "the reply holds\nno call"),
    )
    messages = COMPACT.plan_prompt(Turn("Sign in", SCREENSHOT, FRAME, history))
    assert messages is not None
    assert messages[1].content == (
        'Task: Sign in\n1. click "Name" field (nothing changed)\n2. type "Alice"\n3. press("enter")\n'
        "4. hm hm (the reply holds no call)\nNext?",
    )


def test_past_points_are_told_in_the_pixels_of_their_own_picture() -> None:
    step = PastStep(Click(point=Point(50, 50)), "", frame=Frame(Size(56, 56), Size(100, 100)))
    messages = COMPACT.plan_prompt(Turn("x", SCREENSHOT, FRAME, (step,)))
    assert messages is not None
    assert "1. click(28, 28)\n" in str(messages[1].content[0])


def test_pointing_is_asked_with_the_instruction_and_then_the_picture() -> None:
    turn = Turn("Sign in", SCREENSHOT, FRAME)
    assert COMPACT.prompt(turn, 'click "Name"')[0] == Message("system", ("GUI",))
    text, picture = COMPACT.prompt(turn, 'click "Name"')[1].content
    assert text == 'click "Name"'
    assert picture is SCREENSHOT
    assert COMPACT.prompt(turn)[1].content[0] == "Sign in"


def test_to_look_the_task_is_told_with_what_was_done_and_about_where() -> None:
    frame = Frame(Size(56, 56), Size(100, 100))
    history = (
        PastStep(Click(point=Point(50, 99)), "click(60, 120)", "look", "nothing changed", frame=frame),
        PastStep(Drag(start=Point(1, 2), end=Point(30, 40)), "", "look"),
        PastStep(Type(text="46"), "", "look"),
        PastStep(None, "drag click(1", "look", "the call cannot be read"),
        PastStep(Click(point=Point(1, 1)), "click(1, 1)", 'click "Submit" button'),
    )
    told = (
        'Task: x\n1. click(49, 98) (nothing changed)\n2. drag click(0, 0) click(28, 42)\n3. type("46")\n'
        '4. look (the call cannot be read)\n5. click "Submit" button\n'
    )
    turn = Turn("x", SCREENSHOT, FRAME, history)
    assert COMPACT.prompt(turn, "look")[1].content == (f"{told}Look.", SCREENSHOT)
    messages = COMPACT.plan_prompt(turn)
    assert messages is not None and messages[1].content == (f"{told}Next?",)
    assert COMPACT.plan_action("look", FRAME) is None


@pytest.mark.parametrize(("width", "height", "seen"), [(1280, 720, (1288, 728)), (1920, 1080, (1932, 1092))])
def test_common_screens_are_not_shrunk(width: int, height: int, seen: tuple[int, int]) -> None:
    limits = {"min_pixels": COMPACT.min_pixels, "max_pixels": COMPACT.max_pixels}
    assert smart_resize(Size(width, height), **limits) == Size(*seen)

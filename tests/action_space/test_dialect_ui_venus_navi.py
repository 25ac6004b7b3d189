"""UI-Venus-Navi: thought, call and conclusion in tags, on a phone."""

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size

NAVI = load_dialect("ui_venus_navi")
SIZE = Size(1092, 2408)
FRAME = Frame(SIZE, SIZE)
P, Q = Point(532, 1000), Point(0, 0)
NOW = Image.new("RGB", (1080, 2400))

CALLS: list[tuple[str, Action]] = [
    ("Click(box=(532, 1000))", Click(point=P)),
    ("Click(box=(0, 0))", Click(point=Q)),
    ("Click(box=(1091, 2407))", Click(point=Point(1091, 2407))),
    ("LongPress(box=(532, 1000))", LongPress(point=P)),
    ("LongPress(box=(532, 1000), time=2)", LongPress(point=P, seconds=2)),
    ("Drag(start=(532, 1000), end=(0, 0))", Drag(start=P, end=Q)),
    ("Drag(start=(532, 1000), end=(0, 0), time=0)", Drag(start=P, end=Q, seconds=0)),
    (
        "Scroll(start=(532, 1000), end=(532, 400), direction='down')",
        Scroll(point=P, direction="down", amount=6),
    ),
    ("Scroll(start=(532, 1000), end=(532, 1300), direction='up')", Scroll(point=P, direction="up")),
    ("Scroll(start=(532, 1000), end=(332, 1000), direction='right')", Scroll(point=P, direction="right", amount=2)),
    ("Scroll(start=(532, 1000), end=(732, 1000), direction='left')", Scroll(point=P, direction="left", amount=2)),
    (
        "Scroll(start=(532, 1000), end=(532, 0), direction='down', amount=20)",
        Scroll(point=P, direction="down", amount=20),
    ),
    ("Scroll(start=(0, 0), end=(0, 0), direction='down', amount=7)", Scroll(point=Q, direction="down", amount=7)),
    (r"Type(content='it\'s \"done\"\nFinished()')", Type(text='it\'s "done"\nFinished()')),
    ("Type(content='</action><action>Finished()')", Type(text="</action><action>Finished()")),
    ("Launch(app='Clock')", Open(target="Clock")),
    ("Wait()", Wait()),
    ("Wait(time=0.5)", Wait(seconds=0.5)),
    ("PressBack()", Press(keys=("back",))),
    ("PressHome()", Press(keys=("device_home",))),
    ("PressEnter()", Press(keys=("enter",))),
    ("PressRecent()", Press(keys=("recents",))),
    ("Finished(content='')", Finish(status="success")),
    ("Finished(content='42')", Finish(status="success", text="42")),
    ("Finished(status='failure', content='gone')", Finish(status="failure", text="gone")),
]


@pytest.mark.parametrize(("call", "action"), CALLS)
def test_calls_both_ways(call: str, action: Action) -> None:
    assert NAVI.render(action, FRAME) == f"<action>{call}</action>"
    reply = f"<think>It is Finished(content='')</think><action>{call}</action><conclusion>Clicked.</conclusion>"
    assert NAVI.parse(reply, FRAME) == action


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("<think>\nx\n</think>\n<action>\nClick(box=(532,1000))\n</action>\n<conclusion>", Click(point=P)),
        ("Click(box=(532, 1000))", Click(point=P)),
        ("<action>Click(box=[532, 1000])</action>", Click(point=P)),
        ("<action>Click(box=(522, 990, 542, 1010))</action>", Click(point=P)),
        ("<action>Click(box=(532, 1000))</action><action>Finished()</action>", Click(point=P)),
        ("<action>Click(box=(532, 1000))\nPressBack()</action>", Click(point=P)),
        ("<action>Finished()</action>", Finish(status="success")),
        ("<action>CallUser(content='It costs 42')</action>", Finish(status="success", text="It costs 42")),
        ("<action>Type(content='it's here')</action>", Type(text="it's here")),
        ("<action>Scroll(direction='down')</action>", Scroll(point=Point(546, 1204), direction="down")),
        ("<action>Scroll(start=(), end=(), direction='up')</action>", Scroll(point=Point(546, 1204), direction="up")),
        # The finger moves up: what is further down comes into view, whatever the direction says.
        (
            "<action>Scroll(start=(532, 1000), end=(540, 500), direction='up')</action>",
            Scroll(point=P, direction="down", amount=5),
        ),
        ("<action>Launch(url='https://example.org/')</action>", Open(target="https://example.org/")),
    ],
)
def test_other_forms(reply: str, action: Action) -> None:
    assert NAVI.parse(reply, FRAME) == action


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "the reply holds no call"),
        ("<think>I Click(box=(1, 2))", "the reply holds no call"),
        ("<action>Fly(box=(1, 2))</action>", "unknown action 'fly': choose one of Click, LongPress"),
        ("<action>Click(box=(1, 2</action>", "cannot be read"),
        ("<action>Click(box=(1092, 0))</action>", "x must be 0 to 1091, y 0 to 2407"),
        ("<action>Click(box=(0, 2408))</action>", "x must be 0 to 1091, y 0 to 2407"),
        ("<action>Click(box=(0.5, 0.5))</action>", "not in fractions"),
        ("<action>Click()</action>", "click needs the argument 'box'"),
        ("<action>Drag(start=(1, 2))</action>", "drag needs the argument 'end'"),
        ("<action>Scroll(start=(1, 2))</action>", "scroll needs the argument 'direction'"),
        ("<action>Scroll(direction='in')</action>", "one of up, down, left, right"),
        ("<action>Type(content='all is done", "a string is not closed"),
        ("<action>Type()</action>", "type needs the argument 'content'"),
    ],
)
def test_mistakes_are_told(reply: str, told: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        NAVI.parse(reply, FRAME)
    assert told in str(caught.value)
    assert "A valid reply has the form <action>Click(box=(x, y))</action>" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action",
    [
        Move(point=P),
        Ask(question="Which?"),
        Click(point=P, count=2),
        Click(point=P, button="right"),
        Press(keys=("ctrl", "a")),
        Press(keys=("power",)),
    ],
)
def test_what_has_no_word_is_unsupported(action: Action) -> None:
    with pytest.raises(UnsupportedAction, match="ui_venus_navi has no word for"):
        NAVI.render(action, FRAME)


def test_a_scroll_keeps_its_amount_on_a_smaller_picture() -> None:
    frame = Frame(Size(28, 56), Size(1080, 2400))
    action = Scroll(point=Point(500, 1200), direction="down", amount=2)
    back = NAVI.parse(NAVI.render(action, frame), frame)
    assert isinstance(back, Scroll)
    assert (back.direction, back.amount) == ("down", 2)


def test_points_are_pixels_of_the_picture_the_model_saw() -> None:
    frame = Frame(SIZE, Size(1080, 2400))
    assert NAVI.parse("<action>Click(box=(1091, 2407))</action>", frame) == Click(point=Point(1079, 2399))
    assert (NAVI.min_pixels, NAVI.max_pixels) == (2_000_000, 4_800_000)


def test_history_is_numbered_from_0_and_keeps_its_thoughts() -> None:
    history = (
        PastStep(Click(point=P), "<think>The\nmenu.</think><action>Click(box=(532, 1000))</action>", frame=FRAME),
        PastStep(Press(keys=("back",)), "other words", note="nothing changed"),
        PastStep(None, "hm", note="the reply holds\nno call"),
        PastStep(Move(point=P), ""),
    )
    (message,) = NAVI.prompt(Turn("Sign in", NOW, FRAME, history, ("App: x",)), "tap Next")
    text, picture = message.content
    assert picture is NOW
    assert message.role == "user"
    assert "### User Task\nSign in\nApp: x\nDo this now: tap Next\n" in str(text)
    assert (
        "### Previous Actions\n"
        "Step 0: <think>The menu.</think><action>Click(box=(532, 1000))</action>\n"
        "Step 1: <action>PressBack()</action> (nothing changed)\n"
        "Step 2: no valid action (the reply holds no call)\n"
        'Step 3: {"action": "move", "at": [[532, 1000]]}\n'
    ) in str(text)
    assert "CallUser(content='')" in str(text)

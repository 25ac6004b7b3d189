"""What counts as the same action on the same screen."""

from datetime import UTC, datetime

from PIL import Image, ImageDraw

from action_space.actions import Click, Drag, Effect, Press, Type
from action_space.geometry import Frame, Point, Size
from agent.breaker import in_vain, same_action, same_screen
from agent.trajectory import Step


def screen(*boxes: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", (1280, 720), "white")
    for box in boxes:
        ImageDraw.Draw(image).rectangle(box, fill="black")
    return image


def test_same_screen_but_for_a_caret() -> None:
    assert same_screen(screen(), screen())
    assert same_screen(screen(), screen((300, 200, 301, 219)))
    assert not same_screen(screen(), screen((300, 200, 307, 211)))  # a digit that counts up
    assert not same_screen(screen(), screen((300, 200, 301, 260)))
    assert not same_screen(screen(), Image.new("RGB", (640, 720), "white"))
    assert same_screen(screen(), screen((300, 200, 305, 250)), scale=2)


def test_same_action_but_for_a_few_pixels() -> None:
    assert same_action(Click(point=Point(0, 0)), Click(point=Point(5, 3)))
    assert not same_action(Click(point=Point(0, 0)), Click(point=Point(6, 0)))
    assert not same_action(Click(point=Point(0, 0)), Click(point=Point(0, 0), button="right"))
    assert not same_action(Click(point=Point(0, 0)), Press(keys=("enter",)))
    assert not same_action(Type(text="a"), Type(text="b"))
    one, other = (Drag(start=Point(0, 0), end=Point(x, 0)) for x in (90, 97))
    assert not same_action(one, other)
    assert same_action(one, other, scale=2)


def test_a_click_on_what_was_so_already_is_in_vain_too() -> None:
    size = Size(1280, 720)
    effects: list[Effect] = ["none", "near", "reached", "none", "reached"]
    steps = [
        Step(
            number=number,
            started=datetime(2026, 11, 29, tzinfo=UTC),
            image="0" * 64,
            frame=Frame(size, size),
            action=Click(point=Point(number, 5)),
            effect=effect,
        )
        for number, effect in enumerate(effects, start=1)
    ]
    assert in_vain(steps, screen(), lambda _: screen()) == 3

"""A recording as an environment."""

import pytest
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from environments.base import Observation
from environments.contract import check_environment
from environments.recorded import RecordedEnvironment, matches

SIZE = Size(1000, 500)


def seen(shade: int) -> Observation:
    return Observation(Image.new("RGB", (SIZE.width, SIZE.height), (shade, shade, shade)), Frame(SIZE, SIZE))


def click(x: int, y: int) -> Click:
    return Click(point=Point(x, y))


def shade(environment: RecordedEnvironment) -> object:
    return environment.observe().image.getpixel((0, 0))


def test_the_recorded_actions_lead_to_the_end() -> None:
    actions: list[Action | None] = [click(10, 10), Type(text="tea"), Press(keys=("enter",)), Finish(status="success")]
    environment = RecordedEnvironment([(seen(i), action) for i, action in enumerate(actions)])
    for position, action in enumerate(actions[:-1]):
        assert environment.position == position
        assert shade(environment) == (position,) * 3
        environment.execute(action) if action else None
    assert environment.at_end
    assert shade(environment) == (3, 3, 3)


def test_another_action_changes_nothing() -> None:
    environment = RecordedEnvironment([(seen(1), click(100, 100)), (seen(2), None)])
    for action in (click(400, 400), Type(text="x"), Wait(seconds=0)):
        environment.execute(action)
        assert shade(environment) == (1, 1, 1)
    environment.execute(click(110, 110))
    assert shade(environment) == (2, 2, 2)


def test_the_last_screen_stays() -> None:
    environment = RecordedEnvironment([(seen(1), click(100, 100))])
    environment.execute(click(100, 100))
    assert shade(environment) == (1, 1, 1)
    assert environment.at_end


def test_steps_without_an_action_of_the_device_are_skipped() -> None:
    steps: list[tuple[Observation, Action | None]] = [
        (seen(1), None),
        (seen(2), Ask(question="Which one?")),
        (seen(3), click(5, 5)),
        (seen(4), None),
    ]
    environment = RecordedEnvironment(steps)
    assert shade(environment) == (3, 3, 3)
    environment.execute(click(5, 5))
    assert shade(environment) == (4, 4, 4)


@pytest.mark.parametrize(
    ("action", "recorded", "expected"),
    [
        (click(150, 125), click(100, 100), True),
        (click(151, 100), click(100, 100), False),
        (click(100, 126), click(100, 100), False),
        (click(0, 0), click(0, 0), True),
        (Click(point=Point(1, 1), button="right"), click(1, 1), False),
        (Click(point=Point(1, 1), count=2), click(1, 1), False),
        (
            Click(point=Point(1, 1), modifiers=("ctrl", "shift")),
            Click(point=Point(1, 1), modifiers=("shift", "ctrl")),
            True,
        ),
        (Move(point=Point(1, 1)), click(1, 1), False),
        (LongPress(point=Point(1, 1), seconds=2), LongPress(point=Point(2, 2)), True),
        (Drag(start=Point(1, 1), end=Point(9, 9)), Drag(start=Point(2, 2), end=Point(8, 8), seconds=3), True),
        (Drag(start=Point(1, 1), end=Point(900, 9)), Drag(start=Point(2, 2), end=Point(8, 8)), False),
        (Scroll(point=Point(9, 9), direction="down", amount=9), Scroll(point=Point(900, 9), direction="down"), True),
        (Scroll(point=Point(9, 9), direction="up"), Scroll(point=Point(9, 9), direction="down"), False),
        (Type(text="Café\n"), Type(text=" Cafe\u0301"), True),
        (Type(text="cafe"), Type(text="Café"), False),
        (Press(keys=("ctrl", "a")), Press(keys=("a", "ctrl")), True),
        (Press(keys=("a",)), Press(keys=("b",)), False),
        (Open(target="https://Example.org"), Open(target="https://example.org/"), True),
        (Open(target="mail"), Open(target="maps"), False),
        (Wait(seconds=1), Wait(seconds=5), True),
        (Finish(status="success"), Finish(status="success"), False),
    ],
)
def test_what_matches(action: Action, recorded: Action, expected: bool) -> None:
    assert matches(action, recorded, SIZE, 0.05) is expected
    assert matches(recorded, action, SIZE, 0.05) is expected


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one step"):
        RecordedEnvironment([])


def test_mistakes_of_the_model_are_told() -> None:
    environment = RecordedEnvironment([(seen(1), None)])
    with pytest.raises(InvalidAction, match="x must be 0 to 999"):
        environment.execute(click(1000, 0))
    with pytest.raises(UnsupportedAction, match="'finish'"):
        environment.execute(Finish(status="failure"))
    environment.close()
    with pytest.raises(DeviceError, match="closed"):
        environment.observe()


def test_keeps_the_contract() -> None:
    assert check_environment(lambda: RecordedEnvironment([(seen(1), click(1, 1)), (seen(2), None)])) == []

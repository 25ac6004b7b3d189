"""The shipped contract check: every registered environment passes, and it finds what it is for."""

from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Browser

from action_space.actions import Action, points_of
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Size
from environments.base import Environment, Observation
from environments.contract import check_environment
from environments.registry import ENVIRONMENTS, environment_class
from tests.environments.conftest import MakeAndroid, page

SIZE = Size(60, 40)


def test_every_registered_environment_keeps_the_contract(chromium: Browser, make_android: MakeAndroid) -> None:
    makers: dict[str, Callable[[], Environment]] = {
        "android": lambda: make_android(settle_s=0.5),
        "browser": lambda: environment_class("browser")(page("<p>hello"), browser=chromium, settle_s=0.5),
    }
    assert makers.keys() == ENVIRONMENTS.keys(), "every environment needs a way to make it here"
    for name, make in makers.items():
        assert check_environment(make) == [], name


def test_an_unknown_environment() -> None:
    with pytest.raises(ConfigError, match=r"unknown environment 'toaster': it must be one of .*browser"):
        environment_class("toaster")


class Good:
    name = "good"
    actions = frozenset({"click", "move", "drag", "wait"})

    def __init__(self) -> None:
        self.closed = False

    def observe(self) -> Observation:
        if self.closed:
            raise DeviceError("it was closed: open it again")
        return Observation(Image.new("RGB", (SIZE.width, SIZE.height)), Frame(SIZE, SIZE))

    def execute(self, action: Action) -> None:
        if self.closed:
            raise DeviceError("it was closed: open it again")
        if action.kind not in self.actions:
            raise UnsupportedAction("not here")
        for point in points_of(action):
            Frame(SIZE, SIZE).to_screen(point)

    def release(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Nameless(Good):
    name = ""


class Asks(Good):
    actions = Good.actions | {"ask"}


class Invents(Good):
    actions = Good.actions | {"teleport"}


class Grey(Good):
    def observe(self) -> Observation:
        return Observation(super().observe().image.convert("L"), Frame(SIZE, SIZE))


class Resized(Good):
    def observe(self) -> Observation:
        return Observation(super().observe().image, Frame(Size(28, 28), SIZE))


class Cropped(Good):
    def observe(self) -> Observation:
        super().observe()
        return Observation(Image.new("RGB", (10, 10)), Frame(SIZE, SIZE))


class Chatty(Good):
    def observe(self) -> Observation:
        return Observation(super().observe().image, Frame(SIZE, SIZE), ("two\nlines",))


class Clamps(Good):
    def execute(self, action: Action) -> None:
        try:
            super().execute(action)
        except InvalidAction:
            return


class DislikesZero(Good):
    def execute(self, action: Action) -> None:
        super().execute(action)
        if any(point.x == 0 for point in points_of(action)):
            raise InvalidAction("no point")


class ForgivesOtherKinds(Good):
    def execute(self, action: Action) -> None:
        if action.kind in self.actions:
            super().execute(action)


class ReleaseFails(Good):
    def release(self) -> None:
        self.observe()


class Undead(Good):
    def close(self) -> None:
        pass


class LongTexts(Good):
    def execute(self, action: Action) -> None:
        try:
            super().execute(action)
        except InvalidAction as error:
            raise InvalidAction(f"{error}\nTraceback") from error


def test_a_good_environment_passes() -> None:
    assert check_environment(Good) == []


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        (Nameless, "names_itself: name is ''"),
        (Asks, "names_itself: actions has ['ask']"),
        (Invents, "names_itself: actions has ['teleport']"),
        (Grey, "sees_the_screen: the picture's mode is 'L'"),
        (Resized, "sees_the_screen: frame.model is 28x28"),
        (Cropped, "sees_the_screen: the picture is 10x10"),
        (Chatty, "sees_the_screen: context holds"),
        (Clamps, "refuses_points_outside: Click("),
        (DislikesZero, "accepts_corners: moving to Point(x=0, y=0)"),
        (ForgivesOtherKinds, "refuses_other_kinds: Scroll("),
        (ReleaseFails, "releases_at_any_time: unexpected DeviceError"),
        (Undead, "closes_twice: observe after close returned a picture"),
        (LongTexts, "refuses_points_outside: the text of a InvalidAction must be one line"),
    ],
)
def test_a_broken_environment_is_found(broken: Callable[[], Environment], finding: str) -> None:
    problems = check_environment(broken)
    assert any(problem.startswith(finding) for problem in problems), problems
    assert not any("\n" in problem for problem in problems)

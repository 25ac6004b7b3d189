"""The mouse of the desktop on a real X server: what arrives in a window that listens."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from Xlib import X

from action_space.actions import Button, Click, Direction, Drag, LongPress, Modifier, Move, Scroll
from action_space.errors import InvalidAction
from action_space.geometry import Point
from environments.desktop import DesktopEnvironment
from environments.desktop_virtual import VirtualDisplay
from tests.desktop_for_tests import Listener, joined, needs

pytestmark = needs()
CORNERS = [Point(0, 0), Point(799, 0), Point(0, 599), Point(799, 599)]
HELD = {"ctrl": X.ControlMask, "shift": X.ShiftMask, "alt": X.Mod1Mask, "meta": X.Mod4Mask}


@pytest.fixture(scope="module")
def desktop(display: VirtualDisplay) -> Iterator[DesktopEnvironment]:
    with joined(display) as environment:
        yield environment


def test_every_point_is_reached_exactly(desktop: DesktopEnvironment, listener: Listener) -> None:
    points = [*CORNERS, Point(1, 1), Point(400, 0), Point(0, 300), Point(423, 311)]
    for point in points:
        desktop.execute(Click(point=point))
    assert [Point(event.x, event.y) for event in listener.events("press")] == points


@pytest.mark.parametrize(("button", "number"), [("left", 1), ("middle", 2), ("right", 3)])
def test_buttons(desktop: DesktopEnvironment, listener: Listener, button: Button, number: int) -> None:
    desktop.execute(Click(point=Point(10, 20), button=button))
    events = listener.events("press release")
    assert [(event.kind, event.code) for event in events] == [("press", number), ("release", number)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clicks_in_a_row_are_close_together(desktop: DesktopEnvironment, listener: Listener, count: int) -> None:
    desktop.execute(Click(point=Point(30, 40), count=count))
    presses = listener.events("press")
    assert len(presses) == count
    # Programs take 250 to 500 ms as the limit of a double click.
    assert all(after.time_ms - before.time_ms < 250 for before, after in itertools.pairwise(presses))


@pytest.mark.parametrize("modifiers", [("ctrl",), ("shift", "alt"), ("meta",)])
def test_modifiers_are_held_and_released(
    desktop: DesktopEnvironment, listener: Listener, modifiers: tuple[Modifier, ...]
) -> None:
    desktop.execute(Click(point=Point(50, 60), modifiers=modifiers))
    (press,) = listener.events("press")
    assert {name for name, bit in HELD.items() if press.state & bit} == set(modifiers)
    assert not desktop.system.is_in_use()


@pytest.mark.parametrize(("direction", "number"), [("up", 4), ("down", 5), ("left", 6), ("right", 7)])
def test_the_wheel(desktop: DesktopEnvironment, listener: Listener, direction: Direction, number: int) -> None:
    desktop.execute(Scroll(point=Point(70, 80), direction=direction, amount=4))
    events = listener.events("press")
    assert [(event.code, event.x, event.y) for event in events] == [(number, 70, 80)] * 4


def test_a_drag_passes_through_what_lies_between(desktop: DesktopEnvironment, listener: Listener) -> None:
    desktop.execute(Drag(start=Point(100, 100), end=Point(500, 300), seconds=0.1))
    events = listener.events("press release motion")
    kinds = [event.kind for event in events]
    between = events[kinds.index("press") + 1 : kinds.index("release")]
    assert (events[kinds.index("press")].x, events[-1].x, events[-1].y) == (100, 500, 300)
    assert len({(event.x, event.y) for event in between}) >= 10
    assert all(event.state & X.Button1Mask for event in between)
    assert all(abs((event.y - 100) * 2 - (event.x - 100)) <= 2 for event in between), "a straight line"


def test_a_drag_to_where_it_began(desktop: DesktopEnvironment, listener: Listener) -> None:
    desktop.execute(Drag(start=Point(0, 0), end=Point(0, 0), seconds=0))
    assert [event.kind for event in listener.events("press release")] == ["press", "release"]


def test_a_long_press(desktop: DesktopEnvironment, listener: Listener) -> None:
    desktop.execute(LongPress(point=Point(5, 5), seconds=0.3))
    press, release = listener.events("press release")
    assert release.time_ms - press.time_ms >= 290


def test_moving_presses_nothing(desktop: DesktopEnvironment, listener: Listener) -> None:
    desktop.execute(Move(point=Point(321, 123)))
    assert desktop.system.mouse.position() == (321, 123)
    assert listener.events("press release key") == []


def test_nothing_stays_down_when_a_drag_is_broken_off(
    desktop: DesktopEnvironment, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(seconds: float) -> None:
        if seconds:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(time, "sleep", broken)
        desktop.execute(Drag(start=Point(10, 10), end=Point(90, 90)))
    assert [event.kind for event in listener.events("press release")] == ["press", "release"]
    assert not desktop.system.is_in_use()


def test_another_thread_may_let_go_in_the_middle_of_drags(display: VirtualDisplay) -> None:
    """As the second Ctrl-C does. Without turns Xlib waits for ever after a few of these drags."""
    with joined(display) as desktop:

        def all_drags() -> None:
            for _ in range(20):
                desktop.execute(Drag(start=Point(20, 20), end=Point(300, 100), seconds=0))

        def let_go() -> None:
            while drags.is_alive():
                desktop.release()

        drags, other = (threading.Thread(target=does, daemon=True) for does in (all_drags, let_go))
        drags.start()
        other.start()
        drags.join(30)
        other.join(30)
        assert not drags.is_alive()
        assert not other.is_alive()
        assert not desktop.system.is_in_use()


def test_a_point_outside_is_refused_before_anything_moves(desktop: DesktopEnvironment, listener: Listener) -> None:
    with pytest.raises(InvalidAction, match=r"\(800, 5\) is outside the screen: x must be 0 to 799"):
        desktop.execute(Drag(start=Point(5, 5), end=Point(800, 5)))
    assert listener.events() == []

"""Displays and monitors: virtual ones, several, changing ones, ones that are gone, and whose mouse may be used."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from action_space.actions import Click, Move, Press, Type, Wait
from action_space.errors import ConfigError, DeviceError, InvalidAction, Paused
from action_space.geometry import Box, Frame, Point, Size
from environments.desktop import DesktopEnvironment
from environments.desktop_virtual import VirtualDisplay, read_size
from tests.desktop_for_tests import Listener, joined, needs, own_display, resize, two_monitors, until

pytestmark = needs()
ROOT = Path(__file__).resolve().parent.parent.parent

KILLED = """
import sys, time
from environments.desktop import DesktopEnvironment
environment = DesktopEnvironment("virtual:300x200")
print(environment.display, flush=True)
time.sleep(600)
"""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[VirtualDisplay]:
    """A display of this test alone, which may change it."""
    with own_display(tmp_path) as display:
        yield display


@needs("xrandr")
def test_each_monitor_has_its_own_coordinates(fresh: VirtualDisplay) -> None:
    two_monitors(fresh)
    listener = Listener(fresh.name)
    for number, frame in (
        ("1", Frame(Size(500, 600), Size(500, 600))),
        ("2", Frame(Size(300, 400), Size(300, 400), origin=Point(500, 150))),
        ("all", Frame(Size(800, 600), Size(800, 600))),
    ):
        with joined(fresh, monitor=number) as environment:
            assert environment.observe().frame == frame
            last = Point(frame.screen.width - 1, frame.screen.height - 1)
            for point in (Point(0, 0), last):
                environment.execute(Click(point=point))
            arrived = [Point(event.x - frame.origin.x, event.y - frame.origin.y) for event in listener.events("press")]
            assert arrived == [Point(0, 0), last], number
    with pytest.raises(ConfigError, match="there is no monitor 3: give --monitor 1 to 2, or all"):
        DesktopEnvironment(fresh.name, monitor="3")


@needs("xrandr")
def test_what_is_seen_on_the_second_monitor_is_what_is_clicked(fresh: VirtualDisplay) -> None:
    two_monitors(fresh)
    listener = Listener(fresh.name)
    listener.paint(Box(640, 300, 647, 305), 0xFF00FF)
    with joined(fresh, monitor="2") as environment:
        rows, columns = np.nonzero((np.asarray(environment.observe().image) == (255, 0, 255)).all(axis=2))
        assert len(rows) == 35
        environment.execute(Click(point=Point(int(columns[0]), int(rows[0]))))
    (press,) = listener.events("press")
    assert (press.x, press.y) == (640, 300)


@needs("xrandr")
def test_the_resolution_may_change_at_any_time(fresh: VirtualDisplay) -> None:
    with joined(fresh) as environment:
        assert environment.observe().frame.screen == Size(800, 600)
        resize(fresh, 640, 480)
        with pytest.raises(InvalidAction, match=r"the screen has changed .* from 800x600 to 640x480: look again"):
            environment.execute(Click(point=Point(700, 500)))
        seen = environment.observe()
        assert (seen.frame.screen, seen.image.size) == (Size(640, 480), (640, 480))
        environment.execute(Move(point=Point(639, 479)))
        assert environment.system.mouse.position() == (639, 479)
        with pytest.raises(InvalidAction, match=r"\(700, 500\) is outside the screen: x must be 0 to 639"):
            environment.execute(Click(point=Point(700, 500)))


def test_the_virtual_display_ends_with_the_program_however_it_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip().startswith(":")
    assert servers("300x200x24")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: not servers("300x200x24"))


def servers(size: str) -> list[str]:
    """The X servers of this size. Their numbers tell less: one that is free is soon another's."""
    return [command for command in commands() if "Xvfb" in command and size in command]


def commands() -> list[str]:
    """Of every process of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


def test_closing_ends_the_virtual_display_and_what_runs_on_it() -> None:
    environment = DesktopEnvironment("virtual:328x248")
    assert environment.observe().frame.screen == Size(328, 248)
    assert servers("328x248x24")
    environment.close()
    assert not servers("328x248x24")


def test_the_agents_own_display_is_left_in_peace() -> None:
    """Two of them at once, and the variables of the program stay as they were."""
    before = dict(os.environ)
    with DesktopEnvironment("virtual:320x240") as one, DesktopEnvironment("virtual:400x300") as other:
        one.observe(), other.observe()
        one.execute(Move(point=Point(11, 12)))
        other.execute(Move(point=Point(399, 299)))
        assert (one.system.mouse.position(), other.system.mouse.position()) == ((11, 12), (399, 299))
    assert dict(os.environ) == before


def test_a_display_that_dies_is_a_device_error(tmp_path: Path) -> None:
    with own_display(tmp_path, Size(320, 240)) as display:
        environment = DesktopEnvironment(display.name)
        environment.observe()
        display.close()
        for call in (
            environment.observe,
            lambda: environment.execute(Click(point=Point(1, 1))),
            lambda: environment.execute(Type(text="a")),
            lambda: environment.execute(Press(keys=("ctrl", "c"))),
        ):
            with pytest.raises(DeviceError) as caught:
                call()
            assert "\n" not in str(caught.value)
        environment.release()
        environment.close()


# ------------------------------------------------------------------------------------------- whose mouse may be used


def test_the_persons_own_screen_needs_their_word(display: VirtualDisplay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display.name)
    for name in ("", display.name, f"{display.name}.0"):
        with pytest.raises(ConfigError, match=r"your own mouse and keyboard: allow it with --live, or .* virtual"):
            DesktopEnvironment(name)
    with DesktopEnvironment("", live=True) as environment:
        assert environment.observe().frame.screen == Size(800, 600)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(ConfigError, match="Wayland lets no program"):
        DesktopEnvironment("", live=True)


def test_no_display_and_wrong_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    wrong: list[tuple[dict[str, str], type[Exception], str]] = [
        ({"display": ""}, ConfigError, "there is no display here: .* --display virtual"),
        ({"display": ":4711"}, DeviceError, "the display ':4711' does not answer .*: check --display"),
        ({"display": "nonsense"}, DeviceError, "the display 'nonsense' does not answer .*: check --display"),
        ({"display": "virtual:0x9"}, ConfigError, "--display 'virtual:0x9' is not known: give virtual, virtual:WIDTHx"),
        ({"display": "virtual", "monitor": "two"}, ConfigError, "--monitor 'two' is not known: give a number from 1"),
        ({"display": "virtual", "app": "no such"}, ConfigError, "--app: no application is called 'no such' here"),
    ]
    for options, kind, text in wrong:
        with pytest.raises(kind, match=text) as caught:
            DesktopEnvironment(**options, live=True)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ConfigError, match="a virtual display needs Xvfb, which is missing: apt-get install xvfb openbox"
    ):
        DesktopEnvironment("virtual")


def test_sizes_of_virtual_displays() -> None:
    assert (read_size("virtual"), read_size("virtual:1920x1080")) == (Size(1280, 720), Size(1920, 1080))


@pytest.fixture
def watched(display: VirtualDisplay) -> Iterator[DesktopEnvironment]:
    """A display that a person could reach as well."""
    with joined(display) as environment:
        environment.observe()
        environment.execute(Move(point=Point(100, 100)))
        yield environment


def test_a_person_who_moves_the_pointer_stops_the_agent(watched: DesktopEnvironment, listener: Listener) -> None:
    watched.system.mouse.move(160, 140)
    with pytest.raises(
        Paused, match=r"somebody else moved the pointer: it is at \(160, 140\), .* left it at \(100, 100"
    ):
        watched.execute(Click(point=Point(5, 5)))
    assert listener.events("press key") == []
    watched.execute(Click(point=Point(5, 5)))
    assert [(event.x, event.y) for event in listener.events("press")] == [(5, 5)], "it may go on afterwards"


@pytest.mark.parametrize("corner", [(0, 0), (799, 599), (0, 599), (799, 0)])
def test_the_emergency_stop(watched: DesktopEnvironment, listener: Listener, corner: tuple[int, int]) -> None:
    watched.system.mouse.move(*corner)
    with pytest.raises(Paused, match="emergency stop: the pointer was moved into the corner"):
        watched.execute(Type(text="not a single letter of this"))
    assert listener.events("key") == []


def test_a_person_at_the_keyboard_stops_the_agent(watched: DesktopEnvironment) -> None:
    watched.system.keyboard.down("shift")
    try:
        with pytest.raises(Paused, match="a key or a mouse button is held down by somebody else"):
            watched.execute(Press(keys=("enter",)))
    finally:
        watched.system.keyboard.up("shift")


def test_the_stop_works_in_the_middle_of_typing(watched: DesktopEnvironment, listener: Listener) -> None:
    moved = []
    type_text = watched.system.keyboard.type_text

    def type_and_move(text: str, between: object) -> None:
        def person() -> None:
            if len(moved) == 3:
                watched.system.mouse.move(300, 300)
            moved.append(1)
            between()  # type: ignore[operator]

        type_text(text, person)

    watched.system.keyboard.type_text = type_and_move  # type: ignore[method-assign]
    with pytest.raises(Paused):
        watched.execute(Type(text="x" * 4000))
    assert len(listener.events("key")) == 120


def test_the_stop_works_for_an_agent_that_only_types(display: VirtualDisplay, listener: Listener) -> None:
    with joined(display) as environment:
        environment.system.mouse.move(200, 200)
        environment.execute(Type(text="a"))
        environment.system.mouse.move(799, 0)
        with pytest.raises(Paused, match="emergency stop"):
            environment.execute(Press(keys=("b",)))
    assert len(listener.events("key")) == 1


def test_the_corners_are_the_agents_too(watched: DesktopEnvironment) -> None:
    for point in (Point(0, 0), Point(799, 599)):
        watched.execute(Click(point=point))
    watched.execute(Wait(seconds=0))


def test_nobody_is_expected_on_a_display_of_its_own() -> None:
    with DesktopEnvironment("virtual:320x240") as environment:
        environment.observe()
        environment.execute(Move(point=Point(50, 50)))
        environment.system.mouse.move(0, 0)
        environment.execute(Press(keys=("shift",)))


def test_a_screen_that_never_settles_is_looked_at_all_the_same(display: VirtualDisplay, listener: Listener) -> None:
    colours = iter(range(0, 1 << 24, 4099))
    with joined(display, settle_s=0.4) as environment:
        capture = environment._eyes._cheap_picture

        def restless() -> object:
            listener.paint(Box(0, 0, 800, 600), next(colours))
            return capture()

        environment._eyes._cheap_picture = restless  # type: ignore[method-assign,assignment]
        started = time.monotonic()
        seen = environment.observe()
    assert not seen.settled and time.monotonic() - started >= 0.4

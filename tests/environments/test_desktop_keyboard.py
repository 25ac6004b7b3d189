"""Keys and text of the desktop on a real X server: what a listening window gets, and what an editor holds."""

import random
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Xlib import X
from Xlib.ext.xtest import fake_input

from action_space.actions import Click, Open, Press, Type
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Point
from action_space.keys import KEYS
from environments.desktop import DesktopEnvironment
from environments.desktop_keys import utf16_units
from environments.desktop_virtual import VirtualDisplay
from environments.desktop_x11_keys import keysym_of
from environments.x11_connection import connect
from evals.online.accessibility import Accessibility, Widget
from tests.desktop_for_tests import Listener, joined, needs, until

pytestmark = needs()
UNTYPED_KEYS = {"device_home", "recents", "power", "camera", "clear"}
_CAPS_LOCK = 66
"""Its keycode on a PC."""
RARE_KEYS = {f"f{number}" for number in range(13, 24)}
WORLD = "<tag> & \"quotes\" 'é' ß € 50 % שלום 漢字かな 한국어 Привет αβγ 🙂👩‍👩‍👧 ～ ¿…? \\{}[]|~^`´"


@pytest.fixture(scope="module")
def desktop(display: VirtualDisplay) -> Iterator[DesktopEnvironment]:
    with joined(display) as environment:
        yield environment


def test_a_chord_goes_down_in_order_and_up_again(desktop: DesktopEnvironment, listener: Listener) -> None:
    desktop.execute(Press(keys=("a", "shift", "ctrl")))
    events = listener.events("key key_up")
    down = [event for event in events if event.kind == "key"]
    assert len(events) == 6 and [event.kind for event in events] == ["key"] * 3 + ["key_up"] * 3
    assert down[-1].state & (X.ControlMask | X.ShiftMask) == X.ControlMask | X.ShiftMask
    assert [event.code for event in events[3:]] == [event.code for event in reversed(down)]


def test_every_key_can_be_pressed_or_is_refused(desktop: DesktopEnvironment, listener: Listener) -> None:
    for key in (key for key in KEYS if key not in RARE_KEYS):
        if key in UNTYPED_KEYS:
            with pytest.raises(UnsupportedAction, match=f"this desktop has no key '{key}'"):
                desktop.execute(Press(keys=("ctrl", key)))
            assert [event.kind for event in listener.events("key key_up")] == ["key", "key_up"], "ctrl is released"
        elif key != "print_screen":  # which window managers take for themselves
            desktop.execute(Press(keys=(key,)))
            assert [event.kind for event in listener.events("key key_up")] == ["key", "key_up"], key
    for lock in ("caps_lock", "num_lock"):
        desktop.execute(Press(keys=(lock,)))
    assert not desktop.system.is_in_use()


@pytest.mark.parametrize("character", ["+", "<", "/", "ü", "漢"])
def test_chords_of_any_character(desktop: DesktopEnvironment, listener: Listener, character: str) -> None:
    desktop.execute(Press(keys=("ctrl", character)))
    keys = listener.events("key")
    assert len(keys) == 2 and keys[1].state & X.ControlMask and not keys[1].state & X.ShiftMask


def test_the_keyboard_is_left_as_it_was(desktop: DesktopEnvironment, display: VirtualDisplay) -> None:
    def mapping() -> str:
        return subprocess.run(["xmodmap", "-pke"], capture_output=True, text=True, env=display.variables).stdout

    before = mapping()
    desktop.execute(Type(text="漢字 " + "".join(map(chr, range(0x3041, 0x3091)))))
    desktop.execute(Press(keys=("ctrl", "ü")))
    assert mapping() == before != ""


@pytest.mark.parametrize("text", ["a\0b", "\x1b[A", "\ud800"])
def test_what_cannot_be_typed_presses_nothing(desktop: DesktopEnvironment, listener: Listener, text: str) -> None:
    with pytest.raises(InvalidAction, match="cannot be typed"):
        desktop.execute(Type(text=text))
    assert listener.events("key") == []


def test_a_keyboard_without_room(desktop: DesktopEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.desktop_x11_keys._FIRST_LENT", 256)
    with pytest.raises(UnsupportedAction, match="the keyboard of this display has no place for '漢'"):
        desktop.execute(Type(text="漢"))


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=6))
def test_keysyms_and_units(text: str) -> None:
    assert all(keysym_of(character) & 0xFFFFFF == ord(character) for character in text)
    assert bytes(byte for unit in utf16_units(text) for byte in unit.to_bytes(2, "little")).decode("utf-16-le") == text


class Editor:
    """A real editor, and what stands in it."""

    def __init__(self, desktop: DesktopEnvironment, display: VirtualDisplay) -> None:
        self._desktop = desktop
        desktop.execute(Click(point=Point(1, 1)))
        desktop.execute(Open(target="mousepad"))
        self._programs = Accessibility(display.variables["DBUS_SESSION_BUS_ADDRESS"])
        self._page: Widget = self._programs.wait_for("mousepad", "text")
        until(lambda: self._programs.is_in_state(self._page, "focused"))

    def type(self, text: str) -> str:
        """Replace everything by a text; what stands there then."""
        self._desktop.execute(Press(keys=("ctrl", "a")))
        self._desktop.execute(Press(keys=("delete",)))
        until(lambda: not self._programs.text(self._page))  # a longer text before would pass for the new one
        self._desktop.execute(Type(text=text))
        return self.now(len(text))

    def now(self, length: int) -> str:
        return str(until(lambda: len(text := self._programs.text(self._page)) >= length and text))

    def close(self) -> None:
        self._programs.close()


@pytest.fixture(scope="module")
def editor(desktop: DesktopEnvironment, display: VirtualDisplay) -> Iterator[Editor]:
    editor = Editor(desktop, display)
    yield editor
    editor.close()


in_an_editor = needs("mousepad", "dbus-daemon", "/usr/libexec/at-spi-bus-launcher")


@in_an_editor
@pytest.mark.parametrize(
    "text",
    [
        WORLD,
        "".join(map(chr, range(32, 127))),
        "two\nlines\tand a tab",
        "".join(map(chr, range(0x4E00, 0x4E00 + 130))),
        "אבגדהוזחטיכלמנסעפצקרשת" * 6,
        "".join(random.Random(7).choices("漢字仮名交じり文abcšžřאבגдежзηθι🙂€", k=300)),
        "The quick brown fox jumps.\n" * 186,
    ],
    ids=["world", "ascii", "lines", "130 different", "hebrew", "mixed", "5,022 characters"],
)
def test_typed_text_is_exact(editor: Editor, text: str) -> None:
    assert editor.type(text) == text


@in_an_editor
@needs("setxkbmap")
@pytest.mark.parametrize("layout", ["de", "fr", "us,ru", "il", "gr"])
def test_on_other_layouts(editor: Editor, display: VirtualDisplay, layout: str) -> None:
    command = ["setxkbmap", "-layout"]
    subprocess.run([*command, layout], env=display.variables, check=True)
    try:
        assert editor.type(WORLD) == WORLD
    finally:
        subprocess.run([*command, "us"], env=display.variables, check=True)


def press_code(display: VirtualDisplay, code: int) -> None:
    """What a person's finger does, whatever the key means."""
    person = connect(display.name)
    for kind in (X.KeyPress, X.KeyRelease):
        fake_input(person, kind, code)
    person.sync()
    person.close()


@in_an_editor
@needs("setxkbmap")
def test_on_the_second_of_two_layouts(desktop: DesktopEnvironment, editor: Editor, display: VirtualDisplay) -> None:
    """The person has switched to Russian: the same keys give other letters now."""
    command = ["setxkbmap", "-layout"]
    switch = [*command, "us,ru", "-option", "grp:caps_toggle"]
    subprocess.run(switch, env=display.variables, check=True)
    try:
        press_code(display, _CAPS_LOCK)
        assert desktop.system.keyboard._group() == 1  # type: ignore[attr-defined]
        assert editor.type(WORLD) == WORLD
    finally:
        subprocess.run([*command, "us", "-option", ""], env=display.variables, check=True)


@in_an_editor
def test_with_caps_lock_on(desktop: DesktopEnvironment, editor: Editor) -> None:
    desktop.execute(Press(keys=("caps_lock",)))
    try:
        assert editor.type("Caps é Lock Ж") == "Caps é Lock Ж"
    finally:
        desktop.execute(Press(keys=("caps_lock",)))


@in_an_editor
@needs("xclip")
def test_the_clipboard_survives(editor: Editor, display: VirtualDisplay) -> None:
    copy = ["xclip", "-selection", "clipboard"]
    subprocess.run(copy, input="mine", text=True, env=display.variables, check=True)
    assert editor.type(WORLD) == WORLD
    pasted = subprocess.run([*copy, "-o"], capture_output=True, text=True, env=display.variables, check=True)
    assert pasted.stdout == "mine"

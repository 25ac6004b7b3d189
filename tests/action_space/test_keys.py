"""Key names: what models write, and what they may not write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.keys import KEYS, canonical_key, chord

SPELLINGS = [
    ("Return", "enter"),
    ("ENTER", "enter"),
    ("\n", "enter"),
    ("KP_Enter", "enter"),
    ("esc", "escape"),
    ("Escape", "escape"),
    ("control", "ctrl"),
    ("Control_L", "ctrl"),
    ("ControlLeft", "ctrl"),
    ("ctrl_r", "ctrl"),
    ("Shift_R", "shift"),
    ("option", "alt"),
    ("cmd", "meta"),
    ("command", "meta"),
    ("super", "meta"),
    ("win", "meta"),
    ("Meta", "meta"),
    ("pgdn", "page_down"),
    ("Page_Down", "page_down"),
    ("PageDown", "page_down"),
    ("page down", "page_down"),
    ("Prior", "page_up"),
    ("ArrowLeft", "left"),
    ("arrow_up", "up"),
    ("del", "delete"),
    ("Delete", "delete"),
    ("spacebar", "space"),
    (" ", "space"),
    ("BackSpace", "backspace"),
    ("F11", "f11"),
    ("Print Screen", "print_screen"),
    ("CapsLock", "caps_lock"),
    ("A", "a"),
    ("KeyA", "a"),
    ("Digit7", "7"),
    ("KP_7", "7"),
    ("+", "+"),
    ("plus", "+"),
    ("-", "-"),
    ("minus", "-"),
    ("ß", "ß"),
    ("あ", "あ"),
    ("Home", "home"),
    ("KEYCODE_HOME", "device_home"),
    ("KEYCODE_BACK", "back"),
    ("KEYCODE_DEL", "backspace"),
    ("KEYCODE_A", "a"),
    ("app_switch", "recents"),
    ("VolumeUp", "volume_up"),
]


@pytest.mark.parametrize(("written", "key"), SPELLINGS)
def test_spellings(written: str, key: str) -> None:
    assert canonical_key(written) == key


@pytest.mark.parametrize("key", KEYS)
def test_canonical_names_are_their_own_spelling(key: str) -> None:
    assert canonical_key(key) == key
    assert canonical_key(key.upper()) == key


def test_android_home_and_del_are_the_buttons_of_the_phone() -> None:
    assert canonical_key("home") == "home"
    assert canonical_key("home", android=True) == "device_home"
    assert canonical_key("move_home", android=True) == "home"
    assert canonical_key("del", android=True) == "backspace"
    assert canonical_key("forward_del", android=True) == "delete"


@pytest.mark.parametrize(
    "name", ["", "foo", "-+-", "-a", "f25", "ctrl+", "\x00", "\ud800", "x" * 100_000, "click me", "  "]
)
def test_unknown_names_say_what_is_valid(name: str) -> None:
    with pytest.raises(ValueError, match="a key is a single character or one of enter, tab") as caught:
        canonical_key(name)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("ctrl+c", ("ctrl", "c")),
        ("Ctrl + Shift + T", ("ctrl", "shift", "t")),
        ("ctrl c", ("ctrl", "c")),
        ("ctrl l", ("ctrl", "l")),
        ("Ctrl-R", ("ctrl", "r")),
        ("alt left", ("alt", "left")),
        ("Control_L", ("ctrl",)),
        ("ctrl-shift-t", ("ctrl", "shift", "t")),
        ("ctrl -", ("ctrl", "-")),
        ("Page Down", ("page_down",)),
        ("+", ("+",)),
        ("ctrl++", ("ctrl", "+")),
        ("++ctrl", ("+", "ctrl")),
        ("-+-", ("-", "-")),
        ("alt+F4", ("alt", "f4")),
    ],
)
def test_chords(written: str, keys: tuple[str, ...]) -> None:
    assert chord(written) == keys


@pytest.mark.parametrize("written", ["", "ctrl+", "ctrl+foo", "+" * 1000, "a " * 1000])
def test_broken_chords(written: str) -> None:
    with pytest.raises(ValueError, match="unknown key"):
        chord(written)


@given(st.text())
def test_every_text_is_a_key_that_stays_itself_or_a_value_error(text: str) -> None:
    try:
        key = canonical_key(text)
    except ValueError:
        return
    assert key in KEYS or (len(key) == 1 and key.isprintable())
    assert canonical_key(key) == key

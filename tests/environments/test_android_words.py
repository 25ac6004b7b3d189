"""What is sent to the device, and what it says: values and text, no device."""

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_space.actions import Click, Drag, LongPress, Press, Scroll
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.keys import KEYS
from environments.android_input import broadcast_words, key_code, press, touches, typed_words
from environments.android_link import shell_line
from environments.android_state import App, find_app, read_apps, read_packages, read_status

TALL = Frame(Size(1080, 2400), Size(1080, 2400))


# ------------------------------------------------------------------------------------------------------------ quoting


@settings(max_examples=80)
@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_real_shell_reads_every_word_as_it_was(commands: list[list[str]]) -> None:
    """Any text at all, through `sh -c`: the words arrive, and nothing else happens."""
    try:
        line = shell_line(*(["printf", "<%s>", *words] for words in commands))
    except InvalidAction:
        assert any("\0" in word or _has_surrogate(word) for words in commands for word in words)
        return
    done = subprocess.run(["sh", "-c", line], capture_output=True)
    assert done.stderr == b"" and done.returncode == 0
    assert done.stdout == "".join(f"<{word}>" for words in commands for word in words).encode()


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize(
    "evil", ["$(reboot)", "`reboot`", "; reboot", "&& reboot", "| reboot", "\nreboot", "' ; reboot ; '", '"; reboot; "']
)
def test_well_known_ways_out_of_quotes(evil: str) -> None:
    done = subprocess.run(["sh", "-c", shell_line(["printf", "%s", evil])], capture_output=True)
    assert done.stdout == evil.encode()


def test_what_no_shell_can_be_given() -> None:
    for wrong, words in (("a\0b", "NUL"), ("\ud800", "surrogate"), ("x" * 70_000, "too long")):
        with pytest.raises(InvalidAction, match=words):
            shell_line(["input", "text", wrong])


def android_reads(argument: str) -> str:
    """Android's own rule for the argument of `input text`."""
    characters, escaped = list(argument), False
    index = 0
    while index < len(characters):
        if escaped:
            escaped = False
            if characters[index] == "s":
                characters[index] = " "
                del characters[index - 1]
                index -= 1
        escaped = characters[index] == "%" or escaped
        index += 1
    return "".join(characters)


@given(st.text("ab%s -", max_size=40))
def test_percent_signs_and_blanks_arrive(text: str) -> None:
    assert "".join(android_reads(words[2]) for words in typed_words(text)) == text
    assert all(" " not in words[2] for words in typed_words(text))


@given(st.text(max_size=1200))
def test_long_texts_are_cut_between_characters(text: str) -> None:
    import base64

    if _has_surrogate(text):
        return
    pieces = [base64.b64decode(words[-1]).decode() for words in broadcast_words(text)]
    assert "".join(pieces) == text
    assert all(re.fullmatch(r"[A-Za-z0-9+/=]*", words[-1]) for words in broadcast_words(text))


# ---------------------------------------------------------------------------------------------------- touches and keys


def test_touches() -> None:
    at = Point(0, 2399)
    assert touches(Click(point=at, count=2), TALL) == [("input", "tap", "0", "2399")] * 2
    assert touches(LongPress(point=at, seconds=0.8), TALL) == [("input", "swipe", "0", "2399", "0", "2399", "800")]
    quick = Drag(start=Point(0, 0), end=Point(9, 8), seconds=0.25)
    assert touches(quick, TALL) == [("input", "swipe", "0", "0", "9", "8", "250")]
    slow = Drag(start=Point(0, 0), end=Point(9, 8), seconds=1)
    assert touches(slow, TALL) == [("input", "draganddrop", "0", "0", "9", "8", "1000")]


def test_a_picture_that_is_larger_than_the_touch_screen() -> None:
    frame = Frame(Size(1080, 2400), Size(1080, 2400), 1.5)
    assert touches(Click(point=Point(300, 600)), frame) == [("input", "tap", "200", "400")]


@pytest.mark.parametrize(
    "action", [Click(point=Point(1, 1), button="right"), Click(point=Point(1, 1), modifiers=("ctrl",))]
)
def test_what_fingers_cannot(action: Click) -> None:
    with pytest.raises(UnsupportedAction, match="touch screen"):
        touches(action, TALL)


@given(
    st.integers(0, 1079),
    st.integers(0, 2399),
    st.sampled_from(["up", "down", "left", "right"]),
    st.integers(1, 100),
    st.booleans(),
)
def test_scrolling_moves_against_the_direction_and_stays_inside(
    x: int, y: int, direction: str, amount: int, wide: bool
) -> None:
    frame, point = (Frame(Size(2400, 1080), Size(2400, 1080)), Point(y, x)) if wide else (TALL, Point(x, y))
    swipes = touches(Scroll.model_validate({"point": point, "direction": direction, "amount": amount}), frame)
    assert 1 <= len(swipes) <= 21
    for _, kind, *numbers in swipes:
        x1, y1, x2, y2, milliseconds = map(int, numbers)
        assert kind == "swipe" and milliseconds > 0
        assert all(frame.screen.contains(Point(*end)) for end in ((x1, y1), (x2, y2)))
        moved = {"up": y2 - y1, "down": y1 - y2, "left": x2 - x1, "right": x1 - x2}[direction]
        assert moved > 0 and abs(x2 - x1) + abs(y2 - y1) == moved


def test_every_key_has_a_code_or_is_refused() -> None:
    missing = set()
    for key in KEYS:
        try:
            assert re.fullmatch(r"KEYCODE_[A-Z0-9_]+", key_code(key))
        except UnsupportedAction:
            missing.add(key)
    assert missing == {f"f{number}" for number in range(13, 25)}
    assert press(Press(keys=("home",))) == ("input", "keyevent", "KEYCODE_MOVE_HOME")
    assert press(Press(keys=("device_home",))) == ("input", "keyevent", "KEYCODE_HOME")
    assert press(Press(keys=("a", "ctrl"))) == ("input", "keycombination", "KEYCODE_CTRL_LEFT", "KEYCODE_A")


# ------------------------------------------------------------------------------------------------- what the device says

REAL_WINDOW = """\
  mWakefulness=Awake
WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)
  Display: mDisplayId=0 rootTasks=10
    init=1440x3120 560dpi base=1080x2340 420dpi cur=2340x1080 app=2205x1080 rng=1080x1017-2274x2211
    mCurrentFocus=Window{a1b2c3d u0 com.android.settings/com.android.settings.SubSettings}
    mFocusedApp=ActivityRecord{4d5e6f u0 com.android.settings/.Settings t88}
    mShowingDream=false mDreamingLockscreen=false mDreamingSleepToken=null
"""


def test_status() -> None:
    status = read_status(REAL_WINDOW)
    assert status.size == Size(2340, 1080)
    assert status.awake and not status.locked
    assert (status.app, status.activity) == ("com.android.settings", "com.android.settings.SubSettings")
    asleep = read_status(REAL_WINDOW.replace("Awake", "Dozing").replace("Lockscreen=false", "Lockscreen=true"))
    assert not asleep.awake and asleep.locked
    bare = read_status("  mCurrentFocus=Window{1 u0 NotificationShade}\n  isStatusBarKeyguard=true cur=0x0\n")
    assert (bare.size, bare.awake, bare.locked, bare.app) == (None, True, True, "")


@given(st.text(max_size=200), st.sampled_from(["", "cur=", "mCurrentFocus=Window{", "Activity #0:\n", "package:"]))
def test_no_answer_is_too_strange(noise: str, start: str) -> None:
    read_status(start + noise)
    for app in [*read_apps(start + noise), *read_packages(start + noise)]:
        assert re.fullmatch(r"[\w.]+", app.package)


REAL_APPS = """\
2 activities found:
  Activity #0:
    priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true
    ActivityInfo:
      name=com.android.settings.Settings
      packageName=com.android.settings
      labelRes=0x7f1210a2 nonLocalizedLabel=null icon=0x0 banner=0x0
      ApplicationInfo:
        packageName=com.android.settings
        labelRes=0x7f121a55 nonLocalizedLabel=null icon=0x7f0802d0 banner=0x0
  Activity #1:
    ActivityInfo:
      name=org.example.Start
      packageName=org.example.birds
      labelRes=0x0 nonLocalizedLabel=Bird Watch icon=0x0 banner=0x0
"""
APPS = [*read_apps(REAL_APPS), App("com.android.chrome", "x"), App("org.one.mail"), App("org.two.mail")]


def test_apps_are_found_by_what_people_call_them() -> None:
    assert APPS[1] == App("org.example.birds", "org.example.Start", "Bird Watch")
    for target, package in {
        "Settings": "com.android.settings",
        "com.android.settings": "com.android.settings",
        "bird watch": "org.example.birds",
        "BIRDS": "org.example.birds",
        "watch": "org.example.birds",
        "Chrome ": "com.android.chrome",
        "org.two.mail": "org.two.mail",
    }.items():
        assert find_app(target, APPS).package == package, target
    assert read_packages("package:a.b\npackage:c.d\n") == [App("a.b"), App("c.d")]


def test_an_app_that_is_not_there_or_not_the_only_one() -> None:
    with pytest.raises(InvalidAction, match=r"'mail' may be one of org.one.mail, org.two.mail"):
        find_app("mail", APPS)
    with pytest.raises(InvalidAction, match=r"no app 'Bird Wach' is installed; there are Bird Watch, "):
        find_app("Bird Wach", APPS)
    with pytest.raises(InvalidAction, match="there are none"):
        find_app("!", [])

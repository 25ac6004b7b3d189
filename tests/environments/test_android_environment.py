"""The Android environment on the simulated phone, through real adb; what was done is read from the phone's state."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Click, Drag, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Point, Size
from environments.android import AndroidEnvironment
from environments.simulated_android.device import SimulatedAndroid
from environments.simulated_android.phone import ADB_KEYBOARD, USUAL_KEYBOARD
from tests.environments.conftest import MakeAndroid

CENTRES = """text => {
  const all = [...document.querySelectorAll("button, label, .row, a, textarea")];
  const lines = element => (element.getAttribute("aria-label") ?? element.innerText).split("\\n");
  const found = all.find(element => lines(element).some(line => line.startsWith(text)));
  if (!found) return null;
  const box = (found.querySelector("input") ?? found).getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2].map(at => Math.floor(at * devicePixelRatio));
}"""


def place(phone: SimulatedAndroid, text: str) -> Point:
    """Where a control is once it is there: the tests know, the environment does not."""
    found: list[list[int]] = []

    def look() -> bool:
        with suppress(PlaywrightError):  # one page is just being replaced by the next
            found[:] = [phone.phone.screen.ask(f"({CENTRES})({text!r})")]
        return bool(found and found[0])

    until(look)
    return Point(*found[0])


def tap(environment: AndroidEnvironment, phone: SimulatedAndroid, text: str) -> None:
    environment.execute(Click(point=place(phone, text)))


def until(holds: Callable[[], object]) -> None:
    """What an app keeps arrives a moment after the touch."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_seen(make_android: MakeAndroid) -> None:
    seen = make_android(app="Settings").observe()
    assert seen.image.size == (1080, 2400) and seen.image.mode == "RGB"
    assert seen.frame.device_scale == 1.0
    assert seen.context == ("App: org.clickwright.settings/org.clickwright.settings.Main",)
    assert seen.details["app"] == "org.clickwright.settings" and seen.settled


def test_tap_exactly_there(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="org.clickwright.settings")
    phone.phone.screen.ask(
        "window.touched = []; addEventListener('touchstart', event => touched.push(event.touches[0]))"
    )
    environment.observe()
    for point in (Point(0, 0), Point(1079, 2399), Point(541, 1203)):
        environment.execute(Click(point=point))
    places = phone.phone.screen.ask("touched.map(touch => [touch.clientX * 3, touch.clientY * 3])")
    assert [[round(x), round(y)] for x, y in places] == [[0, 0], [1079, 2399], [541, 1203]]
    tap(environment, phone, "Hotspot")
    until(lambda: phone.state("settings").get("Hotspot") is True)


def test_double_tap_long_press_and_back(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="notes")
    environment.observe()
    for text in ("one", "two"):
        tap(environment, phone, "New note")
        tap(environment, phone, "Text")
        environment.execute(Type(text=text))
        tap(environment, phone, "Save")
    until(lambda: phone.state("notes") == {"notes": ["one", "two"]})
    environment.execute(LongPress(point=place(phone, "one"), seconds=1.2))
    until(lambda: phone.state("notes") == {"notes": ["two"]})
    tap(environment, phone, "two")
    until(lambda: not phone.phone.screen.ask("document.getElementById('one').hidden"))
    environment.execute(Press(keys=("back",)))
    assert phone.phone.screen.ask("document.getElementById('one').hidden")
    environment.execute(Press(keys=("back",)))
    until(lambda: phone.phone.foreground == "org.clickwright.launcher")
    tap(environment, phone, "Library")
    until(lambda: phone.phone.foreground == "org.clickwright.library")
    phone.phone.screen.ask("window.taps = 0; addEventListener('click', () => { taps += 1; })")
    environment.execute(Click(point=Point(500, 150), count=2))
    until(lambda: phone.phone.screen.ask("taps") == 2)


def test_scrolling_shows_what_is_further_down(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="library")
    environment.observe()
    top = "document.querySelector('main').scrollTop"
    environment.execute(Scroll(point=Point(540, 1200), direction="down", amount=4))
    down = phone.phone.screen.ask(top)
    assert 250 < down < 900, "about 4 notches of 90 CSS pixels, and what the fling adds"
    environment.execute(Scroll(point=Point(540, 1200), direction="up", amount=2))
    assert 0 < phone.phone.screen.ask(top) < down
    environment.execute(Drag(start=Point(540, 1000), end=Point(540, 1900), seconds=0.4))
    assert phone.phone.screen.ask(top) < down - 100
    environment.execute(Drag(start=Point(540, 1900), end=Point(540, 1000), seconds=1.0))


TEXTS = [
    "a'b\"c\\d $HOME `id` $(id) ; reboot && x | y > z < w & * ? [a] {b} ~ # ! ^ % %s %% %d -n",
    " leading and trailing ",
    "-rf --help",
    "Ünïcödé 漢字 שלום 🎉 e\u0301",
    "two\nlines",
    "mixed ASCII\nund Größe\nagain ASCII",
]


@pytest.mark.parametrize("text", TEXTS)
def test_typing_is_exact(make_android: MakeAndroid, phone: SimulatedAndroid, text: str) -> None:
    environment = writing(make_android, phone)
    environment.execute(Type(text=text))
    assert written(phone) == text
    assert phone.phone.keyboard == USUAL_KEYBOARD


def test_five_thousand_characters(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = writing(make_android, phone)
    text = "".join(chr(33 + number % 94) for number in range(5000))
    environment.execute(Type(text=text))
    assert written(phone) == text
    environment.execute(Type(text="ü" * 5000))
    assert written(phone) == text + "ü" * 5000


def writing(make_android: MakeAndroid, phone: SimulatedAndroid) -> AndroidEnvironment:
    """A new note is open, and its text has the focus."""
    environment = make_android(app="notes")
    # The button works once the app has read what it kept.
    press_new = "document.getElementById('new')?.click(), document.getElementById('one')?.hidden === false"
    until(lambda: phone.phone.screen.ask(press_new))
    phone.phone.screen.ask("document.getElementById('text').focus()")
    return environment


def written(phone: SimulatedAndroid) -> object:
    return phone.phone.screen.ask("document.getElementById('text').value")


def test_typing_without_adb_keyboard(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    phone.phone.keyboards = (USUAL_KEYBOARD,)
    environment = writing(make_android, phone)
    with pytest.raises(UnsupportedAction, match=r"cannot type 'é': .*ADBKeyboard"):
        environment.execute(Type(text="plain\ncafé"))
    assert written(phone) == "", "nothing was typed by half"
    phone.phone.clipboard = "what the person copied"
    environment.execute(Type(text="plain\ncafé 漢"))
    assert written(phone) == "plain\ncafé 漢"
    assert phone.phone.clipboard == "what the person copied", "it comes back"


def test_a_tab_leaves_the_field(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = writing(make_android, phone)
    environment.execute(Type(text="a\t"))
    assert phone.phone.screen.ask("document.activeElement.id") == "keep", "the next one"
    assert written(phone) == "a"


def test_a_keyboard_that_was_chosen_by_the_person_stays(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    phone.phone.keyboard = ADB_KEYBOARD
    environment = make_android(app="notes")
    environment.execute(Type(text="é"))
    assert phone.phone.keyboard == ADB_KEYBOARD


@pytest.mark.parametrize("wrong", ["a\0b", "a\x1bb", "\ud800"])
def test_what_cannot_be_typed(make_android: MakeAndroid, wrong: str) -> None:
    with pytest.raises(InvalidAction, match="control characters"):
        make_android().execute(Type(text=wrong))


def test_keys(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="contacts")
    environment.observe()
    tap(environment, phone, "Name")
    environment.execute(Type(text="wrong"))
    environment.execute(Press(keys=("ctrl", "a")))
    environment.execute(Type(text="Adda"))
    environment.execute(Press(keys=("left",)))
    environment.execute(Press(keys=("backspace",)))
    environment.execute(Press(keys=("?",)))
    environment.execute(Press(keys=("enter",)))
    until(lambda: phone.state("contacts").get("contacts"))
    assert phone.state("contacts") == {"contacts": [{"name": "Ad?a", "phone": "", "email": ""}]}
    loud = phone.phone.volume
    environment.execute(Press(keys=("volume_up",)))
    assert phone.phone.volume == loud + 1
    environment.execute(Press(keys=("device_home",)))
    assert phone.phone.foreground == "org.clickwright.launcher"
    with pytest.raises(UnsupportedAction, match="no key 'f13'"):
        environment.execute(Press(keys=("f13",)))


def test_opening(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android()
    environment.execute(Open(target="bank"))
    assert phone.phone.foreground == "org.clickwright.bank"
    for target, words in {
        "Photos": "no app 'Photos' is installed; there are .*Settings",
        "x; reboot": "no app 'x; reboot'",
        "https://example.org/$(reboot)": "did not open: Error: Activity not started",
        "https://a.b/\0": "NUL",
    }.items():
        with pytest.raises(InvalidAction, match=words):
            environment.execute(Open(target=target))
    assert phone.phone.foreground == "org.clickwright.bank"


def test_the_screen_turns(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="settings")
    assert environment.observe().frame.screen == Size(1080, 2400)
    phone.phone.rotate(1)
    with pytest.raises(InvalidAction, match="the screen has changed and is 2400x1080 now"):
        environment.execute(Click(point=Point(500, 2000)))
    assert environment.observe().frame.screen == Size(2400, 1080)
    with pytest.raises(InvalidAction, match=r"\(500, 2000\) is outside the screen"):
        environment.execute(Click(point=Point(500, 2000)))
    tap(environment, phone, "Bluetooth")
    until(lambda: phone.state("settings").get("Bluetooth") is True)


def test_another_resolution(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="settings")
    environment.observe()
    phone.phone.resize(Size(720, 1560))
    with pytest.raises(InvalidAction, match="the screen has changed and is 720x1560 now"):
        environment.execute(Click(point=Point(500, 2000)))
    assert environment.observe().frame.screen == Size(720, 1560)
    tap(environment, phone, "Bluetooth")
    until(lambda: phone.state("settings").get("Bluetooth") is True)


def test_off_and_locked_is_said(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android()
    phone.phone.sleep(lock=True)
    seen = environment.observe()
    assert "The screen was off and was woken." in seen.context and "The screen is locked." in seen.context
    assert seen.details["locked"] == "yes"
    environment.execute(Drag(start=Point(540, 1900), end=Point(540, 500), seconds=0.3))
    until(lambda: not phone.phone.locked)
    assert environment.observe().context == ("App: org.clickwright.launcher/org.clickwright.launcher.Main",)


def test_a_screen_that_stays_off_or_black_is_an_error(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(settle_s=0.2)
    phone.phone.awake = phone.phone.wakes = False
    with pytest.raises(DeviceError, match="it is off and does not wake up"):
        environment.observe()
    phone.phone.awake = phone.phone.secure = True
    with pytest.raises(DeviceError, match=r"the picture is black, org\.clickwright\.launcher may forbid screenshots"):
        environment.observe()


def test_a_screen_that_never_settles(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(settle_s=0.3)
    phone.phone.screen.ask(
        "setInterval(() => { document.body.style.background = `hsl(${Math.random() * 360}, 90%, 50%)`; }, 5)"
    )
    assert not environment.observe().settled


def test_what_a_phone_cannot(make_android: MakeAndroid) -> None:
    environment = make_android()
    with pytest.raises(UnsupportedAction, match="cannot 'move'"):
        environment.execute(Move(point=Point(1, 1)))
    with pytest.raises(UnsupportedAction, match="no right button"):
        environment.execute(Click(point=Point(1, 1), button="right"))
    environment.execute(Wait(seconds=0))
    environment.close()
    with pytest.raises(DeviceError, match="let go of"):
        environment.observe()


def test_an_app_to_begin_with_that_is_not_there(make_android: MakeAndroid) -> None:
    with pytest.raises(ConfigError, match="--app: no app 'Photos' is installed"):
        make_android(app="Photos")
    with pytest.raises(
        ConfigError, match=r"--url 'example\.org' is no address: it must begin with http:// or https://"
    ):
        make_android(url="example.org")
    with pytest.raises(ConfigError, match=r"--url: 'https://example\.org' did not open: Error: Activity not started"):
        make_android(url="https://example.org")

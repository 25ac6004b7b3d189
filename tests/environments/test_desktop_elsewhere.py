"""Windows and macOS, which this project was never run on, against fakes of their libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mss.darwin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mss.exception import ScreenShotError

from action_space.actions import Click, Direction, Drag, Press, Scroll
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Box, Frame, Point, Size
from environments.desktop_guard import NoGuard
from environments.desktop_hands import Hands
from environments.desktop_macos import MacSystem, pieces
from environments.desktop_windows import WindowsSystem


class FakePyautogui:
    """Keeps what it was asked to do. Knows the keys that the real one knows by these names."""

    known = frozenset({"ctrl", "shift", "win", "command", "option", "enter", "pageup", "c", "?"})

    def __init__(self, *titles: str) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.titles = titles
        codes = {key: 10 + at for at, key in enumerate(sorted(self.known))}
        self.platformModule = SimpleNamespace(keyboardMapping=codes)

    def isShiftCharacter(self, key: str) -> bool:  # noqa: N802
        return key == "?"

    def getAllTitles(self) -> tuple[str, ...]:  # noqa: N802
        return self.titles

    def isValidKey(self, key: str) -> bool:  # noqa: N802
        return key in self.known

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return lambda *arguments, **options: self.done.append((name, *arguments, *options.items()))


class FakeUser32:
    """SendInput reads the structures back as Windows would, from their bytes.

    front: the handle of the window in front. rises: whether Windows lets a window come to the front. taken: of keys.
    """

    def __init__(self, *, front: int = 7, rises: bool = True, taken: bool = True) -> None:
        self.units: list[tuple[int, int]] = []
        self.wheel: list[tuple[int, ...]] = []
        self.raised: list[object] = []
        self._front, self._rises, self._taken = front, rises, taken

    def GetForegroundWindow(self) -> int:  # noqa: N802
        return self._front

    def GetWindowRect(self, window: int, rect: Any) -> int:  # noqa: N802, ANN401
        assert window == self._front
        for name, value in {"left": -8, "top": -8, "right": 1928, "bottom": 1048}.items():
            setattr(rect._obj, name, value)
        return 1

    def GetWindowTextW(self, _window: int, title: Any, size: int) -> int:  # noqa: N802, ANN401
        title.value = "Notes"[:size]
        return 5

    def FindWindowW(self, _kind: None, title: str) -> str:  # noqa: N802
        return title

    def IsIconic(self, _window: str) -> bool:  # noqa: N802
        return True

    def ShowWindow(self, window: str, how: int) -> None:  # noqa: N802
        self.raised.append((window, how))

    def keybd_event(self, key: int, _scan: int, flags: int, _extra: int) -> None:
        self.raised.append((key, flags))

    def SetForegroundWindow(self, window: str) -> bool:  # noqa: N802
        self.raised.append(window)
        return self._rises

    def SendInput(self, count: int, inputs: Any, size: int) -> int:  # noqa: N802, ANN401
        data = bytes(inputs)
        assert size == 40 and len(data) == 40 * count, "the size of INPUT on 64-bit Windows"
        for start in range(0, len(data), 40):
            assert int.from_bytes(data[start : start + 4], "little") == 1
            scan, flags = data[start + 10 : start + 12], data[start + 12 : start + 16]
            self.units.append((int.from_bytes(scan, "little"), int.from_bytes(flags, "little")))
        return count if self._taken else 0

    def mouse_event(self, *arguments: int) -> None:
        self.wheel.append(arguments)

    def GetAsyncKeyState(self, _code: int) -> int:  # noqa: N802
        return 0


def hands_of(system: Any) -> Hands:  # noqa: ANN401
    return Hands(system.mouse, system.keyboard, NoGuard())


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """mss and pyautogui as they would be there; in which order they were asked for."""
    order: list[str] = []

    @contextmanager
    def opened() -> Iterator[str]:
        order.append("mss")
        yield "screen"

    def imported() -> FakePyautogui:
        order.append("pyautogui")
        return FakePyautogui()

    monkeypatch.setattr("environments.desktop_windows.mss.MSS", opened)
    monkeypatch.setattr("environments.desktop_windows.import_pyautogui", imported)
    return order


def test_windows_knows_each_monitors_scaling_before_pyautogui_says_otherwise(
    on_windows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    WindowsSystem(None, FakeUser32())
    assert on_windows == ["mss", "pyautogui"]

    def locked() -> None:
        raise ScreenShotError("BitBlt: Access is denied")

    monkeypatch.setattr("environments.desktop_windows.mss.MSS", locked)
    with pytest.raises(
        DeviceError, match=r"the screen cannot be read \(BitBlt: Access is denied; unlock the screen, and .*--resume"
    ):
        WindowsSystem(None, FakeUser32())


@pytest.mark.usefixtures("on_windows")
def test_windows_types_utf_16_and_turns_both_wheels() -> None:
    driver, user32 = FakePyautogui(), FakeUser32()
    system = WindowsSystem(driver, user32)
    hands = hands_of(system)
    hands.type_text("<é🙂\n")
    down = [unit for unit, flags in user32.units if flags == 4]
    assert down == [ord("<"), ord("é"), 0xD83D, 0xDE42] and [flags for _, flags in user32.units] == [4, 6] * 4
    assert ("keyDown", "enter") in driver.done
    frame = Frame(Size(100, 100), Size(100, 100), origin=Point(-1920, 0))
    hands.point(Scroll(point=Point(5, 5), direction="down", amount=2), frame)
    assert driver.done[-3:] == [("moveTo", -1915, 5), ("scroll", -120), ("scroll", -120)]
    hands.point(Scroll(point=Point(5, 5), direction="left", amount=1), frame)
    assert user32.wheel == [(0x1000, 0, 0, -120, 0)]
    window = system.active_window()
    assert window is not None and window.box == Box(-8, -8, 1928, 1048)
    assert not system.is_in_use()
    assert WindowsSystem(driver, FakeUser32(front=0)).active_window() is None
    with pytest.raises(UnsupportedAction, match="Windows takes no keys for this window: an administrator's"):
        hands_of(WindowsSystem(driver, FakeUser32(taken=False))).type_text("x")


@pytest.mark.usefixtures("on_windows")
def test_windows_opens_what_has_a_shortcut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setenv("PROGRAMDATA", str(tmp_path))
    monkeypatch.setattr("os.startfile", opened.append, raising=False)
    shortcut = tmp_path / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "Tools" / "Notepad.lnk"
    shortcut.parent.mkdir(parents=True)
    shortcut.touch()
    system = WindowsSystem(FakePyautogui(), FakeUser32())
    system.open_app("notepad ")
    assert opened == [shortcut]
    for title, is_its in {"Notepad": True, "a.txt - Notepad": True, "Notepad tutorial - Browser": False}.items():
        user32 = FakeUser32()
        assert WindowsSystem(FakePyautogui("Other", title), user32).open_app("Notepad") is None
        assert user32.raised == ([(title, 9), (0x12, 0), (0x12, 2), title] if is_its else [])
    assert opened == [shortcut, shortcut]
    note = WindowsSystem(FakePyautogui("Notepad"), FakeUser32(rises=False)).open_app("Notepad")
    assert note == "'Notepad' is open, but Windows does not let it come to the front: click it on the taskbar."
    for name in ("cmd /c del", r"C:\evil.exe", "https://example.org"):
        with pytest.raises(InvalidAction, match="no application is called"):
            system.open_app(name)


class FakeQuartz:
    """posted: what each event holds. allowed: the permissions. asked: the questions that the system showed."""

    kCGHIDEventTap = kCGWindowListOptionOnScreenOnly = kCGWindowListExcludeDesktopElements = kCGNullWindowID = 0  # noqa: N815
    kCGEventLeftMouseDown, kCGEventLeftMouseUp = "left down", "left up"  # noqa: N815
    kCGEventOtherMouseDown, kCGEventOtherMouseUp = "other down", "other up"  # noqa: N815
    kCGMouseButtonLeft, kCGMouseButtonCenter = 0, 2  # noqa: N815
    kCGMouseEventClickState, kCGScrollEventUnitLine = "click", "lines"  # noqa: N815

    def __init__(self, *, screen: bool = True, post: bool = True) -> None:
        self.posted: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.flags, self.button = 0, -1
        self.CGPreflightScreenCaptureAccess, self.CGPreflightPostEventAccess = (lambda: screen), (lambda: post)
        self.CGRequestScreenCaptureAccess = lambda: self.asked.append("screen")
        self.CGRequestPostEventAccess = lambda: self.asked.append("post")

    def CGEventSourceFlagsState(self, _state: int) -> int:  # noqa: N802
        return self.flags

    def CGEventSourceButtonState(self, _state: int, button: int) -> bool:  # noqa: N802
        return button == self.button

    def CGEventCreateMouseEvent(self, _source: None, kind: str, at: tuple[int, int], button: int) -> dict[str, Any]:  # noqa: N802
        return {"kind": kind, "at": at, "button": button}

    def CGEventSetIntegerValueField(self, event: dict[str, Any], field: str, value: int) -> None:  # noqa: N802
        event[field] = value

    def CGEventCreateScrollWheelEvent(  # noqa: N802
        self, _source: None, unit: str, _wheels: int, up: int, left: int
    ) -> dict[str, Any]:
        return {"unit": unit, "up": up, "left": left}

    def CGEventGetFlags(self, event: dict[str, Any]) -> int:  # noqa: N802
        return int(event["flags"])

    def CGEventSetFlags(self, event: dict[str, Any], flags: int) -> None:  # noqa: N802
        event["flags"] = flags

    def CGEventCreateKeyboardEvent(self, _source: None, key: int, down: bool) -> dict[str, Any]:  # noqa: N802
        # A flag of the key itself, and a modifier that some other program left.
        return {"key": key, "down": down, "flags": 0x800000 | 0x20000}

    def CGEventKeyboardSetUnicodeString(self, event: dict[str, Any], units: int, text: str) -> None:  # noqa: N802
        event |= {"units": units, "text": text}

    def CGEventPost(self, _tap: int, event: dict[str, Any]) -> None:  # noqa: N802
        self.posted.append(event)

    def CGWindowListCopyWindowInfo(self, _options: int, _window: int) -> list[dict[str, Any]]:  # noqa: N802
        bounds = {"X": 10.0, "Y": 38.0, "Width": 500.0, "Height": 300.0}
        return [
            {"kCGWindowLayer": 25, "kCGWindowOwnerName": "Menu"},
            {"kCGWindowLayer": 0, "kCGWindowOwnerName": "TextEdit", "kCGWindowBounds": bounds},
        ]


def test_a_mac_types_in_pieces() -> None:
    quartz = FakeQuartz()
    hands_of(MacSystem(FakePyautogui(), quartz)).type_text("é🙂" * 9)
    assert [event["text"] for event in quartz.posted if event["down"]] == ["é🙂" * 6 + "é", "🙂é🙂é🙂"]
    assert all(event["units"] <= 20 and event["flags"] == 0 for event in quartz.posted)


def test_a_mac_is_told_which_click_of_a_row_it_is() -> None:
    """And with which modifiers: points are logical, two pixels each, left of the first screen."""
    driver, quartz = FakePyautogui(), FakeQuartz()
    hands = hands_of(MacSystem(driver, quartz))
    retina = Frame(Size(2880, 1800), Size(2880, 1800), device_scale=2.0, origin=Point(-1440, 0))
    hands.point(Click(point=Point(2879, 1), count=2, modifiers=("meta",)), retina)
    assert driver.done == [("moveTo", -1, 0)]
    clicks = [event for event in quartz.posted if "kind" in event]
    assert [(event["kind"], event["click"]) for event in clicks] == [
        (kind, number) for number in (1, 2) for kind in ("left down", "left up")
    ]
    assert all((event["at"], event["flags"]) == ((-1, 0), 0x100000) for event in clicks)
    hands.point(Click(point=Point(0, 0), button="middle"), retina)
    assert [(event["kind"], event["button"], event["flags"]) for event in quartz.posted[-2:]] == [
        ("other down", 2, 0),
        ("other up", 2, 0),
    ]
    hands.point(Drag(start=Point(0, 0), end=Point(40, 40), seconds=0), retina)
    assert ("dragTo", -1420, 20, ("duration", 0), ("button", "left"), ("mouseDownUp", False)) in driver.done


@pytest.mark.parametrize(("direction", "up", "left"), [("down", -3, 0), ("up", 3, 0), ("right", 0, -3), ("left", 0, 3)])
def test_the_wheels_of_a_mac_count_up_and_left(direction: Direction, up: int, left: int) -> None:
    quartz = FakeQuartz()
    frame = Frame(Size(9, 9), Size(9, 9))
    hands_of(MacSystem(FakePyautogui(), quartz)).point(Scroll(point=Point(1, 1), direction=direction, amount=2), frame)
    assert quartz.posted == [{"unit": "lines", "up": up, "left": left}] * 2


def test_a_chord_on_a_mac_carries_its_modifiers() -> None:
    driver, quartz = FakePyautogui(), FakeQuartz()
    hands = hands_of(MacSystem(driver, quartz))
    codes = driver.platformModule.keyboardMapping
    hands.press(Press(keys=("meta", "c")))
    assert [(event["key"], event["down"], event["flags"]) for event in quartz.posted] == [
        (codes["command"], True, 0x900000),
        (codes["c"], True, 0x900000),
        (codes["c"], False, 0x900000),
        (codes["command"], False, 0x800000),
    ]
    hands.press(Press(keys=("?",)))
    assert quartz.posted[-1]["flags"] == 0x820000, "with shift"
    with pytest.raises(UnsupportedAction, match="this desktop has no key 'recents'"):
        hands.press(Press(keys=("ctrl", "recents", "c")))
    last = quartz.posted[-1]
    assert (last["key"], last["down"], last["flags"]) == (codes["ctrl"], False, 0x800000), "what was down is up again"


def test_a_mac_says_which_window_is_in_front_and_who_uses_it() -> None:
    quartz = FakeQuartz()
    system = MacSystem(FakePyautogui(), quartz)
    assert not mss.darwin.IMAGE_OPTIONS & mss.darwin.kCGWindowImageNominalResolution, "pictures have every pixel"
    window = system.active_window()
    assert window is not None and (window.app, window.box) == ("TextEdit", Box(10, 38, 510, 338))
    assert not system.is_in_use()
    quartz.flags = 0x010000
    assert not system.is_in_use(), "Caps Lock is no hand"
    quartz.flags = 0x080000
    assert system.is_in_use()
    quartz.flags, quartz.button = 0, 1
    assert system.is_in_use()


@pytest.mark.parametrize(
    ("withheld", "words"), [("screen", "see the screen.*Screen Recording"), ("post", "Accessibility")]
)
def test_a_mac_that_withholds_something_says_so(withheld: str, words: str) -> None:
    quartz = FakeQuartz(**{withheld: False})
    with pytest.raises(ConfigError, match=f"macOS does not let this program .*{words}, and start it again") as caught:
        MacSystem(FakePyautogui(), quartz)
    assert quartz.asked == [withheld] and "\n" not in str(caught.value)


def test_a_mac_opens_names_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = tmp_path / "open"
    opener.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ntest "$2" = Notes\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    system = MacSystem(FakePyautogui(), FakeQuartz())
    system.open_app("Notes")
    for name in ("Nots", "/bin/sh", "../x.app"):
        with pytest.raises(InvalidAction, match="no application is called"):
            system.open_app(name)
    assert (tmp_path / "asked").read_text() == "-a Notes\n-a Nots\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_pieces_put_together_are_the_text(text: str) -> None:
    parts = list(pieces(text, 20))
    assert "".join(parts) == text and all(0 < len(part.encode("utf-16-le")) <= 40 for part in parts)


def test_typing_is_checked_before_it_begins() -> None:
    quartz = FakeQuartz()
    with pytest.raises(InvalidAction, match=r"'\\x00' cannot be typed"):
        hands_of(MacSystem(FakePyautogui(), quartz)).type_text("abc\0")
    assert quartz.posted == []

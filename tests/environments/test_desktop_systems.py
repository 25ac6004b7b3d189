"""What each system does in its own way: desktop entries, and Windows and macOS against fakes of their libraries."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.actions import Click, Drag, Open, Press, Scroll, Type
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Box, Frame, Point, Size
from environments.desktop_entries import find_application, installed_applications, not_installed, parse_entry
from environments.desktop_eyes import Eyes
from environments.desktop_guard import NoGuard
from environments.desktop_hands import Hands
from environments.desktop_macos import MacSystem, pieces
from environments.desktop_windows import WindowsSystem, _Input
from tests.desktop_for_tests import joined, needs, own_display, until

ENTRY = """# a comment
[Desktop Entry]
Type=Application
Name=Text Editor
Name[de]=Textbearbeitung
GenericName=Editor
Exec=/usr/bin/quill --new "two words" %U --rate=50%% %c
StartupWMClass=Quill
[Desktop Action other]
Name=Nothing
Exec=rm -rf /
"""


# ------------------------------------------------------------------------------------------------------ desktop entries


def test_an_entry_is_read() -> None:
    found = parse_entry(ENTRY, "org.example.quill")
    assert found is not None and found.title == "Text Editor"
    assert found.command == ("/usr/bin/quill", "--new", "two words", "--rate=50%")
    assert found.names == {"text editor", "textbearbeitung", "editor", "org.example.quill"}
    assert found.window_names == {"quill", "org.example.quill"}


@pytest.mark.parametrize("change", ["Type=Link", "Hidden=true", "Exec=", 'Exec="open', "Name="])
def test_what_starts_no_program_is_left_out(change: str) -> None:
    key = change.partition("=")[0]
    lines = [change if line.startswith(f"{key}=") else line for line in ENTRY.splitlines()]
    text = "\n".join(lines) if change in lines else ENTRY.replace("Type=Application", f"Type=Application\n{change}")
    assert parse_entry(text, "quill") is None


@given(st.text() | st.text(st.sampled_from("[]Desktop Entry=\n\\%\"'Exec NameTypeApplication")))
def test_any_text_is_read_or_left_out(text: str) -> None:
    for entry in (text, f"[Desktop Entry]\nType=Application\nName=x\nExec={text}"):
        found = parse_entry(entry, "stem")
        assert found is None or (found.command and all(found.command) and "stem" in found.names)


def test_applications_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    for folder, name, title in (("home", "a", "Mine"), ("shared", "a", "Theirs"), ("shared", "b", "Paint Box")):
        path = tmp_path / folder / "applications" / f"{name}.desktop"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[Desktop Entry]\nType=Application\nName={title}\nExec={name}-program --x\n")
    (tmp_path / "shared" / "applications" / "c.desktop").write_bytes(b"\xff\xfe")
    (tmp_path / "shared" / "applications" / "folder.desktop").mkdir()
    places = {"XDG_DATA_HOME": str(tmp_path / "home"), "XDG_DATA_DIRS": f"{tmp_path / 'shared'}:/nowhere"}
    found = installed_applications(places)
    assert sorted(application.title for application in found) == ["Mine", "Paint Box"]
    for name in ("paint box", " PAINT  BOX ", "b", "pai"):
        application = find_application(name, found)
        assert application is not None and application.title == "Paint Box"
    assert find_application("", found) is None and find_application("theirs", found) is None
    titles = [application.title for application in found]
    assert str(not_installed("PaintBox", titles)) == "no application is called 'PaintBox' here; there is Paint Box"


@needs()
def test_an_application_that_fails_at_once(tmp_path: Path) -> None:
    entry = tmp_path / ".local" / "share" / "applications" / "broken.desktop"
    entry.parent.mkdir(parents=True)
    with own_display(tmp_path) as display, joined(display) as desktop:
        for command, text in (("false", "it ended with status 1"), ("/nowhere", "No such file or directory")):
            entry.write_text(f"[Desktop Entry]\nType=Application\nName=Broken\nExec={command}\n")
            with pytest.raises(InvalidAction, match=f"'Broken' does not start: {text}"):
                desktop.execute(Open(target="broken"))


@needs("mousepad", "galculator")
def test_open_starts_and_then_raises(tmp_path: Path) -> None:
    with own_display(tmp_path) as display, joined(display) as desktop:
        for name in ("mousepad", "galculator", "Mousepad"):
            desktop.execute(Open(target=name))
            until(lambda: desktop.observe().details.get("app", "").lower() == name.lower())  # noqa: B023
        assert len(desktop.system._windows.all()) == 2, "the second time it is raised"
        (line,) = desktop.observe().context
        assert line.startswith("Active window: Untitled 1 - Mousepad at (")
        with pytest.raises(InvalidAction, match="no application is called 'mousepads' here; there is Mousepad"):
            desktop.execute(Open(target="mousepads"))
        with pytest.raises(InvalidAction, match="no application is called 'rm -rf /' here"):
            desktop.execute(Open(target="rm -rf /"))


# --------------------------------------------------------------------------------------------------- Windows and macOS


class FakePyautogui:
    """Keeps what it was asked to do. Knows the keys that the real one knows by these names."""

    known = frozenset({"ctrl", "shift", "win", "command", "option", "enter", "pageup", "c"})

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def isValidKey(self, key: str) -> bool:  # noqa: N802
        return key in self.known

    def getActiveWindow(self) -> Any:  # noqa: N802, ANN401
        return SimpleNamespace(title="Notes", left=-8, top=-8, right=1928, bottom=1048)

    def getWindowsWithTitle(self, _title: str) -> list[Any]:  # noqa: N802
        return []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return lambda *arguments, **options: self.done.append((name, *arguments, *options.items()))


class FakeUser32:
    """SendInput reads the structures back as Windows would, from their bytes."""

    def __init__(self) -> None:
        self.units: list[tuple[int, int]] = []
        self.wheel: list[tuple[int, ...]] = []

    def SendInput(self, count: int, inputs: Any, size: int) -> int:  # noqa: N802, ANN401
        data = bytes(inputs)
        assert size == 40 and len(data) == 40 * count, "the size of INPUT on 64-bit Windows"
        for start in range(0, len(data), 40):
            assert int.from_bytes(data[start : start + 4], "little") == 1
            scan, flags = data[start + 10 : start + 12], data[start + 12 : start + 16]
            self.units.append((int.from_bytes(scan, "little"), int.from_bytes(flags, "little")))
        return count

    def mouse_event(self, *arguments: int) -> None:
        self.wheel.append(arguments)

    def GetAsyncKeyState(self, _code: int) -> int:  # noqa: N802
        return 0


def hands_of(system: Any) -> Hands:  # noqa: ANN401
    return Hands(system.mouse, system.keyboard, NoGuard())


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
    for name in ("cmd /c del", r"C:\evil.exe", "https://example.org"):
        with pytest.raises(InvalidAction, match="no application is called"):
            system.open_app(name)


class FakeQuartz:
    kCGHIDEventTap = kCGWindowListOptionOnScreenOnly = kCGWindowListExcludeDesktopElements = kCGNullWindowID = 0  # noqa: N815

    def __init__(self) -> None:
        self.posted: list[tuple[bool, int, str]] = []

    def CGEventCreateKeyboardEvent(self, _source: None, _key: int, down: bool) -> dict[str, Any]:  # noqa: N802
        return {"down": down}

    def CGEventKeyboardSetUnicodeString(self, event: dict[str, Any], units: int, text: str) -> None:  # noqa: N802
        event |= {"units": units, "text": text}

    def CGEventPost(self, _tap: int, event: dict[str, Any]) -> None:  # noqa: N802
        self.posted.append((event["down"], event["units"], event["text"]))

    def CGWindowListCopyWindowInfo(self, _options: int, _window: int) -> list[dict[str, Any]]:  # noqa: N802
        bounds = {"X": 10.0, "Y": 38.0, "Width": 500.0, "Height": 300.0}
        return [
            {"kCGWindowLayer": 25, "kCGWindowOwnerName": "Menu"},
            {"kCGWindowLayer": 0, "kCGWindowOwnerName": "TextEdit", "kCGWindowBounds": bounds},
        ]


def test_a_mac_types_in_pieces_and_clicks_by_count() -> None:
    driver, quartz = FakePyautogui(), FakeQuartz()
    system = MacSystem(driver, quartz)
    hands = hands_of(system)
    hands.type_text("é🙂" * 9)
    assert [text for down, _, text in quartz.posted if down] == ["é🙂" * 6 + "é", "🙂é🙂é🙂"]
    assert all(units <= 20 for _, units, _ in quartz.posted)
    retina = Frame(Size(2880, 1800), Size(2880, 1800), device_scale=2.0, origin=Point(-1440, 0))
    hands.point(Click(point=Point(2879, 1), count=2), retina)
    assert driver.done[-1] == ("doubleClick", -1, 0, ("interval", 0.03), ("button", "left"))
    hands.point(Drag(start=Point(0, 0), end=Point(40, 40), seconds=0), retina)
    assert ("dragTo", -1420, 20, ("duration", 0), ("button", "left"), ("mouseDownUp", False)) in driver.done
    hands.press(Press(keys=("meta", "c")))
    assert [call[:2] for call in driver.done[-4:]] == [
        ("keyDown", "command"),
        ("keyDown", "c"),
        ("keyUp", "c"),
        ("keyUp", "command"),
    ]
    with pytest.raises(UnsupportedAction, match="this desktop has no key 'recents'"):
        hands.press(Press(keys=("ctrl", "recents", "c")))
    assert driver.done[-1] == ("keyUp", "ctrl"), "what was down is up again"
    window = system.active_window()
    assert window is not None and (window.app, window.box) == ("TextEdit", Box(10, 38, 510, 338))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_pieces_put_together_are_the_text(text: str) -> None:
    parts = list(pieces(text, 20))
    assert "".join(parts) == text and all(0 < len(part.encode("utf-16-le")) <= 40 for part in parts)


def test_the_structure_of_windows_has_its_size() -> None:
    assert ctypes.sizeof(_Input) == 40


# ------------------------------------------------------------------------------------------------------------- the eyes


class FakeScreens:
    """mss on a Mac with a Retina screen and, to its left, an ordinary one; `script` changes what it says next."""

    def __init__(self) -> None:
        self.failures = 0
        self.monitors: list[dict[str, Any]] = [
            {"left": -1280, "top": -100, "width": 2720, "height": 1000},
            {"left": 0, "top": 0, "width": 1440, "height": 900, "is_primary": True},
            {"left": -1280, "top": -100, "width": 1280, "height": 720},
        ]

    @contextmanager
    def __call__(self) -> Iterator["FakeScreens"]:
        yield self

    def grab(self, monitor: dict[str, Any]) -> Any:  # noqa: ANN401
        from mss.exception import ScreenShotError

        if self.failures:
            self.failures -= 1
            raise ScreenShotError("the monitor\nis changing")
        scale = 2 if monitor.get("is_primary") else 1
        size = (monitor["width"] * scale, monitor["height"] * scale)
        return SimpleNamespace(size=size, bgra=b"\0" * (4 * size[0] * size[1]))


@pytest.mark.parametrize(
    ("monitor", "frame"),
    [
        (None, Frame(Size(2880, 1800), Size(2880, 1800), 2.0, Point(0, 0))),
        (2, Frame(Size(1280, 720), Size(1280, 720), 1.0, Point(-1280, -100))),
        (0, Frame(Size(2720, 1000), Size(2720, 1000), 1.0, Point(-1280, -100))),
    ],
)
def test_frames_of_hidpi_screens_and_negative_origins(monitor: int | None, frame: Frame) -> None:
    shot = Eyes(FakeScreens(), monitor).shot()
    assert shot.frame == frame and Size(*shot.image.size) == frame.screen
    assert {(-1280, -100), (1439, 899), (0, 0), (-1, 619)} <= shot.corners


def test_a_screenshot_that_fails_is_taken_again_and_then_an_error() -> None:
    screens = FakeScreens()
    eyes = Eyes(screens, None)
    screens.failures = 2
    assert eyes.shot().frame.device_scale == 2.0
    screens.failures = 99
    with pytest.raises(DeviceError, match="the screen cannot be read: the monitor is changing"):
        eyes.shot()


def test_a_monitor_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no monitor 3: give --monitor 1 to 2, or all"):
        Eyes(FakeScreens(), 3)
    screens = FakeScreens()
    eyes = Eyes(screens, 2)
    del screens.monitors[2]
    with pytest.raises(DeviceError, match="there is no monitor 2"):
        eyes.area()


def test_typing_is_checked_before_it_begins() -> None:
    driver = FakePyautogui()
    hands = hands_of(MacSystem(driver, FakeQuartz()))
    with pytest.raises(InvalidAction, match=r"'\\x00' cannot be typed"):
        hands.type_text(Type(text="abc\0").text)
    assert driver.done == []

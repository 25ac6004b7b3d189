"""Applications by their desktop entries, and the eyes against a fake of mss."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mss.exception import ScreenShotError

from action_space.actions import Open
from action_space.errors import ConfigError, DeviceError, InvalidAction
from action_space.geometry import Frame, Point, Size
from environments.desktop_entries import find_application, installed_applications, not_installed, parse_entry
from environments.desktop_eyes import Eyes
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
    with pytest.raises(DeviceError, match=r"the screen cannot be read \(the monitor is changing\): .*--resume"):
        eyes.shot()


def test_a_monitor_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no monitor 3: give --monitor 1 to 2, or all"):
        Eyes(FakeScreens(), 3)
    screens = FakeScreens()
    eyes = Eyes(screens, 2)
    del screens.monitors[2]
    with pytest.raises(DeviceError, match="there is no monitor 2"):
        eyes.area()

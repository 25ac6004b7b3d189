"""Whole episodes on real programs: a script acts through the ordinary loop, and the programs say what became of it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import agent
from action_space.actions import Action, Button, Click, Drag, Finish, Move, Press, Type
from action_space.dialects import load_dialect
from action_space.geometry import Box, Frame, Point, Size, smart_resize
from agent.trajectory import Trajectory
from environments.desktop_virtual import VirtualDisplay
from evals.online.accessibility import Accessibility, Widget
from tests.desktop_for_tests import joined, needs, own_display, resize, two_monitors, until
from vlm.backends.base import Reply
from vlm.backends.scripted import ScriptedModel

pytestmark = needs("mousepad", "galculator", "dbus-daemon", "/usr/libexec/at-spi-bus-launcher")
TEXT = "Hello <tag> & 'quotes'\nשלום, 漢字かな, 한국어\tend 🙂 ÄÖÜß €"
Step = Action | Callable[[], Action]


class Script(ScriptedModel):
    """Says each action when it is asked for it. A step that is a function waits until it makes sense first."""

    def __init__(self, steps: Sequence[Step], screen: Size) -> None:
        super().__init__([])
        self._steps = iter(steps)
        self._screen = screen

    def generate(self, *_: object, **__: object) -> Reply:
        step = next(self._steps)
        action = step() if callable(step) else step
        dialect = load_dialect(self.dialect)
        model = smart_resize(self._screen, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
        return Reply(text=dialect.render(action, Frame(model, self._screen)), tokens_in=0, tokens_out=0)


class Desk:
    """A display with a desktop on it, and what its programs say of themselves."""

    def __init__(self, display: VirtualDisplay, folder: Path) -> None:
        self.display = display
        self.folder = folder
        self.programs = Accessibility(display.variables["DBUS_SESSION_BUS_ADDRESS"])

    def play(self, *steps: Step, app: str = "", monitor: str = "") -> Trajectory:
        """Run a script to its end; it has to succeed."""
        with joined(self.display, monitor=monitor) as desktop:
            if app:
                desktop.system.open_app(app)
            script = Script([*steps, Finish(status="success")], desktop.observe().frame.screen)
            trajectory = agent.run(
                "the script's", env=desktop, model=script, out=self.folder / "run", confirm="none", max_steps=40
            )
            assert not desktop.system.is_in_use()
        assert trajectory.reason == "success", trajectory.outcome
        return trajectory

    def box(self, program: str, role: str, name: str | None = None) -> Box:
        """Where a widget is, once it is on the screen."""

        return self.programs.box(self.programs.wait_for(program, role, name, within_s=60))

    def click(self, program: str, role: str, name: str | None = None, button: Button = "left") -> Callable[[], Action]:
        return lambda: Click(point=self.box(program, role, name).center, button=button)

    def when(self, program: str, role: str, name: str | None, action: Action) -> Callable[[], Action]:
        """The action, as soon as something is on the screen."""
        return lambda: (self.box(program, role, name), action)[1]

    def page(self) -> Widget:
        return self.programs.wait_for("mousepad", "text")

    def text(self) -> str:
        return self.programs.text(self.page())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with own_display(tmp_path / "home") as display:
        yield Desk(display, tmp_path)


def calculator(desk: Desk, keys: str) -> list[Step]:
    return [desk.click("galculator", "toggle button", key) for key in keys]


def shown_number(desk: Desk) -> str:
    return desk.programs.text(desk.programs.wait_for("galculator", "text")).strip()


def test_seven_times_six_on_a_calculator(desk: Desk) -> None:
    trajectory = desk.play(*calculator(desk, "7*6="), app="galculator")
    until(lambda: shown_number(desk).startswith("42"))
    assert [step.effect for step in trajectory.steps[:4]] == ["near"] * 4
    assert trajectory.steps[0].details["app"].lower() == "galculator"
    assert trajectory.steps[0].context[0].startswith("Active window: galculator at (")


def test_a_text_is_typed_and_saved_with_the_keyboard(desk: Desk) -> None:
    path = desk.folder / "säved <1>.txt"
    desk.play(
        desk.when("mousepad", "text", None, Type(text=TEXT)),
        Press(keys=("ctrl", "s")),
        desk.when("mousepad", "file chooser", "Save As", Press(keys=("ctrl", "a"))),
        Type(text=f"{path}\n"),
        app="mousepad",
    )
    assert until(lambda: path.exists() and path.read_text("utf-8")).rstrip("\n") == TEXT


def line_of(desk: Desk, from_x: int, to_x: int) -> tuple[Point, Point]:
    """Two places on the first line of the editor, counted from its left end."""
    box = desk.box("mousepad", "text")
    return Point(box.left + from_x, box.top + 12), Point(box.left + to_x, box.top + 12)


def test_a_drag_selects_text(desk: Desk) -> None:
    def drag() -> Action:
        start, end = line_of(desk, 1, 400)
        return Drag(start=start, end=end)

    desk.play(
        desk.when("mousepad", "text", None, Type(text="drag over me")),
        lambda: Move(point=line_of(desk, 1, 400)[0]),
        drag,
        Type(text="gone"),
        app="mousepad",
    )
    assert until(lambda: desk.text() != "drag over me" and desk.text()) == "gone"


def test_drag_and_drop_of_text(desk: Desk) -> None:
    """A word is selected by a double click and dragged behind the others, as a person does."""
    desk.play(
        desk.when("mousepad", "text", None, Type(text="alpha beta gamma ")),
        lambda: Click(point=line_of(desk, 10, 400)[0], count=2),
        lambda: Move(point=line_of(desk, 10, 400)[0]),
        lambda: Drag(start=line_of(desk, 10, 400)[0], end=line_of(desk, 10, 400)[1], seconds=1),
        app="mousepad",
    )
    assert until(lambda: desk.text() != "alpha beta gamma " and desk.text()) == " beta gamma alpha"


def test_a_context_menu(desk: Desk) -> None:
    desk.play(
        desk.when("mousepad", "text", None, Type(text="everything")),
        desk.click("mousepad", "text", button="right"),
        desk.click("mousepad", "menu item", "Select All"),
        Type(text="new"),
        app="mousepad",
    )
    assert until(lambda: desk.text() != "everything" and desk.text()) == "new"


def test_a_dialog_is_answered(desk: Desk) -> None:
    desk.play(
        desk.when("mousepad", "text", None, Type(text="nobody needs this")),
        Press(keys=("ctrl", "q")),
        desk.click("mousepad", "push button", "Don't Save"),
        app="mousepad",
    )
    until(lambda: not desk.programs.widgets("mousepad"))


@needs("xrandr")
def test_a_window_is_moved_to_the_second_monitor_and_used_there(desk: Desk) -> None:
    two_monitors(desk.display)

    def title() -> Point:
        frame = desk.box("galculator", "frame")
        return Point(frame.left + 100, frame.top + 8)

    desk.play(
        lambda: Move(point=title()),
        lambda: Drag(start=title(), end=Point(605, 180), seconds=0.5),
        app="galculator",
        monitor="all",
    )
    assert desk.box("galculator", "toggle button", "7").left >= 500
    desk.folder = desk.folder / "second"
    # The = button is beyond the edge of the screen there.
    keys: list[Step] = [*map(_on_second, calculator(desk, "9*9")), Press(keys=("enter",))]
    frame = desk.play(*keys, monitor="2").steps[0].frame
    assert (frame.origin, frame.screen) == (Point(500, 150), Size(300, 400))
    until(lambda: shown_number(desk).startswith("81"))


def _on_second(step: Step) -> Callable[[], Action]:
    """A click on the whole desktop in the second monitor's own pixels."""

    def click() -> Action:
        action = step() if callable(step) else step
        assert isinstance(action, Click)
        return Click(point=Point(action.point.x - 500, action.point.y - 150))

    return click


@needs("xrandr")
def test_the_resolution_changes_in_the_middle_of_a_run(desk: Desk) -> None:
    def shrink() -> Action:
        """The screen changes while the model is thinking about the old picture."""
        action = desk.click("galculator", "toggle button", "4")()
        resize(desk.display, 700, 500)
        return action

    trajectory = desk.play(
        *calculator(desk, "12"), shrink, *(_scaled(step) for step in calculator(desk, "3=")), app="galculator"
    )
    sizes = [str(step.frame.screen) for step in trajectory.steps]
    assert sizes == ["800x600"] * 3 + ["700x500"] * 3
    error = trajectory.steps[2].error
    assert error is not None and error.text.endswith("from 800x600 to 700x500: look again")
    until(lambda: shown_number(desk).startswith("123"))


def _scaled(step: Step) -> Callable[[], Action]:
    """The script renders for 800x600; a model would see the new size."""

    def click() -> Action:
        action = step() if callable(step) else step
        assert isinstance(action, Click)
        dialect = load_dialect(ScriptedModel.dialect)
        new, old = (
            Frame(smart_resize(size, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels), size)
            for size in (Size(700, 500), Size(800, 600))
        )
        return Click(point=old.to_screen(new.to_model(action.point)))

    return click

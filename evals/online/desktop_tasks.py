"""Small tasks on real programs of a Linux desktop, drawn from a seed, and the programs' own word on what was done.

The same seed gives the same task. Only what the task names may be changed: everything else has to stay as it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import ClassVar, Protocol

from action_space.actions import Press, Type
from action_space.errors import DeviceError
from action_space.geometry import Size
from environments.desktop import DesktopEnvironment
from environments.desktop_virtual import VirtualDisplay
from evals.online.accessibility import Accessibility, until

SIZE = Size(1280, 720)
_COMES_S = 60.0
_SHOWS_S = 5.0
_TICKS = (
    "Show line numbers",
    "Display whitespace",
    "Display line endings",
    "Highlight current line",
    "Highlight matching brackets",
    "Wrap long lines",
)
_CHOICES = (
    ("View", "Scientific Mode", "toggle button", "cos"),
    ("View", "Paper Mode", "push button", "Enter"),
    ("Help", "About", "dialog", "About galculator"),
)
_ANSWERS = ("Cancel", "Don't Save")
_SUMS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}


@dataclass(frozen=True, slots=True)
class Stage:
    """A desktop to work on. programs: what they say of themselves, which the agent is not told."""

    desktop: DesktopEnvironment
    programs: Accessibility


class DesktopTask(Protocol):
    """words: what the agent is told. program: where it is to be done."""

    @property
    def program(self) -> str: ...

    @property
    def words(self) -> str: ...

    def prepare(self, stage: Stage) -> None:
        """Bring the programs to where the task begins. Raises DeviceError."""

    def mistakes(self, stage: Stage) -> list[str]:
        """What is not as it should be; [] when the task was done."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Buttons of a calculator."""

    program: ClassVar[str] = "galculator"
    first: int
    sign: str
    second: int

    @property
    def words(self) -> str:
        return f'Press "{self.first}", press "{self.sign}", press "{self.second}" and press "=".'

    def prepare(self, stage: Stage) -> None:
        stage.desktop.system.open_app("galculator")
        stage.programs.wait_for("galculator", "toggle button", "=", within_s=_COMES_S)

    def mistakes(self, stage: Stage) -> list[str]:
        wanted = str(_SUMS[self.sign](self.first, self.second))
        display = stage.programs.find("galculator", "text")
        shown = stage.programs.text(display).split() if display is not None else []
        return [] if shown[:1] == [wanted] else [f"the calculator shows {' '.join(shown)!r}, not {wanted!r}"]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Check boxes in the settings of an editor."""

    program: ClassVar[str] = "mousepad"
    labels: tuple[str, ...]

    @property
    def words(self) -> str:
        first, *others = self.labels
        return f'Tick "{first}"' + "".join(f' and tick "{label}"' for label in others) + "."

    def prepare(self, stage: Stage) -> None:
        stage.desktop.system.open_app("org.xfce.mousepad-settings")
        stage.programs.wait_for("mousepad", "check box", _TICKS[0], within_s=_COMES_S)

    def mistakes(self, stage: Stage) -> list[str]:
        boxes = [widget for widget in stage.programs.widgets("mousepad") if widget.role == "check box"]
        ticked = {box.name for box in boxes if stage.programs.is_in_state(box, "checked")}
        # In an empty home none of those that a task can name is ticked.
        wrong = (ticked & set(_TICKS)) ^ set(self.labels)
        return [f"{label!r} is {'ticked' if label in ticked else 'not ticked'}" for label in sorted(wrong)]


@dataclass(frozen=True, slots=True)
class Question:
    """The question of an editor that is closed with unsaved text."""

    program: ClassVar[str] = "mousepad"
    answer: str

    @property
    def words(self) -> str:
        return f'Click "{self.answer}".'

    def prepare(self, stage: Stage) -> None:
        stage.desktop.system.open_app("mousepad")
        page = stage.programs.wait_for("mousepad", "text", within_s=_COMES_S)
        until(lambda: stage.programs.is_in_state(page, "focused") or None, "the editor's focus", _COMES_S)
        stage.desktop.execute(Type(text="not saved yet"))
        stage.desktop.execute(Press(keys=("ctrl", "q")))
        stage.programs.wait_for("mousepad", "push button", self.answer, within_s=_COMES_S)

    def mistakes(self, stage: Stage) -> list[str]:
        if stage.programs.find("mousepad", "push button", self.answer) is not None:
            return ["the question is still there"]
        is_open = stage.programs.find("mousepad", "frame") is not None
        return [] if is_open == (self.answer == "Cancel") else ["another answer was given"]


@dataclass(frozen=True, slots=True)
class Choice:
    """An item of a calculator's menu. role, name: of a widget that is there once it was chosen, and not before."""

    program: ClassVar[str] = "galculator"
    menu: str
    item: str
    role: str
    name: str

    @property
    def words(self) -> str:
        return f'Click "{self.menu}" and click "{self.item}".'

    def prepare(self, stage: Stage) -> None:
        stage.desktop.system.open_app("galculator")
        stage.programs.wait_for("galculator", "menu", self.menu, within_s=_COMES_S)

    def mistakes(self, stage: Stage) -> list[str]:
        is_there = stage.programs.find("galculator", self.role, self.name) is not None
        return [] if is_there else [f"{self.item!r} was not chosen"]


_KINDS: tuple[Callable[[Random], DesktopTask], ...] = (
    lambda rng: Sum(rng.randint(1, 9), rng.choice("+-*"), rng.randint(1, 9)),
    lambda rng: Ticks(tuple(rng.sample(_TICKS, rng.choice((1, 2))))),
    lambda rng: Choice(*rng.choice(_CHOICES)),
    lambda rng: Question(rng.choice(_ANSWERS)),
)


def draw_task(seed: int) -> DesktopTask:
    """The task of a seed; the kinds take turns."""
    return _KINDS[seed % len(_KINDS)](Random(f"desktop {seed}"))


def verdict(task: DesktopTask, stage: Stage) -> list[str]:
    """The mistakes once the programs have caught up with what was done; [] when the task was done."""
    try:
        until(lambda: None if task.mistakes(stage) else True, "the end of the task", _SHOWS_S)
    except DeviceError:
        return task.mistakes(stage)
    return []


@contextmanager
def stage_for(task: DesktopTask) -> Iterator[Stage]:
    """A virtual display with an empty home, where the task can begin. Raises ConfigError, DeviceError."""
    # The settings' daemon may still write when its display is gone.
    with TemporaryDirectory(prefix="clickwright-", ignore_cleanup_errors=True) as home:
        places = {"HOME": home, "XDG_CONFIG_HOME": str(Path(home) / ".config"), "LANG": "C.UTF-8"}
        # Settings go to a file in that home, not into the person's own.
        places |= {"GSETTINGS_BACKEND": "keyfile", "LANGUAGE": "C"}
        with (
            VirtualDisplay(SIZE, places) as display,
            Accessibility(display.variables["DBUS_SESSION_BUS_ADDRESS"]) as programs,
            DesktopEnvironment(display.name, variables=display.variables) as desktop,
        ):
            stage = Stage(desktop, programs)
            task.prepare(stage)
            yield stage

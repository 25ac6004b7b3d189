"""What a person sees in the terminal during a run, and how it asks back: all on stderr, stdout is for results."""

import sys

from rich.console import Console
from rich.markup import escape

from agent.describe import describe
from agent.policy import Person
from agent.trajectory import REPORT, Step, Trajectory

EFFECTS = {
    "near": "changed here",
    "elsewhere": "changed elsewhere",
    "reached": "was so already",
    "none": "nothing changed",
    None: "",
}
_GOOD = "green"
_BAD = "red"


class Terminal:
    """Prints one line per step, and one at the end."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def step(self, step: Step) -> None:
        """`  3  click the "Send" button · click (412, 233) · changed here · 1.8 s`."""
        done = describe(step.action) if step.action is not None else "no action"
        parts = [_one_line(step.plan), f"[bold]{escape(done)}[/]", _effect(step), f"[dim]{step.seconds:.1f} s[/]"]
        self._console.print(f"[cyan]{step.number:3d}[/]  " + " [dim]·[/] ".join(part for part in parts if part))

    def stopping(self) -> None:
        """The person pressed Ctrl-C while the device was busy."""
        self._console.print("[yellow]stopping once the device is done; Ctrl-C again ends it at once[/]")

    def end(self, trajectory: Trajectory) -> None:
        """How it went, and where to read about it."""
        colour = _GOOD if trajectory.reason == "success" else _BAD
        said = trajectory.outcome.text if trajectory.outcome else ""
        text = f": {escape(said)}" if said else ""
        counts = f"{len(trajectory.steps)} steps, {trajectory.seconds:.1f} s"
        self._console.print(f"[bold {colour}]{trajectory.reason}[/]{text} [dim]({counts})[/]")
        self._console.print(f"[dim]report:[/] {escape(str(trajectory.folder / REPORT))}")


def person_at_terminal() -> Person | None:
    """Asks on stderr and reads stdin, if both are a terminal; otherwise nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask


def _ask(question: str) -> str:
    Console(stderr=True, highlight=False).print(f"[bold yellow]?[/] {escape(question)} ", end="")
    # Not input(): its prompt and line editing write to stdout, which is for results.
    return sys.stdin.readline().strip()


def _effect(step: Step) -> str:
    if step.error is not None:
        return f"[{_BAD}]{_one_line(step.error.text, 160)}[/]"
    if step.effect == "none":
        return f"[yellow]{EFFECTS['none']}[/]"
    return EFFECTS[step.effect]


def _one_line(text: str, limit: int = 100) -> str:
    joined = " ".join(text.split())
    return escape(joined if len(joined) <= limit else joined[: limit - 1] + "…")

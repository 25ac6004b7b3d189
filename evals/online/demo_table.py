"""What every demo shares: its options, one attempt for each seed, and the success table.

A demo brings `attempt`: draw the task of a seed, let the agent work on it, and ask whatever the task was about (the
page, the device) whether it was done. Exit status: 0 if every seed's was, otherwise as `agent run`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from action_space.errors import ClickwrightError, ConfigError
from agent.cli import EXIT_CODES, exit_code_of
from agent.interrupt import INTERRUPTED_EXIT
from agent.models import SpokenModel, load_model
from agent.results import give_result, results_only
from agent.trajectory import REPORT, Trajectory
from evals.intervals import wilson

MAX_STEPS = 24


@dataclass(frozen=True, slots=True)
class Attempt:
    """One task. done and mistakes: the verdict. reason: why the agent stopped, which decides nothing here.

    program: the one that the task was about, "" where there is only one.
    """

    seed: int
    task: str
    done: bool
    mistakes: tuple[str, ...]
    reason: str
    steps: int
    seconds: float
    run: str
    report: str
    program: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What an attempt is made with. folder: of the run. console: for people."""

    seed: int
    model: SpokenModel
    folder: Path
    options: argparse.Namespace
    console: Console


Try = Callable[[Job], Attempt]


@dataclass(frozen=True, slots=True)
class Demo:
    """name: in front of errors and in folders. judge: one word for who says whether it was done ("page")."""

    name: str
    judge: str
    attempt: Try


def attempt_of(
    job: Job, task: str, trajectory: Trajectory, mistakes: Sequence[str], *, done: bool, program: str = ""
) -> Attempt:
    """What a run and the verdict on it amount to."""
    return Attempt(
        seed=job.seed,
        task=task,
        done=done,
        mistakes=tuple(mistakes),
        reason=trajectory.reason,
        steps=len(trajectory.steps),
        seconds=round(trajectory.seconds, 1),
        run=str(trajectory.folder),
        report=str(trajectory.folder / REPORT),
        program=program,
    )


def demo_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The options that every demo has; a demo may add its own. Read them with `read_seeds`."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, metavar="N", help="which task (default 0)")
    seeds.add_argument("--seeds", type=seed_range, metavar="A-B", help="several tasks, and a success table")
    parser.add_argument("--model", default="bundled", metavar="SPEC", help="as in `agent run` (default: bundled)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the runs go (default: a new folder in runs)")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS, metavar="N", help=f"default {MAX_STEPS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return parser


def read_seeds(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed options; `seeds` is always a range."""
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or range(options.seed or 0, (options.seed or 0) + 1)
    return options


def seed_range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds; valid: 0-9")
    return range(int(first), int(last) + 1)


def run_demo(demo: Demo, options: argparse.Namespace) -> int:
    """Every seed, then the table. Returns the exit status."""
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give:
            attempts = attempt_all(demo, options, console)
            if len(attempts) > 1:
                show_table(demo, attempts, console)
            if options.json:
                give(summary(attempts))
        return exit_code(attempts)
    except ClickwrightError as error:
        text = " ".join(str(error).split())
        print(f"{demo.name}: {text}", file=sys.stderr)
        if options.json:
            give_result({"error": {"kind": type(error).__name__, "text": text}, "exit_code": exit_code_of(error)})
        return exit_code_of(error)
    except KeyboardInterrupt:
        # Between two runs; a run that is interrupted ends in the table.
        print(f"{demo.name}: interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT


def attempt_all(demo: Demo, options: argparse.Namespace, console: Console) -> list[Attempt]:
    folder = options.out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{demo.name}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{str(folder)!r} exists and is not an empty folder: choose another with --out")
    model = load_model(options.model)
    attempts: list[Attempt] = []
    for seed in options.seeds:
        attempts.append(demo.attempt(Job(seed, model, folder / f"seed-{seed}", options, console)))
        show_attempt(demo, attempts[-1], console)
        if attempts[-1].reason == "interrupted":
            break
    return attempts


def show_attempt(demo: Demo, tried: Attempt, console: Console) -> None:
    said = "[bold green]done[/]" if tried.done else f"[bold red]not done[/] ({escape('; '.join(tried.mistakes))})"
    console.print(f"[bold]{f'{demo.judge.capitalize()} says':<13}[/]{said}")
    console.print(f"[bold]Agent[/]        stopped with {tried.reason!r} after {tried.steps} steps, {tried.seconds} s")
    console.print(f"[bold]Run[/]          {escape(tried.run)}\n[bold]Report[/]       {escape(tried.report)}")


def show_table(demo: Demo, attempts: Sequence[Attempt], console: Console) -> None:
    table = Table("seed", f"the {demo.judge} says", "the agent stopped with", "steps", "seconds", "task")
    for tried in attempts:
        said = "[green]done[/]" if tried.done else "[red]not done[/]"
        table.add_row(str(tried.seed), said, tried.reason, str(tried.steps), str(tried.seconds), escape(tried.task))
    console.print()
    console.print(table)
    low, high = wilson(done := sum(tried.done for tried in attempts), len(attempts))
    console.print(f"{done} of {len(attempts)} done, 95 % interval {low:.0%} to {high:.0%} (Wilson)")
    for program, (done, of) in by_program(attempts).items():
        console.print(f"  {program}: {done} of {of}")


def by_program(attempts: Sequence[Attempt]) -> dict[str, tuple[int, int]]:
    """How many of how many were done in each program; empty where there is only one."""
    names = sorted({tried.program for tried in attempts} - {""})
    done = {name: [tried.done for tried in attempts if tried.program == name] for name in names}
    return {name: (sum(verdicts), len(verdicts)) for name, verdicts in done.items()}


def summary(attempts: Sequence[Attempt]) -> dict[str, object]:
    done = sum(tried.done for tried in attempts)
    return {
        "done": done,
        "of": len(attempts),
        "interval_95": [round(end, 4) for end in wilson(done, len(attempts))],
        "programs": {name: {"done": done, "of": of} for name, (done, of) in by_program(attempts).items()},
        "attempts": [asdict(tried) for tried in attempts],
    }


def exit_code(attempts: Sequence[Attempt]) -> int:
    """0 if every task was done; else what stopped the first one that was not, but never 0."""
    failed = [tried for tried in attempts if not tried.done]
    return max(1, EXIT_CODES.get(failed[0].reason, 1)) if failed else 0

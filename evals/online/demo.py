"""The main job, shown: a form in a real browser, a task in plain words, and the page's own word on whether it was done.

    python -m evals.online.demo [--seed N | --seeds A-B] [--headed] [--model SPEC] [--out DIR] [--max-steps N] [--json]

Everything goes the way of `agent run`; nothing there knows more about the task than its words. Exit status: 0 if the
page (with --seeds: every page) says that the task was done, 1 if not, otherwise as `agent run`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import agent
from action_space.errors import ClickwrightError, ConfigError
from agent.cli import EXIT_CODES, exit_code_of
from agent.models import SpokenModel, load_model
from agent.results import give_result, results_only
from agent.terminal import Terminal
from agent.trajectory import REPORT
from evals.intervals import wilson
from evals.online.forms import draw_form
from evals.online.server import serve

MAX_STEPS = 24


@dataclass(frozen=True, slots=True)
class Attempt:
    """One page. done and mistakes: the page's verdict. reason: why the agent stopped, which decides nothing here."""

    seed: int
    task: str
    done: bool
    mistakes: tuple[str, ...]
    reason: str
    steps: int
    seconds: float
    run: str
    report: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    options = read_options(arguments)
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give:
            attempts = attempt_all(options, console)
            if len(attempts) > 1:
                show_table(attempts, console)
            if options.json:
                give(summary(attempts))
        return exit_code(attempts)
    except ClickwrightError as error:
        text = " ".join(str(error).split())
        print(f"demo: {text}", file=sys.stderr)
        if options.json:
            give_result({"error": {"kind": type(error).__name__, "text": text}, "exit_code": exit_code_of(error)})
        return exit_code_of(error)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="A model fills a form in a real browser.")
    pages = parser.add_mutually_exclusive_group()
    pages.add_argument("--seed", type=int, metavar="N", help="which page (default 0)")
    pages.add_argument("--seeds", type=seed_range, metavar="A-B", help="several pages, and a success table")
    parser.add_argument("--model", default="bundled", metavar="SPEC", help="as in `agent run` (default: bundled)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the runs go (default: a new folder in runs)")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS, metavar="N", help=f"default {MAX_STEPS}")
    parser.add_argument("--headed", action="store_true", help="show the browser's window")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or range(options.seed or 0, (options.seed or 0) + 1)
    return options


def seed_range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds; valid: 0-9")
    return range(int(first), int(last) + 1)


def attempt_all(options: argparse.Namespace, console: Console) -> list[Attempt]:
    folder = options.out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-demo"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{str(folder)!r} exists and is not an empty folder: choose another with --out")
    model = load_model(options.model)
    attempts: list[Attempt] = []
    for seed in options.seeds:
        attempts.append(attempt(seed, model, folder / f"seed-{seed}", options, console))
        if attempts[-1].reason == "interrupted":
            break
    return attempts


def attempt(seed: int, model: SpokenModel, folder: Path, options: argparse.Namespace, console: Console) -> Attempt:
    """Let the agent work on one page, and ask the page."""
    form = draw_form(seed)
    with serve(form) as page:
        console.print(f"\n[bold]Page {seed}[/] [dim]{page.url}[/]\n[bold]Task[/]   {escape(form.task)}")
        trajectory = agent.run(
            form.task,
            model=model,
            url=page.url,
            out=folder,
            watch=Terminal().step,
            headed=options.headed,
            max_steps=options.max_steps,
            confirm="none",  # the page is ours: nothing is sold or deleted
        )
        verdict = page.verdict()
    tried = Attempt(
        seed=seed,
        task=form.task,
        done=verdict.done,
        mistakes=verdict.mistakes,
        reason=trajectory.reason,
        steps=len(trajectory.steps),
        seconds=round(trajectory.seconds, 1),
        run=str(trajectory.folder),
        report=str(trajectory.folder / REPORT),
    )
    show_attempt(tried, console)
    return tried


def show_attempt(tried: Attempt, console: Console) -> None:
    said = "[bold green]done[/]" if tried.done else f"[bold red]not done[/] ({escape('; '.join(tried.mistakes))})"
    console.print(f"[bold]Page says[/]  {said}")
    console.print(f"[bold]Agent[/]      stopped with {tried.reason!r} after {tried.steps} steps, {tried.seconds} s")
    console.print(f"[bold]Run[/]        {escape(tried.run)}\n[bold]Report[/]     {escape(tried.report)}")


def show_table(attempts: Sequence[Attempt], console: Console) -> None:
    table = Table("page", "the page says", "the agent stopped with", "steps", "seconds", "task")
    for tried in attempts:
        said = "[green]done[/]" if tried.done else "[red]not done[/]"
        table.add_row(str(tried.seed), said, tried.reason, str(tried.steps), str(tried.seconds), escape(tried.task))
    console.print()
    console.print(table)
    low, high = wilson(done := sum(tried.done for tried in attempts), len(attempts))
    console.print(f"{done} of {len(attempts)} done, 95 % interval {low:.0%} to {high:.0%} (Wilson)")


def summary(attempts: Sequence[Attempt]) -> dict[str, object]:
    done = sum(tried.done for tried in attempts)
    return {
        "done": done,
        "of": len(attempts),
        "interval_95": [round(end, 4) for end in wilson(done, len(attempts))],
        "attempts": [asdict(tried) for tried in attempts],
    }


def exit_code(attempts: Sequence[Attempt]) -> int:
    """0 if every page is content; else what stopped the first one that is not, but never 0."""
    failed = [tried for tried in attempts if not tried.done]
    return max(1, EXIT_CODES.get(failed[0].reason, 1)) if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What an evaluation prints: protocols side by side with their baselines, and what was left out."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from evals.benchmarks.reading import Broken
from evals.scoring import Comparison, Result

SHOWN = 20
"""Problems that are printed; the JSON has them all."""

LONGEST_LABEL = 36

WIDE = 140
"""Columns where stdout is no terminal, so that nothing is cut."""


def results_console(*, stderr: bool = False) -> Console:
    """Where tables go."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def notes_console() -> Console:
    """Where everything else goes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def tell_left_out(notes: Console, title: str, broken: Sequence[Broken]) -> None:
    """Name what could not be used, each with its place."""
    if broken:
        notes.print(f"{len(broken)} {title} left out:")
    for each in broken[:SHOWN]:
        notes.print(f"  {escape(each.where)}: {escape(each.why)}")
    if len(broken) > SHOWN:
        notes.print(f"  and {len(broken) - SHOWN} more; the JSON has them all")


def tell_warnings(notes: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        notes.print(f"warning: {escape(warning)}")


def protocol_table(title: str, comparisons: Sequence[Comparison]) -> Table:
    """A row for each rule: score, interval, n, baselines."""
    blind = list(comparisons[0].baselines)
    heads = [Column(head, no_wrap=True) for head in ("protocol", "score", "95 % interval", "n", *blind)]
    table = Table(*heads, title=escape(title), box=SIMPLE_HEAD)
    for comparison in comparisons:
        table.add_row(
            f"{comparison.rule.name} {comparison.rule.version}",
            percent(comparison.model.value),
            interval(comparison.model),
            str(comparison.model.n),
            *(percent(comparison.baselines[name].value) for name in blind),
        )
    return table


def group_table(result: Result) -> Table:
    """A rule's breakdown: plain means."""
    table = Table("group", "score", "n", box=SIMPLE_HEAD)
    for name, (mean, count) in result.groups.items():
        table.add_row(escape(name), percent(mean), str(count))
    return table


def beside_the_model(took_s: float, model_s: float) -> str:
    """How long something took, and how much of it was not the model's own time."""
    beside = f", {1 - model_s / took_s:.1%} of it beside the model" if took_s and model_s else ""
    return f"{took_s:.1f} s{beside}"


def short(label: str) -> str:
    """A model's name that leaves room for its numbers: of a long path the end says most."""
    return label if len(label) <= LONGEST_LABEL else f"{label[:9]}…{label[10 - LONGEST_LABEL :]}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def interval(result: Result) -> str:
    return "-" if result.low is None or result.high is None else f"{result.low:.1%} to {result.high:.1%}"


def details(comparison: Comparison) -> list[str]:
    """A rule's further numbers, and what it skipped."""
    model = comparison.model
    lines = []
    if model.parts:
        lines.append(", ".join(f"{name} {value:.3f}" for name, value in model.parts.items()))
    if model.skipped:
        lines.append("skipped " + ", ".join(f"{count} ({reason})" for reason, count in model.skipped.items()))
    return lines

"""What a replay prints: the numbers of every model, the rules, the differences, the bars."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from evals.bars import Bar, is_met, reached
from evals.difference import Difference
from evals.standing import METRICS, Standing
from evals.tables import details, percent, protocol_table, results_console, short

LISTED = 10
"""Steps that a difference names; the JSON has them all."""


def show(standings: Sequence[Standing], differences: Sequence[Difference], bars: Sequence[Bar]) -> None:
    """All of it on stdout, nothing of which changes from replay to replay."""
    console = results_console()
    console.print(numbers_table(standings))
    for standing in standings:
        console.print(protocol_table(standing.label, standing.comparisons))
        for comparison in standing.comparisons:
            for line in details(comparison):
                console.print(f"{comparison.rule.name}: {line}", soft_wrap=True)
    for difference in differences:
        console.print(difference_table(difference))
        for line in _changed(difference):
            console.print(escape(line), soft_wrap=True)
    for bar in bars:
        for standing in standings:
            verdict = "met" if is_met(bar, standing) else "missed"
            value = percent(reached(bar, standing))
            console.print(f"bar {bar.name} {bar.least:.1%}: {verdict}, {value} ({escape(standing.label)})")


def numbers_table(standings: Sequence[Standing]) -> Table:
    """A row for each model."""
    heads = ["model", "dialect", "asked", *(name.replace("_", " ") for name in METRICS), "tokens in", "out"]
    table = Table(*(Column(head, no_wrap=True) for head in heads), box=SIMPLE_HEAD)
    for standing in standings:
        tokens = (f"{count:,}" for count in standing.tokens)
        numbers = (percent(value) for value in standing.metrics.values())
        table.add_row(escape(short(standing.label)), standing.dialect, str(len(standing.answers)), *numbers, *tokens)
    return table


def difference_table(difference: Difference) -> Table:
    """The numbers of both, and what lies between."""
    one, other = difference.one, difference.other
    table = Table(
        "", escape(short(one.label)), escape(short(other.label)), "difference", "95 % interval", box=SIMPLE_HEAD
    )
    for row in difference_rows(difference):
        table.add_row(*row)
    return table


def difference_rows(difference: Difference) -> list[tuple[str, ...]]:
    """Name, one, other, difference, its interval."""
    rows: list[tuple[str, ...]] = []
    for name, change in difference.changes.items():
        within = f"{difference.low:+.1%} to {difference.high:+.1%}" if name == "step_success" else ""
        values = percent(difference.one.metrics.get(name)), percent(difference.other.metrics.get(name))
        rows.append((name.replace("_", " "), *values, "-" if change is None else f"{change:+.1%}", within))
    return rows


def difference_counts(difference: Difference) -> str:
    """How many steps changed."""
    return (
        f"right in both {difference.both}, only in {short(difference.one.label)} {len(difference.only_one)}, "
        f"only in {short(difference.other.label)} {len(difference.only_other)}, in neither {difference.neither}"
    )


def _changed(difference: Difference) -> list[str]:
    gone, new = difference.only_one, difference.only_other
    return [difference_counts(difference), *_named("no longer right", gone), *_named("newly right", new)]


def _named(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return [f"{title}: {', '.join(names[:LISTED])}{more}"]

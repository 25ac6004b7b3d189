"""From the results of an evaluation to one HTML file: every text escaped, every picture embedded once."""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from action_space.errors import ConfigError
from evals.benchmarks.reading import Broken
from evals.report.cases import Case, card_of, chosen, is_failure
from evals.report.marks import COLOURS
from evals.scoring import Comparison, Result
from evals.tables import interval, percent

LISTED = 200
"""Rows of a list of what was left out."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A model, or a file of predictions. numbers: name -> value, shown large; facts: name -> text.

    rates: heading -> its rows (name, rate, n), for measurements that are no rule on recorded steps.
    """

    label: str
    comparisons: Sequence[Comparison] = ()
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, Sequence[tuple[str, float, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Versus:
    """Two contenders number by number. rows: name, one, other, difference, its interval. words: what changed."""

    one: str
    other: str
    rows: Sequence[Sequence[str]]
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Episode:
    """One run. link: to its own report, or "". right: for each contender what it got right, of how much in `whole`."""

    name: str
    task: str
    link: str
    right: Sequence[int]
    whole: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a report shows. cases: everything that was scored; only failures are drawn. left_out: title -> what.

    unit: what a case is.
    """

    title: str
    facts: Mapping[str, str]
    contenders: Sequence[Contender]
    cases: Sequence[Case]
    episodes: Sequence[Episode] = ()
    versus: Sequence[Versus] = ()
    left_out: Mapping[str, Sequence[Broken]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    unit: str = "steps"


def write_sheet(sheet: Sheet, path: Path) -> list[Broken]:
    """Write the report; gives what is wrong with pictures. Raises ConfigError if the file cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    html, broken = render(sheet)
    try:
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"cannot write the report {str(path)!r}: {error.strerror or error}") from error
    return broken


def render(sheet: Sheet) -> tuple[str, list[Broken]]:
    """The whole HTML document, and what is wrong with its pictures."""
    cards, broken = [], list[Broken]()
    for case in chosen(sheet.cases):
        card, wrong = card_of(case)
        cards.append(card)
        broken += wrong
    left_out = dict(sheet.left_out) | ({"pictures": broken} if broken else {})
    style = _file("agent.report", "style.css") + _file("evals.report", "style.css")
    script = _file("evals.report", "script.js")
    # All texts go through autoescape; only our own style, script and numbers do not.
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"percent": percent, "interval": interval, "strip": strip, "groups": grouped}
    html = page.from_string(_file("evals.report", "page.html.jinja")).render(
        sheet=sheet,
        cards=cards,
        failures=sum(map(is_failure, sheet.cases)),
        left_out=left_out,
        listed=LISTED,
        colours=COLOURS,
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return html, broken


def strip(comparison: Comparison, colour: int) -> Markup:
    """0 to 100 % as a line: the score with its interval, and a tick for each baseline. Only numbers go in, and names
    of baselines, which are ours."""
    model = comparison.model
    ticks = "".join(
        f'<line class="tick" x1="{_at(result)}" x2="{_at(result)}" y1="3" y2="19"><title>{name} {percent(result.value)}'
        "</title></line>"
        for name, result in comparison.baselines.items()
        if result.value is not None
    )
    shapes = '<line class="axis" x1="0" x2="1000" y1="11" y2="11"/>' + ticks
    if model.value is not None and model.low is not None and model.high is not None:
        low, high = round(1000 * model.low), round(1000 * model.high)
        shapes += f'<line class="span c{colour % COLOURS}" x1="{low}" x2="{high}" y1="11" y2="11"/>'
        shapes += f'<line class="mean c{colour % COLOURS}" x1="{_at(model)}" x2="{_at(model)}" y1="3" y2="19"/>'
    return Markup(
        f'<svg class="strip" viewBox="-8 0 1016 22" preserveAspectRatio="none" role="img" '
        f'aria-label="{percent(model.value)}, {interval(model)}">{shapes}</svg>'
    )


def _at(result: Result) -> int:
    return round(1000 * (result.value or 0))


def grouped(result: Result) -> dict[str, list[tuple[str, float, int]]]:
    """A result's breakdown by heading: from "platform: web" and the like; names without one are
    groups that the rule averages. A heading with a single name says nothing new."""
    found: dict[str, list[tuple[str, float, int]]] = {}
    for name, (mean, count) in result.groups.items():
        heading, colon, rest = name.partition(": ")
        found.setdefault(heading if colon else "averaged", []).append((rest if colon else name, mean, count))
    return {heading: rows for heading, rows in found.items() if len(rows) > 1}


def _file(package: str, name: str) -> str:
    return (resources.files(package) / name).read_text(encoding="utf-8")

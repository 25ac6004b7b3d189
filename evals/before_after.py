"""What training on an application was worth: one or two models asked for the same controls of its test screens.

    python -m evals.before_after --data DIR/test --model SPEC [--model SPEC] --out DIR [--limit N] [--workers N]
                                 [--json]

Asked as `agent ground` asks, scored as `agent eval generated` scores. The answers of each model stay in a folder of its
own below --out: the same command goes on where it stopped, and a second model can be added later. Exit status: 0 if
all was asked, otherwise as `agent run`.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from action_space.errors import ClickwrightError, ConfigError, ModelError
from agent.cli import exit_code_of
from agent.interrupt import INTERRUPTED_EXIT
from agent.results import results_only
from evals import asking, journal, measuring
from evals.arguments import count
from evals.intervals import bootstrap, wilson
from evals.protocols.point_in_box import RULE
from evals.protocols.values import Step
from evals.runner import Crew
from evals.tables import notes_console, results_console, short, tell_left_out

BENCHMARK = "generated"
"""Whose form of questions, and whose rule."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model's answers. hits: question -> whether it named the right place; errors are left out."""

    model: str
    steps: Mapping[str, Step]
    hits: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits of `of` questions, with Wilson's 95 % interval."""

    right: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.right / self.of:.1%} ({self.low:.1%} to {self.high:.1%})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give:
            if len(options.model) > 2:
                raise ConfigError("give one --model, or two to compare")
            crew = Crew(workers=options.workers)
            asked = [ask(model, options.data, options.out, crew, options.limit) for model in options.model]
            results_console(stderr=options.json).print(table_of(asked))
            if options.json:
                give(as_json(asked))
        return 0
    except ClickwrightError as error:
        console.print(f"before_after: {' '.join(str(error).split())}", markup=False)
        return exit_code_of(error)
    except KeyboardInterrupt:
        console.print("before_after: interrupted; the same command goes on from here")
        return INTERRUPTED_EXIT


def ask(model: str, data: Path, out: Path, crew: Crew, limit: int | None = None) -> Asked:
    """Ask a model what it was not asked yet. limit: so many questions, drawn evenly. Raises ClickwrightError,
    KeyboardInterrupt."""
    mark = hashlib.sha256(f"{model} {data.absolute()} {limit or ''}".encode()).hexdigest()[:6]
    folder = out / f"{Path(model).name}-{mark}"
    if (folder / journal.PLAN).is_file():
        wish = measuring.Wish(None, "", None, None, folder)
    else:
        wish = measuring.Wish(data, model, limit, folder, None)
    exam, folder = measuring.begin(BENCHMARK, wish)
    if not measuring.ask_all(exam, folder, crew):
        raise KeyboardInterrupt
    outcome = measuring.score(exam, asking.read_answers(folder))
    tell_left_out(notes_console(), "questions", outcome.problems)
    hits = {step.id: RULE.score(step, outcome.predict(step) or ()).value == 1 for step in outcome.data}
    if not hits:
        raise ModelError(f"{model!r} answered no question: what was wrong is above")
    return Asked(model, {step.id: step for step in outcome.data}, hits)


def groups_of(asked: Sequence[Asked]) -> dict[str, list[str]]:
    """The questions that all models answered: all, by kind of control, and by whether training may know the name."""
    common = [name for name in asked[0].hits if all(name in one.hits for one in asked)]
    found: dict[str, list[str]] = {"all": common}
    for key in ("control", "name"):
        values = {name: asked[0].steps[name].groups.get(key, "") for name in common}
        for value in sorted(set(values.values()) - {""}):
            found[f"{key}: {value}"] = [name for name in common if values[name] == value]
    return {title: names for title, names in found.items() if names}


def rate(one: Asked, names: Sequence[str]) -> Rate:
    right = sum(one.hits[name] for name in names)
    return Rate(right, len(names), *wilson(right, len(names)))


def difference(one: Asked, other: Asked, names: Sequence[str]) -> tuple[float, float, float]:
    """How much more often the other is right, and the 95 % interval: by screens, whose questions go together."""
    screens: dict[str, list[float]] = {}
    for name in names:
        screens.setdefault(one.steps[name].image, []).append(float(other.hits[name]) - float(one.hits[name]))
    totals = np.array([sum(each) for each in screens.values()])
    weights = np.array([float(len(each)) for each in screens.values()])
    return float(totals.sum() / weights.sum()), *bootstrap([(totals, weights)])


def table_of(asked: Sequence[Asked]) -> Table:
    """A row for each group of questions."""
    compared = ["difference"] if len(asked) == 2 else []
    table = Table("questions", "n", *(short(one.model) for one in asked), *compared, box=SIMPLE_HEAD)
    for title, names in groups_of(asked).items():
        cells = [str(rate(one, names)) for one in asked]
        if compared:
            more, low, high = difference(asked[0], asked[1], names)
            cells.append(f"{more:+.1%} ({low:+.1%} to {high:+.1%})")
        table.add_row(title, str(len(names)), *cells)
    return table


def as_json(asked: Sequence[Asked]) -> dict[str, object]:
    """The same numbers, and every question's."""
    groups = {
        title: {
            "models": [asdict(rate(one, names)) for one in asked],
            **({"difference": difference(asked[0], asked[1], names)} if len(asked) == 2 else {}),
        }
        for title, names in groups_of(asked).items()
    }
    return {"models": [one.model for one in asked], "groups": groups, "hits": [dict(one.hits) for one in asked]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="before_after", description="Ask models for controls of an application.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="test screens: DIR/test of gather")
    parser.add_argument(
        "--model", action="append", required=True, metavar="SPEC", help="as in `agent run`; twice to compare"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the answers go")
    parser.add_argument("--limit", type=count, metavar="N", help="ask so many of the questions (default: all)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that ask at once (default 1)")
    parser.add_argument("--json", action="store_true", help="print the numbers as one JSON object on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())

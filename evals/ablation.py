"""What the filters are worth: the same training with them and without, in the same minutes, measured alike.

    python -m evals.ablation --from MODEL --sampled DIR [--sampled DIR] --screens DIR --out DIR
                             [--refine-minutes M] [--prefer-minutes M] [--pages N] [--plans N] [--workers N] [--json]

Both are measured on held-out pages (`agent eval generated`) and on held-out plans. Every part resumes. Exit status: 0
if both were measured, otherwise as `agent run`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from action_space.errors import ClickwrightError
from agent.cli import exit_code_of
from agent.interrupt import INTERRUPTED_EXIT
from agent.models import SpokenModel, load_model
from agent.results import results_only
from evals import asking, journal, measuring
from evals.intervals import wilson
from evals.runner import Crew
from vlm.training.data.render import Drawn
from vlm.training.data.words import Words
from vlm.training.questions import plan_question
from vlm.training.quiz import Quiz, ask_plan
from vlm.training.recipe import FILTERS, Further, Minutes, further
from vlm.training.run import FULL, SMOKE

WITH, WITHOUT = "with filters", "without filters"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give:
            found: dict[str, object] = {name: _one(options, name) for name in (WITH, WITHOUT)}
            (options.out / "ablation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            console.print(_table(found))
            if options.json:
                give(found)
        return 0
    except ClickwrightError as error:
        console.print(f"ablation: {' '.join(str(error).split())}", markup=False)
        return exit_code_of(error)
    except KeyboardInterrupt:
        console.print("ablation: interrupted; the same command goes on from here")
        return INTERRUPTED_EXIT


def _one(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Train one of the two, and measure it."""
    out = options.out / name.replace(" ", "-")
    plan = Further(
        options.begin,
        options.sampled,
        Drawn(options.screens, out / "specimens", out / "icons"),
        out,
        Minutes(0, 0, refine=options.refine_minutes, prefer=options.prefer_minutes),
        options.seed,
        SMOKE if options.smoke else FULL,
    )
    further(replace(plan, filters=name == WITH), workers=options.workers, export_to=out / "model")
    dropped = json.loads((out / FILTERS).read_bytes())["dropped"] if name == WITH else {}
    return {"dropped": dropped, **measured(out / "model", options.pages, options.plans, out / "points")}


def measured(checkpoint: Path, pages: int, plans: int, folder: Path) -> dict[str, Any]:
    """Hits on held-out pages, as `agent eval generated` counts them, and right plans of held-out words, each with a
    95 % interval. folder: of the pages and answers; what is there already is not asked again."""
    model = load_model(str(checkpoint))
    return {"points": _points(checkpoint, pages, folder), "plans": _plans(checkpoint, model, plans)}


def _points(checkpoint: Path, pages: int, folder: Path) -> dict[str, Any]:
    if (folder / journal.PLAN).is_file():
        wish = measuring.Wish(None, "", None, None, folder)
    else:
        wish = measuring.Wish(None, str(checkpoint), None, folder, None, asking.Drawing(pages=pages))
    exam, folder = measuring.begin("generated", wish)
    if not measuring.ask_all(exam, folder, Crew(workers=0)):
        raise KeyboardInterrupt
    found = measuring.score(exam, asking.read_answers(folder)).comparisons[0].model
    return {
        "right": round((found.value or 0.0) * found.n),
        "of": found.n,
        "interval_95": [found.low, found.high],
    }


def _plans(checkpoint: Path, model: SpokenModel, count: int) -> dict[str, Any]:
    rng = Random("held-out plans")
    words, quiz = Words(rng, held_out=True), Quiz(model, model.constrained, checkpoint, 0, 1)
    right = []
    for _ in range(count):
        question = plan_question(rng, words)
        said = ask_plan(quiz, question.task.removeprefix("Task: "), question.behind, 0)
        right.append(said == question.answer)
    return _rate(right)


def _rate(results: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(results), len(results))
    return {"right": sum(results), "of": len(results), "interval_95": [round(low, 4), round(high, 4)]}


def _table(found: dict[str, Any]) -> Table:
    table = Table("", "dropped", "points", "plans")
    for name, one in found.items():
        cells = [
            f"{rate['right']} of {rate['of']} ({rate['interval_95'][0]:.0%} to {rate['interval_95'][1]:.0%})"
            for rate in (one["points"], one["plans"])
        ]
        table.add_row(name, str(sum(one["dropped"].values())), *cells)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ablation", description="Train with filters and without, and measure both.")
    parser.add_argument("--from", dest="begin", type=Path, required=True, metavar="MODEL", help="as in `agent train`")
    parser.add_argument("--sampled", type=Path, action="append", required=True, metavar="DIR", help="sampled answers")
    parser.add_argument("--screens", type=Path, required=True, metavar="DIR", help="drawn screens of training")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--refine-minutes", type=float, default=20.0, metavar="M", help="default 20")
    parser.add_argument("--prefer-minutes", type=float, default=0.0, metavar="M", help="default 0")
    parser.add_argument("--pages", type=int, default=60, metavar="N", help="to measure on (default 60)")
    parser.add_argument("--plans", type=int, default=300, metavar="N", help="to measure on (default 300)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that train (default 2)")
    parser.add_argument("--seed", type=int, default=11, metavar="N", help="of both trainings (default 11)")
    parser.add_argument("--smoke", action="store_true", help="steps of tiny size, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print both results as one JSON object on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())

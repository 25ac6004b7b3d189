"""What the filters make of sampled answers or sets of shards, without any training.

    python -m vlm.training.filters --sampled DIR [--sampled DIR] [--model MODEL] [--json FILE]

--model: a checkpoint or a stage's `.pt`, whose likelihood is the last filter; without it there are rules only.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from action_space.errors import ClickwrightError
from vlm.training.answered import Questions
from vlm.training.filters.sieve import Report, Score, credible, sieve
from vlm.training.sampled import Sampled, read_sampled
from vlm.training.stages import resume


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 for folders that hold nothing."""
    parser = argparse.ArgumentParser(prog="filters", description="Counts of what the filters drop, and why.")
    parser.add_argument("--sampled", type=Path, action="append", required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, metavar="MODEL")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts to this file")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        sampled = read_sampled(options.sampled)
        _, report = sieve(sampled, _score(options.model, sampled) if options.model else None)
    except ClickwrightError as error:
        console.print(f"filters: {' '.join(str(error).split())}", markup=False)
        return 2
    console.print(table_of(report))
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return 0


def _score(model: Path, sampled: Sampled) -> Score:
    trainer = resume(model)
    return credible(trainer, Questions(sampled, trainer.model.visual, random.Random(0)))


def table_of(report: Report) -> Table:
    """For people."""
    table = Table("what", "seen", "kept")
    for row in report.rows():
        table.add_row(*row)
    return table


if __name__ == "__main__":
    sys.exit(main())

"""What looking again is worth (`agent.looks`): every question about generated pages, asked at every offset,
and as in use.

    python -m evals.looking [--model MODEL] [--pages N] [--seed S] [--size WxH] [--json]

Pages and questions are those of `agent eval generated`, and an answer is right by the same rule.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import ClickwrightError
from action_space.geometry import Frame, Size
from agent.cli import exit_code_of
from agent.ground import asking_for
from agent.look import SURE, Placed
from agent.looks import MOST_LOOKS, OFFSETS, place
from agent.models import SpokenModel, load_model
from agent.pictures import open_picture
from agent.planner import model_frame
from agent.results import results_only
from evals.acts import acts_of
from evals.asking import LONGEST_PLACE, Drawing, page_size
from evals.benchmarks.generated import SOURCE
from evals.benchmarks.reading import read
from evals.drawing import draw
from evals.protocols.point_in_box import RULE
from evals.protocols.values import Step

UNTIL = (0.5, 0.7, 0.8, 0.9, SURE)


@dataclass(frozen=True, slots=True)
class Seen:
    """One question. plain: whether the picture as it is, resized, gave the right place. right, sure: of every moved
    look. used: whether looking as in use did, every second time from closer, and how many looks that took."""

    plain: bool
    right: tuple[bool, ...]
    sure: tuple[float, ...]
    used: tuple[bool, int]

    def until(self, enough: float) -> tuple[bool, int]:
        """Whether looking until one look is so sure gives the right place, and how many looks that takes."""
        taken = next((n for n, sure in enumerate(self.sure, start=1) if sure >= enough), len(self.sure))
        best = max(range(taken), key=lambda look: self.sure[look])
        return self.right[best], taken


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, otherwise as `agent run`."""
    parser = argparse.ArgumentParser(prog="looking", description="Ask about generated pages at every offset.")
    parser.add_argument("--model", default="bundled", metavar="MODEL", help="as in `agent run`")
    parser.add_argument("--pages", type=int, default=30, metavar="N", help="default 30")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the pages, default 1")
    parser.add_argument("--size", default="1280x720", metavar="WxH", help="of the pages, default 1280x720")
    parser.add_argument("--json", action="store_true", help="print every answer as one JSON object on stdout")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give, TemporaryDirectory(prefix="clickwright-pages-") as folder:
            drawing = Drawing(pages=options.pages, seed=options.seed, size=page_size(options.size))
            draw(Path(folder) / "pages", drawing)
            found = list(ask_all(load_model(options.model), Path(folder) / "pages"))
            console.print(table_of(found))
            if options.json:
                give({"questions": [[each.plain, each.right, each.sure, each.used] for each in found]})
    except ClickwrightError as error:
        console.print(f"looking: {' '.join(str(error).split())}", markup=False)
        return exit_code_of(error)
    return 0


def ask_all(model: SpokenModel, pages: Path) -> Iterator[Seen]:
    """Every question of a folder of pages, in order. Raises ModelError, ConfigError."""
    for step in read(SOURCE, pages):
        if isinstance(step, Step):
            plain, used, *looks = _asked(model, step, pages)
            yield Seen(
                _is_right(plain, step),
                tuple(_is_right(look, step) for look in looks),
                tuple(look.reply.sure or 0.0 if look.action is not None else 0.0 for look in looks),
                (_is_right(used, step), len(used.asked)),
            )


def _asked(model: SpokenModel, step: Step, pages: Path) -> Iterator[Placed]:
    """The picture as it is, all looks, then each moved one alone."""
    dialect, image = load_dialect(model.dialect), open_picture(pages / step.image)
    size = Size(*image.size)
    turn = Turn(step.instruction, image, model_frame(Frame(size, size), dialect))
    ask = asking_for(model, dialect, LONGEST_PLACE, constrained=model.constrained)
    yield place(ask, turn, step.instruction, dialect, looks=0)
    yield place(ask, turn, step.instruction, dialect, looks=MOST_LOOKS, model=model)
    for number in range(MOST_LOOKS):
        # A question that was asked before in vain gets one look, and its attempt says which.
        yield place(ask, turn, step.instruction, dialect, looks=MOST_LOOKS, attempt=MOST_LOOKS + number)


def _is_right(placed: Placed, step: Step) -> bool:
    return RULE.score(step, acts_of(placed.action)).value == 1


def table_of(found: Sequence[Seen]) -> Table:
    """Rates of every way to look."""
    count = len(found)
    table = Table("look", "right", "looks", title=f"{count} questions")

    def row(name: str, right: int, looks: float) -> None:
        table.add_row(name, f"{right} ({right / count:.1%})", f"{looks:.2f}")

    row("as it is, resized", sum(each.plain for each in found), 1)
    for number, offset in enumerate(OFFSETS):
        row(f"at {offset}", sum(each.right[number] for each in found), 1)
    row("any of these", sum(any(each.right) for each in found), len(OFFSETS))
    row("the surest of these", sum(each.until(2.0)[0] for each in found), len(OFFSETS))
    for enough in UNTIL:
        ends = [each.until(enough) for each in found]
        row(f"until {enough:g} sure", sum(right for right, _ in ends), sum(taken for _, taken in ends) / count)
    row(
        "as in use, every second one from closer",
        sum(each.used[0] for each in found),
        sum(each.used[1] for each in found) / count,
    )
    looks = [pair for each in found for pair in zip(each.right, each.sure, strict=True)]
    for name, chosen in (("at least", True), ("less than", False)):
        part = [right for right, sure in looks if (sure >= SURE) is chosen]
        if part:
            table.add_row(f"looks of {name} {SURE:g}", f"{sum(part)} of {len(part)} ({sum(part) / len(part):.1%})", "")
    return table


if __name__ == "__main__":
    sys.exit(main())

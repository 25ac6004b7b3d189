"""Work through the items of a measurement, each result on disk before it is told of."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from action_space.errors import ModelError
from evals.engines import engine_of
from evals.journal import Journal
from evals.work import Done, Item, Work

GIVE_UP = 3
"""So many items in a row for which the model failed: it is the model, not the items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """How work is done. engine: a name of `ENGINES`. workers: at once; 0 is in this process, without a time limit.
    limit_s: how long an item may take before it is given up as an error."""

    engine: str = "local"
    workers: int = 1
    limit_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """A result as it is recorded, and what is said of it; "" says nothing."""

    line: BaseModel
    text: str = ""


def run(work: Work, items: Sequence[Item], crew: Crew, folder: Path, tell: Callable[[Done], Told | None]) -> bool:
    """Do the items and append their results to the journal of `folder`. False if the person interrupted.

    tell: what is recorded of an item; None if it was not done, and is to be done again.
    Raises ClickwrightError when it makes no sense to go on; what was done is recorded.
    """
    engine = engine_of(crew.engine, crew.workers)
    failed = 0
    with Journal(folder) as journal, _bar(len(items)) as shown:
        try:
            # Closed at once however this ends: workers that go on would hold the processor, and browsers.
            with closing(engine(work, items, workers=crew.workers, limit_s=crew.limit_s)) as results:
                for done in results:
                    failed = failed + 1 if isinstance(done.cause, ModelError) else 0
                    if done.cause is not None and (done.hopeless or failed == GIVE_UP):
                        raise done.cause
                    told = tell(done)
                    if told is None:
                        return False
                    journal.append(told.line)
                    shown(told.text)
        except KeyboardInterrupt:
            return False
    return True


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr, on a terminal only. Gives what is called when an item is done, with a line to print."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("measuring", total=total)

        def shown(text: str) -> None:
            if text:
                console.print(escape(text))
            bar.advance(task)

        yield shown

"""Rejection sampling: the current model acts and answers, the truth says what is kept, and training reads it.

    python -m evals.online.sampling --out DIR [--model FOLDER] [--pages N] [--attempts K] [--temperature T]
                                    [--screens DIR --points N] [--plans N] [--seed N] [--json]

Live practice pages are worked on through the ordinary loop, several times each: the first time greedily, then with
answers that are drawn. Generated questions are asked in the same way. Every page is on disk before the next one begins:
stop it at any time and call it again with the same options. `agent train --sampled DIR` trains on what was kept.
Exit status: 0 if anything was kept, 1 if not, otherwise as `agent run`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Browser
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from action_space.errors import ClickwrightError, ConfigError, ModelError
from action_space.messages import Message
from agent import session
from agent.cli import exit_code_of
from agent.halt import Halt
from agent.interrupt import INTERRUPTED_EXIT
from agent.models import SpokenModel
from agent.results import results_only
from agent.trajectory import Step, Trajectory
from environments.chromium import own_browser
from evals.journal import PLAN, Journal, read_plan, start
from evals.online.harvest import Harvest, Run
from evals.online.practice import FIRST_SEED, Practice, draw_practice
from evals.online.practice_world import PracticeWorld, pixels_of
from vlm.backends.base import Hear, Reply
from vlm.training.quiz import Quiz, ask_plans, ask_points
from vlm.training.sampled import Unit, counts_of, read_units

MAX_STEPS = 16
"""The longest task needs ten."""


class Sampling(BaseModel):
    """What is sampled. Everything that shapes the answers, so that a folder holds those of one model only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    pages: int
    attempts: int
    temperature: float
    points: int
    plans: int
    screens: str
    seed: int


class Drawn:
    """A model each of whose answers is drawn anew. Implements `SpokenModel`. first: seeds the draws."""

    def __init__(self, model: SpokenModel, first: int) -> None:
        self.name, self.dialect, self.constrained, self.looks = model.name, model.dialect, model.constrained, 0
        self._model, self._drawn = model, first

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        constraint: str | None = None,
        max_new_tokens: int = 256,
        attempt: int = 0,  # noqa: ARG002 (no two calls draw alike)
        heard: Hear | None = None,
    ) -> Reply:
        """See `vlm.backends.base.Model`."""
        self._drawn += 1
        return self._model.generate(
            messages,
            min_pixels=min_pixels,
            max_pixels=max_pixels,
            constraint=constraint,
            max_new_tokens=max_new_tokens,
            attempt=self._drawn,
            heard=heard,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give:
            counts = sample(_sampling(options), options.out, console)
            if options.json:
                give(counts)
        return 0 if counts["kept"] else 1
    except ClickwrightError as error:
        console.print(f"sampling: {' '.join(str(error).split())}", markup=False)
        return exit_code_of(error)
    except KeyboardInterrupt:
        console.print("sampling: interrupted; the same command goes on from here")
        return INTERRUPTED_EXIT


def sample(asked: Sampling, folder: Path, console: Console) -> dict[str, Any]:
    """Sample what is not sampled yet, write counts.json, and show the counts. Raises ClickwrightError."""
    if asked.points and not Path(asked.screens, "screens.jsonl").is_file():
        raise ConfigError(f"{asked.screens!r} holds no screens to ask about: draw some with `agent train`")
    model = load(asked)
    _begin(asked, folder)
    with Journal(folder) as journal:
        done = frozenset(unit.name for unit in read_units(folder))
        for unit in units(asked, model, folder, done):
            journal.append(unit)
            console.print(_line(unit))
    counts = counts_of(read_units(folder))
    (folder / "counts.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    console.print(_table(counts))
    return counts


def load(asked: Sampling) -> SpokenModel:
    """Only our own engine draws at any temperature. Raises ModelError."""
    import vlm

    return vlm.load(asked.model, temperature=asked.temperature)


def _begin(asked: Sampling, folder: Path) -> None:
    if not (folder / PLAN).is_file():
        start(folder, asked)
    elif (before := read_plan(folder, Sampling)) != asked:
        raise ConfigError(f"{str(folder)!r} holds other answers ({before!r}): give the same options, or another --out")


def units(asked: Sampling, model: SpokenModel, folder: Path, done: frozenset[str]) -> Iterator[Unit]:
    """All that is not done: live pages, then points, then plans."""
    if asked.pages:
        with own_browser() as browser:
            yield from _pages(asked, model, folder, done, browser)
    quiz = Quiz(model, model.constrained, folder, asked.seed, asked.attempts)
    if asked.points:
        yield from ask_points(quiz, Path(asked.screens), asked.points, done)
    yield from ask_plans(quiz, asked.plans, done)


def _pages(asked: Sampling, model: SpokenModel, folder: Path, done: frozenset[str], browser: Browser) -> Iterator[Unit]:
    tab = browser.new_page()
    for number in range(asked.pages):
        seed = FIRST_SEED + 100_000 * asked.seed + number
        name = f"page {seed}"
        if name not in done:
            practice = draw_practice(tab, seed)
            yield (
                work_on(practice, model, asked.attempts, folder, browser, name)
                if practice
                else Unit(name=name, dropped={"a page on which there is nothing to do": 1})
            )


def work_on(practice: Practice, model: SpokenModel, attempts: int, folder: Path, browser: Browser, name: str) -> Unit:
    """Several runs on one page, and what is kept of them. Raises ClickwrightError."""
    harvest = Harvest(practice, folder)
    for attempt in range(attempts):
        player = Drawn(model, 1_000_003 * practice.seed + 10_007 * attempt) if attempt else model
        with TemporaryDirectory(prefix="clickwright-sampling-") as place:
            _run(practice, player, Path(place), browser, harvest)
    return harvest.unit(name)


def _run(practice: Practice, model: SpokenModel, place: Path, browser: Browser, harvest: Harvest) -> None:
    with PracticeWorld(practice, place / "page.html", browser) as world:

        def watch(_: Step) -> None:
            if world.state() not in practice.states:
                raise Halt("failure", "the page is not on the way to what was asked for any more")

        trajectory = session.run(
            practice.task,
            model=model,
            env=world,
            out=place / "run",
            watch=watch,
            max_steps=MAX_STEPS,
            max_seconds=None,
            confirm="none",  # the pages are ours: nothing is sold or deleted
        )
        _require_end(trajectory)
        looks = [world.looks[pixels_of(_picture(place, step))] for step in trajectory.steps]
        harvest.add(Run(trajectory, tuple(looks), world.state()), lambda step: _picture(place, step))


def _require_end(trajectory: Trajectory) -> None:
    """A run that the model or a person broke off says nothing. Raises ModelError, KeyboardInterrupt."""
    if trajectory.reason == "model":
        raise ModelError(trajectory.outcome.text if trajectory.outcome else "the model failed")
    if trajectory.reason == "interrupted":
        raise KeyboardInterrupt


def _picture(place: Path, step: Step) -> Image.Image:
    with Image.open(place / "run" / "images" / f"{step.image}.png") as stored:
        return stored.convert("RGB")


def _sampling(options: argparse.Namespace) -> Sampling:
    return Sampling(**{name: getattr(options, name) for name in Sampling.model_fields})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sampling", description="Sample answers that the truth confirms.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the answers go")
    parser.add_argument("--model", default="bundled", metavar="FOLDER", help="checkpoint (default: bundled)")
    parser.add_argument("--pages", type=_count, default=60, metavar="N", help="live pages (default 60)")
    parser.add_argument("--attempts", type=_count, default=4, metavar="K", help="at each question (default 4)")
    parser.add_argument("--temperature", type=_heat, default=1.0, metavar="T", help="of drawn answers (default 1)")
    parser.add_argument("--screens", default="", metavar="DIR", help="training screens to ask about")
    parser.add_argument("--points", type=_count, default=0, metavar="N", help="screens to ask about (default 0)")
    parser.add_argument("--plans", type=_count, default=0, metavar="N", help="tasks to ask about (default 0)")
    parser.add_argument("--seed", type=_count, default=1, metavar="N", help="another one for each round (default 1)")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON object on stdout")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; valid: 0, 1, 2 and so on")
    return int(text)


def _heat(text: str) -> float:
    try:
        heat = float(text)
    except ValueError:
        heat = 0.0
    if not 0 < heat <= 5:
        raise argparse.ArgumentTypeError(f"{text!r} is no temperature; valid: above 0, up to 5")
    return heat


def _line(unit: Unit) -> str:
    runs = f", {unit.done} of {unit.tried} runs done" if unit.tried else ""
    return f"{unit.name}: {unit.right} of {unit.asked} answers right{runs}"


def _table(counts: dict[str, Any]) -> Table:
    table = Table("what", "how many")
    for name, value in counts.items():
        if isinstance(value, dict):
            for what, count in value.items():
                table.add_row(f"{name}: {what}", str(count))
        else:
            table.add_row(name, str(value))
    return table


if __name__ == "__main__":
    sys.exit(main())

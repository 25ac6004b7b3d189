"""`agent eval`: how good a model is, by a named rule."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from action_space.errors import ConfigError
from action_space.geometry import Size
from agent.cli import Spec
from agent.interrupt import INTERRUPTED_EXIT
from agent.models import load_model
from agent.session import default_folder
from environments.chromium import own_browser
from evals.benchmarks import generated
from evals.online.miniwob import attempts, oracle, report, tasks, world

app = typer.Typer(
    name="eval", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.callback()
def main() -> None:
    """Measure a model on a benchmark."""


@app.command("generated")
def generated_command(
    model: Spec = "bundled",
    pages: Annotated[int, typer.Option("--limit", min=1, help="Pages to draw.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed draws other pages.")] = 0,
    size: Annotated[str, typer.Option(help="Page size, WIDTHxHEIGHT.")] = "1280x720",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every answer and the table to this file.")
    ] = None,
) -> None:
    """Grounding on generated pages of unseen words and fonts: the point lies in the target's box."""
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 200:
        raise ConfigError(f"the page size {size!r} is not WIDTHxHEIGHT of at least 200x200, as in 1280x720")
    viewport = Size(int(width), int(height))
    console = Console(stderr=True)
    answers = list(
        track(
            generated.ask_about_pages(load_model(model), pages=pages, seed=seed, size=viewport),
            "asking",
            console=console,
            total=None,
        )
    )
    if not answers:
        raise ConfigError(f"no page of {size} has a control to ask for: take a larger size or another seed")
    result = generated.summary(answers, viewport, seed)
    if json_file:
        json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    table = Table(
        "control",
        "hits",
        "n",
        "rate",
        "95 % interval",
        title=f"generated pages, {size}, seed {seed}, {generated.PROTOCOL}",
    )
    groups: dict[str, dict[str, float]] = result["groups"]  # type: ignore[assignment]
    for name, row in groups.items():
        table.add_row(
            name, str(row["hits"]), str(row["n"]), f"{row['rate']:.1%}", f"{row['low']:.1%} to {row['high']:.1%}"
        )
    Console().print(table)


@app.command("miniwob")
def miniwob_command(
    model: Spec = "bundled",
    task_names: Annotated[
        str, typer.Option("--tasks", metavar="NAME,...|train|heldout|all", help="What is played.")
    ] = "all",
    episodes: Annotated[int, typer.Option(min=1, help="Of each task.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the first episode; 1000000 and above are for evaluation only.")
    ] = tasks.FIRST_EVALUATION_SEED,
    scale: Annotated[float, typer.Option(min=1, max=4, help="Screenshot pixels per CSS pixel.")] = world.SCALE,
    max_steps: Annotated[int, typer.Option(min=1, help="Of an episode.")] = attempts.MAX_STEPS,
    with_oracle: Annotated[bool, typer.Option("--oracle", help="Play with scripts that look at the page.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of results and runs; by default a new one.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on in a folder, with its own settings.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
) -> None:
    """MiniWoB++ pages, live and by pixels only: solved is a raw reward of 1."""
    if resume is not None:
        folder, plan = resume, attempts.read_plan(resume)
    else:
        chosen = tasks.choose_tasks(task_names)
        if with_oracle and task_names in ("all", "train", "heldout"):
            chosen = tuple(name for name in chosen if name in oracle.ORACLES)
        plan = attempts.Plan(
            model=oracle.OracleModel.name if with_oracle else model,
            tasks=chosen,
            episodes=episodes,
            seed=seed,
            scale=scale,
            max_steps=max_steps,
        )
        folder = out or default_folder("miniwob")
    player = _player(plan)
    if resume is None:
        attempts.start_results(folder, plan)
    _play(plan, player, folder)
    _report(plan, folder, json_file)


def _play(plan: attempts.Plan, player: attempts.Player, folder: Path) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"results: {folder / attempts.RESULTS}")
    with own_browser() as browser:
        for attempt in attempts.play_all(plan, player, folder, browser):
            said = attempt.error or ("solved" if attempt.solved else f"not solved ({attempt.stopped})")
            console.print(f"{attempt.task} {attempt.seed}: {escape(said)}, {attempt.steps} steps, {attempt.seconds} s")


def _report(plan: attempts.Plan, folder: Path, json_file: Path | None) -> None:
    results = attempts.read_results(folder)
    if results:
        Console().print(report.table(plan, results))
    if json_file:
        json_file.write_text(json.dumps(report.summary(plan, results), indent=1) + "\n", encoding="utf-8")
    if len(results) < len(plan.tasks) * plan.episodes:
        Console(stderr=True).print(f"interrupted: go on with --resume {folder}")
        raise typer.Exit(INTERRUPTED_EXIT)


def _player(plan: attempts.Plan) -> attempts.Player:
    if plan.model == oracle.OracleModel.name:
        return oracle.play_by_oracle(plan)
    loaded = load_model(plan.model)
    return lambda _world: loaded

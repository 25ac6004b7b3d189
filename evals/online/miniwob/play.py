"""`agent eval miniwob`: what the command does."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from agent.interrupt import INTERRUPTED_EXIT
from agent.models import load_model
from environments.chromium import own_browser
from evals.online.miniwob import attempts, oracle, report


def play_episodes(plan: attempts.Plan, player: attempts.Player, folder: Path) -> None:
    """Play what is left, and tell of each episode. Raises as `attempts.play_all`."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"results: {folder / attempts.RESULTS}")
    with own_browser() as browser:
        for attempt in attempts.play_all(plan, player, folder, browser):
            said = attempt.error or ("solved" if attempt.solved else f"not solved ({attempt.stopped})")
            console.print(f"{attempt.task} {attempt.seed}: {escape(said)}, {attempt.steps} steps, {attempt.seconds} s")


def show(plan: attempts.Plan, folder: Path, json_file: Path | None) -> None:
    """The table, and the JSON file. Exits with 130 where episodes are missing."""
    results = attempts.read_results(folder)
    if results:
        Console().print(report.table(plan, results))
    if json_file:
        json_file.write_text(json.dumps(report.summary(plan, results), indent=1) + "\n", encoding="utf-8")
    if len(results) < len(plan.tasks) * plan.episodes:
        Console(stderr=True).print(f"interrupted: go on with --resume {folder}")
        raise typer.Exit(INTERRUPTED_EXIT)


def player_of(plan: attempts.Plan) -> attempts.Player:
    """Who plays: the oracle, or a model. Raises ConfigError, ModelError."""
    if plan.model == oracle.OracleModel.name:
        return oracle.play_by_oracle(plan)
    loaded = load_model(plan.model)
    return lambda _world: loaded

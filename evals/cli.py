"""`agent eval`: how good a model is, by named rules."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from action_space.errors import ConfigError
from action_space.geometry import Size
from agent.cli import Spec
from evals.benchmarks import BENCHMARKS
from evals.online.miniwob.tasks import FIRST_EVALUATION_SEED, MAX_STEPS, SCALE, choose_tasks
from evals.outcome import Outcome, score_predictions
from evals.report import require_writable
from evals.tables import details, notes_console, protocol_table, results_console, tell_left_out, tell_warnings

if TYPE_CHECKING:
    from PIL import Image

    from evals.report.build import Sheet

app = typer.Typer(
    name="eval", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


Report = Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="Write a report for people.")]


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
    report: Report = None,
) -> None:
    """Grounding on generated pages of unseen words and fonts: the point lies in the target's box."""
    # Draws pages in a browser, which scoring predictions has no use for.
    from agent.models import load_model
    from evals.benchmarks import generated

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 200:
        raise ConfigError(f"the page size {size!r} is not WIDTHxHEIGHT of at least 200x200, as in 1280x720")
    viewport = Size(int(width), int(height))
    if report:
        require_writable(report)
    console = Console(stderr=True)
    pictures: dict[int, Image.Image] = {}
    keep = pictures.__setitem__ if report else lambda _page, _picture: None
    answers = list(
        track(
            generated.ask_about_pages(load_model(model), pages=pages, seed=seed, size=viewport, keep=keep),
            "asking",
            console=console,
            total=None,
        )
    )
    if not answers:
        raise ConfigError(f"no page of {size} has a control to ask for: take a larger size or another seed")
    result = generated.summary(answers, viewport, seed)
    if json_file:
        write_json(json_file, result)
    if report:
        from evals.report.live import generated_sheet

        write_report(generated_sheet(answers, pictures, result, model), report)
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
    ] = FIRST_EVALUATION_SEED,
    scale: Annotated[float, typer.Option(min=1, max=4, help="Screenshot pixels per CSS pixel.")] = SCALE,
    max_steps: Annotated[int, typer.Option(min=1, help="Of an episode.")] = MAX_STEPS,
    with_oracle: Annotated[bool, typer.Option("--oracle", help="Play with scripts that look at the page.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of results and runs; by default a new one.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on in a folder, with its own settings.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    report: Report = None,
) -> None:
    """MiniWoB++ pages, live and by pixels only: solved is a raw reward of 1."""
    # Plays in a browser, which scoring predictions has no use for.
    from agent.session import default_folder
    from evals.online.miniwob import attempts, oracle, play

    if report:
        require_writable(report)
    if resume is not None:
        folder, plan = resume, attempts.read_plan(resume)
    else:
        chosen = choose_tasks(task_names)
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
    player = play.player_of(plan)
    if resume is None:
        attempts.start_results(folder, plan)
    play.play_episodes(plan, player, folder)
    if report:
        from evals.report.live import miniwob_sheet

        write_report(miniwob_sheet(plan, attempts.read_results(folder), report), report)
    play.show(plan, folder, json_file)


def write_json(path: Path, result: dict[str, object]) -> None:
    """Raises ConfigError if the file cannot be written."""
    try:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write --json {str(path)!r}: {error.strerror}") from error


def _command(benchmark: str) -> Callable[..., None]:
    def score(
        data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with the benchmark's own files.")],
        predictions: Annotated[
            Path, typer.Option("--predictions", metavar="FILE.jsonl", help="One prediction a line.")
        ],
        protocol: Annotated[
            list[str] | None, typer.Option("--protocol", metavar="NAME", help="Only this rule; may be repeated.")
        ] = None,
        json_file: Annotated[
            Path | None, typer.Option("--json", help="Write all results, and everything left out, to this file.")
        ] = None,
        report: Report = None,
    ) -> None:
        outcome = score_predictions(benchmark, data, predictions, tuple(protocol or ()))
        if report:
            from evals.report.sheets import outcome_sheet

            write_report(outcome_sheet(outcome, data), report)
        if json_file:
            write_json(json_file, outcome.as_json())
        show_outcome(outcome)
        if not any(comparison.model.n for comparison in outcome.comparisons):
            raise ConfigError(f"nothing in {str(predictions)!r} could be scored: what was left out, and why, is above")

    return score


for _name in BENCHMARKS:
    app.command(_name, help="Score a file of predictions.")(_command(_name))


def write_report(sheet: "Sheet", path: Path) -> None:
    """The HTML report; what is wrong with pictures is named. Raises ConfigError if it cannot be written."""
    # Templates, which a table has no use for.
    from evals.report.build import write_sheet

    tell_left_out(notes_console(), "pictures", write_sheet(sheet, path))


def show_outcome(outcome: Outcome) -> None:
    """The table on stdout; what was left out on stderr."""
    notes = notes_console()
    tell_left_out(notes, "rows of the data", outcome.broken)
    tell_left_out(notes, "predictions", outcome.problems)
    tell_warnings(notes, outcome.warnings)
    console = results_console()
    console.print(protocol_table(f"{outcome.benchmark}, {outcome.file}", outcome.comparisons))
    for comparison in outcome.comparisons:
        for line in details(comparison):
            console.print(f"{comparison.rule.name}: {line}", soft_wrap=True)

"""`agent eval`: how good a model is, by named rules."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from action_space.errors import ConfigError
from agent.cli import Spec
from agent.interrupt import INTERRUPTED_EXIT
from evals.benchmarks import BENCHMARKS
from evals.online.miniwob.tasks import FIRST_EVALUATION_SEED, GROUPS, MAX_STEPS, SCALE, choose_tasks
from evals.outcome import Outcome, score_predictions
from evals.protocols import rules_of
from evals.report import require_writable
from evals.runner import Crew
from evals.tables import (
    details,
    group_table,
    notes_console,
    protocol_table,
    results_console,
    tell_left_out,
    tell_warnings,
)

if TYPE_CHECKING:
    from evals.measuring import Wish
    from evals.report.build import Sheet

app = typer.Typer(
    name="eval", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


Report = Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="Write a report for people.")]


@app.callback()
def main() -> None:
    """Measure a model on a benchmark."""


Workers = Annotated[int, typer.Option(min=0, help="Processes that work at once; 0 is this one, without time limit.")]
EngineName = Annotated[str, typer.Option("--engine", metavar="local|ray", help="This machine, or a Ray cluster.")]
TimeLimit = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="What takes longer is killed, and counted as an error.")
]
Resume = Annotated[Path | None, typer.Option(metavar="DIR", help="Go on in a folder, with its own settings.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")]
Predictions = Annotated[
    Path | None, typer.Option("--predictions", metavar="FILE.jsonl", help="Score these; one prediction a line.")
]


@app.command("generated")
def generated_command(
    model: Annotated[str, typer.Option("--model", metavar="SPEC", help="Ask this model.")] = "",
    pages: Annotated[int | None, typer.Option("--limit", min=1, help="Pages to draw; 60 if not told.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than 0 draws other pages.")] = None,
    size: Annotated[str, typer.Option(help="Page size, WIDTHxHEIGHT; 1280x720 unless told otherwise.")] = "",
    style: Annotated[
        str,
        typer.Option(metavar="plain|app|text", help="Forms and lists, an app with icons, or text with links in it."),
    ] = "",
    missing: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of each page, ask for N names too that are not there.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pages that were drawn before: OUT/pages.")
    ] = None,
    predictions: Predictions = None,
    out: Annotated[Path | None, typer.Option(help="Folder of pages and answers; by default a new one.")] = None,
    resume: Resume = None,
    workers: Workers = 1,
    engine: EngineName = "local",
    time_limit: TimeLimit = 600,
    json_file: JsonFile = None,
    report: Report = None,
) -> None:
    """Grounding on generated pages of unseen words and fonts: the point lies in the target's box, or, of a name that
    is not on the page, the model says so."""
    from evals import asking, measuring

    drawn = {"pages": pages, "seed": seed, "size": asking.page_size(size) if size else None, "style": style or None}
    given = {name: value for name, value in {**drawn, "missing": missing}.items() if value is not None}
    if (data or resume) and given:
        raise ConfigError(
            "pages that are there are not drawn again: leave out --limit, --seed, --size, --style and --missing"
        )
    if style not in ("", "plain", "app", "text"):
        raise ConfigError(f"--style {style!r} is unknown: choose plain, app or text")
    drawing = None if data or resume else asking.Drawing.model_validate(given)
    wish = measuring.Wish(data, model, None, out, resume, drawing)
    crew = Crew(engine=engine, workers=workers, limit_s=time_limit)
    measure("generated", wish, predictions, (), crew, Files(json_file, report))


@app.command("miniwob")
def miniwob_command(
    model: Spec = "bundled",
    task_names: Annotated[
        str, typer.Option("--tasks", metavar="NAME,...|train|heldout|pix2act|all", help="What is played.")
    ] = "all",
    episodes: Annotated[int, typer.Option(min=1, help="Of each task.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the first episode; 1000000 and above are for evaluation only.")
    ] = FIRST_EVALUATION_SEED,
    scale: Annotated[float, typer.Option(min=1, max=4, help="Screenshot pixels per CSS pixel.")] = SCALE,
    max_steps: Annotated[int, typer.Option(min=1, help="Of an episode.")] = MAX_STEPS,
    with_oracle: Annotated[bool, typer.Option("--oracle", help="Play with scripts that look at the page.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of results and runs; by default a new one.")] = None,
    resume: Resume = None,
    workers: Workers = 1,
    engine: EngineName = "local",
    time_limit: TimeLimit = 1800,
    pictures_mb: Annotated[
        float, typer.Option(min=0, help="For screenshots and reports of all episodes; further ones are not kept.")
    ] = 5000,
    json_file: JsonFile = None,
    report: Report = None,
) -> None:
    """MiniWoB++ pages, live and by pixels only: solved is a raw reward of 1."""
    # Plays in a browser, which scoring predictions has no use for.
    from agent.models import check_spec
    from agent.session import default_folder
    from evals import journal
    from evals.online.miniwob import attempts, oracle, play
    from evals.online.miniwob import report as tables

    if report:
        require_writable(report)
    if resume is not None:
        folder, plan = resume, journal.read_plan(resume, attempts.Plan)
    else:
        if not with_oracle:
            check_spec(model)
        if seed < FIRST_EVALUATION_SEED < seed + episodes:
            raise ConfigError(
                f"seeds {seed} to {seed + episodes - 1} are for training and for evaluation: choose one side"
            )
        plan = attempts.Plan(
            model=oracle.OracleModel.name if with_oracle else model,
            tasks=_tasks(task_names, frozenset(oracle.ORACLES) if with_oracle else None),
            episodes=episodes,
            seed=seed,
            scale=scale,
            max_steps=max_steps,
        )
        folder = out or default_folder("miniwob")
        journal.start(folder, plan)
    crew = Crew(engine=engine, workers=workers, limit_s=time_limit)
    whole = play.play_episodes(plan, folder, crew, pictures_mb)
    results = attempts.read_results(folder)
    if report:
        from evals.report.live import miniwob_sheet

        write_report(miniwob_sheet(plan, results, report), report)
    if results:
        Console().print(tables.table(plan, results))
    if json_file:
        write_json(json_file, tables.summary(plan, results))
    if not whole:
        end_interrupted(folder)


@app.command("miniwob-demonstrations")
def demonstrations_command(
    out: Annotated[Path, typer.Option(help="Folder of the shards; what is there already stays.")],
    task_names: Annotated[
        str, typer.Option("--tasks", metavar="NAME,...|train", help="Training tasks that have an oracle.")
    ] = "train",
    episodes: Annotated[int, typer.Option(min=1, help="Of each task.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode, below 1000000.")] = 0,
) -> None:
    """Play MiniWoB++ training pages by oracles, and write what they do as training data (docs/training.md)."""
    from environments.chromium import own_browser
    from evals.online.miniwob import demonstrations
    from vlm.training.data.shards import counted

    console = notes_console()
    tasks = demonstrations.demonstrable() if task_names == "train" else choose_tasks(task_names)
    with own_browser() as browser:
        for line in demonstrations.demonstrate(browser, out, tasks=tasks, episodes=episodes, seed=seed):
            console.print(line, markup=False)
    console.print(f"{out}: {', '.join(f'{name} {number}' for name, number in counted(out).items())}", markup=False)


def _tasks(names: str, playable: frozenset[str] | None) -> tuple[str, ...]:
    """The tasks that were asked for; of a whole group, those that can be played."""
    chosen = choose_tasks(names)
    if playable is not None and names in GROUPS:
        return tuple(name for name in chosen if name in playable)
    return chosen


def end_interrupted(folder: Path) -> NoReturn:
    notes_console().print(f"interrupted: go on with --resume {folder}", markup=False)
    raise typer.Exit(INTERRUPTED_EXIT)


def write_json(path: Path, result: dict[str, object]) -> None:
    """Raises ConfigError if the file cannot be written."""
    try:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write --json {str(path)!r}: {error.strerror}") from error


def _command(benchmark: str) -> Callable[..., None]:
    def score(
        data: Annotated[
            Path | None, typer.Option("--data", metavar="DIR", help="Folder with the benchmark's own files.")
        ] = None,
        predictions: Predictions = None,
        model: Annotated[
            str, typer.Option("--model", metavar="SPEC", help="Ask this model, and score what it answers.")
        ] = "",
        protocol: Annotated[
            list[str] | None, typer.Option("--protocol", metavar="NAME", help="Only this rule; may be repeated.")
        ] = None,
        limit: Annotated[
            int | None, typer.Option(min=1, help="Ask so many questions only, drawn by chance, always the same.")
        ] = None,
        out: Annotated[Path | None, typer.Option(help="Folder of the answers; by default a new one.")] = None,
        resume: Resume = None,
        workers: Workers = 1,
        engine: EngineName = "local",
        time_limit: TimeLimit = 600,
        json_file: JsonFile = None,
        report: Report = None,
    ) -> None:
        from evals.measuring import Wish

        crew = Crew(engine=engine, workers=workers, limit_s=time_limit)
        wish = Wish(data, model, limit, out, resume)
        measure(benchmark, wish, predictions, tuple(protocol or ()), crew, Files(json_file, report))

    return score


@dataclass(frozen=True, slots=True)
class Files:
    """What is written besides the results."""

    json_file: Path | None
    report: Path | None


def measure(
    benchmark: str, wish: "Wish", predictions: Path | None, protocols: tuple[str, ...], crew: Crew, files: Files
) -> None:
    """Score a file of predictions, or ask a model and score its answers. Raises ClickwrightError, Exit."""
    from evals import asking, measuring

    if files.report:
        require_writable(files.report)
    if predictions is not None:
        if wish.data is None or wish.model or wish.resume:
            raise ConfigError("--predictions are scored with --data DIR, and without --model or --resume")
        outcome = score_predictions(benchmark, wish.data, predictions, protocols)
        finish_scoring(outcome, outcome.as_json(), str(predictions), wish.data, files)
        return
    rules_of(benchmark, protocols)  # a wrong name is told now, not when the model has answered
    exam, folder = measuring.begin(benchmark, wish)
    whole = measuring.ask_all(exam, folder, crew)
    answers = asking.read_answers(folder)
    outcome = measuring.score(exam, answers, protocols)
    if whole or outcome.steps:
        finish_scoring(outcome, measuring.as_json(exam, answers, outcome), str(folder), exam.pictures, files)
    if not whole:
        end_interrupted(folder)


def finish_scoring(outcome: Outcome, numbers: dict[str, object], what: str, data: Path, files: Files) -> None:
    """Show and write what came out. what: is scored, for people. data: the benchmark's folder. Raises ConfigError where
    nothing did."""
    if files.report:
        from evals.report.sheets import outcome_sheet

        write_report(outcome_sheet(outcome, data), files.report)
    if files.json_file:
        write_json(files.json_file, numbers)
    show_outcome(outcome)
    if not any(comparison.model.n for comparison in outcome.comparisons):
        raise ConfigError(f"nothing in {what!r} could be scored: what was left out, and why, is above")


for _name in BENCHMARKS:
    if _name != "generated":  # which has its own options, for the pages that it draws
        app.command(_name, help="Ask a model, or score a file of predictions.")(_command(_name))


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
    if len(outcome.comparisons) == 1:
        console.print(group_table(outcome.comparisons[0].model))

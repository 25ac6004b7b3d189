"""`agent replay`: recorded runs asked again, without a device."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.markup import escape
from rich.progress import Progress

from action_space.actions import Action
from action_space.dialects import load_dialect
from action_space.errors import ConfigError, ModelError
from agent.cli import Json
from agent.interrupt import INTERRUPTED_EXIT
from agent.models import SpokenModel, load_model
from agent.results import results_only
from evals.acts import acts_of
from evals.bars import Bar, is_met, reached, read_bars
from evals.benchmarks.reading import Broken
from evals.difference import Difference, differ, read_side, side_of
from evals.protocols import load_rule, rules_of
from evals.protocols.values import Rule
from evals.recordings import BENCHMARK, Question, Recordings, read_recordings
from evals.replay import Answer, Choices, Mode, NotReached, ask_again
from evals.replay_tables import show
from evals.report import require_writable
from evals.standing import Standing, stand, standing_as_json
from evals.tables import beside_the_model, notes_console, tell_left_out

MODES: tuple[str, ...] = get_args(Mode)

MISSED = 1
"""Exit status if a bar was missed."""

app = typer.Typer(name="replay", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass
class Replay:
    """What was found so far. stopped: why the asking ended early, "" if it did not; code: the exit status for that."""

    mode: Mode
    recordings: Recordings
    rules: Sequence[Rule]
    choices: Choices
    standings: list[Standing] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    stopped: str = ""
    code: int = 0


@app.command()
def replay(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or folders that hold runs.")],
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="SPEC", help="May be repeated: the first is compared with.")
    ] = None,
    protocols: Annotated[
        list[str] | None, typer.Option("--protocol", metavar="NAME", help="Only this rule; may be repeated.")
    ] = None,
    mode: Annotated[str, typer.Option(metavar="|".join(MODES), help="How the model is led.")] = "teacher-forced",
    dialect: Annotated[str, typer.Option(help="How the model is asked, if not as it prefers.")] = "",
    screenshots: Annotated[int | None, typer.Option(min=1, help="Pictures in a prompt; default as recorded.")] = None,
    constrained: Annotated[
        bool | None, typer.Option("--constrained/--free", help="By grammar or not; default as recorded.")
    ] = None,
    any_outcome: Annotated[
        bool, typer.Option("--any-outcome", help="Take what unsuccessful runs did for right, too.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many of the runs.")] = None,
    seed: Annotated[int, typer.Option(help="Which runs --limit draws.")] = 0,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="What --json printed before, to compare with.")
    ] = None,
    bar: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Exit with 1 below it, as step_success=0.8.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a report for people.")] = None,
    times: Annotated[
        bool, typer.Option("--times", help="Say seconds in the JSON and the report, which differ each time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a model again at every step of recorded runs, and compare with what was done."""
    rules = [
        load_rule("recorded"),
        *(rule for rule in rules_of(BENCHMARK, tuple(protocols or ())) if rule.name != "recorded"),
    ]
    bars = read_bars(bar or (), rules)
    if mode not in MODES:
        raise ConfigError(f"--mode {mode!r} is unknown: choose one of {', '.join(MODES)}")
    if dialect:
        load_dialect(dialect)
    before = read_side(against) if against else None
    if report:
        require_writable(report)
    with results_only(as_json) as give:
        recordings = read_recordings(runs, any_outcome=any_outcome, limit=limit, seed=seed)
        done = Replay(
            "semi-online" if mode == "semi-online" else "teacher-forced",
            recordings,
            rules,
            Choices(dialect or None, screenshots, constrained),
        )
        ask_all(done, models or ["bundled"])
        sides = [*([before] if before else []), *map(side_of, done.standings)]
        differences = [differ(sides[0], other) for other in sides[1:]]
        code = done.code or (0 if all(is_met(each, one) for each in bars for one in done.standings) else MISSED)
        tell(done)
        if report:
            write_report(done, differences, report, times=times)
        if not as_json:
            show(done.standings, differences, bars)
        if as_json:
            give(as_result(done, differences, bars, times=times) | {"exit_code": code})
    raise typer.Exit(code)


def ask_all(done: Replay, specs: Sequence[str]) -> None:
    """Ask every model at every step. What was answered before the asking had to stop is kept, and scored."""
    for spec, label in zip(specs, _labels(specs), strict=True):
        if done.code:
            return
        model = load_model(spec)
        found: list[Answer | NotReached] = []
        try:
            found.extend(_asked(done, model, label))
        except ModelError as error:
            done.stopped, done.code = str(error), 4
        except KeyboardInterrupt:
            done.stopped, done.code = "interrupted", INTERRUPTED_EXIT
        done.standings.append(
            stand(
                label,
                done.choices.dialect or model.dialect,
                done.rules,
                done.recordings.questions,
                {each.id: each for each in found if isinstance(each, Answer)},
                frozenset(each.id for each in found if isinstance(each, NotReached)),
                complete=not done.code,
            )
        )


def _labels(specs: Sequence[str]) -> list[str]:
    """Names for models that tell them apart."""
    return [
        spec if specs.count(spec) == 1 else f"{spec} ({specs[: at + 1].count(spec)})" for at, spec in enumerate(specs)
    ]


def _asked(done: Replay, model: SpokenModel, label: str) -> Iterator[Answer | NotReached]:
    """What comes of all questions; what is broken is kept in `done`."""

    def is_right(question: Question, action: Action | None) -> bool:
        return done.rules[0].score(question.scored, acts_of(action)).value == 1

    console = notes_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(label), total=len(done.recordings.questions))
        for run in done.recordings.runs:
            for found in ask_again(model, run, done.mode, is_right, done.choices):
                progress.advance(task)
                if not isinstance(found, Broken):
                    yield found
                elif found not in done.broken:  # every model stumbles over it
                    done.broken.append(found)


def as_result(
    done: Replay, differences: Sequence[Difference], bars: Sequence[Bar], *, times: bool
) -> dict[str, object]:
    """The JSON of a replay: the same bytes for the same answers, without times."""
    recordings = done.recordings
    return {
        "mode": done.mode,
        "runs": len(recordings.runs),
        "questions": len(recordings.questions),
        "left_out": recordings.left_out,
        "broken": [asdict(each) for each in (*recordings.broken, *done.broken)],
        "models": [standing_as_json(each, recordings.questions, times=times) for each in done.standings],
        "differences": [each.as_json() for each in differences],
        "bars": [
            {
                "name": each.name,
                "least": each.least,
                "model": one.label,
                "value": reached(each, one),
                "met": is_met(each, one),
            }
            for each in bars
            for one in done.standings
        ],
        "stopped": done.stopped,
    }


def tell(done: Replay) -> None:
    """On stderr: what was left out and why, and what differs each time, which is how long it took."""
    notes = notes_console()
    tell_left_out(notes, "runs and steps", [*done.recordings.broken, *done.broken])
    for why, count in done.recordings.left_out.items():
        notes.print(f"{count} steps left out: {why}")
    for standing in done.standings:
        asked = len(standing.answers)
        each = f", {standing.seconds / asked:.2f} s a step" if asked else ""
        took = beside_the_model(standing.seconds, standing.model_s)
        notes.print(f"{escape(standing.label)}: {asked} steps asked in {took}{each}")
    if done.stopped:
        notes.print(f"agent: stopped early, the numbers are of what was asked until then: {escape(done.stopped)}")


def write_report(done: Replay, differences: Sequence[Difference], path: Path, *, times: bool) -> None:
    """Raises ConfigError if the file cannot be written."""
    # Templates, which a table has no use for.
    from evals.report.build import write_sheet
    from evals.report.sheets import replay_sheet

    sheet = replay_sheet(done.recordings, done.mode, done.standings, differences, done.broken, path, times=times)
    write_sheet(sheet, path)

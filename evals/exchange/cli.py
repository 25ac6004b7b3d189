"""`agent import` and `agent export`: runs of other programs as ours, and ours as rows to train or score with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from action_space.dialects import load_dialect
from action_space.errors import ConfigError
from agent.cli import Json
from agent.results import results_only
from agent.trajectory import Trajectory, read_trajectory
from evals.benchmarks.reading import Broken
from evals.exchange import EXPORTERS, IMPORTERS, load_exporter, load_importer
from evals.exchange.exporting import Exported, Exporter, Words, export_runs
from evals.exchange.foreign import Foreign, Imported, Importer, import_run
from evals.online.miniwob.tasks import is_for_evaluation
from evals.recordings import run_folders
from evals.tables import notes_console, tell_left_out

import_app = typer.Typer(name="import", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
export_app = typer.Typer(name="export", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@import_app.command()
def import_command(
    form: Annotated[str, typer.Argument(metavar="|".join(IMPORTERS), help="What wrote the runs.")],
    path: Annotated[Path, typer.Argument(help="Its file or folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the runs are written, each a folder.")],
    task: Annotated[str, typer.Option(help="The task, where the source does not say it.")] = "",
    as_json: Json = False,
) -> None:
    """Turn the runs of another program into runs of ours."""
    importer = load_importer(form)
    if not path.exists():
        raise ConfigError(f"{str(path)!r} does not exist: give {importer.takes}")
    with results_only(as_json) as give:
        done, broken = bring_in(importer, path, out, task)
        tell_left_out(notes_console(), "runs and steps", broken)
        if not done:
            raise ConfigError(f"no run of {str(path)!r} could be imported: what was left out, and why, is above")
        steps = sum(each.steps for each in done)
        if as_json:
            give(
                {
                    "runs": [{"run": str(each.folder), "steps": each.steps} for each in done],
                    "steps": steps,
                    "broken": [asdict(each) for each in broken],
                    "exit_code": 0,
                }
            )
        else:
            typer.echo(f"{len(done)} runs, {steps} steps in {out}")


def bring_in(importer: Importer, path: Path, out: Path, task: str) -> tuple[list[Imported], list[Broken]]:
    """Every run at a path. Raises ConfigError, RecordingError."""
    done: list[Imported] = []
    broken: list[Broken] = []
    for foreign in importer.runs(path, task):
        for each in import_run(foreign, out, importer.name) if isinstance(foreign, Foreign) else [foreign]:
            if isinstance(each, Broken):
                broken.append(each)
            else:
                done.append(each)
    return done, broken


@export_app.command()
def export_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or folders that hold runs.")],
    form: Annotated[str, typer.Option("--format", metavar="|".join(EXPORTERS), help="What is written.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder for the rows and their pictures.")],
    dialect: Annotated[str, typer.Option(help="Of openai: how the model is asked and answers.")] = "",
    any_outcome: Annotated[bool, typer.Option("--any-outcome", help="Runs that did not succeed, too.")] = False,
    as_json: Json = False,
) -> None:
    """Write runs as rows to train or score with."""
    exporter = load_exporter(form)
    if dialect:
        load_dialect(dialect)
    if dialect and exporter.name != "openai":
        raise ConfigError(f"--dialect is for openai; {exporter.name} has words of its own")
    with results_only(as_json) as give:
        chosen, broken, left_out = choose_runs(exporter, runs, any_outcome=any_outcome)
        written: Exported | None = None
        for each in export_runs(exporter, chosen, out, Words(dialect)):
            if isinstance(each, Broken):
                broken.append(each)
            else:
                written = each
        notes = notes_console()
        tell_left_out(notes, "runs and steps", broken)
        for reason, count in left_out.items():
            notes.print(f"{count} runs left out: ended with {escape(reason)}")
        assert written is not None
        if as_json:
            result: dict[str, object] = {"file": str(written.file), "rows": written.rows, "pictures": written.pictures}
            give(result | {"left_out": left_out, "broken": [asdict(each) for each in broken], "exit_code": 0})
        else:
            typer.echo(f"{written.rows} rows in {written.file}, {written.pictures} pictures")


FOR_EVALUATION = "a MiniWoB++ page that is for evaluation only (held out, or of a seed from 1000000): not to learn from"


def choose_runs(
    exporter: Exporter, paths: Sequence[Path], *, any_outcome: bool
) -> tuple[list[tuple[str, Trajectory]], list[Broken], dict[str, int]]:
    """Runs with a name of their own; runs that cannot be read; and how runs ended that are left out for it.

    Raises ConfigError if nothing is left.
    """
    chosen: list[tuple[str, Trajectory]] = []
    broken: list[Broken] = []
    left_out: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for folder, name in {folder: _name(folder, path) for path in paths for folder in run_folders(path)}.items():
        try:
            trajectory = read_trajectory(folder)
        except ConfigError as error:
            broken.append(Broken(str(folder), str(error)))
            continue
        if exporter.trains and is_for_evaluation(trajectory.header.settings.url):
            broken.append(Broken(str(folder), FOR_EVALUATION))
            continue
        if exporter.only_successful and trajectory.reason != "success" and not any_outcome:
            left_out[trajectory.reason] += 1
            continue
        names[name] += 1
        chosen.append((name if names[name] == 1 else f"{name}-{names[name]}", trajectory))
    if not chosen:
        ended = ", ".join(f"{count} ended with {reason}" for reason, count in left_out.items())
        advice = f"{ended}; --any-outcome takes them" if ended else f"{broken[0].where}: {broken[0].why}"
        raise ConfigError(f"there is no run to export: {advice}")
    return chosen, broken, dict(left_out)


def _name(folder: Path, given: Path) -> str:
    """A run's folder, with the folders between it and the one that was given."""
    return "-".join(folder.relative_to(given).parts) or folder.absolute().name

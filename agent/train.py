"""`agent train`: how the bundled model is made, from drawn screens to a checkpoint; it goes on where it stopped."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from action_space.errors import ConfigError
from environments.chromium import drawing_tab

app = typer.Typer(name="train", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SMOKE_SCREENS, SMOKE_SPECIMENS = 8, 4
MOMENT = 0.001
"""Minutes: a step of each stage."""


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for screens, checkpoints and logs, outside the repository.")],
    screens: Annotated[int, typer.Option(min=8, help="Screens to draw.")] = 1600,
    drawn: Annotated[Path | None, typer.Option(help="Screens that an earlier call drew, in place of new ones.")] = None,
    specimens: Annotated[int, typer.Option(min=4, help="Pages full of text to draw, for reading.")] = 120,
    vision_minutes: Annotated[float, typer.Option(help="Stage 1: the vision tower, on dense targets.")] = 45,
    teach_minutes: Annotated[float, typer.Option(help="Stage 2: the language model, on points and plans.")] = 100,
    begin: Annotated[
        Path | None, typer.Option("--from", help="Teach on from this checkpoint, or a stage's .pt, not from nothing.")
    ] = None,
    sampled: Annotated[
        list[Path] | None,
        typer.Option(help="Refine --from on the answers in this folder, without teaching. May be given several times."),
    ] = None,
    refine_minutes: Annotated[float, typer.Option(help="With --sampled: fine-tuning on confirmed answers.")] = 25,
    prefer_minutes: Annotated[float, typer.Option(help="With --sampled: DPO against rejected answers, at most.")] = 5,
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Write the finished checkpoint to this folder.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that train together, a thread each.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of screens and weights.")] = 11,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Only see that every stage runs: a step each, tiny data.")
    ] = False,
) -> None:
    """Draw screens, train the stages one after the other, and export. Stop it at any time and call it again.

    With --sampled the stages are those behind teaching: fine-tuning on answers that `python -m evals.online.sampling`
    kept, and preferences.
    """
    console = Console(stderr=True)
    if sampled and begin is None:
        raise ConfigError("--sampled refines what was taught: name it with --from, a checkpoint or a stage's .pt")
    if smoke:
        screens, specimens, vision_minutes, teach_minutes = SMOKE_SCREENS, SMOKE_SPECIMENS, MOMENT, MOMENT
        refine_minutes = prefer_minutes = MOMENT
    pages, texts = drawn or out / "screens", out / "specimens"
    if drawn is None:
        _draw(pages, screens, seed, console, specimens=False)
    if not sampled:
        _draw(texts, specimens, seed, console, specimens=True)
    from vlm.training.recipe import Further, Minutes, further, make, quiz
    from vlm.training.run import FULL, SMOKE

    minutes = Minutes(vision_minutes, teach_minutes, refine_minutes, prefer_minutes)
    amounts = SMOKE if smoke else FULL
    console.print(f"training in {workers} processes; follow {out}/*.log.jsonl")
    if not sampled:
        taught = export_to or out / "taught"
        make(
            pages,
            texts,
            out,
            minutes,
            seed=seed,
            amounts=amounts,
            workers=workers,
            begin=begin,
            export_to=taught if smoke else export_to,
        )
        if smoke:
            quiz(taught, pages, out / "answers", points=1, plans=2, attempts=2, seed=seed)
            begin, sampled = taught, [out / "answers"]
    if sampled and begin:
        plan = Further(begin, sampled, pages, out, minutes, seed, amounts)
        further(plan, workers=workers, export_to=export_to)
    if export_to:
        console.print(f"exported to {export_to}")


def _draw(folder: Path, count: int, seed: int, console: Console, *, specimens: bool) -> None:
    """Draw what is not drawn yet."""
    from vlm.training.data.render import read_screens, render_screens

    if sum(1 for _ in read_screens(folder)) >= count:
        return
    with drawing_tab() as tab:
        drawing = render_screens(tab, folder, count=count, seed=seed, specimens=specimens)
        for _ in track(drawing, f"drawing {folder.name}", console=console, total=count):
            pass

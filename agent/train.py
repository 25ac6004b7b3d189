"""`agent train`: how the bundled model is made, from drawn screens to a checkpoint; it goes on where it stopped."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from environments.chromium import drawing_tab

app = typer.Typer(name="train", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SMOKE_SCREENS, SMOKE_SPECIMENS = 8, 4


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for screens, checkpoints and logs, outside the repository.")],
    screens: Annotated[int, typer.Option(min=8, help="Screens to draw.")] = 1600,
    specimens: Annotated[int, typer.Option(min=4, help="Pages full of text to draw, for reading.")] = 120,
    vision_minutes: Annotated[float, typer.Option(help="Stage 1: the vision tower, on dense targets.")] = 45,
    teach_minutes: Annotated[float, typer.Option(help="Stage 2: the language model, on points and plans.")] = 100,
    begin: Annotated[
        Path | None, typer.Option("--from", help="Teach on from this checkpoint instead of from nothing.")
    ] = None,
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Write the finished checkpoint to this folder.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that train together, a thread each.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of screens and weights.")] = 11,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Only see that every stage runs: a step each, tiny data.")
    ] = False,
) -> None:
    """Draw screens, train the stages one after the other, and export. Stop it at any time and call it again."""
    console = Console(stderr=True)
    if smoke:
        screens, specimens, vision_minutes, teach_minutes = SMOKE_SCREENS, SMOKE_SPECIMENS, 0.001, 0.001
    pages, texts = out / "screens", out / "specimens"
    with drawing_tab() as tab:
        from vlm.training.data.render import render_screens

        for name, drawing in (
            ("screens", render_screens(tab, pages, count=screens, seed=seed)),
            ("specimens", render_screens(tab, texts, count=specimens, seed=seed, specimens=True)),
        ):
            for _ in track(
                drawing, f"drawing {name}", console=console, total=screens if name == "screens" else specimens
            ):
                pass
    from vlm.training.recipe import Minutes, make
    from vlm.training.run import FULL, SMOKE

    console.print(f"training in {workers} processes; follow {out}/*.log.jsonl")
    make(
        pages,
        texts,
        out,
        Minutes(vision_minutes, teach_minutes),
        seed=seed,
        amounts=SMOKE if smoke else FULL,
        workers=workers,
        begin=begin,
        export_to=export_to,
    )
    if export_to:
        console.print(f"exported to {export_to}")

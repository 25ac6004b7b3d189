"""`agent train`: how the bundled model is made, from drawn screens to a checkpoint; it goes on where it stopped."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track

from action_space.errors import ConfigError
from environments.chromium import drawing_tab, own_browser

if TYPE_CHECKING:
    from vlm.training.data.pages import Page
    from vlm.training.data.records import Kind

app = typer.Typer(name="train", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SMOKE_SCREENS, SMOKE_SPECIMENS = 8, 4
MOMENT = 0.001
"""Minutes: a step of each stage."""


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for screens, checkpoints and logs, outside the repository.")],
    screens: Annotated[int, typer.Option(min=8, help="Screens to draw.")] = 1600,
    kinds: Annotated[
        str, typer.Option(metavar="all|NAME,...", help="Kinds of questions to write about them (docs/training.md).")
    ] = "all",
    icons: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where npm installed more icon sets (it holds node_modules).")
    ] = None,
    draw_only: Annotated[bool, typer.Option("--draw-only", help="Write the data and stop.")] = False,
    drawn: Annotated[Path | None, typer.Option(help="Screens that an earlier call drew, in place of new ones.")] = None,
    specimens: Annotated[
        int, typer.Option(min=4, help="Pages full of text to draw, and so many full of icons, for the vision tower.")
    ] = 240,
    vision_minutes: Annotated[float, typer.Option(help="Stage 1: the vision tower, on dense targets.")] = 45,
    icon_minutes: Annotated[
        float, typer.Option(help="The vision tower, on icons; also with --from and --sampled, if more than 0.")
    ] = 0,
    teach_minutes: Annotated[float, typer.Option(help="Stage 2: the language model, on points and plans.")] = 100,
    begin: Annotated[
        Path | None, typer.Option("--from", help="Teach on from this checkpoint, or `bundled`, or a stage's .pt.")
    ] = None,
    sampled: Annotated[
        list[Path] | None,
        typer.Option(help="Refine --from on the answers in this folder, without teaching. May be given several times."),
    ] = None,
    refine_minutes: Annotated[float, typer.Option(help="With --sampled: fine-tuning on confirmed answers.")] = 25,
    refine_rate: Annotated[
        float, typer.Option(min=0, help="In it the highest learning rate; more learns new things sooner, and forgets.")
    ] = 0.003,
    refine_mix: Annotated[
        Literal["acting", "pointing"],
        typer.Option(help="In it mostly what to do next, or mostly where things are on drawn screens."),
    ] = "acting",
    refine_tower: Annotated[
        bool, typer.Option("--refine-tower", help="In it the vision tower learns too, from small pictures.")
    ] = False,
    prefer_minutes: Annotated[float, typer.Option(help="With --sampled: DPO against rejected answers, at most.")] = 5,
    name_minutes: Annotated[
        float,
        typer.Option(help="At last what tells names of places, for when the model is not sure of one (any call)."),
    ] = 0,
    act_minutes: Annotated[
        float, typer.Option(help="With --sampled: what tells what is due on a screen that has to be looked at.")
    ] = 0,
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Write the finished checkpoint to this folder.")
    ] = None,
    neurons: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --export: leave so many of each layer's neurons in the decoder, those that matter most."
        ),
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
    _require_what_is_needed(begin, sampled, act_minutes, neurons, export_to)
    if smoke:
        screens, specimens, vision_minutes, teach_minutes = SMOKE_SCREENS, SMOKE_SPECIMENS, MOMENT, MOMENT
        icon_minutes = refine_minutes = prefer_minutes = name_minutes = MOMENT
    seeing = not sampled or refine_minutes or icon_minutes or name_minutes
    if drawn is None and seeing:
        _draw_screens(console, out / "screens", screens, seed, choose_kinds(kinds), icons)
    writers = {} if begin else {"specimens": _text_pages}
    writers |= {"icons": partial(_icon_pages, icons)} if icon_minutes or name_minutes else {}
    _draw_pages(console, out, specimens, seed, writers)
    if draw_only:
        return
    from vlm import folder_of
    from vlm.backends.settings import what_runs_models
    from vlm.training.data.render import Drawn
    from vlm.training.recipe import Further, Minutes, further, make, quiz
    from vlm.training.refine import MIXES
    from vlm.training.run import FULL, SMOKE

    begin = folder_of() if str(begin) == "bundled" else begin
    pages = Drawn(drawn or out / "screens", out / "specimens", out / "icons")
    minutes = Minutes(
        vision_minutes, teach_minutes, icon_minutes, refine_minutes, prefer_minutes, name_minutes, act_minutes
    )
    amounts = SMOKE if smoke else FULL
    console.print(f"training on {what_runs_models()}; follow {out}/*.log.jsonl", markup=False, soft_wrap=True)
    if not sampled:
        taught = export_to or out / "taught"
        make(
            pages,
            out,
            minutes,
            seed=seed,
            amounts=amounts,
            workers=workers,
            begin=begin,
            export_to=taught if smoke else export_to,
            neurons=neurons,
        )
        if smoke:
            quiz(taught, pages.screens, out / "answers", points=1, plans=2, attempts=2, seed=seed)
            begin, sampled = taught, [out / "answers"]
    if sampled and begin:
        plan = Further(
            begin,
            sampled,
            pages,
            out,
            minutes,
            seed,
            amounts,
            rate=refine_rate,
            mix=MIXES[refine_mix],
            tower=refine_tower or smoke,
        )
        further(plan, workers=workers, export_to=export_to)
    if export_to:
        console.print(f"exported to {export_to}")


def _require_what_is_needed(
    begin: Path | None, sampled: list[Path] | None, act_minutes: float, neurons: int | None, export_to: Path | None
) -> None:
    """Raises ConfigError for an option without another one that it needs."""
    if sampled and begin is None:
        raise ConfigError("--sampled refines what was taught: name it with --from, a checkpoint or a stage's .pt")
    if act_minutes and not sampled:
        raise ConfigError("--act-minutes learns from what was recorded: name it with --sampled")
    if neurons and (sampled or export_to is None):
        raise ConfigError("--neurons makes what is exported narrower: give it with --export, without --sampled")


def choose_kinds(text: str) -> "tuple[Kind, ...]":
    """The kinds that `all` or `NAME,NAME` stands for. Raises ConfigError naming a wrong one."""
    from vlm.training.data.records import KINDS

    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return KINDS
    for name in names:
        if name not in KINDS:
            raise ConfigError(f"there is no kind of data {name!r}: choose all, or of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in names)


def _draw_screens(
    console: Console, folder: Path, count: int, seed: int, kinds: "tuple[Kind, ...]", icons: Path | None
) -> None:
    """Shards of screens of all kinds of pages, with what is asked about them; says what was left out, and why."""
    from vlm.training.data.screens import draw_shards, open_studio
    from vlm.training.data.shards import counted

    with own_browser() as browser:
        drawing = draw_shards(open_studio(browser, icons), folder, screens=count, seed=seed, kinds=kinds)
        for _ in track(drawing, "drawing screens", console=console, total=count):
            pass
    found = ", ".join(f"{name} {number}" for name, number in counted(folder).items())
    console.print(f"{folder}: {found}", markup=False, soft_wrap=True)


def _draw_pages(
    console: Console, out: Path, count: int, seed: int, writers: "Mapping[str, Callable[[], Callable[[Random], Page]]]"
) -> None:
    """`count` pages into each folder that is named. writers: what makes the writer of its pages."""
    from vlm.training.data.render import render_screens
    from vlm.training.disk import writing

    for name, writer in writers.items():
        with writing(out / name), drawing_tab() as tab:
            drawing = render_screens(tab, out / name, writer(), count=count, seed=seed)
            for _ in track(drawing, f"drawing {name}", console=console, total=count):
                pass


def _text_pages() -> "Callable[[Random], Page]":
    from vlm.training.data.render import writers

    writer = writers(held_out=False)
    return lambda rng: writer(rng).specimen()


def _icon_pages(icons_in: Path | None) -> "Callable[[Random], Page]":
    from vlm.training.data.icons import Icons
    from vlm.training.data.pages_icons import icon_page
    from vlm.training.data.render import installed_fonts
    from vlm.training.data.sheet import Sheet
    from vlm.training.data.words import Words

    fonts, icons = installed_fonts(held_out=False), Icons(held_out=False, folder=icons_in)
    return lambda rng: icon_page(Sheet(rng, Words(rng, held_out=False), fonts, icons))

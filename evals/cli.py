"""`agent eval`: how good a model is, by a named rule."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from action_space.errors import ConfigError
from action_space.geometry import Size
from agent.cli import Spec
from agent.models import load_model
from evals.benchmarks import generated

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

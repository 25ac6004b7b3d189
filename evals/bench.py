"""`agent bench`: our engine against transformers, or any OpenAI-compatible server, in one run on one machine.

Or against itself: with its weights as they lie on disk (`--against plain`: what `vlm.onednn` is worth), or shown whole
screens where it leaves out cells of one colour (`--against whole`).

Both get the same weights, dtype, threads, prompts and output length (a server ends its replies where it likes: how many
tokens were said stands beside the table). Their turns alternate, and the table gives the
medians and their ratio, so that a machine that grows slow in between is slow for both. Beside them stand the two
limits of the machine, measured in the same run, and how much of each our engine reaches: products of matrices (of the
prefill) and reading memory (of decoding).
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

import vlm
from action_space.actions import Click
from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect, PastStep, Turn
from action_space.errors import ConfigError
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message
from agent.models import SpokenModel, forget, load_model
from agent.planner import model_frame
from evals.scale import scoring
from vlm.backends.engine import Engine
from vlm.backends.transformers import TransformersModel
from vlm.shapes import SHAPES, write_random
from vlm.speed import (
    Forcing,
    Limits,
    Pair,
    alternate,
    limits,
    load_ours,
    load_pair,
    measure_forcing,
    measure_parts,
    use_threads,
)

SCREEN = Size(1280, 720)
STEPS, TOKENS_OUT = 5, 24
"""Of an episode, and of each reply that no grammar ends."""

app = typer.Typer(name="bench", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def screens(count: int) -> list[Image.Image]:
    """Pictures of a page that changes a little from step to step."""
    found = []
    for number in range(count):
        picture = Image.new("RGB", (SCREEN.width, SCREEN.height), "#f4f4f4")
        pen = ImageDraw.Draw(picture)
        for row in range(12):
            pen.rectangle((40, 30 + 55 * row, 900, 70 + 55 * row), fill="white", outline="#888")
            words = f"Row {row}: item {row * 37 % 101} of step {number if row < number else 0}"
            pen.text((52, 42 + 55 * row), words, fill="black")
        found.append(picture)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a step; grammar: what its reply is held to, None if it is free."""

    messages: list[Message]
    grammar: str | None


def episode(dialect: Dialect, shown: Sequence[Image.Image], *, constrained: bool = False) -> list[Asked]:
    """All that the planner would ask in the steps of one task, older screenshots included."""
    asked = []
    for number, picture in enumerate(shown):
        frame = model_frame(Frame(SCREEN, SCREEN), dialect)
        actions = [Click(point=Point(100 + 10 * i, 50 + 55 * i)) for i in range(number)]
        history = tuple(
            PastStep(action, dialect.render(action, frame), f'click "Row {i}"', "", shown[i], frame)
            for i, action in enumerate(actions)
        )
        turn = Turn('Tick "Row 0" to "Row 4", then press "Save".', picture, frame, history)
        plan = dialect.plan_prompt(turn)
        if plan is not None:
            asked.append(Asked(plan, dialect.plan_grammar(turn) if constrained else None))
        prompt = dialect.prompt(turn, f'click "Row {number}"' if plan is not None else "")
        asked.append(Asked(prompt, dialect.grammar(frame) if constrained else None))
    return asked


def play(model: SpokenModel, asked: Sequence[Asked], lengths: Sequence[int], dialect: Dialect, *, held: bool) -> int:
    """An episode: each question answered with at most as many tokens as its length; how many these were in all.

    held: whether grammars are followed, or replies free.
    """
    return sum(
        model.generate(
            one.messages,
            min_pixels=dialect.min_pixels,
            max_pixels=dialect.max_pixels,
            constraint=one.grammar if held else None,
            max_new_tokens=length,
        ).tokens_out
        for one, length in zip(asked, lengths, strict=True)
    )


def lengths_of(ours: Engine, asked: Sequence[Asked], dialect: Dialect) -> list[int]:
    """How many tokens each reply has: as many as its grammar needs, or TOKENS_OUT where there is none."""
    return [play(ours, [one], [TOKENS_OUT], dialect, held=True) for one in asked]


def measure_steps(ours: Engine, theirs: SpokenModel | None, pairs: int) -> tuple[Pair, dict[str, int]]:
    """Whole steps, screenshot in and action out, over an episode; each begins without what an earlier one left.

    An engine of ours is held to the grammar as in `agent run`; any other says as many tokens, freely. Beside it the
    tokens that each said.
    """
    dialect = load_dialect(ours.dialect)
    asked = episode(dialect, screens(STEPS), constrained=ours.constrained)
    lengths = lengths_of(ours, asked, dialect)
    said = {"ours": 0, "theirs": 0}

    def episodes(whose: str, model: SpokenModel) -> None:
        forget(model)
        said[whose] = play(model, asked, lengths, dialect, held=isinstance(model, Engine))

    other = partial(episodes, "theirs", theirs) if theirs else None
    my_s, their_s = alternate(pairs, partial(episodes, "ours", ours), other)
    return Pair("whole step", my_s / STEPS, their_s / STEPS if their_s else None), said


def measure_grammar(ours: Engine, pairs: int) -> Forcing | None:
    """What the dialect's grammar saves in the reply of one step, None if it has none."""
    dialect = load_dialect(ours.dialect)
    grammar = dialect.grammar(model_frame(Frame(SCREEN, SCREEN), dialect))
    return measure_forcing(ours, episode(dialect, screens(1))[-1].messages, grammar, pairs) if grammar else None


def peak_memory(folder: Path, kind: str, dtype: str, threads: int) -> int:
    """Bytes of memory that one step takes in a process of its own. kind: ours, one of `OURS`, or transformers."""
    command = [sys.executable, "-m", "evals.bench", kind, str(folder), dtype, str(threads)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said.strip().splitlines()[-1])


def _one_step(kind: str, folder: Path, dtype: str, threads: int) -> int:
    use_threads(threads)
    model: SpokenModel = (
        TransformersModel(folder, dtype=dtype) if kind == "transformers" else load_ours(folder, dtype, kind)
    )
    dialect = load_dialect(model.dialect)
    asked = episode(dialect, screens(1))
    play(model, asked, [TOKENS_OUT] * len(asked), dialect, held=False)
    return _highest_resident_bytes()


def _highest_resident_bytes() -> int:
    """Of this process. Not by getrusage where that can be avoided: what it says begins with the parent's memory."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _folder_of(spec: str, shape: str, layers: int | None) -> Iterator[Path]:
    """The checkpoint to measure: the one named, or a random one of a published shape, which is deleted again."""
    if not shape:
        yield vlm.folder_of(spec)
        return
    if shape not in SHAPES:
        raise ConfigError(f"--shape {shape!r} is unknown: choose one of {', '.join(SHAPES)}")
    with tempfile.TemporaryDirectory(prefix="clickwright-bench-") as name:
        write_random(Path(name), shape, layers)
        yield Path(name)


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured. said: tokens of an episode, by who said them. memory: bytes of a step at its peak.

    cells: of a screen, how many ours is shown, and how many it has. machine: None beside a server, whose parts cannot
    be measured.
    """

    dtype: str
    blocks: bool
    cells: tuple[int, int]
    pairs: list[Pair]
    said: dict[str, int]
    machine: Limits | None
    forcing: Forcing | None
    memory: dict[str, int]

    def to_json(self) -> dict[str, object]:
        return {
            "dtype": self.dtype,
            "blocks": self.blocks,
            "cells": self.cells,
            "seconds": [asdict(pair) | {"ratio": pair.ratio} for pair in self.pairs],
            "tokens_out": self.said,
            "limits": asdict(self.machine) if self.machine else None,
            "grammar": asdict(self.forcing) if self.forcing else None,
            "peak_bytes": self.memory,
        }


app.command("scoring")(scoring)


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", metavar="SPEC", help="bundled, or a checkpoint folder.")] = "bundled",
    against: Annotated[
        str,
        typer.Option(
            metavar="transformers|plain|whole|SPEC|none",
            help="Whom to compare with, as openai:NAME@URL. plain: ours, weights not laid out for speed. whole: ours, "
            "with no cell of a screen left out.",
        ),
    ] = "transformers",
    shape: Annotated[
        str, typer.Option(metavar="3b|7b", help="Random weights of this shape, in place of --model.")
    ] = "",
    layers: Annotated[int | None, typer.Option(min=1, help="Only so many decoder layers of that shape.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Default: as many as there are cores.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file.")] = None,
) -> None:
    """Measure speed and memory against what else there is."""
    if context.invoked_subcommand is not None:
        return
    console = Console(stderr=True)
    count = use_threads(threads)
    with _folder_of(model, shape, layers) as folder:
        found = _measure(console, folder, against, dtype, count, pairs)
    _show(console, found)
    if json_file:
        asked = {"model": shape or model, "layers": layers, "against": against, "threads": count, "pairs": pairs}
        json_file.write_text(json.dumps(asked | found.to_json(), indent=1) + "\n", encoding="utf-8")


def _measure(console: Console, folder: Path, against: str, dtype: str, threads: int, pairs: int) -> Found:
    """Everything, one after the other; each figure is said as soon as it is known, as a large model takes its time."""

    def tell(name: str) -> None:
        console.print(f"[dim]measuring {name} ...[/]")

    def note(pair: Pair) -> None:
        found.append(pair)
        console.print(f"{pair.name}: {' and '.join(_milliseconds(pair))}")

    ours, beside = load_pair(folder, dtype, against)
    theirs = beside or (None if against == "none" else load_model(against))
    found: list[Pair] = []
    machine = None
    if theirs is None or beside:
        for pair in measure_parts(ours, beside, screens(1)[0], pairs, tell):
            note(pair)
        machine = limits(ours, found)
    tell("whole steps")
    step, said = measure_steps(ours, theirs, pairs)
    note(step)
    tell("grammar")
    forcing = measure_grammar(ours, pairs)
    tell("memory")
    kinds = {"ours": "ours", "theirs": against} if beside else {"ours": "ours"}
    memory = {whose: peak_memory(folder, kind, dtype, threads) for whose, kind in kinds.items()}
    seen = ours.shown(screens(1)[0], ours.min_pixels, ours.max_pixels)
    return Found(ours.dtype, ours.blocks, (seen.tokens, seen.cells), found, said, machine, forcing, memory)


def _milliseconds(pair: Pair) -> list[str]:
    return [f"{seconds * 1000:.1f} ms" for seconds in (pair.ours_s, pair.theirs_s) if seconds]


def _show(console: Console, found: Found) -> None:
    table = Table("", "ours", "theirs", "times as fast")
    for pair in found.pairs:
        ours, theirs = [*_milliseconds(pair), ""][:2]
        table.add_row(pair.name, ours, theirs, f"{pair.ratio:.1f}" if pair.ratio else "")
    memory = found.memory
    shown = [f"{memory[kind] / 1e6:.0f} MB" if kind in memory else "" for kind in ("ours", "theirs")]
    table.add_row("peak memory of a step", *shown, "")
    console.print(table)
    if machine := found.machine:
        console.print(
            f"this machine: products {machine.flops / 1e9:.0f} GFLOP/s, of which prefill reaches "
            f"{machine.prefill_share:.0%}; memory {machine.bandwidth / 1e9:.1f} GB/s, of which decoding reaches "
            f"{machine.decode_share:.0%}"
        )
    if found.blocks:
        console.print("our weights lie in blocks, as oneDNN multiplies them")
    shown_cells, cells = found.cells
    if shown_cells < cells:
        console.print(f"of a screen's {cells} cells ours is shown {shown_cells}: the others are of one colour")
    said = found.said
    console.print(f"an episode of {STEPS} steps: ours said {said['ours']} tokens, theirs {said['theirs']}")
    if forcing := found.forcing:
        console.print(
            f"held to its grammar, {forcing.forced} of the {forcing.tokens} tokens of an action are not sampled: "
            f"{forcing.held_s * 1000:.1f} ms, and {forcing.free_s * 1000:.1f} ms for as many free ones"
        )


if __name__ == "__main__":
    sys.stdout.write(f"{_one_step(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))}\n")

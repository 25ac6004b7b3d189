"""`agent model`: what models there are, what a checkpoint holds, and rewriting one in another form."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Literal

import typer

from action_space.dialects.choose import dialect_for
from action_space.errors import ConfigError, ModelError
from agent.cli import Json
from agent.models import BUNDLED, MODELS
from agent.results import results_only
from vlm import BUNDLED as BUNDLED_FOLDER
from vlm.config import config_data, quantization
from vlm.convert import SHARD_BYTES, average, convert, quantize_checkpoint
from vlm.llama_cpp import write_gguf
from vlm.survey import Survey, survey

app = typer.Typer(
    name="model", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="A checkpoint folder, or 'bundled'.")]
ShardSize = Annotated[str, typer.Option(metavar="SIZE", help="Largest weight file, such as 500MB; default 5GB.")]


class Dtype(StrEnum):
    """What weights can be cast to."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Naming(StrEnum):
    """How tensors are called on disk."""

    LEGACY = "legacy"
    NEW = "new"


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Say what --model takes."""
    there = (BUNDLED_FOLDER / "config.json").is_file()
    about = "the model that comes with this program" + ("" if there else " (its weights are not in this copy)")
    forms = {BUNDLED: about, "DIR": "a folder with a Qwen2.5-VL checkpoint: config.json, tokenizer.json, *.safetensors"}
    forms |= {f"{name}:...": _first_line(target) for name, target in MODELS.items()}
    with results_only(as_json) as give:
        if as_json:
            models = [{"spec": spec, "about": text} for spec, text in forms.items()]
            give({"models": models, "bundled": there, "exit_code": 0})
        else:
            _print(forms)


def _first_line(target: str) -> str:
    """What the function behind a table's entry promises."""
    return (resolve_name(target).__doc__ or "").strip().partition("\n")[0]


@app.command()
def info(folder: Folder = BUNDLED, as_json: Json = False) -> None:
    """Say what a checkpoint holds and whether it loads; exit status 4 if it does not."""
    path = _folder(folder)
    with results_only(as_json) as give:
        seen = survey(path)
        dialect = dialect_for(str(path.resolve()), config_data(path))
        if as_json:
            give(_facts(seen) | {"dialect": dialect, "exit_code": 4 if seen.problems else 0})
        else:
            _print(_described(seen) | {"dialect": dialect or "computer_use (its family is not known)"})
            for problem in seen.problems:
                typer.echo(f"agent: the checkpoint {str(path)!r} {problem}", err=True)
    if seen.problems:
        raise typer.Exit(4)


def _facts(seen: Survey) -> dict[str, object]:
    text, vision, packed = seen.config.text, seen.config.vision, seen.config.quantization
    return {
        "parameters": sum(seen.parameters.values()),
        "parameters_by_part": seen.parameters,
        "layers": text.num_hidden_layers,
        "hidden_size": text.hidden_size,
        "intermediate_size": text.intermediate_size,
        "heads": text.num_attention_heads,
        "kv_heads": text.num_key_value_heads,
        "vocab_size": text.vocab_size,
        "context": text.max_position_embeddings,
        "tied": text.tie_word_embeddings,
        "vision_layers": vision.depth,
        "vision_hidden_size": vision.hidden_size,
        "vision_heads": vision.num_heads,
        "whole_cells": seen.config.whole_cells,
        "values_by_dtype": seen.stored,
        "quantization": {"bits": packed.bits, "group_size": packed.group_size} if packed else None,
        "config_layout": seen.config_layout,
        "names": seen.names,
        "tensors": seen.tensors,
        "files": seen.files,
        "bytes": seen.size,
        "problems": list(seen.problems),
    }


def _described(seen: Survey) -> dict[str, str]:
    text, vision, packed = seen.config.text, seen.config.vision, seen.config.quantization
    parts = ", ".join(f"{part} {count:,}" for part, count in seen.parameters.items() if count)
    tied = ", head tied to the embeddings" if text.tie_word_embeddings else ""
    heads = f"{text.num_attention_heads} heads ({text.num_key_value_heads} for keys)"
    files = f"{seen.files} file{'s' * (seen.files != 1)}"
    whole = seen.config.whole_cells
    blanks = f"; of pictures of more than {whole:,} cells it is shown none of one colour" if whole else ""
    return {
        "parameters": f"{sum(seen.parameters.values()):,} ({parts})",
        "language": f"{text.num_hidden_layers} layers of {text.hidden_size} and {text.intermediate_size}, {heads}",
        "vocabulary": f"{text.vocab_size:,} tokens{tied}; context {text.max_position_embeddings:,}",
        "vision": f"{vision.depth} layers of {vision.hidden_size} and {vision.intermediate_size}, "
        f"{vision.num_heads} heads{blanks}",
        "stored as": ", ".join(f"{dtype} {count:,}" for dtype, count in seen.stored.items()),
        "packed": f"{packed.bits} bits in groups of {packed.group_size}" if packed else "no",
        "names": f"{seen.names}; config {seen.config_layout}",
        "on disk": f"{_size(seen.size)} in {files}, {seen.tensors} tensors",
    }


@app.command("convert")
def convert_model(
    folder: Folder,
    out: Annotated[Path | None, typer.Argument(help="A new folder, written as transformers loads it.")] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Cast the weights; by default they stay as they are.")] = None,
    names: Annotated[
        Naming, typer.Option(help="How tensors are called: as on the hub, or as since transformers 4.52.")
    ] = Naming.LEGACY,
    shard_size: ShardSize = "",
    gguf: Annotated[
        Path | None,
        typer.Option(metavar="OUT.gguf", help="Write the language model for llama.cpp; the vision tower is left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a checkpoint anew for transformers, or its language model for llama.cpp."""
    if (out is None) == (gguf is None):
        raise ConfigError("give either a folder to write to or --gguf OUT.gguf")
    with results_only(as_json) as give:
        path, kind, shard = _folder(folder), dtype.value if dtype else "", _bytes(shard_size)
        if out is not None:
            size = convert(path, out, dtype=kind, names=_names(names), shard_bytes=shard)
        elif gguf is not None:
            size = write_gguf(path, gguf, dtype=kind)
        if as_json:
            give({"out": str(out or gguf), "bytes": size, "exit_code": 0})
        else:
            typer.echo(f"{out or gguf}: {_size(size)}")


def _names(naming: Naming) -> Literal["legacy", "new"]:
    return "new" if naming is Naming.NEW else "legacy"


@app.command("average")
def average_models(
    out: Annotated[Path, typer.Argument(help="A new folder, for --model.")],
    folders: Annotated[list[str], typer.Argument(metavar="DIR DIR...", help="Checkpoints of one shape.")],
    shard_size: ShardSize = "",
    as_json: Json = False,
) -> None:
    """Write the mean of checkpoints that were fine-tuned from one beginning: often better than each of them."""
    with results_only(as_json) as give:
        if len(folders) < 2:
            raise ConfigError("give at least two checkpoints to average")
        size = average([_folder(folder) for folder in folders], out, shard_bytes=_bytes(shard_size))
        if as_json:
            give({"out": str(out), "of": folders, "bytes": size, "exit_code": 0})
        else:
            typer.echo(f"{out}: {_size(size)}, the mean of {len(folders)}")


@app.command("quantize")
def quantize_model(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="A new folder, for --model.")],
    bits: Annotated[int, typer.Option(help="8 or 4.")] = 8,
    group: Annotated[int, typer.Option(min=1, help="Weights that share a scale.")] = 32,
    shard_size: ShardSize = "",
    as_json: Json = False,
) -> None:
    """Pack the language model's layers into 8 or 4 bits a weight; the vision tower stays as it is."""
    with results_only(as_json) as give:
        if bits not in (4, 8):
            raise ConfigError(f"--bits is {bits}, it must be 8 or 4")
        done = quantize_checkpoint(_folder(folder), out, quantization(bits, group), shard_bytes=_bytes(shard_size))
        if as_json:
            give(
                {
                    "out": str(out),
                    "bytes_before": done.bytes_before,
                    "bytes_after": done.bytes_after,
                    "weights": done.weights,
                    "relative_error": done.error,
                    "worst": {"tensor": done.worst, "relative_error": done.worst_error},
                    "exit_code": 0,
                }
            )
            return
        share = done.bytes_after / done.bytes_before
        typer.echo(f"{out}: {_size(done.bytes_before)} before, {_size(done.bytes_after)} after ({share:.0%})")
        typer.echo(
            f"{done.weights:,} weights are off by {done.error:.2%} of their size (root mean square); "
            f"most of all, {done.worst} by {done.worst_error:.2%}"
        )


def _folder(name: str) -> Path:
    path = BUNDLED_FOLDER if name == BUNDLED else Path(name).expanduser()
    if not path.is_dir():
        if name == BUNDLED:
            raise ModelError("the weights of the bundled model are not in this copy: make them with `agent train`")
        raise ConfigError(f"there is no folder {name!r}: give a checkpoint folder or 'bundled'")
    return path


def _bytes(text: str) -> int:
    if not text:
        return SHARD_BYTES
    match = re.fullmatch(r"(\d+)\s*(?:([KMG])B)?", text.strip().upper())
    if match is None or int(match[1]) == 0:
        raise ConfigError(f"--shard-size {text!r} is not a size: give a number of bytes, or one such as 500MB or 5GB")
    return int(match[1]) * {"K": 10**3, "M": 10**6, "G": 10**9}.get(match[2], 1)


def _size(count: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= unit:
            return f"{count / unit:.2f} {name}"
    return f"{count} bytes"


def _print(lines: Mapping[str, str]) -> None:
    width = max(map(len, lines))
    for name, text in lines.items():
        typer.echo(f"{name:<{width}}  {text}")

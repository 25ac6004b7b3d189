"""What a checkpoint folder says beside its weights, and where and in which numbers a network runs."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from action_space.errors import ModelError

_LIMITS = {"min_pixels": ("shortest_edge", 3136), "max_pixels": ("longest_edge", 12845056)}
"""The name that newer preprocessor configs give a limit, inside `size` (pixel counts all the same), and its default."""


def named_device(name: str) -> str:
    """The device itself; of "auto" the first GPU that torch can use, else the cpu. Raises ModelError."""
    device = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"the model cannot run on {device!r} here ({reason}): leave it on the cpu") from None
    return device


def stop_tokens(folder: Path, tokenizer: Tokenizer) -> frozenset[int]:
    """The ids that end a reply: those of generation_config.json, and Qwen's own."""
    given = read_json(folder, "generation_config.json").get("eos_token_id", [])
    named = [tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
    return frozenset(
        [*(given if isinstance(given, list) else [given]), *(token for token in named if token is not None)]
    )


def named_dtype(name: str, device: str = "cpu") -> torch.dtype:
    """See `Engine`. Raises ModelError."""
    if name == "auto":
        # The question has no public name yet, and older versions of torch do not have it at all.
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return torch.bfloat16 if device != "cpu" or (native is not None and native()) else torch.float32
    table = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in table:
        raise ModelError(f"dtype {name!r} is unknown: choose auto, {', '.join(table)}")
    return table[name]


def what_runs_models() -> str:
    """The device and the numbers that "auto" stands for, for people."""
    device = named_device("auto")
    if device != "cpu":
        return f"{torch.cuda.get_device_name()}, in bfloat16"
    slow = named_dtype("auto") == torch.float32
    numbers = "float32: this processor does not multiply bfloat16, which would be faster" if slow else "bfloat16"
    return f"{torch.get_num_threads()} threads of the processor, in {numbers}"


def pixel_limits(folder: Path) -> tuple[int, int]:
    """The checkpoint's min_pixels and max_pixels, in the old or the new layout of preprocessor_config.json."""
    given = read_json(folder, "preprocessor_config.json")
    size = given.get("size")
    sizes = size if isinstance(size, dict) else {}
    limits = []
    for name, (edge, default) in _LIMITS.items():
        value = next((v for v in (given.get(name), sizes.get(edge)) if v is not None), default)
        if type(value) is not int or value < 1:
            raise ModelError(f"{name} is {value!r} in preprocessor_config.json, it must be a positive integer")
        limits.append(value)
    return limits[0], limits[1]


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of the checkpoint folder, {} if the file is not there."""
    path = folder / name
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r}: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{str(path)!r} holds {str(data)[:80]!r}, it must be a JSON object")
    return data

"""Tensors in the safetensors files of a checkpoint folder: found by their headers, read a piece at a time."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from action_space.errors import ConfigError, ModelError
from vlm.names import canonical_name

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PIECE_BYTES = 2**23
"""How much of a file is mapped into memory at once."""

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "I8": torch.int8,
    "U8": torch.uint8,
}
"""What safetensors calls the dtypes that weights are loaded from."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor on disk. dtype: as safetensors spells it, such as "BF16"."""

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def values(self) -> int:
        return prod(self.shape)


def find_tensors(folder: Path) -> dict[str, Stored]:
    """Canonical name -> tensor, of every weight file in a checkpoint folder. Raises ModelError."""
    found: dict[str, Stored] = {}
    for path in weight_files(folder):
        with _opened(path) as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                name, header = canonical_name(key), file.get_slice(key)
                if name in found:
                    raise ModelError(
                        f"the checkpoint {str(folder)!r} holds one tensor twice, as {found[name].key} and {key}"
                    )
                found[name] = Stored(path, key, tuple(header.get_shape()), header.get_dtype())
    return found


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a checkpoint folder, as its index tells or, without one, as they are named."""
    index = folder / INDEX
    if not index.is_file():
        shards = sorted(folder.glob("model-*-of-*.safetensors"))
        return shards if shards and not (folder / WHOLE).is_file() else [folder / WHOLE]
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / name for name in sorted({str(name) for name in names})]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{str(index)!r} is not the index of a checkpoint ({error!r}): fetch it again") from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    folder = str(path.parent)
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise ModelError(f"the checkpoint {folder!r} has no {path.name}: fetch the whole folder") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} in {folder!r} is not a whole safetensors file ({error}): fetch it again"
        ) from None


def read_into(stored: Stored, target: Tensor) -> None:
    """Copy a tensor of at least one dimension into `target`, which has as many values; cast to its dtype.

    Each piece is read through a map of its own: pages that were read count as memory in use for as long as their map
    is open, and one map for the whole file would hold its weights a second time.
    """
    rows = target.view(stored.shape)
    row_bytes = max(1, stored.values // max(1, stored.shape[0])) * DTYPES[stored.dtype].itemsize
    step = max(1, PIECE_BYTES // row_bytes)
    for start in range(0, stored.shape[0], step):
        with _opened(stored.file) as file:
            rows[start : start + step].copy_(file.get_slice(stored.key)[start : start + step])


def read(stored: Stored, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor in memory, cast to `dtype` if one is given."""
    target = torch.empty(stored.shape, dtype=dtype or DTYPES[stored.dtype])
    read_into(stored, target)
    return target


def write_tensors(folder: Path, tensors: Iterable[tuple[str, Tensor]], *, shard_bytes: int | None = None) -> int:
    """Write (name, tensor) pairs as the weights of a checkpoint folder; returns their bytes.

    More than `shard_bytes` become several files and an index; no more than one file's tensors are in memory at a time.
    The weights that were there before go when the new ones are complete. Raises ConfigError if they cannot be written.
    """
    shards: list[list[str]] = []
    total = 0
    try:
        for shard in _shards(tensors, shard_bytes):
            shards.append(list(shard))
            total += sum(tensor.nbytes for tensor in shard.values())
            _save(shard, _unfinished(folder, len(shards)))
    except BaseException:
        for number in range(1, len(shards) + 1):
            _unfinished(folder, number).unlink(missing_ok=True)
        raise
    for old in (folder / INDEX, folder / WHOLE, *folder.glob("model-*-of-*.safetensors")):
        old.unlink(missing_ok=True)
    names = [f"model-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)]
    for number, name in enumerate(names if len(shards) > 1 else [WHOLE], start=1):
        _unfinished(folder, number).replace(folder / name)
    if len(shards) > 1:
        weight_map = {key: name for name, keys in zip(names, shards, strict=True) for key in keys}
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return total


def _unfinished(folder: Path, number: int) -> Path:
    return folder / f"unfinished-{number}.safetensors"


def _shards(tensors: Iterable[tuple[str, Tensor]], most: int | None) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        if shard and most is not None and size + tensor.nbytes > most:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    room = shutil.disk_usage(path.parent).free
    if (size := sum(tensor.nbytes for tensor in tensors.values())) > room:
        raise ConfigError(f"{str(path.parent)!r} has room for {room:,} bytes, the weights take {size:,} more")
    try:
        save_file(tensors, path, metadata={"format": "pt"})
        # Some versions of safetensors write files that only their owner can read.
        path.chmod(path.parent.stat().st_mode & 0o666)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"cannot write the weights to {str(path.parent)!r}: {error}") from None

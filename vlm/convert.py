"""A checkpoint folder rewritten as another: other names, dtype or files, or with packed weights. A tensor at a time."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from action_space.errors import ConfigError, ModelError
from vlm.checkpoint import config_json, empty_network, layout, require_whole
from vlm.config import Config, Quantization, config_data, group_misfit, parse_config, read_config
from vlm.names import Names, published_name
from vlm.naming import average_naming
from vlm.quantize import dequantize, is_quantized, quantize
from vlm.stored import DTYPES, Stored, find_tensors, read, write_tensors

SHARD_BYTES = 5 * 10**9
"""The size that transformers cuts at."""

_REPLACED = ("text_config", "rope_parameters", "layer_types", "dtype", "torch_dtype", "quantization_config")
"""Keys of a config.json that say in another layout, or about other weights, what the new one says itself."""

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json")


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint that is known to be whole. tensors: canonical name -> tensor on disk, none that is not needed."""

    folder: Path
    config: Config
    tensors: Mapping[str, Stored]

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return sum(one.values * DTYPES[one.dtype].itemsize for one in self.tensors.values())

    @property
    def dtype(self) -> str:
        """The dtype of most floating-point weights, as torch names it."""
        counts: Counter[str] = Counter()
        for one in self.tensors.values():
            if DTYPES[one.dtype].is_floating_point:
                counts[one.dtype] += one.values
        return str(DTYPES[counts.most_common(1)[0][0]]).removeprefix("torch.")


@dataclass(frozen=True, slots=True)
class Packed:
    """What quantisation did. weights: how many were packed.

    error: norm of what they changed by, relative to their own norm. worst, worst_error: the tensor that lost most, by
    its name on disk.
    """

    bytes_before: int
    bytes_after: int
    weights: int
    error: float
    worst: str
    worst_error: float


def open_source(folder: Path) -> Source:
    """Check a checkpoint by its headers. Raises ModelError that names what is wrong."""
    config, found = read_config(folder), find_tensors(folder)
    network = empty_network(config)
    require_whole(network, found, folder)
    names = [part.name for parts in layout(network).values() for part in parts]
    return Source(folder, config, {name: found[name] for name in names})


def convert(
    folder: Path, out: Path, *, dtype: str = "", names: Names = "legacy", shard_bytes: int = SHARD_BYTES
) -> int:
    """Write the checkpoint in `folder` to the new folder `out`, as transformers reads it; returns bytes of weights.

    dtype: of all weights but packed ones, as torch names it; by default each keeps its own. Takes the memory of one
    shard. Raises ModelError for a checkpoint that is not whole, ConfigError where it cannot be written.
    """
    source = open_source(folder)
    require_new(out)
    size = write_tensors(out, _converted(source, dtype, names), shard_bytes=shard_bytes)
    _finish(source, out, source.config, dtype or source.dtype)
    return size


def _converted(source: Source, dtype: str, names: Names) -> Iterator[tuple[str, Tensor]]:
    wanted: torch.dtype | None = getattr(torch, dtype) if dtype else None
    for name, stored in source.tensors.items():
        floats = DTYPES[stored.dtype].is_floating_point
        tensor = read(stored, wanted if floats else None)
        if wanted is torch.float16 and floats and not tensor.isfinite().all():
            raise ModelError(f"the tensor {stored.key} does not fit float16: take bfloat16 or float32")
        yield published_name(name, names), tensor


def average(folders: Sequence[Path], out: Path, *, shard_bytes: int = SHARD_BYTES) -> int:
    """Write the mean of several checkpoints' weights, fine-tuned from one beginning, to the new folder `out`; returns
    bytes of weights. Config and other files are the first one's, but for what tells names of places (`vlm.naming`), if
    all have it.

    Averaging Weights Leads to Wider Optima and Better Generalization, arXiv 1803.05407; Model soups, arXiv 2203.05482.
    Raises ModelError for a checkpoint that is not whole, is packed, or has another shape than the first, ConfigError
    where it cannot be written.
    """
    sources = [open_source(folder) for folder in folders]
    first = sources[0]
    for other in sources:
        if other.config.quantization is not None:
            raise ModelError(f"the checkpoint {str(other.folder)!r} is quantised: average those it was made from")
        if replace(other.config, whole_cells=first.config.whole_cells) != first.config:
            raise ModelError(f"{str(other.folder)!r} has another shape than {str(first.folder)!r}: no mean of both")
    require_new(out)
    size = write_tensors(out, _mean(sources), shard_bytes=shard_bytes)
    _finish(first, out, first.config, first.dtype)
    average_naming(folders, out, first.config.text.hidden_size)
    return size


def _mean(sources: Sequence[Source]) -> Iterator[tuple[str, Tensor]]:
    for name, stored in sources[0].tensors.items():
        total = read(stored, torch.float32).clone()
        for other in sources[1:]:
            total += read(other.tensors[name], torch.float32)
        yield published_name(name, "legacy"), (total / len(sources)).to(DTYPES[stored.dtype])


def quantize_checkpoint(folder: Path, out: Path, how: Quantization, *, shard_bytes: int = SHARD_BYTES) -> Packed:
    """Write the checkpoint in `folder` to the new folder `out` with the decoder's weights packed (`vlm.quantize`).

    Raises ModelError for a checkpoint that is not whole, is packed already or holds weights that are not finite, and
    ConfigError for a group that does not divide its layers, or where it cannot be written.
    """
    source = open_source(folder)
    if source.config.quantization is not None:
        raise ModelError(f"the checkpoint {str(folder)!r} is quantised already: take the one it was made from")
    config = replace(source.config, quantization=how)
    if misfit := group_misfit(config.text, how):
        raise ConfigError(misfit)
    require_new(out)
    losses: list[Loss] = []
    size = write_tensors(out, _packed(source, how, losses), shard_bytes=shard_bytes)
    _finish(source, out, config, source.dtype)
    worst = max(losses, key=lambda loss: loss.error)
    total = Loss("", *(sum(getattr(loss, name) for loss in losses) for name in ("weights", "squares", "differences")))
    return Packed(source.size, size, total.weights, total.error, worst.key, worst.error)


@dataclass(frozen=True, slots=True)
class Loss:
    """What packing took from one tensor. squares: sum over its weights; differences: sum of squared differences."""

    key: str
    weights: int
    squares: float
    differences: float

    @property
    def error(self) -> float:
        return (self.differences / self.squares) ** 0.5 if self.squares else 0.0


def _packed(source: Source, how: Quantization, losses: list[Loss]) -> Iterator[tuple[str, Tensor]]:
    for name, stored in source.tensors.items():
        published = published_name(name, "legacy")
        if not is_quantized(name):
            yield published, read(stored)
            continue
        weight = read(stored, torch.float32)
        try:
            qweight, scales = quantize(weight, how)
        except ValueError as error:
            raise ModelError(f"the tensor {stored.key} cannot be quantised: {error}") from None
        difference = dequantize(qweight, scales, torch.float32).sub_(weight)
        losses.append(Loss(stored.key, weight.numel(), float(weight.norm()) ** 2, float(difference.norm()) ** 2))
        stem = published.removesuffix(".weight")
        yield f"{stem}.qweight", qweight
        yield f"{stem}.scales", scales


def require_new(out: Path) -> None:
    """Make the folder. Raises ConfigError where it exists and holds something, or cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise ConfigError(f"{str(out)!r} is not empty: give a new folder")
    except OSError as error:
        raise ConfigError(f"cannot write to {str(out)!r}: {error.strerror}") from None


def _finish(source: Source, out: Path, config: Config, dtype: str) -> None:
    """config.json, and the files beside the weights: tokenizer, preprocessor, generation settings, licence."""
    text = json.dumps(flat_config(config_data(source.folder), config, dtype), indent=2)
    (out / "config.json").write_text(text + "\n", encoding="utf-8")
    for path in sorted(source.folder.iterdir()):
        if path.is_file() and path.name != "config.json" and not path.name.endswith(_WEIGHTS) and path.name[0] != ".":
            shutil.copyfile(path, out / path.name)


def flat_config(data: Mapping[str, Any], config: Config, dtype: str) -> dict[str, Any]:
    """config.json in the flat layout; keys that the network has no use for (token ids, a dialect) are kept."""
    ours, kept = config_json(config), {**(data.get("text_config") or {}), **data}
    vision = {key: value for key, value in (data.get("vision_config") or {}).items() if key not in _REPLACED}
    flat = {
        **{key: value for key, value in kept.items() if key not in _REPLACED and value is not None},
        **ours,
        "vision_config": {**vision, **ours["vision_config"]},
        "torch_dtype": dtype,
    }
    if parse_config(flat) != config:
        raise AssertionError(f"the config changed when it was written: {config} became {parse_config(flat)}")
    return flat

"""What a checkpoint folder holds, told from its config and the headers of its files; no weight is read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vlm.checkpoint import empty_network, problems
from vlm.config import Config, config_data, read_config
from vlm.names import Names, naming
from vlm.stored import Stored, find_tensors, weight_files

Layout = Literal["flat", "nested", "v5"]


@dataclass(frozen=True, slots=True)
class Survey:
    """A checkpoint at a glance. parameters: by part; stored: values by dtype, as safetensors spells it.

    size: bytes of the weight files. problems: why it does not load, one line each.
    """

    config: Config
    config_layout: Layout
    names: Names
    parameters: dict[str, int]
    stored: dict[str, int]
    tensors: int
    files: int
    size: int
    problems: tuple[str, ...]


def survey(folder: Path) -> Survey:
    """Look at a checkpoint folder. Raises ModelError where its config or files cannot be read at all."""
    config, found = read_config(folder), find_tensors(folder)
    files = weight_files(folder)
    return Survey(
        config,
        config_layout(config_data(folder)),
        naming(one.key for one in found.values()),
        parameters(config),
        _by_dtype(found.values()),
        len(found),
        len(files),
        sum(path.stat().st_size for path in files),
        (*_missing_files(folder), *problems(empty_network(config), found)),
    )


def config_layout(data: dict[str, object]) -> Layout:
    """flat: text keys at the root. nested: in text_config. v5: with rope_parameters in the place of rope_scaling."""
    inner = data.get("text_config")
    keys = {*data, *(inner if isinstance(inner, dict) else ())}
    if "rope_parameters" in keys:
        return "v5"
    return "nested" if inner else "flat"


def parameters(config: Config) -> dict[str, int]:
    """Parameters of the network by part, as floats: packing does not change them, and a tied head has none."""
    counts = Counter({"vision": 0, "embeddings": 0, "decoder": 0, "head": 0})
    parts = {"visual": "vision", "language_model": "decoder", "lm_head": "head"}
    for name, parameter in empty_network(replace(config, quantization=None)).named_parameters():
        part = "embeddings" if "embed_tokens" in name else parts[name.partition(".")[0]]
        counts[part] += parameter.numel()
    return dict(counts)


def _by_dtype(tensors: Iterable[Stored]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in tensors:
        counts[one.dtype] += one.values
    return dict(counts.most_common())


def _missing_files(folder: Path) -> list[str]:
    return [] if (folder / "tokenizer.json").is_file() else ["has no tokenizer.json"]

"""Safetensors in and out, under every name that published Qwen2.5-VL checkpoints use.

The network here fuses q, k, v and gate, up, and embeds patches by a matrix; on disk they are apart, as transformers
writes them. `sources` is the one table between the two.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from action_space.errors import ModelError
from vlm.config import Config, read_config
from vlm.model import Qwen25VL

_PREFIXES = (
    ("base_model.model.", ""),
    ("model.visual.", "visual."),
    ("model.language_model.", "language_model."),
    ("model.", "language_model."),
)


def canonical_name(name: str) -> str:
    """A tensor's name without the differences between transformers versions.

    One of `visual.*`, `language_model.*` and `lm_head.*`.
    """
    for old, new in _PREFIXES:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name


def sources(parameter: str) -> tuple[str, ...]:
    """The canonical names on disk that make up one parameter of the network, stacked along the first dimension."""
    if parameter == "visual.patch_embed.weight":
        return ("visual.patch_embed.proj.weight",)
    for fused, parts in (("qkv_proj", ("q_proj", "k_proj", "v_proj")), ("gate_up_proj", ("gate_proj", "up_proj"))):
        if f".{fused}." in parameter:
            return tuple(parameter.replace(fused, part) for part in parts)
    return (parameter,)


def load_checkpoint(folder: Path, *, dtype: torch.dtype, device: str = "cpu") -> Qwen25VL:
    """The network of a checkpoint folder, its weights cast to `dtype`. Raises ModelError that names what is wrong."""
    config = read_config(folder)
    with torch.device("meta"):
        model = Qwen25VL(config)
    with ExitStack() as stack:
        files = _open_files(folder, stack)
        state = dict(_assemble(model, files, dtype, device, folder))
    model.load_state_dict(state, assign=True)
    if config.text.tie_word_embeddings:
        model.lm_head.weight = model.language_model.embed_tokens.weight
    return model.eval().requires_grad_(False)


def _open_files(folder: Path, stack: ExitStack) -> dict[str, tuple[Any, str]]:
    """Canonical name -> (open file, name in it)."""
    found = {}
    for name in _shards(folder):
        try:
            file = stack.enter_context(safe_open(folder / name, framework="pt"))
        except FileNotFoundError:
            raise ModelError(f"the checkpoint {str(folder)!r} has no {name}: fetch the whole folder") from None
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelError(
                f"{name} in {str(folder)!r} is not a whole safetensors file ({error}): fetch it again"
            ) from None
        found.update({canonical_name(key): (file, key) for key in file.keys()})  # noqa: SIM118 (not a dict)
    return found


def _shards(folder: Path) -> list[str]:
    """The names of the weight files in a checkpoint folder."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return ["model.safetensors"]
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return sorted({str(name) for name in names})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{str(index)!r} is not the index of a checkpoint ({error!r}): fetch it again") from None


def _assemble(
    model: Qwen25VL, files: Mapping[str, tuple[Any, str]], dtype: torch.dtype, device: str, folder: Path
) -> Iterator[tuple[str, Tensor]]:
    tied = model.config.text.tie_word_embeddings
    wanted = {
        name: parameter for name, parameter in model.state_dict().items() if not (tied and name == "lm_head.weight")
    }
    needed = {source for name in wanted for source in sources(name)}
    if missing := sorted(needed - files.keys()):
        raise ModelError(f"the checkpoint {str(folder)!r} lacks {_listing(missing)}")
    ignored = {"lm_head.weight"} if tied else set()
    if surplus := sorted(key for key in files.keys() - needed - ignored if not key.endswith("rotary_emb.inv_freq")):
        raise ModelError(f"the checkpoint {str(folder)!r} has tensors that this network does not: {_listing(surplus)}")
    for name, parameter in wanted.items():
        parts = [_read_part(files[source], source, shape) for source, shape in _parts(name, parameter, model.config)]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts)
        yield name, whole.reshape(parameter.shape).to(device=device, dtype=dtype)
    if tied:
        yield "lm_head.weight", torch.empty(model.lm_head.weight.shape, dtype=dtype, device=device)


def _read_part(place: tuple[Any, str], name: str, shape: list[int]) -> Tensor:
    file, key = place
    part: Tensor = file.get_tensor(key)
    if list(part.shape) != shape:
        raise ModelError(f"the tensor {name} has shape {list(part.shape)}, the config asks for {shape}")
    if not part.is_floating_point():
        raise ModelError(f"the tensor {name} holds {part.dtype}: quantised checkpoints cannot be loaded")
    return part


def _parts(parameter: str, whole: Tensor, config: Config) -> list[tuple[str, list[int]]]:
    """The tensors on disk that make up a parameter: canonical name and shape of each."""
    names, rest = sources(parameter), list(whole.shape[1:])
    if parameter == "visual.patch_embed.weight":
        vision = config.vision
        kernel = [vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size]
        return [(names[0], [whole.shape[0], *kernel])]
    if len(names) == 3:
        text = config.text
        heads = (text.num_attention_heads, text.num_key_value_heads, text.num_key_value_heads)
        return [(name, [count * text.head_dim, *rest]) for name, count in zip(names, heads, strict=True)]
    return [(name, [whole.shape[0] // len(names), *rest]) for name in names]


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more tensors"


def save_checkpoint(model: Qwen25VL, folder: Path, *, extra: Mapping[str, Any] | None = None) -> None:
    """Write config.json and model.safetensors as transformers reads them. extra: further keys of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.state_dict().items():
        if not (model.config.text.tie_word_embeddings and name == "lm_head.weight"):
            tensors.update(_split(name, parameter, model.config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        **config_json(model.config),
        "torch_dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        **(extra or {}),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _split(name: str, whole: Tensor, config: Config) -> dict[str, Tensor]:
    """The tensors on disk of one parameter, under the names that transformers writes."""
    parts = _parts(name, whole, config)
    rows = [whole.shape[0]] if len(parts) == 1 else [shape[0] for _, shape in parts]
    return {
        re.sub(r"^language_model\.", "model.", source): piece.reshape(shape).contiguous()
        for (source, shape), piece in zip(parts, torch.split(whole, rows), strict=True)
    }


def config_json(config: Config) -> dict[str, Any]:
    """A config.json in the flat layout of the published checkpoints."""
    text, vision = config.text, config.vision
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        **{name: getattr(text, name) for name in text.__dataclass_fields__ if name != "mrope_section"},
        "rope_scaling": {"type": "mrope", "mrope_section": list(text.mrope_section)},
        "hidden_act": "silu",
        "use_sliding_window": False,
        "image_token_id": config.image_token_id,
        "video_token_id": config.video_token_id,
        "vision_start_token_id": config.vision_start_token_id,
        "vision_end_token_id": config.vision_start_token_id + 1,
        "vision_config": {
            "model_type": "qwen2_5_vl",
            "hidden_act": "silu",
            **{name: getattr(vision, name) for name in vision.__dataclass_fields__ if name != "fullatt_block_indexes"},
            "fullatt_block_indexes": list(vision.fullatt_block_indexes),
        },
    }

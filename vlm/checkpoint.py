"""From a checkpoint folder to the network and back, under every name that published Qwen2.5-VL checkpoints use."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from action_space.errors import ModelError
from vlm.config import Config, read_config
from vlm.model import Qwen25VL
from vlm.names import is_derived, naming, published_name, sources
from vlm.quantize import pack_layers
from vlm.stored import DTYPES, Stored, find_tensors, read_into, write_tensors


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of the published layout. name: canonical; packed: its dtype if that is fixed, None for any float."""

    name: str
    shape: tuple[int, ...]
    packed: torch.dtype | None = None

    def mistake(self, stored: Stored) -> str:
        """What keeps the tensor on disk from being this one, "" if nothing does."""
        if stored.shape != self.shape:
            return f"the tensor {stored.key} has shape {list(stored.shape)}, the config asks for {list(self.shape)}"
        dtype = DTYPES.get(stored.dtype)
        if dtype is not None and (dtype.is_floating_point if self.packed is None else dtype is self.packed):
            return ""
        wanted = (
            "floating-point numbers of at least 16 bits"
            if self.packed is None
            else str(self.packed).removeprefix("torch.")
        )
        return f"the tensor {stored.key} holds {stored.dtype}, it must hold {wanted}"


def empty_network(config: Config) -> Qwen25VL:
    """The network on the meta device: shapes without memory."""
    with torch.device("meta"):
        model = Qwen25VL(config)
        if config.quantization is not None:
            pack_layers(model.language_model, config.quantization)
    return model


def layout(model: Qwen25VL) -> dict[str, tuple[Part, ...]]:
    """Parameter (or packed weight) of the network -> the tensors on disk that make it up. A tied head has none."""
    tied = model.config.text.tie_word_embeddings
    state = model.state_dict()
    return {name: _parts(name, whole, model.config) for name, whole in state.items() if not (tied and name == _HEAD)}


_HEAD = "lm_head.weight"


def _parts(parameter: str, whole: Tensor, config: Config) -> tuple[Part, ...]:
    names, (rows, *rest) = sources(parameter), whole.shape
    packed = None if whole.is_floating_point() else whole.dtype
    if parameter == "visual.patch_embed.weight":
        vision = config.vision
        kernel = (vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size)
        return (Part(names[0], (rows, *kernel)),)
    if len(names) == 3:
        text = config.text
        heads = (text.num_attention_heads, text.num_key_value_heads, text.num_key_value_heads)
        return tuple(Part(name, (n * text.head_dim, *rest), packed) for name, n in zip(names, heads, strict=True))
    return tuple(Part(name, (rows // len(names), *rest), packed) for name in names)


def problems(model: Qwen25VL, found: Mapping[str, Stored]) -> list[str]:
    """What keeps these tensors from being the network's, one line each: missing, surplus, of a wrong shape or kind."""
    parts = {part.name: part for whole in layout(model).values() for part in whole}
    names = naming(stored.key for stored in found.values())
    tied = {_HEAD} if model.config.text.tie_word_embeddings else set()
    told = []
    if missing := sorted(published_name(name, names) for name in parts.keys() - found.keys()):
        told.append(f"lacks {_listing(missing)}")
    extra = found.keys() - parts.keys() - tied
    if surplus := sorted(found[name].key for name in extra if not is_derived(name)):
        told.append(f"has tensors that this network does not: {_listing(surplus)}")
    mistakes = (part.mistake(found[name]) for name, part in parts.items() if name in found)
    return [*told, *(f"cannot be loaded: {mistake}" for mistake in mistakes if mistake)]


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more tensors"


def require_whole(model: Qwen25VL, found: Mapping[str, Stored], folder: Path) -> None:
    """Raises ModelError with the first of `problems`."""
    for problem in problems(model, found)[:1]:
        raise ModelError(f"the checkpoint {str(folder)!r} {problem}")


def load_checkpoint(folder: Path, *, dtype: torch.dtype, device: str = "cpu") -> Qwen25VL:
    """The network of a checkpoint folder, its weights cast to `dtype`. Raises ModelError that names what is wrong.

    Takes the memory of the weights in `dtype`, and a few MB to read through.
    """
    model = empty_network(read_config(folder))
    found = find_tensors(folder)
    require_whole(model, found, folder)
    state = model.state_dict()
    for name, parts in layout(model).items():
        whole = torch.empty(state[name].shape, dtype=parts[0].packed or dtype, device=device)
        rows = [part.shape[0] for part in parts]
        for part, piece in zip(parts, torch.split(whole, rows), strict=True):
            read_into(found[part.name], piece)
        state[name] = whole
    if model.config.text.tie_word_embeddings:
        state[_HEAD] = state["language_model.embed_tokens.weight"]
    model.load_state_dict(state, assign=True)
    if model.config.text.tie_word_embeddings:
        model.lm_head.weight = model.language_model.embed_tokens.weight
    return model.eval().requires_grad_(False)


def save_checkpoint(model: Qwen25VL, folder: Path, *, extra: Mapping[str, Any] | None = None) -> None:
    """Write config.json and model.safetensors as transformers reads them. extra: further keys of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder, _published(model))
    config = {**config_json(model.config), "torch_dtype": _name(next(model.parameters()).dtype), **(extra or {})}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _published(model: Qwen25VL) -> Iterator[tuple[str, Tensor]]:
    state = model.state_dict()
    for name, parts in layout(model).items():
        rows = [part.shape[0] for part in parts]
        for part, piece in zip(parts, torch.split(state[name], rows), strict=True):
            yield published_name(part.name, "legacy"), piece.reshape(part.shape).contiguous()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def config_json(config: Config) -> dict[str, Any]:
    """A config.json in the flat layout of the published checkpoints, which every version of transformers reads."""
    text, vision, how = config.text, config.vision, config.quantization
    packed = {"quant_method": "clickwright", **asdict(how)} if how else None
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
        **({"quantization_config": packed} if packed else {}),
    }

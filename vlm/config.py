"""The shape of a Qwen2.5-VL network, read from any layout of a Hugging Face config.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from action_space.errors import ModelError

T = TypeVar("T")
RopeCompat = Literal["canonical", "hf457", "hf523"]


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """The vision tower. Defaults are transformers' class defaults, which configs on the hub leave out."""

    depth: int = 32
    hidden_size: int = 3584
    intermediate_size: int = 3420
    num_heads: int = 16
    in_channels: int = 3
    patch_size: int = 14
    spatial_merge_size: int = 2
    temporal_patch_size: int = 2
    tokens_per_second: float = 4
    window_size: int = 112
    out_hidden_size: int = 3584
    fullatt_block_indexes: tuple[int, ...] = (7, 15, 23, 31)

    @property
    def patch_dim(self) -> int:
        """Values in one patch: channels x frames x rows x columns."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def window_tokens(self) -> int:
        """Side of an attention window in merged tokens."""
        return self.window_size // self.spatial_merge_size // self.patch_size


@dataclass(frozen=True, slots=True)
class TextConfig:
    """The Qwen2.5 decoder. mrope_section: frequencies for time, height and width; they add up to half a head."""

    vocab_size: int = 152064
    hidden_size: int = 8192
    intermediate_size: int = 29568
    num_hidden_layers: int = 80
    num_attention_heads: int = 64
    num_key_value_heads: int = 8
    rms_norm_eps: float = 1e-5
    rope_theta: float = 1e6
    mrope_section: tuple[int, int, int] = (16, 24, 24)
    max_position_embeddings: int = 128000
    tie_word_embeddings: bool = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True, slots=True)
class Config:
    """A whole checkpoint's shape and its special token ids."""

    text: TextConfig
    vision: VisionConfig
    image_token_id: int = 151655
    video_token_id: int = 151656
    vision_start_token_id: int = 151652
    rope_compat: RopeCompat = "canonical"


def read_config(folder: Path) -> Config:
    """The config of a checkpoint folder. Raises ModelError."""
    path = folder / "config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{str(folder)!r} is not a checkpoint: it has no config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r}: {error}") from None
    return parse_config(data)


def parse_config(data: Mapping[str, Any]) -> Config:
    """Flat (text keys at the root), nested (`text_config`) and v5 (`rope_parameters`) layouts. Raises ModelError."""
    kind = data.get("model_type")
    if kind != "qwen2_5_vl":
        raise ModelError(f"model_type is {kind!r}: only 'qwen2_5_vl' checkpoints can be loaded")
    try:
        text = {**data, **data.get("text_config", {})}
        rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
        tied = data.get("tie_word_embeddings", text.get("tie_word_embeddings", False))
        config = Config(
            text=_pick(
                TextConfig,
                {
                    **text,
                    "rope_theta": rope.get("rope_theta", text.get("rope_theta", 1e6)),
                    "tie_word_embeddings": tied,
                    "mrope_section": tuple(rope.get("mrope_section", (16, 24, 24))),
                },
            ),
            vision=_pick(VisionConfig, _vision_keys(data.get("vision_config", {}))),
            image_token_id=data.get("image_token_id", 151655),
            video_token_id=data.get("video_token_id", 151656),
            vision_start_token_id=data.get("vision_start_token_id", 151652),
        )
    except (TypeError, AttributeError) as error:
        raise ModelError(f"config.json is malformed: {error}") from None
    _check(config)
    return config


def _vision_keys(vision: Mapping[str, Any]) -> dict[str, Any]:
    keys = dict(vision)
    keys.setdefault("in_channels", vision.get("in_chans", 3))
    keys["fullatt_block_indexes"] = tuple(vision.get("fullatt_block_indexes", (7, 15, 23, 31)))
    return keys


def _pick(kind: type[T], keys: Mapping[str, Any]) -> T:
    return kind(**{name: keys[name] for name in kind.__dataclass_fields__ if name in keys})  # type: ignore[attr-defined]


def _check(config: Config) -> None:
    text, vision = config.text, config.vision
    if len(text.mrope_section) != 3 or sum(text.mrope_section) != text.head_dim // 2:
        raise ModelError(
            f"mrope_section {list(text.mrope_section)} must be three numbers that add up to {text.head_dim // 2}"
        )
    if text.num_attention_heads % text.num_key_value_heads or text.hidden_size % text.num_attention_heads:
        raise ModelError(
            f"{text.num_attention_heads} heads do not fit hidden_size {text.hidden_size} and {text.num_key_value_heads} kv heads"
        )
    if vision.out_hidden_size != text.hidden_size:
        raise ModelError(
            f"the vision tower ends in {vision.out_hidden_size} values, the language model takes {text.hidden_size}"
        )
    if (vision.hidden_size // vision.num_heads) % 4:
        raise ModelError(f"the vision head size {vision.hidden_size // vision.num_heads} must be a multiple of 4")

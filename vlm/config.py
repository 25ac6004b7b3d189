"""The shape of a Qwen2.5-VL network, read from any layout of a Hugging Face config.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import gcd
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

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
    """The Qwen2.5 decoder. Defaults are transformers' class defaults.

    mrope_section: frequencies for time, height and width; they add up to half a head.
    """

    vocab_size: int = 152064
    hidden_size: int = 8192
    intermediate_size: int = 29568
    num_hidden_layers: int = 80
    num_attention_heads: int = 64
    num_key_value_heads: int = 8
    rms_norm_eps: float = 1e-5
    rope_theta: float = 1e6
    mrope_section: tuple[int, int, int] = (16, 24, 24)
    max_position_embeddings: int = 32768
    tie_word_embeddings: bool = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the decoder's weights are packed (`vlm.quantize`). bits: 8 or 4; group_size: inputs that share a scale."""

    bits: int
    group_size: int

    @property
    def most(self) -> int:
        """The largest packed value, 127 or 7; the smallest is its negative."""
        return (1 << (self.bits - 1)) - 1


@dataclass(frozen=True, slots=True)
class Config:
    """A whole checkpoint's shape and its special token ids. quantization: None if its weights are floats.

    rope_compat: the positions of text behind a video and of the video's times: canonical as in Qwen's own code, or as
    in transformers 4.50 to 4.57, or since 5.3 (`vlm.rope`). Pictures have the same in all of them. whole_cells: a
    network that was trained so is not shown the visual tokens of cells of one colour, in pictures of more cells than
    this; None: it is shown all.
    """

    text: TextConfig
    vision: VisionConfig
    image_token_id: int = 151655
    video_token_id: int = 151656
    vision_start_token_id: int = 151652
    rope_compat: RopeCompat = "canonical"
    whole_cells: int | None = None
    quantization: Quantization | None = None


def read_config(folder: Path) -> Config:
    """The config of a checkpoint folder. Raises ModelError."""
    data = config_data(folder)
    try:
        return parse_config(data)
    except ModelError as error:
        raise ModelError(f"cannot load {str(folder / 'config.json')!r}: {error}") from None


def config_data(folder: Path) -> Any:  # noqa: ANN401 (straight from JSON)
    """config.json of a checkpoint folder as it stands there, which may be no object. Raises ModelError."""
    path = folder / "config.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{str(folder)!r} is not a checkpoint: it has no config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r}: {error}") from None


def parse_config(data: object) -> Config:
    """Flat (text keys at the root), nested (`text_config`) and v5 (`rope_parameters`) layouts. Raises ModelError."""
    root = _object(data, "the config")
    if (kind := root.get("model_type")) != "qwen2_5_vl":
        raise ModelError(f"model_type is {kind!r}: only 'qwen2_5_vl' checkpoints can be loaded")
    inner, vision = (_object(root.get(name), name) for name in ("text_config", "vision_config"))
    text = {**root, **inner}
    text |= _rope_keys(text) | {"tie_word_embeddings": _tied(root, inner)}
    tokens = {name: root[name] for name in Config.__dataclass_fields__ if name.endswith("_token_id") and name in root}
    for name, value in tokens.items():
        _check_value(name, value, int)
    config = Config(
        text=_pick(TextConfig, text),
        vision=_pick(VisionConfig, _vision_keys(vision)),
        quantization=_quantization(text.get("quantization_config")),
        rope_compat=_rope_compat(root.get("clickwright")),
        whole_cells=_whole_cells(root.get("clickwright")),
        **tokens,
    )
    _check_fixed(text, vision, config.text.num_hidden_layers)
    _check(config)
    return config


def _rope_compat(ours: object) -> RopeCompat:
    """Whose positions the network was trained with, in the object that holds what no other program reads."""
    value: RopeCompat = _object(ours, "clickwright").get("rope_compat", "canonical")
    if value not in get_args(RopeCompat):
        raise ModelError(f"rope_compat is {value!r}: choose one of {', '.join(get_args(RopeCompat))}")
    return value


def _whole_cells(ours: object) -> int | None:
    value = _object(ours, "clickwright").get("whole_cells")
    if value is not None:
        _check_value("whole_cells", value, int)
    return value


def _tied(root: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    """As transformers: the flag may stand in either place, and if one of two says so, it is so."""
    flags = [keys["tie_word_embeddings"] for keys in (root, inner) if "tie_word_embeddings" in keys]
    for flag in flags:
        _check_value("tie_word_embeddings", flag, bool)
    return any(flags)


def _check_fixed(text: Mapping[str, Any], vision: Mapping[str, Any], layers: int) -> None:
    """What the network takes for granted: another value would load, and answer nonsense."""
    for keys in (text, vision):
        if (act := keys.get("hidden_act", "silu")) != "silu":
            raise ModelError(f"hidden_act is {act!r}: only 'silu' is supported")
    # Published configs name a window but do not use it, or set it up for layers behind the last.
    first = text.get("max_window_layers", 80)
    if text.get("use_sliding_window") is True and (type(first) is not int or first < layers):
        raise ModelError("use_sliding_window is true: attention in a sliding window is not supported")


def _quantization(value: object) -> Quantization | None:
    keys = _object(value, "quantization_config")
    if not keys:
        return None
    if (method := keys.get("quant_method")) != "clickwright":
        raise ModelError(
            f"its weights are quantised by {method!r}, which cannot be read: take the checkpoint it was made from, "
            "and `agent model quantize` if it has to be small"
        )
    return quantization(keys.get("bits"), keys.get("group_size"))


def quantization(bits: object, group_size: object) -> Quantization:
    """Checked numbers. Raises ModelError."""
    if type(bits) is not int or bits not in (4, 8):
        raise ModelError(f"bits is {bits!r}, it must be 8 or 4")
    if type(group_size) is not int or group_size < 1:
        raise ModelError(f"group_size is {group_size!r}, it must be a positive integer")
    return Quantization(bits, group_size)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise ModelError(f"{name} is {str(value)[:80]!r}, it must be a JSON object")
    return value or {}


def _rope_keys(text: Mapping[str, Any]) -> dict[str, Any]:
    rope = _object(text.get("rope_parameters") or text.get("rope_scaling"), "rope_scaling")
    if (kind := rope.get("rope_type", rope.get("type", "default"))) not in ("default", "mrope"):
        raise ModelError(f"rope_scaling {kind!r} is not supported: only 'default' and 'mrope' are")
    section = rope.get("mrope_section", [16, 24, 24])
    if not isinstance(section, list) or len(section) != 3:
        raise ModelError(f"mrope_section is {section!r}, it must be three numbers")
    theta = rope.get("rope_theta", text.get("rope_theta", 1e6))
    return {"mrope_section": tuple(section), "rope_theta": theta}


def _vision_keys(vision: Mapping[str, Any]) -> dict[str, Any]:
    keys = dict(vision)
    keys.setdefault("in_channels", vision.get("in_chans", 3))
    blocks = vision.get("fullatt_block_indexes", [7, 15, 23, 31])
    keys["fullatt_block_indexes"] = tuple(blocks) if isinstance(blocks, list) else blocks
    return keys


def _pick(kind: type[T], keys: Mapping[str, Any]) -> T:
    """The fields of a dataclass that the config has, each checked against its type; the others keep their defaults."""
    given = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in keys:
            _check_value(field.name, keys[field.name], get_origin(field.type) or field.type)
            given[field.name] = keys[field.name]
    return kind(**given)


def _check_value(name: str, value: Any, kind: object) -> None:  # noqa: ANN401 (straight from JSON)
    if kind is tuple:
        right = isinstance(value, tuple) and all(type(item) is int and item >= 0 for item in value)
    elif kind is float:
        right = type(value) in (int, float) and value > 0
    else:
        # A bool is an int too: 1 layer is not `true` layers.
        right = type(value) is kind and (kind is bool or value > 0)
    if not right:
        wanted: dict[object, str] = {tuple: "a list of integers", float: "a positive number", bool: "true or false"}
        raise ModelError(f"{name} is {value!r}, it must be {wanted.get(kind, 'a positive integer')}")


def _check(config: Config) -> None:
    text, vision = config.text, config.vision
    if text.num_attention_heads % text.num_key_value_heads or text.hidden_size % text.num_attention_heads:
        raise ModelError(
            f"{text.num_attention_heads} heads do not fit hidden_size {text.hidden_size} "
            f"and {text.num_key_value_heads} kv heads"
        )
    if sum(text.mrope_section) != text.head_dim // 2:
        raise ModelError(f"mrope_section {list(text.mrope_section)} must add up to {text.head_dim // 2}")
    if vision.out_hidden_size != text.hidden_size:
        raise ModelError(
            f"the vision tower ends in {vision.out_hidden_size} values, the language model takes {text.hidden_size}"
        )
    if config.quantization is not None and (misfit := group_misfit(text, config.quantization)):
        raise ModelError(misfit)
    if vision.hidden_size % (4 * vision.num_heads):
        raise ModelError(
            f"{vision.num_heads} vision heads do not fit hidden_size {vision.hidden_size}: "
            "each must have a multiple of 4 values"
        )


def group_misfit(text: TextConfig, how: Quantization) -> str:
    """Why groups of this size do not divide the inputs of every layer, "" if they do."""
    if how.bits == 4 and how.group_size % 2:
        return f"the group size is {how.group_size}, it must be even: at 4 bits, two weights share a byte"
    for inputs in (text.hidden_size, text.intermediate_size):
        if inputs % how.group_size:
            largest = gcd(text.hidden_size, text.intermediate_size, 128)
            return (
                f"groups of {how.group_size} weights do not divide the {inputs} inputs of a layer: "
                f"the largest that do have {largest}"
            )
    return ""

"""Checkpoints in every naming and layout, and what is said about those that cannot be loaded."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from tiny import IMAGE, START, hf_model, save_hf, transformers

from action_space.errors import ModelError
from vlm.checkpoint import empty_network, layout, load_checkpoint, save_checkpoint
from vlm.config import Config, TextConfig, VisionConfig, parse_config, read_config
from vlm.model import Qwen25VL
from vlm.names import canonical_name
from vlm.survey import parameters

TEXT = TextConfig(
    vocab_size=96,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    rms_norm_eps=1e-6,
    rope_theta=10000.0,
    mrope_section=(1, 1, 2),
    max_position_embeddings=4096,
)
VISION = VisionConfig(
    depth=2,
    hidden_size=16,
    intermediate_size=24,
    num_heads=2,
    out_hidden_size=32,
    tokens_per_second=2,
    fullatt_block_indexes=(1,),
)
CONFIG = Config(TEXT, VISION, image_token_id=IMAGE, video_token_id=91, vision_start_token_id=START)
TIED = replace(CONFIG, text=replace(TEXT, tie_word_embeddings=True))


def random_model(config: Config = CONFIG) -> Qwen25VL:
    torch.manual_seed(0)
    model = Qwen25VL(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5))
    return model


@pytest.fixture(scope="module")
def model() -> Qwen25VL:
    return random_model()


@pytest.fixture
def folder(model: Qwen25VL, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path)
    return tmp_path


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    tensors = tensors_of(folder)
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def reconfigure(folder: Path, **keys: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **keys}), encoding="utf-8")
    return folder


def load(folder: Path) -> Qwen25VL:
    return load_checkpoint(folder, dtype=torch.float32)


def assert_equal(got: Qwen25VL, wanted: Qwen25VL) -> None:
    theirs = wanted.state_dict()
    assert got.state_dict().keys() == theirs.keys()
    for name, tensor in got.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


# Names and files


def test_what_is_saved_is_loaded(model: Qwen25VL, folder: Path) -> None:
    loaded = load(folder)
    assert_equal(loaded, model)
    assert loaded.config == model.config
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_no_compiler_is_imported_to_load_a_checkpoint(folder: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path; from vlm.checkpoint import load_checkpoint; "
        "load_checkpoint(Path(sys.argv[1]), dtype=torch.float32); "
        "print([name for name in ('sympy', 'torch._dynamo', 'torch._inductor') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_weights_can_be_read_by_whoever_can_read_the_folder(model: Qwen25VL, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    save_checkpoint(model, tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_names_on_disk_are_those_of_the_hub(folder: Path) -> None:
    shapes = {name: list(tensor.shape) for name, tensor in tensors_of(folder).items()}
    assert shapes["visual.patch_embed.proj.weight"] == [16, 3, 2, 14, 14]
    assert shapes["visual.blocks.0.attn.qkv.weight"] == [48, 16]
    assert shapes["visual.blocks.1.mlp.gate_proj.bias"] == [24]
    assert shapes["visual.merger.mlp.2.weight"] == [32, 64]
    assert shapes["model.layers.0.self_attn.q_proj.weight"] == [32, 32]
    assert shapes["model.layers.0.self_attn.k_proj.bias"] == [16]
    assert shapes["model.layers.1.mlp.up_proj.weight"] == [48, 32]
    assert shapes["lm_head.weight"] == [96, 32]
    assert not [name for name in shapes if "qkv_proj" in name or "gate_up" in name or "language_model" in name]


def new_style(name: str) -> str:
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


@pytest.mark.parametrize(
    "rename",
    [new_style, lambda name: f"base_model.model.{name}", lambda name: f"base_model.model.{new_style(name)}"],
    ids=["new", "adapter", "new adapter"],
)
def test_other_names(model: Qwen25VL, folder: Path, rename: Callable[[str], str]) -> None:
    save_file({rename(name): tensor for name, tensor in tensors_of(folder).items()}, folder / "model.safetensors")
    assert_equal(load(folder), model)


def test_canonical_names() -> None:
    assert canonical_name("model.norm.weight") == "language_model.norm.weight"
    assert canonical_name("model.language_model.norm.weight") == "language_model.norm.weight"
    assert canonical_name("base_model.model.model.visual.merger.ln_q.weight") == "visual.merger.ln_q.weight"
    assert canonical_name("lm_head.weight") == "lm_head.weight"


def shard(folder: Path) -> Path:
    """The checkpoint cut in two, q and k of one layer in different files."""
    tensors = tensors_of(folder)
    names = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, members in halves.items():
        save_file({name: tensors[name] for name in members}, folder / file)
    weight_map = {name: file for file, members in halves.items() for name in members}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (folder / "model.safetensors").unlink()
    return folder


def test_shards(model: Qwen25VL, folder: Path) -> None:
    assert_equal(load(shard(folder)), model)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (shard(folder) / "model-00002-of-00002.safetensors").unlink()
    assert "has no model-00002-of-00002.safetensors" in refusal(folder)


def test_shards_without_their_index(model: Qwen25VL, folder: Path) -> None:
    (shard(folder) / "model.safetensors.index.json").unlink()
    assert_equal(load(folder), model)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "lacks" in refusal(folder)


def test_saving_over_shards_leaves_no_old_index(model: Qwen25VL, folder: Path) -> None:
    save_checkpoint(model, shard(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert_equal(load(folder), model)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": null}'])
def test_a_malformed_index_is_named(folder: Path, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    assert "model.safetensors.index.json" in refusal(folder)


def test_tied_embeddings(tmp_path: Path) -> None:
    model = random_model(TIED)
    save_checkpoint(model, tmp_path)
    assert "lm_head.weight" not in tensors_of(tmp_path)
    loaded = load(tmp_path)
    assert_equal(loaded, model)
    assert loaded.lm_head.weight.data_ptr() == loaded.language_model.embed_tokens.weight.data_ptr()


def test_a_tied_head_that_was_saved_all_the_same_is_ignored(tmp_path: Path) -> None:
    model = random_model(TIED)
    save_checkpoint(model, tmp_path)
    rewrite(tmp_path, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(96, 32)}))
    assert_equal(load(tmp_path), model)


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.rotary_emb.inv_freq",
        "visual.rotary_pos_emb.inv_freq",
    ],
)
def test_stored_rotary_frequencies_are_ignored(model: Qwen25VL, folder: Path, name: str) -> None:
    assert_equal(load(rewrite(folder, lambda tensors: tensors.update({name: torch.ones(4)}))), model)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened(model: Qwen25VL, tmp_path: Path, dtype: torch.dtype) -> None:
    half = random_model().to(dtype)
    save_checkpoint(half, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == str(dtype).removeprefix("torch.")
    loaded = load(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert_equal(loaded, half.float())
    assert not torch.equal(loaded.lm_head.weight, model.lm_head.weight), "nothing was rounded: the test shows nothing"


def test_extra_keys_go_to_the_config(model: Qwen25VL, tmp_path: Path) -> None:
    save_checkpoint(model, tmp_path, extra={"clickwright": {"dialect": "compact"}})
    assert json.loads((tmp_path / "config.json").read_text())["clickwright"] == {"dialect": "compact"}
    assert read_config(tmp_path) == CONFIG


# Checkpoints that cannot be loaded


@pytest.mark.parametrize(
    "name", ["visual.merger.ln_q.weight", "model.layers.1.self_attn.k_proj.bias", "lm_head.weight"]
)
def test_a_missing_tensor_is_named(folder: Path, name: str) -> None:
    assert f"lacks {name}" in refusal(rewrite(folder, lambda tensors: tensors.pop(name)))


@pytest.mark.parametrize("prefix", ["", "base_model.model."])
def test_a_missing_tensor_is_called_as_its_neighbours_are(folder: Path, prefix: str) -> None:
    tensors = {prefix + new_style(name): tensor for name, tensor in tensors_of(folder).items()}
    del tensors[f"{prefix}model.language_model.norm.weight"]
    save_file(tensors, folder / "model.safetensors")
    assert "lacks model.language_model.norm.weight" in refusal(folder)


def test_a_tensor_under_two_names_is_told(folder: Path) -> None:
    double = {"model.visual.merger.ln_q.weight": torch.ones(16)}
    text = refusal(rewrite(folder, lambda tensors: tensors.update(double)))
    assert "twice" in text and "model.visual.merger.ln_q.weight" in text


def test_many_missing_tensors_are_counted(folder: Path) -> None:
    def drop_layer(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("model.layers.1.")]:
            del tensors[name]

    assert "and 7 more tensors" in refusal(rewrite(folder, drop_layer))


def test_a_surplus_tensor_is_named(folder: Path) -> None:
    text = refusal(rewrite(folder, lambda tensors: tensors.update({"model.layers.2.bias": torch.ones(1)})))
    assert "model.layers.2.bias" in text


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("visual.patch_embed.proj.weight", [16, 1176], [16, 3, 2, 14, 14]),
        ("model.norm.weight", [31], [32]),
        ("model.layers.0.mlp.gate_proj.weight", [47, 32], [48, 32]),
        ("model.embed_tokens.weight", [32, 96], [96, 32]),
    ],
)
def test_a_misshaped_tensor_is_named(folder: Path, name: str, shape: list[int], wanted: list[int]) -> None:
    text = refusal(rewrite(folder, lambda tensors: tensors.update({name: torch.ones(shape)})))
    assert f"{name} has shape {shape}, the config asks for {wanted}" in text


def test_misshaped_parts_of_the_right_total_are_noticed(folder: Path) -> None:
    """q with k's rows and k with q's stack to the right shape, and to nonsense."""

    def swap(tensors: dict[str, Tensor]) -> None:
        q, k = (f"model.layers.0.self_attn.{part}_proj.weight" for part in "qk")
        tensors[q], tensors[k] = tensors[k], tensors[q]

    assert "self_attn.q_proj.weight has shape [16, 32]" in refusal(rewrite(folder, swap))


def test_quantised_tensors_are_refused(folder: Path) -> None:
    whole = torch.ones(32, dtype=torch.int8)
    assert "model.norm.weight holds I8" in refusal(
        rewrite(folder, lambda tensors: tensors.update({"model.norm.weight": whole}))
    )


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file_is_named(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "model.safetensors in " in (text := refusal(folder)) and "not a whole safetensors file" in text


def test_a_folder_without_weights_or_config(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "has no model.safetensors" in refusal(folder)
    (folder / "config.json").unlink()
    assert "has no config.json" in refusal(folder)


# config.json


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model_type": "qwen2_vl"}, "model_type is 'qwen2_vl'"),
        ({"hidden_size": "32"}, "hidden_size is '32', it must be a positive integer"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"rms_norm_eps": None}, "rms_norm_eps is None, it must be a positive number"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no', it must be true or false"),
        ({"image_token_id": [90]}, "image_token_id is [90]"),
        ({"vision_config": [1]}, "vision_config is '[1]', it must be a JSON object"),
        ({"vision_config": {"fullatt_block_indexes": 7}}, "fullatt_block_indexes is 7, it must be a list of integers"),
        ({"text_config": "none"}, "text_config is 'none', it must be a JSON object"),
        ({"rope_scaling": [1]}, "rope_scaling is '[1]'"),
        ({"rope_scaling": {"type": "yarn", "mrope_section": [1, 1, 2]}}, "rope_scaling 'yarn' is not supported"),
        ({"rope_scaling": {"mrope_section": [1, 1]}}, "mrope_section is [1, 1], it must be three numbers"),
        ({"rope_scaling": {"mrope_section": [1, 1, 1]}}, "mrope_section [1, 1, 1] must add up to 4"),
        ({"clickwright": {"rope_compat": "hf999"}}, "rope_compat is 'hf999': choose one of canonical, hf457, hf523"),
        ({"clickwright": "compact"}, "clickwright is 'compact', it must be a JSON object"),
        ({"clickwright": {"whole_cells": "400"}}, "whole_cells is '400', it must be a positive integer"),
        ({"num_key_value_heads": 3}, "3 kv heads"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu': only 'silu' is supported"),
        ({"use_sliding_window": True, "max_window_layers": 1}, "use_sliding_window is true"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "quantised by 'awq', which cannot be read"),
        ({"quantization_config": {"quant_method": "clickwright", "bits": 3, "group_size": 8}}, "bits is 3"),
        ({"quantization_config": {"quant_method": "clickwright", "bits": 4}}, "group_size is None"),
        ({"quantization_config": {"quant_method": "clickwright", "bits": 4, "group_size": 32}}, "do not divide the 48"),
        ({"vision_config": {}}, "ends in 3584 values, the language model takes 32"),
        ({"vision_config": {"num_heads": 3, "out_hidden_size": 32}}, "3 vision heads do not fit hidden_size 3584"),
    ],
)
def test_a_wrong_config_is_told(folder: Path, keys: dict[str, object], said: str) -> None:
    text = refusal(reconfigure(folder, **keys))
    assert said in text and "config.json" in text


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"text"', "\x00"])
def test_a_config_that_is_no_object(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    assert "config.json" in refusal(folder)


def flat() -> dict[str, Any]:
    text = asdict(TEXT)
    section = list(text.pop("mrope_section"))
    return {
        "model_type": "qwen2_5_vl",
        **text,
        "rope_scaling": {"type": "mrope", "mrope_section": section},
        "vision_config": {**asdict(VISION), "fullatt_block_indexes": [1]},
        "image_token_id": IMAGE,
        "video_token_id": 91,
        "vision_start_token_id": START,
    }


def nested(data: dict[str, Any]) -> dict[str, Any]:
    root = {"model_type", "vision_config", "tie_word_embeddings"} | {name for name in data if name.endswith("_id")}
    return {
        **{name: value for name, value in data.items() if name in root},
        "text_config": {name: value for name, value in data.items() if name not in root},
    }


def test_flat_and_nested_configs() -> None:
    assert parse_config(flat()) == CONFIG
    assert parse_config(nested(flat())) == CONFIG


def test_positions_of_another_version_of_transformers() -> None:
    data = {**flat(), "clickwright": {"rope_compat": "hf457", "dialect": "compact"}}
    assert parse_config(data) == replace(CONFIG, rope_compat="hf457")


def test_rope_parameters_of_version_5() -> None:
    data = flat()
    theta, scaling = data.pop("rope_theta"), data.pop("rope_scaling")
    data["rope_parameters"] = {"rope_type": "default", "rope_theta": theta, "mrope_section": scaling["mrope_section"]}
    assert parse_config(nested(data)) == CONFIG


@pytest.mark.parametrize("root", [None, False, True])
@pytest.mark.parametrize("inner", [None, False, True])
def test_the_tying_flag_may_stand_in_either_place(root: bool | None, inner: bool | None) -> None:
    data = nested(flat())
    del data["tie_word_embeddings"]
    data |= {} if root is None else {"tie_word_embeddings": root}
    data["text_config"] |= {} if inner is None else {"tie_word_embeddings": inner}
    wanted = transformers().Qwen2_5_VLConfig(**data).tie_word_embeddings
    assert parse_config(data).text.tie_word_embeddings is wanted is bool(root or inner)


def test_defaults_are_those_of_transformers() -> None:
    theirs = transformers().Qwen2_5_VLConfig()
    data = {"model_type": "qwen2_5_vl", "vision_config": {"out_hidden_size": 8192}}
    ours = parse_config(data)
    said_here = {"tie_word_embeddings", "out_hidden_size", "mrope_section", "rope_theta"}
    for mine, other in ((ours.text, theirs.text_config), (ours.vision, theirs.vision_config)):
        for name, value in asdict(mine).items():
            if name not in said_here:
                stated = getattr(other, name)
                assert (tuple(stated) if isinstance(value, tuple) else stated) == value, name
    assert ours.text.rope_theta == theirs.text_config.rope_parameters["rope_theta"]


PUBLISHED = {
    "3B": (2048, 11008, 36, 16, 2, 151936, True, 3420, 3754622976, 668684288, 824, 36864),
    "7B": (3584, 18944, 28, 28, 4, 152064, False, 3420, 8292166656, 676550144, 729, 57344),
    "32B": (5120, 27648, 64, 40, 8, 152064, False, 3456, 33452718336, 688841984, 1161, 262144),
    "72B": (8192, 29568, 80, 64, 8, 152064, False, 3456, 73410777344, 704573696, 1353, 327680),
}
"""hidden, intermediate, layers, heads, kv heads, vocabulary, tied, vision intermediate; parameters, of which visual,
tensors, bytes of cache a token."""


@pytest.mark.parametrize("arranged", ["flat", "nested", "v5", "difference"])
@pytest.mark.parametrize("size", PUBLISHED)
def test_published_sizes(size: str, arranged: str) -> None:
    hidden, inner, layers, heads, kv, vocabulary, tied, vision_inner, total, visual, tensors, cache = PUBLISHED[size]
    data: dict[str, Any] = {
        "model_type": "qwen2_5_vl",
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "max_position_embeddings": 128000,
        "max_window_layers": 70,
        "sliding_window": 32768,
        "use_sliding_window": False,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "image_token_id": 151655,
        "vision_config": {
            "depth": 32,
            "hidden_size": 1280,
            "in_chans": 3,
            "spatial_patch_size": 14,
            "tokens_per_second": 2,
            "intermediate_size": vision_inner,
            "out_hidden_size": hidden,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
        **({"tie_word_embeddings": True} if tied else {}),
    }
    if arranged != "flat":
        data = nested(data)
    if arranged == "v5":
        text = data["text_config"]
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": text.pop("rope_theta"), "type": "mrope"}
        text["rope_parameters"]["mrope_section"] = text.pop("rope_scaling")["mrope_section"]
    if arranged == "difference":
        defaults = {"depth", "fullatt_block_indexes", "in_chans"} | (
            {"intermediate_size"} if vision_inner == 3420 else set()
        )
        defaults |= {"out_hidden_size"} if hidden == 3584 else set()
        data["vision_config"] = {name: value for name, value in data["vision_config"].items() if name not in defaults}
    config = parse_config(data)
    counts = parameters(config)
    assert (sum(counts.values()), counts["vision"]) == (total, visual)
    parts = [part for whole in layout(empty_network(config)).values() for part in whole]
    assert len(parts) == tensors
    assert 2 * 2 * config.text.num_hidden_layers * config.text.num_key_value_heads * config.text.head_dim == cache


def test_a_vision_config_stored_as_a_difference_takes_class_defaults() -> None:
    data = {**flat(), "vision_config": {"out_hidden_size": 32, "hidden_size": 1280, "in_chans": 3}}
    vision = parse_config(data).vision
    assert vision == VisionConfig(hidden_size=1280, out_hidden_size=32)
    assert vision.tokens_per_second == 4
    assert vision.fullatt_block_indexes == (7, 15, 23, 31)
    assert (vision.depth, vision.window_tokens, vision.patch_dim) == (32, 4, 1176)


# Transformers


def test_transformers_loads_what_is_saved(model: Qwen25VL, folder: Path) -> None:
    theirs, info = transformers().Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    ids = torch.tensor([[1, 2, START, *[IMAGE] * 30, 93, 3, 4]])
    torch.manual_seed(1)
    pictures = {"pixel_values": torch.randn(120, 1176), "image_grid_thw": torch.tensor([[1, 10, 12]])}
    with torch.no_grad():
        wanted = theirs.eval()(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == IMAGE).long(),
            **pictures,
        ).logits
        got = model(ids, **pictures).logits
    assert wanted.std() > 0.3
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tied", [False, True])
def test_what_transformers_saves_comes_back_the_same(tmp_path: Path, tied: bool) -> None:
    oracle = hf_model(tie_word_embeddings=tied)
    loaded = load(save_hf(oracle, tmp_path / "theirs"))
    assert loaded.config.text.tie_word_embeddings is tied
    save_checkpoint(loaded, tmp_path / "ours")
    theirs, ours = tensors_of(tmp_path / "theirs"), tensors_of(tmp_path / "ours")
    wanted = {canonical_name(name): tensor for name, tensor in theirs.items()}
    got = {canonical_name(name): tensor for name, tensor in ours.items()}
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


def test_a_model_saved_in_shards_by_transformers(tmp_path: Path) -> None:
    oracle = hf_model()
    oracle.save_pretrained(tmp_path, max_shard_size="100KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    oracle.save_pretrained(tmp_path / "whole")
    assert_equal(load(tmp_path), load(tmp_path / "whole"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_names_as_they_are_in_memory_since_4_52(tmp_path: Path, dtype: torch.dtype) -> None:
    """Many fine-tunes were saved from a state dict: the new names, with the config that transformers writes."""
    oracle = hf_model().to(dtype)
    state = {name: tensor.contiguous() for name, tensor in oracle.state_dict().items()}
    assert any(name.startswith("model.language_model.") for name in state)
    save_hf(oracle, tmp_path / "legacy")
    (tmp_path / "new").mkdir()
    save_file(state, tmp_path / "new" / "model.safetensors")
    (tmp_path / "new" / "config.json").write_bytes((tmp_path / "legacy" / "config.json").read_bytes())
    loaded = load(tmp_path / "new")
    assert_equal(loaded, load(tmp_path / "legacy"))
    rows = oracle.model.language_model.layers[1].self_attn.k_proj.weight.shape[0]
    k = loaded.language_model.layers[1].self_attn.qkv_proj.weight[64 : 64 + rows]
    assert torch.equal(k, oracle.model.language_model.layers[1].self_attn.k_proj.weight.float())

"""Checkpoints rewritten: transformers reads the result, and llama.cpp's package reads the GGUF file back."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE

sys.path.insert(0, str(Path(__file__).parent))
from tiny import IMAGE, SECTION, hf_model, save_hf, transformers

from action_space.errors import ConfigError, ModelError
from vlm.checkpoint import load_checkpoint
from vlm.config import Quantization, read_config
from vlm.convert import average, convert, quantize_checkpoint
from vlm.llama_cpp import write_gguf
from vlm.names import Names, naming
from vlm.survey import survey

TOKENS = {**{chr(97 + n): n for n in range(20)}, "ab": 20, "abc": 21}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as transformers writes it, a dialect of its own, and a tokenizer with merges."""
    folder = save_hf(hf_model(), tmp_path_factory.mktemp("whole"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "clickwright": {"dialect": "compact"}}))
    tokenizer = Tokenizer(BPE(TOKENS, [("a", "b"), ("ab", "c")]))
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", special=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text('{"min_pixels": 3136}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    return folder


def loaded_by_transformers(folder: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401 (transformers is hardly typed)
    model, info = transformers().Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=dtype, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    return model


@pytest.mark.parametrize("names", ["legacy", "new"])
@pytest.mark.parametrize("dtype", ["", "bfloat16"])
def test_transformers_loads_what_was_converted(whole: Path, tmp_path: Path, names: Names, dtype: str) -> None:
    out = tmp_path / "out"
    size = convert(whole, out, dtype=dtype, names=names, shard_bytes=100_000)
    files = sorted(path.name for path in out.iterdir())
    assert "model.safetensors.index.json" in files and "model-00001-of-0" in " ".join(files)
    assert {"tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"} < set(files)
    shards = [load_file(path) for path in sorted(out.glob("*.safetensors"))]
    assert naming(key for shard in shards for key in shard) == names
    assert size == sum(tensor.nbytes for shard in shards for tensor in shard.values())
    assert all(sum(t.nbytes for t in shard.values()) <= 100_000 or len(shard) == 1 for shard in shards)
    kind = torch.bfloat16 if dtype else torch.float32
    theirs, before = loaded_by_transformers(out, kind), loaded_by_transformers(whole, kind)
    assert all(torch.equal(tensor, before.state_dict()[name]) for name, tensor in theirs.state_dict().items())
    ours = load_checkpoint(out, dtype=torch.float32)
    wanted = load_checkpoint(whole, dtype=torch.float32).to(kind).float()
    assert all(torch.equal(tensor, wanted.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_the_config_keeps_what_it_said(whole: Path, tmp_path: Path) -> None:
    convert(whole, tmp_path / "out", dtype="bfloat16")
    after = json.loads((tmp_path / "out" / "config.json").read_text())
    assert read_config(tmp_path / "out") == read_config(whole)
    assert after["clickwright"] == {"dialect": "compact"}
    assert (after["torch_dtype"], "text_config" in after, after["image_token_id"]) == ("bfloat16", False, IMAGE)
    assert survey(tmp_path / "out").config_layout == "flat"
    assert survey(whole).config_layout == "v5"


def test_there_and_back_again_changes_nothing(whole: Path, tmp_path: Path) -> None:
    convert(whole, tmp_path / "new", names="new", shard_bytes=50_000)
    convert(tmp_path / "new", tmp_path / "back")
    before, after = (load_file(folder / "model.safetensors") for folder in (whole, tmp_path / "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_tied_head_is_left_out(tmp_path: Path) -> None:
    folder = save_hf(hf_model(tie_word_embeddings=True), tmp_path / "tied")
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "lm_head.weight": torch.zeros(96, 64)}, folder / "model.safetensors")
    convert(folder, tmp_path / "out", dtype="float16")
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")
    head = loaded_by_transformers(tmp_path / "out", torch.float16).lm_head.weight
    assert torch.equal(head, tensors["model.embed_tokens.weight"].half())


def test_what_is_too_large_for_float16_is_named(whole: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    convert(whole, huge)
    tensors = load_file(huge / "model.safetensors")
    tensors["model.norm.weight"][0] = 1e6
    save_file(tensors, huge / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.norm\.weight does not fit float16: take bfloat16 or float32"):
        convert(huge, tmp_path / "out", dtype="float16")
    assert list((tmp_path / "out").iterdir()) == [], "an unfinished checkpoint was left"


def test_packed_weights_can_be_cut_and_renamed(whole: Path, tmp_path: Path) -> None:
    quantize_checkpoint(whole, tmp_path / "packed", Quantization(4, 32))
    convert(tmp_path / "packed", tmp_path / "out", names="new", shard_bytes=50_000)
    wanted, got = (load_checkpoint(tmp_path / name, dtype=torch.float32) for name in ("packed", "out"))
    assert got.config == wanted.config
    assert all(torch.equal(tensor, wanted.state_dict()[name]) for name, tensor in got.state_dict().items())


def test_the_mean_of_checkpoints(whole: Path, tmp_path: Path) -> None:
    convert(whole, tmp_path / "other")
    tensors = load_file(tmp_path / "other" / "model.safetensors")
    save_file({name: tensor + 3 for name, tensor in tensors.items()}, tmp_path / "other" / "model.safetensors")
    config = tmp_path / "other" / "config.json"
    own = {"clickwright": {"whole_cells": 9}}  # which of them are shown is nothing of the weights
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | own), encoding="utf-8")
    average([whole, tmp_path / "other", whole], tmp_path / "mean")
    before, mean = (load_checkpoint(folder, dtype=torch.float32) for folder in (whole, tmp_path / "mean"))
    assert mean.config == before.config
    for name, tensor in mean.state_dict().items():
        assert torch.allclose(tensor, before.state_dict()[name] + 1, atol=1e-5), name
    assert (tmp_path / "mean" / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()


def test_no_mean_of_what_does_not_fit(whole: Path, tmp_path: Path) -> None:
    tied = save_hf(hf_model(tie_word_embeddings=True), tmp_path / "tied")
    with pytest.raises(ModelError, match="another shape"):
        average([whole, tied], tmp_path / "mean")
    quantize_checkpoint(whole, tmp_path / "packed", Quantization(4, 32))
    with pytest.raises(ModelError, match="is quantised: average those it was made from"):
        average([whole, tmp_path / "packed"], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_a_folder_in_use_is_not_written_to(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not empty: give a new folder"):
        convert(whole, whole)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        convert(whole, tmp_path / "file")


# GGUF


def read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and tensors with their dtypes as llama.cpp calls them."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    return (
        {name: field.contents() for name, field in reader.fields.items()},
        {tensor.name: (tensor.tensor_type.name, tensor.data) for tensor in reader.tensors},
    )


@pytest.mark.parametrize(("dtype", "stored"), [("", "F32"), ("float16", "F16"), ("bfloat16", "BF16")])
def test_the_language_model_as_gguf(whole: Path, tmp_path: Path, dtype: str, stored: str) -> None:
    path = tmp_path / "out.gguf"
    assert write_gguf(whole, path, dtype=dtype) == path.stat().st_size
    settings, tensors = read_gguf(path)
    assert settings["general.architecture"] == "qwen2vl"
    wanted = {
        "block_count": 2,
        "embedding_length": 64,
        "feed_forward_length": 96,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "context_length": 4096,
        "rope.freq_base": 10000.0,
        "rope.dimension_sections": [*SECTION, 0],
    }
    assert {name: settings[f"qwen2vl.{name}"] for name in wanted} == wanted
    assert settings["qwen2vl.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert len(tensors) == 2 * 12 + 3 and not [name for name in tensors if "v." in name[:2]]
    before = load_file(whole / "model.safetensors")
    for theirs, ours in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output.weight", "lm_head.weight"),
        ("blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight"),
        ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight"),
        ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"),
    ):
        kind, data = tensors[theirs]
        assert kind == stored
        bits = torch.from_numpy(data.copy())
        tensor = bits.view(torch.bfloat16) if stored == "BF16" else bits
        assert torch.equal(tensor, before[ours].to(tensor.dtype)), theirs
    for theirs, ours in (
        ("blk.1.attn_q.bias", "model.layers.1.self_attn.q_proj.bias"),
        ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"),
        ("output_norm.weight", "model.norm.weight"),
    ):
        kind, data = tensors[theirs]
        assert kind == "F32" and torch.equal(torch.from_numpy(data.copy()), before[ours])


def test_the_tokenizer_in_gguf(whole: Path, tmp_path: Path) -> None:
    write_gguf(whole, tmp_path / "out.gguf")
    settings, _ = read_gguf(tmp_path / "out.gguf")
    tokens, kinds = settings["tokenizer.ggml.tokens"], settings["tokenizer.ggml.token_type"]
    assert (settings["tokenizer.ggml.model"], settings["tokenizer.ggml.pre"]) == ("gpt2", "qwen2")
    assert len(tokens) == len(kinds) == 96
    assert tokens[19:26] == ["t", "ab", "abc", "<|endoftext|>", "<|im_end|>", "<tool_call>", "[PAD25]"]
    assert kinds[19:26] == [1, 1, 1, 3, 3, 4, 5]
    assert settings["tokenizer.ggml.merges"] == ["a b", "ab c"]
    assert (settings["tokenizer.ggml.eos_token_id"], settings["tokenizer.ggml.padding_token_id"]) == (23, 22)
    assert settings["tokenizer.ggml.add_bos_token"] is False
    assert settings["tokenizer.chat_template"] == "{{ messages }}"


def test_what_cannot_become_gguf_is_told(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.gguf"
    quantize_checkpoint(whole, tmp_path / "packed", Quantization(4, 32))
    with pytest.raises(ModelError, match="is quantised: take the one it was made from"):
        write_gguf(tmp_path / "packed", out)
    convert(whole, tmp_path / "bytes")
    Tokenizer(BPE(TOKENS, [])).save(str(tmp_path / "bytes" / "tokenizer.json"))
    with pytest.raises(ModelError, match="its tokenizer has no merges"):
        write_gguf(tmp_path / "bytes", out)
    with pytest.raises(ConfigError, match="cannot write"):
        write_gguf(whole, tmp_path / "nowhere" / "out.gguf")
    out.write_text("")
    with pytest.raises(ConfigError, match="exists already"):
        write_gguf(whole, out)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ConfigError, match=r"needs the package gguf: pip install 'clickwright\[gguf\]'"):
        write_gguf(whole, out)
    assert {path.name for path in tmp_path.iterdir()} == {"packed", "bytes", "out.gguf"}

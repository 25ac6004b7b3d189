"""Packed weights: what a weight may lose, what a whole network loses, and what is on disk."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import linear

sys.path.insert(0, str(Path(__file__).parent))
from tiny import IMAGE, hf_model, save_hf

import vlm
from action_space.errors import ConfigError, ModelError
from action_space.messages import Message
from vlm.checkpoint import load_checkpoint, save_checkpoint
from vlm.config import Config, Quantization, TextConfig, VisionConfig, read_config
from vlm.convert import Packed, quantize_checkpoint
from vlm.language import KVCache
from vlm.model import Qwen25VL
from vlm.quantize import QuantizedLinear, dequantize, is_quantized, quantize
from vlm.training.tokenizer import byte_tokenizer

BITS = [Quantization(8, 16), Quantization(4, 16), Quantization(4, 32)]


@pytest.mark.parametrize("how", BITS, ids=str)
@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6])
@given(seed=st.integers(0, 2**31))
def test_no_weight_moves_by_more_than_half_a_step(how: Quantization, scale: float, seed: int) -> None:
    weight = torch.randn(12, 96, generator=torch.Generator().manual_seed(seed)) * scale
    qweight, scales = quantize(weight, how)
    off = (dequantize(qweight, scales, torch.float32) - weight).abs()
    step = scales.float().repeat_interleave(how.group_size, dim=1)
    assert (off <= step * 0.501).all()
    # The largest of each group decides the step, and bf16 rounds that by at most one part in 256.
    groups = weight.view(12, -1, how.group_size).abs().amax(-1)
    assert (scales.float() <= groups / how.most * (1 + 2**-8)).all()


def test_values_that_are_there_exactly_come_back_exactly() -> None:
    whole = torch.arange(-7.0, 8.0).repeat(2, 32)[:, :448] * 0.5
    for how in (Quantization(4, 64), Quantization(4, 448)):
        assert torch.equal(dequantize(*quantize(whole, how), torch.float32), whole)
    assert torch.equal(
        dequantize(*quantize(torch.zeros(3, 32), Quantization(8, 32)), torch.bfloat16), torch.zeros(3, 32)
    )


def test_four_bits_lie_as_documented() -> None:
    qweight, scales = quantize(torch.tensor([[7.0, -7.0, 1.0, 0.0]]), Quantization(4, 4))
    assert (qweight.tolist(), scales.tolist(), qweight.dtype) == ([[15 | 9 << 4, 1 | 8 << 4]], [[1.0]], torch.uint8)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantize(torch.tensor([[1.0, float("nan")]]), Quantization(8, 2))


@pytest.mark.parametrize("how", BITS, ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_layer_is_the_product_with_its_unpacked_weight(how: Quantization, bias: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = QuantizedLinear(64, 40, bias=bias, quantization=how).requires_grad_(False)
    layer.rows = 7
    layer.qweight, layer.scales = quantize(torch.randn(40, 64), how)
    layer.scales = layer.scales.to(dtype)
    if layer.bias is not None:
        layer.bias.copy_(torch.randn(40))
    layer.to(dtype)
    x = torch.randn(2, 3, 64, dtype=dtype)
    wanted = linear(x, dequantize(layer.qweight, layer.scales, dtype), layer.bias)
    torch.testing.assert_close(
        layer(x), wanted, rtol=0.02 if dtype is torch.bfloat16 else 1e-5, atol=1e-5 if dtype is torch.float32 else 0.1
    )
    assert layer.qweight.dtype in (torch.int8, torch.uint8), "packed weights were cast"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as transformers writes it."""
    return save_hf(hf_model(), tmp_path_factory.mktemp("whole"))


def pack(whole: Path, out: Path, how: Quantization) -> tuple[Qwen25VL, Packed]:
    done = quantize_checkpoint(whole, out, how)
    return load_checkpoint(out, dtype=torch.float32), done


def logits(model: Qwen25VL) -> torch.Tensor:
    torch.manual_seed(1)
    ids = torch.tensor([[1, 2, 92, *[IMAGE] * 30, 93, 3, 4, 5]])
    with torch.no_grad():
        return model(ids, pixel_values=torch.randn(120, 1176), image_grid_thw=torch.tensor([[1, 10, 12]])).logits


@pytest.mark.parametrize(
    ("how", "weights", "answers"),
    [(Quantization(8, 16), 0.006, 0.02), (Quantization(8, 32), 0.007, 0.02), (Quantization(4, 16), 0.11, 0.3)],
    ids=str,
)
def test_a_packed_network_answers_nearly_the_same(
    whole: Path, tmp_path: Path, how: Quantization, weights: float, answers: float
) -> None:
    """weights, answers: how far off they may be, norm by norm. Random weights lose more than trained ones."""
    model, done = pack(whole, tmp_path / "packed", how)
    wanted, got = logits(load_checkpoint(whole, dtype=torch.float32)), logits(model)
    assert 0 < done.error < weights
    assert 0 < float((got - wanted).norm() / wanted.norm()) < answers
    assert done.bytes_after < done.bytes_before
    assert done.worst_error >= done.error


def test_what_is_loaded_is_what_was_packed(whole: Path, tmp_path: Path) -> None:
    """Weights of the decoder within half a step, everything else untouched; and with a cache the same as without."""
    how = Quantization(4, 16)
    model, _ = pack(whole, tmp_path / "packed", how)
    floats = load_checkpoint(whole, dtype=torch.float32)
    assert model.config == replace(floats.config, quantization=how)
    state = floats.state_dict()
    packed = {
        f"language_model.{name}": m
        for name, m in model.language_model.named_modules()
        if isinstance(m, QuantizedLinear)
    }
    assert len(packed) == 4 * 2
    for name, layer in packed.items():
        off = (dequantize(layer.qweight, layer.scales, torch.float32) - state[f"{name}.weight"]).abs()
        assert (off <= layer.scales.repeat_interleave(16, dim=1) * 0.501).all()
    for name, tensor in model.state_dict().items():
        assert (name in state and torch.equal(tensor, state[name])) or name.endswith((".qweight", ".scales")), name
    ids, cache = torch.arange(1, 21)[None], KVCache()
    with torch.no_grad():
        at_once = model(ids).logits[:, -1]
        model(ids[:, :15], cache=cache)
        stepwise = model(ids[:, 15:], position_ids=torch.arange(15, 20).expand(3, 1, -1), cache=cache).logits[:, -1]
    torch.testing.assert_close(stepwise, at_once, rtol=1e-4, atol=1e-4)


def test_a_packed_network_is_saved_and_loaded_again(whole: Path, tmp_path: Path) -> None:
    model, _ = pack(whole, tmp_path / "packed", Quantization(8, 32))
    save_checkpoint(model, tmp_path / "again")
    again = load_checkpoint(tmp_path / "again", dtype=torch.float32)
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in again.state_dict().items())
    assert again.config == model.config


def test_the_files_are_as_documented(whole: Path, tmp_path: Path) -> None:
    quantize_checkpoint(whole, tmp_path / "packed", Quantization(4, 16))
    before, after = (load_file(folder / "model.safetensors") for folder in (whole, tmp_path / "packed"))
    stem = "model.layers.1.mlp.down_proj"
    assert (list(before[f"{stem}.weight"].shape), f"{stem}.weight" in after) == ([64, 96], False)
    qweight, scales = after[f"{stem}.qweight"], after[f"{stem}.scales"]
    assert (qweight.dtype, list(qweight.shape)) == (torch.uint8, [64, 48])
    assert (scales.dtype, list(scales.shape)) == (torch.bfloat16, [64, 6])
    low, high = (qweight & 15).float() - 8, (qweight >> 4).float() - 8
    values = torch.cat((low.view(64, 6, 8), high.view(64, 6, 8)), dim=-1).flatten(1)
    by_hand = values * scales.float().repeat_interleave(16, 1)
    assert (by_hand - before[f"{stem}.weight"]).norm() / before[f"{stem}.weight"].norm() < 0.12
    stated = json.loads((tmp_path / "packed" / "config.json").read_text())["quantization_config"]
    assert stated == {"quant_method": "clickwright", "bits": 4, "group_size": 16}
    kept = before.keys() & after.keys()
    assert {name for name in kept if name.startswith("visual.")} and "lm_head.weight" in kept
    assert all(torch.equal(before[name], after[name]) for name in kept)


def test_which_weights_are_packed() -> None:
    assert is_quantized("language_model.layers.0.self_attn.q_proj.weight")
    assert is_quantized("language_model.layers.31.mlp.down_proj.weight")
    for name in (
        "visual.blocks.0.mlp.up_proj.weight",
        "language_model.layers.0.self_attn.q_proj.bias",
        "lm_head.weight",
    ):
        assert not is_quantized(name)


def test_what_cannot_be_packed_is_told(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"groups of 64 weights do not divide the 96 inputs .* largest that do have 32"
    ):
        quantize_checkpoint(whole, tmp_path / "a", Quantization(8, 64))
    with pytest.raises(ConfigError, match="the group size is 3, it must be even"):
        quantize_checkpoint(whole, tmp_path / "a", Quantization(4, 3))
    quantize_checkpoint(whole, tmp_path / "packed", Quantization(8, 32))
    with pytest.raises(ModelError, match="is quantised already"):
        quantize_checkpoint(tmp_path / "packed", tmp_path / "b", Quantization(4, 32))
    with pytest.raises(ConfigError, match="is not empty"):
        quantize_checkpoint(whole, tmp_path / "packed", Quantization(4, 32))
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_a_weight_that_cannot_be_packed_is_named(whole: Path, tmp_path: Path) -> None:
    tensors = load_file(whole / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = float("inf")
    broken = tmp_path / "broken"
    broken.mkdir()
    save_file(tensors, broken / "model.safetensors")
    (broken / "config.json").write_bytes((whole / "config.json").read_bytes())
    with pytest.raises(
        ModelError, match=r"model.layers.1.mlp.up_proj.weight cannot be quantised: it holds .* not finite"
    ):
        quantize_checkpoint(broken, tmp_path / "out", Quantization(8, 32))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_engine_answers_with_packed_weights(tmp_path: Path, bits: int, dtype: str) -> None:
    tokens = byte_tokenizer(phrases=())
    pads = {name: tokens.token_to_id(f"<|{name}|>") for name in ("image_pad", "video_pad", "vision_start")}
    config = Config(
        TextConfig(288, 32, 64, 2, 4, 2, 1e-6, 10000.0, (1, 1, 2), 2048),
        VisionConfig(depth=1, hidden_size=16, intermediate_size=24, num_heads=2, out_hidden_size=32),
        *(pads[name] or 0 for name in ("image_pad", "video_pad", "vision_start")),
    )
    torch.manual_seed(0)
    save_checkpoint(Qwen25VL(config), tmp_path / "whole", extra={"clickwright": {"dialect": "compact"}})
    tokens.save(str(tmp_path / "whole" / "tokenizer.json"))
    quantize_checkpoint(tmp_path / "whole", tmp_path / "packed", Quantization(bits, 16))
    engine = vlm.load(tmp_path / "packed", dtype=dtype)
    asked = [Message("user", ("What is here?", Image.new("RGB", (84, 84), "red")))]
    first, again = (engine.generate(asked, max_new_tokens=6) for _ in range(2))
    assert (engine.dialect, first.text) == ("compact", again.text)
    assert first.tokens_out >= 1


@pytest.mark.parametrize("change", ["dtype", "missing", "bits"])
def test_a_damaged_packed_checkpoint_is_named(whole: Path, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "packed"
    quantize_checkpoint(whole, folder, Quantization(4, 32))
    name = "model.layers.0.self_attn.o_proj.qweight"
    tensors = load_file(folder / "model.safetensors")
    if change == "dtype":
        tensors[name] = tensors[name].to(torch.int8)
    if change == "missing":
        del tensors[name]
    save_file(tensors, folder / "model.safetensors")
    if change == "bits":
        config = json.loads((folder / "config.json").read_text())
        config["quantization_config"]["bits"] = 8
        (folder / "config.json").write_text(json.dumps(config))
    said = {"dtype": f"{name} holds I8, it must hold uint8", "missing": f"lacks {name}", "bits": "has shape"}
    with pytest.raises(ModelError, match=said[change]):
        load_checkpoint(folder, dtype=torch.float32)
    assert read_config(folder).quantization is not None

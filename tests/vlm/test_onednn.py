"""Weights in oneDNN's layout: the same answers, the same tensors on disk, and no change where it cannot be done."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from random_checkpoint import CONFIG, write

import vlm
from action_space.messages import Message
from vlm.backends.engine import Engine
from vlm.checkpoint import load_checkpoint, save_checkpoint
from vlm.config import Config, Quantization
from vlm.convert import quantize_checkpoint
from vlm.model import Qwen25VL
from vlm.onednn import BlockedLinear, block_weights
from vlm.quantize import QuantizedLinear

TIED = replace(CONFIG, text=replace(CONFIG.text, tie_word_embeddings=True))
DEEP = replace(TIED, text=replace(TIED.text, num_hidden_layers=24))
"""So many layers that its head is less than a tenth of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("checkpoint"))


def half(folder: Path) -> Qwen25VL:
    return load_checkpoint(folder, dtype=torch.bfloat16)


def blocked(folder: Path) -> Qwen25VL:
    model = half(folder)
    if not block_weights(model):
        pytest.skip("this processor, or this torch, does not multiply bf16 in blocks")
    return model


def logits(model: Qwen25VL) -> torch.Tensor:
    torch.manual_seed(1)
    ids = torch.tensor([[1, 2, *[model.config.image_token_id] * 30, 3, 4, 5]])
    with torch.inference_mode():
        return model(ids, pixel_values=torch.randn(120, 1176), image_grid_thw=torch.tensor([[1, 10, 12]])).logits


def linears(model: nn.Module) -> int:
    return sum(isinstance(layer, nn.Linear) for layer in model.modules())


def test_a_network_answers_the_same(folder: Path) -> None:
    model = blocked(folder)
    assert linears(model) == 0
    torch.testing.assert_close(logits(model), logits(half(folder)), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 40), (1, 33, 40), (7, 40), (2, 0, 40)])
def test_a_layer_is_the_product_with_its_weight(folder: Path, bias: bool, shape: tuple[int, ...]) -> None:
    blocked(folder)
    torch.manual_seed(0)
    layer = nn.Linear(40, 24, bias=bias, dtype=torch.bfloat16).requires_grad_(False)
    x = 100 * torch.randn(*shape).bfloat16()
    torch.testing.assert_close(BlockedLinear(layer)(x), layer(x), rtol=0.02, atol=0.02)


def test_values_that_do_not_lie_in_a_row_are_taken_as_they_are(folder: Path) -> None:
    blocked(folder)
    torch.manual_seed(0)
    layer = nn.Linear(40, 24, dtype=torch.bfloat16).requires_grad_(False)
    x = torch.randn(40, 6, 2).bfloat16().transpose(0, 2)
    torch.testing.assert_close(BlockedLinear(layer)(x), layer(x.contiguous()), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("config", [CONFIG, TIED, DEEP], ids=["untied", "tied", "deep and tied"])
def test_what_is_saved_is_what_was_loaded(tmp_path: Path, config: Config) -> None:
    folder = write(tmp_path / "checkpoint", config)
    wanted, model = half(folder).state_dict(), blocked(folder)
    save_checkpoint(model, tmp_path / "again")
    for found in (model.state_dict(), half(tmp_path / "again").state_dict()):
        assert list(found) == list(wanted)
        assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_it_takes_no_more_memory(folder: Path) -> None:
    sizes = [sum(p.nbytes for p in model.parameters()) for model in (half(folder), blocked(folder))]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("config", "copied"), [(TIED, False), (DEEP, True)], ids=["large", "small"])
def test_a_tied_head_is_copied_where_it_is_small(tmp_path: Path, config: Config, copied: bool) -> None:
    folder = write(tmp_path / "checkpoint", config)
    plain, model = half(folder), blocked(folder)
    assert isinstance(model.lm_head, BlockedLinear) == copied
    before, after = (sum(p.nbytes for p in model.parameters()) for model in (plain, model))
    assert after - before == copied * plain.lm_head.weight.nbytes
    assert after < 1.1 * before
    torch.testing.assert_close(logits(model), logits(plain), rtol=0.02, atol=0.05)


def test_quantised_layers_stay_what_they_are(folder: Path, tmp_path: Path) -> None:
    quantize_checkpoint(folder, tmp_path / "packed", Quantization(8, 16))
    plain, model = half(tmp_path / "packed"), blocked(tmp_path / "packed")
    kinds = {type(layer) for layer in model.language_model.layers.modules()}
    assert QuantizedLinear in kinds and BlockedLinear not in kinds
    assert isinstance(model.lm_head, BlockedLinear)
    torch.testing.assert_close(logits(model), logits(plain), rtol=0.02, atol=0.02)


def raising(*_: object) -> torch.Tensor:
    raise RuntimeError("mkldnn: could not create a primitive")


def wrong(x: torch.Tensor, weight: torch.Tensor, *_: object) -> torch.Tensor:
    return torch.zeros(*x.shape[:-1], weight.shape[0], dtype=x.dtype)


def renamed(_x: torch.Tensor) -> torch.Tensor:
    raise AssertionError("called with other arguments than it takes")


BROKEN: dict[str, dict[str, Callable[..., torch.Tensor]]] = {
    "no operators": {},
    "no product": {"_reorder_linear_weight": lambda weight, _batch: weight},
    "no layout": {"_reorder_linear_weight": raising, "_linear_pointwise": wrong},
    "product raises": {"_reorder_linear_weight": lambda weight, _batch: weight, "_linear_pointwise": raising},
    "product is wrong": {"_reorder_linear_weight": lambda weight, _batch: weight, "_linear_pointwise": wrong},
    "other arguments": {"_reorder_linear_weight": renamed, "_linear_pointwise": wrong},
}


@pytest.mark.parametrize("operators", BROKEN)
def test_nothing_happens_where_torch_cannot(folder: Path, monkeypatch: pytest.MonkeyPatch, operators: str) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(**BROKEN[operators]))
    model = half(folder)
    assert (block_weights(model), linears(model)) == (False, linears(half(folder)))
    assert torch.equal(logits(model), logits(half(folder)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_numbers_and_devices_stay_as_they_are(folder: Path, dtype: torch.dtype) -> None:
    for model in (load_checkpoint(folder, dtype=dtype), half(folder).to("meta")):
        assert not block_weights(model)
        assert linears(model) == linears(half(folder))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_engine_says_the_same_with_and_without(folder: Path, dtype: str) -> None:
    engines = [Engine(folder, dtype=dtype, blocks=blocks) for blocks in (True, False)]
    assert not engines[1].blocks and not (engines[0].blocks and dtype == "float32")
    screen = Image.fromarray(np.random.default_rng(0).integers(0, 256, (84, 140, 3), dtype=np.uint8))
    said = []
    for engine in engines:
        messages = [Message("user", ("Click OK on this screen, in the words of the page: ", screen))]
        first = engine.generate(messages, max_new_tokens=16)
        messages += [Message("assistant", (first.text,)), Message("user", ("And now?",))]
        second = engine.generate(messages, max_new_tokens=16)
        said.append((engine.dtype, first.text, second.text, second.cached_tokens))
    assert said[0] == said[1]
    assert len(set(said[0][1])) > 3, "the model says one thing only: the test shows nothing"


def test_the_bundled_model_says_the_same_with_and_without() -> None:
    screen = Image.new("RGB", (336, 224), "white")
    asked = [Message("user", ('click "Save"', screen))]
    said = [
        Engine(vlm.BUNDLED, dtype="bfloat16", blocks=blocks).generate(asked, max_new_tokens=24).text
        for blocks in (True, False)
    ]
    assert said[0] == said[1]

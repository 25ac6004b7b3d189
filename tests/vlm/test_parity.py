"""Our network against transformers, in fp32, on tiny random checkpoints."""

import sys
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny import END, IMAGE, START, VIDEO, hf_model, save_hf

from vlm import layers
from vlm.checkpoint import load_checkpoint
from vlm.config import RopeCompat
from vlm.language import KVCache
from vlm.model import Qwen25VL
from vlm.rope import rope_index


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Qwen25VL]:
    oracle = hf_model()
    return oracle, load_checkpoint(save_hf(oracle, tmp_path_factory.mktemp("tiny")), dtype=torch.float32)


def patches(*grids: tuple[int, int, int]) -> torch.Tensor:
    torch.manual_seed(sum(h * w for _, h, w in grids))
    return torch.randn(sum(t * h * w for t, h, w in grids), 1176)


def run(token: int, grid: tuple[int, int, int]) -> list[int]:
    return [START, *[token] * (grid[0] * grid[1] * grid[2] // 4), END]


def ask_both(pair: tuple[Any, Qwen25VL], **inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    oracle, ours = pair
    ids = inputs["input_ids"]
    kinds = (ids == IMAGE).long() + 2 * (ids == VIDEO).long()
    with torch.no_grad():
        wanted = oracle(**inputs, mm_token_type_ids=kinds).logits
        return wanted, ours(**inputs).logits


def assert_close(wanted: torch.Tensor, got: torch.Tensor) -> None:
    assert wanted.std() > 0.3, "the oracle's logits say nothing"
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


GRIDS = [(1, 10, 12), (1, 22, 6), (1, 16, 16), (1, 2, 2), (3, 6, 10), (1, 8, 40)]


@pytest.mark.parametrize("grid", GRIDS)
def test_vision_tower(pair: tuple[Any, Qwen25VL], grid: tuple[int, int, int]) -> None:
    oracle, ours = pair
    with torch.no_grad():
        wanted = oracle.model.visual(patches(grid), torch.tensor([grid])).pooler_output
        got = ours.visual(patches(grid), [grid])
    assert_close(wanted, got)


def test_vision_tower_on_pictures_of_several_sizes_at_once(pair: tuple[Any, Qwen25VL]) -> None:
    grids = [(1, 10, 12), (1, 10, 12), (2, 6, 10), (1, 22, 6), (1, 10, 12)]
    oracle, ours = pair
    with torch.no_grad():
        wanted = oracle.model.visual(patches(*grids), torch.tensor(grids)).pooler_output
        got = ours.visual(patches(*grids), grids)
    assert_close(wanted, got)


def test_text_only(pair: tuple[Any, Qwen25VL]) -> None:
    assert_close(
        *ask_both(pair, input_ids=torch.arange(1, 20)[None], attention_mask=torch.ones(1, 19, dtype=torch.long))
    )


def test_several_images_in_one_row(pair: tuple[Any, Qwen25VL]) -> None:
    grids = [(1, 4, 6), (1, 10, 12), (1, 2, 2)]
    ids = torch.tensor([[1, 2, *run(IMAGE, grids[0]), 3, *run(IMAGE, grids[1]), *run(IMAGE, grids[2]), 4, 5]])
    assert_close(
        *ask_both(
            pair,
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=patches(*grids),
            image_grid_thw=torch.tensor(grids),
        )
    )


def left_padded(*rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of rows of different lengths."""
    most = max(map(len, rows))
    pads = [most - len(row) for row in rows]
    return (
        torch.tensor([[0] * pad + row for pad, row in zip(pads, rows, strict=True)]),
        torch.tensor([[0] * pad + [1] * len(row) for pad, row in zip(pads, rows, strict=True)]),
    )


def test_left_padded_batch_of_odd_sizes(pair: tuple[Any, Qwen25VL]) -> None:
    """The logits of all rows, and what is said behind each with a cache: border windows, two pictures, one, none."""
    oracle, ours = pair
    grids = [(1, 10, 12), (1, 22, 6), (1, 2, 2), (1, 6, 34)]
    ids, mask = left_padded(
        [1, *run(IMAGE, grids[0]), 3, 4],
        [1, 2, *run(IMAGE, grids[1]), *run(IMAGE, grids[2]), 5],
        [6, *run(IMAGE, grids[3]), 7],
        [8, 9],
    )
    inputs = {"pixel_values": patches(*grids), "image_grid_thw": torch.tensor(grids)}
    wanted, got = ask_both(pair, input_ids=ids, attention_mask=mask, **inputs)
    assert_close(wanted[mask.bool()], got[mask.bool()])
    with torch.no_grad():
        said = oracle.generate(
            input_ids=ids, attention_mask=mask, mm_token_type_ids=(ids == IMAGE).long(), **inputs, **GREEDY
        )[:, ids.shape[1] :]
    assert greedy(ours, ids, mask, said.shape[1], inputs) == said.tolist()


GREEDY = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}


def greedy(
    ours: Qwen25VL, ids: torch.Tensor, mask: torch.Tensor, count: int, inputs: dict[str, torch.Tensor]
) -> list[list[int]]:
    """What our network says to every row of a batch, one token after the other with a cache."""
    cache, said = KVCache(), ids[:, :0]
    with torch.no_grad():
        output = ours(ids, mask, cache=cache, **inputs)
        assert output.rope_deltas is not None
        logits, first = output.logits, output.rope_deltas + ids.shape[1]
        for step in range(count):
            said = torch.cat((said, logits[:, -1:].argmax(-1)), dim=1)
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), dim=1)
            positions = (first + step).view(1, -1, 1).expand(3, -1, 1)
            logits = ours(said[:, -1:], mask, positions, cache=cache).logits
    return said.tolist()


def with_video(video: tuple[int, int, int], seconds: float) -> dict[str, torch.Tensor]:
    """A picture, a video, and a picture again, with text before, between and behind them."""
    images = [(1, 4, 6), (1, 10, 12)]
    ids = [1, *run(IMAGE, images[0]), 2, *run(VIDEO, video), 3, 4, *run(IMAGE, images[1]), 5, 6]
    return {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values": patches(*images),
        "image_grid_thw": torch.tensor(images),
        "pixel_values_videos": patches(video),
        "video_grid_thw": torch.tensor([video]),
        "second_per_grid_ts": torch.tensor([seconds]),
    }


def as_version(ours: Qwen25VL, compat: RopeCompat) -> Qwen25VL:
    """The same network with the positions of another version of transformers."""
    other = copy(ours)
    other.config = replace(ours.config, rope_compat=compat)
    return other


@pytest.mark.parametrize("seconds", [0.5, 0.75, 1.0, 4.0])
def test_image_video_image(pair: tuple[Any, Qwen25VL], seconds: float) -> None:
    """As transformers since 5.23, which lets text behind a video begin below the video's last time."""
    oracle, ours = pair
    assert_close(*ask_both((oracle, as_version(ours, "hf523")), **with_video((3, 6, 10), seconds)))


def test_greedy_tokens_behind_a_short_video(pair: tuple[Any, Qwen25VL]) -> None:
    """A video that is wider than long: all versions have the same positions, and so the same tokens."""
    oracle, ours = pair
    inputs = with_video((3, 6, 10), 0.5)
    ids, mask = inputs.pop("input_ids"), inputs.pop("attention_mask")
    assert_close(*ask_both(pair, input_ids=ids, attention_mask=mask, **inputs))
    kinds = (ids == IMAGE).long() + 2 * (ids == VIDEO).long()
    with torch.no_grad():
        said = oracle.generate(input_ids=ids, attention_mask=mask, mm_token_type_ids=kinds, **inputs, **GREEDY)
    assert greedy(ours, ids, mask, 8, inputs) == said[:, ids.shape[1] :].tolist()


@pytest.mark.parametrize("compat", get_args(RopeCompat))
def test_the_networks_agree_at_the_positions_of_every_version(pair: tuple[Any, Qwen25VL], compat: RopeCompat) -> None:
    """Which positions these are, test_positions.py says; no version can be asked here but the one installed."""
    oracle, ours = pair
    inputs = with_video((3, 6, 10), 2.5)
    with torch.no_grad():
        got = as_version(ours, compat)(**inputs).logits
        positions, _ = rope_index(
            inputs["input_ids"],
            inputs["attention_mask"],
            replace(ours.config, rope_compat=compat),
            [(1, 4, 6), (1, 10, 12)],
            [(3, 6, 10)],
            [2.5],
        )
        del inputs["second_per_grid_ts"]
        assert_close(oracle(**inputs, position_ids=positions).logits, got)


def test_logits_with_cache_and_without(pair: tuple[Any, Qwen25VL]) -> None:
    _, ours = pair
    grid, cache = (1, 10, 12), KVCache()
    whole = torch.tensor([[1, 2, *run(IMAGE, grid), 3]])
    inputs = {"pixel_values": patches(grid), "image_grid_thw": torch.tensor([grid])}
    with torch.no_grad():
        output = ours(whole, cache=cache, **inputs)
        assert output.rope_deltas is not None
        logits = output.logits
        for _ in range(8):
            token = logits[:, -1:].argmax(-1)
            position = whole.shape[1] + output.rope_deltas.expand(3, 1, 1)
            whole = torch.cat((whole, token), dim=1)
            logits = ours(token, position_ids=position, cache=cache).logits
            assert_close(ours(whole, **inputs).logits[:, -1:], logits)


@pytest.mark.parametrize("kind", ["full", "causal", "masked", "padded"])
@pytest.mark.parametrize("queries", [1, 2, 33, 70])
@pytest.mark.parametrize("most_scores", [2**25, 20 * 2 * 4 * 70])
def test_attention_is_torchs(kind: str, queries: int, most_scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block, with heads that share keys, behind what was seen before, and with more scores than are kept."""
    monkeypatch.setattr(layers, "MOST_SCORES", most_scores)
    monkeypatch.setattr(layers, "QUERIES", 32)
    torch.manual_seed(queries)
    q, buffer = torch.randn(2, 4, queries, 8), torch.randn(2, 2, 2, 80, 8)
    k, v = buffer[:, :, :, :70]  # as a cache gives them: not contiguous
    below = torch.ones(queries, 70, dtype=torch.bool).tril(70 - queries)
    mask = {"masked": below.roll(-3, dims=1)[None, None], "padded": torch.rand(2, 1, queries, 70) < 0.7}.get(kind)
    wanted = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=below if kind == "causal" else mask, enable_gqa=True
    )
    torch.testing.assert_close(layers.attention(q, k, v, mask, causal=kind == "causal"), wanted)


@pytest.mark.parametrize("queries", [1, 9, 70])
def test_attention_by_torchs_kernel_is_the_same(queries: int) -> None:
    """What a GPU is told as well: torch's own causal mask begins at the first key."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4, queries, 8), torch.randn(2, 2, 70, 8), torch.randn(2, 2, 70, 8)
    torch.testing.assert_close(layers._by_torch(q, k, v, None, True), layers.attention(q, k, v, causal=True))


def test_chunked_prefill_equals_one_pass(pair: tuple[Any, Qwen25VL]) -> None:
    _, ours = pair
    ids = torch.arange(1, 41)[None]
    positions = torch.arange(40).expand(3, 1, -1)
    with torch.no_grad():
        whole, cache = ours(ids, position_ids=positions).logits, KVCache()
        parts = [
            ours(ids[:, a:b], position_ids=positions[:, :, a:b], cache=cache).logits
            for a, b in ((0, 7), (7, 30), (30, 40))
        ]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)


def test_logits_of_the_last_token_alone(pair: tuple[Any, Qwen25VL]) -> None:
    _, ours = pair
    ids = torch.randint(0, IMAGE, (2, 9), generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        whole = ours(ids).logits
        with torch.profiler.profile(record_shapes=True) as profile:
            last = ours(ids, last_only=True).logits
    assert last.shape == (2, 1, whole.shape[2])
    torch.testing.assert_close(last, whole[:, -1:], rtol=1e-5, atol=1e-6)
    rows, columns = ours.lm_head.weight.shape
    head = [
        event for event in profile.events() if event.name == "aten::bmm" and [2, columns, rows] in event.input_shapes
    ]
    assert not head, "torch copied the head for each row of a batched product"


def test_the_last_layer_for_the_last_token_alone(pair: tuple[Any, Qwen25VL]) -> None:
    """Behind padding and in pieces, and the cache holds all tokens of it as well."""
    _, ours = pair
    ids, mask = torch.arange(1, 25).view(2, 12), torch.ones(2, 12, dtype=torch.long)
    mask[1, :5] = 0
    positions = torch.arange(12).expand(3, 2, -1)
    with torch.no_grad():
        torch.testing.assert_close(ours(ids, mask, last_only=True).logits, ours(ids, mask).logits[:, -1:])
        caches = KVCache(), KVCache()
        for part in slice(0, 5), slice(5, 12):
            short, long = (
                ours(ids[:, part], position_ids=positions[..., part], cache=cache, last_only=cache is caches[0]).logits
                for cache in caches
            )
            torch.testing.assert_close(short, long[:, -1:])
    for some, every in zip(*(keys + values for keys, values in (cache.buffers for cache in caches)), strict=True):
        torch.testing.assert_close(some[:, :, :12], every[:, :, :12], rtol=0, atol=0)

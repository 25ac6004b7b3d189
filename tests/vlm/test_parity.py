"""Our network against transformers, in fp32, on tiny random checkpoints."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny import END, IMAGE, START, VIDEO, hf_model, save_hf

from vlm.checkpoint import load_checkpoint
from vlm.language import KVCache
from vlm.model import Qwen25VL


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


def test_left_padded_batch(pair: tuple[Any, Qwen25VL]) -> None:
    grids = [(1, 10, 12), (1, 4, 6)]
    long, short = [1, *run(IMAGE, grids[0]), 3, 4], [1, 2, *run(IMAGE, grids[1]), 5]
    pad = len(long) - len(short)
    ids = torch.tensor([long, [0] * pad + short])
    mask = torch.tensor([[1] * len(long), [0] * pad + [1] * len(short)])
    wanted, got = ask_both(
        pair, input_ids=ids, attention_mask=mask, pixel_values=patches(*grids), image_grid_thw=torch.tensor(grids)
    )
    assert_close(wanted[mask.bool()], got[mask.bool()])


def test_video_at_the_end(pair: tuple[Any, Qwen25VL]) -> None:
    # transformers 5.23 places text after a video differently (facts 1.6), so the video comes last here.
    image, video = (1, 4, 6), (3, 6, 10)
    ids = torch.tensor([[1, *run(IMAGE, image), 2, START, *[VIDEO] * 45]])
    inputs = {
        "pixel_values": patches(image),
        "image_grid_thw": torch.tensor([image]),
        "pixel_values_videos": patches(video),
        "video_grid_thw": torch.tensor([video]),
    }
    assert_close(
        *ask_both(
            pair, input_ids=ids, attention_mask=torch.ones_like(ids), second_per_grid_ts=torch.tensor([0.5]), **inputs
        )
    )


def test_greedy_tokens_and_cache(pair: tuple[Any, Qwen25VL]) -> None:
    oracle, ours = pair
    grid = (1, 10, 12)
    ids = torch.tensor([[1, 2, *run(IMAGE, grid), 3]])
    inputs = {"pixel_values": patches(grid), "image_grid_thw": torch.tensor([grid])}
    with torch.no_grad():
        wanted = oracle.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == IMAGE).long(),
            max_new_tokens=8,
            do_sample=False,
            **inputs,
        )[0, ids.shape[1] :]
        cache = KVCache()
        output = ours(ids, cache=cache, **inputs)
        assert output.rope_deltas is not None
        position = ids.shape[1] + int(output.rope_deltas[0])
        logits, tokens, whole = output.logits, [], ids
        for step in range(len(wanted)):
            token = logits[:, -1].argmax(-1, keepdim=True)
            tokens.append(int(token))
            whole = torch.cat((whole, token), dim=1)
            logits = ours(token, position_ids=torch.full((3, 1, 1), position + step), cache=cache).logits
            torch.testing.assert_close(logits[:, -1], ours(whole, **inputs).logits[:, -1], rtol=1e-4, atol=1e-4)
    assert tokens == wanted.tolist()


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

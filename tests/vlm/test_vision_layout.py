"""How the vision tower orders a frame: our windows hold the tokens that transformers' windows hold.

The order of windows differs by design (equal windows are kept together), what is in each does not.
"""

import pytest
import torch

from vlm.config import VisionConfig
from vlm.rope import Grid
from vlm.vision import FrameLayout, VisionTower, frame_layout

HEAD_DIM = 80

# Rows, columns -> the windows of a frame, from the reference's order and cumulative lengths.
WINDOWS = {
    (10, 12): [
        [0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21],
        [4, 5, 10, 11, 16, 17, 22, 23],
        [24, 25, 26, 27],
        [28, 29],
    ],
    (6, 10): [[0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13], [4, 9, 14]],
    (16, 16): [
        [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27],
        [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31],
        [32, 33, 34, 35, 40, 41, 42, 43, 48, 49, 50, 51, 56, 57, 58, 59],
        [36, 37, 38, 39, 44, 45, 46, 47, 52, 53, 54, 55, 60, 61, 62, 63],
    ],
}


def layout_of(rows: int, columns: int) -> FrameLayout:
    return frame_layout(rows, columns, 4, 2, HEAD_DIM)


def windows_of(layout: FrameLayout) -> list[list[int]]:
    """The tokens of each window, from the runs of patches that attend to each other."""
    found = []
    for first, count, patches in layout.windows:
        for number in range(count):
            start = (first + number * patches) // 4
            found.append(layout.order[start : start + patches // 4].tolist())
    return found


@pytest.mark.parametrize("size", WINDOWS)
def test_windows_hold_the_tokens_of_the_reference(size: tuple[int, int]) -> None:
    assert sorted(windows_of(layout_of(*size))) == sorted(WINDOWS[size])


@pytest.mark.parametrize("size", [*WINDOWS, (2, 2), (22, 6), (8, 40), (78, 138)])
def test_every_token_is_in_one_window_and_goes_back_to_its_place(size: tuple[int, int]) -> None:
    layout = layout_of(*size)
    tokens = size[0] * size[1] // 4
    assert sorted(token for window in windows_of(layout) for token in window) == list(range(tokens))
    assert layout.order[layout.inverse].tolist() == list(range(tokens))
    assert layout.inverse[layout.order].tolist() == list(range(tokens))


@pytest.mark.parametrize("size", [*WINDOWS, (22, 6), (78, 138)])
def test_runs_of_windows_follow_each_other_and_are_few(size: tuple[int, int]) -> None:
    windows = layout_of(*size).windows
    assert [first for first, _, _ in windows] == [
        sum(count * patches for _, count, patches in windows[:i]) for i in range(len(windows))
    ]
    assert len(windows) <= 4, "more attention calls than sizes of windows"
    assert all(patches <= 64 for _, _, patches in windows)


@pytest.mark.parametrize("size", [*WINDOWS, (22, 6)])
def test_angles_follow_the_order(size: tuple[int, int]) -> None:
    rows, columns = size
    layout = layout_of(rows, columns)
    frequencies = torch.tensor([10000 ** (-2 * j / 40) for j in range(20)])
    for place, token in enumerate(layout.order.tolist()):
        for inner in range(4):
            row = token // (columns // 2) * 2 + inner // 2
            column = token % (columns // 2) * 2 + inner % 2
            angles = torch.cat((row * frequencies, column * frequencies))
            torch.testing.assert_close(layout.cos[4 * place + inner], angles.cos(), rtol=0, atol=1e-5)
            torch.testing.assert_close(layout.sin[4 * place + inner], angles.sin(), rtol=0, atol=1e-5)


def tower() -> VisionTower:
    torch.manual_seed(0)
    config = VisionConfig(
        depth=1, hidden_size=16, intermediate_size=8, num_heads=2, out_hidden_size=8, fullatt_block_indexes=()
    )
    return VisionTower(config).eval()


def patches(seed: int, *grids: Grid) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(t * h * w for t, h, w in grids), 1176, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize("grid", [(1, 10, 12), (2, 6, 10), (1, 16, 16)])
def test_what_a_patch_shows_stays_in_its_window(grid: Grid) -> None:
    """With window attention alone, a changed patch changes the tokens of its own window and no other."""
    network, pixels = tower(), patches(1, grid)
    before = network(pixels, [grid])
    frame, windows = grid[1] * grid[2] // 4, WINDOWS[grid[1:]]
    for token in (0, frame - 1, grid[0] * frame - 1):
        changed = pixels.clone()
        changed[4 * token] += 1
        moved = (network(changed, [grid]) - before).abs().amax(1) > 1e-7
        home = next(window for window in windows if token % frame in window)
        assert moved.nonzero().flatten().tolist() == [token // frame * frame + member for member in home]


@torch.no_grad()
def test_frames_and_pictures_do_not_see_each_other() -> None:
    network, video = tower(), (2, 6, 10)
    pixels = patches(2, video, (1, 10, 12))
    together = network(pixels, [video, (1, 10, 12)])
    apart = [
        network(pixels[:60], [(1, 6, 10)]),
        network(pixels[60:120], [(1, 6, 10)]),
        network(pixels[120:], [(1, 10, 12)]),
    ]
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-6)


def test_frames_of_one_size_are_one_batch() -> None:
    batches = tower().frame_batches([(1, 4, 4), (3, 4, 4), (1, 4, 8), (1, 4, 4)])
    assert [(b.start, b.frames, b.patches) for b in batches] == [(0, 4, 16), (64, 1, 32), (96, 1, 16)]


def test_grids_that_cannot_be_merged_are_refused() -> None:
    with pytest.raises(ValueError, match="5x4 patches is not a multiple of 2"):
        tower()(patches(0, (1, 5, 4)), [(1, 5, 4)])


def test_grids_must_add_up_to_the_patches() -> None:
    with pytest.raises(ValueError, match="do not add up to the 16 patches"):
        tower()(patches(0, (1, 4, 4)), [(1, 4, 6)])

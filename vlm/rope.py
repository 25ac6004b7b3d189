"""Rotary positions: 2-D in the vision tower, three axes (time, height, width) in the language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from vlm.config import Config

Grid = tuple[int, int, int]
"""Frames, rows and columns of a picture or video, in patches (time in pairs of frames)."""


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x `[..., d]` turned by angles, in pairs of its halves; cos and sin `[..., d / 2]`, one for each pair."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def mrope_table(positions: Tensor, head_dim: int, theta: float, sections: Sequence[int]) -> tuple[Tensor, Tensor]:
    """cos and sin `[B, L, head_dim / 2]` in fp32 for positions `[3, B, L]`.

    The first `sections[0]` frequencies turn with time, the next with height, the last with width.
    """
    axis, frequencies = _turning(head_dim, theta, tuple(sections), positions.device)
    angles = positions.float()[axis].movedim(0, -1) * frequencies
    return angles.cos(), angles.sin()


@lru_cache(maxsize=16)
def _turning(head_dim: int, theta: float, sections: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Of each pair of values: the axis that it turns with, and how fast."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
    axis = [number for number, count in enumerate(sections) for _ in range(count)]
    return torch.tensor(axis, device=device), theta**-exponents


@dataclass(frozen=True, slots=True)
class VisionRun:
    """One picture or video inside a row: where its tokens are, their grid, and seconds for each grid step."""

    start: int
    length: int
    grid: Grid
    seconds_per_grid: float


def rope_index(
    ids: Tensor,
    mask: Tensor,
    config: Config,
    image_grids: Sequence[Grid] = (),
    video_grids: Sequence[Grid] = (),
    second_per_grid: Sequence[float] = (),
) -> tuple[Tensor, Tensor]:
    """Positions `[3, B, L]` and each row's delta `[B]` (next position minus the row's padded length).

    ids, mask: `[B, L]`. Images and videos are taken in order of appearance over the whole batch.
    second_per_grid: seconds for each temporal grid step of each video (1.0 where missing).
    """
    images = iter([(grid, 0.0) for grid in image_grids])
    videos = iter(zip(video_grids, [*second_per_grid, *[1.0] * len(video_grids)], strict=False))
    positions = torch.ones(3, *ids.shape, dtype=torch.long)
    deltas = []
    for row in range(ids.shape[0]):
        kept = mask[row].bool().cpu()
        tokens = ids[row].cpu()[kept].tolist()
        runs = _vision_runs(tokens, config, images, videos)
        table = _row_positions(len(tokens), runs, config)
        positions[:, row, kept] = table
        length = len(tokens) if config.rope_compat == "hf523" else ids.shape[1]
        # Not from where the last run ended: in hf523 text behind a video starts below the video's last time.
        deltas.append(int(table.amax()) + 1 - length if tokens else -length)
    return positions.to(ids.device), torch.tensor(deltas, device=ids.device)


def _vision_runs(
    tokens: list[int], config: Config, images: Iterator[tuple[Grid, float]], videos: Iterator[tuple[Grid, float]]
) -> list[VisionRun]:
    runs: list[VisionRun] = []
    at, merge = 0, config.vision.spatial_merge_size
    while at < len(tokens):
        if tokens[at] not in (config.image_token_id, config.video_token_id):
            at += 1
            continue
        found = next(images if tokens[at] == config.image_token_id else videos, None)
        if found is None:
            raise ValueError(f"token {at} starts a picture or video for which no grid was given")
        grid, seconds = found
        length = grid[0] * grid[1] * grid[2] // merge**2
        if tokens[at : at + length] != [tokens[at]] * length:
            raise ValueError(f"the picture at token {at} needs {length} placeholder tokens, its run is shorter")
        runs.append(VisionRun(at, length, grid, seconds))
        at += length
    return runs


def _row_positions(length: int, runs: list[VisionRun], config: Config) -> Tensor:
    table, following, at = torch.empty(3, length, dtype=torch.long), 0, 0
    for run in [*runs, VisionRun(length, 0, (0, 0, 0), 0.0)]:
        text = run.start - at
        table[:, at : run.start] = following + torch.arange(text)
        following += text
        if run.length:
            table[:, run.start : run.start + run.length] = following + run_positions(
                run.grid, run.seconds_per_grid, config
            )
            following = _after(run, following, table, config)
        at = run.start + run.length
    return table


def run_positions(grid: Grid, seconds_per_grid: float, config: Config) -> Tensor:
    """Offsets `[3, tokens]` of one picture's or video's tokens from the position at which it starts."""
    merge = config.vision.spatial_merge_size
    t, h, w = grid[0], grid[1] // merge, grid[2] // merge
    # Versions 4.50 to 4.57 of transformers cut the seconds to an integer first, so that time collapses above 2 fps.
    seconds = int(seconds_per_grid) if config.rope_compat == "hf457" else seconds_per_grid
    time = (torch.arange(t, dtype=torch.float64) * seconds * config.vision.tokens_per_second).floor().long()
    return torch.stack(
        (
            time.view(t, 1, 1).expand(t, h, w),
            torch.arange(h).view(1, h, 1).expand(t, h, w),
            torch.arange(w).expand(t, h, w),
        )
    ).flatten(1)


def _after(run: VisionRun, start: int, table: Tensor, config: Config) -> int:
    if config.rope_compat == "hf523":
        return start + max(run.grid[1], run.grid[2]) // config.vision.spatial_merge_size
    return int(table[:, run.start : run.start + run.length].max()) + 1

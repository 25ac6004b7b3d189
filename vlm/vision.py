"""The vision tower: patches to merged visual tokens, at native resolution.

Most blocks attend inside windows of 112 x 112 pixels. Windows of equal size are kept next to each other,
so that a whole picture takes at most four dense attention calls a block (inner windows, right border,
bottom border, corner) instead of one call a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.config import VisionConfig
from vlm.layers import RMSNorm, attention
from vlm.rope import Grid, apply_rotary

Runs = tuple[tuple[int, int, int], ...]
"""Of equal windows: first patch, number of windows, patches in each."""
TOGETHER = 4
"""Of a window so many tokens are kept or a multiple of that, where not all are (`VisionTower.kept`)."""


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How one frame's merged tokens are ordered for window attention.

    order: `[tokens]` row-major index of the token at each place. inverse: the other way. cos, sin: `[patches, head_dim
    / 2]` fp32, in order.
    """

    order: Tensor
    inverse: Tensor
    windows: Runs
    cos: Tensor
    sin: Tensor


@lru_cache(maxsize=256)
def frame_layout(rows: int, columns: int, window: int, merge: int, head_dim: int) -> FrameLayout:
    """Layout of a frame of rows x columns patches. window: side of a window in merged tokens."""
    height, width = rows // merge, columns // merge
    boxes = [(y, x) for y in range(0, height, window) for x in range(0, width, window)]
    shapes = [(min(window, height - y), min(window, width - x)) for y, x in boxes]
    by_size = sorted(range(len(boxes)), key=lambda i: (-shapes[i][0] * shapes[i][1], shapes[i], i))
    order, runs, first = [], [], 0
    for size, group in groupby(by_size, key=lambda i: shapes[i][0] * shapes[i][1]):
        members = list(group)
        for i in members:
            (y, x), (h, w) = boxes[i], shapes[i]
            order += [row * width + column for row in range(y, y + h) for column in range(x, x + w)]
        runs.append((first, len(members), size * merge**2))
        first += len(members) * size * merge**2
    index = torch.tensor(order)
    cos, sin = _rotary_2d(index, width, merge, head_dim)
    return FrameLayout(index, torch.argsort(index), tuple(runs), cos, sin)


def _rotary_2d(order: Tensor, width: int, merge: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """Angles from each patch's row and column; a merged token's patches are row-major inside it."""
    inner = torch.arange(merge)
    rows = ((order // width) * merge).view(-1, 1, 1) + inner.view(1, merge, 1).expand(1, merge, merge)
    columns = ((order % width) * merge).view(-1, 1, 1) + inner.view(1, 1, merge).expand(1, merge, merge)
    frequencies = 10000.0 ** -(torch.arange(0, head_dim // 2, 2, dtype=torch.float32) / (head_dim // 2))
    angles = torch.cat((rows.reshape(-1, 1) * frequencies, columns.reshape(-1, 1) * frequencies), dim=-1)
    return angles.cos(), angles.sin()


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive frames of one size: where their patches start in the packed sequence, and their layout."""

    start: int
    frames: int
    patches: int
    layout: FrameLayout


class VisionAttention(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, batches: Sequence[FrameBatch], full: bool) -> Tensor:
        """x: `[patches, hidden]`; cos, sin: `[patches, head_dim / 2]`.

        Each window (or frame, if full) attends to itself.
        """
        qkv = self.qkv(x).view(x.shape[0], 3, self.heads, -1).permute(1, 2, 0, 3)
        # Heads first, copied in the same go: what the products want, whatever the windows.
        wide = qkv[:2].to(torch.float32, memory_format=torch.contiguous_format)
        q, k = apply_rotary(wide, cos, sin).to(x.dtype)
        v = qkv[2].contiguous()
        parts = []
        for batch in batches:
            rows = slice(batch.start, batch.start + batch.frames * batch.patches)
            runs = ((0, 1, batch.patches),) if full else batch.layout.windows
            parts.append(_attend(q[:, rows], k[:, rows], v[:, rows], batch.frames, runs))
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        out: Tensor = self.proj(mixed.transpose(0, 1).reshape(x.shape))
        return out


def _attend(q: Tensor, k: Tensor, v: Tensor, frames: int, runs: Runs) -> Tensor:
    """Dense attention over runs of equal windows. q, k, v and the result: `[heads, frames x patches, head_dim]`."""
    heads, outputs = q.shape[0], []
    for first, windows, length in runs:
        chunk = [
            x.reshape(heads, frames, -1, x.shape[-1])[:, :, first : first + windows * length].reshape(
                heads, frames * windows, length, x.shape[-1]
            )
            for x in (q, k, v)
        ]
        outputs.append(attention(*chunk).reshape(heads, frames, windows * length, q.shape[-1]))
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)).flatten(1, 2)


class VisionMLP(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        out: Tensor = self.down_proj(F.silu(gate) * up)
        return out


class VisionBlock(nn.Module):
    def __init__(self, config: VisionConfig, full: bool) -> None:
        super().__init__()
        self.full = full
        # 1e-6 is fixed in the published network, whatever the config says.
        self.norm1 = RMSNorm(config.hidden_size, 1e-6)
        self.norm2 = RMSNorm(config.hidden_size, 1e-6)
        self.attn = VisionAttention(config)
        self.mlp = VisionMLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, batches: Sequence[FrameBatch]) -> Tensor:
        x = x + self.attn(self.norm1(x), cos, sin, batches, self.full)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchMerger(nn.Module):
    """2 x 2 patches to one token of the language model's width."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.width = config.hidden_size * config.spatial_merge_size**2
        self.ln_q = RMSNorm(config.hidden_size, 1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(self.width, self.width), nn.GELU(), nn.Linear(self.width, config.out_hidden_size)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mlp(self.ln_q(x).view(-1, self.width))
        return out


class VisionTower(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        # The published Conv3d has kernel = stride, so it is this product;
        # weight [hidden, channels x frames x rows x columns].
        self.patch_embed = nn.Linear(config.patch_dim, config.hidden_size, bias=False)
        self.blocks = nn.ModuleList(VisionBlock(config, i in config.fullatt_block_indexes) for i in range(config.depth))
        self.merger = PatchMerger(config)

    def frame_batches(self, grids: Sequence[Grid]) -> list[FrameBatch]:
        """Frames of all pictures, neighbours of one size together.

        Raises ValueError for a grid that cannot be merged.
        """
        config, batches, start = self.config, [], 0
        for (rows, columns), group in groupby(grids, key=lambda grid: (grid[1], grid[2])):
            if rows % config.spatial_merge_size or columns % config.spatial_merge_size:
                raise ValueError(f"a grid of {rows}x{columns} patches is not a multiple of {config.spatial_merge_size}")
            frames = sum(t for t, _, _ in group)
            layout = frame_layout(
                rows, columns, config.window_tokens, config.spatial_merge_size, config.hidden_size // config.num_heads
            )
            batches.append(FrameBatch(start, frames, rows * columns, layout))
            start += frames * rows * columns
        return batches

    def forward(self, pixel_values: Tensor, grids: Sequence[Grid]) -> Tensor:
        """Patches `[N, 1176]` of all pictures, in merge order, to visual tokens `[N / 4, out_hidden]`."""
        batches = self.frame_batches(grids)
        if sum(b.frames * b.patches for b in batches) != pixel_values.shape[0]:
            raise ValueError(f"the grids {list(grids)} do not add up to the {pixel_values.shape[0]} patches given")
        pixel_values = pixel_values.to(self.patch_embed.weight)
        places = self._places(batches, pixel_values.device)
        x = self._embedded(pixel_values, places.order)
        return self._merged(_through(self.blocks, x, places, batches), places)

    def look(
        self, pixel_values: Tensor, grid: Grid, last: "Glance | None" = None, kept: Tensor | None = None
    ) -> "tuple[Tensor, Glance]":
        """`forward` for one picture; what has not changed since the last one is taken from there as far as it goes.

        Until the first block of full attention a window depends on nothing but its own pixels. kept `[tokens]`,
        row-major: the only tokens that are computed, and that see each other; None: all. Pictures whose windows have
        the same pixels have to keep the same of them.
        """
        batch = self.frame_batches([grid])[0]
        places = self._places([batch], pixel_values.device)
        pixels = pixel_values.to(self.patch_embed.weight.dtype).view(len(places.order), -1)
        every = torch.ones_like(places.order, dtype=torch.bool)
        wanted = every if kept is None else kept.to(every.device)[places.order]
        if last is not None and last.grid == grid and (last.whole or kept is not None):
            # Bit by bit, and eight bytes at a time: there are millions of values.
            differs = (last.pixels.view(torch.int64) != pixels.view(torch.int64)).any(-1)[places.order]
            states = last.states.clone()
        else:
            differs, states = every, pixels.new_empty(len(pixels), self.merger.width)
        new, runs = _of_windows(batch.layout, wanted, differs)
        if len(new):
            x = self.patch_embed(pixels[places.order[new]].view(-1, self.config.patch_dim))
            some = _only(batch, runs, len(x))
            states[new] = _through(self.blocks[: self.early], x, places.only(new), [some]).view(len(new), -1)
        shown, runs = _of_windows(batch.layout, wanted, every)
        x = states[shown].view(-1, self.config.hidden_size)
        x = _through(self.blocks[self.early :], x, places.only(shown), [_only(batch, runs, len(x))])
        tokens: Tensor = self.merger(x)
        return tokens[torch.argsort(places.order[shown])], Glance(grid, pixels, states, kept is None)

    def kept(self, drawn: Tensor, grid: Grid) -> Tensor:
        """Tokens `[tokens]` to look at, row-major, if `drawn` ones show anything.

        Of each window these, and of its others so many that it has a multiple of four: every number of tokens is a
        product of its own.
        """
        layout, merge = self.frame_batches([grid])[0].layout, self.config.spatial_merge_size**2
        kept = torch.zeros_like(drawn)
        for first, count, length in layout.windows:
            places = layout.order[first // merge : first // merge + count * length // merge].view(count, -1)
            ranks = drawn[places].int().argsort(dim=-1, descending=True, stable=True).argsort(-1)
            kept[places] = ranks < -(-drawn[places].sum(-1, keepdim=True) // TOGETHER) * TOGETHER
        return kept

    @property
    def early(self) -> int:
        """How many blocks come before the first one of full attention."""
        return min(self.config.fullatt_block_indexes, default=self.config.depth)

    def _places(self, batches: Sequence[FrameBatch], device: torch.device) -> "Places":
        merge = self.config.spatial_merge_size**2
        order, inverse = (
            torch.cat([_frame_index(b, getattr(b.layout, name), merge) for b in batches]).to(device)
            for name in ("order", "inverse")
        )
        cos, sin = (
            torch.cat([getattr(b.layout, name).repeat(b.frames, 1) for b in batches]).to(device)
            for name in ("cos", "sin")
        )
        return Places(order, inverse, cos, sin)

    def _embedded(self, pixel_values: Tensor, order: Tensor) -> Tensor:
        x: Tensor = self.patch_embed(pixel_values)
        return x.view(-1, self.config.spatial_merge_size**2, x.shape[-1])[order].flatten(0, 1)

    def _merged(self, x: Tensor, places: "Places") -> Tensor:
        merged: Tensor = self.merger(x)[places.inverse]
        return merged


@dataclass(frozen=True, slots=True)
class Places:
    """Of all patches, in the order of the windows: order, inverse `[tokens]`; cos, sin `[patches, head_dim / 2]`."""

    order: Tensor
    inverse: Tensor
    cos: Tensor
    sin: Tensor

    def only(self, tokens: Tensor) -> "Places":
        """For some of the tokens, which are in order already."""
        cos, sin = (x.view(len(self.order), -1, x.shape[-1])[tokens].flatten(0, 1) for x in (self.cos, self.sin))
        return replace(self, cos=cos, sin=sin)


@dataclass(frozen=True, slots=True)
class Glance:
    """One picture, a row for each token: pixels in merge order, and in the order of the windows the states of its four
    patches before any of them saw beyond its window. whole: whether these are known of all tokens."""

    grid: Grid
    pixels: Tensor
    states: Tensor
    whole: bool


def _through(blocks: nn.ModuleList, x: Tensor, places: Places, batches: Sequence[FrameBatch]) -> Tensor:
    for block in blocks:
        x = block(x, places.cos, places.sin, batches)
    return x


def _of_windows(layout: FrameLayout, wanted: Tensor, touched: Tensor) -> tuple[Tensor, Runs]:
    """Places of the wanted tokens of all windows in which any token is touched, and their runs, as if these were all.

    wanted, touched: `[tokens]`, in the order of the windows. Windows with equally many wanted ones come together.
    """
    merge = layout.cos.shape[0] // len(layout.order)
    groups: dict[int, list[Tensor]] = {}
    for first, count, length in layout.windows:
        windows = torch.arange(first, first + count * length, merge, device=wanted.device).view(count, -1) // merge
        windows = windows[touched[windows].any(-1)]
        counts = wanted[windows].sum(-1)
        for number in sorted({*counts.tolist()} - {0}):
            some = windows[counts == number]
            groups.setdefault(number, []).append(some[wanted[some]].view(-1, number))
    runs, places, at = [], [wanted.new_empty(0, dtype=torch.long)], 0
    for number, found in groups.items():
        count = sum(map(len, found))
        runs.append((at, count, number * merge))
        places += [each.flatten() for each in found]
        at += count * number * merge
    return torch.cat(places), tuple(runs)


def _only(batch: FrameBatch, runs: Runs, patches: int) -> FrameBatch:
    """A frame as if only these windows were there."""
    return replace(batch, patches=patches, layout=replace(batch.layout, windows=runs))


def _frame_index(batch: FrameBatch, index: Tensor, merge: int) -> Tensor:
    """A frame's token order, for each frame of the batch at its place in the packed sequence."""
    starts = (batch.start + torch.arange(batch.frames) * batch.patches) // merge
    return (starts.unsqueeze(1) + index).flatten()

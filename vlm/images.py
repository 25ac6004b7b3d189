"""Pixels to patches, bit for bit as transformers' PIL processor does it."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from action_space.geometry import Size, smart_resize
from vlm.rope import Grid

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
ONE_COLOUR = 6
"""How much of 255 the pixels of a cell may differ, by channel, if it shows nothing."""


def rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB as a viewer shows it: turned as its EXIF orientation says, transparent parts on white.

    16-bit grey, which is also what Pillow's mode "I" holds, is scaled to 8 bits (Pillow's own conversion would cut
    everything above 255 to white).
    """
    image = _upright(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        # Not straight from "La", for which Pillow has no conversion.
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(rgba, mask=rgba.getchannel("A"))
        return paper
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except SyntaxError:  # what Pillow raises for EXIF data that cannot be read
        return image


def image_grid(size: Size, *, min_pixels: int, max_pixels: int, patch: int = 14, merge: int = 2) -> Grid:
    """The grid of a picture's patches. Raises ValueError for an aspect ratio above 200."""
    seen = smart_resize(size, factor=patch * merge, min_pixels=min_pixels, max_pixels=max_pixels)
    return 1, seen.height // patch, seen.width // patch


def preprocess(
    image: Image.Image, *, min_pixels: int, max_pixels: int, patch: int = 14, merge: int = 2
) -> tuple[Tensor, Grid]:
    """Patches `[rows x columns, 1176]` (fp32) of a picture at native resolution, and their grid (1, rows, columns).

    min_pixels, max_pixels: limits of the resized picture's area. Raises ValueError for an aspect ratio above 200.
    """
    picture = rgb(image)
    grid = image_grid(Size(*picture.size), min_pixels=min_pixels, max_pixels=max_pixels, patch=patch, merge=merge)
    return frame_patches([picture], grid, patch=patch, merge=merge), grid


def frame_patches(
    frames: Sequence[Image.Image], grid: Grid, *, patch: int = 14, merge: int = 2, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Patches `[pairs x rows x columns, 1176]` of pictures in RGB; an odd last one is shown twice."""
    shown = [*frames, frames[-1]] if len(frames) % 2 and len(frames) > 1 else frames
    pixels = torch.from_numpy(np.stack([np.asarray(resized(frame, grid, patch)) for frame in shown]))
    # Put in order as bytes, which are a quarter of the values, and a still picture once.
    levels = patches_of(pixels.permute(0, 3, 1, 2), patch=patch, merge=merge, temporal=min(2, len(shown)))
    values = torch.from_numpy(normalised(levels.view(len(levels), 3, -1).numpy(), axis=1)).to(dtype)
    return values.view(len(levels), 3, -1, patch * patch).expand(-1, -1, 2, -1).flatten(1)


def drawn_cells(pixels: npt.NDArray[np.uint8], cell: int = 28) -> npt.NDArray[np.bool_]:
    """Which cells `[rows, columns]` of a picture `[H, W, 3]` of whole cells show anything: are not of one colour."""
    rows, columns = pixels.shape[0] // cell, pixels.shape[1] // cell
    # Down first, along whole rows of pixels: both at once takes thirty times as long.
    lines = pixels.reshape(rows, cell, -1)
    most, least = (each.reshape(rows, columns, cell, 3) for each in (lines.max(1), lines.min(1)))
    found: npt.NDArray[np.bool_] = (most.max(2) - least.min(2)).max(-1) > ONE_COLOUR
    return found


def resized(picture: Image.Image, grid: Grid, patch: int = 14) -> Image.Image:
    """A picture at the size of its grid of patches."""
    size = grid[2] * patch, grid[1] * patch
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def normalised(pixels: npt.NDArray[np.uint8], axis: int = -1) -> npt.NDArray[np.float32]:
    """uint8 to fp32: rescaled to 0..1 in double precision, then centred and scaled by channel (along an axis)."""
    values = np.empty(pixels.shape, dtype=np.float32)
    seen, found = np.moveaxis(pixels, axis, 0), np.moveaxis(values, axis, 0)
    for channel, levels in enumerate(_levels()):
        found[channel] = np.take(levels, seen[channel], mode="clip")  # cannot be out of range: numpy need not check
    return values


@lru_cache(maxsize=1)
def _levels() -> npt.NDArray[np.float32]:
    # One row a channel: there are only 256 x 3 possible results.
    rescaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    table: npt.NDArray[np.float32] = (rescaled - MEAN[:, None]) / STD[:, None]
    return table


def patches_of(frames: Tensor, *, patch: int = 14, merge: int = 2, temporal: int = 2) -> Tensor:
    """`[T, 3, H, W]` (T a multiple of `temporal`) to patches `[N, 3 x temporal x patch x patch]` in merge order."""
    t, c, h, w = frames.shape
    blocks = frames.reshape(
        t // temporal, temporal, c, h // (merge * patch), merge, patch, w // (merge * patch), merge, patch
    )
    return blocks.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, c * temporal * patch * patch)

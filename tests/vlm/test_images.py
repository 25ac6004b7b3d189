"""Pictures to patches: bit for bit as transformers' PIL processor, and what is decided otherwise."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from vlm.images import drawn_cells, patches_of, preprocess, rgb

LIMITS = {"min_pixels": 3136, "max_pixels": 12845056}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Grain over a gradient: every grey level, sharp and smooth."""
    rng = np.random.default_rng(seed)
    smooth = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    return Image.fromarray(
        np.where(rng.random((height, width, 1)) < 0.5, smooth, rng.integers(0, 256, (height, width, 3))).astype(
            np.uint8
        )
    )


def oracle(image: Image.Image, min_pixels: int, max_pixels: int) -> tuple[torch.Tensor, tuple[int, ...]]:
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": min_pixels, "longest_edge": max_pixels})
    found = processor(images=[image], return_tensors="pt")
    return found["pixel_values"], tuple(found["image_grid_thw"][0].tolist())


def assert_same(image: Image.Image, *, min_pixels: int = 3136, max_pixels: int = 12845056) -> None:
    wanted, wanted_grid = oracle(image, min_pixels, max_pixels)
    got, grid = preprocess(image, min_pixels=min_pixels, max_pixels=max_pixels)
    assert grid == wanted_grid
    assert got.dtype == torch.float32
    assert torch.equal(got, wanted), f"largest difference {(got - wanted).abs().max()}"


SIZES = [
    (56, 56),
    (140, 84),
    (33, 20),
    (70, 42),
    (517, 300),
    (10, 600),
    (223, 401),
    (2, 3),
    (29, 27),
    (1, 1),
    (280, 14),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_odd_sizes_equal_transformers(size: tuple[int, int]) -> None:
    assert_same(noise(*size))


def test_pixel_limits_equal_transformers() -> None:
    assert_same(noise(320, 200), max_pixels=50 * 784)
    assert_same(noise(100, 60), min_pixels=40 * 784)
    assert_same(noise(640, 360), min_pixels=20 * 784, max_pixels=60 * 784)


def in_mode(mode: str) -> Image.Image:
    image = noise(90, 61)
    return image.quantize(16) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "HSV"])
def test_modes_equal_transformers(mode: str) -> None:
    assert_same(in_mode(mode))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_pictures_with_alpha_equal_transformers(mode: str) -> None:
    assert_same(noise(90, 61).convert(mode))


def test_a_cell_that_shows_anything_is_told_by_any_pixel_and_channel() -> None:
    page = np.full((3 * 28, 5 * 28, 3), (240, 128, 0), dtype=np.uint8)
    page[28:, 56:] = (0, 0, 200)  # another colour from edge to edge of its cells is none of them
    assert not drawn_cells(page).any()
    for y, x, channel in ((0, 0, 0), (27, 55, 1), (28, 139, 2), (83, 28, 1)):
        shown = page.copy()
        shown[y, x, channel] += 7
        assert np.argwhere(drawn_cells(shown)).tolist() == [[y // 28, x // 28]]
        shown[y, x, channel] -= 1
        assert not drawn_cells(shown).any(), "grain of a few levels is nothing"


def test_transparent_parts_lie_on_white() -> None:
    half = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    half.putpixel((1, 0), (200, 0, 0, 255))
    assert [rgb(half).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 0, 0)]
    for mode in ("LA", "La"):
        veil = Image.new("LA", (1, 1), (0, 128)).convert(mode)
        assert rgb(veil).getpixel((0, 0)) == (127, 127, 127)


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    with Image.open(file) as opened:
        assert [rgb(opened).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (40, 50, 60)]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_its_shades(form: str) -> None:
    levels = np.arange(256, dtype=np.uint16)[None] * 257
    file = io.BytesIO()
    Image.fromarray(levels).save(file, form)
    with Image.open(file) as opened:
        shades = np.asarray(rgb(opened))
    assert (shades == np.arange(256)[None, :, None]).all()


def test_sixteen_bit_colours_keep_their_shades() -> None:
    """Pillow writes none; a PNG by hand: one row, 16 bits of red, green and blue."""
    row = b"\0" + b"".join(struct.pack(">3H", 257 * n, 0, 65535) for n in range(256))
    chunks = [(b"IHDR", struct.pack(">2I5B", 256, 1, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    with Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(packed))) as opened:
        seen = np.asarray(rgb(opened))[0]
    assert (seen == [(n, 0, 255) for n in range(256)]).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animated_picture_the_first_frame_is_seen(form: str) -> None:
    frames = [Image.new("RGB", (84, 56), colour) for colour in ("#ff0000", "#00ff00", "#0000ff")]
    file = io.BytesIO()
    frames[0].save(
        file, form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {})
    )
    with Image.open(file) as opened:
        assert opened.n_frames == 3  # type: ignore[attr-defined]
        assert rgb(opened).getcolors() == [(84 * 56, (255, 0, 0))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    """Each orientation undoes its own distortion: what a viewer shows is the upright picture."""
    upright = noise(84, 56)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose values
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(file, "PNG", exif=exif)
    with Image.open(file) as opened:
        got, grid = preprocess(opened, **LIMITS)
    wanted, wanted_grid = preprocess(upright, **LIMITS)
    assert grid == wanted_grid
    assert torch.equal(got, wanted)


def test_unreadable_exif_is_ignored() -> None:
    image = noise(56, 56)
    image.info["exif"] = b"Exif\0\0garbage"
    assert rgb(image).size == (56, 56)


def test_the_callers_picture_is_left_alone() -> None:
    image = noise(60, 40)
    before = image.tobytes()
    preprocess(image, **LIMITS)
    assert image.size == (60, 40) and image.tobytes() == before


@pytest.mark.parametrize("size", [(201, 1), (1, 1000), (4020, 20)], ids=str)
def test_strips_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"aspect ratio is above 200"):
        preprocess(Image.new("RGB", size), **LIMITS)


def test_the_longest_legal_strip() -> None:
    assert_same(noise(200, 1))


def test_patch_order_of_a_pair_of_frames() -> None:
    """Row: channel, frame, y, x. Rows of the table: merge blocks row by row, inside a block its four patches."""
    frames = torch.arange(4 * 3 * 56 * 84, dtype=torch.float32).reshape(4, 3, 56, 84)
    table = patches_of(frames)
    assert table.shape == (2 * 4 * 6, 1176)
    place = 0
    for pair in range(2):
        for block_y in range(2):
            for block_x in range(3):
                for y in (2 * block_y, 2 * block_y + 1):
                    for x in (2 * block_x, 2 * block_x + 1):
                        patch = frames[2 * pair : 2 * pair + 2, :, 14 * y : 14 * y + 14, 14 * x : 14 * x + 14]
                        assert torch.equal(table[place], patch.transpose(0, 1).flatten())
                        place += 1


def test_a_still_picture_is_a_pair_of_equal_frames() -> None:
    table, _ = preprocess(noise(84, 56), **LIMITS)
    pair = table.view(-1, 3, 2, 14, 14)
    assert torch.equal(pair[:, :, 0], pair[:, :, 1])

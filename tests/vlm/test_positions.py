"""Positions of text, pictures and videos on three axes: the vectors of three versions of transformers."""

from dataclasses import replace

import pytest
import torch

from vlm.config import Config, RopeCompat, TextConfig, VisionConfig
from vlm.rope import Grid, rope_index, run_positions

IMAGE, VIDEO, START, END = 90, 91, 92, 93
CONFIG = Config(
    TextConfig(),
    VisionConfig(tokens_per_second=2),
    image_token_id=IMAGE,
    video_token_id=VIDEO,
    vision_start_token_id=START,
)


def positions(
    ids: list[list[int]],
    mask: list[list[int]] | None = None,
    *,
    compat: RopeCompat = "canonical",
    images: list[Grid] | None = None,
    videos: list[Grid] | None = None,
    seconds: list[float] | None = None,
) -> tuple[list[list[list[int]]], list[int]]:
    """Positions as [axis][row][token], and each row's delta."""
    tokens = torch.tensor(ids)
    kept = torch.ones_like(tokens) if mask is None else torch.tensor(mask)
    config = replace(CONFIG, rope_compat=compat)
    table, deltas = rope_index(tokens, kept, config, images or [], videos or [], seconds or [])
    return table.tolist(), deltas.tolist()


FLAVOURS: tuple[RopeCompat, ...] = ("canonical", "hf457", "hf523")


@pytest.mark.parametrize("compat", FLAVOURS)
def test_picture(compat: RopeCompat) -> None:
    ids = [1, 2, START, *[IMAGE] * 6, END, 3, 4]
    (time, height, width), deltas = positions([ids], compat=compat, images=[(1, 4, 6)])
    assert time == [[0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7, 8]]
    assert height == [[0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7, 8]]
    assert width == [[0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8]]
    assert deltas == [-3]


# flavour, seconds per grid step -> time of the four steps, positions of the two tokens behind the video, delta
VIDEOS: list[tuple[RopeCompat, float, list[int], list[int], int]] = [
    ("canonical", 1.0, [2, 4, 6, 8], [9, 10], -9),
    ("canonical", 0.5, [2, 3, 4, 5], [6, 7], -12),
    ("canonical", 0.75, [2, 3, 5, 6], [7, 8], -11),
    ("hf457", 1.0, [2, 4, 6, 8], [9, 10], -9),
    ("hf457", 0.5, [2, 2, 2, 2], [4, 5], -14),
    ("hf457", 0.75, [2, 2, 2, 2], [4, 5], -14),
    ("hf523", 1.0, [2, 4, 6, 8], [4, 5], -11),
    ("hf523", 0.5, [2, 3, 4, 5], [4, 5], -14),
    ("hf523", 0.75, [2, 3, 5, 6], [4, 5], -13),
]


@pytest.mark.parametrize(("compat", "seconds", "time", "after", "delta"), VIDEOS)
def test_video(compat: RopeCompat, seconds: float, time: list[int], after: list[int], delta: int) -> None:
    ids = [1, START, *[VIDEO] * 16, END, 3]
    axes, deltas = positions([ids], compat=compat, videos=[(4, 4, 4)], seconds=[seconds])
    assert axes[0] == [[0, 1, *[step for step in time for _ in range(4)], *after]]
    assert axes[1] == [[0, 1, *[2, 2, 3, 3] * 4, *after]]
    assert axes[2] == [[0, 1, *[2, 3, 2, 3] * 4, *after]]
    assert deltas == [delta]


def test_a_video_without_seconds_has_one_second_a_step() -> None:
    ids = [1, START, *[VIDEO] * 16, END, 3]
    assert positions([ids], videos=[(4, 4, 4)]) == positions([ids], videos=[(4, 4, 4)], seconds=[1.0])


def test_class_default_of_tokens_per_second() -> None:
    """Configs that leave it out mean 4."""
    assert run_positions((2, 2, 2), 1.0, Config(TextConfig(), VisionConfig()))[0].tolist() == [0, 4]


@pytest.mark.parametrize(("compat", "delta"), [("canonical", -2), ("hf457", -2), ("hf523", 0)])
def test_left_padding(compat: RopeCompat, delta: int) -> None:
    ids, mask = [0, 0, 1, START, IMAGE, IMAGE, END, 3], [0, 0, 1, 1, 1, 1, 1, 1]
    (time, height, width), deltas = positions([ids], [mask], compat=compat, images=[(1, 2, 4)])
    assert time == height == [[1, 1, 0, 1, 2, 2, 4, 5]]
    assert width == [[1, 1, 0, 1, 2, 3, 4, 5]]
    assert deltas == [delta]


def test_text_only() -> None:
    axes, deltas = positions([[5, 6, 7, 8], [0, 0, 5, 6]], [[1, 1, 1, 1], [0, 0, 1, 1]])
    assert axes == [[[0, 1, 2, 3], [1, 1, 0, 1]]] * 3
    assert deltas == [0, -2]


def test_pictures_are_taken_in_order_over_the_rows() -> None:
    small, wide = [START, IMAGE, END], [START, IMAGE, IMAGE, END]
    (time, _, _), _ = positions([[*wide, 1], [*small, 2, 3]], images=[(1, 2, 4), (1, 2, 2)])
    assert time == [[0, 1, 1, 3, 4], [0, 1, 2, 3, 4]]


def test_neighbouring_pictures_without_text_between() -> None:
    (_, _, width), _ = positions([[IMAGE, IMAGE, IMAGE, IMAGE, 1]], images=[(1, 2, 4), (1, 2, 4)])
    assert width == [[0, 1, 2, 3, 4]]


def test_pictures_and_videos_mixed() -> None:
    ids = [START, VIDEO, VIDEO, END, START, IMAGE, END]
    (time, _, _), _ = positions([ids], images=[(1, 2, 2)], videos=[(2, 2, 2)], seconds=[2.0])
    assert time == [[0, 1, 5, 6, 7, 8, 9]]


def test_a_picture_without_a_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="no grid was given"):
        positions([[1, START, IMAGE, END]])


def test_a_run_shorter_than_its_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 4 placeholder tokens"):
        positions([[START, IMAGE, IMAGE, END]], images=[(1, 4, 4)])

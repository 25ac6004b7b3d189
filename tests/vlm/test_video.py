"""Videos: which frames are taken, how large they are, when they were, and what cannot be read."""

import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.errors import ConfigError
from action_space.geometry import Size
from action_space.messages import Clip
from vlm.images import frame_patches, preprocess
from vlm.video import Sampling, clip_grid, clip_of, frame_size, frames_to_take, read_video


def film(
    path: Path, times_s: list[float], size: tuple[int, int] = (320, 240), keys: int = 12, shades: int = 118
) -> Path:
    """A video whose frames are as bright as their time, 2 grey levels a second, over and over again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30, options={"g": str(keys), "qmin": "1", "qmax": "3"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for time in times_s:
            frame = av.VideoFrame.from_image(Image.new("RGB", size, (round(20 + 2 * (time % shades)),) * 3))
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def seen_at(clip: Clip) -> list[float]:
    """When each frame was, read off its brightness."""
    return [(float(np.asarray(frame).mean()) - 20) / 2 for frame in clip.frames]


def test_two_frames_a_second_at_their_times(tmp_path: Path) -> None:
    clip = read_video(film(tmp_path / "a.mp4", [n / 10 for n in range(400)]))
    assert len(clip.frames) == 80
    assert clip.seconds_per_frame == pytest.approx(0.5, abs=0.01)
    assert np.allclose(seen_at(clip), np.linspace(0, 39.9, 80), atol=0.8)


def test_a_variable_rate_is_sampled_by_time(tmp_path: Path) -> None:
    times = [n / 25 for n in range(250)] + [10 + n / 2 for n in range(60)]
    clip = read_video(film(tmp_path / "a.mkv", times), Sampling(fps=1.0))
    assert len(clip.frames) == 38
    assert np.allclose(seen_at(clip), np.linspace(0, 39.5, 38), atol=1.2), "evenly in time, not in frames"


def test_a_part_of_a_video(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [n / 10 for n in range(600)])
    clip = read_video(path, Sampling(start_s=30, end_s=50))
    assert clip.start_s == pytest.approx(30, abs=0.1)
    assert len(clip.frames) == 40
    assert min(seen_at(clip)) > 29
    assert max(seen_at(clip)) < 51


@pytest.mark.parametrize("keys", [1, 12, 400])
def test_frames_far_apart_are_the_right_ones(tmp_path: Path, keys: int) -> None:
    clip = read_video(film(tmp_path / "a.mp4", [n / 5 for n in range(500)], keys=keys), Sampling(most=8))
    assert len(clip.frames) == 8
    assert np.allclose(seen_at(clip), np.linspace(0, 99.8, 8), atol=1.0)


EVERYTHING = Sampling()
SHADES = [Image.new("RGB", (308, 364), (10 * n, 0, 0)) for n in range(20)]


def shown_of(times_s: list[float], sampling: Sampling = EVERYTHING) -> tuple[list[int], Clip]:
    """Which of the shades a clip shows, frame by frame."""
    clip = clip_of([partial(SHADES.__getitem__, n) for n in range(len(times_s))], times_s, sampling)
    return [frame.getpixel((0, 0))[0] // 10 for frame in clip.frames], clip  # type: ignore[index]


def test_pictures_at_even_times_are_shown_once_each() -> None:
    shown, clip = shown_of([3.0, 5.0, 7.0, 9.0])
    assert shown == [0, 1, 2, 3]
    assert (clip.seconds_per_frame, clip.start_s) == (2.0, 3.0)


def test_a_picture_is_shown_until_the_next() -> None:
    shown, clip = shown_of([0.0, 1.0, 2.0, 7.0])
    assert shown == [0, 1, 2, 2, 2, 2, 2, 3]
    assert clip.seconds_per_frame == 1.0
    assert shown_of([0.0, 0.01, 0.02, 3.0])[0] == [0, 2, 2, 2, 2, 2, 2, 3], "no more than two a second"
    assert shown_of([0.0, 1.0, 2.0, 7.0], Sampling(most=3))[0] == [0, 3]


def test_a_part_of_the_pictures() -> None:
    shown, clip = shown_of([0.0, 2.0, 4.0, 6.0, 8.0, 8.0], Sampling(start_s=2, end_s=6.5))
    assert shown == [1, 1, 2, 3] and clip.start_s == 2.0
    for times in ([], [1.0], [3.0, 3.0], [0.0, 9.0]):
        with pytest.raises(ValueError, match="fewer than two pictures"):
            shown_of(times, Sampling(start_s=1.0))


@given(st.lists(st.integers(0, 3000), min_size=2, max_size=20, unique=True), st.sampled_from([0.1, 2.0, 30.0]))
def test_each_frame_is_the_picture_of_its_moment(tenths: list[int], fps: float) -> None:
    times = [tenth / 10 for tenth in sorted(tenths)]
    shown, clip = shown_of(times, Sampling(fps, most=60))
    assert len(shown) % 2 == 0 and 2 <= len(shown) <= 60
    for number, picture in enumerate(shown):
        moment = times[0] + number * clip.seconds_per_frame
        assert times[picture] <= moment + 1e-4
        assert picture + 1 == len(times) or times[picture + 1] > moment - 1e-4


HOUR = """
import sys
from pathlib import Path
from vlm.video import read_video

def megabytes(key):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[key].split()[0]) / 1024

read_video(Path(sys.argv[1]))
Path("/proc/self/clear_refs").write_text("5")
before = megabytes("VmRSS")
clip = read_video(Path(sys.argv[2]))
kept = sum(frame.width * frame.height * 4 for frame in {id(frame): frame for frame in clip.frames}.values())
print(len(clip.frames), clip.seconds_per_frame, kept / 2**20, megabytes("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's accounts of memory")
def test_an_hour_takes_the_memory_of_its_frames(tmp_path: Path, repository: Path) -> None:
    """768 frames, which Pillow keeps in four bytes a pixel, and little beside them: it is decoded frame by frame."""
    short = film(tmp_path / "short.mp4", [0.0, 1.0])
    hour = film(tmp_path / "hour.mp4", [3.0 * n for n in range(1200)], shades=8)
    command = [sys.executable, "-c", HOUR, str(short), str(hour)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    frames, seconds, kept, peak = map(float, done.stdout.split())
    print(f"{kept:.0f} MB of frames, {peak:.0f} MB at the peak")
    assert frames == 768 and seconds == pytest.approx(3600 / 768, abs=0.02)
    assert 250 < kept < 350
    assert peak < kept + 60


def test_many_frames_are_small_ones() -> None:
    assert frame_size(Size(1920, 1080), 4) == Size(1008, 560)
    for frames in (4, 60, 200, 768):
        size = frame_size(Size(1920, 1080), frames)
        assert frames / 2 * size.width * size.height / 784 <= max(24_576, frames / 2 * 128 * 1.06)


@given(st.integers(2, 200_000), st.floats(0, 1e5), st.floats(0.01, 60), st.integers(2, 768))
def test_the_number_of_frames_is_even_and_within_its_limits(total: int, duration: float, fps: float, most: int) -> None:
    count = frames_to_take(total, duration, Sampling(fps, most))
    assert count % 2 == 0
    assert 2 <= count <= min(total, most)


def test_patches_of_pairs_of_frames() -> None:
    frames = tuple(Image.new("RGB", (308, 364), (10 * n, 0, 0)) for n in range(3))
    grid = clip_grid(Clip(frames))
    assert grid == (2, 26, 22)
    patches = frame_patches(frames, grid)
    pairs = patches.view(2, 26 * 22, 3, 2, 14, 14)
    stills = [preprocess(frame, min_pixels=3136, max_pixels=10**6)[0].view(-1, 3, 2, 14, 14) for frame in frames]
    torch.testing.assert_close(pairs[0, :, :, 0], stills[0][:, :, 0])
    torch.testing.assert_close(pairs[0, :, :, 1], stills[1][:, :, 0])
    torch.testing.assert_close(pairs[1], stills[2])


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.int16), layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
    whole = film(tmp_path / "whole.mp4", [n / 10 for n in range(100)]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    film(tmp_path / "one.mp4", [0.0])
    film(tmp_path / "none.mkv", [])
    for name in ("text.mp4", "sound.wav", "cut.mp4", "one.mp4", "none.mkv", "missing.mp4"):
        with pytest.raises(ConfigError, match=name.split(".")[0]) as refused:
            read_video(tmp_path / name)
        assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="fewer than two"):
        read_video(tmp_path / "whole.mp4", Sampling(start_s=100))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.mkv"
    if not whole.exists():
        film(whole, [n / 10 for n in range(60)])
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        assert read_video(damaged).frames
    except ConfigError as refused:
        assert "\n" not in str(refused)


def test_a_clip_without_frames() -> None:
    with pytest.raises(ValueError, match="no frames"):
        clip_grid(Clip(()))

"""Videos to frames: sampled by their real times, within a budget of frames and pixels.

The rules are those of Qwen's own preparation (facts: qwen-vl-utils 0.0.14): two frames a second, four to 768 frames, an
even number of them, and smaller frames the more there are. Frames are shrunk as they are decoded, and what lies between
them is skipped where the file allows it: of a long video, too, no more than these frames are kept.
"""

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from action_space.errors import ConfigError
from action_space.geometry import Size, smart_resize
from action_space.messages import Clip
from vlm.images import resized
from vlm.rope import Grid

if TYPE_CHECKING:
    from av.container import InputContainer

MIN_FRAMES, MAX_FRAMES = 4, 768
TOKEN_PIXELS = 28 * 28
FRAME_TOKENS = 128, 768
"""The least and the most tokens of a frame."""
VIDEO_TOKENS = 24_576
"""Of a whole video, as in the report's evaluations; two frames share theirs."""
_NO_VIDEOS = ("tty", "image2")
"""What FFmpeg plays as a video all the same: any text, and whatever is called like a picture."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which part of a video to look at, and how closely: frames a second, frames at most, tokens in all."""

    fps: float = 2.0
    most: int = MAX_FRAMES
    tokens: int = VIDEO_TOKENS
    start_s: float = 0.0
    end_s: float | None = None


def frames_to_take(total: int, duration_s: float, sampling: Sampling) -> int:
    """How many of `total` frames: an even number, as many as there are seconds times `fps`, within the limits.

    Raises ValueError where there are fewer than two.
    """
    if total < 2:
        raise ValueError(f"{total} frames are no video: two at least")
    most = min(sampling.most, total) // 2 * 2
    least = min(MIN_FRAMES, most)
    return max(2, int(min(max(duration_s * sampling.fps, least), most)) // 2 * 2)


def frame_size(size: Size, frames: int, tokens: int = VIDEO_TOKENS) -> Size:
    """The size at which each of `frames` frames is seen. Raises ValueError for an aspect ratio above 200."""
    least, most = (count * TOKEN_PIXELS for count in FRAME_TOKENS)
    share = max(min(most, tokens * TOKEN_PIXELS // frames * 2), int(least * 1.05))
    return smart_resize(size, min_pixels=least, max_pixels=share)


def clip_grid(clip: Clip, *, patch: int = 14) -> Grid:
    """The grid of a video's patches; an odd last frame is shown twice.

    Raises ValueError for a clip without frames or of impossible shape.
    """
    if not clip.frames:
        raise ValueError("the video has no frames")
    count = len(clip.frames) + len(clip.frames) % 2
    return _grid(frame_size(Size(*clip.frames[0].size), count), count, patch)


def _grid(size: Size, frames: int, patch: int = 14) -> Grid:
    return frames // 2, size.height // patch, size.width // patch


def read_video(path: Path, sampling: Sampling = Sampling()) -> Clip:
    """Sampled frames of a video file, at the size at which a model sees them. Raises ConfigError in one line."""
    # Here, because it is large, and most runs see no video.
    import av

    try:
        with av.open(str(path)) as container:
            if container.format.name in _NO_VIDEOS or not container.streams.video:
                raise ConfigError(f"{str(path)!r} has no video in it")
            return _read(container, sampling)
    except av.error.EOFError as error:
        raise ConfigError(f"the video {str(path)!r} ends before its first frame") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read the video {str(path)!r}: {reason}") from error


def _read(container: "InputContainer", sampling: Sampling) -> Clip:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    times, keys = _times(container, sampling)
    if len(times) < 2:
        raise ValueError("there are fewer than two frames in this part of it")
    unit = float(stream.time_base or 1)
    # A frame is shown until the next one; the last one as long as the others, on average.
    duration = (times[-1] - times[0]) * unit * len(times) / (len(times) - 1)
    count = frames_to_take(len(times), duration, sampling)
    # Evenly in time, which for a variable rate is not evenly in frames.
    moments = np.linspace(times[0], times[-1], count)
    wanted = sorted({times[_nearest(times, moment)] for moment in moments})
    frames: list[Image.Image] = []
    for frame in _decoded(container, wanted, keys):
        picture = frame.to_image()
        if not frames:
            grid = _grid(frame_size(Size(*picture.size), count, sampling.tokens), count)
        frames.append(resized(picture, grid))
    if not frames:
        raise ValueError("no frame could be decoded")
    return Clip(tuple(frames), duration / len(frames), (times[0] - (stream.start_time or 0)) * unit)


def clip_of(
    pictures: Sequence[Callable[[], Image.Image]], times_s: Sequence[float], sampling: Sampling = Sampling()
) -> Clip:
    """A video of pictures that were taken at these rising times, such as screenshots; each is shown until the next.

    pictures: opened one at a time, and only those that are shown. It is looked at as often as `sampling` says, but no
    more often than the pictures change. Raises ValueError where fewer than two are in the part to look at.
    """
    end = float("inf") if sampling.end_s is None else sampling.end_s
    times = [time for time in times_s if sampling.start_s <= time <= end]
    gaps = [after - before for before, after in pairwise(times) if after > before]
    if not gaps:
        raise ValueError("there are fewer than two pictures of different times in this part of it")
    length = times[-1] - times[0]
    # One for the last picture, which is there for a moment at least; and an even number.
    wanted = round(length * min(sampling.fps, 1 / min(gaps)), 6) + 1
    count = min(2 * math.ceil(wanted / 2), sampling.most // 2 * 2)
    moments = np.linspace(times[0], times[-1], count)
    first = bisect.bisect_left(times_s, times[0])
    shown = [first + bisect.bisect_right(times, moment + 1e-6) - 1 for moment in moments]
    frames: list[Image.Image] = []
    for index, same in groupby(shown):
        picture = pictures[index]()
        if not frames:
            grid = _grid(frame_size(Size(*picture.size), count, sampling.tokens), count)
        frames += [resized(picture, grid)] * len(list(same))
    return Clip(tuple(frames), length / (count - 1), times[0])


def _times(container: "InputContainer", sampling: Sampling) -> tuple[list[int], list[int]]:
    """Times of all frames in the part to look at, and of all frames that can be decoded by themselves, in the stream's
    units; nothing is decoded for it."""
    stream = container.streams.video[0]
    unit = float(stream.time_base or 1)
    first = stream.start_time or 0
    start = first + sampling.start_s / unit
    end = float("inf") if sampling.end_s is None else first + sampling.end_s / unit
    times, keys = [], []
    for packet in container.demux(stream):
        if packet.pts is not None:
            if start <= packet.pts <= end:
                times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    return sorted(times), sorted(keys)


def _nearest(times: Sequence[int], moment: float) -> int:
    after = min(bisect.bisect_left(times, moment), len(times) - 1)
    before = max(0, after - 1)
    return before if moment - times[before] <= times[after] - moment else after


def _decoded(container: "InputContainer", wanted: Sequence[int], keys: Sequence[int]) -> Iterator[Any]:
    """The frames at these times; from one to the next by the last key frame in between, if there is one."""
    stream = container.streams.video[0]
    at = -1
    source: Iterator[Any] = iter(())
    for number, moment in enumerate(wanted):
        key = keys[bisect.bisect_right(keys, moment) - 1] if keys and keys[0] <= moment else None
        if number == 0 or (key is not None and key > at):
            container.seek(key if key is not None else moment, stream=stream)
            source = container.decode(stream)
        for frame in source:
            if frame.pts is not None and frame.pts >= moment:
                at = frame.pts
                yield frame
                break

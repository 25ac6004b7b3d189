"""Pictures, videos and recorded runs that are given on the command line."""

from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from action_space.errors import ConfigError
from action_space.messages import Clip
from agent.trajectory import read_trajectory

if TYPE_CHECKING:
    from vlm.video import Sampling


def open_picture(path: Path) -> Image.Image:
    """The picture in a file in RGB as a viewer shows it: upright, on white where it is transparent.

    Of several frames or pages the first. Raises ConfigError in one line.
    """
    # Here, because it loads torch, and a wrong option should be told at once.
    from vlm.images import rgb

    try:
        with Image.open(path) as image:
            return rgb(image)
    except UnidentifiedImageError as error:
        raise ConfigError(f"{str(path)!r} is not a picture that can be read: give a PNG, JPEG or WebP file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read the picture {str(path)!r}: {reason}") from error


def open_picture_or_video(
    path: Path, *, fps: float, most: int, start_s: float, end_s: float | None
) -> Image.Image | Clip:
    """A picture, or frames of a video or of a recorded run: `fps` a second and `most` at most, of the part between two
    times in seconds. Raises ConfigError in one line.
    """
    from vlm.video import Sampling

    sampling = Sampling(fps, most, start_s=start_s, end_s=end_s)
    if path.is_dir():
        return _open_run(path, sampling)
    try:
        return open_picture(path)
    except ConfigError as error:
        if not isinstance(error.__cause__, UnidentifiedImageError):
            raise
    return _open_video(path, sampling)


def _open_video(path: Path, sampling: "Sampling") -> Clip:
    from av.error import InvalidDataError

    from vlm.video import read_video

    try:
        return read_video(path, sampling)
    except ConfigError as error:
        if isinstance(error.__cause__, InvalidDataError):
            raise ConfigError(f"{str(path)!r} is not a picture or a video that can be read") from error
        raise


def _open_run(folder: Path, sampling: "Sampling") -> Clip:
    """The screenshots of a run as a video, in seconds from its first one."""
    from vlm.video import clip_of

    run = read_trajectory(folder)
    seconds = [(step.started - run.steps[0].started).total_seconds() for step in run.steps]
    pictures = [partial(open_picture, run.image_path(step.image)) for step in run.steps]
    try:
        # A clock that was set back in between: times do not fall.
        return clip_of(pictures, list(accumulate(seconds, max)), sampling)
    except ValueError as error:
        raise ConfigError(f"cannot look at the run {str(folder)!r} as a video: {error}") from None

"""Pictures and videos that are given on the command line."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from action_space.errors import ConfigError
from action_space.messages import Clip


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
    """A picture, or frames of a video: `fps` a second and `most` at most, of the part between two times in seconds.

    Raises ConfigError in one line.
    """
    try:
        return open_picture(path)
    except ConfigError as error:
        if not isinstance(error.__cause__, UnidentifiedImageError):
            raise
    from av.error import InvalidDataError

    from vlm.video import Sampling, read_video

    try:
        return read_video(path, Sampling(fps, most, start_s=start_s, end_s=end_s))
    except ConfigError as error:
        if isinstance(error.__cause__, InvalidDataError):
            raise ConfigError(f"{str(path)!r} is not a picture or a video that can be read") from error
        raise

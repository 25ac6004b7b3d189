"""Pictures that are given on the command line."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from action_space.errors import ConfigError


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

"""What training leaves on disk is whole whenever it stops."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from action_space.errors import RecordingError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write to `path` in the block. Raises RecordingError where that cannot be done, as on a full disk."""
    try:
        yield
    except OSError as error:
        raise RecordingError(
            f"cannot write {str(path)!r}: {error.strerror or error}; what was there before stays: make room, "
            f"and call it again to go on from there"
        ) from error


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """The file has either its old content or all of the new. Raises RecordingError."""
    partial = path.with_name(f"{path.name}.partial")
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def save(path: Path, state: dict[str, Any]) -> None:
    """What `torch.load` reads. Raises RecordingError; what was there before stays."""
    whole = BytesIO()  # of a full disk torch itself says nothing that a person understands
    torch.save(state, whole)
    write_whole(path, whole.getbuffer())

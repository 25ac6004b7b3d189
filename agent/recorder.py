"""Writes a run so that killing the process at any moment loses at most the step in flight.

Order is everything: a picture is whole and on disk before the line that names it, a line before the next step begins.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PIL import Image

from action_space.errors import ConfigError, DeviceError, RecordingError
from agent.disk import append_line, open_locked, sync_folder, write_whole
from agent.trajectory import (
    HEADER,
    IMAGES,
    STEPS,
    Header,
    Outcome,
    Step,
    Trajectory,
    image_path,
    read_steps,
    read_trajectory,
)


class Recorder:
    """Owns the folder of one run. `trajectory` is always what lies on disk."""

    def __init__(self, trajectory: Trajectory, lines: int) -> None:
        """Use `start` or `resume`. lines: file descriptor of steps.jsonl, locked and positioned at its end."""
        self.trajectory = trajectory
        self._lines = lines

    @classmethod
    def start(cls, folder: Path, header: Header) -> "Recorder":
        """A new run in a folder that was claimed. Raises ConfigError, RecordingError."""
        folder = folder.absolute()
        with _recording(folder):
            lines = open_locked(folder / STEPS)
            write_whole(folder / HEADER, header.model_dump_json(indent=1).encode())
        return cls(Trajectory(folder, header), lines)

    @classmethod
    def resume(cls, folder: Path) -> "Recorder":
        """Go on with an unfinished run: a line that was cut short is cut off. Raises ConfigError, RecordingError."""
        folder = folder.absolute()
        trajectory = read_trajectory(folder)
        outcome = trajectory.outcome
        if outcome is not None and outcome.reason in {"success", "failure"}:
            raise ConfigError(f"the run in {str(folder)!r} is finished ({outcome.reason}): start a new one")
        with _recording(folder):
            (folder / IMAGES).mkdir(exist_ok=True)
            lines = open_locked(folder / STEPS)
            steps, whole_bytes, _ = read_steps(folder)
            os.ftruncate(lines, whole_bytes)
            os.lseek(lines, 0, os.SEEK_END)
        recorder = cls(replace(trajectory, steps=steps), lines)
        recorder.change_header(trajectory.header.model_copy(update={"outcome": None}))
        return recorder

    def save_image(self, image: Image.Image) -> str:
        """Write a screenshot unless it is there already; its hash. Raises RecordingError."""
        buffer = io.BytesIO()
        image.save(buffer, format="PNG", compress_level=3)
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        path = image_path(self.trajectory.folder, digest)
        with _recording(self.trajectory.folder):
            if not path.exists():
                write_whole(path, data)
        return digest

    def load_image(self, digest: str) -> Image.Image:
        """A recorded screenshot as RGB. Raises DeviceError if it is gone."""
        return load_image(image_path(self.trajectory.folder, digest))

    def write(self, step: Step) -> None:
        """Append one step; it is on disk when this returns. Raises RecordingError; the earlier lines stay whole."""
        with _recording(self.trajectory.folder):
            append_line(self._lines, step.model_dump_json().encode())
        self.trajectory = replace(self.trajectory, steps=(*self.trajectory.steps, step))

    def change_header(self, header: Header) -> None:
        """Replace run.json in one go. Raises RecordingError."""
        with _recording(self.trajectory.folder):
            write_whole(self.trajectory.folder / HEADER, header.model_dump_json(indent=1).encode())
        self.trajectory = replace(self.trajectory, header=header)

    def finish(self, outcome: Outcome) -> None:
        """Write down how the run ended. Raises RecordingError."""
        self.change_header(self.trajectory.header.model_copy(update={"outcome": outcome}))

    def close(self) -> None:
        """Give up the lock on the folder. Safe to call twice."""
        if self._lines >= 0:
            os.close(self._lines)
            self._lines = -1


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Make the folder of a new run before anything slow starts; it must be missing or empty.

    If what follows fails before the run begins, the folder is removed again. Raises ConfigError, RecordingError.
    """
    folder = folder.absolute()
    with _recording(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{str(folder)!r} exists and is not an empty folder: choose another, or --resume it")
        (folder / IMAGES).mkdir(parents=True)
        sync_folder(folder)
    try:
        yield folder
    finally:
        if not (folder / HEADER).exists():
            for part in (folder / IMAGES, folder):
                with suppress(OSError):
                    part.rmdir()


@lru_cache(maxsize=8)
def load_image(path: Path) -> Image.Image:
    """A recorded screenshot as RGB. Raises DeviceError if it is gone or broken: a run cannot go on without its past."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise DeviceError(f"the recorded screenshot {path} cannot be read: {error}") from error


@contextmanager
def _recording(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordingError(
            f"cannot write the run to {str(folder)!r}: {error.strerror or error}; what was written before is intact"
        ) from error

"""Files that are whole whenever the machine stops: one writer, a line or a file at a time."""

import os
import sys
from pathlib import Path

from action_space.errors import ConfigError


def open_locked(path: Path) -> int:
    """A file descriptor at the end of a file that only this process writes to. Raises ConfigError, OSError."""
    lines = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lines)
            where = str(path.parent)
            raise ConfigError(f"another process is recording in {where!r}: wait for it, or stop it") from error
    os.lseek(lines, 0, os.SEEK_END)
    return lines


def append_line(lines: int, line: bytes) -> None:
    """Write a line at the end of a file; it is on disk when this returns. Raises OSError; earlier lines stay whole."""
    end = os.lseek(lines, 0, os.SEEK_END)
    try:
        write_all(lines, line + b"\n")
        os.fsync(lines)
    except OSError:
        os.ftruncate(lines, end)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """The file has either its old content or all of the new, whenever the machine stops. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """A rename is only on disk once its folder is. Raises OSError."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

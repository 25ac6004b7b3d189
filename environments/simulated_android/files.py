"""The device's files, in memory, and adb's sync protocol: STAT, LIST, SEND, RECV."""

import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from environments.simulated_android.transport import Stream

_CHUNK = 64 * 1024
_LONGEST_NAME = 1024


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int
    changed: int
    """Seconds since 1970."""


class Files:
    """Files by their whole path; a folder exists when something is in it, and some always do."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._folders = {"/", "/sdcard", "/data", "/data/local", "/data/local/tmp"}

    def write(self, path: str, data: bytes, mode: int = 0o644, changed: int | None = None) -> None:
        """Put a whole file in its place at once: one whose sending was cut is not there."""
        self._files[_plain(path)] = File(data, stat.S_IFREG | (mode & 0o7777), int(changed or time.time()))

    def read(self, path: str) -> bytes | None:
        found = self._files.get(_plain(path))
        return None if found is None else found.data

    def status(self, path: str) -> tuple[int, int, int]:
        """Mode, size and time of change; zeros if there is nothing."""
        path = _plain(path)
        if path in self._files:
            found = self._files[path]
            return found.mode, len(found.data), found.changed
        return (stat.S_IFDIR | 0o771, 4096, 1) if path in self._folders or self.names(path) else (0, 0, 0)

    def names(self, folder: str) -> list[str]:
        """What is in a folder."""
        start = _plain(folder).rstrip("/") + "/"
        inside = {path[len(start) :].split("/")[0] for path in (*self._files, *self._folders) if path.startswith(start)}
        return sorted(inside - {""})


def _plain(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


class _Reader:
    """Bytes of a stream in the pieces that are asked for."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = b""

    def take(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += self._stream.read()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def head(self) -> tuple[bytes, int]:
        """Four letters and a number."""
        name, number = struct.unpack("<4sI", self.take(8))
        return name, number


def serve_sync(stream: Stream, files: Files) -> None:
    """Answer requests until the host quits."""
    reader = _Reader(stream)
    answers: dict[bytes, Callable[[str], None]] = {
        b"STAT": lambda path: stream.write(struct.pack("<4s3I", b"STAT", *files.status(path))),
        b"LIST": lambda path: _list(stream, files, path),
        b"RECV": lambda path: _receive(stream, files, path),
        b"SEND": lambda path: _send(stream, reader, files, path),
    }
    while True:
        request, length = reader.head()
        if request not in answers or length > _LONGEST_NAME:
            _fail(stream, "unknown request")
            return
        answers[request](reader.take(length).decode("utf-8", "replace"))


def _list(stream: Stream, files: Files, folder: str) -> None:
    for name in files.names(folder):
        raw = name.encode()
        stream.write(struct.pack("<4s4I", b"DENT", *files.status(f"{folder}/{name}"), len(raw)) + raw)
    stream.write(struct.pack("<4s4I", b"DONE", 0, 0, 0, 0))


def _receive(stream: Stream, files: Files, path: str) -> None:
    data = files.read(path)
    if data is None:
        _fail(stream, f"open failed: {path}: No such file or directory")
        return
    for start in range(0, len(data), _CHUNK):
        piece = data[start : start + _CHUNK]
        stream.write(struct.pack("<4sI", b"DATA", len(piece)) + piece)
    stream.write(struct.pack("<4sI", b"DONE", 0))


def _send(stream: Stream, reader: _Reader, files: Files, target: str) -> None:
    """The host sends a file as `path,mode`, in pieces, and ends with the time of its last change."""
    path, _, mode = target.rpartition(",")
    data = b""
    while True:
        kind, number = reader.head()
        if kind == b"DONE":
            break
        if kind != b"DATA" or number > _CHUNK:
            _fail(stream, "invalid data message")
            return
        data += reader.take(number)
    files.write(path or target, data, int(mode) if mode.isdecimal() else 0o644, number)
    stream.write(struct.pack("<4sI", b"OKAY", 0))


def _fail(stream: Stream, reason: str) -> None:
    stream.write(struct.pack("<4sI", b"FAIL", len(reason.encode())) + reason.encode())

"""Shards: folders of some hundred screens with what is asked about them, written whole or not at all.

    SET/shard-00000/screens.jsonl   a line a screen: its picture and the labels from the page (`render.py`)
                    records.jsonl   a line a record (`records.py`)
                    0123456789abcdef.png ...   named by their content
                    index.json      how many of each, what was dropped and why, and the size of every file
    SET/shard-00001.partial/        is being written, or was when the process was killed

A shard whose files are not those of its index (cut off, a picture deleted) is skipped and counted.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from action_space.errors import RecordingError
from vlm.training.data.records import Record, read_records

SCREENS, RECORDS, INDEX, PARTIAL = "screens.jsonl", "records.jsonl", "index.json", ".partial"


@dataclass(frozen=True, slots=True)
class Shard:
    """A whole shard. counts: `drawn`, `screens`, `records`, and `dropped: REASON` for each reason."""

    folder: Path
    counts: dict[str, int]

    def records(self) -> Iterator[Record]:
        """Its records; a line that is none is left out."""
        for record in read_records((self.folder / RECORDS).read_text(encoding="utf-8")):
            if record is not None:
                yield record

    def pictures(self) -> set[str]:
        """Names of its pictures, which tell their content."""
        return {path.name for path in self.folder.glob("*.png")}


def read_shards(folder: Path) -> tuple[list[Shard], int]:
    """The whole shards of a set in order, and how many were skipped because they are cut off."""
    if not folder.is_dir():
        return [], 0
    names = sorted(path for path in folder.iterdir() if path.name.startswith("shard-"))
    found = [_read(path) for path in names]
    whole = [shard for shard in found if shard is not None]
    return whole, len(names) - len(whole)


def _read(folder: Path) -> Shard | None:
    try:
        index = json.loads((folder / INDEX).read_bytes())
        sizes, counts = index["files"], index["counts"]
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
        counts = {str(key): int(value) for key, value in counts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Shard(folder, counts) if whole and folder.suffix != PARTIAL else None


@dataclass(slots=True)
class NewShard:
    """A shard that is being written. drawn: how many screens were tried; dropped: reasons, and how often: the writer counts."""

    folder: Path
    drawn: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    _screens: list[str] = field(default_factory=list)
    _records: list[str] = field(default_factory=list)

    def add_picture(self, png: bytes) -> str:
        """Store a picture; the same one is stored once. Gives its name."""
        name = picture_name(png)
        if not (self.folder / name).exists():
            (self.folder / name).write_bytes(png)
        return name

    def add_screen(self, row: dict[str, Any]) -> None:
        self._screens.append(json.dumps(row, separators=(",", ":")))

    def add_record(self, record: Record) -> None:
        self._records.append(record.model_dump_json(exclude_defaults=True))

    def finish(self) -> None:
        for name, lines in ((SCREENS, self._screens), (RECORDS, self._records)):
            (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        counts = {"drawn": self.drawn, "screens": len(self._screens), "records": len(self._records)}
        counts |= {f"dropped: {reason}": number for reason, number in sorted(self.dropped.items())}
        sizes = {path.name: path.stat().st_size for path in sorted(self.folder.iterdir())}
        with (self.folder / INDEX).open("w", encoding="utf-8") as file:
            json.dump({"counts": counts, "files": sizes}, file, indent=0)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def new_shard(folder: Path, number: int) -> Iterator[NewShard]:
    """Shard `number` of a set; it is there when the block ends, and not at all if the block fails.

    Raises RecordingError when it cannot be written: what is there stays.
    """
    final = folder / f"shard-{number:05d}"
    partial = final.with_name(final.name + PARTIAL)
    try:
        for old in (partial, final):  # cut off, else it would not be written again
            shutil.rmtree(old, ignore_errors=True)
        partial.mkdir(parents=True)
        shard = NewShard(partial)
        yield shard
        shard.finish()
        partial.replace(final)
    except OSError as error:
        raise RecordingError(
            f"cannot write the shard {str(final)!r}: {error.strerror or error}; the shards before it are whole"
        ) from error


def picture_name(png: bytes) -> str:
    return f"{hashlib.sha256(png).hexdigest()[:16]}.png"

"""Pictures that lie inside of a benchmark's files, written out for the steps that are asked."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from action_space.errors import RecordingError
from agent.disk import write_whole
from evals.benchmarks.reading import Pictures, Row, Source
from evals.protocols.values import Step

PICTURES = "pictures"
"""Where they are written, below the folder of the answers; each once, named by its content."""

_ENDINGS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}


def with_pictures(
    source: Source, pictures: Pictures, data: Path, steps: Sequence[Step], wanted: Collection[str], folder: Path
) -> list[Step]:
    """The steps, with the names of those pictures that are wanted; these are written unless they are there.

    wanted: ids of steps. folder: of the pictures. Raises ConfigError, RecordingError.
    """
    names: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in _found(source, pictures, data):
            if name in wanted and name not in names:
                names[name] = _written(folder, picture)
    except OSError as error:
        raise RecordingError(f"cannot write pictures to {str(folder)!r}: {error.strerror or error}") from error
    return [replace(step, image=names.get(step.id, "")) for step in steps]


def _found(source: Source, pictures: Pictures, data: Path) -> Iterator[tuple[str, bytes]]:
    """Rows that cannot be read were named when their steps were."""
    for row in source.rows(data):
        try:
            yield from pictures(row) if isinstance(row, Row) else ()
        except ValueError:
            continue


def _written(folder: Path, picture: bytes) -> str:
    ending = next((each for start, each in _ENDINGS.items() if picture.startswith(start)), ".img")
    name = hashlib.sha256(picture).hexdigest() + ending
    if not (folder / name).exists():
        write_whole(folder / name, picture)
    return name

"""The folder of a measurement: what is measured, and a line for every result, on disk before the next is begun.

FOLDER/eval.json       the plan
FOLDER/results.jsonl   one result a line, in the order in which they came; of two for the same item the later counts
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ValidationError

from action_space.errors import ConfigError, RecordingError
from agent.disk import append_line, open_locked, sync_folder, write_whole
from agent.trajectory import first_problem

PLAN = "eval.json"
RESULTS = "results.jsonl"

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def start(folder: Path, plan: BaseModel) -> None:
    """Write down what is measured in a new folder. Raises ConfigError when it is in use, RecordingError."""
    with _recording(folder):
        # What was being written when an earlier try was killed is hidden, and no result.
        if folder.exists() and (not folder.is_dir() or any(not path.name.startswith(".") for path in folder.iterdir())):
            raise ConfigError(f"{str(folder)!r} exists and is not an empty folder: choose another, or --resume it")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / PLAN, plan.model_dump_json(indent=1).encode() + b"\n")


def read_plan(folder: Path, kind: type[AnyModel]) -> AnyModel:
    """What is measured in `folder`. Raises ConfigError."""
    path = folder / PLAN
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{str(folder)!r} holds no measurement: it has no {PLAN}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from error


def read_lines(folder: Path, kind: type[AnyModel]) -> Iterator[AnyModel]:
    """The results in the order in which they came; a last line that was cut short is left out. Raises ConfigError."""
    path = folder / RESULTS
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            raise ConfigError(f"{path}:{number}: {first_problem(error)}") from error


class Journal:
    """Appends results to a folder, which no other process does meanwhile. Raises ConfigError, RecordingError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _recording(folder):
            self._lines = open_locked(folder / RESULTS)
            try:
                self._drop_cut_line()
                sync_folder(folder)
            except OSError:
                os.close(self._lines)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lines)

    def append(self, line: BaseModel) -> None:
        """The result is on disk when this returns. Raises RecordingError."""
        with _recording(self._folder):
            append_line(self._lines, line.model_dump_json().encode())

    def _drop_cut_line(self) -> None:
        data = (self._folder / RESULTS).read_bytes()
        os.ftruncate(self._lines, data.rfind(b"\n") + 1)


@contextmanager
def _recording(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordingError(
            f"cannot write results to {str(folder)!r}: {error.strerror or error}; what was written before is intact"
        ) from error

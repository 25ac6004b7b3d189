"""How benchmarks are read: as a stream that goes on after a broken row, and after a row where an earlier run ended.

A loader is two functions: `rows` finds the raw rows of a folder without looking into them, `steps` makes steps of
one. So what was read before can be passed over cheaply, and a row that cannot be read costs that row only.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from action_space.errors import ConfigError
from agent.trajectory import first_problem
from evals.protocols.values import Act, Region, Step


@dataclass(frozen=True, slots=True)
class Row:
    """Raw data of one or more steps. where: its file below the folder and its line or place, as `test.jsonl:12`."""

    where: str
    data: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """What could not be read, and why."""

    where: str
    why: str


Pictures = Callable[[Row], Iterator[tuple[str, bytes]]]
"""The encoded pictures in a row, each with the id of its step. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Source:
    """A benchmark's format.

    rows: raises ConfigError if the folder holds no data of this format. steps: raises ValueError for a row that cannot
    be read; what is wrong with one of several steps it says itself. ids: how steps are named. units: of coordinates.
    is_grounding: every step asks where something is, and for nothing else. is_phone: its screens are those of phones.
    most: actions that a step may ask for; where it is more than one, a model is asked on, on the same picture.
    joined: makes the actions of a step those that the benchmark knows. pictures: where they are no files of their own.
    """

    name: str
    rows: Callable[[Path], Iterator[Row | Broken]]
    steps: Callable[[Row, Path], Iterator[Step | Broken]]
    ids: str
    units: str
    is_grounding: bool = False
    is_phone: bool = False
    most: int = 1
    joined: Callable[[tuple[Act, ...]], tuple[Act, ...]] = tuple
    pictures: Pictures | None = None


class Record(BaseModel):
    """Part of a row. What is not named is not looked at: benchmarks carry more than scoring needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Length = Annotated[FiniteFloat, Field(ge=0)]
Corners = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
Sized = tuple[FiniteFloat, FiniteFloat, Length, Length]
"""x, y, width, height."""


def read(source: Source, folder: Path, after: str = "") -> Iterator[Step | Broken]:
    """The steps of a benchmark in the order of its files, and what could not be read.

    after: `Step.row` where an earlier run ended; reading goes on behind it. Raises ConfigError if there is no data, or
    no such row.
    """
    if not folder.is_dir():
        raise ConfigError(f"--data {str(folder)!r} is no folder: give the one that holds {source.name}'s files")
    seen: set[str] = set()
    waiting = bool(after)
    for row in source.rows(folder):
        if waiting:
            waiting = row.where != after
            continue
        for step in [row] if isinstance(row, Broken) else _steps(source, row, folder):
            if isinstance(step, Step) and step.id in seen:
                yield Broken(row.where, f"the id {step.id!r} is there a second time")
            else:
                if isinstance(step, Step):
                    seen.add(step.id)
                yield step
    if waiting:
        raise ConfigError(f"{source.name} in {str(folder)!r} has no row {after!r} to go on after")


def _steps(source: Source, row: Row, folder: Path) -> Iterator[Step | Broken]:
    try:
        for step in source.steps(row, folder):
            yield replace(step, row=row.where) if isinstance(step, Step) else step
    except ValueError as error:
        yield Broken(row.where, problem(error))


def problem(error: ValueError) -> str:
    """What is wrong with a row, in one line."""
    text = first_problem(error) if isinstance(error, ValidationError) else str(error)
    return " ".join(text.split())


def files(folder: Path, patterns: Sequence[str], name: str) -> list[Path]:
    """Files of a folder that match any pattern, sorted. Raises ConfigError if there are none."""
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    if not found:
        raise ConfigError(f"{str(folder)!r} holds no data of {name}: it should have {' or '.join(patterns)}")
    return found


def json_rows(folder: Path, patterns: Sequence[str], name: str) -> Iterator[Row | Broken]:
    """The items of JSON arrays, or the one object, of files. A place is its number from 0."""
    for path in files(folder, patterns, name):
        where = path.relative_to(folder).as_posix()
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            yield Broken(where, f"no JSON: {' '.join(str(error).split())}")
            continue
        items = content if isinstance(content, list) else [content]
        yield from (Row(f"{where}:{number}", item) for number, item in enumerate(items))


def json_lines(folder: Path, patterns: Sequence[str], name: str) -> Iterator[Row | Broken]:
    """The lines of JSONL files, not yet parsed. A place is its line, from 1."""
    for path in files(folder, patterns, name):
        where = path.relative_to(folder).as_posix()
        with path.open("rb") as lines:
            yield from (Row(f"{where}:{number}", line) for number, line in enumerate(lines, 1) if line.strip())


def load_json(text: str | bytes) -> Any:  # noqa: ANN401 (parsed by the caller's model)
    """Raises ValueError, for text that is nested too deeply as well."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("no JSON: nested too deeply") from error


def region(values: Sized) -> Region:
    """Of x, y, width, height."""
    return Region.sized(*values)


def groups(**names: str) -> Mapping[str, str]:
    """Names for breakdowns, without the empty ones."""
    return {key: name for key, name in names.items() if name}

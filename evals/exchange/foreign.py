"""Runs of other programs: what an importer finds, and how it becomes a run of ours.

An importer is one function that finds the runs at a path; each run gives its steps one by one. What cannot be read
costs that step or that run only, and is named with its place.
"""

import base64
import binascii
import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from action_space.actions import Action, points_of
from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box, Frame, Point, Size
from agent.recorder import Recorder, claimed
from agent.session import own_version
from agent.trajectory import Header, Outcome, Settings, Step, StepError, StopReason, Versions
from evals.benchmarks.reading import Broken, load_json, problem

Row = TypeVar("Row")

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When a run was made whose source does not say it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A look and what was done there, in pixels of the picture.

    actions: several if they followed each other without another look. targets: where the first one's point may lie.
    error: why nothing came of it.
    """

    where: str
    image: Image.Image
    actions: Sequence[Action]
    targets: tuple[Box, ...] = ()
    plan: str = ""
    reply: str = ""
    note: str = ""
    error: StepError | None = None
    context: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)
    started: datetime | None = None
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Foreign:
    """A run elsewhere. where: its file or folder, for messages. env: browser, desktop or android."""

    where: str
    name: str
    task: str
    env: str
    model: str
    steps: Callable[[], Iterator[Taken | Broken]]
    reason: StopReason
    text: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Importer:
    """A format. runs: path and task ("" if the operator gave none) -> its runs; raises ConfigError if there are none.

    takes: what the path has to be.
    """

    name: str
    takes: str
    runs: Callable[[Path, str], Iterator[Foreign | Broken]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a run. folder: where it lies now."""

    folder: Path
    steps: int


def import_run(foreign: Foreign, out: Path, dialect: str) -> Iterator[Imported | Broken]:
    """Write a run into a new folder below `out`; last comes what was written, if it has a step.

    dialect: recorded as the words of its replies. Raises ConfigError, RecordingError.
    """
    steps = foreign.steps()
    broken, first = _up_to_first(steps)
    yield from broken
    if first is None:
        yield Broken(foreign.where, "no step that can be used")
        return
    with claimed(free_folder(out, foreign.name)) as folder:
        header = _header(foreign, first, dialect)
        with closing(Recorder.start(folder, header)) as recorder:
            _record(recorder, first)
            for taken in steps:
                if isinstance(taken, Broken):
                    yield taken
                else:
                    _record(recorder, taken)
            ended = recorder.trajectory.steps[-1].started
            recorder.finish(Outcome(reason=foreign.reason, text=one_line(foreign.text), ended=ended))
            yield Imported(folder, len(recorder.trajectory.steps))


def _up_to_first(steps: Iterator[Taken | Broken]) -> tuple[list[Broken], Taken | None]:
    broken: list[Broken] = []
    for taken in steps:
        if isinstance(taken, Taken):
            return broken, taken
        broken.append(taken)
    return broken, None


def _header(foreign: Foreign, first: Taken, dialect: str) -> Header:
    created = foreign.created or first.started or LONG_AGO
    versions = Versions(clickwright=own_version(), model=foreign.model, dialect=dialect, env=foreign.env)
    settings = Settings(env=foreign.env, model=foreign.model, viewport=Size(*first.image.size))
    return Header(task=foreign.task, created=created, versions=versions, settings=settings)


def _record(recorder: Recorder, taken: Taken) -> None:
    """One step for each action; only the first was done on a screen that was looked at."""
    image = recorder.save_image(taken.image)
    size = Size(*taken.image.size)
    for at, action in enumerate(taken.actions or [None]):
        recorder.write(
            Step(
                number=len(recorder.trajectory.steps) + 1,
                started=taken.started or LONG_AGO,
                image=image,
                frame=Frame(size, size),
                context=taken.context,
                details=taken.details,
                plan="" if at else taken.plan,
                reply="" if at else taken.reply,
                note=taken.note,
                action=action,
                error=taken.error,
                targets=() if at else taken.targets,
                shown=at == 0,
                seconds=0.0 if at else taken.seconds,
                tokens_in=0 if at else taken.tokens_in,
                tokens_out=0 if at else taken.tokens_out,
            )
        )


def free_folder(out: Path, name: str) -> Path:
    """A folder below `out` that is not there yet, named like the run, with nothing but plain characters."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80] or "run"
    folder, number = out / plain, 1
    while folder.exists():
        number += 1
        folder = out / f"{plain}-{number}"
    return folder


# ------------------------------------------------------------------------------------------- what importers need


def steps_of(rows: Sequence[tuple[str, Row]], read: Callable[[str, Row], Taken | None]) -> Iterator[Taken | Broken]:
    """Every row read on its own, with its place. None: there is nothing in it, and nothing is wrong."""
    for where, row in rows:
        try:
            taken = read(where, row)
            if taken is not None:
                require_on(Size(*taken.image.size), taken.actions)
        except ValueError as error:
            yield Broken(where, problem(error))
        except InvalidAction as error:
            yield Broken(where, str(error))
        else:
            if taken is not None:
                yield taken


def require_on(size: Size, actions: Sequence[Action]) -> None:
    """Raises ValueError for a point that is not on the screen."""
    for action in actions:
        for point in points_of(action):
            if not size.contains(point):
                raise ValueError(f"({point.x}, {point.y}) is outside the screenshot of {size}")


def pixel(x: float, y: float, size: Size) -> Point:
    """The pixel at fractions of a screen; 1 is the last one. Raises ValueError outside 0 to 1."""
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f"({x:g}, {y:g}) is no fraction of the screen: both must be 0 to 1")
    return Point(min(int(x * size.width), size.width - 1), min(int(y * size.height), size.height - 1))


def first_file(places: Sequence[Path]) -> Path | None:
    """The first that is a file. Names come from other programs, and may be none that a disk could have."""
    for place in places:
        with suppress(OSError):
            if place.is_file():
                return place
    return None


def read_picture(path: Path) -> Image.Image:
    """A screenshot as RGB. Raises ValueError."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"the screenshot {str(path)!r:.300} cannot be read: {reason}") from error
    return decoded(data)


def decode_base64(text: str) -> Image.Image:
    """A screenshot from base64, with or without `data:image/png;base64,`. Raises ValueError."""
    try:
        return decoded(base64.b64decode(text.rpartition(",")[2], validate=True))
    except binascii.Error as error:
        raise ValueError(f"the screenshot is no base64: {error}") from error


def decoded(data: bytes) -> Image.Image:
    """Raises ValueError for bytes that are no picture, or a picture too large to be a screen."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the screenshot is no picture: {one_line(str(error))}") from error


def load_document(text: bytes) -> Any:  # noqa: ANN401 (parsed by the caller's model)
    """JSON whose texts can be written again: half of a surrogate pair becomes a question mark. Raises ValueError."""
    try:
        return _writable(load_json(text))
    except RecursionError as error:
        raise ValueError("no JSON: nested too deeply") from error


def json_files(path: Path, what: str) -> list[Path]:
    """A file, or the JSON files below a folder. what: they should be. Raises ConfigError if there are none."""
    files = sorted(path.glob("**/*.json")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise ConfigError(f"{str(path)!r} holds no JSON: give {what}")
    return files


def read_each(files: Sequence[Path], run_of: Callable[[Path, Any], Foreign]) -> Iterator[Foreign | Broken]:
    """The run of every file; one that cannot be read, or for which `run_of` raises ValueError, is broken."""
    for file in files:
        try:
            yield run_of(file, load_document(file.read_bytes()))
        except OSError as error:
            yield Broken(str(file), f"cannot be read: {error.strerror}")
        except ValueError as error:
            yield Broken(str(file), problem(error))


def _writable(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_writable(part) for part in value]
    if isinstance(value, dict):
        return {_writable(key): _writable(part) for key, part in value.items()}
    return value


def one_line(text: str) -> str:
    return " ".join(text.split())


def at_time(seconds: float | None) -> datetime | None:
    """From seconds since 1970; None for what is no time."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def pointer_after(actions: Sequence[Action], before: Point | None) -> Point | None:
    """Where the mouse is after some actions."""
    points = [point for action in actions for point in points_of(action)]
    return points[-1] if points else before

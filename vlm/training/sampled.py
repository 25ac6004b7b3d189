"""What rejection sampling leaves on disk: answers of a model that were held against the truth, a page or quiz a line.

FOLDER/results.jsonl    one `Unit` a line
FOLDER/screens/*.png    the screenshots that its points are on

`evals.online.sampling` writes it on live pages, `vlm.training.quiz` on generated questions; `refine` and `prefer` read.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from action_space.errors import ConfigError, RecordingError
from vlm.training.data.records import Record
from vlm.training.data.render import Screen, read_screens, screen_of
from vlm.training.data.shards import read_shards
from vlm.training.disk import write_whole, writing

RESULTS, SCREENS = "results.jsonl", "screens"
UNASKED = 0.5
"""The share of right answers to a record of a shard: no model was asked yet, so it is taken to be half hard."""

By = Literal["model", "truth"]
"""Who gave an answer: the model, and the truth confirmed it; or the truth, where no answer of the model was right."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Judged(_Line):
    """A record whose answer is confirmed. rejected: wrong answers of the model to its prompt, the most frequent first.

    share: how many of the model's answers were right; 0 if the answer is the truth's own.
    """

    record: Record
    by: By = "model"
    rejected: tuple[str, ...] = ()
    share: float = Field(default=1.0, ge=0, le=1)


class SeenScreen(_Line):
    """A picture with what is on it, as `labels.js` says it."""

    image: str = Field(pattern=r"^[\w.-]+\.png$")
    elements: tuple[dict[str, Any], ...]
    chars: tuple[int, ...]


class Unit(_Line):
    """What came of one page or quiz. dropped: how many answers were not kept, by reason. done: by the page's word."""

    name: str
    asked: int = Field(default=0, ge=0)
    right: int = Field(default=0, ge=0)
    done: int = Field(default=0, ge=0)
    tried: int = Field(default=0, ge=0)
    judged: tuple[Judged, ...] = ()
    screens: tuple[SeenScreen, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sampled:
    """All that was kept in some folders. screens: by name."""

    judged: tuple[Judged, ...]
    screens: dict[str, Screen]


def read_units(folder: Path) -> Iterator[Unit]:
    """Units in the order in which they came; a line that was cut off by a kill is left out. Raises ConfigError."""
    path = folder / RESULTS
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise ConfigError(f"{str(folder)!r} holds no sampled answers: {path.name}: {error.strerror}") from error
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            yield Unit.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise ConfigError(f"{path}:{number}: {where}: {problem['msg']}") from error


def append_unit(folder: Path, unit: Unit) -> None:
    """Write a line; one before it that was cut off by a kill is cut away. Raises RecordingError."""
    path = folder / RESULTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole = path.read_bytes().rpartition(b"\n")[:2] if path.is_file() else (b"", b"")
        with path.open("ab") as file:
            file.truncate(sum(map(len, whole)))
            file.write(unit.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RecordingError(f"cannot write to {str(path)!r}: {error.strerror}; what is there stays") from error


def read_sampled(folders: Sequence[Path]) -> Sampled:
    """What was kept, in several folders, which may also be sets of shards. A record whose picture is gone is left out.

    Raises ConfigError.
    """
    judged: list[Judged] = []
    screens: dict[str, Screen] = {}
    for folder in folders:
        found = list(_of_units(folder) if (folder / RESULTS).is_file() else _of_shards(folder))
        for part in found:
            screens |= {name: screen for name, screen in part.screens.items() if screen.image.is_file()}
            judged += [one for one in part.judged if set(one.record.images) <= screens.keys()]
        if not found:
            raise ConfigError(f"{str(folder)!r} holds neither sampled answers ({RESULTS}) nor shards of records")
    return Sampled(tuple(judged), screens)


def _of_units(folder: Path) -> Iterator[Sampled]:
    for unit in read_units(folder):
        yield Sampled(unit.judged, {s.image: screen_of(folder / SCREENS / s.image, dict(s)) for s in unit.screens})


def _of_shards(folder: Path) -> Iterator[Sampled]:
    for shard in read_shards(folder)[0]:
        screens = {screen.image.name: screen for screen in read_screens(shard.folder)}
        yield Sampled(tuple(Judged(record=record, share=UNASKED) for record in shard.records()), screens)


def keep_picture(folder: Path, picture: Image.Image) -> str:
    """Store a screenshot once; gives its name. Raises RecordingError."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:32]}.png"
    with writing(folder / SCREENS):
        (folder / SCREENS).mkdir(parents=True, exist_ok=True)
    if not (folder / SCREENS / name).is_file():
        write_whole(folder / SCREENS / name, buffer.getvalue())
    return name


def counts_of(units: Iterable[Unit]) -> dict[str, Any]:
    """What was asked, kept and dropped in all, for people and for JSON."""
    units = list(units)
    judged = [one for u in units for one in u.judged]
    kept = Counter(f"{one.record.kind}/{one.record.form} by the {one.by}" for one in judged)
    dropped = sum((Counter(u.dropped) for u in units), Counter[str]())
    return {
        "units": len(units),
        "pages done": sum(u.done for u in units),
        "pages tried": sum(u.tried for u in units),
        "answers": sum(u.asked for u in units),
        "right": sum(u.right for u in units),
        "kept": dict(sorted(kept.items())),
        "with a rejected answer": sum(len(one.rejected) > 0 for one in judged),
        "dropped": dict(dropped.most_common()),
    }

"""What rejection sampling leaves on disk: answers of a model that were held against the truth, a page or quiz a line.

FOLDER/results.jsonl    one `Unit` a line
FOLDER/screens/*.png    the screenshots that its points are on

`evals.online.sampling` writes it on live pages, `vlm.training.quiz` on generated questions; `refine` and `prefer` read.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from action_space.errors import ConfigError, RecordingError
from vlm.training.data.render import Screen, element_of

RESULTS, SCREENS = "results.jsonl", "screens"

By = Literal["model", "truth"]
"""Who gave an answer: the model, and the truth confirmed it; or the truth, where no answer of the model was right."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanAnswer(_Line):
    """A planning prompt and its answer. behind: what was done, oldest first: a plan, and what the prompt says of it
    (" (nothing changed)", or ""). rejected: wrong answers of the model. share: how many of its answers were right."""

    task: str
    behind: tuple[tuple[str, str], ...] = ()
    answer: str
    by: By = "model"
    rejected: tuple[str, ...] = ()
    share: float = Field(default=1.0, ge=0, le=1)


class PointAnswer(_Line):
    """A control that was asked for. screen: name of its picture. control: its number among the screen's elements.

    rejected: points, in pixels of the picture, that the model gave and that miss it.
    """

    screen: str
    instruction: str
    control: int = Field(ge=0)
    by: By = "model"
    rejected: tuple[tuple[int, int], ...] = ()
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
    plans: tuple[PlanAnswer, ...] = ()
    points: tuple[PointAnswer, ...] = ()
    screens: tuple[SeenScreen, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sampled:
    """All that was kept in some folders. screens: by name."""

    plans: tuple[PlanAnswer, ...]
    points: tuple[PointAnswer, ...]
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


def read_sampled(folders: Sequence[Path]) -> Sampled:
    """What was kept, in several folders. A point whose picture is gone is left out. Raises ConfigError."""
    plans: list[PlanAnswer] = []
    points: list[PointAnswer] = []
    screens: dict[str, Screen] = {}
    for folder in folders:
        for unit in read_units(folder):
            plans += unit.plans
            screens |= {s.image: screen_of(folder, s) for s in unit.screens if (folder / SCREENS / s.image).is_file()}
            points += [
                p for p in unit.points if p.screen in screens and p.control < len(screens[p.screen].elements)
            ]
    return Sampled(tuple(plans), tuple(points), screens)


def screen_of(folder: Path, seen: SeenScreen) -> Screen:
    flat = seen.chars
    chars = tuple((flat[i], flat[i + 1], chr(flat[i + 2])) for i in range(0, len(flat) - 2, 3))
    return Screen(folder / SCREENS / seen.image, tuple(map(element_of, seen.elements)), chars)


def keep_picture(folder: Path, picture: Image.Image) -> str:
    """Store a screenshot once; gives its name. Raises RecordingError."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:32]}.png"
    try:
        (folder / SCREENS).mkdir(parents=True, exist_ok=True)
        if not (folder / SCREENS / name).is_file():
            (folder / SCREENS / f"{name}.partial").write_bytes(buffer.getvalue())
            (folder / SCREENS / f"{name}.partial").replace(folder / SCREENS / name)
    except OSError as error:
        raise RecordingError(f"cannot write a screenshot to {str(folder)!r}: {error.strerror}") from error
    return name


def counts_of(units: Iterable[Unit]) -> dict[str, Any]:
    """What was asked, kept and dropped in all, for people and for JSON."""
    units = list(units)
    kept = Counter(f"{kind} by the {one.by}" for u in units for kind, one in _answers(u))
    pairs = sum(len(one.rejected) > 0 for u in units for _, one in _answers(u))
    dropped = sum((Counter(u.dropped) for u in units), Counter[str]())
    return {
        "units": len(units),
        "pages done": sum(u.done for u in units),
        "pages tried": sum(u.tried for u in units),
        "answers": sum(u.asked for u in units),
        "right": sum(u.right for u in units),
        "kept": dict(sorted(kept.items())),
        "with a rejected answer": pairs,
        "dropped": dict(dropped.most_common()),
    }


def _answers(unit: Unit) -> Iterator[tuple[str, PlanAnswer | PointAnswer]]:
    yield from (("plans", plan) for plan in unit.plans)
    yield from (("points", point) for point in unit.points)

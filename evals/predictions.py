"""Predictions that were made elsewhere: a JSONL file, one step a line.

    {"id": "240_0", "action": {"kind": "click", "point": [540, 1200]}}
    {"id": "240_1", "action": {"kind": "type", "text": "hello"}, "size": [1000, 1000]}
    {"id": "240_2", "action": null}

docs/evaluation.md has the whole schema. What cannot be used is left out and named with its line; nothing is repaired.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from action_space.errors import ConfigError
from evals.benchmarks.reading import Broken, problem
from evals.protocols.values import POINTING, Act, Direction, Kind, Place, Step

FARTHEST = 1e9
"""No coordinate is larger; arithmetic on what passes cannot overflow."""

LONGEST_TEXT = 100_000

Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
Side = Annotated[float, Field(gt=0, le=FARTHEST, allow_inf_nan=False)]

ALLOWED: dict[Kind, tuple[frozenset[str], frozenset[str]]] = {
    "click": (frozenset({"place"}), frozenset({"button", "count", "keys", "text"})),
    "long_press": (frozenset({"place"}), frozenset()),
    "move": (frozenset({"place"}), frozenset()),
    "drag": (frozenset({"place", "end"}), frozenset()),
    "scroll": (frozenset({"direction"}), frozenset({"place"})),
    "type": (frozenset({"text"}), frozenset({"place"})),
    "select": (frozenset({"text"}), frozenset({"place"})),
    "press": (frozenset({"keys"}), frozenset({"place"})),
    "hotkey": (frozenset({"keys"}), frozenset()),
    "open": (frozenset({"text"}), frozenset({"place"})),
    "wait": (frozenset(), frozenset()),
    "finish": (frozenset(), frozenset({"status", "text"})),
    "refuse": (frozenset(), frozenset()),
}
"""Kind -> the fields it must have, and those it may have. `place` is point or box."""

UNKNOWN_ID = "is none of the benchmark's"

PHONE_KEYS = {"device_home": "home", "recents": "recent"}
"""Our names of a phone's buttons -> those of the benchmarks."""


class _Strict(BaseModel):
    # JSON has arrays only, which strict mode takes for tuples; "12" is no number and true is no 1.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ActLine(_Strict):
    """An action as a line spells it."""

    kind: Kind
    point: tuple[Coordinate, Coordinate] | None = None
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    end: tuple[Coordinate, Coordinate] | None = None
    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    direction: Direction | None = None
    keys: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] | None = Field(
        default=None, min_length=1, max_length=10
    )
    button: Literal["left", "right", "middle"] | None = None
    count: Annotated[int, Field(ge=1, le=3)] | None = None
    status: Literal["success", "failure"] | None = None

    @model_validator(mode="after")
    def _fields_fit(self) -> "ActLine":
        given = {name for name in type(self).model_fields if name != "kind" and getattr(self, name) is not None}
        if {"point", "box"} <= given:
            raise ValueError(f"{self.kind} has a point and a box: give one of them")
        given = {"place" if name in {"point", "box"} else name for name in given}
        must, may = ALLOWED[self.kind]
        if missing := must - given:
            raise ValueError(f"{self.kind} needs {_field_names(missing)}")
        if extra := given - must - may:
            raise ValueError(f"{self.kind} takes no {_field_names(extra)}")
        return self

    def to_act(self) -> Act:
        """A box counts by its centre."""
        point = self.point
        if self.box is not None:
            left, top, right, bottom = self.box
            point = (left + right) / 2, (top + bottom) / 2
        keys = tuple(PHONE_KEYS.get(key.lower(), key.lower()) for key in self.keys or ())
        return Act(
            self.kind,
            point,
            self.end,
            self.text or "",
            self.direction,
            keys,
            self.button or "left",
            self.count or 1,
            self.status or "success",
        )


def _field_names(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted("point or box" if name == "place" else name for name in names))


class Line(_Strict):
    """A line of the file. size: the extent of its coordinates, if it is not the step's own."""

    id: str = Field(min_length=1, max_length=1000)
    action: ActLine | None = None
    actions: Annotated[list[ActLine], Field(max_length=100)] | None = None
    size: tuple[Side, Side] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Line":
        if len(self.model_fields_set & {"action", "actions"}) != 1:
            raise ValueError("give action (null if the reply could not be read) or actions, one of them")
        return self

    def to_acts(self) -> tuple[Act, ...]:
        lines = [self.action] if self.action is not None else self.actions or []
        return tuple(line.to_act() for line in lines)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a file says. acts: step id -> its actions, in the step's units, empty if the reply could not be read.

    problems: lines that were left out. warnings: what looks wrong of the file as a whole.
    """

    acts: Mapping[str, tuple[Act, ...]]
    problems: Sequence[Broken]
    warnings: Sequence[str]

    def __call__(self, step: Step) -> tuple[Act, ...] | None:
        return self.acts.get(step.id)


def read_predictions(path: Path, steps: Sequence[Step]) -> Predictions:
    """Read a file of predictions for these steps. Raises ConfigError only if the file cannot be opened."""
    by_id = {step.id: step for step in steps}
    acts: dict[str, tuple[Act, ...]] = {}
    lines: dict[str, int] = {}
    problems: list[Broken] = []
    for number, raw in _lines(path):
        try:
            line = Line.model_validate_json(raw)
            if line.id not in by_id:
                raise ValueError(f"the id {line.id!r:.80} {UNKNOWN_ID}")
            if line.id in acts:
                raise ValueError(
                    f"the id {line.id!r:.80} was predicted on line {lines[line.id]} already: that one counts"
                )
            acts[line.id] = in_units(line, by_id[line.id])
            lines[line.id] = number
        except ValueError as error:
            problems.append(Broken(f"{path.name}:{number}", problem(error)))
    return Predictions(acts, problems, list(_warnings(acts, by_id, lines)))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                stripped = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
                if stripped:
                    yield number, stripped
    except OSError as error:
        raise ConfigError(f"cannot read the predictions {str(path)!r}: {error.strerror}") from error


def in_units(line: Line, step: Step) -> tuple[Act, ...]:
    """The line's actions, scaled from its `size` to the step's. Raises ValueError if the step has none."""
    acts = line.to_acts()
    if line.size is None:
        return acts
    if step.size is None:
        raise ValueError("size: the data does not say how large this step's screen is, so give its own coordinates")
    across, down = step.size[0] / line.size[0], step.size[1] / line.size[1]

    def scaled(place: Place | None) -> Place | None:
        return None if place is None else (place[0] * across, place[1] * down)

    return tuple(replace(act, point=scaled(act.point), end=scaled(act.end)) for act in acts)


# ------------------------------------------------------------------------------------------------- wrong scale


ENOUGH = 5
"""Fewer points say nothing about their scale."""

STRAYS = 0.05
"""More points than this share do not lie outside of their screens by mistake."""


def _warnings(
    acts: Mapping[str, tuple[Act, ...]], steps: Mapping[str, Step], lines: Mapping[str, int]
) -> Iterator[str]:
    placed = [
        (lines[name], steps[name].size or (0.0, 0.0), act.point)
        for name, each in acts.items()
        for act in each
        if act.point is not None and (act.kind in POINTING or act.kind in {"type", "select"})
    ]
    outside = [line for line, size, point in placed if size[0] and not _is_on(point, size)]
    if outside:
        yield (
            f"{len(outside)} of {len(placed)} points lie outside their screens, the first on line {outside[0]}: "
            "they are scored as they are"
        )
    if scale := likely_scale([(size, point) for _, size, point in placed]):
        yield scale


def _is_on(place: Place, size: tuple[float, float]) -> bool:
    return 0 <= place[0] <= size[0] and 0 <= place[1] <= size[1]


def likely_scale(placed: Sequence[tuple[tuple[float, float], Place]]) -> str:
    """What the spread of points looks like, if it is not that of their screens; "" if nothing is wrong.

    placed: (size of the screen, 0 if unknown; point).
    """
    if len(placed) < ENOUGH:
        return ""
    largest = max(max(point) for _, point in placed)
    side = median(max(size) for size, _ in placed)
    advice = 'if so, add "size": [{0}, {0}] to every line'
    if largest <= 1 and side != 1:
        return f"no coordinate is above 1: they look like 0 to 1, not like {_name(side)}; {advice.format(1)}"
    # On a screen of 2000 pixels points that spread over it do not all end before half of it; on a smaller one some of
    # those that go up to 1000 lie outside.
    outside = sum(bool(size[0]) and not _is_on(point, size) for size, point in placed)
    if 1 < largest <= 1000 and (side >= 1300 or (side > 1 and outside > len(placed) * STRAYS)):
        return f"no coordinate is above 1000: they look like 0 to 1000, not like {_name(side)}; {advice.format(1000)}"
    if side == 1 and largest > 1.5:
        return 'coordinates go above 1, but this benchmark\'s are 0 to 1: add "size": [WIDTH, HEIGHT] to every line'
    return ""


def _name(side: float) -> str:
    return f"pixels of a screen whose longer side is {side:g}" if side else "pixels"

"""How two models, or two settings, differ on the same recorded steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from action_space.errors import ConfigError
from agent.trajectory import first_problem
from evals.intervals import bootstrap
from evals.standing import METRICS, Standing


@dataclass(frozen=True, slots=True)
class Side:
    """What a difference is made of; from a standing, or from the JSON of an earlier replay."""

    label: str
    metrics: Mapping[str, float | None]
    verdicts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """other minus one. low, high: 95 % interval of the difference in step_success, of the steps that both have."""

    one: Side
    other: Side
    low: float
    high: float
    both: int
    only_one: Sequence[str]
    only_other: Sequence[str]
    neither: int

    @property
    def changes(self) -> dict[str, float | None]:
        pairs = {name: (self.one.metrics.get(name), self.other.metrics.get(name)) for name in METRICS}
        return {name: None if a is None or b is None else b - a for name, (a, b) in pairs.items()}

    def as_json(self) -> dict[str, object]:
        return {
            "one": self.one.label,
            "other": self.other.label,
            "changes": self.changes,
            "step_success_low": self.low,
            "step_success_high": self.high,
            "right_in_both": self.both,
            "right_in_one_only": list(self.only_one),
            "right_in_other_only": list(self.only_other),
            "right_in_neither": self.neither,
        }


def side_of(standing: Standing) -> Side:
    return Side(standing.label, standing.metrics, {name: each.value for name, each in standing.verdicts.items()})


def differ(one: Side, other: Side) -> Difference:
    """Compare step by step. Raises ConfigError if they have no step in common."""
    common = [name for name in one.verdicts if name in other.verdicts]
    if not common:
        raise ConfigError(f"{one.label!r} and {other.label!r} have no step in common: replay the same runs")
    episodes: dict[str, list[float]] = {}
    for name in common:
        episodes.setdefault(name.rpartition("#")[0], []).append(other.verdicts[name] - one.verdicts[name])
    totals = np.array([sum(steps) for steps in episodes.values()])
    low, high = bootstrap([(totals, np.array([float(len(steps)) for steps in episodes.values()]))])
    right = {side.label: {name for name in common if side.verdicts[name] == 1} for side in (one, other)}
    mine, theirs = right[one.label], right[other.label]
    return Difference(
        one,
        other,
        low,
        high,
        len(mine & theirs),
        [name for name in common if name in mine - theirs],
        [name for name in common if name in theirs - mine],
        len(common) - len(mine | theirs),
    )


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _EarlierStep(_Part):
    id: str
    value: FiniteFloat = Field(ge=0, le=1)


class _EarlierModel(_Part):
    model: str
    metrics: dict[str, FiniteFloat | None]
    steps: list[_EarlierStep]


class _Earlier(_Part):
    models: list[_EarlierModel] = Field(min_length=1)


def read_side(path: Path) -> Side:
    """The first model of an earlier replay's JSON. Raises ConfigError."""
    try:
        earlier = _Earlier.model_validate_json(path.read_bytes()).models[0]
    except OSError as error:
        raise ConfigError(f"cannot read --against {str(path)!r}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{str(path)!r} is not the JSON of a replay: {first_problem(error)}") from error
    verdicts = {step.id: step.value for step in earlier.steps}
    return Side(f"{earlier.model} ({path.name})", earlier.metrics, verdicts)

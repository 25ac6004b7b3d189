"""What a number of a replay has to reach, so that a script can tell a good model from a bad one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from action_space.errors import ConfigError
from evals.protocols.values import Rule
from evals.standing import METRICS, Standing


@dataclass(frozen=True, slots=True)
class Bar:
    """What a number has to reach."""

    name: str
    least: float


def read_bars(texts: Iterable[str], rules: Sequence[Rule]) -> list[Bar]:
    """From NAME=VALUE. Raises ConfigError naming what would be valid."""
    names = [*METRICS, *(rule.name for rule in rules)]
    bars = []
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            least = float(value)
        except ValueError:
            least = -1.0
        if not equals or name not in names or not 0 <= least <= 1:
            raise ConfigError(f"--bar {text!r} is not NAME=VALUE with a value from 0 to 1: NAME is {', '.join(names)}")
        bars.append(Bar(name, least))
    return bars


def reached(bar: Bar, standing: Standing) -> float | None:
    """What the model got for a bar; None if no step has it."""
    values = {each.rule.name: each.model.value for each in standing.comparisons} | standing.metrics
    return values[bar.name]


def is_met(bar: Bar, standing: Standing) -> bool:
    """A number that no step has meets no bar, and neither does a replay that was cut short."""
    value = reached(bar, standing)
    return standing.complete and value is not None and value >= bar.least

"""A benchmark, a file of predictions and every rule that applies: what comes out, and what was left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from action_space.errors import ConfigError
from evals.benchmarks import load_source
from evals.benchmarks.reading import Broken, Source, read
from evals.predictions import UNKNOWN_ID, Predictions, read_predictions
from evals.protocols import rules_of
from evals.protocols.values import Step
from evals.scoring import Comparison, Result, compare


@dataclass(frozen=True, slots=True)
class Outcome:
    """broken: rows of the data that could not be read. problems: predictions that were left out.

    data: the steps themselves; predict: what was done there.
    """

    benchmark: str
    file: str
    steps: int
    comparisons: Sequence[Comparison]
    broken: Sequence[Broken]
    problems: Sequence[Broken]
    warnings: Sequence[str]
    data: Sequence[Step]
    predict: Predictions

    def as_json(self) -> dict[str, object]:
        return {
            "benchmark": self.benchmark,
            "predictions": self.file,
            "steps": self.steps,
            "protocols": {each.rule.name: comparison_as_json(each) for each in self.comparisons},
            "broken_rows": [asdict(each) for each in self.broken],
            "problems": [asdict(each) for each in self.problems],
            "warnings": list(self.warnings),
        }


def comparison_as_json(comparison: Comparison) -> Mapping[str, object]:
    baselines = {name: _result_as_json(each) for name, each in comparison.baselines.items()}
    return {"version": comparison.rule.version, **_result_as_json(comparison.model), "baselines": baselines}


def _result_as_json(result: Result) -> dict[str, object]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in asdict(result).items()}


def score_predictions(benchmark: str, data: Path, predictions: Path, protocols: tuple[str, ...] = ()) -> Outcome:
    """Raises ConfigError: unknown names, no data, no file."""
    rules, source = rules_of(benchmark, protocols), load_source(benchmark)
    steps, broken = read_steps(source, data)
    found = read_predictions(predictions, steps)
    warnings = [*found.warnings, *_hints(source, found)]
    comparisons = compare(rules, steps, found)
    return Outcome(benchmark, predictions.name, len(steps), comparisons, broken, found.problems, warnings, steps, found)


def read_steps(source: Source, data: Path) -> tuple[list[Step], list[Broken]]:
    """All steps of a benchmark, and what could not be read. Raises ConfigError if there is none."""
    steps: list[Step] = []
    broken: list[Broken] = []
    for each in read(source, data):
        if isinstance(each, Step):
            steps.append(each)
        else:
            broken.append(each)
    if not steps:
        why = f": {broken[0].where}: {broken[0].why}" if broken else ""
        raise ConfigError(f"{str(data)!r} has no step of {source.name} that can be read{why}")
    return steps, broken


def _hints(source: Source, found: Predictions) -> Iterator[str]:
    """What would be right, where much looks wrong."""
    if any(UNKNOWN_ID in each.why for each in found.problems):
        yield f"ids of {source.name} are {source.ids}"
    if found.warnings:
        yield f"coordinates of {source.name} are {source.units}"

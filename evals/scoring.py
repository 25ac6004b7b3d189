"""Score what was done at the steps of a benchmark under a rule: the average, its interval, what was left out and
why."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evals.baselines import Predictor, baselines
from evals.intervals import Floats, bootstrap
from evals.protocols.values import Rule, Score, Step

NO_PREDICTION = "no prediction"
NOT_IN_THE_DATA = "not in the data"


@dataclass(frozen=True, slots=True)
class Result:
    """One predictor under one rule. value, low, high: the rule's average and its 95 % interval, None without any step.

    skipped: reason -> steps that do not count. parts: the rule's further numbers, averaged alike. groups: breakdown ->
    (plain mean of its steps, steps).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, tuple[float, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule with the model's result and the baselines' beside it."""

    rule: Rule
    model: Result
    baselines: Mapping[str, Result]


def compare(rules: Sequence[Rule], steps: Sequence[Step], predict: Predictor) -> list[Comparison]:
    """Every rule on the same steps, the model first."""
    blind = baselines(steps)
    return [
        Comparison(
            rule, evaluate(rule, steps, predict), {name: evaluate(rule, steps, each) for name, each in blind.items()}
        )
        for rule in rules
    ]


def evaluate(rule: Rule, steps: Sequence[Step], predict: Predictor) -> Result:
    """The rule's average over steps, and what was left out."""
    skipped: Counter[str] = Counter()
    scored: list[tuple[Step, Score]] = []
    for step in steps:
        if reason := rule.skips(step):
            skipped[reason] += 1
        elif (acts := predict(step)) is not None:
            scored.append((step, rule.score(step, acts)))
        elif rule.padded:
            scored.append((step, Score(0, NO_PREDICTION)))
        else:
            skipped[NO_PREDICTION] += 1
    if not scored:
        return Result(None, None, None, 0, dict(skipped))
    if rule.padded:
        scored += _padding(scored)
    table = _Table(rule, [step for step, _ in scored])
    strata = table.strata([score.value for _, score in scored], [score.weight for _, score in scored])
    low, high = bootstrap(strata)
    return Result(
        value=_mean(strata),
        low=low,
        high=high,
        n=len(scored),
        skipped=dict(skipped),
        parts=_parts(rule, scored) | (_episodes(scored) if rule.episodes else {}) | _macro(rule, scored),
        groups=_groups(rule, scored),
    )


def _padding(scored: Sequence[tuple[Step, Score]]) -> list[tuple[Step, Score]]:
    """Misses for the steps that an episode has but the data does not."""
    counted = Counter(step.episode for step, _ in scored if step.episode)
    samples = {step.episode: step for step, _ in scored if step.episode}
    return [
        (samples[episode], Score(0, NOT_IN_THE_DATA))
        for episode, count in counted.items()
        for _ in range(samples[episode].steps - count)
    ]


class _Table:
    """Which stratum and which episode each of some steps belongs to. A step without an episode is one of its own."""

    def __init__(self, rule: Rule, steps: Sequence[Step]) -> None:
        self._per_episode = rule.per_episode
        self._rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row, step in enumerate(steps):
            self._rows[rule.strata(step)][step.episode or f"step {step.id}"].append(row)

    def strata(self, values: Sequence[float], weights: Sequence[float]) -> list[tuple[Floats, Floats]]:
        """Totals and weights of every stratum's episodes."""
        value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        found = []
        for episodes in self._rows.values():
            totals = np.array([value[rows] @ weight[rows] for rows in episodes.values()])
            sizes = np.array([weight[rows].sum() for rows in episodes.values()])
            found.append((totals / sizes, np.ones_like(sizes)) if self._per_episode else (totals, sizes))
        return found


def _mean(strata: Sequence[tuple[Floats, Floats]]) -> float:
    return float(np.mean([totals.sum() / weights.sum() for totals, weights in strata]))


def _parts(rule: Rule, scored: Sequence[tuple[Step, Score]]) -> dict[str, float]:
    """Each further number over the steps that have it; a step filled in as a miss has all of them, at 0."""
    names = sorted({name for _, score in scored for name in score.parts})
    found = {}
    for name in names:
        having = [(step, s) for step, s in scored if name in s.parts or (rule.padded and not s.parts)]
        table = _Table(rule, [step for step, _ in having])
        values = [score.parts.get(name, 0.0) for _, score in having]
        found[name] = _mean(table.strata(values, [score.weight for _, score in having]))
    return found


def _macro(rule: Rule, scored: Sequence[tuple[Step, Score]]) -> dict[str, float]:
    """The mean over episodes, where the rule takes the mean over steps."""
    if rule.per_episode or not any(step.episode for step, _ in scored):
        return {}
    by_episode = _by_episode(scored)
    return {"macro": sum(sum(s.value for _, s in e) / len(e) for e in by_episode) / len(by_episode)}


def _episodes(scored: Sequence[tuple[Step, Score]]) -> dict[str, float]:
    """success_rate: episodes without a miss. goal_progress: how far they got before the first one."""
    progress = []
    for episode in _by_episode(scored):
        values = [score.value for _, score in sorted(episode, key=lambda each: each[0].number)]
        first_miss = next((at for at, value in enumerate(values) if value < 1), len(values))
        progress.append(first_miss / len(values))
    done = sum(part == 1 for part in progress)
    return {"success_rate": done / len(progress), "goal_progress": sum(progress) / len(progress)}


def _by_episode(scored: Sequence[tuple[Step, Score]]) -> list[list[tuple[Step, Score]]]:
    found: dict[str, list[tuple[Step, Score]]] = defaultdict(list)
    for step, score in scored:
        found[step.episode or f"step {step.id}"].append((step, score))
    return list(found.values())


def _groups(rule: Rule, scored: Sequence[tuple[Step, Score]]) -> dict[str, tuple[float, int]]:
    """By every name that steps bear, by these and their type, and by the rule's own strata."""
    values: dict[str, list[float]] = defaultdict(list)
    for step, score in scored:
        names = [f"{key}: {name}" for key, name in step.groups.items()]
        if kind := step.groups.get("type"):
            names += [f"{name}, {kind}" for name in names if not name.startswith("type: ")]
        if stratum := rule.strata(step):
            names.append(stratum)
        for name in names:
            values[name].append(score.value)
    return {name: (sum(each) / len(each), len(each)) for name, each in sorted(values.items())}

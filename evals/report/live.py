"""What a report shows of MiniWoB++."""

from collections.abc import Sequence
from pathlib import Path

from action_space.errors import ConfigError
from agent.describe import describe
from agent.trajectory import REPORT, Trajectory, read_trajectory
from evals.acts import acts_of
from evals.benchmarks.reading import Broken
from evals.online.miniwob import report as rates
from evals.online.miniwob.attempts import Attempt, Plan
from evals.protocols.values import Score, Step
from evals.report.build import Contender, Episode, Sheet
from evals.report.cases import Case, Did
from evals.report.sheets import link_to


def miniwob_sheet(plan: Plan, attempts: Sequence[Attempt], path: Path) -> Sheet:
    """path: where the report will lie, which links start from."""
    played = [attempt for attempt in attempts if not attempt.error]
    groups = {_headline(name, row.low, row.high): row.rate for name, row in rates.groups(attempts).items()}
    tasks = [(name, row.rate, row.n) for name, row in rates.tasks(attempts).items() if row.rate is not None]
    facts = {"Benchmark": "MiniWoB++", "Protocol": "raw reward 1, pixels only", "Episodes": f"{len(played)}"}
    facts |= {"Seeds": f"{plan.seed} to {plan.seed + plan.episodes - 1}", "Steps at most": str(plan.max_steps)}
    failed = [Broken(f"{each.task} {each.seed}", each.error) for each in attempts if each.error]
    return Sheet(
        f"MiniWoB++: {plan.model}",
        facts,
        [Contender(plan.model, numbers=groups, rates={"task": tasks})],
        [_last_look(attempt, plan.model, path) for attempt in played],
        [_episode(attempt, path) for attempt in played],
        left_out={"episodes that could not be played": failed} if failed else {},
        unit="episodes",
    )


def _headline(name: str, low: float, high: float) -> str:
    """A number's name with its 95 % interval."""
    return f"{name} ({low:.1%} to {high:.1%})"


def _episode(attempt: Attempt, path: Path) -> Episode:
    name = f"{attempt.task} {attempt.seed}"
    return Episode(name, attempt.utterance, link_to(Path(attempt.run) / REPORT, path), [int(attempt.solved)], 1)


def _last_look(attempt: Attempt, model: str, path: Path) -> Case:
    """What was seen and done last in an episode."""
    why = attempt.why or ("solved" if attempt.solved else f"ended with {attempt.stopped}")
    name = f"{attempt.task} {attempt.seed}"
    run = _run(attempt)
    if run is None or not run.steps:
        return Case(Step(name, (), instruction=attempt.utterance), None, [Did(model, (), Score(attempt.solved, why))])
    last = run.steps[-1]
    size = float(last.frame.screen.width), float(last.frame.screen.height)
    words = f"step {last.number}: {describe(last.action) if last.action is not None else 'no action'}"
    did = Did(model, acts_of(last.action), Score(attempt.solved, why), words)
    step = Step(name, (), size, attempt.utterance, row=name)
    return Case(step, run.image_path(last.image), [did], link_to(run.folder / REPORT, path))


def _run(attempt: Attempt) -> Trajectory | None:
    try:
        return read_trajectory(attempt.run)
    except ConfigError:
        return None  # it was deleted; the result is still one

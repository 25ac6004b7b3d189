"""What came out of a measurement, as numbers and as tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.markup import escape
from rich.table import Table

from evals.intervals import wilson
from evals.online.miniwob.attempts import Attempt, Plan
from evals.online.miniwob.tasks import FIRST_EVALUATION_SEED


@dataclass(frozen=True, slots=True)
class Rate:
    """Solved episodes of n that could be played; low to high is the 95 % interval (Wilson). errors: not in n.

    rewarded: episodes with a reward above 0, which some tasks give for being close; Pix2Act counts these as solved.
    score: its mean of these rewards r as (r + 1) / 2, 0 for all others (google-deepmind/pix2act, eval/run_eval.py).
    """

    solved: int
    n: int
    errors: int
    rate: float | None
    low: float
    high: float
    rewarded: int
    score: float | None


def rate(attempts: Sequence[Attempt]) -> Rate:
    """The rate is None where nothing could be played."""
    played = [attempt for attempt in attempts if not attempt.error]
    solved, errors = sum(attempt.solved for attempt in played), len(attempts) - len(played)
    if not played:
        return Rate(0, 0, errors, None, 0.0, 1.0, 0, None)
    low, high = wilson(solved, len(played))
    rewards = [attempt.reward for attempt in played if attempt.reward > 0]
    score = sum((reward + 1) / 2 for reward in rewards) / len(played)
    return Rate(solved, len(played), errors, solved / len(played), low, high, len(rewards), score)


def groups(attempts: Sequence[Attempt]) -> dict[str, Rate]:
    """All episodes, and those of the training and of the held-out tasks; only what was played."""
    split = {name: [a for a in attempts if a.split == name] for name in ("train", "heldout")}
    return {name: rate(some) for name, some in {"all": attempts, **split}.items() if some}


def tasks(attempts: Sequence[Attempt]) -> dict[str, Rate]:
    names = sorted({attempt.task for attempt in attempts})
    return {name: rate([attempt for attempt in attempts if attempt.task == name]) for name in names}


def summary(plan: Plan, attempts: Sequence[Attempt]) -> dict[str, object]:
    """Everything, for a file."""
    return {
        "benchmark": "miniwob",
        "protocol": "raw-reward-1, pixels only",
        "plan": plan.model_dump(mode="json"),
        "groups": {name: asdict(row) for name, row in groups(attempts).items()},
        "tasks": {name: asdict(row) for name, row in tasks(attempts).items()},
        "attempts": [attempt.model_dump(mode="json") for attempt in attempts],
    }


def table(plan: Plan, attempts: Sequence[Attempt]) -> Table:
    held_out = {attempt.task for attempt in attempts if attempt.split == "heldout"}
    kind = "evaluation" if plan.seed >= FIRST_EVALUATION_SEED else "TRAINING"
    title = f"MiniWoB++, {plan.model}, {kind} seeds {plan.seed} to {plan.seed + plan.episodes - 1}, raw reward 1"
    shown = Table("", "solved", "rate", "95 % interval", "reward > 0", "score", "errors", title=escape(title))
    shown.columns[0].no_wrap = True
    for name, row in tasks(attempts).items():
        shown.add_row(name + (" (held out)" if name in held_out else ""), *_cells(row))
    shown.add_section()
    names = {"all": "all", "train": "training tasks", "heldout": "held-out tasks"}
    for name, row in groups(attempts).items():
        shown.add_row(names[name], *_cells(row))
    return shown


def _cells(row: Rate) -> tuple[str, ...]:
    if row.rate is None or row.score is None:
        return ("0 of 0", "", "", "", "", str(row.errors))
    interval = f"{row.low:.1%} to {row.high:.1%}"
    return (
        str(row.solved),
        str(row.n),
        f"{row.rate:.1%}",
        interval,
        str(row.rewarded),
        f"{row.score:.1%}",
        str(row.errors or ""),
    )

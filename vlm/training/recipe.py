"""The whole recipe of the bundled model, in the order of the technical report: vision, language with it, export."""

from dataclasses import dataclass
from pathlib import Path

from vlm.training.export import export
from vlm.training.multimodal import Trainer
from vlm.training.pretrain import pretrain
from vlm.training.run import FULL, Amounts
from vlm.training.stages import BUNDLED, resume, start, teach
from vlm.training.workers import run_workers


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long each stage trains."""

    vision: float
    teach: float


def make(
    screens: Path,
    specimens: Path,
    out: Path,
    minutes: Minutes,
    *,
    seed: int,
    amounts: Amounts = FULL,
    workers: int = 1,
    begin: Path | None = None,
    export_to: Path | None = None,
) -> None:
    """Train every stage that is not done yet; checkpoints and logs (`*.log.jsonl`) go to `out`.

    workers: processes that train together, a thread each. begin: a checkpoint of the bundled model's shape that is
    taught on, in place of one made from nothing. Raises ModelError for one that is not.
    """
    arguments = screens, specimens, out, minutes, seed, amounts, begin
    run_workers(workers, _train, *arguments)
    if export_to:
        export(_train(*arguments).model, export_to)


def _train(
    screens: Path, specimens: Path, out: Path, minutes: Minutes, seed: int, amounts: Amounts, begin: Path | None
) -> Trainer:
    """All stages in order; those that are done are only loaded."""
    if begin:
        return teach(resume(begin), screens, out, minutes=minutes.teach, seed=seed + 1, amounts=amounts, placing=0)
    seeing = pretrain(BUNDLED.vision, screens, specimens, out, minutes=minutes.vision, seed=seed, amounts=amounts)
    model = start(seeing, screens, seed=seed + 1, amounts=amounts)
    return teach(model, screens, out, minutes=minutes.teach, seed=seed + 1, amounts=amounts)

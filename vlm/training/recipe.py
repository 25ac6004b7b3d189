"""The whole recipe of the bundled model, in the order of the technical report: vision, language with it, export."""

from dataclasses import dataclass
from pathlib import Path

from vlm.training.export import export
from vlm.training.multimodal import Trainer
from vlm.training.pretrain import pretrain
from vlm.training.run import FULL, Amounts
from vlm.training.stages import BUNDLED, start, teach
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
    export_to: Path | None = None,
) -> None:
    """Train every stage that is not done yet; checkpoints and logs (`*.log.jsonl`) go to `out`.

    workers: processes that train together, a thread each.
    """
    run_workers(workers, _train, screens, specimens, out, minutes, seed, amounts)
    if export_to:
        export(_train(screens, specimens, out, minutes, seed, amounts).model, export_to)


def _train(screens: Path, specimens: Path, out: Path, minutes: Minutes, seed: int, amounts: Amounts) -> Trainer:
    """All stages in order; those that are done are only loaded."""
    seeing = pretrain(BUNDLED.vision, screens, specimens, out, minutes=minutes.vision, seed=seed, amounts=amounts)
    model = start(seeing, screens, seed=seed + 1, amounts=amounts)
    return teach(model, screens, out, minutes=minutes.teach, seed=seed + 1, amounts=amounts)

"""The whole recipe of the bundled model, in the order of the technical report: vision, alignment, pointing, export."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vlm.training.export import export
from vlm.training.pretrain import pretrain
from vlm.training.run import FULL, Amounts
from vlm.training.stages import BUNDLED, align, build, point


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long each stage trains."""

    vision: float
    align: float
    point: float


def make(
    screens: Path,
    specimens: Path,
    out: Path,
    minutes: Minutes,
    *,
    seed: int,
    amounts: Amounts = FULL,
    export_to: Path | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> None:
    """Train every stage that is not done yet; checkpoints and logs (`*.log.jsonl`) go to `out`."""
    tell(f"stage 1: the vision tower, {minutes.vision:g} minutes")
    tower = pretrain(BUNDLED.vision, screens, specimens, out, minutes=minutes.vision, seed=seed, amounts=amounts)
    tell(f"stage 2: alignment, {minutes.align:g} minutes")
    trainer = align(build(tower, seed), screens, out, minutes=minutes.align, seed=seed + 1, amounts=amounts)
    tell(f"stage 3: pointing and planning, {minutes.point:g} minutes")
    trainer = point(trainer, screens, out, minutes=minutes.point, seed=seed + 2, amounts=amounts)
    if export_to:
        export(trainer.model, export_to)
        tell(f"exported to {export_to}")

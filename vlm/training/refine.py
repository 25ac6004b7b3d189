"""Supervised fine-tuning on answers that the truth confirmed, with a share of the usual examples, or what was learned
before is forgotten."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from action_space.errors import ConfigError
from vlm.training.answered import Questions
from vlm.training.data.words import Words
from vlm.training.examples import Example, planning_example
from vlm.training.live import FRESH, LiveTower, pointing_live
from vlm.training.multimodal import Trainer
from vlm.training.optim import MuonAdamW
from vlm.training.pool import WHOLE, Pool
from vlm.training.pretrain import Crops
from vlm.training.run import FULL, Amounts, Stage
from vlm.training.sampled import Sampled
from vlm.training.stages import PLANNING, Loss, cells_at, fill, gradients, pointing
from vlm.training.workers import rank

RATE = 0.003
"""What is known already stands a third of the rate at which it was learned."""
SEEING = 0.3
"""How fast the vision tower learns, beside the language model."""
ACTS = 4.0
"""How much what to type or where to drag weighs beside a click, whose gradients are larger: see `PLANNING`."""
TEXT_TOKENS = 2400
"""Of planning prompts in a step, for each 3,000 of points."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What a step is made of. usual: the share of its tokens that is of the usual examples: points on drawn screens,
    and plans of drawn tasks. missing: how often a control is asked for on a drawn screen that has none of that name.

    looking, looked: the share of a step's tokens of screens, and of their gradients, that is of screens that are looked
    at for what is due, if there are any: that is harder than to find a name, and every task is another thing to learn.
    larger: how much larger a step is then: the optimizer takes as long as some eight looks, however many there are.
    hold: the share of the minutes in which the learning rate stays at its highest.
    """

    usual: float
    missing: float
    looking: float
    looked: float
    larger: float
    hold: float


MIXES = {
    "acting": Mix(usual=0.5, missing=0.1, looking=0.8, looked=0.6, larger=2.0, hold=0.2),
    "pointing": Mix(usual=0.8, missing=0.02, looking=0.15, looked=0.25, larger=1.3, hold=0.3),
}
"""Mostly what to do next, or mostly where things are on drawn screens."""


def refine(
    trainer: Trainer,
    sampled: Sampled,
    screens: Path,
    folder: Path,
    *,
    minutes: float,
    seed: int,
    amounts: Amounts = FULL,
    rate: float = RATE,
    mix: Mix = MIXES["acting"],
    tower: bool = False,
) -> Trainer:
    """Train on what was sampled; every step takes equally many tokens of the language model.

    screens: those of the usual examples. rate: the highest learning rate, of matrices. tower: whether it learns too,
    from small screens and parts of larger ones.
    Resumes from `folder/refine.pt`. Raises ConfigError if there is nothing to train on.
    """
    torch.manual_seed(seed)
    seeing = trainer.model.visual.requires_grad_(tower)
    optimizer = MuonAdamW(
        trainer.named_parameters(),
        matrix_lr=rate,
        other_lr=rate / 6,
        pace=lambda name: SEEING if "visual" in name else 1.0,
    )
    stage = Stage("refine", folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer, hold=mix.hold)
    if stage.done:
        seeing.requires_grad_(False)
        return trainer
    own = seed + stage.step + 7919 * rank()
    rng, live = random.Random(own), LiveTower(seeing) if tower else None
    questions = Questions(sampled, seeing, rng, live)
    if not (questions.plans or questions.points or questions.looks):
        raise ConfigError("nothing was kept that can be trained on: sample more answers")
    pool = Pool(screens, seeing, own)
    crops = Crops(screens, own, start=amounts.pool, grow=1) if live else None
    fill(pool, amounts.pool)
    words = Words(rng, held_out=False)
    looking, tokens = (mix.looking, mix.larger * amounts.visual) if questions.looks else (0.0, amounts.visual)
    visual = round((1 - looking) * tokens)
    text = TEXT_TOKENS * visual // FULL.visual
    for scale in stage.steps():
        if stage.step % amounts.every == 0:
            pool.grow()
            if live:
                del pool.screens[:-FRESH]
        cells = cells_at(rng, 1.0)
        points = questions.pointing(round((1 - mix.usual) * visual), WHOLE if rng.random() < 0.3 else cells)
        usual = round(mix.usual * visual / (2 if live else 1))
        points += pointing(pool, cells, usual, mix.missing)
        points += pointing_live(crops, live, usual) if live and crops else []
        looks = questions.looking(round(looking * tokens))
        plans = questions.planning(round((1 - mix.usual) * text))
        drawn = max(1, round(mix.usual * amounts.plans * visual / amounts.visual))
        plans += [planning_example(rng, words) for _ in range(drawn)]
        figures = _gradients_of(trainer, points, 1 - mix.looked if looks else 1.0, trainer.missing_loss)
        looked = _gradients_of(trainer, looks, mix.looked, trainer.planning_loss, ACTS)
        figures |= {f"look_{key}": value for key, value in looked.items()}
        if live:
            live.learn()
        figures |= gradients(trainer.planning_loss, plans, PLANNING)
        optimizer.step(scale)
        stage.collect(figures | {"left_out": float(questions.left_out.total())})
    seeing.requires_grad_(False)
    return trainer


def _gradients_of(
    trainer: Trainer, examples: Sequence[Example], weight: float, acting: Loss, more: float = 1.0
) -> dict[str, float]:
    """Gradients of what is asked on screens, `weight` in all. acting: the loss of what is answered by no click, of
    which each weighs so much more."""
    clicks = [example for example in examples if not example.lengths]
    acts = [example for example in examples if example.lengths]
    each = weight / max(1, len(examples))
    figures = gradients(trainer.grounding_loss, clicks, each * len(clicks))
    return figures | gradients(acting, acts, more * each * len(acts))

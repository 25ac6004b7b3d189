"""DPO (Rafailov et al., 2023): a right answer becomes likelier against one that the model gave and that is wrong, each
measured against the model as it was when the stage began."""

import copy
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.training.answered import Questions
from vlm.training.examples import Example, padded
from vlm.training.multimodal import Trainer
from vlm.training.optim import MuonAdamW
from vlm.training.run import Stage
from vlm.training.sampled import Judged, Sampled
from vlm.training.workers import rank, workers

BETA = 0.2
"""How dearly it pays to leave the model of the start."""
ANCHOR = 0.2
"""How much the right answer's own likelihood counts beside: the difference alone can grow while both of them fall."""
PAIRS = 6
"""In a step of each worker."""
ROOM = 3000
"""Tokens of both answers that are taken in at once: a whole screen is 1,200, and what its gradients need is large."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt."""

    right: Example
    wrong: Example

    @property
    def length(self) -> int:
        return padded(max(len(self.right.ids), len(self.wrong.ids)))


def prefer(trainer: Trainer, sampled: Sampled, folder: Path, *, minutes: float, seed: int) -> Trainer:
    """Train on every pair once, or on as many as the minutes allow.

    Resumes from `folder/prefer.pt`; the trainer has to be given as it was at the start.
    """
    torch.manual_seed(seed)
    start = copy.deepcopy(trainer).requires_grad_(False)
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=None, other_lr=2e-5)
    stage = Stage("prefer", folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer, hold=0.2)
    answers = [(one, wrong) for one in sampled.judged for wrong in one.rejected if wrong]
    random.Random(seed).shuffle(answers)
    questions = Questions(sampled, trainer.model.visual, random.Random(seed))
    for scale in stage.steps() if answers else ():
        first = (stage.step * workers() + rank()) * PAIRS
        chosen = [answers[number % len(answers)] for number in range(first, first + PAIRS)]
        figures = preferring(trainer, start, list(pairs(questions, chosen)))
        optimizer.step(scale)
        stage.collect(figures)
        if (stage.step + 1) * workers() * PAIRS >= len(answers):
            stage.end()
    return trainer


def pairs(questions: Questions, answers: Iterable[tuple[Judged, str]]) -> Iterator[Pair]:
    """A pair for each record and wrong answer; those that the model cannot be asked for are left out."""
    for one, said in answers:
        right, wrong = questions.answered(one, one.record.answer), questions.answered(one, said)
        if right is not None and wrong is not None:
            yield Pair(right, wrong)


def preferring(trainer: Trainer, start: Trainer, found: Sequence[Pair]) -> dict[str, float]:
    """Gradients of the mean loss over pairs, those of like length together, and the mean figures."""
    total: dict[str, float] = {}
    for part in _of_like_length(found):
        share = len(part) / len(found)
        loss, figures = preference_loss(trainer, start, part)
        torch.autograd.backward(loss * share)
        total = {key: total.get(key, 0.0) + share * value for key, value in figures.items()}
    return total


def _of_like_length(found: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Pairs of one padded length, no more of them than there is room for."""
    for length, same in groupby(sorted(found, key=lambda pair: pair.length), key=lambda pair: pair.length):
        part, most = list(same), max(1, ROOM // (2 * length))
        yield from (part[first : first + most] for first in range(0, len(part), most))


def preference_loss(trainer: Trainer, start: Trainer, found: Sequence[Pair]) -> tuple[Tensor, dict[str, float]]:
    """The loss of some pairs. margin: by how many nats the right answers gained on the wrong ones since the start."""
    examples = [*(pair.right for pair in found), *(pair.wrong for pair in found)]
    said = likelihoods(trainer, examples)
    with torch.no_grad():
        before = likelihoods(start, examples)
    gained, lost = (said - before).chunk(2)
    margin = gained - lost
    anchor = -said[: len(found)].mean()
    loss = -F.logsigmoid(BETA * margin).mean() + ANCHOR * anchor
    better = said[: len(found)] > said[len(found) :]
    figures = {"loss": loss.item(), "margin": margin.mean().item(), "preferred": better.float().mean().item()}
    return loss, figures


def likelihoods(trainer: Trainer, examples: Sequence[Example]) -> Tensor:
    """`[n]`: the logarithm of each answer's probability, in nats."""
    batch = trainer.collated(examples)
    answers = trainer.answers(batch, trainer.states(batch))
    each = answers.gather(1, batch.answer.unsqueeze(1))[:, 0]
    return torch.stack([part.sum() for part in torch.split(each, [len(example.asks) for example in examples])])

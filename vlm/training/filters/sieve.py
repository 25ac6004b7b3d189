"""Both stages and a score by the model over everything that was sampled, with counts of what was dropped and why."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image

from vlm.training.answered import Questions
from vlm.training.filters.domains import DOMAINS, Category, classify
from vlm.training.filters.rules import Case, first_reason
from vlm.training.multimodal import Trainer
from vlm.training.prefer import likelihoods
from vlm.training.sampled import Judged, Sampled
from vlm.training.tokenizer import X_TOKENS, Y_TOKENS

BLIND_POINT = math.log(len(X_TOKENS) * len(Y_TOKENS))
BLIND_LETTER = math.log(95)
"""Nats of a guess among all points of the grid, and among all printable characters."""
DOUBT = 2.0
"""How many times the nats of a blind guess an answer may have: what is merely hard has to stay."""
SCORE = "model: much less likely than a blind guess"
REPEAT = "repetition: the same record twice"

Score = Callable[[Judged], bool]
"""Whether the model finds an answer credible."""


@dataclass(slots=True)
class Report:
    """What went in and what stayed, by category; why the rest was dropped, by domain."""

    seen: Counter[Category] = field(default_factory=Counter)
    kept: Counter[Category] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        def counts(domain: str) -> dict[str, dict[str, int]]:
            pairs = {sub: Category(domain, sub) for sub in DOMAINS[domain]}
            return {s: {"seen": self.seen[c], "kept": self.kept[c]} for s, c in pairs.items() if self.seen[c]}

        return {
            "seen": self.seen.total(),
            "kept": self.kept.total(),
            "domains": {domain: found for domain in DOMAINS if (found := counts(domain))},
            "dropped": {f"{domain}: {why}": count for (domain, why), count in self.dropped.most_common()},
        }

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """A line for each category that was seen and each reason: what it is, how many came in, how many stayed."""
        for category, count in sorted(self.seen.items(), key=lambda item: (item[0].domain, item[0].sub)):
            yield f"{category.domain}: {category.sub}", str(count), str(self.kept[category])
        for (domain, why), count in self.dropped.most_common():
            yield f"dropped, {domain}: {why}", str(count), ""


def sieve(sampled: Sampled, score: Score | None = None) -> tuple[Sampled, Report]:
    """What may stay, and the counts. score: asked last, because it is what costs."""
    report, kept, known = Report(), [], set[str]()
    pictures = _Pictures(sampled)
    for one in sampled.judged:
        category = classify(one.record)
        report.seen[category] += 1
        same = one.record.model_dump_json(exclude={"id"})
        why = REPEAT if same in known else first_reason(Case(one.record, category.domain, pictures.of(one)))
        if not why and score and not score(one):
            why = SCORE
        known.add(same)
        if why:
            report.dropped[category.domain, why] += 1
        else:
            report.kept[category] += 1
            kept.append(one)
    return replace(sampled, judged=tuple(kept)), report


def credible(trainer: Trainer, questions: Questions) -> Score:
    """By likelihood: far worse than a guess with closed eyes, an answer is more likely wrong than merely hard.

    An answer that the model gave itself has been confirmed by that already.
    """

    @torch.no_grad()
    def score(one: Judged) -> bool:
        example = None if one.by == "model" else questions.answered(one, one.record.answer)
        if example is None:
            return True
        nats = -float(likelihoods(trainer, [example])[0])
        return nats <= DOUBT * (BLIND_POINT if one.record.images else BLIND_LETTER * len(example.answer))

    return score


class _Pictures:
    """The last picture of a record; the newest is kept, since records about one screen come together."""

    def __init__(self, sampled: Sampled) -> None:
        self._screens = sampled.screens
        self._newest: tuple[Path, Image.Image] | None = None

    def of(self, one: Judged) -> Image.Image | None:
        if not one.record.images or one.record.images[-1] not in self._screens:
            return None
        path = self._screens[one.record.images[-1]].image
        if self._newest is None or self._newest[0] != path:
            with Image.open(path) as image:
                self._newest = path, image.convert("RGB")
        return self._newest[1]

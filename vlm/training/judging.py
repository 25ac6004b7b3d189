"""From answers to what is kept of them: the truth confirms an answer or it is rejected, and why is counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vlm.training.sampled import By, PlanAnswer, PointAnswer

LONGEST_PLAN = 128
"""Characters; longer ones quote half of the task."""
MOST_KEPT = 3
"""Of the wrong answers to one question."""

Behind = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Answers:
    """Answers to one question. right, wrong: how often each was given."""

    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return self.right + sum(self.wrong.values())

    @property
    def by(self) -> By:
        return "model" if self.right else "truth"

    @property
    def share(self) -> float:
        return round(self.right / self.asked, 4)

    def rejected(self) -> tuple[str, ...]:
        return tuple(text for text, _ in self.wrong.most_common(MOST_KEPT))


def why_wrong(said: str, due: str, behind: Behind) -> str:
    """In a few words, why a plan is not the one that is due; "" if it is."""
    before = [plan for plan, _ in behind]
    checks = (
        (said == due, ""),
        (not said, "an empty plan"),
        (len(said) > LONGEST_PLAN, "a plan that is too long"),
        (said.count('"') % 2 == 1, "a plan that is cut off"),
        (said == "done", "ends too early"),
        (due == "done", "goes on after the end"),
        (said in before, "repeats an earlier step"),
        (said.partition(" ")[0] != due.partition(" ")[0], "another kind of step"),
        (_quoted(said) == _quoted(due), "another word for the control"),
    )
    return next((why for holds, why in checks if holds), "another name or text")


def _quoted(plan: str) -> str:
    return plan.partition('"')[2].rpartition('"')[0]


def plans_kept(task: str, asked: Mapping[Behind, tuple[str, Answers]]) -> tuple[PlanAnswer, ...]:
    """A record for every question about a task. asked: by what was done before, what is due and what was answered."""
    return tuple(
        PlanAnswer(
            task=task, behind=behind, answer=due, by=found.by, rejected=found.rejected(), share=found.share
        )
        for behind, (due, found) in asked.items()
    )


@dataclass(slots=True)
class PointAnswers:
    """Answers to one question about a screen: how many hit, and where the others were."""

    control: int
    right: int = 0
    missed: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0
    """Answers that hold no point."""

    def kept(self, screen: str, instruction: str) -> PointAnswer:
        return PointAnswer(
            screen=screen,
            instruction=instruction,
            control=self.control,
            by="model" if self.right else "truth",
            rejected=tuple(dict.fromkeys(self.missed))[:MOST_KEPT],
            share=round(self.right / (self.right + len(self.missed) + self.lost), 4),
        )

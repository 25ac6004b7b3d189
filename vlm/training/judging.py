"""From answers to what is kept of them: the truth confirms an answer or it is rejected, and why is counted."""

from collections import Counter
from dataclasses import dataclass, field

from vlm.training.data.records import Picture, Record, Truth
from vlm.training.data.render import Element
from vlm.training.sampled import Judged

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

    def judged(self, record: Record) -> Judged:
        """The record with what was answered to it."""
        return Judged(
            record=record,
            by="model" if self.right else "truth",
            rejected=tuple(text for text, _ in self.wrong.most_common(MOST_KEPT)),
            share=round(self.right / self.asked, 4),
        )


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


def plan_record(name: str, task: str, behind: Behind, due: str, source: str) -> Record:
    """A planning prompt, as the `compact` dialect writes it. behind: plans, and what the prompt says behind each."""
    lines = "".join(f"{number}. {plan}{note}\n" for number, (plan, note) in enumerate(behind, start=1))
    return Record(
        id=name,
        kind="agent",
        form="plan",
        images=(),
        prompt=(f"Task: {task}\n{lines}Next?",),
        answer=due,
        source=source,
        truth=Truth(texts=(due,)),
    )


def point_record(name: str, screen: str, words: str, element: Element, source: str) -> Record:
    """A control that is asked for on a stored screen."""
    boxes = (element.box, element.label) if element.label else (element.box,)
    middle = (element.label or element.box).center
    return Record(
        id=name,
        kind="grounding",
        form=element.kind,
        images=(screen,),
        prompt=(words, Picture(image=0)),
        answer=f"click({middle.x}, {middle.y})",
        source=source,
        truth=Truth(boxes=boxes, texts=(element.name,)),
    )

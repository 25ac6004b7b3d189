"""From runs on a practice page to training records: the page's state after every deed says which step was due.

A run is followed as long as it is on the way: its page is in one of the states that the deeds lead through. What the
model said there is right or wrong; what it says beyond is not judged at all, and counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from PIL import Image

from action_space.actions import Click
from action_space.dialects.retell import one_line
from agent.trajectory import Step, Trajectory
from evals.online.practice import Practice
from evals.online.practice_world import Shown
from vlm.training.data.render import Element, element_of
from vlm.training.judging import Answers, Behind, plan_record, point_record, why_wrong
from vlm.training.sampled import Judged, SeenScreen, Unit, keep_picture

MOST_ASIDE = 1
"""Steps of a run that were not needed, or did nothing; beyond that it goes in circles."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and what its page was like at each of its steps. end: what it was like afterwards."""

    trajectory: Trajectory
    looks: tuple[Shown, ...]
    end: str


@dataclass(slots=True)
class Harvest:
    """What was answered on a page, over all runs on it. points: by picture and instruction."""

    practice: Practice
    folder: Path
    plans: dict[Behind, tuple[str, Answers]] = field(default_factory=dict)
    points: dict[tuple[str, str], tuple[Element, Answers]] = field(default_factory=dict)
    screens: dict[str, Shown] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    done: int = 0

    def add(self, run: Run, picture_of: Callable[[Step], Image.Image]) -> None:
        """Judge a run step by step, up to where the truth is not known any more."""
        self.tried += 1
        self.done += run.trajectory.reason == "success" and run.end == self.practice.states[-1]
        behind: Behind = ()
        aside = 0
        for step, due in zip(run.trajectory.steps, due_plans(self.practice, run), strict=True):
            if due is None or step.error is not None or aside > MOST_ASIDE:
                self.dropped[_why_left(step, aside)] += 1
                return
            aside += not self._judge_plan(step.plan, due, behind) or step.changed_nothing
            if step.plan == due and isinstance(step.action, Click):
                self._judge_point(step, step.action, run.looks[step.number - 1], picture_of)
            note = one_line(step.note)
            behind = (*behind, (step.plan, f" ({note})" if note else ""))
        broken = run.trajectory.reason == "device"
        self.dropped["a run that the device broke off"] += broken
        self.dropped["a run off the way"] += not broken and run.end not in self.practice.states

    def _judge_plan(self, said: str, due: str, behind: Behind) -> bool:
        """Whether it was right."""
        answers = self.plans.setdefault(behind, (due, Answers()))[1]
        why = why_wrong(said, due, behind)
        if why:
            self.dropped[why] += 1
            answers.wrong[said] += 1
        else:
            answers.right += 1
        return not why

    def _judge_point(self, step: Step, click: Click, look: Shown, picture_of: Callable[[Step], Image.Image]) -> None:
        number = meant(look, step.plan)
        if number is None:
            self.dropped["a control that is not to be seen"] += 1
            return
        screen = keep_picture(self.folder, picture_of(step))
        self.screens[screen] = look
        element = element_of(look.elements[number])
        answers = self.points.setdefault((screen, step.plan), (element, Answers()))[1]
        if element.hit_by(click.point.x, click.point.y):
            answers.right += 1
            self.dropped["a click without effect"] += step.changed_nothing
        else:
            answers.wrong[f"click({click.point.x}, {click.point.y})"] += 1
            self.dropped["a point beside the control"] += 1

    def unit(self, name: str) -> Unit:
        """Everything that was judged on the page."""
        answers = [found for _, found in (*self.plans.values(), *self.points.values())]
        return Unit(
            name=name,
            asked=sum(found.asked for found in answers),
            right=sum(found.right for found in answers),
            tried=self.tried,
            done=self.done,
            judged=tuple(self._judged(name)),
            screens=tuple(
                SeenScreen(image=image, elements=look.elements, chars=look.chars)
                for image, look in self.screens.items()
            ),
            dropped={why: count for why, count in self.dropped.items() if count},
        )

    def _judged(self, name: str) -> Iterator[Judged]:
        for number, (behind, (due, found)) in enumerate(self.plans.items()):
            yield found.judged(plan_record(f"{name} plan {number}", self.practice.task, behind, due, "practice"))
        for number, ((screen, words), (element, found)) in enumerate(self.points.items()):
            yield found.judged(point_record(f"{name} point {number}", screen, words, element, "practice"))


def _why_left(step: Step, aside: int) -> str:
    if aside > MOST_ASIDE:
        return "a run that goes in circles"
    return "a run in a loop" if step.error is not None else "a run off the way"


def due_plans(practice: Practice, run: Run) -> Iterator[str | None]:
    """For each step the plan that was due, None where that is not known."""
    steps = run.trajectory.steps
    if steps:
        yield _due(practice, run.looks[0], None, None)
    for (before, _), (old, look) in zip(pairwise(steps), pairwise(run.looks), strict=True):
        yield _due(practice, look, before, old)


def _due(practice: Practice, look: Shown, before: Step | None, old: Shown | None) -> str | None:
    if look.state not in practice.states:
        return None
    number = practice.states.index(look.state)
    if number == len(practice.plans):
        return "done"
    first, *rest = practice.plans[number]
    if before is None or old is None or old.state != look.state or before.plan != first:
        return first
    if before.effect == "none":
        return None if _hits(old, before) else first
    # A click that went elsewhere leaves no trace in the prompt: what is to be done now cannot be told from it.
    return rest[0] if rest and _hits(old, before) else None


def _hits(look: Shown, step: Step) -> bool:
    number = meant(look, step.plan)
    if number is None or not isinstance(step.action, Click):
        return False
    return element_of(look.elements[number]).hit_by(step.action.point.x, step.action.point.y)


def meant(look: Shown, plan: str) -> int | None:
    """The number of the one control on the screen that a plan names, None if there is none or several."""
    name = plan.partition('"')[2].rpartition('"')[0].lower()
    elements: list[Element] = [element_of(row) for row in look.elements]
    found = [number for number, element in enumerate(elements) if element.name.lower() == name]
    return found[0] if len(found) == 1 and plan.startswith("click ") else None

"""Ask a model again at every step of recorded runs, on the recorded screenshots: no device takes part.

Teacher-forced, every step is asked with the recorded history, whatever the model said before. Semi-online, the model's
own words are its history, and a run ends at the first miss, for the recorded screen after that is not where the model's
action would have led.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from action_space.actions import Action
from action_space.dialects import load_dialect
from action_space.errors import DeviceError
from action_space.geometry import Size
from agent.models import SpokenModel
from agent.planner import Planner, Proposal
from agent.recorder import load_image
from agent.trajectory import Step, Trajectory
from environments.base import Observation
from evals.benchmarks.reading import Broken
from evals.recordings import Question, Recording

Mode = Literal["teacher-forced", "semi-online"]

Judge = Callable[[Question, Action | None], bool]
"""Whether an answer is right."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How a model is asked where it should not be as the run was. None: as it was."""

    dialect: str | None = None
    screenshots: int | None = None
    constrained: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model did at a step. action: in screenshot pixels, None if the reply held none; mistake: why.

    seconds: from the screenshot's file to the action; model_s: of these, the model's own.
    """

    id: str
    plan: str
    reply: str
    action: Action | None
    mistake: str
    tokens_in: int
    tokens_out: int
    seconds: float = field(default=0.0, compare=False)
    model_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class NotReached:
    """A step after the miss with which a semi-online run ended."""

    id: str


def ask_again(
    model: SpokenModel, run: Recording, mode: Mode, is_right: Judge, choices: Choices
) -> Iterator[Answer | NotReached | Broken]:
    """What comes of each question of a run, in order. A step whose screenshot cannot be shown is broken, and the run
    goes on.

    Raises ModelError.
    """
    planner = _planner(model, run.trajectory, choices)
    past = list(run.trajectory.steps)
    missed = False
    for question in run.questions:
        if missed:
            yield NotReached(question.scored.id)
            continue
        started = time.perf_counter()
        try:
            proposal = _propose(planner, run.trajectory, past[: question.at], question.step)
        except DeviceError as error:
            yield Broken(question.scored.row, str(error))
            continue
        yield _answer(question, proposal, time.perf_counter() - started)
        if mode == "semi-online":
            missed = not is_right(question, proposal.action)
            past[question.at] = _in_own_words(question.step, proposal)


def _planner(model: SpokenModel, trajectory: Trajectory, choices: Choices) -> Planner:
    settings = trajectory.header.settings
    held = [choices.constrained, settings.constrained, model.constrained]
    return Planner(
        model,
        load_dialect(choices.dialect or model.dialect),
        choices.screenshots or settings.screenshots,
        constrained=next(each for each in held if each is not None),
        looks=model.looks if settings.looks is None else settings.looks,
    )


def _propose(planner: Planner, trajectory: Trajectory, past: Sequence[Step], step: Step) -> Proposal:
    """Raises DeviceError for screenshots that cannot be shown, and ModelError."""
    screen = step.frame.screen

    def load(digest: str) -> Image.Image:
        return load_image(trajectory.image_path(digest))

    image = load(step.image)
    if image.size != (screen.width, screen.height):
        path = trajectory.image_path(step.image)
        raise DeviceError(f"the screenshot {path} is {Size(*image.size)}, and the step says {screen}")
    frame = step.frame.with_model(screen)
    seen = Observation(image, frame, step.context, details=step.details)
    return planner.propose(trajectory.header.task, past, seen, load)


def _answer(question: Question, proposal: Proposal, seconds: float) -> Answer:
    cost = proposal.cost
    mistake = str(proposal.mistake) if proposal.mistake is not None else ""
    return Answer(
        question.scored.id,
        proposal.plan,
        proposal.reply,
        proposal.action,
        mistake,
        cost.tokens_in,
        cost.tokens_out,
        seconds,
        cost.prefill_s + cost.decode_s,
    )


def _in_own_words(step: Step, proposal: Proposal) -> Step:
    """The recorded step as if the model had taken it."""
    own = {"plan": proposal.plan, "reply": proposal.reply, "action": proposal.action, "frame": proposal.frame}
    return step.model_copy(update=own)

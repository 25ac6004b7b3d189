"""From what was recorded and what is seen to the next action: build the prompt, ask, parse.

The prompt is a pure function of the trajectory and the newest observation, so a recorded run can be asked again.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from PIL import Image

from action_space.actions import Action, Click, Drag, points_of
from action_space.dialects.base import Dialect, PastStep, SaysNames, Turn
from action_space.errors import DeviceError, InvalidAction
from action_space.geometry import Frame, Point, smart_resize
from action_space.messages import Message
from agent.by_example import place_by_example
from agent.look import gives_up
from agent.looks import place
from agent.trajectory import Step
from environments.base import Observation
from vlm.backends.base import Model, Reply

LoadImage = Callable[[str], Image.Image]
_END_OF_PLAN = re.compile(r"\n|<\|im_end\|>|<\|endoftext\|>")


@dataclass(frozen=True, slots=True)
class Cost:
    """What asking the model has cost so far."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0

    def plus(self, reply: Reply) -> "Cost":
        return Cost(
            self.tokens_in + reply.tokens_in,
            self.tokens_out + reply.tokens_out,
            self.cached_tokens + reply.cached_tokens,
            self.forced_tokens + reply.forced_tokens,
            self.prefill_s + reply.prefill_s,
            self.decode_s + reply.decode_s,
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the model wants to do: an action or a mistake.

    reply: verbatim, "" if the plan said it all. Where a screen was moved to look again, its coordinates are those of
    the moved one, and the action's are the screen's.
    """

    frame: Frame
    plan: str = ""
    reply: str = ""
    action: Action | None = None
    mistake: InvalidAction | None = None
    cost: Cost = field(default_factory=Cost)

    def require_action(self) -> Action:
        """The action. Raises the InvalidAction that parsing ended with."""
        if self.action is None:
            raise self.mistake or InvalidAction("the reply holds no action")
        return self.action


@dataclass(frozen=True, slots=True)
class Planner:
    """One model, asked in its own dialect.

    screenshots: how many of the newest pictures a prompt holds. constrained: replies follow the dialect's grammar, if
    it has one, so that every one is a plan, or an action inside the screen. looks: see `agent.looks`.
    """

    model: Model
    dialect: Dialect
    screenshots: int = 1
    plan_tokens: int = 128
    action_tokens: int = 512
    constrained: bool = False
    looks: int = 0

    def propose(self, task: str, steps: Sequence[Step], seen: Observation, load_image: LoadImage) -> Proposal:
        """Ask for the next action. Raises ModelError, and DeviceError for a screen of impossible shape."""
        frame = model_frame(seen.frame, self.dialect)
        turn = build_turn(task, steps, seen, frame, load_image, self.screenshots)
        proposal = Proposal(frame)
        question = self.dialect.plan_prompt(turn)
        if question is not None:
            grammar = self.dialect.plan_grammar(turn) if self.constrained else None
            reply = self._ask(question, self.plan_tokens, constraint=grammar)
            plan = _END_OF_PLAN.split(reply.text.strip(), maxsplit=1)[0].strip()
            proposal = replace(proposal, plan=plan, cost=proposal.cost.plus(reply))
            if not plan:
                return replace(
                    proposal, reply=reply.text, mistake=InvalidAction("the plan is empty: say the next step")
                )
            said = self._try(proposal, lambda: self.dialect.plan_action(plan, frame))
            if said.action is not None or said.mistake is not None:
                return said
        attempt, pointer = missed(steps, proposal.plan), pointer_after(steps)
        turn = replace(turn, spent=(*turn.spent, *other_places(steps, proposal.plan, self.dialect)))
        if isinstance(self.dialect, SaysNames) and (ends := self.dialect.drag_ends(proposal.plan)):
            return self._drag(turn, proposal, ends, attempt)
        return self._place(turn, proposal, attempt, pointer)

    def _drag(self, turn: Turn, proposal: Proposal, ends: tuple[str, str], attempt: int) -> Proposal:
        """The drag from the place of the first plan to that of the second, or why one of them was not found."""
        found, points = proposal, list[Point]()
        for plan in ends:
            found = self._place(turn, replace(found, plan=plan), attempt, None)
            if not isinstance(found.action, Click):
                return replace(found, plan=proposal.plan)
            points.append(found.action.point)
        drag = Drag(start=points[0], end=points[1])
        return replace(found, plan=proposal.plan, reply=self.dialect.render(drag, found.frame), action=drag)

    def _place(self, turn: Turn, proposal: Proposal, attempt: int, pointer: Point | None) -> Proposal:
        """The action that a plan means on the screen, or without a plan the next one."""

        def ask(look: Turn, plan: str) -> Reply:
            grammar = self.dialect.grammar(look.frame, look.spent) if self.constrained else None
            return self._ask(self.dialect.prompt(look, plan), self.action_tokens, attempt, grammar)

        placed = place_by_example(self.model, turn, proposal.plan, self.dialect, attempt) or place(
            ask, turn, proposal.plan, self.dialect, looks=self.looks, attempt=attempt, pointer=pointer, model=self.model
        )
        cost = reduce(Cost.plus, placed.asked, proposal.cost)
        action, mistake = placed.action, placed.mistake
        if proposal.plan and gives_up(action):  # a plan ends a run, its target that is not there does not
            mistake = InvalidAction(action.text or "it is not there")
            action = None
        if mistake is not None and not placed.reply.finished:
            mistake = InvalidAction(f"{mistake} (the reply was cut off after {self.action_tokens} tokens: be brief)")
        return replace(proposal, reply=placed.reply.text, action=action, mistake=mistake, cost=cost)

    def _ask(
        self, messages: list[Message], max_new_tokens: int, attempt: int = 0, constraint: str | None = None
    ) -> Reply:
        limits = self.dialect
        return self.model.generate(
            messages,
            min_pixels=limits.min_pixels,
            max_pixels=limits.max_pixels,
            constraint=constraint,
            max_new_tokens=max_new_tokens,
            attempt=attempt,
        )

    @staticmethod
    def _try(proposal: Proposal, parse: Callable[[], Action | None]) -> Proposal:
        try:
            return replace(proposal, action=parse())
        except InvalidAction as mistake:
            return replace(proposal, mistake=mistake)


def missed(steps: Sequence[Step], plan: str) -> int:
    """How many of the newest steps in a row followed this plan in vain: they changed nothing, or were refused.

    Their question was the same as the one to come, whose answer therefore has to be another one.
    """
    count = 0
    for step in reversed(steps):
        if not plan or step.plan != plan or (step.effect != "none" and step.error is None):
            break
        count += 1
    return count


def spent_places(steps: Sequence[Step]) -> tuple[Point, ...]:
    """Where clicks of the newest steps in a row changed nothing: the screen has been the same since, and whatever is
    wanted now, it is not there."""
    found: list[Point] = []
    for step in reversed(steps):
        if step.effect != "none" and step.error is None:
            break
        if isinstance(step.action, Click) and step.effect == "none":
            found.append(step.action.point)
    return tuple(found)


def other_places(steps: Sequence[Step], plan: str, dialect: Dialect) -> tuple[Point, ...]:
    """Where clicks of the newest steps in a row had an effect, each of a plan about a place that is surely another."""
    found: list[Point] = []
    for step in reversed(steps):
        if step.plan == plan:
            continue
        if not isinstance(dialect, SaysNames) or not dialect.are_apart(step.plan, plan):
            break
        if isinstance(step.action, Click) and step.error is None and step.effect != "none":
            found.append(step.action.point)
    return tuple(found)


def model_frame(frame: Frame, dialect: Dialect) -> Frame:
    """The frame with the size at which a model of this dialect sees the screen. Raises DeviceError if it has none."""
    try:
        size = smart_resize(frame.screen, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
    except ValueError as error:
        raise DeviceError(str(error)) from error
    return frame.with_model(size)


def build_turn(
    task: str, steps: Sequence[Step], seen: Observation, frame: Frame, load_image: LoadImage, screenshots: int = 1
) -> Turn:
    """Everything a prompt is made of. All but the last `screenshots - 1` steps are told as text."""
    first_pictured = len(steps) - (screenshots - 1)
    history = tuple(
        past_step(step, load_image(step.image) if index >= first_pictured else None) for index, step in enumerate(steps)
    )
    return Turn(task, seen.image, frame, history, seen.context, spent_places(steps))


def pointer_after(steps: Sequence[Step]) -> Point | None:
    """Where the newest action that was carried out left the mouse, in screenshot pixels."""
    for step in reversed(steps):
        if step.action is not None and step.error is None and points_of(step.action):
            return points_of(step.action)[-1]
    return None


def past_step(step: Step, screenshot: Image.Image | None = None) -> PastStep:
    """A recorded step as a prompt may tell it."""
    return PastStep(step.action, step.reply, step.plan, step.note, screenshot, step.frame)

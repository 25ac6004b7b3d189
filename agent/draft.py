"""The step in flight: what is known of it so far, until it is written down."""

import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from action_space.actions import Action, Effect, Wait
from action_space.dialects.base import NOTHING_CHANGED
from action_space.errors import DeviceError, InvalidAction, ModelMistake, UnsupportedAction
from agent.halt import Halt
from agent.planner import Proposal
from agent.policy import Situation
from agent.trajectory import ErrorKind, Step, StepError, Timings
from environments.base import Observation

_CALL = re.compile(r"<tool_call>|[{<]")


@dataclass(slots=True)
class Draft:
    """Filled by the loop in the order in which things happen."""

    number: int
    seen: Observation
    proposal: Proposal | None = None
    effect: Effect | None = None
    note: str = ""
    error: StepError | None = None
    act_s: float = 0.0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic)

    def add_context(self, lines: tuple[str, ...]) -> None:
        """Say something to the model in front of what the device says."""
        self.seen = replace(self.seen, context=(*lines, *self.seen.context))

    def situation(self, task: str) -> Situation:
        """What the policy may look at."""
        proposal, details = self.proposal, self.seen.details
        # What stands in the call itself, such as a text to be typed, is data and not an intention.
        words = f"{proposal.plan}\n{_CALL.split(proposal.reply, maxsplit=1)[0]}" if proposal else ""
        url, focus = details.get("url", ""), details.get("focus", "")
        return Situation(task, words, url, focus, pages="app" not in details)

    def blame(self, error: ModelMistake | DeviceError | Halt) -> None:
        """The step was not carried out, or nobody saw how it went. The model is told the error's text."""
        if isinstance(error, Halt):
            if error.reason not in {"refused", "loop"}:
                return  # a finish, which is no error
            self.error = StepError(kind="PolicyRefusal", text=error.text)
        else:
            self.error = StepError(kind=_kind(error), text=str(error))
        self.note = self.error.text

    def compare(self, action: Action, effect: Effect) -> None:
        """The effect is known, and told if there is none; nothing is expected of waiting."""
        self.effect = effect
        if effect == "none" and not isinstance(action, Wait):
            self.note = NOTHING_CHANGED

    def step(self, image: str) -> Step:
        """What is written down. image: hash of the screenshot."""
        seen, proposal = self.seen, self.proposal or Proposal(self.seen.frame)
        cost = proposal.cost
        timings = Timings(settle_s=seen.settle_s, prefill_s=cost.prefill_s, decode_s=cost.decode_s, act_s=self.act_s)
        return Step(
            number=self.number,
            started=self.started,
            image=image,
            frame=proposal.frame,
            context=seen.context,
            details=seen.details,
            settled=seen.settled,
            plan=proposal.plan,
            reply=proposal.reply,
            action=proposal.action,
            effect=self.effect,
            note=self.note,
            error=self.error,
            tokens_in=cost.tokens_in,
            tokens_out=cost.tokens_out,
            cached_tokens=cost.cached_tokens,
            forced_tokens=cost.forced_tokens,
            timings=timings,
            seconds=seen.settle_s + time.monotonic() - self._clock,
        )


def _kind(error: ModelMistake | DeviceError) -> ErrorKind:
    match error:
        case DeviceError():
            return "DeviceError"
        case InvalidAction():
            return "InvalidAction"
        case UnsupportedAction():
            return "UnsupportedAction"
        case _:
            return "PolicyRefusal"

"""How a run ends."""

from datetime import UTC, datetime

from agent.trajectory import Outcome, StopReason


class Halt(Exception):  # noqa: N818 (not an error: success is a halt, too)
    """The run ends here, for `reason`. text: one line, the model's answer or the cause."""

    def __init__(self, reason: StopReason, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason: StopReason = reason
        self.text = text

    @property
    def outcome(self) -> Outcome:
        """What is written down, ended now."""
        return Outcome(reason=self.reason, text=self.text, ended=datetime.now(UTC))

"""When a run has to stop, as a function of what it has recorded: a resumed run counts on."""

from agent.halt import Halt
from agent.trajectory import Trajectory


def check_limits(trajectory: Trajectory, first: int = 0) -> None:
    """Return while every limit of the settings has something left. Raises Halt.

    first: index of the first step of this sitting; the mistakes of an earlier sitting are forgiven.
    """
    settings = trajectory.header.settings
    steps, seconds, tokens = len(trajectory.steps), trajectory.seconds, trajectory.tokens
    if steps >= settings.max_steps:
        raise Halt("steps", f"{steps} steps taken, --max-steps is {settings.max_steps}")
    if settings.max_seconds is not None and seconds >= settings.max_seconds:
        raise Halt("seconds", f"{seconds:.1f} seconds used, --max-seconds is {settings.max_seconds:g}")
    if settings.max_tokens is not None and tokens >= settings.max_tokens:
        raise Halt("tokens", f"{tokens} tokens used, --max-tokens is {settings.max_tokens}")
    newest = trajectory.steps[first:][-settings.max_mistakes :]
    errors = [step.error.text for step in newest if step.error is not None]
    if len(errors) == settings.max_mistakes:
        raise Halt("mistakes", f"{len(errors)} replies in a row could not be carried out; the last: {errors[-1]}")

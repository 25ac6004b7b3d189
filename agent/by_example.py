"""What is due on a small screen, by a model that learned it from demonstrations.

What the words of a task do not say, the screen says. A model that was shown what others did on such screens
(`vlm.backends.base.Acts`) is asked first there; the language model, where that has no likely answer, or where its
answers changed nothing.
"""

from action_space.actions import Drag
from action_space.dialects.base import Dialect, SaysLook, Turn
from action_space.errors import InvalidAction
from agent.look import Placed, moved_back, moved_look, with_points
from vlm.backends.base import Acts, Model, Reply

TRIES = 2
"""Answers in vain, after which the language model is asked."""
LEAST = 0.25
"""How likely each part of an answer has to be; below that the screen is like none that it was shown. Not of a drag: the
language model learned none."""


def place_by_example(model: Model, turn: Turn, plan: str, dialect: Dialect, attempt: int) -> Placed | None:
    """What is due; None of any other plan, and where the model has no answer. attempt: how often the same was asked
    before in vain. Raises what the model raises."""
    if attempt >= TRIES or not isinstance(dialect, SaysLook) or not isinstance(model, Acts) or not model.knows_acts:
        return None
    look = moved_look(turn, dialect, (0, 0)) if dialect.is_look(plan) else None
    if look is None:
        return None
    seen = [step.action if dialect.is_look(step.plan) else None for step in turn.history]
    done = [with_points(action, look.there) if action else None for action in seen]
    due = model.due_on(look.turn.screenshot, turn.task, done, look.turn.spent)
    if due is None or not (due.sure >= LEAST or isinstance(due.action, Drag)):
        return None
    try:
        reply = Reply(dialect.render(due.action, look.turn.frame), sure=due.sure)
        return Placed(reply, (reply,), moved_back(due.action, look, turn.frame.screen))
    except InvalidAction:  # beside the screen, where its last cells are not full
        return None

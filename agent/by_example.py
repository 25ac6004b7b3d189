"""What is due on a small screen, by a model that learned it from demonstrations.

What the words of a task do not say, the screen says. A model that was shown what others did on such screens
(`vlm.backends.base.Acts`) is asked first, there and for what a plan names; the language model, where that has no likely
answer, or where its answers changed nothing.
"""

from action_space.actions import Click, Drag
from action_space.dialects.base import Dialect, SaysLook, SaysNames, Turn
from action_space.errors import InvalidAction
from agent.look import Placed, gives_up, moved_back, moved_look, with_points
from vlm.backends.base import Acts, Due, Model, Reply

TRIES = 2
"""Answers in vain, after which the language model is asked."""
LEAST = 0.25
"""How likely each part of an answer has to be; below that the screen is like none that it was shown. Not of a drag: the
language model learned none."""
FOUND = 0.9
"""The same for what a plan names, which the language model was taught too."""


def place_by_example(model: Model, turn: Turn, plan: str, dialect: Dialect, attempt: int) -> Placed | None:
    """What is due; None of any other plan, and where the model has no answer. attempt: how often the same was asked
    before in vain. Raises what the model raises."""
    if attempt >= TRIES or not isinstance(dialect, SaysLook) or not isinstance(model, Acts) or not model.knows_acts:
        return None
    looks = dialect.is_look(plan)
    if not looks and not (isinstance(dialect, SaysNames) and dialect.named(plan)):
        return None
    look = moved_look(turn, dialect, (0, 0))
    if look is None:
        return None
    seen = [step.action if dialect.is_look(step.plan) else None for step in turn.history] if looks else []
    done = [with_points(action, look.there) if action else None for action in seen]
    due = model.due_on(look.turn.screenshot, turn.task if looks else plan, done, look.turn.spent)
    if due is None or not (_is_likely(due) if looks else _is_found(due, attempt)):
        return None
    try:
        reply = Reply(dialect.render(due.action, look.turn.frame), sure=due.sure)
        return Placed(reply, (reply,), moved_back(due.action, look, turn.frame.screen))
    except InvalidAction:  # beside the screen, where its last cells are not full
        return None


def _is_likely(due: Due) -> bool:
    return due.sure >= LEAST or isinstance(due.action, Drag)


def _is_found(due: Due, attempt: int) -> bool:
    """That what is named is not there is believed once."""
    return due.sure >= FOUND and (isinstance(due.action, Click) or (attempt == 0 and gives_up(due.action)))

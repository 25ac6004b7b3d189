"""Where something is on a screen, asked again while the model is not sure: from closer, or moved a little.

Which letters share a cell of the vision tower is chance: a small model that misreads a name in one look reads it in the
next, or finds there what it did not see. Every second look is at the part of the screen around the surest answer so
far, enlarged: of two icons side by side it is often seen only then which is which. The surest answer counts, at the
point that was found near it from closer, if there is one: that is more exact, since a cell is a smaller piece of the
screen there. If no look is sure, its name is held against places (`agent.by_name`). That something is not there is
believed after all looks only, and only if one at the whole screen is sure of it, or if its name fits nowhere.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from action_space.actions import Action, Click
from action_space.dialects.base import Dialect, Turn
from action_space.geometry import Point
from agent.by_name import called_by, place_by_name
from agent.look import NEAR, Look, Placed, are_near, closer_look, density_of, is_sure, moved_look, read_reply, sureness
from vlm.backends.base import Model, Reply

OFFSETS = ((0, 0), (14, 14), (0, 14), (14, 0))
"""How far the whole screen is moved in each look at it."""
MOST_LOOKS = len(OFFSETS)


def place(
    ask: Callable[[Turn, str], Reply],
    turn: Turn,
    plan: str,
    dialect: Dialect,
    *,
    looks: int,
    attempt: int = 0,
    pointer: Point | None = None,
    model: Model | None = None,
) -> Placed:
    """Ask for what a plan means on the screen, without one for the next action.

    ask: about the picture of a turn, with a plan. looks: at most so many; 0 shows the picture as it is. attempt: of a
    question that was asked before in vain; then one look is taken, each time another one. model: is asked about names,
    if it knows any. Raises what `ask` and `model` raise.
    """
    density = density_of(turn)
    found: list[Placed] = []
    taken: list[Look] = []
    for look in _looks(turn, dialect, looks, attempt, found):
        taken.append(look)
        found.append(read_reply(look, ask(look.turn, plan), turn, dialect, pointer))
        if is_sure(found[-1]):
            break
    best = max(found, key=lambda each: (is_sure(each), sureness(each)))
    whole = [look for look in taken if look.offset is not None and not look.close]
    fitting = None
    if not is_sure(best) and isinstance(best.action, Click) and whole and (called := called_by(model, dialect, plan)):

        def find(words: str) -> Placed:
            return place(ask, turn, called.plan_for(words), dialect, looks=looks)

        fitting = place_by_name(found, whole, called, find, turn, may_be_absent=not attempt)
    best = fitting or replace(best, action=_exact(best, found, density))
    return replace(best, asked=(*(each.reply for each in found), *best.asked))


def _looks(turn: Turn, dialect: Dialect, most: int, attempt: int, found: Sequence[Placed]) -> Iterator[Look]:
    """found: what came of the looks before, none of them sure, while the next one is asked for."""
    moved = [look for offset in OFFSETS[:most] if (look := moved_look(turn, dialect, offset))]
    if not moved:
        yield Look(turn)
    elif attempt:
        yield moved[attempt % len(moved)]
    else:
        seen = set[tuple[int, int]]()
        for number in range(len(moved)):
            close = closer_look(turn, dialect, found) if number % 2 else None
            if close and close.corner not in seen:
                seen.add(close.corner)
                yield close
            else:
                yield moved.pop(0)


def _exact(best: Placed, found: Sequence[Placed], density: float) -> Action | None:
    """The action of the best answer, where that was seen from closer."""
    if best.close or not isinstance(best.action, Click):
        return best.action
    for each in sorted(found, key=sureness, reverse=True):
        if (
            each.close
            and isinstance(each.action, Click)
            and are_near(each.action.point, best.action.point, NEAR, density)
        ):
            return best.action.model_copy(update={"point": each.action.point})
    return best.action

"""Android in the Wild's action matching (google-research, android_in_the_wild/action_matching.py at 1d49f2c0).

Gestures have two points: a tap if they are at most 0.04 of the screen apart, else a drag. Two taps match if they are
at most 0.14 of the screen apart or lie in the same annotated box after it has grown. One tap and one drag do not
match. Two drags match on their main axis. Other actions match on their type. The result is the mean over the five
subsets. Typed texts are compared beside it (`text_equal`, `text_part`).

Holes: boxes grow by 1.4 times their size, to 2.4 times, where the name says "fraction 1.4"; one that would cross the
left or top edge is moved to 0 without being made smaller, and grows to the other side. The sign of a drag is not
looked at: up passes for down. Diagonals count as vertical. What was typed does not matter. A tap at the right place
of the wrong box still matches within 0.14. A predicted scroll is the swipe that SeeClick takes for it: from 0.8 to
0.2 of the screen and back.
"""

import math
from collections.abc import Sequence

from evals.protocols.comparing import either_holds, fraction, needs_size, normal, size_of
from evals.protocols.values import Act, Direction, Place, Region, Rule, Score, Step

TAP = 0.04
NEAR = 0.14
GROWTH = 1.4

SWIPES: dict[Direction, tuple[Place, Place]] = {
    "down": ((0.5, 0.8), (0.5, 0.2)),
    "up": ((0.5, 0.2), (0.5, 0.8)),
    "left": ((0.2, 0.5), (0.8, 0.5)),
    "right": ((0.8, 0.5), (0.2, 0.5)),
}
"""Where the finger goes to scroll."""


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts:
        return Score(0, "no action")
    want, did, size = step.act, acts[0], size_of(step)
    wanted, done = gesture(want, size), gesture(did, size)
    if wanted is not None and done is not None:
        boxes = [_grown(box, size) for box in want.targets]
        right, why = _gestures_match(wanted, done, boxes)
        return Score(float(right), why)
    right = wanted is None and done is None and type_of(want) == type_of(did)
    parts = {}
    if want.kind == "type":
        typed = normal(did.text) if did.kind == "type" else None
        parts["text_equal"] = float(typed == normal(want.text))
        parts["text_part"] = float(typed is not None and either_holds(typed, normal(want.text)))
    return Score(float(right), f"types {'agree' if right else 'differ'}", parts)


def gesture(act: Act, size: tuple[float, float]) -> tuple[Place, Place] | None:
    """Where the finger goes down and up, as fractions; None for an action that is no gesture."""
    if act.kind == "scroll" and act.direction is not None:
        return SWIPES[act.direction]
    if act.kind in {"click", "long_press", "drag"} and act.point is not None:
        start = fraction(act.point, size)
        return start, fraction(act.end, size) if act.end is not None else start
    return None


def type_of(act: Act) -> tuple[str, ...]:
    """What the source tells apart: each button and both ways to end are types of their own."""
    match act.kind:
        case "press":
            return ("press", *act.keys)
        case "finish":
            return ("finish", act.status)
        case "refuse":
            return ("finish", "failure")
        case _:
            return (act.kind,)


def _gestures_match(one: tuple[Place, Place], other: tuple[Place, Place], boxes: Sequence[Region]) -> tuple[bool, str]:
    taps = [math.dist(*each) <= TAP for each in (one, other)]
    if taps[0] != taps[1]:
        return False, "a tap and a drag"
    if not taps[0]:
        right = _is_vertical(one) == _is_vertical(other)
        return right, f"drags along {'the same axis' if right else 'different axes'}"
    if any(box.holds(one[0]) and box.holds(other[0]) for box in boxes):
        return True, "taps in the same box"
    away = math.dist(one[0], other[0])
    return away <= NEAR, f"taps {away:.3f} of the screen apart"


def _is_vertical(drag: tuple[Place, Place]) -> bool:
    (x, y), (end_x, end_y) = drag
    return abs(end_y - y) >= abs(end_x - x)


def _grown(box: Region, size: tuple[float, float]) -> Region:
    (left, top), (right, bottom) = fraction((box.left, box.top), size), fraction((box.right, box.bottom), size)
    more_wide, more_high = GROWTH * (right - left), GROWTH * (bottom - top)
    return Region.sized(
        max(0.0, left - more_wide / 2),
        max(0.0, top - more_high / 2),
        min(1.0, right - left + more_wide),
        min(1.0, bottom - top + more_high),
    )


def subset(step: Step) -> str:
    return step.groups.get("subset", "")


RULE = Rule(
    name="aitw",
    version="1d49f2c0",
    benchmarks=frozenset({"aitw"}),
    score=score,
    skips=needs_size,
    strata=subset,
)

"""AgentCPM-GUI's eval/utils/evaluator.py, on AndroidControl and elsewhere.

click, long_press: the same kind, and inside a box grown to 1.2 times, or near. On AndroidControl the boxes are the
five whose centres are nearest to the right point and near is 0.04 of the screen; elsewhere they are those that hold
the right point and near is 0.14. type: one text is part of the other, lower-cased and stripped; the ratio of the
package Levenshtein is reported beside it. Swipes: the main direction, by cosine. Buttons: equal. stop: the kind.
Reported: type_acc, exact_acc (the result), hit_rate (replies that could be read), success_rate and goal_progress.

Holes: boxes grow before they are chosen, and one at the left or top edge is moved to 0 without being made smaller, so
it grows to the other side. wait is read as stop, so waiting passes every finish and the other way round, and why it
stopped does not matter. A zero-length swipe has no direction. Empty text passes every type step. There is no rule for
opening an app: such steps are skipped. Only back, home and enter are buttons there; any single key is compared here.
"""

from collections.abc import Sequence

from evals.protocols.comparing import (
    distance,
    either_holds,
    fraction,
    heading,
    in_any,
    indel_ratio,
    needs_size,
    normal,
    size_of,
)
from evals.protocols.values import Act, Place, Region, Rule, Score, Step

GROWTH = 1.2
NEAREST = 5
NEAR_ANDROIDCONTROL, NEAR = 0.04, 0.14

NAMES = {"click": "click", "long_press": "long_point", "drag": "scroll", "scroll": "scroll", "type": "type"} | {
    "press": "press",
    "finish": "stop",
    "refuse": "stop",
    "wait": "stop",
}
"""Our kind -> the source's."""


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts or acts[0].kind not in NAMES:
        return Score(0, "no action that the source knows", {"type_acc": 0, "hit_rate": 0})
    want, did = step.act, acts[0]
    same = NAMES[want.kind] == NAMES[did.kind]
    parts = {"type_acc": float(same), "hit_rate": 1.0}
    if not same:
        return Score(0, f"{NAMES[did.kind]} instead of {NAMES[want.kind]}", parts)
    if want.kind == "type":
        parts["text_ratio"] = indel_ratio(normal(did.text), normal(want.text))
    right, why = _exact(step, want, did)
    return Score(float(right), why, parts)


def _exact(step: Step, want: Act, did: Act) -> tuple[bool, str]:
    match NAMES[want.kind]:
        case "click" | "long_point":
            right = did.point is not None and want.point is not None and hits(step, want, want.point, did.point)
            return right, "hit" if right else "missed"
        case "scroll":
            right = heading(did, size_of(step)) == heading(want, size_of(step))
            return right, f"heading {'agrees' if right else 'differs'}"
        case "type":
            right = either_holds(normal(did.text), normal(want.text))
            return right, f"text {'agrees' if right else 'differs'}"
        case "press":
            right = [key.lower() for key in did.keys] == [key.lower() for key in want.keys]
            return right, f"button {'agrees' if right else 'differs'}"
        case _:
            return True, "a stop or a wait; they count alike"


def hits(step: Step, want: Act, right: Place, did: Place) -> bool:
    """Inside a box that counts, or near."""
    size, on_androidcontrol = size_of(step), step.groups.get("benchmark") == "androidcontrol"
    if distance(right, did, size) <= (NEAR_ANDROIDCONTROL if on_androidcontrol else NEAR):
        return True
    boxes = [_grow(box, size) for box in want.targets]
    place = fraction(right, size)
    if not on_androidcontrol:
        boxes = [box for box in boxes if box.holds(place)]
    elif len(boxes) > NEAREST:
        boxes = sorted(boxes, key=lambda box: _square(box.center, place))[:NEAREST]
    return in_any(fraction(did, size), boxes)


def _grow(box: Region, size: tuple[float, float]) -> Region:
    (left, top), (right, bottom) = fraction((box.left, box.top), size), fraction((box.right, box.bottom), size)
    more_wide, more_high = (GROWTH - 1) * (right - left), (GROWTH - 1) * (bottom - top)
    return Region.sized(
        max(0.0, left - more_wide / 2),
        max(0.0, top - more_high / 2),
        min(1.0, right - left + more_wide),
        min(1.0, bottom - top + more_high),
    )


def _square(one: Place, other: Place) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2


def skips(step: Step) -> str:
    if len(step.acts) == 1 and step.act.kind not in NAMES:
        return f"the source has no rule for {step.act.kind}"
    return needs_size(step)


RULE = Rule(
    name="agentcpm",
    version="1",
    benchmarks=frozenset({"androidcontrol", "androidcontrol-tfrecord", "aitw", "gui-odyssey", "recording"}),
    score=score,
    skips=skips,
    episodes=True,
)

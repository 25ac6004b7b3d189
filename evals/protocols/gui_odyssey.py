"""GUI-Odyssey's action matching (src/eval_mm/GUIOdyssey_action_matching.py).

click, long_press: the same kind, and in the element's box (edges inside, not grown) or at most 0.14 of the screen
away. type: one text is part of the other, or 1 - Levenshtein / the longer length is at least 0.5; stripped, upper and
lower case differ. scroll: the same direction. Everything else: the type, where each button and both ways to end are
types of their own. The result is AMS, the share of steps that match; SR is the share of episodes without a miss
(`success_rate`).

Holes: empty text passes every type step. The older data has no element boxes; there only the distance counts.
Directions are those of the finger; both sides are converted alike, so it makes no difference.
"""

from collections.abc import Sequence

from evals.protocols.aitw import type_of
from evals.protocols.comparing import distance, either_holds, heading, in_any, needs_size, similarity, size_of
from evals.protocols.qwen_androidcontrol import SWIPES
from evals.protocols.values import Act, Rule, Score, Step

NEAR = 0.14
SIMILAR = 0.5


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts:
        return Score(0, "no action")
    want, did = step.act, acts[0]
    if type_of(want) != type_of(did) and not (want.kind in SWIPES and did.kind in SWIPES):
        return Score(0, f"{' '.join(type_of(did))} instead of {' '.join(type_of(want))}")
    right, why = _arguments(step, want, did)
    return Score(float(right), why)


def _arguments(step: Step, want: Act, did: Act) -> tuple[bool, str]:
    size = size_of(step)
    match want.kind:
        case "click" | "long_press":
            if did.point is None:
                return False, "no point"
            if in_any(did.point, want.targets):
                return True, "in the element's box"
            near = want.point is not None and distance(did.point, want.point, size) <= NEAR
            return near, "near" if near else "far"
        case "type":
            right = texts_match(want.text.strip(), did.text.strip())
            return right, f"text {'agrees' if right else 'differs'}"
        case "scroll" | "drag":
            right = heading(want, size) == heading(did, size)
            return right, f"heading {'agrees' if right else 'differs'}"
        case _:
            return True, "the type is enough"


def texts_match(want: str, did: str) -> bool:
    return either_holds(want, did) or similarity(want, did) >= SIMILAR


RULE = Rule(
    name="gui-odyssey",
    version="1",
    benchmarks=frozenset({"gui-odyssey"}),
    score=score,
    skips=needs_size,
    episodes=True,
)

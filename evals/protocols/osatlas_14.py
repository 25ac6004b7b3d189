"""OS-Atlas's rule, which UI-TARS took over (UI-TARS issue 79): a point within 14 % of the screen.

click, long_press: the same kind, and at most 0.14 of the screen away, each axis a fraction of its side. type: the
texts are equal, lower-cased and stripped; the F1 of their words is reported beside it (`text_f1`). Swipes: the same
direction. open: the same name. Buttons: equal. Everything else: the kind.

Holes: 0.14 in every direction is a circle that covers 6 % of the screen, so a point that is a tenth of the screen off
always passes, whatever stands there. Sources say "exact or F1" of typed text without a threshold: exact decides here.
"""

from collections.abc import Sequence

from evals.protocols.comparing import distance, heading, needs_size, normal, set_f1, size_of
from evals.protocols.qwen_androidcontrol import SWIPES
from evals.protocols.values import Act, Rule, Score, Step

NEAR = 0.14


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts:
        return Score(0, "no action", {"type": 0})
    want, did = step.act, acts[0]
    if want.kind != did.kind and not (want.kind in SWIPES and did.kind in SWIPES):
        return Score(0, f"{did.kind} instead of {want.kind}", {"type": 0})
    parts = {"type": 1.0}
    if want.kind == "type":
        parts["text_f1"] = set_f1(set(normal(did.text).split()), set(normal(want.text).split()))
    right, why = _exact(step, want, did)
    return Score(float(right), why, parts)


def _exact(step: Step, want: Act, did: Act) -> tuple[bool, str]:
    size = size_of(step)
    match want.kind:
        case "click" | "long_press":
            away = distance(did.point, want.point, size) if did.point and want.point else None
            return away is not None and away <= NEAR, "no point" if away is None else f"{away:.3f} of the screen away"
        case "scroll" | "drag":
            right = heading(did, size) == heading(want, size)
            return right, f"heading {'agrees' if right else 'differs'}"
        case "type" | "open":
            right = normal(did.text) == normal(want.text)
            return right, f"text {'agrees' if right else 'differs'}"
        case "press":
            right = list(map(normal, did.keys)) == list(map(normal, want.keys))
            return right, f"button {'agrees' if right else 'differs'}"
        case _:
            return True, "the kind is enough"


RULE = Rule(
    name="osatlas-14",
    version="1",
    benchmarks=frozenset({"androidcontrol", "androidcontrol-tfrecord", "gui-odyssey", "recording"}),
    score=score,
    skips=needs_size,
)

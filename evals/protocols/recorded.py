"""A recorded run as the right answer: the model should do what was done, step by step. Our own rule, for replays:
what `RecordedEnvironment` takes for the recorded action, and besides it target boxes and the ends of tasks.

type: the kind is the same; a chord is a press. grounding: of steps that point (click, long press, move, drag), the
share at which the model points at the right place, whatever it does there. A step succeeds if all of it is right:

* places: inside one of the step's target boxes where they are known (edges inside), else each within 0.05 of the
  recorded point, as a fraction of the width in x and of the height in y; a drag's end always the latter;
* click: the same button, count and modifiers; scroll: the same direction, at any place and by any amount;
* type: the same text, apart from white space at its ends and Unicode normal form; open: the same target, apart from
  case and a slash at its end; press: the same keys in any order; drag, long press, wait: of any duration;
* finish: the same status, in any words.

Holes: another way to the same end is a miss, for a recording knows only one. A swipe and a scroll that show the same
are of different kinds. Without target boxes a point can be right beside a small button, and wrong on a large one.
"""

import unicodedata
from collections.abc import Sequence

from environments.recorded import TOLERANCE
from evals.protocols.comparing import needs_size, size_of
from evals.protocols.values import POINTING, Act, Place, Rule, Score, Step


def score(step: Step, acts: Sequence[Act]) -> Score:
    want = step.act
    grounded = {"grounding": float(bool(acts) and _hits(step, acts[0]))} if want.kind in POINTING else {}
    if not acts:
        return Score(0, "no action", {"type": 0.0, **grounded})
    did = acts[0]
    if _kind(want) != _kind(did):
        return Score(0, f"{did.kind} instead of {want.kind}", {"type": 0.0, **grounded})
    wrong = _wrong(step, want, did)
    return Score(float(not wrong), f"{wrong} differs" if wrong else "the same", {"type": 1.0, **grounded})


def _kind(act: Act) -> str:
    return "press" if act.kind == "hotkey" else act.kind


def _wrong(step: Step, want: Act, did: Act) -> str:
    """The first thing that is not as recorded, "" if all is."""
    match want.kind:
        case "click" | "long_press" | "move" | "drag":
            pressed = (did.button, did.count, set(did.keys)) == (want.button, want.count, set(want.keys))
            if not pressed:
                return "button, count or modifiers"
            if not _hits(step, did):
                return "place"
            return "end" if want.kind == "drag" and not _near(step, did.end, want.end) else ""
        case "scroll":
            return "" if did.direction == want.direction else "direction"
        case "type" | "select":
            return "" if _plain(did.text) == _plain(want.text) else "text"
        case "press" | "hotkey":
            return "" if set(did.keys) == set(want.keys) else "keys"
        case "open":
            return "" if _target(did.text) == _target(want.text) else "target"
        case "finish":
            return "" if did.status == want.status else "status"
        case _:
            return ""


def _hits(step: Step, did: Act) -> bool:
    want = step.act
    if want.targets:
        return did.point is not None and any(box.holds(did.point) for box in want.targets)
    return _near(step, did.point, want.point)


def _near(step: Step, one: Place | None, other: Place | None) -> bool:
    if one is None or other is None:
        return False
    far_x, far_y = (TOLERANCE * side for side in size_of(step))
    return abs(one[0] - other[0]) <= far_x and abs(one[1] - other[1]) <= far_y


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _target(text: str) -> str:
    return text.strip().casefold().rstrip("/")


RULE = Rule(
    name="recorded",
    version="1",
    benchmarks=frozenset({"recording"}),
    score=score,
    skips=needs_size,
    episodes=True,
)

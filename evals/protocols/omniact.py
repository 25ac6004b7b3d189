"""OmniACT as UGround scores it (offline_evaluation/OmniACT/eval_action.py).

The names of the predicted actions have to be those of the right script, in order and number; else the task is 0. From
1 are taken, each divided by the length of the script: for a click 1 - mu / (d + mu), where d is the distance from the
element's box and mu its diagonal; for press and hotkey 1 if the keys differ; for write 1 - BLEU of characters (1- and
2-grams). What is left, at least 0, weighs the length of the script - 0.9; the result is the weighted mean. `sequence`
is the share of scripts with the right names, weighed alike.

Holes: the right script is lower-cased before its names are compared with "rightClick", "doubleClick", "moveTo" and
"dragTo", so of all that points only `click` can lose anything: the others are free. A click whose point is not
exactly the centre of an annotated box is free as well. Letter case counts in what is written, since the right text is
lower-cased and the prediction is not. A single character scores BLEU 0 against itself, so typing one letter rightly
costs as much as typing nonsense. A click without a point is taken as 0, 0. Scrolls are compared by name alone.
"""

import math
from collections.abc import Sequence

from evals.protocols.comparing import bleu2
from evals.protocols.values import Act, Place, Region, Rule, Score, Step

BASE = 0.9


def score(step: Step, acts: Sequence[Act]) -> Score:
    weight = len(step.acts) - BASE
    if [name(act) for act in acts] != [name(act) for act in step.acts]:
        return Score(0, "the actions are not those of the script", {"sequence": 0.0}, weight)
    lost = {"click": 0.0, "press": 0.0, "write": 0.0}
    for want, did in zip(step.acts, acts, strict=True):
        kind, penalty = _penalty(want, did)
        lost[kind] += penalty / len(step.acts)
    left = max(1 - sum(lost.values()), 0.0)
    why = ", ".join(f"{kind} -{value:.3f}" for kind, value in lost.items())
    return Score(left, why, {"sequence": 1.0} | {f"{kind}_penalty": value for kind, value in lost.items()}, weight)


def name(act: Act) -> str:
    """PyAutoGUI's name of an action."""
    match act.kind:
        case "click":
            if act.count > 1:
                return "doubleClick" if act.count == 2 else "tripleClick"
            return {"left": "click", "right": "rightClick", "middle": "middleClick"}[act.button]
        case "move" | "drag":
            return f"{act.kind}To"
        case "type":
            return "write"
        case "scroll":
            return "hscroll" if act.direction in {"left", "right"} else "scroll"
        case _:
            return act.kind


def _penalty(want: Act, did: Act) -> tuple[str, float]:
    """Whose penalty, and how much of 1."""
    match name(want):
        case "click":
            return "click", click_penalty(want, did.point or (0.0, 0.0))
        case "press" | "hotkey":
            return "press", float({key.lower() for key in want.keys} != set(did.keys))
        case "write":
            return "write", 1 - bleu2(want.text.lower(), did.text)
        case _:
            return "click", 0.0


def click_penalty(want: Act, place: Place) -> float:
    """1 - mu / (d + mu) from the box whose centre is the right point; 0 without such a box."""
    box = next((box for box in want.targets if box.center == want.point), None)
    if box is None:
        return 0.0
    away = _outside(box, place)
    return 1 - box.diagonal / (away + box.diagonal) if away else 0.0


def _outside(box: Region, place: Place) -> float:
    across = max(box.left - place[0], 0.0, place[0] - box.right)
    down = max(box.top - place[1], 0.0, place[1] - box.bottom)
    return math.hypot(across, down)


def skips(step: Step) -> str:
    return "" if step.acts else "an empty script"


RULE = Rule(name="omniact", version="1", benchmarks=frozenset({"omniact"}), score=score, skips=skips)

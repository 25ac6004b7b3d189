"""Generated pages (`agent eval generated`): our own rule, for pages that we draw.

A step is right if the first place that is named lies in one of the target's boxes, edges inside: the control's, and
since version 2 that of the label of a checkbox or radio button, where a click ticks it. A reply without a place is a
miss. Since version 3 what is asked for may not be there: then saying so, and naming no place, is right. The result is
the mean over questions.

Holes: what is done at the place does not matter. A box is what the page's layout says, so a point in the corner that
a round button leaves free is right.
"""

from collections.abc import Sequence

from evals.protocols.comparing import in_any
from evals.protocols.values import Act, Rule, Score, Step


def score(step: Step, acts: Sequence[Act]) -> Score:
    point = next((act.point for act in acts if act.point is not None), None)
    if step.refusal:
        if point is not None:
            return Score(0, "pointed at something")
        return Score(1, "refused") if any(act.kind == "refuse" for act in acts) else Score(0, "did not refuse")
    if point is None:
        return Score(0, "no point")
    return Score(1, "in the box") if in_any(point, step.act.targets) else Score(0, "outside the box")


def skips(step: Step) -> str:
    return "" if step.refusal or (len(step.acts) == 1 and step.act.targets) else "no target box"


RULE = Rule(name="point-in-box", version="3", benchmarks=frozenset({"generated"}), score=score, skips=skips)

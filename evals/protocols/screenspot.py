"""ScreenSpot and ScreenSpot-v2, as SeeClick's pretrain/screenspot_test.py scores them.

A point is right if it lies in the target's box, edges inside. A predicted box counts by its centre. A reply without a
point is wrong. The result is the mean of the six accuracies of mobile, desktop and web, text and icon each; where the
data holds fewer than six, of those.

Holes: of several actions the first that points counts, the rest is not looked at; how it points (a click, a move) does
not matter either.
"""

from collections.abc import Sequence

from evals.protocols.values import POINTING, Act, Place, Rule, Score, Step


def first_point(acts: Sequence[Act]) -> Place | None:
    """Where the first pointing action points."""
    return next((act.point for act in acts if act.kind in POINTING and act.point is not None), None)


def score(step: Step, acts: Sequence[Act]) -> Score:
    point = first_point(acts)
    if point is None:
        return Score(0, "no point")
    box = step.act.targets[0]
    return Score(1, "in the box") if box.holds(point) else Score(0, "outside the box")


def skips(step: Step) -> str:
    """Only a rectangle can be scored."""
    return "" if not step.refusal and len(step.acts) == 1 and step.act.targets else "no target box"


def platform_and_type(step: Step) -> str:
    return f"{step.groups.get('platform', '')} {step.groups.get('type', '')}".strip()


RULE = Rule(
    name="screenspot",
    version="1",
    benchmarks=frozenset({"screenspot", "screenspot-v2"}),
    score=score,
    skips=skips,
    strata=platform_and_type,
)

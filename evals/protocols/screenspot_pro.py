"""ScreenSpot-Pro, as its eval_screenspot_pro.py scores it.

Every reply is correct, wrong or wrong_format: a point in the box (edges inside), a point outside it, or no point. The
result is the share of correct ones (`action_acc`); `text_acc` and `icon_acc` are the same over each type, and groups,
applications and platforms are broken down.

Holes: a reply that cannot be read is as wrong as a miss and only `wrong_format` tells them apart. The source can draw
extra negative samples, instructions that fit nothing; they are not part of the annotations, so none are scored here.
Facts do not say what a predicted box is worth: it counts by its centre.
"""

from collections.abc import Sequence

from evals.protocols.screenspot import first_point, skips
from evals.protocols.values import Act, Rule, Score, Step


def score(step: Step, acts: Sequence[Act]) -> Score:
    point = first_point(acts)
    hit = point is not None and step.act.targets[0].holds(point)
    verdict = "wrong_format" if point is None else "correct" if hit else "wrong"
    parts = {"wrong_format": float(point is None)}
    if kind := step.groups.get("type"):
        parts[f"{kind}_acc"] = float(hit)
    return Score(float(hit), verdict, parts)


RULE = Rule(
    name="screenspot-pro",
    version="1",
    benchmarks=frozenset({"screenspot-pro"}),
    score=score,
    skips=skips,
)

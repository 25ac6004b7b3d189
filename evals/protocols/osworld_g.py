"""OSWorld-G: boxes, polygons and refusals, as its cua adapter scores them.

Boxes: the point lies inside, edges too. Polygons: ray casting. Refusals: right only if the model refuses and points at
nothing. Everything else needs exactly one pointing action. The result is the share of right ones.

Holes: a model that says nothing is wrong everywhere, also where nothing fits. On the edge of a polygon ray casting
takes left and top edges as inside, right and bottom ones as outside, unlike the edges of a box. A refusal beside a
point at a target is not looked at.
"""

from collections.abc import Sequence

from evals.protocols.values import POINTING, Act, Place, Rule, Score, Step


def score(step: Step, acts: Sequence[Act]) -> Score:
    points = [act.point for act in acts if act.kind in POINTING and act.point is not None]
    if step.refusal:
        refused = any(act.kind == "refuse" for act in acts)
        if refused and not points:
            return Score(1, "refused")
        return Score(0, "pointed at something" if points else "did not refuse")
    if len(points) != 1:
        return Score(0, f"{len(points)} points, not one")
    inside = in_polygon(points[0], step.polygon) if step.polygon else step.act.targets[0].holds(points[0])
    return Score(1, "inside") if inside else Score(0, "outside")


def in_polygon(place: Place, corners: Sequence[Place]) -> bool:
    """Whether a ray to the right crosses the outline an odd number of times."""
    x, y = place
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def skips(step: Step) -> str:
    known = step.refusal or step.polygon or (len(step.acts) == 1 and step.act.targets)
    return "" if known else "no target"


RULE = Rule(name="osworld-g", version="1", benchmarks=frozenset({"osworld-g"}), score=score, skips=skips)

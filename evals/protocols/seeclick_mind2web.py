"""Mind2Web as SeeClick scores it (agent_tasks/mind2web_test.py).

element: the point lies in the right element's box, edges inside; the box is taken as fractions of the screenshot,
rounded to three decimals. op_f1: F1 of the sets of words of "action value", the value lower-cased. A step succeeds if
op_f1 is 1 and the element is hit. All three are macro averages: over episodes, each the mean of its steps.

Holes: sets of words know no order and no repetition, so "b a a" equals "a b". HOVER and ENTER count as CLICK. An answer
without a point gets no F1 for its operation either, for the source reads the point first. Steps without a box or a
screenshot's size are skipped, which makes episodes easier. The second of several candidate boxes never counts.
"""

from collections.abc import Sequence

from evals.protocols.comparing import fraction, needs_size, set_f1, size_of
from evals.protocols.values import Act, Place, Region, Rule, Score, Step

OPERATIONS = {"click": "click", "move": "click", "type": "type", "select": "select"}
DECIMALS = 3


def score(step: Step, acts: Sequence[Act]) -> Score:
    did = acts[0] if acts else None
    if did is None or did.kind not in OPERATIONS or did.point is None:
        return Score(0, "no operation with a point", {"element": 0, "op_f1": 0})
    f1 = set_f1(words(did), words(step.act))
    hit = _rounded(step.act.targets[0], size_of(step)).holds(fraction(did.point, size_of(step)))
    why = f"operation F1 {f1:.2f}, element {'hit' if hit else 'missed'}"
    return Score(float(hit and f1 == 1), why, {"element": float(hit), "op_f1": f1})


def words(act: Act) -> set[str]:
    """Of "action value"; a click has no value."""
    operation = OPERATIONS[act.kind]
    return {operation, *(act.text.lower().split() if operation != "click" else ())}


def _rounded(box: Region, size: tuple[float, float]) -> Region:
    corners: list[Place] = [fraction((box.left, box.top), size), fraction((box.right, box.bottom), size)]
    return Region(*(round(value, DECIMALS) for corner in corners for value in corner))


def skips(step: Step) -> str:
    if len(step.acts) != 1 or not step.act.targets:
        return "no box of the right element"
    return needs_size(step)


RULE = Rule(
    name="seeclick-mind2web",
    version="1",
    benchmarks=frozenset({"mind2web", "multimodal-mind2web"}),
    score=score,
    skips=skips,
    per_episode=True,
)

"""Multimodal-Mind2Web as UGround scores it (offline_evaluation/Multimodal-Mind2Web/eval.py).

Not comparable with SeeClick's rule. element: the point lies in any of the boxes, edges inside. op_f1: F1 of the sets of
words of "operation value", lower-cased, without words that are punctuation. A step succeeds if op_f1 is 1 and the
element is hit. A step without a prediction is a miss, and episodes are filled up with misses to their full number of
steps, so skipping hurts. The result is the mean over steps; the mean over episodes stands beside it (`macro`).

Holes: the source does not know why a prediction is missing. So a step that was lost to an error (a worker that hung, a
picture that is gone) is a miss here, and here alone; under every other rule it is left out. `--resume` asks it again.

Further: punctuation goes only where it is a word of its own ("," but not "yes,"), and so does a run of it that stands
in Python's own list of punctuation, such as "()". A predicted value "none" counts as no value. A reply without a point
is scored as a point at 0, 0, which hits a box in that corner. The operation gets its F1 without a point, unlike in
SeeClick's rule. What was predicted for a step that the data lacks is not looked at.
"""

import string
from collections.abc import Sequence

from evals.protocols.comparing import in_any, set_f1
from evals.protocols.seeclick_mind2web import OPERATIONS
from evals.protocols.values import Act, Rule, Score, Step


def score(step: Step, acts: Sequence[Act]) -> Score:
    did = acts[0] if acts else None
    f1 = set_f1(words(did) if did else set(), words(step.act))
    point = did.point if did and did.point else (0.0, 0.0)
    hit = in_any(point, step.act.targets)
    why = f"operation F1 {f1:.2f}, element {'hit' if hit else 'missed'}"
    return Score(float(hit and f1 == 1), why, {"element": float(hit), "op_f1": f1})


def words(act: Act) -> set[str]:
    """Of "operation value", without punctuation that stands alone."""
    value = "" if act.text.lower() == "none" else act.text.lower()
    # `in` on the string, as the source has it: it also drops runs of punctuation in the order of that string.
    return {word for word in [OPERATIONS.get(act.kind, act.kind), *value.split()] if word not in string.punctuation}


RULE = Rule(
    name="uground-mind2web",
    version="1",
    benchmarks=frozenset({"mind2web", "multimodal-mind2web"}),
    score=score,
    padded=True,
)

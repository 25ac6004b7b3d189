"""AndroidControl as UGround scores it (offline_evaluation/AndroidControl/eval.py).

click, long_press: the same kind, inside the smallest element of the accessibility tree that holds the right point,
edges inside. type: the same text exactly, and, where the right answer has a place, a point in that element too.
Everything else: every argument equal. A click where the app should be opened is right if the smallest element under
it has a text or description that contains the app's name; a click where Back should be pressed, if it contains
"back". Both are lower-cased. Reported beside the step accuracy: `grounding`, over the steps that the source counts
as grounding.

Holes: where no element holds the right point every click is wrong. Opening an app where a click was right passes if
the prediction brings a place and the element there has any text at all, because the app's name is taken from the
right answer, which has none; the source lets such a step add to the hits of grounding but not to its steps, which no
average can show, so it counts in neither here. Data without a tree (the evaluation JSONL) has candidate boxes only:
they stand in for it, and the two equivalences need the tree. UGround drew 500 steps; here all are scored.
"""

from collections.abc import Iterable, Sequence

from evals.protocols.comparing import heading
from evals.protocols.qwen_androidcontrol import SWIPES
from evals.protocols.values import Act, Node, Place, Rule, Score, Step

GROUNDED = frozenset({"click", "long_press", "type"})


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts:
        return Score(0, "no action")
    want, did = step.act, acts[0]
    if did.kind == want.kind and want.kind in GROUNDED:
        right = _grounded(step, want, did)
        return Score(float(right), "in the smallest element" if right else "missed", {"grounding": float(right)})
    if _equal(step, want, did):
        return Score(1, "every argument agrees")
    word = _equivalent_word(want, did)
    if word is None:
        return Score(0, f"{did.kind} instead of {want.kind}" if did.kind != want.kind else "an argument differs")
    right = _says(smallest_node(step.nodes, did.point), word)
    # The source counts a right one of these among the grounding hits but not among the grounding steps.
    parts = {"grounding": float(right)} if did.kind != "open" else {}
    return Score(float(right), f"the element {'says' if right else 'does not say'} {word!r}", parts)


def _grounded(step: Step, want: Act, did: Act) -> bool:
    if want.kind == "type" and (did.text != want.text or want.point is None):
        return did.text == want.text
    if want.point is None or did.point is None:
        return False
    nodes = step.nodes or tuple(Node(box) for box in want.targets)
    node = smallest_node(nodes, want.point)
    return node is not None and node.region.holds(did.point)


def smallest_node(nodes: Iterable[Node], place: Place | None) -> Node | None:
    """The smallest element that holds a place; of equal ones the first."""
    if place is None:
        return None
    return min((node for node in nodes if node.region.holds(place)), key=lambda node: node.region.area, default=None)


def _equal(step: Step, want: Act, did: Act) -> bool:
    if want.kind in SWIPES and did.kind in SWIPES:
        size = step.size or (1.0, 1.0)
        return heading(want, size) == heading(did, size)
    return want.kind == did.kind and (want.text, want.keys) == (did.text, did.keys)


def _equivalent_word(want: Act, did: Act) -> str | None:
    """What the element under the point has to say, None if the two kinds are no equivalents."""
    kinds = (want.kind, did.kind)
    if kinds in (("open", "click"), ("click", "open")):
        return want.text.lower()
    if "click" in kinds and "press" in kinds and (want if want.kind == "press" else did).keys == ("back",):
        return "back"
    return None


def _says(node: Node | None, word: str) -> bool:
    return node is not None and any(said and word in said.lower() for said in (node.text, node.description))


RULE = Rule(
    name="uground-androidcontrol",
    version="1",
    benchmarks=frozenset({"androidcontrol", "androidcontrol-tfrecord"}),
    score=score,
)

"""AndroidControl as the Qwen team scores it (UI-S1/evaluation/qwenvl_utils.py; also behind Qwen2.5-VL's numbers).

click, long_press: the same kind, and inside any candidate box grown to 1.2 times about its centre, or at most 0.04 of
the screen away (each axis a fraction of its side). type: one text is part of the other, lower-cased and stripped.
open: the same of the app's name; or a click inside an icon box of the app grown likewise, or within 0.04 of the first
one's centre. Buttons: equal, lower-cased and stripped. swipe, wait: the kind only. Episodes without a miss and the
progress up to the first miss are UI-S1's "semi-online" Success Rate and Average Progress.

Holes: empty text passes every type step, and every open step; any swipe passes every swipe step, its direction check
is commented out; candidate boxes may be containers as large as the screen, so taps at the centre pass one click in
four. terminate, answer and key steps raise NotImplementedError in the source: they are skipped here, and said so.
(The source's own replay takes an episode that reaches one for failed, with no progress.)
"""

from collections.abc import Sequence

from evals.protocols.comparing import distance, either_holds, in_any, needs_size, normal, size_of
from evals.protocols.values import Act, Place, Rule, Score, Step

GROWTH = 1.2
NEAR = 0.04
SWIPES = frozenset({"scroll", "drag"})


def score(step: Step, acts: Sequence[Act]) -> Score:
    if not acts:
        return Score(0, "no action", {"type": 0})
    kind_right, right, why = compare(step, step.act, acts[0])
    return Score(float(right), why, {"type": float(kind_right)})


def compare(step: Step, want: Act, did: Act) -> tuple[bool, bool, str]:
    """Whether the kind is right, whether all is right, and why."""
    if want.kind == "open" and did.kind == "click":
        # Without an icon on the screen a click is of the wrong kind; with one the kind is right even where it misses.
        if not want.targets:
            return False, False, "a click, and no icon of the app on the screen"
        return True, *_hit(step, did.point, want, want.targets[0].center)
    if want.kind in SWIPES and did.kind in SWIPES:
        return True, True, "a swipe; its direction is not looked at"
    if want.kind != did.kind:
        return False, False, f"{did.kind} instead of {want.kind}"
    return True, *_arguments(step, want, did)


def _arguments(step: Step, want: Act, did: Act) -> tuple[bool, str]:
    match want.kind:
        case "click" | "long_press":
            return _hit(step, did.point, want, want.point)
        case "type" | "open":
            return _verdict(either_holds(normal(did.text), normal(want.text)), "text")
        case "press":
            return _verdict(list(map(normal, did.keys)) == list(map(normal, want.keys)), "button")
        case _:
            return True, "the kind is enough"


def _hit(step: Step, point: Place | None, want: Act, near: Place | None) -> tuple[bool, str]:
    if point is None:
        return False, "no point"
    if in_any(point, [box.grown(GROWTH) for box in want.targets]):
        return True, "in a candidate box"
    if near is not None and distance(point, near, size_of(step)) <= NEAR:
        return True, "near"
    return False, "neither in a box nor near"


def _verdict(right: bool, what: str) -> tuple[bool, str]:
    return right, f"{what} {'agrees' if right else 'differs'}"


def skips(step: Step) -> str:
    if len(step.acts) == 1 and step.act.kind in {"finish", "hotkey", "refuse"}:
        return f"the source raises NotImplementedError for {step.act.kind}"
    return needs_size(step)


RULE = Rule(
    name="qwen-androidcontrol",
    version="1",
    benchmarks=frozenset({"androidcontrol", "androidcontrol-tfrecord", "recording"}),
    score=score,
    skips=skips,
    episodes=True,
)

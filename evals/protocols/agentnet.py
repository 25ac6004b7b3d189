"""AgentNetBench as OpenCUA's eval.py scores it, in its first version (key sets, scrolls by type alone).

If the type of the first prediction is none of the right types, the step is 0. Otherwise right and predicted actions
are compared by index, another type is 0. click, double, right and triple click, moveTo, dragTo: 1 inside any box
(edges inside), 1 within 0.01 x sqrt(2), else exp(-120 (d - 0.01 sqrt(2))). write: 1 - Levenshtein / the longer
length, lower-cased and stripped; 0.8 and more is 1, less is divided by 0.8. press, hotkey: the same set of keys.
scroll: the type. terminate: the status. A write followed by Enter is one write with a newline, on both sides. A step
is the mean over its types, each the mean of its actions; the best of the alternatives counts; a task is the mean of
its steps, the result the mean of the tasks.

Holes: two of the source's rules are dead, and so they are here. A newline on one side only should cost a tenth of the
write's score, but both texts are stripped before they are asked for their newline: Enter is never missed. A step
without a matching type should be worth a fifth, but it has returned 0 before. Further: after the first prediction's
type matched any, extra predictions cost nothing; a step that types twice weighs its typing as much as one click; a
set of keys knows no order; how far and which way to scroll does not matter. Only `press` merges with a write on the
predicted side, press and hotkey on the other. A step that begins with terminate is decided by its first action alone.
Types without a rule, such as wait, count only where they are missed.
Distances are taken in fractions of the screen, so they are shorter across than along.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from evals.protocols.comparing import fraction, in_any, needs_size, similarity, size_of
from evals.protocols.values import Act, Rule, Score, Step

NEAR = 0.01 * math.sqrt(2)
DECAY = 120
SIMILAR = 0.8

PLACED = frozenset({"click", "doubleclick", "rightclick", "tripleclick", "moveto", "dragto"})


def score(step: Step, acts: Sequence[Act]) -> Score:
    did = merge_enter(acts, frozenset({"press"}))
    if not did:
        return Score(0, "no action")
    scored = [_score_one(step, right, did) for right in (step.acts, *step.alternatives)]
    return max(scored, key=lambda each: each.value)


def _score_one(step: Step, right: Sequence[Act], did: Sequence[Act]) -> Score:
    wanted = merge_enter(right, frozenset({"press", "hotkey"}))
    if type_name(wanted[0]) == "terminate":
        same = type_name(did[0]) == "terminate" and end_of(did[0]) == end_of(wanted[0])
        return Score(float(same), "the same end" if same else "not the same end", {"terminate": float(same)})
    if type_name(did[0]) not in {type_name(act) for act in wanted}:
        return Score(0, f"begins with {type_name(did[0])}", {type_name(act): 0.0 for act in wanted})
    by_type: dict[str, list[float]] = defaultdict(list)
    for number, want in enumerate(wanted):
        alike = _similarity(step, want, did[number]) if number < len(did) else 0.0
        if alike is not None:
            by_type[type_name(want)].append(alike)
    parts = {name: sum(values) / len(values) for name, values in by_type.items()}
    why = ", ".join(f"{name} {value:.2f}" for name, value in parts.items()) or "nothing that is scored"
    return Score(sum(parts.values()) / len(parts) if parts else 0, why, parts)


def end_of(act: Act) -> str:
    return "failure" if act.kind == "refuse" else act.status


def type_name(act: Act) -> str:
    """The source's names, lower-cased."""
    match act.kind:
        case "click":
            if act.count > 1:
                return "doubleclick" if act.count == 2 else "tripleclick"
            return {"left": "click", "right": "rightclick", "middle": "middleclick"}[act.button]
        case "move" | "drag":
            return f"{act.kind}to"
        case "type":
            return "write"
        case "finish" | "refuse":
            return "terminate"
        case _:
            return act.kind


def merge_enter(acts: Sequence[Act], enter_kinds: frozenset[str]) -> list[Act]:
    """A write followed by nothing but Enter becomes one write with a newline."""
    merged: list[Act] = []
    pending = list(acts)
    while pending:
        act = pending.pop(0)
        if act.kind == "type" and pending and _is_enter(pending[0], enter_kinds):
            pending.pop(0)
            act = replace(act, text=act.text + "\n")
        merged.append(act)
    return merged


def _is_enter(act: Act, kinds: frozenset[str]) -> bool:
    return act.kind in kinds and [key.lower() for key in act.keys] in (["enter"], ["return"])


def _similarity(step: Step, want: Act, did: Act) -> float | None:
    """0 to 1, None for a type that the source compares but never scores: it does not count at all."""
    name = type_name(want)
    if name != type_name(did):
        return 0.0
    if name in PLACED:
        return _place_score(step, want, did)
    match want.kind:
        case "type":
            # Stripped, so a newline at the end is gone before anything could miss it.
            alike = similarity(did.text.lower().strip(), want.text.lower().strip())
            return 1.0 if alike >= SIMILAR else alike / SIMILAR
        case "press" | "hotkey":
            return float({key.lower() for key in did.keys} == {key.lower() for key in want.keys})
        case "scroll":
            return 1.0
        case _:
            return None


def _place_score(step: Step, want: Act, did: Act) -> float:
    # A drag is known by where it ends.
    aim, goal = (did.end or did.point, want.end or want.point)
    if aim is None or goal is None:
        return 0.0
    if in_any(aim, want.targets):
        return 1.0
    away = math.dist(fraction(aim, size_of(step)), fraction(goal, size_of(step)))
    return 1.0 if away <= NEAR else math.exp(-DECAY * (away - NEAR))


RULE = Rule(
    name="agentnet",
    version="1",
    benchmarks=frozenset({"agentnet", "recording"}),
    score=score,
    skips=needs_size,
    per_episode=True,
)

"""What scores without looking: the least that a number has to beat.

Each is a function from a step to what it does there, None where it cannot do it (no known screen size).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from evals.protocols.values import Act, Place, Step

Predictor = Callable[[Step], Sequence[Act] | None]


def baselines(steps: Sequence[Step], seed: int = 0) -> dict[str, Predictor]:
    """Name -> predictor, in the order in which they are shown."""
    return {
        "constant": constant(steps),
        "centre": centre,
        "random": random_point(seed),
        "empty text": empty_text,
    }


def centre(step: Step) -> Sequence[Act] | None:
    """Click in the middle of the screen."""
    return None if step.size is None else [Act("click", (step.size[0] / 2, step.size[1] / 2))]


def random_point(seed: int) -> Predictor:
    """Click anywhere, every place as likely; the same step and seed give the same place."""

    def predict(step: Step) -> Sequence[Act] | None:
        if step.size is None:
            return None
        rng = Random(f"{seed} {step.id}")
        return [Act("click", (rng.random() * step.size[0], rng.random() * step.size[1]))]

    return predict


def empty_text(_step: Step) -> Sequence[Act]:
    """Type nothing."""
    return [Act("type", text="")]


def constant(steps: Sequence[Step]) -> Predictor:
    """One answer for every step, the best guess of someone who has seen all the answers but no screen.

    It is the first action of the most frequent kind, with its most frequent words, at the median of its places.
    """
    firsts = [(step, step.acts[0]) for step in steps if step.acts]
    if not firsts:
        return lambda _step: None
    (kind, _) = Counter(act.kind for _, act in firsts).most_common(1)[0]
    same = [(step, act) for step, act in firsts if act.kind == kind]
    words = Counter((act.text, act.direction, act.keys, act.button, act.count, act.status) for _, act in same)
    text, direction, keys, button, count, status = words.most_common(1)[0][0]
    plain = Act(kind, text=text, direction=direction, keys=keys, button=button, count=count, status=status)
    places = [(step, place) for step, act in same if (place := _place_of(act)) is not None]
    place, end = _middle(places), _middle([(step, act.end) for step, act in same if act.end is not None])
    if places and place is None:
        return lambda _step: None  # no screen has a known size

    def predict(step: Step) -> Sequence[Act] | None:
        if place is None:
            return [plain]
        if step.size is None:
            return None
        return [
            Act(
                kind,
                _on(place, step.size),
                _on(end, step.size) if end else None,
                text,
                direction,
                keys,
                button,
                count,
                status,
            )
        ]

    return predict


def _place_of(act: Act) -> Place | None:
    if act.point is not None:
        return act.point
    return act.targets[0].center if act.targets else None


def _middle(places: Sequence[tuple[Step, Place]]) -> Place | None:
    """Median of places as fractions of their screens."""
    sized = [(place[0] / step.size[0], place[1] / step.size[1]) for step, place in places if step.size is not None]
    if not sized:
        return None
    return median(x for x, _ in sized), median(y for _, y in sized)


def _on(place: Place, size: tuple[float, float]) -> Place:
    return place[0] * size[0], place[1] * size[1]

"""Agent trajectories: for each step the planning question, as text, and on its screen the instruction, or the task and
what was done; and guides, in which text and pictures take turns.

Prompts are exactly those of the `compact` dialect.
"""

import random
from collections.abc import Iterator

from action_space.dialects.compact import LOOK
from vlm.training.data.episodes import Episode, Moment
from vlm.training.data.kinds.question import SHOWN, Question
from vlm.training.data.records import Part, Picture, Truth


def agent(rng: random.Random, episode: Episode) -> Iterator[Question]:  # noqa: ARG001 (makers are called alike)
    """A plan for each moment, and a call for each that has one; and for each that may be looked for, its call then:
    where all is named, as if all had been looked for."""
    behind: list[str] = []
    told: list[str] = []
    mixed = any(moment.looked for moment in episode.moments)
    for moment in episode.moments:
        plan = LOOK if moment.looked else moment.plan
        yield Question("plan", (f"{so_far(episode.task, behind)}Next?",), plan, Truth(texts=(plan,)))
        boxes = (moment.box,) if moment.box else ()
        if moment.call and not moment.looked:
            truth = Truth(boxes=boxes, texts=(moment.call,))
            yield Question("step", (moment.plan, SHOWN), moment.call, truth, (moment.image,))
        if moment.act:
            truth = Truth(boxes=boxes, texts=(moment.act,))
            words = f"{so_far(episode.task, behind if mixed else told)}Look."
            yield Question(LOOK, (words, SHOWN), moment.act, truth, (moment.image,))
        told.append(moment.told or _said(moment))
        behind.append(told[-1] if moment.looked else _said(moment))


def _said(moment: Moment) -> str:
    return f"{moment.plan} ({moment.note})" if moment.note else moment.plan


def so_far(task: str, behind: list[str]) -> str:
    """How the dialect tells a task and what was done."""
    return f"Task: {task}\n" + "".join(f"{number}. {plan}\n" for number, plan in enumerate(behind, start=1))


def interleaved(rng: random.Random, episode: Episode) -> Iterator[Question]:
    """A guide with a picture before each step, up to one whose words are asked for."""
    last = rng.randrange(len(episode.moments))
    seen = episode.moments[: last + 1]
    parts: list[Part] = [f"How to: {episode.task}"]
    for number, moment in enumerate(seen):
        parts.append(Picture(image=number))
        if moment is not seen[-1]:
            parts.append(_line(number, moment))
    answer = _line(last, seen[-1])
    yield Question("guide", tuple(parts), answer, Truth(texts=(seen[-1].plan,)), tuple(m.image for m in seen))


def _line(number: int, moment: Moment) -> str:
    return f"{number + 1}. {moment.plan}"

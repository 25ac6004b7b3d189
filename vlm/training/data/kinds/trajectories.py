"""Agent trajectories: for each step the planning question, as text, and the instruction on its screen; and guides, in which text and
pictures take turns.

Prompts are exactly those of the `compact` dialect.
"""

import random
from collections.abc import Iterator

from vlm.training.data.episodes import Episode, Moment
from vlm.training.data.kinds.question import SHOWN, Question
from vlm.training.data.records import Part, Picture, Truth


def agent(rng: random.Random, episode: Episode) -> Iterator[Question]:  # noqa: ARG001 (makers are called alike)
    """A plan for each moment, and a call for each that has one."""
    behind: list[str] = []
    for moment in episode.moments:
        yield Question("plan", (plan_prompt(episode.task, behind),), moment.plan, Truth(texts=(moment.plan,)))
        if moment.call:
            boxes = (moment.box,) if moment.box else ()
            truth = Truth(boxes=boxes, texts=(moment.call,))
            yield Question("step", (moment.plan, SHOWN), moment.call, truth, (moment.image,))
        behind.append(moment.plan)


def plan_prompt(task: str, behind: list[str]) -> str:
    """What the dialect asks when these steps are done."""
    done = "".join(f"{number}. {plan}\n" for number, plan in enumerate(behind, start=1))
    return f"Task: {task}\n{done}Next?"


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

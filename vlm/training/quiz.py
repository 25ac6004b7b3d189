"""Generated questions for the current model: several answers to each, of which the truth confirms those that are kept.

Points on stored screens of the training side, and plans of generated tasks; words, screens and seeds are those of
training, never the held-out ones.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from action_space.actions import points_of
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Point, Size, smart_resize
from vlm.backends.base import Model
from vlm.training.data.render import Element, Screen, read_screens
from vlm.training.data.words import Words
from vlm.training.judging import Answers, Behind, plan_record, point_record, why_wrong
from vlm.training.pool import MOST_CELLS
from vlm.training.questions import askable, instruction, plan_question
from vlm.training.sampled import SeenScreen, Unit, keep_picture

ON_A_SCREEN, PLANS_A_UNIT = 4, 10


@dataclass(frozen=True, slots=True)
class Quiz:
    """What is asked, and how often. attempts: answers to a question, of which the first is the greedy one."""

    model: Model
    constrained: bool
    folder: Path
    seed: int
    attempts: int


def ask_points(quiz: Quiz, screens: Path, count: int, skip: frozenset[str] = frozenset()) -> Iterator[Unit]:
    """A unit for each of `count` screens of a training folder on which there is something to ask for."""
    rng = random.Random(f"quiz {quiz.seed}")
    stored = list(enumerate(read_screens(screens)))
    left = count
    for number, screen in rng.sample(stored, len(stored)):
        asked = askable(screen) if left and _is_seen_whole(screen) else []
        if asked:
            left -= 1
            name = f"points {quiz.seed}-{number}"
            if name not in skip:
                yield _points_on(quiz, screen, asked, name)


def _is_seen_whole(screen: Screen) -> bool:
    """Whether it has no more cells than the model learned on."""
    with Image.open(screen.image) as stored:
        seen = _frame(Size(*stored.size)).model
    return seen.width * seen.height <= MOST_CELLS * 28 * 28


def _points_on(quiz: Quiz, screen: Screen, askable: list[int], name: str) -> Unit:
    rng = random.Random(f"quiz {name}")
    with Image.open(screen.image) as stored:
        picture = stored.convert("RGB")
    frame = _frame(Size(*picture.size))
    shown = keep_picture(quiz.folder, picture)
    judged, dropped, right = [], Counter[str](), 0
    for number in rng.sample(askable, min(ON_A_SCREEN, len(askable))):
        element = screen.elements[number]
        words = instruction(rng, element.kind, element.name)
        found = Answers()
        for attempt in range(quiz.attempts):
            _judge_point(found, element, _point(quiz, picture, frame, words, attempt), dropped)
        right += found.right
        judged.append(found.judged(point_record(f"{name} {number}", shown, words, element, "quiz")))
    rows = tuple(_row(e) for e in screen.elements)
    chars = tuple(value for x, y, char in screen.chars for value in (x, y, ord(char)))
    return Unit(
        name=name,
        asked=len(judged) * quiz.attempts,
        right=right,
        judged=tuple(judged),
        screens=(SeenScreen(image=shown, elements=rows, chars=chars),),
        dropped=dict(dropped),
    )


def _judge_point(found: Answers, element: Element, point: Point | None, dropped: Counter[str]) -> None:
    if point is not None and element.hit_by(point.x, point.y):
        found.right += 1
        return
    found.wrong[f"click({point.x}, {point.y})" if point else ""] += 1
    dropped["a point beside the control" if point else "an answer without a point"] += 1


def _row(element: Element) -> dict[str, object]:
    label = {"label": _corners(element.label)} if element.label else {}
    return {"kind": element.kind, "name": element.name, "box": _corners(element.box), **label}


def _corners(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _frame(size: Size) -> Frame:
    dialect = load_dialect("compact")
    model = smart_resize(size, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
    return Frame(size, size).with_model(model)


def _point(quiz: Quiz, picture: Image.Image, frame: Frame, words: str, attempt: int) -> Point | None:
    dialect = load_dialect("compact")
    reply = quiz.model.generate(
        dialect.prompt(Turn(words, picture, frame), words),
        min_pixels=dialect.min_pixels,
        max_pixels=dialect.max_pixels,
        max_new_tokens=64,
        constraint=dialect.grammar(frame) if quiz.constrained else None,
        attempt=attempt and quiz.seed * 1000 + attempt,
    )
    try:
        return next(iter(points_of(dialect.parse(reply.text, frame))), None)
    except InvalidAction:
        return None


def ask_plans(quiz: Quiz, count: int, skip: frozenset[str] = frozenset()) -> Iterator[Unit]:
    """Units of ten tasks each, `count` tasks in all."""
    for first in range(0, count, PLANS_A_UNIT):
        name = f"plans {quiz.seed}-{first}"
        if name not in skip:
            yield _plans(quiz, name, min(PLANS_A_UNIT, count - first))


def _plans(quiz: Quiz, name: str, count: int) -> Unit:
    rng = random.Random(f"quiz {name}")
    words, kept, dropped, right = Words(rng, held_out=False), [], Counter[str](), 0
    for number in range(count):
        question = plan_question(rng, words)
        found = Answers()
        task = question.task.removeprefix("Task: ")
        for attempt in range(quiz.attempts):
            said = ask_plan(quiz, task, question.behind, attempt)
            why = why_wrong(said, question.answer, question.behind)
            if why:
                found.wrong[said] += 1
                dropped[why] += 1
            else:
                found.right += 1
        right += found.right
        record = plan_record(f"{name} {number}", task, question.behind, question.answer, "quiz")
        kept.append(found.judged(record))
    return Unit(name=name, asked=count * quiz.attempts, right=right, judged=tuple(kept), dropped=dict(dropped))


def ask_plan(quiz: Quiz, task: str, behind: Behind, attempt: int) -> str:
    """One answer to a planning prompt. attempt: 0 is greedy."""
    dialect = load_dialect("compact")
    size = Size(28, 28)
    steps = tuple(PastStep(None, "", plan, note.strip(" ()")) for plan, note in behind)
    turn = Turn(task, Image.new("RGB", (28, 28)), Frame(size, size), steps)
    question = dialect.plan_prompt(turn)
    assert question is not None
    reply = quiz.model.generate(
        question,
        max_new_tokens=128,
        constraint=dialect.plan_grammar(turn) if quiz.constrained else None,
        attempt=attempt and quiz.seed * 1000 + attempt,
    )
    return reply.text.strip().partition("\n")[0].strip()

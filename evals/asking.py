"""Ask a model the questions of a benchmark: what `agent eval BENCHMARK --model SPEC` does in its workers.

A grounding question is an instruction and a picture, asked as `agent ground` asks. A step of an episode is asked
as `agent run` asks: the task, the right answers of the steps before it as history, and its picture. Where a step may
ask for several actions, the model is asked on, on the same picture and with its own actions as history.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from action_space.actions import Action, Ask, Finish
from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect, Turn
from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Frame, Size
from agent.ground import asking_for
from agent.looks import place
from agent.models import SpokenModel, forget, load_model
from agent.pictures import open_picture
from agent.planner import Cost, Planner, Proposal, model_frame
from agent.trajectory import Step as RecordedStep
from environments.base import Observation
from evals.acts import action_of, acts_of, line_of, separated
from evals.benchmarks.reading import Broken, Source
from evals.benchmarks.screenspot import picture_size
from evals.journal import read_lines
from evals.predictions import ActLine
from evals.protocols.values import Act, Step
from evals.work import Do

FOLDERS = ("", "images", "screenshots", "screenspot_imgs", "screenspotv2_image", "img")
"""Where a picture is looked for, below the data's folder."""

FRACTIONS = ((1.0, 1.0), (1000.0, 1000.0))
"""Extents of coordinates that are not in pixels."""

LONGEST_PLACE = 256
"""Tokens of a reply to a grounding question."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_NO_IMAGE = "0" * 64


class Drawing(BaseModel):
    """Pages that are drawn to be asked about.

    style: plain pages of forms, tables and lists, those of an app, with icons, or text with links in it. size: width
    and height. questions: of a page, at most. missing: how many more ask for a name that the page does not have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages: int = Field(default=60, ge=1)
    seed: int = 0
    style: Literal["plain", "app", "text"] = "plain"
    size: tuple[int, int] = (1280, 720)
    questions: int = Field(default=5, ge=1)
    missing: int = Field(default=0, ge=0)


def page_size(text: str) -> tuple[int, int]:
    """Raises ConfigError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 200:
        raise ConfigError(f"the page size {text!r} is not WIDTHxHEIGHT of at least 200x200, as in 1280x720")
    return int(width), int(height)


class Plan(BaseModel):
    """What is measured. data: the benchmark's folder. limit: only so many of its questions, drawn by chance.

    drawing: what is drawn into that folder first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    data: str
    model: str
    limit: int | None = Field(default=None, ge=1)
    drawing: Drawing | None = None


class Answer(BaseModel):
    """What came of a question.

    action: as in a line of predictions, None if the reply held none. more: those that followed it on the same picture,
    where a step may ask for several. size: of the picture, which coordinates are pixels of. plan, reply: of the first
    action; mistake: why there is none. The costs are of all. seconds: of the model; took: of everything, from the
    picture's file to the action. error: why the question was not answered at all, "" if it was; then nothing else
    counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    action: ActLine | None = None
    more: tuple[ActLine, ...] = ()
    size: tuple[int, int] | None = None
    plan: str = ""
    reply: str = ""
    mistake: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    took: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker is told of a step: nothing of its right answer. size: extent of the coordinates of `past`.

    most, is_phone: of the `Source`.
    """

    id: str
    task: str
    image: Path
    is_grounding: bool
    past: tuple[Act, ...] = ()
    size: tuple[float, float] | None = None
    most: int = 1
    is_phone: bool = False


def questions(source: Source, steps: Sequence[Step], folder: Path) -> Iterator[Question | Broken]:
    """What can be asked; a step whose picture is missing, or of another size than the data says, is broken."""
    past: list[Act] = []
    episode = ""
    for step in steps:
        past = past if step.episode and step.episode == episode else []
        episode = step.episode
        yield _question(source, step, folder, tuple(past))
        past.extend(step.acts)


def _question(source: Source, step: Step, folder: Path, past: tuple[Act, ...]) -> Question | Broken:
    where = f"{step.row} ({step.id})"
    if not step.image:
        return Broken(where, "the data names no picture file of this step")
    image = find_image(folder, step.image)
    size = picture_size(image) if image else None
    if image is None or size is None:
        return Broken(where, f"the picture {step.image!r} {'cannot be read' if image else 'is missing'}")
    if step.size is not None and step.size not in FRACTIONS and step.size != size:
        said, found = (f"{wide:g}x{high:g}" for wide, high in (step.size, size))
        return Broken(where, f"the picture {step.image!r} is {found}, but the data says {said}")
    told = past, step.size, source.most, source.is_phone
    return Question(step.id, step.instruction, image, source.is_grounding, *told)


def find_image(folder: Path, name: str) -> Path | None:
    """A picture as the data names it, or by its file name in one of the usual folders; never outside of `folder`."""
    for path in (folder / name, *(folder / below / Path(name).name for below in FOLDERS)):
        try:
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                return path
        except OSError:  # a name that no file can have
            continue
    return None


def drawn(steps: Sequence[Step], limit: int | None) -> list[Step]:
    """So many steps, always the same ones, in their order."""
    if limit is None or limit >= len(steps):
        return list(steps)
    return [steps[place] for place in sorted(Random(0).sample(range(len(steps)), limit))]


def read_answers(folder: Path) -> dict[str, Answer]:
    """The newest answer to each question. Raises ConfigError."""
    return {answer.id: answer for answer in read_lines(folder, Answer)}


# ------------------------------------------------------------------------------------------------- in the worker


@contextmanager
def opened(spec: str) -> Iterator[Do]:
    """A worker's model. Gives what answers a question. Raises ConfigError, ModelError."""
    model = load_model(spec)
    dialect = load_dialect(model.dialect)

    def do(question: Question) -> Answer:
        started = time.perf_counter()
        forget(model)  # so that answers do not depend on what this worker was asked before
        answer = ask(model, dialect, question)
        return answer.model_copy(update={"took": round(time.perf_counter() - started, 4)})

    yield do


def ask(model: SpokenModel, dialect: Dialect, question: Question) -> Answer:
    """Raises ModelError; what is wrong with the picture is in `error`."""
    try:
        image = open_picture(question.image)
        seen = Observation(image, Frame(Size(*image.size), Size(*image.size)))
        said = (
            [_ground(model, dialect, question, seen)]
            if question.is_grounding
            else _steps(model, dialect, question, seen)
        )
    except (ConfigError, DeviceError) as error:
        return Answer(id=question.id, error=str(error))
    acts = [act for each in said for act in acts_of(each.action)]
    if question.is_grounding:
        acts = [Act("refuse") if act.kind == "finish" and act.status == "failure" else act for act in acts]
    first, cost = said[0], [each.cost for each in said]
    return Answer(
        id=question.id,
        action=line_of(acts[0]) if acts else None,
        more=tuple(map(line_of, acts[1:])),
        size=image.size,
        plan=first.plan,
        reply=first.reply,
        mistake=str(first.mistake) if first.mistake is not None else "",
        tokens_in=sum(each.tokens_in for each in cost),
        tokens_out=sum(each.tokens_out for each in cost),
        seconds=round(sum(each.prefill_s + each.decode_s for each in cost), 4),
    )


def _ground(model: SpokenModel, dialect: Dialect, question: Question, seen: Observation) -> Proposal:
    """Ask for the place that an instruction names. Raises DeviceError for a picture of impossible shape, ModelError."""
    frame = model_frame(seen.frame, dialect)
    ask = asking_for(model, dialect, LONGEST_PLACE, constrained=model.constrained)
    turn = Turn(question.task, seen.image, frame)
    placed = place(ask, turn, question.task, dialect, looks=model.looks, model=model)
    cost = reduce(Cost.plus, placed.asked, Cost())
    return Proposal(frame, reply=placed.reply.text, action=placed.action, mistake=placed.mistake, cost=cost)


def _steps(model: SpokenModel, dialect: Dialect, question: Question, seen: Observation) -> list[Proposal]:
    """The next step of a task, and those after it that the question has room for: until the model says that it is done,
    says the same again, or nothing that can be read. What ends it is the last, without its action.

    Raises DeviceError for a picture of impossible shape, ModelError.
    """
    planner = Planner(model, dialect, constrained=model.constrained, looks=model.looks)
    past = _history(question, seen.frame.screen)

    def propose() -> Proposal:
        return planner.propose(question.task, past, seen, lambda _digest: seen.image)

    said = [propose()]
    while len(said) < question.most and _goes_on(last := said[-1].action):
        past.append(_step(len(past) + 1, said[-1].frame, last, said[-1].plan, said[-1].reply))
        proposal = propose()
        taken = _goes_on(proposal.action) and proposal.action != last
        said.append(proposal if taken else replace(proposal, action=None))
    return said


def _goes_on(action: Action | None) -> bool:
    return action is not None and not isinstance(action, Finish | Ask)


def _history(question: Question, screen: Size) -> list[RecordedStep]:
    """The right answers of the benchmark as if they were steps of a run."""
    acts = [each for act in question.past for each in separated(_in_pixels(act, question.size, screen))]
    actions = [action_of(act, screen, phone=question.is_phone) for act in acts]
    return [_step(number, Frame(screen, screen), action) for number, action in enumerate(actions, start=1)]


def _step(number: int, frame: Frame, action: Action | None, plan: str = "", reply: str = "") -> RecordedStep:
    return RecordedStep(
        number=number,
        started=_LONG_AGO,
        image=_NO_IMAGE,
        frame=frame,
        plan=plan,
        reply=reply,
        action=action,
        effect="elsewhere",
    )


def _in_pixels(act: Act, extent: tuple[float, float] | None, screen: Size) -> Act:
    place = act.point or (act.targets[0].center if act.targets else None)
    if extent is None:
        return replace(act, point=place)
    across, down = screen.width / extent[0], screen.height / extent[1]
    point, end = ((each[0] * across, each[1] * down) if each else None for each in (place, act.end))
    return replace(act, point=point, end=end)

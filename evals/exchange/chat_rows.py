"""Training rows: what a model is asked, and what it should answer, as chat messages with pictures.

`openai`: a step a row, the prompt exactly as the planner asks it in a dialect, and the reply that the dialect reads
back as the recorded action. Dialects that plan first give two rows a step. Pictures are `image_url` parts.

    {"id": "run#3", "messages": [{"role": "system", "content": [...]}, {"role": "user", "content": [{"type": "text",
     "text": ...}, {"type": "image_url", "image_url": {"url": "images/<sha256>.png"}}]}, {"role": "assistant", ...}]}

`ui-tars`: a run a row, all its steps one conversation, as UI-TARS was trained: points from 0 to 1000, and `loss_mask`
1 on what the model should learn to say.
"""

from collections.abc import Iterator, Sequence

from PIL import Image

from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect
from action_space.dialects.ui_tars import COMPUTER, MOBILE
from action_space.errors import ConfigError, DeviceError, ModelMistake
from action_space.geometry import Frame, Size
from action_space.messages import Message
from agent.planner import build_turn, model_frame
from agent.recorder import load_image
from agent.trajectory import STEPS, Step, Trajectory
from environments.base import Observation
from evals.benchmarks.reading import Broken
from evals.exchange.exporting import Exporter, Rows, Words, image_name

THOUSAND = Size(1000, 1000)

ASSISTANT, USER = "assistant", "user"


def openai_rows(trajectory: Trajectory, name: str, words: Words) -> Rows:
    """Raises ConfigError for an unknown dialect."""
    touch = trajectory.header.versions.env == "android"
    dialect = load_dialect(words.dialect or ("mobile_use" if touch else "computer_use"))
    for at, step in enumerate(trajectory.steps):
        if step.action is None or step.error is not None:
            continue  # nothing to learn
        where = f"{name}#{step.number}"
        try:
            pairs = list(_asked_and_said(trajectory, at, step, dialect))
        except (DeviceError, ModelMistake) as error:
            yield Broken(f"{trajectory.folder / STEPS}:{step.number}", str(error))
            continue
        for suffix, messages, reply in pairs:
            shown = [_chat(message, step.image) for message in messages]
            yield {"id": where + suffix, "messages": [*shown, {"role": ASSISTANT, "content": reply}]}


def _asked_and_said(
    trajectory: Trajectory, at: int, step: Step, dialect: Dialect
) -> Iterator[tuple[str, Sequence[Message], str]]:
    """Questions and right answers of a step. Raises DeviceError, ModelMistake."""
    assert step.action is not None
    image = load_image(trajectory.image_path(step.image))
    screen = step.frame.with_model(step.frame.screen)
    frame = model_frame(screen, dialect)
    seen = Observation(image, screen, step.context, details=step.details)
    turn = build_turn(trajectory.header.task, trajectory.steps[:at], seen, frame, _no_older_pictures)
    question = dialect.plan_prompt(turn)
    reply = dialect.render(step.action, frame)
    if question is not None and step.plan:
        yield " plan", question, step.plan
        if _is_said_by_its_plan(dialect, step.plan, frame):
            return
    yield "", dialect.prompt(turn, step.plan if question is not None else ""), reply


def _is_said_by_its_plan(dialect: Dialect, plan: str, frame: Frame) -> bool:
    try:
        return dialect.plan_action(plan, frame) is not None
    except ModelMistake:
        return False


def _no_older_pictures(digest: str) -> Image.Image:
    raise ConfigError(f"a prompt with one picture asked for an older one ({digest})")


def _chat(message: Message, digest: str) -> dict[str, object]:
    """The only picture of a prompt is the step's own."""
    parts: list[dict[str, object]] = []
    for part in message.content:
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        else:
            parts.append(_picture(digest))
    return {"role": message.role, "content": parts}


def _picture(digest: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": image_name(digest)}}


def ui_tars_rows(trajectory: Trajectory, name: str, _words: Words) -> Rows:
    dialect = MOBILE if trajectory.header.versions.env == "android" else COMPUTER
    said: list[dict[str, object]] = []
    for step in trajectory.steps:
        if step.action is None or step.error is not None:
            continue
        where = f"{trajectory.folder / STEPS}:{step.number}"
        try:
            call = dialect.render(step.action, Frame(THOUSAND, step.frame.screen))
        except ModelMistake as error:
            yield Broken(where, str(error))
            continue
        if not trajectory.image_path(step.image).is_file():
            yield Broken(where, f"its screenshot {step.image[:12]} is gone")
            continue
        said.append({"role": USER, "content": [_picture(step.image)], "loss_mask": 0})
        said.append({"role": ASSISTANT, "content": f"Thought: {_thought(step)}\n{call}", "loss_mask": 1})
    if said:
        yield {"id": name, "messages": [_instruction(dialect, trajectory.header.task), *said]}


def _thought(step: Step) -> str:
    """What was thought before the action; the family always thinks."""
    before, _, _ = step.reply.partition("Action:")
    thought = before.partition("Thought:")[2].strip()
    return " ".join((step.plan or thought or step.note).split()) or "Next step."


def _instruction(dialect: Dialect, task: str) -> dict[str, object]:
    # The family's prompt for a screen that nothing was done on yet begins with its whole instruction.
    frame = Frame(THOUSAND, THOUSAND)
    blank = Observation(Image.new("RGB", (1, 1)), frame)
    first = dialect.prompt(build_turn(task, (), blank, frame, _no_older_pictures))[0]
    return {"role": USER, "content": [{"type": "text", "text": str(first.content[0])}], "loss_mask": 0}


OPENAI = Exporter("openai", "rows.jsonl", openai_rows)
UI_TARS = Exporter("ui-tars", "rows.jsonl", ui_tars_rows)

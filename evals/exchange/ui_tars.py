"""UI-TARS-desktop's GUIAgentData: a JSON file a run, or a folder of them.

`{instruction, modelName, status, logTime, conversations [{from, value, screenshotBase64, screenshotContext,
predictionParsed [{thought, action_type, action_inputs {start_box, end_box, content, key, direction}}], timing}]}`. A
`human` with a screenshot is a look, the `gpt` after it what was done there. Boxes are JSON texts of corners from 0 to
1, and count by their centre. `\\n` in a content is a newline. `finished` is a success; without it the status decides.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from action_space.actions import Action
from action_space.dialects.keyword_call import quoted, written_call
from action_space.dialects.tool_call import build
from action_space.dialects.ui_tars import COMPUTER
from action_space.geometry import Frame, Point, Size
from agent.trajectory import StopReason
from evals.benchmarks.reading import Broken, Record
from evals.exchange.foreign import (
    Foreign,
    Importer,
    Taken,
    at_time,
    decode_base64,
    json_files,
    pixel,
    pointer_after,
    read_each,
    steps_of,
)

STATUS: dict[str, StopReason] = {"max_loop": "steps", "user_stopped": "interrupted", "error": "model"}
"""The source's ends that are no claim."""

NAMES = {"left_click": "click", "double_click": "left_double", "right_click": "right_single"} | {
    "left_click_drag": "drag",
    "select": "drag",
}
"""Other names of the source's operators -> the dialect's."""

BOX: TypeAdapter[list[FiniteFloat]] = TypeAdapter(list[FiniteFloat])


class Parsed(Record):
    action_type: str = ""
    action_inputs: dict[str, object] = Field(default_factory=dict)
    thought: str | None = ""


class Timing(Record):
    start: FiniteFloat | None = None
    cost: FiniteFloat | None = None


class Said(Record):
    speaker: Literal["human", "gpt"] = Field(alias="from")
    value: str = ""
    screenshot: str | None = Field(default=None, alias="screenshotBase64")
    parsed: list[Parsed] | None = Field(default=None, alias="predictionParsed")
    timing: Timing | None = None


class Data(Record):
    instruction: str = Field(min_length=1)
    model: str = Field(default="", alias="modelName")
    status: str = ""
    logged_ms: FiniteFloat | None = Field(default=None, alias="logTime")
    conversations: list[object]


def runs(path: Path, task: str) -> Iterator[Foreign | Broken]:
    files = json_files(path, "a file of UI-TARS-desktop's GUIAgentData, or their folder")
    yield from read_each(files, lambda file, document: _run(file, Data.model_validate(document), task))


def _run(file: Path, data: Data, task: str) -> Foreign:
    rows = [(f"{file} conversations.{number}", said) for number, said in enumerate(data.conversations)]
    reason, text = _ending(data)
    created = at_time(data.logged_ms / 1000) if data.logged_ms is not None else None
    model, name = data.model or "UI-TARS", file.stem
    return Foreign(
        str(file), name, task or data.instruction, "desktop", model, partial(_steps, rows), reason, text, created
    )


def _ending(data: Data) -> tuple[StopReason, str]:
    try:
        last = Said.model_validate(data.conversations[-1]) if data.conversations else None
    except ValueError:
        last = None  # it is named when the steps are read
    for parsed in (last and last.parsed) or []:
        if parsed.action_type == "finished":
            return "success", _text(parsed.action_inputs, "content")
    return STATUS.get(data.status, "interrupted"), data.status


def _steps(rows: Sequence[tuple[str, object]]) -> Iterator[Taken | Broken]:
    shown: str | None = None
    pointer: Point | None = None

    def read(where: str, raw: object) -> Taken | None:
        nonlocal shown, pointer
        said = Said.model_validate(raw)
        if said.speaker == "human":
            shown = said.screenshot or shown
            return None
        if shown is None:
            raise ValueError("no screenshot stands before it")
        image, shown = decode_base64(shown), None
        size = Size(*image.size)
        actions: list[Action] = []
        for parsed in said.parsed or []:
            actions.append(_action(parsed, size, pointer))
            pointer = pointer_after(actions, pointer)
        timing = said.timing or Timing()
        started = at_time(timing.start / 1000) if timing.start is not None else None
        seconds = max(0.0, (timing.cost or 0.0) / 1000)
        if not actions:
            raise ValueError("predictionParsed: there is no action")
        return Taken(where, image, actions, reply=said.value, started=started, seconds=seconds)

    return steps_of(rows, read)


def _action(parsed: Parsed, size: Size, pointer: Point | None) -> Action:
    """Written as the family's call, in pixels of the screenshot, and read by its dialect."""
    name, inputs = parsed.action_type, parsed.action_inputs
    if name in ("hover", "mouse_move"):
        return build("move", point=_point(inputs.get("start_box"), size))
    if name == "navigate":
        return build("open", target=_text(inputs, "content") or _text(inputs, "url"))
    if name == "navigate_back":
        return build("press", keys=("back",))
    boxes = {key: _point(inputs[key], size) for key in ("start_box", "end_box") if inputs.get(key)}
    written: dict[str, str | float] = {key: f"'({point.x},{point.y})'" for key, point in boxes.items()}
    for key in ("key", "direction", "app_name"):
        if text := _text(inputs, key):
            written[key] = quoted(text)
    if "content" in inputs:
        written["content"] = quoted(_text(inputs, "content").replace("\\n", "\n"))
    return COMPUTER.parse(f"Action: {written_call(NAMES.get(name, name), written)}", Frame(size, size), pointer)


def _point(box: object, size: Size) -> Point:
    numbers = BOX.validate_json(box) if isinstance(box, str) else BOX.validate_python(box)
    if len(numbers) not in (2, 4):
        raise ValueError(f"a box has 2 or 4 numbers, not {len(numbers)}")
    return pixel((numbers[0] + numbers[-2]) / 2, (numbers[1] + numbers[-1]) / 2, size)


def _text(inputs: dict[str, object], key: str) -> str:
    value = inputs.get(key)
    return value if isinstance(value, str) else ""


IMPORTER = Importer("ui-tars", "a JSON file of UI-TARS-desktop's GUIAgentData, or their folder", runs)

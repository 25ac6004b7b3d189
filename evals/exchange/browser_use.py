"""browser-use: a history file as `save_history` writes it, or a folder of them.

`{history [{model_output {action [{NAME: {...}}], next_goal, memory}, result [{is_done, success, extracted_content,
error}], state {url, title, screenshot_path or screenshot, interacted_element}, metadata {step_start_time,
step_end_time}}]}`. The file does not say its task, so --task has to.

Actions name an element by index; where it was is in `interacted_element`: `viewport_coordinates` in older versions,
`bounds` in newer ones. Its centre is where it was clicked, and it is the target. Bounds are of the document, not of
the window, so they mean nothing once the page was scrolled: such steps are left out until the address changes. What is
no action on a screen (extract, switch, write_file ...) is left out, too. `input` is a click and a text. Screenshots are
taken for one pixel per CSS pixel.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from PIL import Image
from pydantic import Field, FiniteFloat

from action_space.actions import Action
from action_space.dialects.tool_call import build
from action_space.errors import ConfigError
from action_space.geometry import Box, Point, Size
from action_space.keys import chord
from agent.trajectory import StepError, StopReason
from evals.benchmarks.reading import Broken, Record
from evals.exchange.foreign import (
    Foreign,
    Importer,
    Taken,
    at_time,
    decode_base64,
    first_file,
    json_files,
    one_line,
    read_each,
    read_picture,
    steps_of,
)

CLICKS = frozenset({"click", "click_element", "click_element_by_index"})
INPUTS = frozenset({"input", "input_text"})
OPENS = frozenset({"navigate", "go_to_url", "open_tab"})
SCROLLED = frozenset({"scroll", "scroll_down", "scroll_up", "find_text", "scroll_to_text"})

NOTCH = 100
"""CSS pixels."""


class Rectangle(Record):
    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat


class Corner(Record):
    x: FiniteFloat
    y: FiniteFloat


class Coordinates(Record):
    top_left: Corner
    width: FiniteFloat
    height: FiniteFloat


class Element(Record):
    bounds: Rectangle | None = None
    viewport_coordinates: Coordinates | None = None


class Brain(Record):
    next_goal: str | None = ""
    memory: str | None = ""


class Output(Brain):
    current_state: Brain | None = None
    action: list[dict[str, dict[str, object] | None]] = Field(default_factory=list)


class Result(Record):
    is_done: bool | None = False
    success: bool | None = None
    error: str | None = None
    extracted_content: str | None = None


class State(Record):
    url: str | None = ""
    title: str | None = ""
    screenshot_path: str | None = None
    screenshot: str | None = None
    interacted_element: list[Element | None] | None = None


class Timing(Record):
    step_start_time: FiniteFloat | None = None
    step_end_time: FiniteFloat | None = None
    input_tokens: int | None = None


class Item(Record):
    model_output: Output | None = None
    result: list[Result] = Field(default_factory=list)
    state: State
    metadata: Timing | None = None


class Data(Record):
    history: list[object]


def runs(path: Path, task: str) -> Iterator[Foreign | Broken]:
    files = json_files(path, "a history of browser-use, or a folder of them")
    if not task.strip():
        raise ConfigError("histories of browser-use do not say their task: give it with --task")
    yield from read_each(files, lambda file, document: _run(file, Data.model_validate(document), task))


def _run(file: Path, data: Data, task: str) -> Foreign:
    rows = [(f"{file} history.{number}", item) for number, item in enumerate(data.history)]
    reason, text = _ending(data.history)
    return Foreign(
        str(file), file.stem, task, "browser", "browser-use agent", partial(_steps, file.parent, rows), reason, text
    )


def _ending(history: Sequence[object]) -> tuple[StopReason, str]:
    try:
        last = Item.model_validate(history[-1]).result[-1] if history else Result()
    except (ValueError, IndexError):
        last = Result()
    if not last.is_done:
        return "interrupted", last.error or "it never said that it was done"
    return ("success" if last.success else "failure"), last.extracted_content or ""


def _steps(folder: Path, rows: Sequence[tuple[str, object]]) -> Iterator[Taken | Broken]:
    address, scrolled = "", False

    def read(where: str, raw: object) -> Taken | None:
        nonlocal address, scrolled
        item = Item.model_validate(raw)
        if (item.state.url or "") != address:
            address, scrolled = item.state.url or "", False
        output, was_scrolled = item.model_output, scrolled
        if output is None or not output.action:
            return None  # the model's reply could not be read, or it wanted nothing
        scrolled = scrolled or any(name in SCROLLED for each in output.action for name in each)
        image = _picture(folder, item.state)
        elements = item.state.interacted_element or []
        actions, target = list[Action](), None
        for at, each in enumerate(output.action):
            box = _box(elements[at] if at < len(elements) else None, Size(*image.size), scrolled=was_scrolled)
            target = target if at else box
            actions += _actions(each, box, Size(*image.size))
        if not actions:
            raise ValueError(
                f"{', '.join(name for each in output.action for name in each)[:80]}: no action on a screen"
            )
        return _taken(where, item, output, image, actions, target)

    return steps_of(rows, read)


def _taken(
    where: str, item: Item, output: Output, image: Image.Image, actions: list[Action], target: Box | None
) -> Taken:
    errors = [result.error for result in item.result if result.error]
    timing, brain = item.metadata or Timing(), output.current_state or output
    started, ended = timing.step_start_time, timing.step_end_time
    return Taken(
        where,
        image,
        actions,
        (target,) if target else (),
        plan=one_line(brain.next_goal or ""),
        note=one_line(errors[0]) if errors else "",
        error=StepError(kind="DeviceError", text=one_line(errors[0])) if errors else None,
        context=(f"URL: {one_line(item.state.url or '')}", f"Title: {one_line(item.state.title or '')}"),
        details={"url": item.state.url or ""},
        started=at_time(started),
        seconds=max(0.0, ended - started) if started is not None and ended is not None else 0.0,
        tokens_in=max(0, timing.input_tokens or 0),
    )


def _picture(folder: Path, state: State) -> Image.Image:
    """Where the file says, or beside the history under the same name. Raises ValueError."""
    if state.screenshot:
        return decode_base64(state.screenshot)
    if not state.screenshot_path:
        raise ValueError("state: it has no screenshot")
    path = folder / state.screenshot_path
    beside = (folder / path.name, folder / "screenshots" / path.name)
    return read_picture(first_file(beside) or path)


def _box(element: Element | None, size: Size, *, scrolled: bool) -> Box | None:
    """The element on the screenshot, None where that is not known."""
    if element is None:
        return None
    if element.viewport_coordinates is not None:
        at = element.viewport_coordinates
        return _cut(at.top_left.x, at.top_left.y, at.width, at.height, size)
    if element.bounds is None or scrolled:
        return None
    return _cut(element.bounds.x, element.bounds.y, element.bounds.width, element.bounds.height, size)


def _cut(x: float, y: float, width: float, height: float, size: Size) -> Box | None:
    """None if nothing of it is on the screen."""
    if max(abs(value) for value in (x, y, width, height)) > 1e6:
        return None
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(size.width, round(x + width)), min(size.height, round(y + height))
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def _actions(named: dict[str, dict[str, object] | None], box: Box | None, size: Size) -> list[Action]:
    """None for what is no action on a screen. Raises ValueError, InvalidAction."""
    if len(named) != 1:
        raise ValueError(f"action: one name is needed, not {len(named)}")
    ((name, given),) = named.items()
    given = given or {}
    match name:
        case _ if name in CLICKS:
            return [build("click", point=_place(given, box))]
        case _ if name in INPUTS:
            return [build("click", point=_place(given, box)), build("type", text=given.get("text"))]
        case _ if name in OPENS:
            return [build("open", target=given.get("url"))]
        case "scroll" | "scroll_down" | "scroll_up":
            return [_scroll(name, given, box, size)]
        case "send_keys":
            return [_keys(given.get("keys"))]
        case "go_back":
            return [build("press", keys=("back",))]
        case "wait":
            return [build("wait", seconds=given.get("seconds", 3))]
        case "done":
            status = "success" if given.get("success", True) is True else "failure"
            return [build("finish", status=status, text=given.get("text") or "")]
        case _:
            return []


def _place(given: dict[str, object], box: Box | None) -> Point:
    x, y = given.get("coordinate_x"), given.get("coordinate_y")
    if isinstance(x, int) and isinstance(y, int):
        return Point(x, y)
    if box is None:
        raise ValueError("nothing says where on the screenshot the element was")
    return box.center


def _scroll(name: str, given: dict[str, object], box: Box | None, size: Size) -> Action:
    down = given.get("down", True) is True if name == "scroll" else name == "scroll_down"
    pages = given.get("pages", given.get("num_pages", 1.0))
    if not isinstance(pages, int | float) or not 0 < pages <= 1000:
        raise ValueError(f"pages: a number above 0 is needed, not {pages!r:.40}")
    point = box.center if box else Point(size.width // 2, size.height // 2)
    notches = max(1, min(round(pages * size.height / NOTCH), 100))
    return build("scroll", point=point, direction="down" if down else "up", amount=notches)


def _keys(keys: object) -> Action:
    """A chord; what is no name of keys is typed, as the source does."""
    if not isinstance(keys, str):
        raise ValueError(f"keys: a text is needed, not {keys!r:.40}")
    try:
        return build("press", keys=chord(keys))
    except ValueError:
        return build("type", text=keys)


IMPORTER = Importer("browser-use", "a history of browser-use (JSON), or a folder of them; needs --task", runs)

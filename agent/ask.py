"""`agent ask`: a question about a picture, and its answer as text, places, values or a document."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action_space.errors import ConfigError
from action_space.geometry import Box, Point
from action_space.messages import Clip
from agent.cli import Json, Spec
from agent.draw import Mark, require_writable, save_drawing
from agent.models import load_model
from agent.pictures import open_picture_or_video
from agent.results import results_only
from vlm import tasks
from vlm.markdown import to_markdown
from vlm.places import Labelled
from vlm.qwen_html import Document, plain_html
from vlm.spans import Span

app = typer.Typer(name="ask", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class Format(StrEnum):
    """What kind of answer is wanted."""

    TEXT = "text"
    POINT = "point"
    BOX = "box"
    COUNT = "count"
    OCR = "ocr"
    KEYS = "keys"
    HTML = "html"
    MARKDOWN = "markdown"
    SPAN = "span"


_WITHOUT_PROMPT = (Format.OCR, Format.HTML, Format.MARKDOWN)
_WITHOUT_PLACES = (Format.TEXT, Format.KEYS, Format.SPAN)

Row = Mark | Span


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer, ready to be shown: its JSON value, the text, the table's rows below it, and what can be drawn."""

    value: object
    text: str = ""
    rows: tuple[Row, ...] | None = None
    marks: tuple[Mark, ...] = ()


@app.command()
def ask(
    image: Annotated[
        Path,
        typer.Argument(help="A picture (if it moves, its first frame), a video, or the folder of a recorded run."),
    ],
    prompt: Annotated[
        str,
        typer.Argument(
            help="The question; for point, box and span what to find, for count what to count, for keys the keys with "
            "commas between. Not needed for ocr, html and markdown."
        ),
    ] = "",
    task_format: Annotated[Format, typer.Option(help="What kind of answer is wanted.")] = Format.TEXT,
    model: Spec = "",
    draw: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Write the picture with the places.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest reply, by default as the format needs.")
    ] = None,
    fps: Annotated[float, typer.Option(min=0.01, max=60, help="Of a video or run: frames a second to look at.")] = 2.0,
    max_frames: Annotated[int, typer.Option(min=2, max=768, help="Of a video or run: how many frames at most.")] = 768,
    start: Annotated[float, typer.Option("--from", min=0, help="Of a video or run: first second to look at.")] = 0.0,
    end: Annotated[float | None, typer.Option("--to", min=0, help="Of a video or run: last second to look at.")] = None,
    as_json: Json = False,
) -> None:
    """Ask about a picture, a video or a recorded run; places are in pixels of the picture as a viewer shows it."""
    with results_only(as_json) as give:
        _require_prompt(task_format, prompt.strip())
        task = _task(task_format, prompt.strip())
        picture = open_picture_or_video(image, fps=fps, most=max_frames, start_s=start, end_s=end)
        _require_fitting(picture, task_format)
        if draw is not None:
            _require_drawing(draw, image, task_format)
        loaded = load_model(model or "bundled")
        answer = tasks.ask(loaded, task, picture, max_new_tokens=max_tokens)
        shown = _present(_from_its_beginning(answer.value, picture), task_format)
        if not answer.reply.finished:
            _note(f"the reply was cut off after {answer.reply.tokens_out} tokens: --max-tokens allows more")
        if draw is not None and not isinstance(picture, Clip):
            save_drawing(picture, shown.marks, draw)
        if as_json:
            drawing = str(draw) if draw is not None else None
            about = {"task_format": task_format.value, "answer": shown.value, **_about(picture), **_costs(answer)}
            give({**about, "model": loaded.name, "drawing": drawing, "exit_code": 0})
        else:
            _print(shown)


def _costs(answer: tasks.Answer[Any]) -> dict[str, object]:
    """The reply as it came, and what it took."""
    reply = answer.reply
    tokens = {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out}
    return {"reply": reply.text, "finished": reply.finished, **tokens, "seconds": round(answer.seconds, 3)}


def _require_fitting(picture: Image.Image | Clip, task_format: Format) -> None:
    if isinstance(picture, Clip) and task_format not in (Format.TEXT, Format.SPAN):
        raise ConfigError(f"--task-format {task_format.value} is for pictures; of a video ask for text or span")


def _from_its_beginning(value: object, picture: Image.Image | Clip) -> object:
    """Spans that a model counts from the first frame it sees, in the video's own time."""
    if not isinstance(picture, Clip) or not isinstance(value, tuple):
        return value
    return tuple(Span(span.start_s + picture.start_s, span.end_s + picture.start_s, span.label) for span in value)


def _about(picture: Image.Image | Clip) -> dict[str, object]:
    if not isinstance(picture, Clip):
        return {"size": list(picture.size)}
    frames = {"frames": len(picture.frames), "seconds_per_frame": round(picture.seconds_per_frame, 4)}
    return {"size": list(picture.frames[0].size), **frames, "from_s": round(picture.start_s, 4)}


def _require_drawing(out: Path, image: Path, task_format: Format) -> None:
    if task_format in _WITHOUT_PLACES:
        known = ", ".join(form for form in Format if form not in _WITHOUT_PLACES)
        raise ConfigError(f"--draw has nothing to draw for {task_format.value!r}: it takes --task-format {known}")
    require_writable(out)
    if out.exists() and out.samefile(image):
        raise ConfigError(f"--draw {str(out)!r} is the picture itself: give another file")


def _require_prompt(task_format: Format, prompt: str) -> None:
    if not prompt and task_format not in _WITHOUT_PROMPT:
        raise ConfigError(f"the prompt is empty, and --task-format {task_format.value} needs one: say what to look for")
    if prompt and task_format in _WITHOUT_PROMPT:
        _note(f"--task-format {task_format.value} asks its own question, the prompt is not used")


def _task(task_format: Format, prompt: str) -> tasks.Task[Any]:
    match task_format:
        case Format.TEXT:
            return tasks.plain(prompt)
        case Format.POINT:
            return tasks.points(prompt)
        case Format.BOX:
            return tasks.boxes(prompt)
        case Format.COUNT:
            return tasks.counting(prompt)
        case Format.OCR:
            return tasks.ocr()
        case Format.KEYS:
            return tasks.key_values([key.strip() for key in prompt.split(",") if key.strip()])
        case Format.HTML | Format.MARKDOWN:
            return tasks.document()
        case Format.SPAN:
            return tasks.spans(prompt)
        case _:
            assert_never(task_format)


def _present(value: Any, task_format: Format) -> Shown:  # noqa: ANN401 (of the type that the format's task gives)
    match task_format:
        case Format.TEXT:
            return Shown(value, value)
        case Format.KEYS:
            found = (f"{key}: {text if text is not None else '-'}" for key, text in value.items())
            return Shown(value, "\n".join(found))
        case Format.HTML | Format.MARKDOWN:
            return _document(value, task_format)
        case Format.COUNT:
            return _count(value)
        case Format.BOX | Format.POINT | Format.OCR:
            return Shown([_entry(mark, task_format) for mark in value], "", value, value)
        case Format.SPAN:
            return Shown([_entry(span, task_format) for span in value], "", value)
        case _:
            assert_never(task_format)


def _document(page: Document, task_format: Format) -> Shown:
    marks = tuple(Labelled(block.box, block.kind) for block in page.blocks)
    blocks = [{"kind": block.kind, "box": _numbers(block.box), "text": block.text} for block in page.blocks]
    text = plain_html(page.html) if task_format is Format.HTML else to_markdown(page.html)
    value = {task_format.value: text, "qwen_html": page.html, "blocks": blocks}
    return Shown(value, text.rstrip("\n"), None, marks)


def _count(found: tasks.Count) -> Shown:
    differs = found.stated is not None and found.stated != found.count
    value = {
        "count": found.count,
        "stated": found.stated,
        "places": [_entry(mark, Format.COUNT) for mark in found.places],
    }
    text = f"{found.count}" + (f" (but the model says {found.stated})" if differs else "")
    return Shown(value, text, found.places or None, found.places)


def _entry(row: Row, task_format: Format) -> dict[str, object]:
    if isinstance(row, Span):
        return {"start_s": row.start_s, "end_s": row.end_s, "label": row.label}
    kind = "point" if isinstance(row.place, Point) else "box"
    return {kind: _numbers(row.place), "text" if task_format is Format.OCR else "label": row.label}


def _numbers(place: Box | Point) -> list[int]:
    return [place.x, place.y] if isinstance(place, Point) else [place.left, place.top, place.right, place.bottom]


def _print(shown: Shown) -> None:
    if shown.text:
        typer.echo(_printable(shown.text))
    if shown.rows is None:
        return
    if not shown.rows:
        typer.echo("nothing found")
        return
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(_table(shown.rows))
    typer.echo(capture.get(), nl=False)


def _table(rows: Sequence[Row]) -> Table:
    table = Table()
    for name in _columns(rows[0]):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        times = (f"{row.start_s:.2f}", f"{row.end_s:.2f}") if isinstance(row, Span) else map(str, _numbers(row.place))
        table.add_row(*times, Text(_printable(row.label)))
    return table


def _columns(row: Row) -> tuple[str, ...]:
    if isinstance(row, Span):
        return "start s", "end s"
    return ("x", "y") if isinstance(row.place, Point) else ("left", "top", "right", "bottom")


def _printable(text: str) -> str:
    """Without the control characters that would steer a terminal, and in what stdout can encode."""
    text = "".join(c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "�" for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _note(text: str) -> None:
    typer.echo(f"agent: {text}", err=True)

"""`agent ask`: a question about a picture, and its answer as text, places, values or a document."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action_space.errors import ConfigError
from action_space.geometry import Box, Point
from agent.cli import Json, Spec
from agent.draw import Shape, require_writable, save_drawing
from agent.models import load_model
from agent.results import results_only
from vlm import tasks
from vlm.markdown import to_markdown
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
_VIDEOS = frozenset(
    f".{n}" for n in ("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "wmv", "flv", "3gp", "ogv")
)

Row = tuple[Box | Point | Span, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer, ready to be shown: its JSON value, the text before the table, and the table's rows."""

    value: object
    text: str = ""
    rows: tuple[Row, ...] | None = None
    shapes: tuple[Shape, ...] = ()


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(help="A picture, such as a screenshot, a photo or a scanned page.")],
    prompt: Annotated[
        str,
        typer.Argument(
            help="The question; for point and box what to find, for count what to count, for keys the keys with "
            "commas between. Not needed for ocr, html and markdown."
        ),
    ] = "",
    task_format: Annotated[Format, typer.Option(help="What kind of answer is wanted.")] = Format.TEXT,
    model: Spec = "",
    draw: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Write the picture with the places.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest reply, by default as the format needs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask about a picture; places are in pixels of the picture as a viewer shows it."""
    with results_only(as_json) as give:
        task = _task(task_format, prompt)
        picture = open_still(image)
        if draw is not None:
            _require_drawing(draw, image, task_format)
        loaded = load_model(model or "bundled")
        answer = tasks.ask(loaded, task, picture, max_new_tokens=max_tokens)
        shown = present(answer.value, task_format)
        if not answer.reply.finished:
            _note(f"the reply was cut off after {answer.reply.tokens_out} tokens: --max-tokens allows more")
        if draw is not None:
            save_drawing(picture, shown.shapes, draw)
        if not as_json:
            _print(shown)
            return
        give(
            {
                "task_format": task_format.value,
                "answer": shown.value,
                "size": list(picture.size),
                "reply": answer.reply.text,
                "finished": answer.reply.finished,
                "model": loaded.name,
                "tokens_in": answer.reply.tokens_in,
                "tokens_out": answer.reply.tokens_out,
                "seconds": round(answer.seconds, 3),
                "drawing": str(draw) if draw is not None else None,
                "exit_code": 0,
            }
        )


def open_still(path: Path) -> Image.Image:
    """The picture in a file in RGB, upright, transparent parts on white; of an animation the first frame, with a note.

    Raises ConfigError in one line: a video, a file that is no picture, a damaged one.
    """
    # Here, because vlm.images loads torch, and a wrong option should be told at once.
    from vlm.images import rgb

    if path.suffix.lower() in _VIDEOS and path.is_file():
        raise ConfigError(f"{str(path)!r} is a video, and videos cannot be read yet: give a picture, such as one frame")
    try:
        with Image.open(path) as image:
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: previews of a photo
            image.seek(0)
            picture = rgb(image)
    except UnidentifiedImageError as error:
        raise ConfigError(f"{str(path)!r} is not a picture that can be read: give a PNG, JPEG or WebP file") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read the picture {str(path)!r}: {reason}") from error
    if frames > 1:
        _note(f"{str(path)!r} has {frames} frames or pages, only the first is looked at")
    return picture


def _require_drawing(out: Path, image: Path, task_format: Format) -> None:
    if task_format in _WITHOUT_PLACES:
        known = ", ".join(form for form in Format if form not in _WITHOUT_PLACES)
        raise ConfigError(f"--draw has nothing to draw for {task_format.value!r}: it takes --task-format {known}")
    require_writable(out)
    if out.exists() and out.samefile(image):
        raise ConfigError(f"--draw {str(out)!r} is the picture itself: give another file")


def _task(task_format: Format, prompt: str) -> tasks.Task[Any]:
    prompt = prompt.strip()
    if not prompt and task_format not in _WITHOUT_PROMPT:
        raise ConfigError(f"the prompt is empty, and --task-format {task_format.value} needs one: say what to look for")
    if prompt and task_format in _WITHOUT_PROMPT:
        _note(f"--task-format {task_format.value} asks its own question, the prompt is not used")
    makers: dict[Format, Callable[[], tasks.Task[Any]]] = {
        Format.TEXT: lambda: tasks.plain(prompt),
        Format.POINT: lambda: tasks.points(prompt),
        Format.BOX: lambda: tasks.boxes(prompt),
        Format.COUNT: lambda: tasks.counting(prompt),
        Format.OCR: tasks.ocr,
        Format.KEYS: lambda: tasks.key_values([key.strip() for key in prompt.split(",") if key.strip()]),
        Format.HTML: tasks.document,
        Format.MARKDOWN: tasks.document,
        Format.SPAN: lambda: tasks.spans(prompt),
    }
    return makers[task_format]()


def present(value: Any, task_format: Format) -> Shown:  # noqa: ANN401 (of the type that the format's task gives)
    """The value of a format's task, ready to be shown."""
    match task_format:
        case Format.TEXT:
            return Shown(value, value)
        case Format.KEYS:
            return Shown(
                value, "\n".join(f"{key}: {found if found is not None else '-'}" for key, found in value.items())
            )
        case Format.HTML | Format.MARKDOWN:
            return _document(value, task_format)
        case Format.COUNT:
            return _count(value)
        case Format.BOX | Format.POINT | Format.OCR | Format.SPAN:
            rows = tuple(_row(item) for item in value)
            return Shown([_entry(row, task_format) for row in rows], "", rows, _shapes(rows))
        case _:
            assert_never(task_format)


def _document(page: Document, task_format: Format) -> Shown:
    shapes = tuple(Shape(block.box, block.kind) for block in page.blocks)
    blocks = [{"kind": block.kind, "box": _numbers(block.box), "text": block.text} for block in page.blocks]
    text = plain_html(page.html) if task_format is Format.HTML else to_markdown(page.html)
    value = {task_format.value: text, "qwen_html": page.html, "blocks": blocks}
    return Shown(value, text.rstrip("\n"), None, shapes)


def _count(found: tasks.Count) -> Shown:
    rows = (*(_row(item) for item in found.boxes), *(_row(item) for item in found.points))
    differs = found.stated is not None and found.stated != found.count
    value = {
        "count": found.count,
        "stated": found.stated,
        "boxes": [_entry(_row(item), Format.BOX) for item in found.boxes],
        "points": [_entry(_row(item), Format.POINT) for item in found.points],
    }
    text = f"{found.count}" + (f" (but the model says {found.stated})" if differs else "")
    return Shown(value, text, rows or None, _shapes(rows))


def _row(item: tasks.LabelledBox | tasks.LabelledPoint | tasks.TextLine | Span) -> Row:
    match item:
        case tasks.LabelledBox(box, label):
            return box, label
        case tasks.TextLine(box, text):
            return box, text
        case tasks.LabelledPoint(point, label):
            return point, label
        case Span():
            return item, item.label
        case _:
            assert_never(item)


def _entry(row: Row, task_format: Format) -> dict[str, object]:
    place, label = row
    name = "text" if task_format is Format.OCR else "label"
    if isinstance(place, Span):
        return {"start_s": place.start_s, "end_s": place.end_s, name: label}
    return {"point" if isinstance(place, Point) else "box": _numbers(place), name: label}


def _numbers(place: Box | Point) -> list[int]:
    return [place.x, place.y] if isinstance(place, Point) else [place.left, place.top, place.right, place.bottom]


def _shapes(rows: Sequence[Row]) -> tuple[Shape, ...]:
    return tuple(Shape(place, label) for place, label in rows if not isinstance(place, Span))


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
    first = rows[0][0]
    names = ("start s", "end s") if isinstance(first, Span) else ("left", "top", "right", "bottom")
    names = ("x", "y") if isinstance(first, Point) else names
    table = Table()
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for place, label in rows:
        numbers = (
            [f"{place.start_s:.2f}", f"{place.end_s:.2f}"] if isinstance(place, Span) else map(str, _numbers(place))
        )
        table.add_row(*numbers, Text(_printable(label)))
    return table


def _printable(text: str) -> str:
    """Without the control characters that would steer a terminal, and in what stdout can encode."""
    text = "".join(c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "�" for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _note(text: str) -> None:
    typer.echo(f"agent: {text}", err=True)

"""OmniACT: an index `test.json` `{number: {task, image, box}}`, and the files that it names.

A task is a text file: two lines of words, then a PyAutoGUI script. Boxes are a JSON object of `{top_left,
bottom_right}` by name. Scripts are parsed, never run: a line has to be one call with literal arguments. Lines that do
not begin with `pyautogui` are passed over, as in the source.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import FiniteFloat, TypeAdapter

from evals.benchmarks.agentnet import CLICKS
from evals.benchmarks.reading import Broken, Record, Row, Source, files, groups, load_json
from evals.benchmarks.screenspot import picture_size
from evals.protocols.values import Act, Region, Step


class Entry(Record):
    task: str
    box: str
    image: str = ""


class NamedBox(Record):
    top_left: tuple[FiniteFloat, FiniteFloat]
    bottom_right: tuple[FiniteFloat, FiniteFloat]


BOXES: TypeAdapter[dict[str, NamedBox]] = TypeAdapter(dict[str, NamedBox])
INDEX: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def rows(folder: Path) -> Iterator[Row | Broken]:
    for path in files(folder, ["test.json"], "OmniACT"):
        try:
            index = INDEX.validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            yield Broken(path.name, f"no index of tasks: {' '.join(str(error).split())[:200]}")
            continue
        yield from (Row(f"{path.name}:{key}", entry) for key, entry in index.items())


def steps(row: Row, folder: Path) -> Iterator[Step]:
    entry = Entry.model_validate(row.data)
    task, *_, script = (*_read(folder, entry.task).strip().split("\n", 2), "", "")[:3]
    boxes = [
        Region(*box.top_left, *box.bottom_right)
        for box in BOXES.validate_python(load_json(_read(folder, entry.box))).values()
    ]
    yield Step(
        id=row.where.rpartition(":")[2],
        acts=tuple(parse_script(script, boxes)),
        size=picture_size(folder / entry.image) if entry.image else None,
        instruction=task.removeprefix("Task:").strip(),
        image=entry.image,
        groups=groups(platform=next((name for name in ("desktop", "web") if name in entry.task), "")),
    )


def _read(folder: Path, name: str) -> str:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name}: lies outside the data's folder")
    try:
        return (folder / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from error


def parse_script(script: str, boxes: Sequence[Region] = ()) -> Iterator[Act]:
    """The calls of a PyAutoGUI script. Raises ValueError for a call that is none of its actions."""
    for line in script.splitlines():
        if line.strip().startswith("pyautogui."):
            yield _act(*_call(line.strip()), tuple(boxes))


def _call(line: str) -> tuple[str, list[object]]:
    """Name and positional arguments; x and y may be named."""
    try:
        node = ast.parse(line, mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = [
                keyword.value for keyword in node.keywords if keyword.arg in {"x", "y", "message", "clicks", "keys"}
            ]
            return node.func.attr, [ast.literal_eval(each) for each in (*node.args, *named)]
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"script: {line!r:.80} is no call with literal arguments") from error
    raise ValueError(f"script: {line!r:.80} is no call")


def _act(name: str, arguments: list[object], boxes: tuple[Region, ...]) -> Act:
    lower = name.lower()
    numbers = [float(value) for value in arguments if isinstance(value, int | float)]
    words = [value for value in _flat(arguments) if isinstance(value, str)]
    place = (numbers[0], numbers[1]) if len(numbers) >= 2 else None
    if lower in CLICKS:
        button, count = CLICKS[lower]
        return Act("click", place, button=button, count=count, targets=boxes)
    match lower:
        case "moveto":
            return Act("move", place, targets=boxes)
        case "dragto":
            return Act("drag", end=place, targets=boxes)
        case "write" | "typewrite":
            return Act("type", text=words[0] if words else "")
        case "press" | "hotkey":
            return Act("press" if lower == "press" else "hotkey", keys=tuple(word.lower().strip() for word in words))
        case "scroll" | "vscroll":
            return Act("scroll", direction="up" if numbers and numbers[0] > 0 else "down")
        case "hscroll":
            return Act("scroll", direction="right" if numbers and numbers[0] > 0 else "left")
        case _:
            raise ValueError(f"script: {name!r} is no action of OmniACT")


def _flat(values: Sequence[object]) -> Iterator[object]:
    for value in values:
        yield from value if isinstance(value, list | tuple) else [value]


MOST = 10
"""Actions of a script that a model may write; one that never says that it is done ends here."""

SOURCE = Source("omniact", rows, steps, "the task's number in test.json: `17`", "pixels", most=MOST)

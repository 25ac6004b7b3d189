"""OSWorld: a folder of results with traj.jsonl, or one that holds such folders at any depth.

A row is `{step_num, action_timestamp, action, reward, done, info, screenshot_file, response}`, where action is
PyAutoGUI code in pixels, WAIT, DONE or FAIL, and screenshot_file shows what came of it. So a row was done on the
picture of the row before, and the first on `step_0.png`, which older versions of OSWorld do not write: their first step
is left out. `instruction.txt` is the task and `result.txt`
the score; a run succeeded if that is 1. Without it the last DONE or FAIL decides.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from action_space.errors import ConfigError
from action_space.geometry import Point
from agent.trajectory import StopReason
from evals.benchmarks.reading import Broken, Record
from evals.exchange.foreign import Foreign, Importer, Taken, load_document, pointer_after, read_picture, steps_of
from evals.exchange.pyautogui_code import read_code

ROWS = "traj.jsonl"
FIRST = "step_0.png"


class Line(Record):
    """A row; an `Error` instead of all else says that the run crashed."""

    step_num: int = 0
    action: object = None
    action_timestamp: str = ""
    screenshot_file: str = ""
    response: object = ""
    Error: str = ""


def runs(path: Path, task: str) -> Iterator[Foreign | Broken]:
    found = sorted(path.rglob(ROWS)) if path.is_dir() else [path] if path.name == ROWS else []
    if not found:
        raise ConfigError(f"{str(path)!r} holds no {ROWS}: give a folder of OSWorld's results")
    for file in found:
        try:
            yield _run(file, task)
        except ValueError as error:
            yield Broken(str(file), str(error))


def _run(file: Path, task: str) -> Foreign:
    folder = file.parent
    task = task or _text(folder / "instruction.txt")
    if not task:
        raise ValueError("there is no instruction.txt beside it: say the task with --task")
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    rows = [(f"{file}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    reason, text = _ending(folder, lines)
    name = "-".join(folder.parts[-2:]) if len(folder.parts) > 1 else folder.name
    return Foreign(str(file), name, task, "desktop", "OSWorld agent", partial(_steps, folder, rows), reason, text)


def _ending(folder: Path, lines: Sequence[bytes]) -> tuple[StopReason, str]:
    score = _text(folder / "result.txt")
    if score:
        try:
            return ("success" if float(score) == 1 else "failure"), f"OSWorld's score: {score}"
        except ValueError:
            pass
    written = b"".join(lines[-3:])
    if b'"FAIL"' in written:
        return "failure", "the agent gave up"
    return ("success", "the agent's claim, without a score") if b'"DONE"' in written else ("steps", "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _steps(folder: Path, rows: Sequence[tuple[str, bytes]]) -> Iterator[Taken | Broken]:
    before = FIRST  # the picture that the next row was done on
    pointer: Point | None = None

    def read(where: str, raw: bytes) -> Taken:
        nonlocal before, pointer
        seen, before = before, ""
        line = Line.model_validate(load_document(raw))
        if line.Error:
            raise ValueError(f"OSWorld failed here: {line.Error}")
        before = line.screenshot_file
        if not seen:
            raise ValueError("the row before does not name the picture that this was done on")
        image = read_picture(folder / Path(seen).name)
        actions = read_code(_code(line.action), lambda x, y: Point(int(x), int(y)), pointer)
        pointer = pointer_after(actions, pointer)
        reply = line.response if isinstance(line.response, str) else ""
        return Taken(where, image, actions, reply=reply, started=_time(line.action_timestamp))

    return steps_of(rows, read)


def _code(action: object) -> str:
    if not isinstance(action, str):
        raise ValueError(f"action: PyAutoGUI code is needed, not {str(action)[:60]!r}")
    return action


def _time(stamp: str) -> datetime | None:
    for form in ("%Y%m%d@%H%M%S", "%Y%m%d@%H%M%S%f"):
        with suppress(ValueError):
            return datetime.strptime(stamp, form).replace(tzinfo=UTC)
    return None


IMPORTER = Importer("osworld", f"a folder with {ROWS}, or one that holds such folders", runs)

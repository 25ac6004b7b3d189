"""Work for the runner's tests, opened in real worker processes; also a whole measurement that can be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from action_space.errors import ClickwrightError, ConfigError, DeviceError, ModelError
from environments.chromium import own_browser, process_of
from evals import journal, runner
from evals.work import Do, Done, Item, Work


class Line(BaseModel):
    number: int
    square: int = -1
    error: str = ""


@contextmanager
def opened(folder: Path) -> Iterator[Do]:
    """Squares a number, unless it is the name of something that goes wrong."""
    (folder / f"opened-{os.getpid()}").touch()

    def do(data: int | str) -> object:
        return data * data if isinstance(data, int) else WRONGS[data](folder)

    yield do
    (folder / f"closed-{os.getpid()}").touch()


def hang(folder: Path) -> None:
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    (folder / "hung").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(1000)


def fail(error: ClickwrightError) -> None:
    raise error


WRONGS: dict[str, Callable[[Path], object]] = {
    "hang": hang,
    "die": lambda _: os._exit(7),
    "bug": lambda _: 1 // len(""),
    "device": lambda _: fail(DeviceError("the page is gone")),
    "model": lambda _: fail(ModelError("no answer")),
    "operator": lambda _: fail(ConfigError("a wrong option")),
    "print": lambda _: print("chatter"),
    "threads": lambda _: os.environ["OMP_NUM_THREADS"],
}


@contextmanager
def hung_browser(folder: Path) -> Iterator[Do]:
    """A worker with a real Chromium that hangs, and whose driver started processes of its own groups."""
    with own_browser() as browser:
        page = browser.new_page()
        page.goto("data:text/html,<p>hello")

        def do(_: object) -> None:
            (folder / "chromium").write_text(str(process_of(browser)))
            page.evaluate("() => { while (true) {} }")

        yield do


@contextmanager
def unloadable(_folder: Path) -> Iterator[Do]:
    raise ModelError("no such checkpoint")
    yield


@contextmanager
def killed_while_opening(_folder: Path) -> Iterator[Do]:
    os.kill(os.getpid(), 9)
    yield


@contextmanager
def slow_squares(_folder: Path) -> Iterator[Do]:
    """One item kills its worker, and one hangs; the rest are squared."""

    def do(number: int) -> int:
        time.sleep(0.02)
        if number == 5:
            os._exit(7)
        if number == 9:
            time.sleep(1000)
        return number * number

    yield do


class Plan(BaseModel):
    numbers: int


def measure(folder: Path, workers: int = 2) -> None:
    """All of a measurement, or what is left of it."""
    if not (folder / journal.PLAN).exists():
        journal.start(folder, Plan(numbers=24))
    finished = {line.number for line in journal.read_lines(folder, Line) if not line.error}
    items = [Item(str(n), n) for n in range(journal.read_plan(folder, Plan).numbers) if n not in finished]

    def tell(done: Done) -> runner.Told:
        return runner.Told(Line(number=done.item.data, square=-1 if done.error else done.result, error=done.error))

    runner.run(
        Work("tests.evals.sample_work:slow_squares", folder),
        items,
        runner.Crew(workers=workers, limit_s=1),
        folder,
        tell,
    )


def table(folder: Path) -> list[Line]:
    newest = {line.number: line for line in journal.read_lines(folder, Line)}
    return [newest[number] for number in sorted(newest)]


if __name__ == "__main__":
    measure(Path(sys.argv[1]))

"""The desktop's tasks and the programs' verdicts: a person's clicks satisfy them, nothing else does."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from action_space.actions import Click, Press, Type
from evals.online.demo_desktop import main
from evals.online.desktop_tasks import Choice, DesktopTask, Question, Stage, Sum, Ticks, draw_task, stage_for, verdict
from tests.desktop_for_tests import needs

ROOT = Path(__file__).resolve().parent.parent.parent
on_a_desktop = needs("mousepad", "galculator", "dbus-daemon", "/usr/libexec/at-spi-bus-launcher")


def test_a_seed_gives_its_task() -> None:
    tasks = [draw_task(seed) for seed in range(30)]
    assert tasks == [draw_task(seed) for seed in range(30)]
    assert {type(task) for task in tasks} == {Sum, Ticks, Choice, Question}
    assert len({task.words for task in tasks}) > 15
    assert Counter(draw_task(seed).program for seed in range(10)) == {"galculator": 5, "mousepad": 5}


def click(stage: Stage, program: str, role: str, name: str) -> None:
    widget = stage.programs.wait_for(program, role, name)
    stage.desktop.observe()
    stage.desktop.execute(Click(point=stage.programs.box(widget).center))


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong state stays wrong: no need to wait for it to become right."""
    monkeypatch.setattr("evals.online.desktop_tasks._SHOWS_S", 0.0)


def solve(stage: Stage, task: DesktopTask) -> Iterator[Callable[[], None]]:
    """Presses of what the task names, in order."""
    match task:
        case Sum():
            for key in (str(task.first), task.sign, str(task.second), "="):
                yield partial(click, stage, "galculator", "toggle button", key)
        case Ticks():
            for label in task.labels:
                yield partial(click, stage, "mousepad", "check box", label)
        case Choice():
            yield partial(click, stage, "galculator", "menu", task.menu)
            yield partial(
                click, stage, "galculator", "menu item" if task.item == "About" else "radio menu item", task.item
            )
        case Question():
            yield partial(click, stage, "mousepad", "push button", task.answer)


@on_a_desktop
@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_task_is_done_when_all_of_it_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    task = draw_task(seed)
    with stage_for(task) as stage:
        moves = list(solve(stage, task))
        for move in moves:
            assert verdict(task, stage) != []
            move()
        monkeypatch.setattr("evals.online.desktop_tasks._SHOWS_S", 30.0)
        assert verdict(task, stage) == []


@on_a_desktop
@pytest.mark.usefixtures("no_patience")
def test_another_answer_is_told() -> None:
    with stage_for(Question("Cancel")) as stage:
        click(stage, "mousepad", "push button", "Don't Save")
        while stage.programs.find("mousepad", "frame"):
            pass
        assert verdict(Question("Cancel"), stage) == ["another answer was given"]
        stage.desktop.execute(Type(text="nobody listens"))
        stage.desktop.execute(Press(keys=("enter",)))


@on_a_desktop
@pytest.mark.timeout(300)
def test_the_demo_with_a_scripted_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.jsonl"
    words = '<tool_call>{"name": "computer_use", "arguments": {"action": "terminate", "status": "success"}}</tool_call>'
    script.write_text(json.dumps(words) + "\n")
    status = main(["--seed", "0", "--model", f"scripted:{script}", "--out", str(tmp_path / "runs"), "--json"])
    given = json.loads(capsys.readouterr().out)
    assert (status, given["done"], given["of"]) == (1, 0, 1), "the claim of the model counts for nothing"
    (tried,) = given["attempts"]
    assert tried["reason"] == "success" and "the calculator shows" in tried["mistakes"][0]
    assert Path(tried["report"]).is_file()
    assert (tried["program"], given["programs"]) == ("galculator", {"galculator": {"done": 0, "of": 1}})


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "evals.online.demo_desktop",
            "--model",
            "scripted:/dev/null",
            "--out",
            str(tmp_path / "x"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("demo-desktop: a virtual display needs Xvfb, which is missing")

"""The demo from outside: a script that knows where things are plays the model; the page has the last word."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page

from action_space.actions import Action, Click, Finish, Type
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size
from agent.planner import model_frame
from evals.online.demo_table import Attempt, demo_parser, exit_code, read_seeds
from evals.online.forms import Deed, Form, draw_form, render

SCREEN = Size(1280, 720)


def centre(page: Page, deed: Deed) -> Point:
    match deed.kind:
        case "text":
            target = page.locator(f'[data-field="{deed.label}"]')
        case "tick":
            target = page.locator(f'[data-tick="{deed.label}"]')
        case "choice":
            target = page.locator(f'[data-choice="{deed.label}"][value="{deed.value}"]')
        case _:
            target = page.get_by_role("button", name=deed.label, exact=True)
    box = target.bounding_box()
    assert box is not None
    return Point(int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2))


def actions_for(page: Page, form: Form) -> list[Action]:
    page.set_content(render(form))
    actions: list[Action] = []
    for deed in form.deeds:
        actions.append(Click(point=centre(page, deed)))
        if deed.kind == "text":
            actions.append(Type(text=deed.value))
    return [*actions, Finish(status="success")]


def write_script(path: Path, actions: Sequence[Action]) -> str:
    dialect = load_dialect("computer_use")
    frame = model_frame(Frame(SCREEN, SCREEN), dialect)
    path.write_text("".join(json.dumps(dialect.render(action, frame)) + "\n" for action in actions))
    return f"scripted:{path}"


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evals.online.demo", *arguments]
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, timeout=280)


@pytest.mark.timeout(300)
def test_two_pages_one_script(browser_page: Page, tmp_path: Path) -> None:
    """The script does page 2 and then presses on in page 3, where its points mean nothing: one of two is done."""
    right = actions_for(browser_page, draw_form(2))
    wrong: list[Action] = [Click(point=Point(5, 715)), Finish(status="success", text="I believe so")]
    model = write_script(tmp_path / "script.jsonl", [*right, *wrong])
    result = demo(tmp_path, "--seeds", "2-3", "--model", model, "--out", "out", "--json")
    assert result.returncode == 1, result.stderr
    told = json.loads(result.stdout)
    assert (told["done"], told["of"]) == (1, 2)
    first, second = told["attempts"]
    assert first["done"] and first["reason"] == "success" and first["steps"] == len(right)
    assert not second["done"] and second["reason"] == "success"
    assert second["mistakes"] == ["no button was pressed"]
    assert "1 of 2 done" in result.stderr
    for tried in told["attempts"]:
        assert (tmp_path / tried["run"] / "steps.jsonl").is_file()
        assert (tmp_path / tried["report"]).is_file()


@pytest.mark.timeout(300)
def test_one_page_for_people(browser_page: Page, tmp_path: Path) -> None:
    form = draw_form(4)
    model = write_script(tmp_path / "script.jsonl", actions_for(browser_page, form))
    result = demo(tmp_path, "--seed", "4", "--model", model)
    assert result.returncode == 0, result.stderr
    assert form.task in result.stdout
    assert "Page says    done" in result.stdout
    report = next(line.split()[-1] for line in result.stdout.splitlines() if line.startswith("Report"))
    assert (tmp_path / report).is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "scripted:missing.txt"], "missing.txt"),
        (["--model", "nothing-here"], "nothing-here"),
        (["--out", "."], "--out"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    result = demo(tmp_path, *arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("demo: ") and words in result.stderr


@pytest.mark.parametrize("text", ["9-0", "3", "a-b", "1-"])
def test_no_range_of_seeds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_seeds(demo_parser("demo", "words"), ["--seeds", text])
    assert "valid: 0-9" in capsys.readouterr().err


def attempt(*, done: bool, reason: str) -> Attempt:
    return Attempt(0, "task", done, (), reason, 1, 1.0, "run", "report")


@pytest.mark.parametrize(
    ("attempts", "status"),
    [
        ([attempt(done=True, reason="success")], 0),
        ([attempt(done=True, reason="steps")], 0),  # the page decides
        ([attempt(done=False, reason="success")], 1),
        ([attempt(done=True, reason="success"), attempt(done=False, reason="steps")], 6),
        ([attempt(done=False, reason="model")], 4),
        ([attempt(done=False, reason="interrupted")], 130),
    ],
)
def test_exit_status(attempts: list[Attempt], status: int) -> None:
    assert exit_code(attempts) == status

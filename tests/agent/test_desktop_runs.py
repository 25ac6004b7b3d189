"""Runs on a desktop: a person takes the mouse in the middle of one, and what the command line says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import agent
from action_space.actions import Click, Drag, Finish, Move
from action_space.geometry import Point, Size
from agent.trajectory import read_trajectory
from environments.desktop import DesktopEnvironment
from tests.desktop_for_tests import Listener, needs, own_display, until
from vlm.backends.base import Reply
from vlm.backends.scripted import ScriptedModel

pytestmark = needs()
SIZE = Size(640, 480)


class Interrupted(ScriptedModel):
    """While the model thinks for the second time, a person moves the mouse."""

    def __init__(self, replies: list[str], desktop: DesktopEnvironment) -> None:
        super().__init__(replies)
        self._desktop = desktop

    def generate(self, messages: object, **options: object) -> Reply:
        if len(self.asked) == 1:
            self._desktop.system.mouse.move(0, 0)
        return super().generate(messages, **options)  # type: ignore[arg-type]


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[DesktopEnvironment]:
    with own_display(tmp_path / "home", SIZE) as display, DesktopEnvironment(display.name) as environment:
        yield environment


@pytest.mark.parametrize(("answer", "reason", "clicks"), [("", "success", [(20, 20)]), ("n", "interrupted", [])])
def test_the_person_decides_whether_it_goes_on(
    desktop: DesktopEnvironment,
    say: Callable[..., str],
    tmp_path: Path,
    answer: str,
    reason: str,
    clicks: list[tuple[int, int]],
) -> None:
    listener = Listener(desktop.display)
    questions: list[str] = []
    click = say(Click(point=Point(20, 20)), SIZE)
    replies = [say(Move(point=Point(300, 200)), SIZE), click, click, say(Finish(status="success"), SIZE)]

    def person(question: str) -> str:
        questions.append(question)
        return answer

    done = agent.run(
        "click", env=desktop, model=Interrupted(replies, desktop), out=tmp_path / "run", confirm="none", person=person
    )
    (question,) = questions
    assert question.startswith("Paused: emergency stop: the pointer was moved into the corner (0, 0). Enter to go on")
    assert done.reason == reason
    assert [(event.x, event.y) for event in listener.events("press")] == clicks
    step = read_trajectory(tmp_path / "run").steps[1]
    assert step.effect is None and step.note.startswith("interrupted: a person used the mouse")


def test_where_nobody_can_be_asked_the_run_ends_and_can_go_on(
    desktop: DesktopEnvironment, say: Callable[..., str], tmp_path: Path
) -> None:
    replies = [say(Move(point=Point(300, 200)), SIZE), say(Click(point=Point(20, 20)), SIZE)]
    done = agent.run("click", env=desktop, model=Interrupted(replies, desktop), out=tmp_path / "run", confirm="none")
    assert done.outcome is not None and done.reason == "interrupted"
    assert done.outcome.text.startswith("paused: emergency stop") and done.outcome.text.endswith("go on with --resume")
    model = ScriptedModel([say(Finish(status="success"), SIZE)])
    assert agent.resume(tmp_path / "run", env=desktop, model=model).reason == "success"


def test_a_desktop_that_is_gone_ends_the_run_and_resume_goes_on_with_another(
    say: Callable[..., str], tmp_path: Path
) -> None:
    click, other = (say(Click(point=Point(at, at)), SIZE) for at in (20, 30))
    folder = tmp_path / "run"
    with own_display(tmp_path / "home", SIZE) as display, DesktopEnvironment(display.name) as desktop:
        broken = agent.run(
            "click",
            env=desktop,
            model=ScriptedModel([click] * 3),
            out=folder,
            confirm="none",
            watch=lambda _: display.close(),
        )
    assert broken.reason == "device" and broken.outcome is not None
    assert broken.outcome.text.endswith("go on with --resume") and "\n" not in broken.outcome.text
    assert len(read_trajectory(folder).steps) == len(broken.steps) >= 1, "nothing that was recorded is lost"
    with own_display(tmp_path / "home", SIZE) as display, DesktopEnvironment(display.name) as desktop:
        listener = Listener(display.name)
        whole = agent.resume(folder, env=desktop, model=ScriptedModel([other, say(Finish(status="success"), SIZE)]))
        assert [(event.x, event.y) for event in listener.events("press")] == [(30, 30)]
    assert whole.reason == "success" and whole.steps[: len(broken.steps)] == broken.steps


def test_two_ctrl_c_in_the_middle_of_a_drag_leave_no_button_down(say: Callable[..., str], tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    drag = Drag(start=Point(20, 20), end=Point(600, 400), seconds=30)
    script.write_text(json.dumps(say(drag, SIZE)) + "\n")
    with own_display(tmp_path / "home", SIZE) as display, DesktopEnvironment(display.name) as watcher:
        command = [sys.executable, "-m", "agent.cli", "run", "--env", "desktop", "--display", display.name]
        command += ["--task", "x", "--model", f"scripted:{script}", "--out", str(tmp_path / "run"), "--confirm", "none"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            until(watcher.system.is_in_use)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert any("Ctrl-C again ends it at once" in line for line in process.stderr)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
        assert not watcher.system.is_in_use()


def test_the_command_line_on_a_virtual_display(
    agent_command: Callable[..., "subprocess.CompletedProcess[str]"], say: Callable[..., str], tmp_path: Path
) -> None:
    script = tmp_path / "script.jsonl"
    actions = [Click(point=Point(639, 0)), Finish(status="success")]
    script.write_text("".join(json.dumps(say(action, SIZE)) + "\n" for action in actions))
    options = ["--env", "desktop", "--display", "virtual:640x480", "--model", f"scripted:{script}"]
    result = agent_command("run", "--task", "click", *options, "--out", str(tmp_path / "run"), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["reason"] == "success"
    recorded = read_trajectory(tmp_path / "run")
    assert (recorded.header.settings.display, recorded.header.versions.env) == ("virtual:640x480", "desktop")
    assert [step.action for step in recorded.steps] == actions


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ([], 2, "there is no display here: give the agent one of its own with --display virtual"),
        (["--display", ":4711"], 3, "the display ':4711' does not answer"),
        (["--display", "virtual:big"], 2, "--display 'virtual:big' is not known"),
        (["--display", "virtual:200x100", "--monitor", "2"], 2, "there is no monitor 2: give --monitor 1 to 1, or all"),
        (["--display", "virtual:200x100", "--app", "no such"], 2, "--app: no application is called 'no such' here"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    agent_command: Callable[..., "subprocess.CompletedProcess[str]"],
    tmp_path: Path,
    options: list[str],
    code: int,
    text: str,
) -> None:
    script = tmp_path / "script.txt"
    script.write_text("nothing")
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    given = ["--task", "x", "--env", "desktop", "--model", f"scripted:{script}", "--out", str(tmp_path / "run")]
    result = agent_command("run", *given, *options, env=env)
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"agent: {text}")

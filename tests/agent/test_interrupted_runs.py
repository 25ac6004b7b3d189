"""Ctrl-C and kill -9 on real processes, and how the run goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from action_space.actions import Action
from agent import resume
from agent.interrupt import StopRequest
from agent.trajectory import read_trajectory
from vlm.backends.scripted import ScriptedModel

ROOT = Path(__file__).parent.parent.parent

RUN = """
import json, sys, threading
sys.path[:0] = [{tests!r}, {root!r}]
from form_environment import FormEnvironment
from agent import run
from agent.cli import EXIT_CODES
from vlm.backends.scripted import ScriptedModel

def say(text):
    print(text, flush=True)

def block():
    say("blocked")
    while True:
        threading.Event().wait(60)

class Thinker(ScriptedModel):
    def generate(self, *arguments, **options):
        if {where!r} == "model" and len(self.asked) == 2:
            block()
        return super().generate(*arguments, **options)

def on_execute(action):
    if {where!r} == "device" and action.kind == "click" and env.done:
        block()
    if {where!r} == "briefly" and action.kind == "click" and env.done:
        say("blocked")
        sys.stdin.readline()

env = FormEnvironment(on_execute=on_execute)
done = run("fill the form", env=env, model=Thinker(json.loads({replies!r})), out={folder!r}, confirm="none",
           person=lambda question: block() if {where!r} == "person" else "")
say(f"released {{env.released}} executed {{len(env.done)}}")
sys.exit(EXIT_CODES[done.reason])
"""


class Process:
    """A run in a process of its own that stops where it is told, and says so."""

    def __init__(self, folder: Path, replies: list[str], where: str) -> None:
        values = {"tests": str(Path(__file__).parent), "root": str(ROOT), "folder": str(folder)}
        code = RUN.format(where=where, replies=json.dumps(replies), **values)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)  # type: ignore[call-overload]
        line = self.process.stdout.readline()
        assert line == "blocked\n", line + self.process.stderr.read()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, answer: str = "") -> tuple[int, str]:
        """Exit status and what was said."""
        said, _ = self.process.communicate(answer, timeout=30)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path: Path, filled: list[Action], say: Callable[..., str]) -> Iterator[Callable[..., Process]]:
    begun: list[Process] = []

    def start(where: str, actions: list[str] | None = None) -> Process:
        begun.append(Process(tmp_path / "run", actions or [say(action) for action in filled], where))
        return begun[-1]

    yield start
    for process in begun:
        process.process.kill()
        process.process.wait()
        for pipe in (process.process.stdin, process.process.stdout, process.process.stderr):
            pipe.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_breaks_into_thinking(start: Callable[..., Process], tmp_path: Path, number: int) -> None:
    process = start("model")
    process.signal(number)
    assert process.end() == (130, "released 1 executed 2\n")
    read = read_trajectory(tmp_path / "run")
    assert (read.reason, len(read.steps), read.outcome is None) == ("interrupted", 2, False)
    assert (tmp_path / "run" / "report.html").is_file()


def test_ctrl_c_waits_for_the_device(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start("briefly")
    process.signal(signal.SIGINT)
    assert process.end("go on\n") == (130, "released 1 executed 3\n")
    read = read_trajectory(tmp_path / "run")
    assert (read.reason, len(read.steps)) == ("interrupted", 3)
    assert read.steps[2].effect == "near", "the action in flight was finished and recorded"


def test_a_second_ctrl_c_is_immediate(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start("device")
    process.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.process.wait(0.3)
    process.signal(signal.SIGINT)
    assert process.end() == (130, "")
    read = read_trajectory(tmp_path / "run")
    assert (read.outcome, len(read.steps), read.warning) == (None, 2, "")


def test_ctrl_c_at_a_question(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start(
        "person", ['<tool_call>{"name": "computer_use", "arguments": {"action": "wait", "time": 0}}</tool_call>'] * 5
    )
    process.signal(signal.SIGINT)
    assert process.end()[0] == 130
    steps = read_trajectory(tmp_path / "run").steps
    assert steps[-1].note == "stopped before it was carried out"


def test_killed_in_the_middle_and_resumed(
    start: Callable[..., Process], tmp_path: Path, form: ModuleType, filled: list[Action], say: Callable[..., str]
) -> None:
    process = start("model")
    process.signal(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    before = read_trajectory(tmp_path / "run")
    assert (before.outcome, len(before.steps), before.reason) == (None, 2, "interrupted")
    env = form.FormEnvironment()
    done = resume(tmp_path / "run", env=env, model=ScriptedModel([say(action) for action in filled]), max_steps=20)
    assert (done.reason, done.steps[:2], len(done.steps)) == ("success", before.steps, 7)
    assert env.sent


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert signal.getsignal(signal.SIGINT) != before
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
    assert signal.getsignal(signal.SIGINT) == before


def test_a_run_in_another_thread_takes_no_signals() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_that_came_before_is_noticed_at_the_door() -> None:
    notices: list[str] = []
    with StopRequest(lambda: notices.append("busy")) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert notices == ["busy"]
        with pytest.raises(KeyboardInterrupt), stop.breakable():
            pytest.fail("nothing may begin after a stop request")


def test_what_the_second_ctrl_c_broke_into_lets_go_of_its_lock_first() -> None:
    code = """
import os, signal, threading, time
from agent.interrupt import StopRequest

lock = threading.Lock()
def let_go():
    with lock:
        print("button up", flush=True)

with StopRequest() as stop:
    stop.let_go = let_go
    with lock:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        print("request sent", flush=True)
    time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (130, "request sent\nbutton up\n"), done.stderr


def test_a_run_that_ends_while_the_device_lets_go_is_still_interrupted() -> None:
    code = """
import os, signal, threading
from agent.interrupt import StopRequest

ended = threading.Event()
with StopRequest() as stop:
    stop.let_go = lambda: (ended.set(), threading.Event().wait(0.5))
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    ended.wait()
raise SystemExit(1)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 130, done.stderr

"""`agent run --env android` and `agent device`, from outside, on a simulated phone behind a real adb server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adbutils import AdbClient

from action_space.actions import Action, Click, Finish, Type
from action_space.geometry import Point, Size
from agent import run
from agent.session import resume
from agent.trajectory import Step, read_trajectory
from environments.adb_server import own_server
from environments.android import AndroidEnvironment
from environments.simulated_android.device import SimulatedAndroid, simulated_android

SCREEN = Size(1080, 2400)
NAME, PHONE, SAVE = Point(500, 420), Point(500, 675), Point(180, 1120)
"""Where things are in the contacts app."""
FILLED: list[Action] = [
    Click(point=NAME),
    Type(text="Zoë $(reboot)"),
    Click(point=PHONE),
    Type(text="555 0142"),
    Click(point=SAVE),
    Finish(status="success"),
]
KEPT = {"contacts": [{"name": "Zoë $(reboot)", "phone": "555 0142", "email": ""}]}

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def one_phone() -> Iterator[tuple[SimulatedAndroid, int]]:
    with own_server() as port, simulated_android() as device:
        yield device, port


@pytest.fixture
def phone(one_phone: tuple[SimulatedAndroid, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedAndroid]:
    """A phone as new; adb's clients find its server by the usual variable."""
    device, port = one_phone
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    device.renew()
    yield device
    assert device.alarms == []


@pytest.fixture
def script(tmp_path: Path, say: Callable[..., str]) -> Callable[[list[Action]], str]:
    def write(actions: list[Action]) -> str:
        path = tmp_path / "replies.jsonl"
        path.write_text("".join(json.dumps(say(action, SCREEN)) + "\n" for action in actions), encoding="utf-8")
        return f"scripted:{path}"

    return write


@pytest.mark.timeout(300)
def test_a_whole_run(
    phone: SimulatedAndroid, script: Callable[[list[Action]], str], agent_command: Command, tmp_path: Path
) -> None:
    done = agent_command(
        *("run", "--env", "android", "--device", phone.serial, "--app", "Contacts", "--json"),
        *("--task", "Save a contact", "--model", script(FILLED), "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reason"] == "success"
    assert phone.state("contacts") == KEPT
    steps = read_trajectory(tmp_path / "run").steps
    assert steps[0].frame.screen == SCREEN and steps[0].details["app"] == "org.clickwright.contacts"


@pytest.mark.timeout(300)
def test_a_lost_device_ends_the_run_and_resume_goes_on(
    phone: SimulatedAndroid, script: Callable[[list[Action]], str], tmp_path: Path
) -> None:
    model = script(FILLED)
    environment = AndroidEnvironment(phone.serial, app="contacts", settle_s=15.0, reconnect_s=1.0)

    def pull(step: Step) -> None:
        if step.number == 2:
            phone.unplug()

    broken = run("Save a contact", model=model, env=environment, out=tmp_path / "run", watch=pull)
    environment.close()
    assert broken.reason == "device" and broken.outcome is not None
    assert "bring it back and go on with --resume" in broken.outcome.text
    assert len(read_trajectory(tmp_path / "run").steps) == len(broken.steps) >= 2
    phone.plug()
    again = AndroidEnvironment(phone.serial, settle_s=15.0)
    whole = resume(tmp_path / "run", model=script(FILLED[len(broken.steps) - 1 :]), env=again)
    again.close()
    assert whole.reason == "success"
    assert [step.number for step in whole.steps] == list(range(1, len(whole.steps) + 1))
    assert whole.steps[: len(broken.steps)] == broken.steps
    assert phone.state("contacts") == KEPT


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 3, "no Android device is connected: plug one in"),
        (("--device", "127.0.0.1:1"), 3, "the device '127.0.0.1:1' cannot be used: "),
    ],
)
def test_no_device(
    phone: SimulatedAndroid,  # noqa: ARG001 (its adb server)
    script: Callable[[list[Action]], str],
    agent_command: Command,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    with own_server() as port:
        done = agent_command(
            *("run", "--env", "android", "--task", "x", "--model", script(FILLED), "--out", str(tmp_path / "run")),
            *arguments,
            env={**os.environ, "ANDROID_ADB_SERVER_PORT": str(port)},
        )
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr


@pytest.fixture
def refused_by(
    agent_command: Command, script: Callable[[list[Action]], str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """The exit status and the only line of a run that cannot begin."""

    def run_it(*arguments: str, port: int) -> tuple[int, str]:
        given = ("run", "--env", "android", "--task", "x", "--model", script(FILLED), "--out", str(tmp_path / "run"))
        done = agent_command(*given, *arguments, env={**os.environ, "ANDROID_ADB_SERVER_PORT": str(port)})
        (line,) = done.stderr.splitlines()
        assert done.stdout == ""
        return done.returncode, line

    return run_it


@pytest.mark.timeout(300)
def test_what_cannot_begin_is_one_line(phone: SimulatedAndroid, refused_by: Callable[..., tuple[int, str]]) -> None:
    with own_server() as port, simulated_android(auth="refuse") as other:
        code, line = refused_by("--device", phone.serial, "--app", "Photos", port=port)
        assert code == 2 and line.startswith("agent: --app: no app 'Photos' is installed; there are ")
        code, line = refused_by("--device", other.serial, port=port)
        assert code == 3 and line.endswith("it does not trust this computer yet: accept the question on its screen")
        other.consent("accept")
        client = AdbClient(port=port)
        client.disconnect(other.serial)
        end = time.monotonic() + 60
        while len([found for found in client.list() if found.state == "device"]) < 2:
            assert time.monotonic() < end, client.list()
            client.connect(other.serial)
            time.sleep(0.1)
        code, line = refused_by(port=port)
        assert code == 2 and line.startswith("agent: there are 2 Android devices: name one with --device (127.0.0.1:")


def test_without_adb(
    refused_by: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADBUTILS_ADB_PATH", str(tmp_path / "none"))
    code, line = refused_by(port=1)
    assert code == 2 and line.startswith("agent: no adb was found (") and line.endswith("or adbutils' wheel")


def test_without_adbutils(tmp_path: Path, agent_command: Command, script: Callable[[list[Action]], str]) -> None:
    (tmp_path / "adbutils.py").write_text("raise ModuleNotFoundError('none', name='adbutils')")
    done = agent_command(
        *("run", "--env", "android", "--task", "x", "--model", script(FILLED), "--out", str(tmp_path / "run")),
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    assert done.returncode == 2
    assert done.stderr == "agent: Android devices need adbutils: pip install 'clickwright[android]'\n"


@pytest.mark.timeout(300)
def test_simulate_and_list(agent_command: Command) -> None:
    with own_server() as port:
        env = {**os.environ, "ANDROID_ADB_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        assert "no Android device is connected" in agent_command("device", "list", env=env).stderr
        command = [sys.executable, "-m", "agent.cli", "device", "simulate"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as simulated:
            assert simulated.stdout is not None
            serial = simulated.stdout.readline().strip()
            listed = agent_command("device", "list", env=env)
            assert listed.stdout == f"{serial}  ready  Simulated_phone\n"
            told = json.loads(agent_command("device", "list", "--json", env=env).stdout)
            assert told["devices"] == [{"serial": serial, "state": "device", "model": "Simulated_phone"}]
            assert AdbClient(port=port).device(serial).screenshot(error_ok=False).size == (1080, 2400)
            simulated.send_signal(signal.SIGINT)
            assert simulated.wait(timeout=60) == 130
        end = time.monotonic() + 30
        while AdbClient(port=port).list():
            assert time.monotonic() < end
            time.sleep(0.1)

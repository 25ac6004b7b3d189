"""`agent serve` as a person starts it, and the agent's own commands working through it."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from action_space.actions import Action, Click
from action_space.geometry import Point, Size
from agent.cli import main
from agent.models import load_model

SCREEN = Size(640, 360)


@contextmanager
def serve(*options: str, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process and the address that it said, up to /v1."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.fullmatch(r"agent: serving 'scripted' at (http://127\.0\.0\.1:\d+/v1)\n", said)
        assert found is not None, said
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


def test_a_model_is_served_and_asked_until_ctrl_c(
    capfd: pytest.CaptureFixture[str], script: Callable[[list[Action]], Path], tmp_path: Path
) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (SCREEN.width, SCREEN.height), "white").save(picture)
    (tmp_path / "replies.txt").write_text('{"unused": 1}\n')
    click = script([Click(point=Point(320, 180))])
    with serve("--model", f"scripted:{click}") as (process, url):
        with pytest.raises(SystemExit) as end:
            main(["ground", str(picture), "the middle", "--model", f"openai:scripted@{url}", "--json"])
        said = capfd.readouterr()
        assert end.value.code == 0, said.err
        result = json.loads(said.out)
        assert result["model"] == "openai:scripted" and result["size"] == [640, 360]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "replies.txt"
    path.write_text("hello\n")
    with serve("--model", f"scripted:{path}", CLICKWRIGHT_API_KEY="sesame") as (_, url):
        assert httpx.get(f"{url}/models").status_code == 401
        monkeypatch.setenv("CLICKWRIGHT_API_KEY", "sesame")
        assert load_model(f"openai:scripted@{url}").dialect == "computer_use"


def complaint(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["serve", *arguments])
    said = capfd.readouterr().err
    assert end.value.code == 2 and said.startswith("agent: ") and said.count("\n") == 1, said
    return said


def test_a_taken_port(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = complaint(capfd, "--port", port, "--model", "scripted:none.txt")
    assert f"cannot listen on '127.0.0.1', port {port} (Address already in use)" in said


def test_an_address_and_a_key_that_are_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert "cannot listen on 'no.such.host.invalid'" in complaint(capfd, "--host", "no.such.host.invalid")
    assert "--key holds characters" in complaint(capfd, "--key", "ключ")


def test_what_is_missing_is_named(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "vlm.serving.app", raising=False)
    assert "agent serve needs fastapi: pip install fastapi uvicorn" in complaint(capfd)


def test_a_server_that_is_not_there_is_status_4(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (28, 28)).save(picture)
    with pytest.raises(SystemExit) as end:
        main(["ground", str(picture), "x", "--model", "openai:tiny@http://127.0.0.1:9/v1"])
    said = capfd.readouterr().err
    assert end.value.code == 4 and said.count("\n") == 1 and "no server answers at http://127.0.0.1:9/v1" in said


@pytest.mark.parametrize("spec", ["openai:", "openai:tiny", "openai:tiny@somewhere"])
def test_a_spec_that_names_no_server_is_usage(capfd: pytest.CaptureFixture[str], spec: str) -> None:
    said = complaint(capfd, "--model", spec, "--port", "0")
    assert "openai:" in said

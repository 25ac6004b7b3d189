"""The README is true: its Python block runs, its commands exist, its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from action_space.actions import Action, Click, Finish, Type
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size
from agent.cli import EXIT_CODES, LATER, app
from agent.planner import model_frame

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGE = """<!doctype html><title>Form</title><body style="margin:0">
<input style="position:absolute;left:100px;top:100px;width:300px;height:40px">
<button style="position:absolute;left:100px;top:200px;width:100px;height:40px" onclick="done()">Send</button>
<script>
function done() {
  const image = new Image();
  image.src = "sent-" + document.querySelector("input").value;
}
</script>"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


class Pages(SimpleHTTPRequestHandler):
    """Serves the page, and keeps the names of everything that was asked for."""

    asked: list[str]

    def __init__(self, *arguments: object, asked: list[str], folder: Path) -> None:
        self.asked = asked
        super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "form.html").write_text(PAGE)
    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, asked=asked, folder=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/form.html", asked
        server.shutdown()
        thread.join()


@pytest.mark.timeout(300)
def test_python_block_runs(site: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = site
    dialect = load_dialect("computer_use")
    frame = model_frame(Frame(Size(1280, 720), Size(1280, 720)), dialect)
    actions: list[Action] = [
        Click(point=Point(250, 120)),
        Type(text="Alice"),
        Click(point=Point(150, 220)),
        Finish(status="success"),
    ]
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps(dialect.render(action, frame)) + "\n" for action in actions))
    (code,) = blocks("python")
    for old, new in (('"https://example.org/form"', repr(url)), ('"bundled"', repr(f"scripted:{script}"))):
        assert code.count(old) == 1
        code = code.replace(old, new)
    assert len(code.strip().splitlines()) <= 12
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=280)
    assert result.returncode == 0, result.stderr
    assert "/sent-Alice" in asked
    *steps, last = result.stdout.splitlines()
    assert len(steps) == len(actions)
    assert last.startswith("success ") and Path(tmp_path, last.split(" ", 1)[1], "run.json").is_file()


def test_commands_and_options_exist() -> None:
    """Every `make TARGET`, `agent COMMAND` and `--option` that is named."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", README)) <= targets
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"agent (run|ground|show|ask|[a-z]+ RUN)\b", README)) <= {*commands, *LATER, "show RUN"}
    names = ("agent/cli.py", "agent/ask.py", "evals/cli.py", "evals/bench.py", "evals/online/demo.py")
    sources = [ROOT / name for name in names]
    source = "".join(path.read_text() for path in sources)
    for option in set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", README)) - {"no-install-recommends"}:
        assert f"--{option}" in source or re.search(rf"\b{option.replace('-', '_')}: ", source), option


def test_exit_codes_are_all_listed() -> None:
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == {2, *EXIT_CODES.values()}


def test_links_lead_somewhere() -> None:
    local = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert local and all((ROOT / link).exists() for link in local)


def test_every_package_is_in_the_layout() -> None:
    for package in ("action_space", "environments", "vlm", "agent", "evals"):
        assert f"| `{package}/` |" in README

"""The command line as scripts see it: exit codes, one line per error, one JSON object on stdout."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from action_space.actions import Action, Click, Finish, Type, Wait
from action_space.geometry import Point, Size
from agent.cli import EXIT_CODES, LATER, main
from agent.trajectory import StopReason, read_trajectory

Command = Callable[..., "subprocess.CompletedProcess[str]"]
VIEWPORT = Size(640, 360)
PAGE = """<!doctype html><title>Form</title>
<style>body { margin: 0; font: 16px sans-serif } * { position: absolute; box-sizing: border-box }</style>
<input id="name" style="left: 40px; top: 40px; width: 300px; height: 40px">
<input id="tick" type="checkbox" style="left: 40px; top: 110px; width: 24px; height: 24px; margin: 0">
<button id="send" style="left: 40px; top: 170px; width: 120px; height: 40px">Send</button>
<p id="said" style="left: 40px; top: 230px"></p>
<script>
document.getElementById("send").onclick = () => {
  const [name, tick] = ["name", "tick"].map((id) => document.getElementById(id));
  document.getElementById("said").textContent = tick.checked ? `Thank you, ${name.value} <script>` : "Tick the box";
};
</script>"""
FILL: list[Action] = [
    Click(point=Point(190, 60)),
    Type(text="Ada Löwe \U0001f980"),
    Click(point=Point(52, 122)),
    Click(point=Point(100, 190)),
]


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "form.html"
    path.write_text(PAGE, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def script(tmp_path: Path, say: Callable[..., str]) -> Callable[[list[Action]], str]:
    """The SPEC of a model that says these actions on a page of VIEWPORT."""

    def write(actions: list[Action]) -> str:
        path = tmp_path / "replies.jsonl"
        path.write_text("".join(json.dumps(say(action, VIEWPORT)) + "\n" for action in actions), encoding="utf-8")
        return f"scripted:{path}"

    return write


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_whole_run_on_a_real_page(
    agent_command: Command, page: str, script: Callable[..., str], tmp_path: Path
) -> None:
    model = script([*FILL, Finish(status="success", text="it says thank you")])
    run = tmp_path / "run"
    options = (
        "--url",
        page,
        "--model",
        model,
        "--out",
        str(run),
        "--viewport",
        "640x360",
        "--json",
        "--confirm",
        "none",
    )
    done = agent_command("run", "--task", "fill the form", "--env", "browser", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    result = json.loads(done.stdout)
    assert (result["reason"], result["steps"], result["exit_code"], result["run"]) == ("success", 5, 0, str(run))
    assert Path(result["report"]).is_file()
    lines = [line for line in done.stderr.splitlines() if line.strip()[:1].isdigit()]
    assert len(lines) == 5 and "type 'Ada Löwe" in lines[1] and "changed here" in lines[0]
    trajectory = read_trajectory(run)
    assert [step.effect for step in trajectory.steps[:3]] == ["near", "elsewhere", "near"]
    assert trajectory.steps[3].effect in {"near", "elsewhere"}, "the button says thank you somewhere"
    assert trajectory.steps[0].details["url"] == page
    assert not [step.error for step in trajectory.steps if step.error]

    shown = agent_command("show", str(run))
    assert (shown.returncode, shown.stdout) == (0, f"{run / 'report.html'}\n")


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_killed_on_a_real_page_and_resumed(
    agent_command: Command, page: str, script: Callable[..., str], tmp_path: Path
) -> None:
    run, endless = tmp_path / "run", script([*FILL[:2], Wait(seconds=60)])
    command = ("--url", page, "--viewport", "640x360", "--out", str(run), "--model", endless, "--confirm", "none")
    arguments = ["run", "--task", "fill the form", *command]
    process = subprocess.Popen([sys.executable, "-m", "agent.cli", *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert any(line.split()[:1] == ["2"] for line in process.stderr), "the second step is told"
    finally:
        process.kill()
        process.communicate()
    before = read_trajectory(run)
    assert (before.outcome, len(before.steps)) == (None, 2)
    model = script([*FILL, Finish(status="success")])
    done = agent_command("run", "--resume", str(run), "--model", model, "--max-steps", "9", "--json")
    assert done.returncode == 0, done.stderr
    after = read_trajectory(run)
    assert (after.steps[:2], len(after.steps), after.reason) == (before.steps, 7, "success")
    assert after.header.settings.url == page and after.header.settings.max_steps == 9
    again = agent_command("run", "--resume", str(run), "--model", model)
    assert again.returncode == 2 and "finished" in again.stderr


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_script_cannot_be_asked_so_the_run_is_refused(
    agent_command: Command, page: str, script: Callable[..., str], tmp_path: Path
) -> None:
    common = ("--url", page, "--viewport", "640x360", "--out", str(tmp_path / "run"), "--model", script(FILL), "--json")
    done = agent_command("run", "--task", "fill", *common, "--confirm", "all")
    assert done.returncode == 5, done.stderr
    result = json.loads(done.stdout)
    assert (result["reason"], result["exit_code"], result["steps"]) == ("refused", 5, 1)
    assert "--confirm none" in result["text"]


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_an_address_that_is_none(agent_command: Command, script: Callable[..., str], tmp_path: Path) -> None:
    options = ("--model", script([]), "--out", str(tmp_path / "run"), "--json")
    refused = agent_command("run", "--task", "x", "--url", "http://127.0.0.1:9/", *options)
    assert refused.returncode == 3, refused.stderr
    assert json.loads(refused.stdout)["error"]["kind"] == "DeviceError"
    assert refused.stderr.count("\n") == 1 and "127.0.0.1:9" in refused.stderr
    assert not (tmp_path / "run").exists()


def bad(*arguments: str) -> object:
    return pytest.param(arguments, id=" ".join(arguments[:4]))


@pytest.mark.parametrize(
    "arguments",
    [
        bad("run", "--task", ""),
        bad("run"),
        bad("run", "--task", "x", "--env", "fridge"),
        bad("run", "--task", "x", "--model", "nothing"),
        bad("run", "--task", "x", "--model", "scripted:none.txt"),
        bad("run", "--task", "x", "--model", "SCRIPT", "--out", "/dev/null/run"),
        bad("run", "--task", "x", "--model", "SCRIPT", "--dialect", "klingon"),
        bad("run", "--task", "x", "--viewport", "0x720"),
        bad("run", "--task", "x", "--viewport", "wide"),
        bad("run", "--task", "x", "--confirm", "perhaps"),
        bad("run", "--task", "x", "--device-scale", "9"),
        bad("run", "--task", "x", "--allow-host", "http://x/"),
        bad("run", "--resume", "no/such/run"),
        bad("run", "--resume", "no/such/run", "--task", "x"),
        bad("ground", "no-picture.png", "the button", "--model", "SCRIPT"),
        bad("ground", "README.md", "the button", "--model", "SCRIPT"),
        bad("show", "no/such/run"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    capfd: pytest.CaptureFixture[str], script: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    model = script([])
    filled = [model if argument == "SCRIPT" else argument for argument in arguments]
    if filled[0] == "run" and "--out" not in filled and "--resume" not in filled:
        filled += ["--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as end:
        main([*filled, *(() if filled[0] == "show" else ("--json",))])
    said, complaint = capfd.readouterr()
    assert end.value.code == 2, complaint
    assert complaint.startswith("agent: ") and complaint.count("\n") == 1, complaint
    if filled[0] != "show":
        assert json.loads(said) == {
            "error": {"kind": json.loads(said)["error"]["kind"], "text": complaint[7:-1]},
            "exit_code": 2,
        }
    assert not (tmp_path / "run").exists()


def test_an_unknown_option_is_usage(agent_command: Command) -> None:
    done = agent_command("run", "--tusk", "x", "--json")
    assert done.returncode == 2 and "--tusk" in done.stderr
    assert json.loads(done.stdout)["error"]["kind"] == "UsageError"


def test_ground(agent_command: Command, script: Callable[..., str], tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (VIEWPORT.width, VIEWPORT.height), "white").save(picture)
    model = script([Click(point=Point(0, 359))])
    done = agent_command("ground", str(picture), "the corner", "--model", model)
    assert (done.returncode, done.stdout) == (0, "0 359\n"), done.stderr
    done = agent_command("ground", str(picture), "the corner", "--model", model, "--json")
    result = json.loads(done.stdout)
    assert (result["point"], result["box"], result["size"]) == ([0, 359], None, [640, 360])
    lost = agent_command("ground", str(picture), "the corner", "--model", script([Wait()]))
    assert (lost.returncode, lost.stdout, lost.stderr.count("\n")) == (1, "", 1)
    silent = agent_command("ground", str(picture), "the corner", "--model", script([]))
    assert silent.returncode == 4


def test_a_damaged_run_is_shown_as_far_as_it_goes(agent_command: Command, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    done = agent_command("show", str(tmp_path))
    assert done.returncode == 2 and "run.json" in done.stderr and done.stderr.count("\n") == 1


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from agent.cli import main\n"
        "sys.argv = ['agent', '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'playwright', 'numpy', 'jinja2', 'transformers', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("run", "ground", "show", *LATER):
        assert command in done.stdout
    assert time.monotonic() - started < 20


def test_every_stop_reason_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(StopReason.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", LATER)
def test_commands_of_other_packages_are_found(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    said, _ = capfd.readouterr()
    assert end.value.code == 0 and f"agent {name}" in said

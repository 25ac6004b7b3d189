"""`agent eval BENCHMARK --predictions FILE` from outside: the table, the JSON file, what was left out."""

import json
import re
import sys
from pathlib import Path

import pytest

from agent.cli import main
from evals.benchmarks import BENCHMARKS
from evals.predictions import ALLOWED
from evals.protocols import PROTOCOLS

CLICK = {"action": "click", "coordinate": [540, 1200], "candidate_bbox": [[440, 1100, 640, 1300]]}


def episode(name: int, *actions: dict[str, object]) -> str:
    steps = [
        {"action_content": action, "screenshot": f"{name}_{n}.png", "check_options": action}
        for n, action in enumerate(actions)
    ]
    return json.dumps({"goal": "g", "steps": steps}) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        episode(1, CLICK, {"action": "type", "text": "hello"}, {"action": "terminate", "status": "success"}),
        episode(2, {"action": "swipe", "direction": "down"}, {"action": "open", "text": "Chrome"}),
        "{broken\n",
    ]
    (folder / "std.jsonl").write_text("".join(lines))
    return folder


def predict(tmp_path: Path, **actions: object) -> Path:
    path = tmp_path / "p.jsonl"
    lines = [{"id": name[1:], "action": action} for name, action in actions.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", *map(str, arguments)])
    return int(end.value.code or 0)


def test_protocols_side_by_side_with_baselines(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = predict(
        tmp_path,
        _1_0={"kind": "click", "point": [600, 1200]},  # 0.056 off, inside the box
        _1_1={"kind": "type", "text": ""},
        _2_0={"kind": "scroll", "direction": "up"},
        _9_9={"kind": "wait"},
    )
    assert run("androidcontrol", "--data", data, "--predictions", predictions, "--json", tmp_path / "out.json") == 0
    said = capsys.readouterr()
    rows = {line.split()[0]: line.split() for line in said.out.splitlines() if "%" in line and " to " in line}
    assert list(rows) == ["qwen-androidcontrol", "agentcpm", "osatlas-14", "uground-androidcontrol"]
    assert rows["qwen-androidcontrol"][2] == "100.0%"  # click in a box, empty text, any swipe
    assert rows["agentcpm"][2] == "66.7%"  # the swipe goes the other way
    assert rows["osatlas-14"][2] == "33.3%"  # the click alone
    assert (
        "qwen-androidcontrol: skipped 1 (the source raises NotImplementedError for finish), 1 (no prediction)"
        in said.out
    )
    assert "1 rows of the data left out:\n  std.jsonl:3: " in said.err
    assert "1 predictions left out:\n  p.jsonl:4: the id '9_9' is none of the benchmark's" in said.err
    assert "warning: ids of androidcontrol are file name of the screenshot" in said.err
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["steps"] == 5 and out["problems"][0]["where"] == "p.jsonl:4"
    qwen = out["protocols"]["qwen-androidcontrol"]
    assert (qwen["value"], qwen["n"], qwen["version"]) == (1, 3, "1") and qwen["low"] == qwen["high"] == 1
    assert qwen["skipped"] == {"the source raises NotImplementedError for finish": 1, "no prediction": 1}
    # A tap at the centre hits the click; typing nothing passes the type step: two holes, printed beside the score.
    assert qwen["baselines"]["centre"]["value"] == 0.25 and qwen["baselines"]["empty text"]["value"] == 0.25
    assert list(qwen["baselines"]) == ["constant", "centre", "random", "empty text"]


def test_one_protocol_only(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = predict(tmp_path, _1_0={"kind": "click", "point": [540, 1200]})
    assert run("androidcontrol", "--data", data, "--predictions", predictions, "--protocol", "osatlas-14") == 0
    said = capsys.readouterr().out
    assert "osatlas-14 1" in said and "agentcpm" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--protocol", "aitw"], "the protocol 'aitw' does not score 'androidcontrol'"),
        (["--protocol", "nope"], "the protocol 'nope' is unknown"),
        (["--data", "missing"], "--data 'missing' is no folder"),
        (["--json", "missing/out.json"], "cannot write --json 'missing/out.json'"),
        (["--predictions", "missing.jsonl"], "cannot read the predictions 'missing.jsonl'"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = predict(tmp_path, _1_0={"kind": "wait"})
    assert run("androidcontrol", "--data", data, "--predictions", predictions, *arguments) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and words in said


def test_predictions_of_which_nothing_can_be_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("androidcontrol", "--data", data, "--predictions", predict(tmp_path, _x={"kind": "wait"})) == 2
    assert "could be scored" in capsys.readouterr().err


def test_scoring_starts_without_a_browser_or_torch() -> None:
    import subprocess

    code = "import sys, evals.cli, evals.scoring; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "playwright", "scipy", "pyarrow", "transformers"}.intersection(loaded)


def test_the_manual_names_every_protocol_benchmark_and_kind(repository: Path) -> None:
    manual = (repository / "docs" / "evaluation.md").read_text()
    paragraphs = re.findall(r"^\*\*([a-z0-9-]+)\*\*", manual, re.MULTILINE)
    assert paragraphs == list(PROTOCOLS)
    assert all(f"| `{name}` |" in manual for name in BENCHMARKS)
    assert set(re.findall(r"`([a-z_]+)`", manual)) >= set(ALLOWED)


def test_many_steps_under_all_protocols() -> None:
    """A twentieth of AndroidControl; the whole is `agent bench scoring`."""
    from evals.scale import measure

    cost = measure(422)
    assert (cost.steps, cost.rules) == (422, 4) and cost.cpu_s > 0 and cost.peak_mb > 10


def test_scoring_that_takes_too_much_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for most, code in ((1e9, 0), (0, 1)):
        monkeypatch.setattr("evals.scale.MOST_S", most)
        with pytest.raises(SystemExit) as end:
            main(["bench", "scoring", "--steps", "30", "--json", str(tmp_path / "cost.json")])
        assert end.value.code == code
    assert "30 steps under 4 rules" in capsys.readouterr().out
    assert json.loads((tmp_path / "cost.json").read_text())["steps"] == 30

"""Two models on the same controls: rates, their difference, and answers that are not asked for twice."""

import json
from pathlib import Path

import pytest
from PIL import Image

from action_space.actions import Click
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size
from agent.planner import model_frame
from evals.before_after import Asked, difference, groups_of, main, rate
from evals.benchmarks import load_source
from evals.benchmarks.generated import QUESTIONS
from evals.outcome import read_steps
from evals.protocols.values import Act, Region, Step
from vlm.backends.scripted import ScriptedModel

SIZE = Size(280, 140)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six questions about two screens; of two the name is new."""
    folder = tmp_path / "test"
    (folder / "shard-00000").mkdir(parents=True)
    lines = []
    for number in range(6):
        image, left = f"shard-00000/{number % 2}.png", 40 * number
        Image.new("RGB", (SIZE.width, SIZE.height), (255, 255, number % 2)).save(folder / image)
        row = {
            "id": f"q{number}",
            "image": image,
            "size": [SIZE.width, SIZE.height],
            "instruction": f'click "{number}"',
        }
        row |= {"control": "button" if number < 4 else "field", "name": "new" if number > 3 else "known"}
        lines.append(json.dumps(row | {"boxes": [[left, 20, left + 30, 60]]}))
    (folder / QUESTIONS).write_text("\n".join(lines) + "\n")
    return folder


def script(path: Path, points: list[Point]) -> str:
    dialect = load_dialect(ScriptedModel.dialect)
    frame = model_frame(Frame(SIZE, SIZE), dialect)
    path.write_text("".join(json.dumps(dialect.render(Click(point=point), frame)) + "\n" for point in points))
    return f"scripted:{path}"


def middles(data: Path) -> list[Point]:
    steps, broken = read_steps(load_source("generated"), data)
    assert not broken
    return [Point(*(round(side) for side in step.act.targets[0].center)) for step in steps]


def test_before_and_after(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = middles(data), Point(139, 130)
    before = script(tmp_path / "before.jsonl", [*right[:2], wrong, wrong, wrong, wrong])
    after = script(tmp_path / "after.jsonl", [*right[:5], wrong])
    command = ["--data", str(data), "--out", str(tmp_path / "out"), "--workers", "0", "--model", before]
    assert main(command) == 0
    assert "33.3% (9.7% to 70.0%)" in capsys.readouterr().out
    (tmp_path / "before.jsonl").write_text("")  # whoever asked it again would get nothing
    assert main([*command, "--model", after, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["groups"]
    assert [model["right"] for model in found["all"]["models"]] == [2, 5]
    assert found["all"]["difference"][0] == pytest.approx(0.5)
    assert {"control: button", "control: field", "name: known", "name: new"} < set(found)
    assert [model["right"] for model in found["name: new"]["models"]] == [0, 1]


def test_fewer_questions_can_be_asked(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = script(tmp_path / "m.jsonl", [Point(139, 130)] * 2)
    command = ["--data", str(data), "--out", str(tmp_path / "out"), "--workers", "0", "--model", model, "--limit", "2"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"]["all"]["models"][0]["of"] == 2
    with pytest.raises(SystemExit, match="2"):
        main([*command[:-1], "0"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "none/at/all"], "neither"),
        (["--model", "scripted:a", "--model", "scripted:b", "--model", "scripted:c"], "one --model, or two"),
    ],
)
def test_what_is_wrong_is_one_line(
    options: list[str], words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--out", str(tmp_path / "out"), *options]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and words in said[0] and said[0].startswith("before_after: ")


def test_no_data_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = script(tmp_path / "m.jsonl", [])
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--model", model]) == 2
    assert "is no folder" in capsys.readouterr().err


def asked(hits: list[bool]) -> Asked:
    """Two questions a screen."""
    act = Act("click", targets=(Region(0, 0, 9, 9),))
    steps = {str(n): Step(str(n), (act,), (9, 9), image=f"{n // 2}.png") for n in range(len(hits))}
    return Asked("m", steps, {str(n): hit for n, hit in enumerate(hits)})


def test_a_difference_is_certain_by_its_screens() -> None:
    one, same = asked([True, False] * 6), asked([True, False] * 6)
    names = groups_of([one, same])["all"]
    assert difference(one, same, names) == (0, 0, 0)
    other = asked([True, True] * 6)
    assert difference(one, other, names) == (0.5, 0.5, 0.5), "each screen says the same"
    mixed = asked([*[True, True] * 5, False, False])
    more, low, high = difference(one, mixed, names)
    assert more == pytest.approx(1 / 3) and low < more < high
    assert (rate(one, names).right, rate(one, names).of) == (6, 12)
    fewer = Asked("m", one.steps, {"3": True})
    assert groups_of([one, fewer])["all"] == ["3"], "what one of them did not answer does not count"

"""The grounding benchmark on pages that are drawn: the same seed asks the same, an oracle hits all, a constant point
next to nothing, and a measurement that was killed goes on."""

import json
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from action_space.actions import Click
from action_space.dialects import load_dialect
from action_space.errors import ConfigError
from action_space.geometry import Frame, Point, Size
from agent.cli import main
from agent.planner import model_frame
from evals import drawing, measuring
from evals.asking import Drawing, Plan, Question
from evals.benchmarks import load_source
from evals.benchmarks.generated import QUESTIONS
from evals.drawing import choose, draw
from evals.journal import read_lines
from evals.outcome import read_steps
from evals.protocols import load_rule
from evals.protocols.values import Act, Region, Step
from vlm.backends.scripted import ScriptedModel
from vlm.training.data.render import read_screens

SIZE = Size(700, 560)
DRAWING = Drawing(pages=3, seed=5, size=(700, 560))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "pages"
    draw(folder, DRAWING)
    return folder


@pytest.mark.parametrize(("style", "size", "control"), [("app", (1280, 720), "icon"), ("text", (320, 420), "link")])
def test_pages_of_a_style_ask_for_what_it_has(tmp_path: Path, style: str, size: tuple[int, int], control: str) -> None:
    draw(tmp_path / "pages", DRAWING.model_copy(update={"style": style, "pages": 3, "size": size}))
    steps, broken = read_steps(load_source("generated"), tmp_path / "pages")
    assert not broken and all(step.size == size for step in steps)
    assert control in {step.groups["control"] for step in steps}


def script(path: Path, points: list[Point]) -> str:
    dialect = load_dialect(ScriptedModel.dialect)
    frame = model_frame(Frame(SIZE, SIZE), dialect)
    said = [dialect.render(Click(point=point), frame) for point in points]
    path.write_text("".join(json.dumps(each) + "\n" for each in said))
    return f"scripted:{path}"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", "generated", *map(str, arguments)])
    return int(end.value.code or 0)


def middles(pages: Path) -> list[Point]:
    steps, broken = read_steps(load_source("generated"), pages)
    assert not broken
    return [Point(*(round(side) for side in step.act.targets[0].center)) for step in steps]


def test_an_oracle_hits_and_the_baselines_do_not(pages: Path, tmp_path: Path) -> None:
    points, numbers, report = middles(pages), tmp_path / "n.json", tmp_path / "r.html"
    model = script(tmp_path / "s.jsonl", points)
    assert len(points) >= 6
    command = ["--data", pages, "--model", model, "--workers", 0, "--out", tmp_path / "out"]
    assert run(*command, "--json", numbers, "--report", report) == 0
    found = json.loads(numbers.read_text())["protocols"]["point-in-box"]
    assert (found["value"], found["n"], found["version"]) == (1.0, len(points), "3")
    assert all(each["value"] is None or each["value"] < 0.5 for each in found["baselines"].values())
    assert {name.partition(":")[0] for name in found["groups"]} == {"control"}
    assert "point-in-box" in report.read_text()


def test_what_is_drawn_lies_beside_the_answers_and_is_not_drawn_again(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, out, numbers = middles(pages), tmp_path / "out", tmp_path / "n.json"
    begun = script(tmp_path / "s.jsonl", points[:2])  # then the model fails: three times in a row, and the work ends
    options = ["--limit", 3, "--seed", 5, "--size", "700x560", "--model", begun]
    assert run(*options, "--workers", 0, "--out", out) == 4
    again = (out / "pages" / QUESTIONS).read_bytes()
    assert again == (pages / QUESTIONS).read_bytes(), "the same seed asks the same"
    monkeypatch.setattr(drawing, "drawing_tab", None)
    script(tmp_path / "s.jsonl", points[2:])
    assert run("--resume", out, "--workers", 0, "--json", numbers) == 0
    assert json.loads(numbers.read_text())["protocols"]["point-in-box"]["value"] == 1.0


def test_pages_that_were_cut_short_are_drawn_anew(pages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "screens.jsonl").write_text('{"image": "000000.png", "el')
    (folder / "000001.png").write_text("half a pict")
    draw(folder, DRAWING)
    assert (folder / QUESTIONS).read_bytes() == (pages / QUESTIONS).read_bytes()
    assert all(Image.open(screen.image).size == (700, 560) for screen in read_screens(folder))


def test_predictions_for_drawn_pages(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps, _ = read_steps(load_source("generated"), pages)
    said = [{"id": step.id, "action": {"kind": "click", "point": [1, 1]}} for step in steps]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(each) + "\n" for each in said))
    assert run("--data", pages, "--predictions", tmp_path / "p.jsonl") == 0
    assert "0.0%" in capsys.readouterr().out


def test_labels_and_edges_count_and_no_point_does_not() -> None:
    step = Step("0-0", (Act("click", targets=(Region(10, 10, 20, 20), Region(30, 10, 90, 20))),), (100, 50))
    rule = load_rule("point-in-box")
    tried = [((10.0, 20.0), 1), ((90.0, 10.0), 1), ((25.0, 15.0), 0), ((9.0, 15.0), 0)]
    for point, value in tried:
        assert rule.score(step, [Act("click", point)]).value == value
    assert rule.score(step, []).value == rule.score(step, [Act("type", text="x")]).value == 0


def test_names_that_are_not_there_are_asked_for_on_request(pages: Path, tmp_path: Path) -> None:
    draw(tmp_path / "pages", DRAWING.model_copy(update={"missing": 2}))
    steps, broken = read_steps(load_source("generated"), tmp_path / "pages")
    known = {step.id for step in read_steps(load_source("generated"), pages)[0]}
    away = [step for step in steps if step.refusal]
    assert not broken and len(away) == 2 * DRAWING.pages
    assert {step.id for step in steps if not step.refusal} == known, "all else is asked as without them"
    shown = {screen.image.name: {e.name for e in screen.elements} for screen in read_screens(tmp_path / "pages")}
    rule = load_rule("point-in-box")
    for step in away:
        assert json.loads(step.instruction.split(" ", 1)[1].rpartition('"')[0] + '"') not in shown[step.image]
        assert rule.skips(step) == "" and step.groups["control"] == "missing"
        assert rule.score(step, [Act("refuse")]).value == 1
        assert rule.score(step, [Act("click", (1, 1))]).value == rule.score(step, []).value == 0
    row = json.loads((tmp_path / "pages" / QUESTIONS).read_text().splitlines()[-1])
    (tmp_path / "pages" / QUESTIONS).write_text(json.dumps({**row, "control": "button"}))
    with pytest.raises(ConfigError, match="a control has boxes"):
        read_steps(load_source("generated"), tmp_path / "pages")


def test_only_names_that_are_unique_are_asked_for(pages: Path) -> None:
    for screen in read_screens(pages):
        names = [element.name.lower() for element in screen.elements]
        assert all(names.count(element.name.lower()) == 1 for element in choose(screen, Random(0), 99))


def test_questions_of_a_limited_exam_are_not_filled_up_to_episodes(tmp_path: Path) -> None:
    """Steps that were not drawn were not asked, so no rule may take them for missed."""
    step = Step("e_1", (Act("click", (5, 5), targets=(Region(0, 0, 9, 9),)),), (9, 9), episode="e", steps=7)
    answer = measuring.Answer.model_validate_json(
        '{"id": "e_1", "action": {"kind": "click", "point": [5, 5]}, "size": [9, 9]}'
    )
    for limit, n in ((None, 7), (1, 1)):
        plan = Plan(benchmark="mind2web", data=str(tmp_path), model="m", limit=limit)
        exam = measuring.Exam(plan, [step], [Question("e_1", "t", tmp_path, False)], [], tmp_path)
        outcome = measuring.score(exam, {"e_1": answer}, ("uground-mind2web",))
        assert outcome.comparisons[0].model.n == n


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "wide"], "1280x720"),
        (["--model", "none/at/all"], "neither"),
        (["--data", "x", "--seed", "3"], "are not drawn again"),
        (["--predictions", "p.jsonl"], "--data DIR"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(*arguments, "--out", tmp_path / "out") == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert not list(read_lines(tmp_path / "out", measuring.Answer))

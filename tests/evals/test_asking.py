"""`agent eval BENCHMARK --model SPEC`: questions to a model in worker processes, and what becomes of its answers."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size
from agent.cli import main
from agent.planner import model_frame
from evals.acts import action_of, acts_of, entered, line_of, separated
from evals.asking import Answer, Plan, Question, ask, find_image, questions
from evals.benchmarks import load_source
from evals.benchmarks.reading import Broken
from evals.journal import read_lines
from evals.online.miniwob.attempts import Attempt
from evals.online.miniwob.report import Rate
from evals.outcome import read_steps
from evals.predictions import Line, in_units
from evals.protocols.values import Act, Region, Step
from evals.scoring import Result
from evals.tables import beside_the_model
from vlm.backends.scripted import ScriptedModel

SCREEN = Size(560, 420)
OUTCOME = {"benchmark", "predictions", "steps", "protocols", "broken_rows", "problems", "warnings"}
"""What scripts find in `--json FILE`: docs/evaluation.md."""


def say(action: Action, screen: Size = SCREEN) -> str:
    dialect = load_dialect(ScriptedModel.dialect)
    return dialect.render(action, model_frame(Frame(screen, screen), dialect))


@pytest.fixture
def screenspot(tmp_path: Path) -> Path:
    """Four questions on three pictures: one right at (100, 50), one missed, one without its picture, one of text."""
    folder = tmp_path / "data"
    (folder / "screenspot_imgs").mkdir(parents=True)
    rows = [
        {"img_filename": "a.png", "bbox": [90, 40, 30, 20], "instruction": "save", "data_type": "text"},
        {"img_filename": "b.png", "bbox": [300, 200, 30, 20], "instruction": "close", "data_type": "icon"},
        {"img_filename": "gone.png", "bbox": [0, 0, 9, 9], "instruction": "open", "data_type": "icon"},
        {"img_filename": "text.png", "bbox": [0, 0, 9, 9], "instruction": "print", "data_type": "icon"},
    ]
    (folder / "screenspot_web.json").write_text(json.dumps(rows))
    for name in "ab":
        Image.new("RGB", (SCREEN.width, SCREEN.height), "white").save(folder / "screenspot_imgs" / f"{name}.png")
    (folder / "screenspot_imgs" / "text.png").write_text("no picture")
    return folder


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.jsonl"
    path.write_text(2 * (json.dumps(say(Click(point=Point(100, 50)))) + "\n"))
    return f"scripted:{path}"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", *map(str, arguments)])
    return int(end.value.code or 0)


# --------------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("workers", [0, 1])
def test_a_model_is_asked_and_scored(
    workers: int, screenspot: Path, script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, numbers = tmp_path / "out", tmp_path / "numbers.json"
    command = ["screenspot", "--data", screenspot, "--model", script, "--workers", workers, "--out", out]
    assert run(*command, "--json", numbers) == 0
    said = capsys.readouterr()
    assert "screenspot 1" in said.out and "50.0%" in said.out
    assert "screenspot_web.json:2 (screenspot_web-2): the picture 'gone.png' is missing" in said.err
    assert "screenspot_web.json:3 (screenspot_web-3): the picture 'text.png' cannot be read" in said.err
    found = json.loads(numbers.read_text())
    assert found["protocols"]["screenspot"]["n"] == 2 and found["steps"] == 2
    assert set(found) == {*OUTCOME, "plan", "answers"}
    assert found["plan"]["benchmark"] == "screenspot" and len(found["broken_rows"]) == 2
    assert [answer["size"] for answer in found["answers"]] == [[560, 420]] * 2
    (first, second) = read_lines(out, Answer)
    assert first.action is not None and first.action.kind == "click" and "coordinate" in first.reply
    assert {first.id, second.id} == {"screenspot_web-0", "screenspot_web-1"}
    assert first.took > 0 and re.search(r"2 questions: \d+\.\d s\n", said.err), "this model takes no time of its own"


@pytest.mark.parametrize(
    ("took", "model", "words"),
    [(10.0, 9.8, "10.0 s, 2.0% of it beside the model"), (10.0, 0.0, "10.0 s"), (0.0, 0.0, "0.0 s")],
)
def test_what_is_beside_the_model_is_said(took: float, model: float, words: str) -> None:
    assert beside_the_model(took, model) == words


def test_errors_are_left_out_and_asked_again(
    screenspot: Path, script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = Path(script.removeprefix("scripted:"))
    whole = short.read_text()
    short.write_text(whole.splitlines()[0] + "\n")  # the second question meets with a ModelError
    out = tmp_path / "out"
    assert run("screenspot", "--data", screenspot, "--model", script, "--workers", 0, "--out", out) == 0
    said = capsys.readouterr()
    assert "screenspot_web-1: the script has no reply left" in said.err and "100.0%" in said.out
    short.write_text(whole)
    numbers = tmp_path / "numbers.json"
    assert run("screenspot", "--resume", out, "--workers", 0, "--json", numbers) == 0
    assert [answer.error[:10] for answer in read_lines(out, Answer)] == ["", "the script", ""]
    found = json.loads(numbers.read_text())
    assert found["protocols"]["screenspot"]["value"] == 0.5 and found["problems"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "screenspot needs --data DIR"),
        (["--data", "DATA", "--model", "nonsense"], "the model 'nonsense' is neither"),
        (["--data", "DATA", "--engine", "slurm"], "--engine 'slurm' is unknown"),
        (["--data", "DATA", "--protocol", "aitw"], "does not score 'screenspot'"),
        (["--resume", "OUT", "--limit", "3"], "--resume goes on with its own settings"),
        (["--resume", "OUT"], "holds no measurement"),
        (["--predictions", "p.jsonl", "--data", "DATA", "--model", "bundled"], "without --model or --resume"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], words: str, screenspot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"DATA": str(screenspot), "OUT": str(tmp_path / "out")}
    out = [] if "--resume" in arguments else ["--out", tmp_path / "new"]
    assert run("screenspot", *(names.get(each, each) for each in arguments), *out) == 2
    said = capsys.readouterr().err.splitlines()
    assert words in said[-1] and not any("Traceback" in line for line in said)


def test_a_model_that_does_not_load_ends_with_4_and_says_so_to_scripts(
    screenspot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoint").mkdir()
    command = ["screenspot", "--data", screenspot, "--model", tmp_path / "checkpoint", "--out", tmp_path / "out"]
    assert run(*command, "--workers", 0, "--json", tmp_path / "numbers.json") == 4
    said = json.loads(capsys.readouterr().out)
    assert said["exit_code"] == 4 and said["error"]["text"] and not (tmp_path / "numbers.json").exists()


def test_a_measurement_of_another_benchmark(
    screenspot: Path, script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("screenspot", "--data", screenspot, "--model", script, "--workers", 0, "--out", out) == 0
    assert run("osworld-g", "--resume", out) == 2
    assert "measures 'screenspot': use agent eval screenspot" in capsys.readouterr().err


def test_data_without_pictures(tmp_path: Path, screenspot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for picture in (screenspot / "screenspot_imgs").iterdir():
        picture.unlink()
    assert run("screenspot", "--data", screenspot, "--out", tmp_path / "out") == 2
    assert "nothing of screenspot can be asked: screenspot_web.json:0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_manual_names_every_field(repository: Path) -> None:
    manual = (repository / "docs" / "evaluation.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", manual))
    assert named >= {*OUTCOME, "plan", "answers", *Answer.model_fields, *Plan.model_fields}
    assert named >= {field.name for field in fields(Result)} | {"version", "baselines"}
    assert set(re.findall(r"`([a-z_]+)`", (repository / "docs" / "miniwob.md").read_text())) >= {
        *Attempt.model_fields,
        *(field.name for field in fields(Rate)),
    }


# ------------------------------------------------------------------------------------------------------ questions


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    row = {"id": "x", "img_filename": "a.png", "bbox": [1, 2, 3, 4], "instruction": "i", "img_size": [3840, 2160]}
    (tmp_path / "annotations" / "word.json").write_text(json.dumps([row]))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 50)).save(tmp_path / "images" / "a.png")
    source = load_source("screenspot-pro")
    steps, _ = read_steps(source, tmp_path)
    (found,) = questions(source, steps, tmp_path)
    where, why = "annotations/word.json:0 (x)", "the picture 'images/a.png' is 100x50, but the data says 3840x2160"
    assert found == Broken(where, why)


def test_pictures_outside_of_the_folder_are_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for path in (tmp_path / "secret.png", folder / "images" / "a.png"):
        Image.new("RGB", (9, 9)).save(path)
    assert find_image(folder, "../secret.png") is None and find_image(folder, str(tmp_path / "secret.png")) is None
    assert find_image(folder, "somewhere/a.png") == folder / "images" / "a.png"


@given(st.text() | st.text(min_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_name_of_a_picture_is_fatal(tmp_path: Path, name: str) -> None:
    assert find_image(tmp_path, name) is None


def test_history_is_what_was_right_before_in_the_same_episode(tmp_path: Path) -> None:
    Image.new("RGB", (560, 420)).save(tmp_path / "a.png")
    click, typing = Act("click", targets=(Region(90, 40, 110, 60),)), Act("type", text="hello")

    def step(episode: str, number: int, act: Act) -> Step:
        size = (560.0, 420.0)
        return Step(f"{episode}{number}", (act,), size, "greet", "a.png", episode=episode, number=number)

    steps = [step("e", 0, click), step("e", 1, typing), step("f", 0, typing), step("", 0, click), step("", 1, click)]
    asked = list(questions(load_source("androidcontrol"), steps, tmp_path))
    assert [each.past for each in asked if isinstance(each, Question)] == [(), (click,), (), (), ()]


def test_an_episode_is_asked_with_its_task_and_history(tmp_path: Path) -> None:
    Image.new("RGB", (1120, 840)).save(tmp_path / "a.png")
    past = (Act("click", targets=(Region(0.25, 0.25, 0.75, 0.75),)), Act("type", text="hello"))
    question = Question("x", "greet the world", tmp_path / "a.png", False, past, (1.0, 1.0))
    screen = Size(1120, 840)
    model = ScriptedModel([say(Scroll(point=Point(560, 420), direction="down"), screen)])
    answer = ask(model, load_dialect(model.dialect), question)
    asked = str(model.asked[0])
    assert "greet the world" in asked and "hello" in asked and "560" in asked, "the target's middle, in pixels"
    assert answer.action is not None and answer.action.direction == "down" and answer.size == (1120, 840)
    scaled = in_units(Line(id="x", action=answer.action, size=answer.size), Step("x", (), (1.0, 1.0)))
    assert scaled[0].point == pytest.approx((0.5, 0.5), abs=0.01)


def test_a_reply_that_cannot_be_read_is_a_miss_and_no_error(tmp_path: Path) -> None:
    Image.new("RGB", (560, 420)).save(tmp_path / "a.png")
    for is_grounding in (True, False):
        model = ScriptedModel(["I see nothing"])
        question = Question("x", "save", tmp_path / "a.png", is_grounding)
        answer = ask(model, load_dialect(model.dialect), question)
        assert answer.action is None and answer.mistake and not answer.error and answer.reply == "I see nothing"


def test_where_something_is_it_cannot_be_done_means_nothing_fits(tmp_path: Path) -> None:
    Image.new("RGB", (560, 420)).save(tmp_path / "a.png")
    for is_grounding, kind in ((True, "refuse"), (False, "finish")):
        model = ScriptedModel([say(Finish(status="failure"))])
        answer = ask(model, load_dialect(model.dialect), Question("x", "save", tmp_path / "a.png", is_grounding))
        assert answer.action is not None and answer.action.kind == kind


CLICK, HELLO, ENTER = Click(point=Point(100, 50)), Type(text="hello"), Press(keys=("enter",))


@pytest.mark.parametrize(
    ("said", "kinds", "left"),
    [
        ([CLICK, HELLO, ENTER, CLICK], ["click", "type", "press"], 1),  # no more than there is room for
        ([CLICK, Finish(status="success"), CLICK], ["click"], 1),  # it says that it is done, and so it is
        ([Finish(status="success"), CLICK], ["finish"], 1),
        ([CLICK, CLICK, HELLO], ["click"], 1),  # it goes round in circles
        ([CLICK, "well", HELLO], ["click"], 1),
        (["well", CLICK], [], 1),
    ],
)
def test_a_step_of_several_actions_is_asked_on(
    said: list[Action | str], kinds: list[str], left: int, tmp_path: Path
) -> None:
    Image.new("RGB", (560, 420)).save(tmp_path / "a.png")
    model = ScriptedModel([each if isinstance(each, str) else say(each) for each in said])
    question = Question("x", "greet", tmp_path / "a.png", False, most=3)
    answer = ask(model, load_dialect(model.dialect), question)
    found = [answer.action, *answer.more] if answer.action else []
    assert [act.kind for act in found] == kinds
    # The second action may have been looked at and not taken; what was not asked for is never said.
    assert len(model.asked) <= len(said) - left
    if len(kinds) > 1:
        assert "100" in str(model.asked[1]) and "hello" in str(model.asked[2]), "its own actions are its history"


def test_typing_into_a_place_is_one_action_there_and_two_here() -> None:
    into = Act("type", (1.0, 2.0), text="hello")
    assert entered(separated(into)) == (into,)
    click, typed, select = Act("click", (1.0, 2.0)), Act("type", text="hello"), Act("select", (1.0, 2.0), text="red")
    assert entered((click, click)) == entered((click,)) == (click,) and entered((typed, click)) == (typed,)
    assert entered(()) == () and separated(select) == (select,) and separated(typed) == (typed,)


def test_a_phones_home_is_no_key_of_a_keyboard() -> None:
    home = Act("press", keys=("home",))
    assert action_of(home, SCREEN, phone=True) == Press(keys=("device_home",)) and acts_of(
        Press(keys=("device_home",))
    ) == (home,)
    assert action_of(home, SCREEN) == Press(keys=("home",))


def test_a_picture_that_cannot_be_shown_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (4000, 3)).save(tmp_path / "thin.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "thin.png").read_bytes()[:60])
    model = ScriptedModel([])
    for name in ("thin.png", "cut.png", "none.png"):
        for is_grounding in (True, False):
            answer = ask(model, load_dialect(model.dialect), Question("x", "save", tmp_path / name, is_grounding))
            assert answer.error and answer.action is None


def test_the_answer_does_not_travel_with_the_question() -> None:
    assert set(Question.__slots__) == {"id", "task", "image", "is_grounding", "past", "size", "most", "is_phone"}


# ----------------------------------------------------------------------------------------------- actions and acts

ACTIONS: list[tuple[Action, Act]] = [
    (Click(point=Point(3, 4), button="right", count=2), Act("click", (3, 4), button="right", count=2)),
    (Click(point=Point(3, 4), modifiers=("ctrl", "shift")), Act("click", (3, 4), keys=("ctrl", "shift"))),
    (Move(point=Point(0, 0)), Act("move", (0, 0))),
    (LongPress(point=Point(5, 6)), Act("long_press", (5, 6))),
    (Drag(start=Point(1, 2), end=Point(3, 4)), Act("drag", (1, 2), (3, 4))),
    (Scroll(point=Point(1, 2), direction="left"), Act("scroll", (1, 2), direction="left")),
    (Type(text="é"), Act("type", text="é")),
    (Press(keys=("enter",)), Act("press", keys=("enter",))),
    (Press(keys=("ctrl", "a")), Act("hotkey", keys=("ctrl", "a"))),
    (Open(target="Chrome"), Act("open", text="Chrome")),
    (Wait(), Act("wait")),
    (Finish(status="success", text="42"), Act("finish", text="42")),
    (Finish(status="failure"), Act("finish", status="failure")),
]


@pytest.mark.parametrize(("action", "act"), ACTIONS, ids=lambda each: each.kind)
def test_actions_and_acts_are_each_other(action: Action, act: Act) -> None:
    assert acts_of(action) == (act,) and line_of(act).to_act() == act
    assert action_of(act, SCREEN) == action


def test_what_has_no_counterpart() -> None:
    assert acts_of(None) == acts_of(Ask(question="which?")) == ()
    assert action_of(Act("refuse"), SCREEN) == Finish(status="failure")
    assert action_of(Act("select", (1, 2), text="red"), SCREEN) == Click(point=Point(1, 2))
    nothing: list[Act] = [
        Act("click"),
        Act("click", (-1, 5)),
        Act("click", (561, 5)),
        Act("drag", (1, 2)),
        Act("press", keys=("nonsense",)),
        Act("press"),
        Act("open"),
        Act("scroll", (1, 2)),
    ]
    assert [action_of(act, SCREEN) for act in nothing] == [None] * len(nothing)


@pytest.mark.parametrize(("place", "pixel"), [((560, 420), (559, 419)), ((0, 0), (0, 0)), ((0.9, 1.2), (0, 1))])
def test_places_fall_into_pixels(place: tuple[float, float], pixel: tuple[int, int]) -> None:
    assert action_of(Act("move", place), SCREEN) == Move(point=Point(*pixel))

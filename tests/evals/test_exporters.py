"""Runs as rows: what is written can be read back, scored and learnt from; what a format has no word for is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size
from action_space.keys import KEYS
from agent.cli import main
from agent.trajectory import read_trajectory
from evals.exchange import EXPORTERS, IMPORTERS, load_importer
from evals.exchange.agentnet_rows import fraction
from evals.exchange.cli import bring_in
from evals.exchange.foreign import pixel
from evals.exchange.pyautogui_code import read_code
from evals.exchange.pyautogui_words import write_code

Runs = Any  # of conftest.py, which no test can import
Export = Callable[..., tuple[list[Any], str]]

SCREEN = Size(640, 360)
CLICK, TYPE, DONE = Click(point=Point(200, 100)), Type(text='it\'s "Ada"\n'), Finish(status="success", text="7")
SAYABLE: list[Action] = [
    CLICK,
    Click(point=Point(0, 359), button="right"),
    Click(point=Point(639, 0), count=2),
    Click(point=Point(1, 1), count=3),
    TYPE,
    Scroll(point=Point(3, 3), direction="down"),
    Drag(start=Point(5, 5), end=Point(100, 50)),
    Press(keys=("page_down",)),
    Press(keys=("ctrl", "shift", "t")),
    Move(point=Point(9, 9)),
    Wait(),
    DONE,
]


@pytest.fixture
def export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Export:
    """The rows of `agent export`, and what was said."""

    def run(form: str, *arguments: object, out: str = "rows") -> tuple[list[Any], str]:
        with pytest.raises(SystemExit) as end:
            main(["export", *map(str, arguments), "--format", form, "--out", str(tmp_path / out)])
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        (file,) = (tmp_path / out).glob("*.jsonl")
        return [json.loads(line) for line in file.read_text().splitlines()], said.err

    return run


@pytest.mark.parametrize("form", ["agentnet", "agentnet-bench"])
def test_agentnet_there_and_back(form: str, runs: Runs, export: Export, tmp_path: Path) -> None:
    box = {"left": 100, "top": 80, "right": 301, "bottom": 121}
    original = read_trajectory(runs.make("all", SAYABLE, targets=(box,), plan="do it"))
    (row,), said = export(form, original.folder)
    assert "left out" not in said and row["task_id"] == "all"
    (again,), broken = bring_in(load_importer("agentnet"), tmp_path / "rows", tmp_path / "back", "")
    run = read_trajectory(again.folder)
    assert not broken and run.header.task == original.header.task and run.reason == "success"
    assert [step.image for step in run.steps] == [step.image for step in original.steps]
    assert [step.plan for step in run.steps] == [step.plan for step in original.steps]
    expected = [step.action for step in original.steps]
    if form == "agentnet-bench":  # it has no words for answers and amounts
        expected[-1] = Finish(status="success")
        assert run.steps[0].targets == original.steps[0].targets
    assert [step.action for step in run.steps] == expected


def test_exported_runs_can_be_scored(
    runs: Runs, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = export("agentnet-bench", runs.make("r", [CLICK, TYPE, DONE]))
    predictions = tmp_path / "p.jsonl"
    did = [
        {"kind": "click", "point": [200, 100]},
        {"kind": "type", "text": 'it\'s "Ada"'},
        {"kind": "finish", "status": "failure"},
    ]
    lines = [{"id": f"r-{number}", "action": act, "size": [640, 360]} for number, act in enumerate(did, 1)]
    predictions.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(SystemExit) as end:
        main(["eval", "agentnet", "--data", str(tmp_path / "rows"), "--predictions", str(predictions)])
    assert end.value.code == 0 and " 66.7% " in capsys.readouterr().out and len(rows) == 1


def test_what_a_format_has_no_word_for_is_named(runs: Runs, export: Export) -> None:
    actions = [
        CLICK,
        Open(target="Clock"),
        Ask(question="?"),
        Press(keys=("back",)),
        LongPress(point=Point(1, 1)),
        None,
    ]
    run = runs.make("r", actions)
    (row,), said = export("agentnet", run)
    assert len(row["traj"]) == 2 and f"{run}/steps.jsonl:2: PyAutoGUI has no word for 'open'" in said
    assert "3 runs and steps left out" in said
    (row,), said = export("agentnet-bench", run, out="bench")
    assert len(row["steps"]) == 2 and "AgentNetBench has no type for this: long press (1, 1)" in said


def test_training_rows_are_what_the_planner_asks_and_the_dialect_reads(runs: Runs, export: Export) -> None:
    run = runs.make("r", [CLICK, TYPE, None, DONE])
    rows, _ = export("openai", run, "--dialect", "computer_use")
    assert [row["id"] for row in rows] == ["r#1", "r#2", "r#4"]
    for row, action in zip(rows, [CLICK, TYPE, DONE], strict=True):
        *asked, answer = row["messages"]
        assert answer["role"] == "assistant" and [each["role"] for each in asked] == ["system", "user"]
        picture = asked[-1]["content"][-1]
        assert picture["type"] == "image_url" and (run.parent.parent / "rows" / picture["image_url"]["url"]).is_file()
        step = next(step for step in read_trajectory(run).steps if step.action == action)
        assert load_dialect("computer_use").parse(answer["content"], step.frame) == action
    assert "task of r" in json.dumps(rows[0]) and "Ada" in json.dumps(rows[2]["messages"][1])


def test_a_dialect_that_plans_gives_two_rows_a_step(runs: Runs, export: Export) -> None:
    rows, _ = export("openai", runs.make("r", [CLICK, DONE], plan="click “Send”"), "--dialect", "compact")
    assert [row["id"] for row in rows][:2] == ["r#1 plan", "r#1"]
    assert rows[0]["messages"][-1]["content"] == "click “Send”"
    assert rows[1]["messages"][-1]["content"].startswith("click(")


def test_ui_tars_rows_are_one_conversation_from_0_to_1000(runs: Runs, export: Export) -> None:
    (row,), _ = export("ui-tars", runs.make("r", [CLICK, TYPE], plan="press it"))
    roles = [(each["role"], each["loss_mask"]) for each in row["messages"]]
    assert roles == [("user", 0), *[("user", 0), ("assistant", 1)] * 2]
    first = row["messages"][2]["content"]
    assert first == "Thought: press it\nAction: click(start_box='(313,279)')"
    assert load_dialect("ui_tars").parse(first, Frame(Size(1000, 1000), SCREEN)) == CLICK
    assert "## User Instruction\ntask of r" in row["messages"][0]["content"][0]["text"]


def test_only_successful_runs_are_learnt_from(runs: Runs, export: Export) -> None:
    runs.make("good", [CLICK])
    runs.make("bad", [CLICK], reason="failure")
    rows, said = export("ui-tars", runs.folder)
    assert len(rows) == 1 and "1 runs left out: ended with failure" in said
    rows, _ = export("ui-tars", runs.folder, "--any-outcome", out="all")
    assert len(rows) == 2
    rows, _ = export("agentnet", runs.folder, out="net")
    assert [row["task_completed"] for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("effect", "correct", "redundant"), [("near", True, False), ("reached", True, True), ("none", False, False)]
)
def test_agentnet_is_told_what_a_step_was_worth(
    effect: str, correct: bool, redundant: bool, runs: Runs, export: Export
) -> None:
    ((row,), _) = export("agentnet", runs.make("r", [CLICK], effect=effect))
    value = row["traj"][0]["value"]
    assert (value["last_step_correct"], value["last_step_redundant"]) == (correct, redundant)


@pytest.mark.parametrize("form", EXPORTERS)
def test_steps_without_their_screenshot_are_named(form: str, runs: Runs, export: Export) -> None:
    run = runs.make("r", [CLICK, DONE])
    image = read_trajectory(run).steps[0].image
    (run / "images" / f"{image}.png").unlink()
    rows, said = export(form, run)
    assert rows and image not in json.dumps(rows) and f"{run}/steps.jsonl:1: " in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "--format", "openai"], "'nowhere' is neither a run"),
        (["RUN", "--format", "csv"], "there is no export to 'csv': choose one of agentnet, agentnet-bench"),
        (["RUN", "--format", "ui-tars", "--dialect", "compact"], "--dialect is for openai"),
        (["RUN", "--format", "openai", "--dialect", "x"], "unknown dialect 'x'"),
        (["BAD", "--format", "openai"], "there is no run to export: 1 ended with failure; --any-outcome takes them"),
        (["RUN", "--format", "openai", "--out", "RUN"], "exists and is not an empty folder"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], words: str, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"RUN": str(runs.make("a", [CLICK])), "BAD": str(runs.make("bad", [CLICK], reason="failure"))}
    with pytest.raises(SystemExit) as end:
        main(["export", "--out", str(tmp_path / "rows"), *(named.get(each, each) for each in arguments)])
    said = capsys.readouterr().err
    assert end.value.code == 2 and words in said and len(said.splitlines()) == 1


POINTS = st.builds(Point, st.integers(0, 639), st.integers(0, 359))
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        Click,
        point=POINTS,
        button=st.sampled_from(["left", "right", "middle"]),
        count=st.integers(1, 3),
        modifiers=st.lists(st.sampled_from(["ctrl", "shift", "alt", "meta"]), unique=True, max_size=2).map(tuple),
    ),
    st.builds(Drag, start=POINTS, end=POINTS, seconds=st.sampled_from([0.25, 1.0])),
    st.builds(
        Scroll, point=POINTS, direction=st.sampled_from(["up", "down", "left", "right"]), amount=st.integers(1, 9)
    ),
    st.builds(Type, text=st.text(st.characters(codec="utf-8"), max_size=20)),
    st.builds(Press, keys=st.lists(st.sampled_from(["a", "+", "'", *KEYS]), min_size=1, max_size=3).map(tuple)),
    st.builds(LongPress, point=POINTS, seconds=st.sampled_from([0.5, 2.0])),
    st.builds(Finish, status=st.sampled_from(["success", "failure"]), text=st.text(max_size=9)),
)


@given(action=ACTIONS)
def test_every_action_is_read_as_it_was_written(action: Action) -> None:
    from action_space.errors import UnsupportedAction

    def write(point: Point) -> str:
        x, y = fraction(point, SCREEN)
        return f"x={x:g}, y={y:g}"

    try:
        code = write_code(action, write)
    except UnsupportedAction:
        assert isinstance(action, Press)
        return
    assert read_code(code, lambda x, y: pixel(x, y, SCREEN)) == [action]


@given(size=st.builds(Size, st.integers(1, 10_000), st.integers(1, 10_000)), data=st.data())
def test_every_pixel_survives_being_a_fraction(size: Size, data: st.DataObject) -> None:
    point = Point(data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1)))
    x, y = fraction(point, size)
    assert pixel(x, y, size) == point and pixel(float(f"{x:g}"), float(f"{y:g}"), size) == point


def test_the_manual_names_every_format(repository: Path) -> None:
    manual = (repository / "docs" / "trajectories.md").read_text()
    assert all(f"| `{name}` |" in manual for name in (*IMPORTERS, *EXPORTERS))


def test_pages_that_are_for_evaluation_are_not_learned_from(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, address in (("training", "miniwob:click-test#7"), ("reserved", "miniwob:click-test#1000000")):
        folder = runs.make(name, [Click(point=Point(200, 100))])
        header = json.loads((folder / "run.json").read_text())
        header["settings"]["url"] = address
        (folder / "run.json").write_text(json.dumps(header))
    for form, rows in (("openai", 1), ("ui-tars", 1), ("agentnet", 1), ("agentnet-bench", 2)):
        with pytest.raises(SystemExit) as end:
            main(["export", str(runs.folder), "--format", form, "--out", str(tmp_path / form), "--any-outcome"])
        said = capsys.readouterr()
        assert end.value.code == 0 and said.out.startswith(f"{rows} rows in ")
        assert ("reserved: a MiniWoB++ page that is for evaluation only" in said.err) is (rows == 1)

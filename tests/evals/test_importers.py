"""Runs of other programs: each format made here as its source writes it, broken rows, and what comes of them."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.actions import Click, Drag, Finish, LongPress, Open, Press, Scroll, Type, Wait
from action_space.errors import ConfigError
from action_space.geometry import Box, Point
from agent.cli import main
from agent.trajectory import Trajectory, read_trajectory
from evals.exchange import IMPORTERS, load_importer
from evals.exchange.cli import bring_in

Bring = Callable[..., tuple[list[Trajectory], list[str]]]

Document = Any  # of JSON

WIDE, HIGH = 200, 100


def png(shade: int = 0, size: tuple[int, int] = (WIDE, HIGH)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, shade).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Import, and read back: runs, and what was left out as `place: why`."""

    def run(form: str, path: Path, task: str = "") -> tuple[list[Trajectory], list[str]]:
        done, broken = bring_in(load_importer(form), path, tmp_path / "out", task)
        return [read_trajectory(each.folder) for each in done], [f"{each.where}: {each.why}" for each in broken]

    return run


def actions(run: Trajectory) -> list[object]:
    return [step.action for step in run.steps]


def at(x: int, y: int, count: int = 1) -> Click:
    return Click(point=Point(x, y), count=count)


# ------------------------------------------------------------------------------------------------------- osworld


def osworld(folder: Path, rows: list[object], *, first: bool = True, result: str = "1.0\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "instruction.txt").write_text("Open the settings\n")
    (folder / "result.txt").write_text(result)
    if first:
        (folder / "step_0.png").write_bytes(png())
    lines = []
    for number, action in enumerate(rows, 1):
        name = f"step_{number}_20250101@120000.png"
        (folder / name).write_bytes(png(number))
        row = {"step_num": number, "action_timestamp": "20250101@120000", "action": action, "reward": 0}
        lines.append(json.dumps(row | {"done": False, "info": {}, "screenshot_file": name, "response": "I think"}))
    (folder / "traj.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_osworld(bring: Bring, tmp_path: Path) -> None:
    osworld(tmp_path / "r" / "chrome" / "a1", ["pyautogui.click(10, 20)", "WAIT", "DONE"])
    osworld(tmp_path / "r" / "gimp" / "b2", ["import pyautogui\npyautogui.press('a')", "FAIL"], result="0.0")
    (first, second), broken = bring("osworld", tmp_path / "r")
    assert not broken
    assert actions(first) == [at(10, 20), Wait(), Finish(status="success")]
    assert first.header.task == "Open the settings" and first.reason == "success" and first.folder.name == "chrome-a1"
    assert first.steps[0].reply == "I think" and str(first.steps[0].started) == "2025-01-01 12:00:00+00:00"
    assert second.reason == "failure" and second.header.versions.dialect == "osworld"
    # Each row was done on the picture of the row before.
    with Image.open(first.image_path(first.steps[1].image)) as image:
        assert image.getpixel((0, 0)) == (1, 1, 1)


def test_osworld_rows_that_cannot_be_used(bring: Bring, tmp_path: Path) -> None:
    rows: list[object] = ["pyautogui.click(1, 2)", "pyautogui.click(900, 2)", {"action_type": "CLICK"}, "x = 1", "DONE"]
    folder = osworld(tmp_path / "r" / "a", rows, first=False)
    with (folder / "traj.jsonl").open("a") as file:
        file.write('{"Error": "Time limit exceeded"}\n{broken\n')
    (run,), broken = bring("osworld", folder)
    assert actions(run) == [Finish(status="success")]
    assert [line.partition("traj.jsonl:")[2] for line in broken] == [
        f"1: the screenshot {str(folder / 'step_0.png')!r} cannot be read: No such file or directory",
        "2: (900, 2) is outside the screenshot of 200x100",
        "3: action: PyAutoGUI code is needed, not \"{'action_type': 'CLICK'}\"",
        "4: line 1 of the code is no plain call",
        "6: OSWorld failed here: Time limit exceeded",
        "7: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ]


# ------------------------------------------------------------------------------------------------------ agentnet


def agentnet(folder: Path, *rows: dict[str, object]) -> Path:
    (folder / "images").mkdir(parents=True)
    for number in range(4):
        (folder / "images" / f"{number}.png").write_bytes(png(number))
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def training(code: str, **value: object) -> dict[str, object]:
    return {"index": 0, "image": "0.png", "value": {"code": code, "action": "do it", "thought": "hm"} | value}


def test_agentnet_training_data(bring: Bring, tmp_path: Path) -> None:
    codes = [
        "pyautogui.click(x=0.5, y=1.0)",
        "pyautogui.moveTo(x=0.1, y=0.1)\npyautogui.dragTo(x=0.2, y=0.5, button='left')",
        "pyautogui.write(message='it\\'s')\npyautogui.press('enter')",
        "pyautogui.hotkey(['ctrl', 'c'])",
        "pyautogui.scroll(-5)",
        "computer.tripleClick(x=0, y=0)",
        "computer.terminate(status='success')",
    ]
    path = agentnet(
        tmp_path / "d",
        {"task_id": "t/1", "instruction": "sort", "task_completed": True, "traj": [training(code) for code in codes]},
        {"task_id": "t2", "instruction": "x", "task_completed": False, "traj": [training("computer.wait()")]},
    )
    (run, failed), broken = bring("agentnet", path)
    assert not broken and run.folder.name == "t-1" and failed.reason == "failure"
    assert actions(run) == [
        at(100, 99),
        Drag(start=Point(20, 10), end=Point(40, 50)),
        Type(text="it's\n"),
        Press(keys=("ctrl", "c")),
        Scroll(point=Point(40, 50), direction="down", amount=5),
        at(0, 0, count=3),
        Finish(status="success"),
    ]
    assert run.steps[0].plan == "do it" and run.steps[0].reply == f"Thought: hm\nAction: {codes[0]}"


def test_agentnet_benchmark_with_targets(bring: Bring, tmp_path: Path) -> None:
    def step(number: int, *given: dict[str, object]) -> dict[str, object]:
        return {"step_num": number, "image": f"{number}.png", "ground_truth_actions": list(given)}

    place = {"position": {"x": 0.5, "y": 0.5}}
    click = {"type": "click", "params": place, "metadata": {"bboxes": [{"rel_bbox": [0.4, 0.4, 0.2, 0.2]}]}}
    steps = [
        step(0, {"type": "moveTo", "params": place}, click),
        step(1, {"type": "write", "params": {"content": "hello"}}, {"type": "press", "params": {"keys": "enter"}}),
        step(2, {"type": "dragTo", "params": place}),
        step(3, {"type": "fly", "params": {}}),
        step(3) | {"action": "pyautogui.press('a')", "inner_monologue": {"thought": "hm"}},
        step(3),
    ]
    path = agentnet(tmp_path / "d", {"task_id": "b", "high_level_task_description": "do", "steps": steps})
    (run,), broken = bring("agentnet", path)
    assert actions(run) == [
        at(100, 50),
        Type(text="hello\n"),
        Drag(start=Point(100, 50), end=Point(100, 50)),
        Press(keys=("a",)),
    ]
    assert run.steps[0].targets == (Box(80, 40, 120, 60),) and run.reason == "success"
    assert run.steps[3].reply == "Thought: hm\nAction: pyautogui.press('a')"
    assert broken == [
        f"{path}:1 step 3: type: 'fly' is no action of AgentNet",
        f"{path}:1 step 5: there is no code, and no action",
    ]


def test_steps_that_the_data_calls_wrong_are_history_and_no_answer(bring: Bring, tmp_path: Path) -> None:
    from evals.recordings import read_recordings

    traj = [training("pyautogui.click(x=0.1, y=0.1)", last_step_correct=False), training("pyautogui.press('a')")]
    path = agentnet(tmp_path / "d", {"task_id": "t", "instruction": "x", "task_completed": True, "traj": traj})
    (run,), _ = bring("agentnet", path)
    (recording,) = read_recordings([run.folder]).runs
    assert len(run.steps) == 2 and [question.at for question in recording.questions] == [1]


def test_several_actions_on_one_look(bring: Bring, tmp_path: Path) -> None:
    code = "pyautogui.click(x=0.1, y=0.1)\ntime.sleep(1)\npyautogui.write('a')\npyautogui.press('tab', presses=2)"
    traj = [training(code)]
    (run,), _ = bring("agentnet", agentnet(tmp_path / "d", {"task_id": "t", "instruction": "x", "traj": traj}))
    assert actions(run) == [at(20, 10), Type(text="a"), Press(keys=("tab",)), Press(keys=("tab",))]
    assert [step.shown for step in run.steps] == [True, False, False, False]


# ----------------------------------------------------------------------------------------------------- mobilerun


def mobilerun(folder: Path, macro: list[object], looks: int, events: object = None) -> Path:
    (folder / "screenshots").mkdir(parents=True)
    for number in range(looks):
        (folder / "screenshots" / f"{number:04d}.png").write_bytes(png(number))
    (folder / "macro.json").write_text(json.dumps({"version": "2.0", "description": "pay", "actions": macro}))
    if events is not None:
        (folder / "trajectory.json").write_text(json.dumps(events))
    return folder


def test_mobilerun(bring: Bring, tmp_path: Path) -> None:
    state = {"nodes": [{"bounds": "0,0,200,100"}, {"bounds": "[10,20][60,40]"}, {"bounds": None}]}
    macro = [
        {"action_type": "tap", "x": 20, "y": 30, "pre_state": state},
        {"action_type": "swipe", "start_x": 1, "start_y": 90, "end_x": 1, "end_y": 10, "duration_ms": 300},
        {"action_type": "swipe", "start_x": 5, "start_y": 5, "end_x": 5, "end_y": 5, "duration_ms": 1000},
        {"action_type": "input_text", "text": "grüße", "clear": False},
        {"action_type": "key_press", "keycode": 66},
        {"action_type": "system_button", "button": "home"},
        {"action_type": "start_app", "package": "com.android.settings", "activity": None},
        {"action_type": "wait", "duration": 2.5},
        {"action_type": "type_secret", "secret_id": "password"},
    ]
    events = [{"type": "ManagerPlanEvent", "success": None}, {"type": "ResultEvent", "success": True, "reason": "paid"}]
    mobilerun(tmp_path / "m" / "one", macro, len(macro) + 1, events)
    (run,), broken = bring("mobilerun", tmp_path / "m")
    assert actions(run) == [
        at(20, 30),
        Drag(start=Point(1, 90), end=Point(1, 10), seconds=0.3),
        LongPress(point=Point(5, 5), seconds=1.0),
        Type(text="grüße"),
        Press(keys=("enter",)),
        Press(keys=("device_home",)),
        Open(target="com.android.settings"),
        Wait(seconds=2.5),
        Finish(status="success", text="paid"),
    ]
    assert run.steps[0].targets == (Box(10, 20, 60, 40),) and run.header.versions.env == "android"
    assert len(broken) == 1 and "actions.8: action_type: 'type_secret' is no action of a screen" in broken[0]


def test_mobilerun_pictures_that_cannot_be_paired(bring: Bring, tmp_path: Path) -> None:
    mobilerun(tmp_path / "m", [{"action_type": "tap", "x": 1, "y": 1}], 3)
    runs, (line,) = bring("mobilerun", tmp_path / "m")
    assert not runs and "1 actions and 3 screenshots cannot be paired" in line


# --------------------------------------------------------------------------------------------------- browser-use


def history(folder: Path, *items: dict[str, object]) -> Path:
    folder.mkdir(parents=True)
    (folder / "screenshots").mkdir()
    (folder / "screenshots" / "step_1.png").write_bytes(png())
    path = folder / "history.json"
    path.write_text(json.dumps({"history": list(items)}))
    return path


def item(
    *named: dict[str, object], elements: object = None, url: str = "http://a/", **more: object
) -> dict[str, object]:
    state = {"url": url, "title": "A", "tabs": [], "interacted_element": elements or [None] * len(named)}
    return {
        "model_output": {"next_goal": "go on", "action": list(named)},
        "result": [{"is_done": False}],
        "state": state | {"screenshot_path": "/tmp/browser_use_agent_x/screenshots/step_1.png"},
        "metadata": {"step_start_time": 1000.0, "step_end_time": 1002.5, "step_number": 1},
    } | more


def test_browser_use(bring: Bring, tmp_path: Path) -> None:
    element = {"bounds": {"x": 10, "y": 20, "width": 40, "height": 10}, "node_name": "A"}
    older = {"viewport_coordinates": {"top_left": {"x": 0, "y": 0}, "width": 20, "height": 20}}
    path = history(
        tmp_path / "b",
        item({"navigate": {"url": "http://b/"}}),
        item({"click": {"index": 3}}, elements=[element], url="http://b/"),
        item({"input": {"index": 4, "text": "hi"}}, elements=[older], url="http://b/"),
        item({"scroll": {"down": True, "pages": 1.0}}, url="http://b/"),
        item({"click": {"index": 3}}, elements=[element], url="http://b/"),
        item({"click": {"coordinate_x": 7, "coordinate_y": 8}}, url="http://b/"),
        item({"send_keys": {"keys": "Control+o"}}, url="http://c/"),
        item({"click": {"index": 3}}, elements=[element], url="http://c/", result=[{"error": "element is gone"}]),
        item({"extract": {"query": "prices"}}),
        item({"done": {"text": "it is 7", "success": True}}, result=[{"is_done": True, "success": True}]),
    )
    (run,), broken = bring("browser-use", path, "buy milk")
    assert actions(run) == [
        Open(target="http://b/"),
        at(30, 25),
        at(10, 10),
        Type(text="hi"),
        Scroll(point=Point(100, 50), direction="down", amount=1),
        at(7, 8),
        Press(keys=("ctrl", "o")),
        at(30, 25),
        Finish(status="success", text="it is 7"),
    ]
    assert run.steps[1].targets == (Box(10, 20, 50, 30),) and run.steps[1].plan == "go on"
    assert run.steps[1].context == ("URL: http://b/", "Title: A") and run.steps[1].seconds == 2.5
    failed = run.steps[7]
    assert failed.error is not None and failed.error.text == "element is gone"
    assert run.reason == "success" and run.header.task == "buy milk"
    assert [line.partition("history.json ")[2] for line in broken] == [
        "history.4: nothing says where on the screenshot the element was",
        "history.8: extract: no action on a screen",
    ]


# ------------------------------------------------------------------------------------------------------- ui-tars


def test_ui_tars_data(bring: Bring, tmp_path: Path) -> None:
    def look() -> dict[str, object]:
        return {"from": "human", "value": "<image>", "screenshotBase64": base64.b64encode(png()).decode()}

    def done(kind: str, **inputs: object) -> dict[str, object]:
        parsed = [{"action_type": kind, "action_inputs": inputs, "thought": "t", "reflection": None}]
        return {"from": "gpt", "value": f"Thought: t\nAction: {kind}()", "predictionParsed": parsed}

    talk = [
        {"from": "human", "value": "order it", "timing": {"start": 1, "end": 1, "cost": 0}},
        *(look(), done("click", start_box="[0.5,0.5,0.5,0.5]") | {"timing": {"start": 5000, "cost": 1500}}),
        *(look(), done("drag", start_box="[0,0]", end_box="[0.1,0.1,0.3,0.3]")),
        *(look(), done("type", content="it's\\n")),
        *(look(), done("hotkey", key="ctrl c")),
        *(look(), done("scroll", start_box="[0.5,0.5,0.5,0.5]", direction="down")),
        *(look(), done("left_double", start_box="[1,1,1,1]")),
        *(look(), done("click", start_box="[1.5,0.5,1.5,0.5]")),
        *(look(), done("dance")),
        done("click", start_box="[0.5,0.5,0.5,0.5]"),
        *(look(), done("finished", content="ordered")),
    ]
    data = {"version": 1, "instruction": "order it", "modelName": "ui-tars-1.5", "status": "end", "logTime": 7000}
    path = tmp_path / "share.json"
    path.write_text(json.dumps(data | {"systemPrompt": "", "conversations": talk}))
    (run,), broken = bring("ui-tars", path)
    assert actions(run) == [
        at(100, 50),
        Drag(start=Point(0, 0), end=Point(40, 20)),
        Type(text="it's\n"),
        Press(keys=("ctrl", "c")),
        Scroll(point=Point(100, 50), direction="down", amount=5),
        at(199, 99, count=2),
        Finish(status="success", text="ordered"),
    ]
    assert run.header.versions.model == "ui-tars-1.5" and run.steps[0].seconds == 1.5
    assert len(broken) == 3
    assert "conversations.14: (1.5, 0.5) is no fraction of the screen" in broken[0]
    assert "conversations.16: unknown action 'dance'" in broken[1]
    assert "conversations.17: no screenshot stands before it" in broken[2]


# --------------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("form", IMPORTERS)
def test_nothing_to_import_is_one_line(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(SystemExit) as end:
            main(["import", form, str(path), "--out", str(tmp_path / "out"), "--task", "x"])
        said = capsys.readouterr().err
        assert end.value.code == 2 and len(said.splitlines()) == 1 and "give a" in said
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    osworld(tmp_path / "r" / "a", ["pyautogui.click(1, 2)", "nonsense", "DONE"])
    arguments = ["import", "osworld", str(tmp_path / "r"), "--out", str(tmp_path / "out")]
    for extra, folder in (([], "r-a"), (["--json"], "r-a-2")):
        with pytest.raises(SystemExit) as end:
            main([*arguments, *extra])
        said = capsys.readouterr()
        assert end.value.code == 0 and "1 runs and steps left out:\n" in said.err and "traj.jsonl:2: " in said.err
        assert (tmp_path / "out" / folder / "run.json").is_file()
    result = json.loads(said.out)
    assert result["steps"] == 2 and result["broken"][0]["why"] == "line 1 of the code is no plain call"


def test_browser_use_needs_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["import", "browser-use", str(history(tmp_path / "b")), "--out", str(tmp_path / "out")])
    assert end.value.code == 2 and "give it with --task" in capsys.readouterr().err


PICTURE = base64.b64encode(png(size=(20, 10))).decode()
POINT = {"x": 0.5, "y": 0.5}
SOUND: dict[str, tuple[str, Any]] = {
    "osworld": (
        "traj.jsonl",
        {"step_num": 1, "action": "pyautogui.click(5, 5)", "screenshot_file": "step_0.png", "response": "I think"},
    ),
    "agentnet": (
        "data.json",
        {
            "task_id": "t",
            "instruction": "x",
            "task_completed": True,
            "traj": [
                {"index": 0, "image": "0.png", "value": {"code": "pyautogui.click(x=0.5, y=0.5)", "thought": "hm"}},
                {"index": 1, "image": "0.png", "value": {"code": "pyautogui.dragTo(x=0.5, y=0.5)", "action": "drag"}},
            ],
        },
    ),
    "mobilerun": (
        "macro.json",
        {
            "description": "pay",
            "actions": [{"action_type": "tap", "x": 5, "y": 5, "pre_state": {"nodes": [{"bounds": "0,0,20,10"}]}}],
        },
    ),
    "browser-use": (
        "history.json",
        {
            "history": [
                item(
                    {"click": {"index": 3}},
                    {"input": {"index": 4, "text": "hi", "coordinate_x": 5, "coordinate_y": 5}},
                    {"scroll": {"down": True, "pages": 1.0}},
                    elements=[{"bounds": {"x": 1, "y": 2, "width": 4, "height": 1}}],
                ),
                item({"done": {"text": "7", "success": True}}, result=[{"is_done": True, "success": True}]),
            ]
        },
    ),
    "ui-tars": (
        "share.json",
        {
            "instruction": "do",
            "modelName": "m",
            "status": "end",
            "logTime": 7000,
            "conversations": [
                {"from": "human", "value": "<image>", "screenshotBase64": PICTURE},
                {
                    "from": "gpt",
                    "value": "Thought: t",
                    "timing": {"start": 5000, "cost": 1500},
                    "predictionParsed": [
                        {
                            "action_type": "drag",
                            "action_inputs": {"start_box": "[0,0]", "end_box": "[0.1,0.1,0.3,0.3]"},
                        },
                        {"action_type": "type", "action_inputs": {"content": "a"}},
                    ],
                },
            ],
        },
    ),
}
"""A file that can be read whole, for each format."""

JUNK = (
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=5,
    )
    | st.sampled_from(
        [PICTURE, "0.png", "../0.png", "[0.5,1e400]", "pyautogui.click(1e999, 5)", "DONE", 0.5, 1e308, 10**400]
    )
    | st.sampled_from(["swipe", "scroll", "finished", "moveTo(", "[" * 3000, "x\x00y", "keyDown('ctrl')", "\ud800", -1])
)


def places(value: Document, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inside for place in places(part, (*path, key)))]


def spoiled(document: Document, data: st.DataObject) -> Document:
    """A document with something else in one to three places."""
    document = json.loads(json.dumps(document))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        if not path:
            return data.draw(JUNK)
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = data.draw(JUNK)
    return document


@pytest.mark.parametrize("form", IMPORTERS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_file_holds_nothing_but_an_error_for_people_comes_out(
    form: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    name, document = SOUND[form]
    for picture in ("0.png", "step_0.png", "step_1.png", "screenshots/0000.png"):
        (folder / picture).parent.mkdir(exist_ok=True)
        (folder / picture).write_bytes(png(size=(20, 10)))
    sound, broken = json.dumps(document), json.dumps(spoiled(document, data))
    (folder / name).write_text("\n".join([sound, broken, sound]) if form == "osworld" else broken)
    try:
        done, left_out = bring_in(load_importer(form), folder, folder / "out", "a task")
    except ConfigError as error:
        assert str(error)
        return
    assert all(each.where and each.why and "\n" not in each.why for each in left_out)
    for each in done:
        assert read_trajectory(each.folder).steps
    if form == "osworld":
        assert done  # the sound rows around it


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
@pytest.mark.parametrize("form", IMPORTERS)
def test_bytes_that_are_no_json(form: str, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / SOUND[form][0]).write_bytes(content)
    done, left_out = bring_in(load_importer(form), folder, folder / "out", "a task")
    assert not done and left_out


@pytest.mark.parametrize("form", IMPORTERS)
def test_the_sound_files_are_read_whole(form: str, tmp_path: Path, bring: Bring) -> None:
    name, document = SOUND[form]
    for picture in ("0.png", "step_0.png", "screenshots/0000.png", "screenshots/step_1.png"):
        (tmp_path / "d" / picture).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / picture).write_bytes(png(size=(20, 10)))
    if form == "mobilerun":
        (tmp_path / "d" / "screenshots" / "step_1.png").unlink()
    (tmp_path / "d" / name).write_text(json.dumps(document))
    (run,), left_out = bring(form, tmp_path / "d", "a task")
    assert run.steps and not left_out


@given(code=st.text(max_size=60) | st.from_regex(r"pyautogui\.[a-zA-Z]{2,9}\([xy=0-9.,' ctrl\[\]-]{0,20}\)"))
def test_any_code_is_actions_or_an_error_for_people(code: str) -> None:
    from action_space.errors import InvalidAction
    from evals.exchange.pyautogui_code import read_code

    try:
        found = read_code(code, lambda x, y: Point(int(x), int(y)))
    except (ValueError, InvalidAction) as error:
        assert str(error)
    else:
        assert all(each.kind for each in found)

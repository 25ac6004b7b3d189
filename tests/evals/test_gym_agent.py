"""Our agent in BrowserGym: calls for actions, the ordinary run inside out, and the real packages where they are."""

import json
import pickle
import shutil
import threading
import time
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserType

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
from action_space.errors import ConfigError, DeviceError, InvalidAction, ModelError, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from agent.planner import model_frame
from agent.recorder import load_image
from agent.trajectory import read_trajectory
from evals.online.gym.calls import call_of
from evals.online.gym.turns import Turns
from vlm.backends.scripted import ScriptedModel

SCREEN = Size(640, 480)

CALLS: list[tuple[Action, str]] = [
    (Click(point=Point(0, 5)), "mouse_click(0, 5, 'left')"),
    (Click(point=Point(3, 4), button="right"), "mouse_click(3, 4, 'right')"),
    (Click(point=Point(3, 4), count=2), "mouse_dblclick(3, 4, 'left')"),
    (
        Click(point=Point(3, 4), modifiers=("ctrl", "shift")),
        "keyboard_down('Control')\nkeyboard_down('Shift')\nmouse_click(3, 4, 'left')\n"
        "keyboard_up('Shift')\nkeyboard_up('Control')",
    ),
    (Move(point=Point(1, 2)), "mouse_move(1, 2)"),
    (
        Drag(start=Point(0, 0), end=Point(10, 20)),
        "mouse_down(0, 0)\nmouse_move(5, 10)\nmouse_move(10, 20)\nmouse_up(10, 20)",
    ),
    (LongPress(point=Point(1, 2), seconds=1.5), "mouse_down(1, 2)\nnoop(1500)\nmouse_up(1, 2)"),
    (Scroll(point=Point(1, 2), direction="down", amount=3), "scroll_at(1, 2, 0, 300)"),
    (Scroll(point=Point(1, 2), direction="left", amount=1), "scroll_at(1, 2, -100, 0)"),
    (Type(text='it\'s # "é\\n"'), "keyboard_type('it\\'s # \"é\\\\n\"')"),
    (Type(text="a\nb"), "keyboard_type('a')\nkeyboard_type('\\n')\nkeyboard_type('b')"),
    (Type(text=""), "noop(0)"),
    (Press(keys=("enter",)), "keyboard_press('Enter')"),
    (Press(keys=("ctrl", "a")), "keyboard_press('Control+KeyA')"),
    (Press(keys=("back",)), "go_back()"),
    (Press(keys=("alt", "right")), "go_forward()"),
    (Press(keys=("ctrl", "w")), "tab_close()"),
    (Open(target="http://a.b/?q='"), 'goto("http://a.b/?q=\'")'),
    (Wait(seconds=2), "noop(2000)"),
]


@pytest.mark.parametrize(("action", "call"), CALLS, ids=lambda each: getattr(each, "kind", ""))
def test_actions_are_calls(action: Action, call: str) -> None:
    assert call_of(action) == call


@pytest.mark.parametrize(
    "action",
    [Click(point=Point(0, 0), count=3), Ask(question="?"), Press(keys=("f5",)), Press(keys=("ctrl", "l"))],
    ids=lambda each: each.kind,
)
def test_what_has_no_call_is_told_to_the_model(action: Action) -> None:
    with pytest.raises(UnsupportedAction):
        call_of(action)


def test_control_characters_are_not_typed() -> None:
    with pytest.raises(InvalidAction, match="cannot be typed"):
        call_of(Type(text="\x1b"))


# --------------------------------------------------------------------------------------------------------- turns


def scripted(*replies: Action | str) -> ScriptedModel:
    dialect = load_dialect(ScriptedModel.dialect)
    frame = model_frame(Frame(SCREEN, SCREEN), dialect)
    return ScriptedModel(each if isinstance(each, str) else dialect.render(each, frame) for each in replies)


def show(shade: int = 255, error: str = "") -> dict[str, Any]:
    return {"screenshot": np.full((480, 640, 3), shade, np.uint8), "last_action_error": error, "dom_object": "secret"}


def test_an_episode_is_an_ordinary_run(tmp_path: Path) -> None:
    model = scripted(Click(point=Point(30, 40)), Type(text="hello"), Finish(status="success", text="42"))
    turns = Turns("find the answer", model, tmp_path / "run", {"confirm": "none"})
    assert turns.take(show(255)) == "mouse_click(30, 40, 'left')"
    assert turns.take(show(200)) == "keyboard_type('hello')"
    assert turns.take(show(200, "TimeoutError: \n it took too long")) == "send_msg_to_user('42')"
    assert turns.take(show(200)) is None, "the last word has been said"
    run = read_trajectory(tmp_path / "run")
    assert (run.reason, run.header.task, run.header.versions.env) == ("success", "find the answer", "browsergym")
    assert [step.effect for step in run.steps] == ["near", "none", None]
    assert "The last action failed: TimeoutError: it took too long" in str(model.asked[-1])
    assert "secret" not in str(model.asked) and (tmp_path / "run" / "report.html").exists()


def test_what_is_not_possible_is_told_to_the_model_and_asked_again(tmp_path: Path) -> None:
    model = scripted("no action at all", Click(point=Point(30, 40), count=3), Click(point=Point(30, 40)))
    turns = Turns("t", model, tmp_path / "run", {})
    assert turns.take(show()) == "mouse_click(30, 40, 'left')"
    assert "triple click" in str(model.asked[-1])
    turns.end()


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (Finish(status="failure", text="it's sold out"), 'report_infeasible("it\'s sold out")'),
        (Finish(status="success"), "send_msg_to_user('done')"),
    ],
    ids=["failure", "success"],
)
def test_last_words(end: Action, word: str, tmp_path: Path) -> None:
    assert Turns("t", scripted(end), tmp_path / "run", {}).take(show()) == word


def test_a_limit_is_no_claim(tmp_path: Path) -> None:
    turns = Turns("t", scripted(Wait()), tmp_path / "run", {"max_steps": 1})
    assert turns.take(show()) == "noop(1000)"
    assert turns.take(show()) is None
    assert read_trajectory(tmp_path / "run").reason == "steps"


def test_a_model_that_fails_is_an_error_of_the_study(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no reply left"):
        Turns("t", scripted(), tmp_path / "run", {}).take(show())


def test_no_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"screenshot has the shape \(0,\)"):
        Turns("t", scripted(Wait()), tmp_path / "run", {}).take({"screenshot": []})


def test_a_folder_in_use_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="not an empty folder"):
        Turns("t", scripted(Wait()), tmp_path, {}).take(show())


def test_an_episode_that_is_dropped_ends_its_run(tmp_path: Path) -> None:
    turns = Turns("t", scripted(Wait(), Wait()), tmp_path / "run", {})
    turns.take(show())
    before = threading.active_count()
    turns.end()
    for _ in range(500):
        if threading.active_count() < before:
            break
        time.sleep(0.01)
    assert read_trajectory(tmp_path / "run").reason == "interrupted"


# ------------------------------------------------------------------------------------------------- the real thing


@pytest.mark.peers
@pytest.mark.parametrize(("action", "call"), CALLS, ids=lambda each: getattr(each, "kind", ""))
def test_browsergym_understands_every_call(action: Action, call: str) -> None:  # noqa: ARG001 (its id)
    pytest.importorskip("browsergym.experiments")
    from evals.online.gym.agent import ClickwrightAgent

    code = ClickwrightAgent.action_set.to_python_code(call)
    assert code.rstrip().endswith(call), "the calls reach the page as they were written"


@pytest.mark.peers
def test_what_studies_ask_of_an_agent(tmp_path: Path) -> None:
    pytest.importorskip("browsergym.experiments")
    from browsergym.experiments import AbstractAgentArgs, Agent

    from evals.online.gym.agent import ClickwrightArgs, goal_of

    (tmp_path / "script.txt").write_text("x")
    args = pickle.loads(pickle.dumps(ClickwrightArgs(model=f"scripted:{tmp_path / 'script.txt'}")))
    assert isinstance(args, AbstractAgentArgs) and isinstance(args.make_agent(), Agent)
    args.prepare()
    args.set_benchmark("miniwob", demo_mode=False)
    args.set_reproducibility_mode()
    assert goal_of({"goal": "old form"}) == "old form"
    assert goal_of({"goal_object": ({"type": "text", "text": "a"}, {"type": "text", "text": "b"})}) == "a\nb"
    with pytest.raises(ConfigError, match="holds a picture"):
        goal_of({"goal_object": ({"type": "image_url", "image_url": "x"},)})


PAGE = """<body style="margin: 0"><input style="position: absolute; left: 100px; top: 200px; width: 300px; height: 80px"
onfocus="document.body.style.background = 'lime'"
oninput="if (this.value === 'it\\'s é') document.body.style.background = 'blue'">"""


@pytest.mark.peers
@pytest.mark.browser
def test_an_experiment_of_browsergym(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole experiment on a page of our own, by the real packages in a real Chromium."""
    pytest.importorskip("browsergym.experiments")
    from browsergym.experiments import EnvArgs, ExpArgs, get_exp_result, loop

    from evals.online.gym.agent import KEPT, ClickwrightArgs

    # BrowserGym looks for Playwright's own Chromium only; where the system has another one, it has to be told.
    if chromium := shutil.which("chromium"):
        monkeypatch.setattr(BrowserType, "launch", partialmethod(BrowserType.launch, executable_path=chromium))
    # It counts words by a vocabulary from the network.
    monkeypatch.setattr(loop, "count_tokens", lambda text, *_: len(text.split()))
    (tmp_path / "page.html").write_text(PAGE)
    size = Size(1280, 720)
    actions = (Click(point=Point(250, 240)), Type(text="it's é"), Finish(status="success", text="done so"))
    dialect = load_dialect(ScriptedModel.dialect)
    replies = [dialect.render(action, model_frame(Frame(size, size), dialect)) for action in actions]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))

    agent = ClickwrightArgs(model=f"scripted:{tmp_path / 'script.jsonl'}", runs=str(tmp_path / "runs"))
    task = {"start_url": (tmp_path / "page.html").as_uri(), "goal": "fill the field"}
    experiment = ExpArgs(agent, EnvArgs("openended", task_seed=1, max_steps=5, task_kwargs=task))
    experiment.prepare(tmp_path / "study")
    experiment.run()

    assert not experiment.err_msg, experiment.stack_trace
    result = get_exp_result(experiment.exp_dir)
    assert set(result.steps_info[0].obs) <= set(KEPT), "the study records no elements either"
    assert result.steps_info[2].action == "send_msg_to_user('done so')"
    (folder,) = (tmp_path / "runs").iterdir()
    run = read_trajectory(folder)
    corners = [load_image(run.image_path(step.image)).getpixel((1200, 700)) for step in run.steps]
    assert corners == [(255, 255, 255), (0, 255, 0), (0, 0, 255)], "clicked into the field, and typed"
    assert (run.header.task, run.reason, run.steps[0].frame.screen) == ("fill the field", "success", size)

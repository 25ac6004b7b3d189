"""`agent replay` from outside: what is asked, what counts as right, the numbers, the differences, the exit status."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.errors import ConfigError
from action_space.geometry import Frame, Point, Size
from agent import session
from agent.cli import main
from agent.models import load_model
from environments.recorded import TOLERANCE, matches
from evals.acts import acts_of
from evals.difference import read_side
from evals.protocols import load_rule, rules_of
from evals.protocols.values import Step as Scored
from evals.recordings import read_recordings
from evals.replay import Choices, Mode, ask_again
from evals.standing import METRICS

CLICK, TYPE, DONE = Click(point=Point(200, 100)), Type(text="Ada"), Finish(status="success")
NEAR, FAR = Click(point=Point(210, 110)), Click(point=Point(500, 300))

STEP = {"id": "a#1", "value": 1}
SPOILED: list[object] = [
    {"models": [{"model": "m", "metrics": {}, "steps": [STEP]}]},
    {"models": [{"model": "m", "metrics": {}, "steps": [STEP | {"value": 2}]}]},
    {"models": [{"model": "m", "metrics": {"type": float("nan")}, "steps": [STEP]}]},
    {"models": [{"model": "m", "metrics": {"type": None}, "steps": [{"id": 7}]}]},
    {"models": []},
    {"models": [None]},
    [],
    None,
]
"""Files for --against; the first is sound."""

Runs = Any  # of conftest.py, which no test can import
Said = Callable[..., str]
Speak = Callable[..., str]


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Exit status, the JSON, and stderr of `agent replay ... --json`."""

    def run(*arguments: object) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as end:
            main(["replay", *map(str, arguments), "--json"])
        said = capsys.readouterr()
        return int(end.value.code or 0), json.loads(said.out), said.err

    return run


Replay = Callable[..., tuple[int, Any, str]]


def test_every_step_is_compared_with_what_was_done(runs: Runs, script: Said, replay: Replay) -> None:
    run = runs.make("form", [CLICK, TYPE, CLICK, DONE])
    code, found, notes = replay(run, "--model", script(NEAR, "Type(text='Bob')", FAR, DONE))
    assert code == 0 and found["questions"] == 4
    (model,) = found["models"]
    assert model["metrics"] == {
        "type": 0.75,
        "grounding": 0.5,
        "step_success": 0.5,
        "episode_success": 0.0,
        "progress": 0.25,
    }
    assert [(step["value"], step["why"]) for step in model["steps"]] == [
        (1.0, "the same"),
        (0.0, "no action"),
        (0.0, "place differs"),
        (1.0, "the same"),
    ]
    assert model["steps"][1]["mistake"] and model["steps"][1]["action"] is None
    assert model["steps"][2]["action"]["point"] == {"x": 500, "y": 300}
    assert "4 steps asked in" in notes


def test_history_is_the_recorded_one_or_the_models_own(runs: Runs, script: Said, speak: Speak) -> None:
    run = runs.make("form", [CLICK, TYPE, DONE])
    (recording,) = read_recordings([run]).runs

    def last_prompt(mode: Mode) -> str:
        model: Any = load_model(script(NEAR, TYPE, DONE))
        rule = load_rule("recorded")
        list(ask_again(model, recording, mode, lambda q, a: rule.score(q.scored, acts_of(a)).value == 1, Choices()))
        assert len(model.asked) == 3
        texts = [part for message in model.asked[-1] for part in message.content if isinstance(part, str)]
        assert model.asked[-1][-1].content[-1].size == (640, 360)
        return "\n".join(texts)

    recorded, own = speak(CLICK)[-30:-15], speak(NEAR)[-30:-15]
    assert recorded != own
    assert recorded in last_prompt("teacher-forced") and own not in last_prompt("teacher-forced")
    assert own in last_prompt("semi-online") and recorded not in last_prompt("semi-online")


def test_semi_online_stops_at_the_first_miss(runs: Runs, script: Said, replay: Replay) -> None:
    runs.make("a", [CLICK, TYPE, DONE])
    runs.make("b", [TYPE, DONE])
    said = script(NEAR, FAR, TYPE, DONE)
    _, found, _ = replay(runs.folder, "--model", said, "--mode", "semi-online")
    (model,) = found["models"]
    assert model["asked"] == 4
    assert [step["why"] for step in model["steps"]] == [
        "the same",
        "click instead of type",
        "not reached",
        "the same",
        "the same",
    ]
    assert model["metrics"]["episode_success"] == 0.5
    assert model["metrics"]["progress"] == pytest.approx((1 / 3 + 1) / 2)


def test_what_holds_no_right_answer_is_left_out_and_said(runs: Runs, script: Said, replay: Replay) -> None:
    runs.make("good", [CLICK, None, Ask(question="which?"), DONE])
    runs.make("bad", [CLICK, CLICK], reason="failure")
    runs.make("dull", [CLICK, Wait()], effect="none")
    runs.make("needless", [CLICK], effect="reached")
    runs.make("blind", [CLICK], shown=False)
    code, found, notes = replay(runs.folder, "--model", script(Wait(), CLICK, DONE))
    assert code == 0 and found["questions"] == 3
    assert found["left_out"] == {
        "of a run that ended with failure": 2,
        "not carried out": 1,
        "questions to a person": 1,
        "changed nothing": 2,
        "done without a look at the screen": 1,
    }
    assert "2 steps left out: of a run that ended with failure" in notes
    _, found, _ = replay(runs.folder / "bad", "--model", script(CLICK, CLICK), "--any-outcome")
    assert found["models"][0]["metrics"]["step_success"] == 1


def test_target_boxes_decide_where_they_are_known(runs: Runs, script: Said, replay: Replay) -> None:
    run = runs.make("boxed", [CLICK, CLICK], targets=({"left": 100, "top": 80, "right": 400, "bottom": 121},))
    wide, beside = Click(point=Point(399, 120)), Click(point=Point(200, 121))
    _, found, _ = replay(run, "--model", script(wide, beside))
    assert [step["value"] for step in found["models"][0]["steps"]] == [1, 0]


def test_two_replays_are_the_same_bytes(runs: Runs, script: Said, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        runs.make(name, [CLICK, TYPE, DONE])
    said = script(NEAR, TYPE, DONE, FAR, TYPE)

    def printed(*more: str) -> str:
        with pytest.raises(SystemExit):
            main(["replay", str(runs.folder), "--model", said, "--limit", "1", "--seed", "5", *more])
        return capsys.readouterr().out

    assert printed() == printed() != ""
    assert printed("--json") == printed("--json")
    assert '"seconds"' not in printed("--json") and '"seconds"' in printed("--json", "--times")


def test_differences_between_two_models(runs: Runs, script: Said, replay: Replay, tmp_path: Path) -> None:
    for name in "ab":
        runs.make(name, [CLICK, TYPE])
    good, worse = script(CLICK, TYPE, CLICK, TYPE), script(CLICK, TYPE, FAR, Type(text="Bob"))
    code, found, _ = replay(runs.folder, "--model", good, "--model", worse)
    (difference,) = found["differences"]
    assert difference["changes"]["step_success"] == -0.5
    assert difference["step_success_low"] <= -0.5 <= difference["step_success_high"]
    name = (runs.folder / "b").as_posix()
    assert difference["right_in_one_only"] == [f"{name}#1", f"{name}#2"] and difference["right_in_both"] == 2
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(found))
    code, again, _ = replay(runs.folder, "--model", script(CLICK, TYPE, FAR, TYPE), "--against", earlier)
    assert code == 0 and again["differences"][0]["changes"]["step_success"] == -0.25
    assert again["differences"][0]["one"].endswith("(earlier.json)")


def test_the_table_of_differences(runs: Runs, script: Said, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs.make("a", [CLICK, TYPE])
    with pytest.raises(SystemExit):
        main(["replay", str(run), "--model", script(CLICK, TYPE), "--model", script(CLICK, FAR)])
    said = capsys.readouterr().out
    assert "-50.0%" in said and "no longer right: " in said and "recorded 1" in said and "osatlas-14 1" in said


@pytest.mark.parametrize(("bar", "code"), [("step_success=0.5", 0), ("step_success=0.51", 1), ("osatlas-14=1", 1)])
def test_a_missed_bar_ends_with_1(bar: str, code: int, runs: Runs, script: Said, replay: Replay) -> None:
    run = runs.make("a", [CLICK, TYPE])
    ended, found, _ = replay(run, "--model", script(CLICK, FAR), "--bar", bar)
    assert ended == found["exit_code"] == code and found["bars"][0]["met"] is (code == 0)


def test_a_number_that_no_step_has_meets_no_bar(runs: Runs, script: Said, replay: Replay) -> None:
    run = runs.make("a", [TYPE])
    code, found, _ = replay(run, "--model", script(TYPE), "--bar", "grounding=0")
    assert code == 1 and found["bars"][0]["value"] is None


def test_broken_runs_and_pictures_are_named_and_the_rest_is_asked(runs: Runs, script: Said, replay: Replay) -> None:
    runs.make("good", [CLICK])
    gone = runs.make("gone", [CLICK, TYPE])
    steps = (gone / "steps.jsonl").read_text().splitlines()
    (gone / "images" / f"{json.loads(steps[0])['image']}.png").unlink()
    small = runs.make("small", [CLICK])
    (picture,) = (small / "images").iterdir()
    Image.new("RGB", (10, 10)).save(picture)
    torn = runs.make("torn", [CLICK])
    (torn / "steps.jsonl").write_text("{}\n")
    code, found, notes = replay(runs.folder, "--model", script(TYPE, CLICK))
    assert code == 0 and [step["value"] for step in found["models"][0]["steps"]] == [1, 1]
    places = [each["where"] for each in found["broken"]]
    assert places == [torn.as_posix(), f"{gone.as_posix()}/steps.jsonl:1", f"{small.as_posix()}/steps.jsonl:1"]
    assert "is 10x10, and the step says 640x360" in notes and "steps.jsonl:1: number: " in notes


def test_a_model_that_fails_in_between_leaves_what_it_said(runs: Runs, script: Said, replay: Replay) -> None:
    run = runs.make("a", [CLICK, TYPE, DONE])
    code, found, notes = replay(run, "--model", script(CLICK), "--model", script(CLICK), "--bar", "type=0")
    assert code == found["exit_code"] == 4 and len(found["models"]) == 1
    assert found["models"][0]["complete"] is False and found["models"][0]["asked"] == 1
    assert "the script has no reply left" in found["stopped"] and "stopped early" in notes
    assert found["models"][0]["metrics"]["step_success"] == 1 and found["bars"][0]["met"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "'nowhere' is neither a run (it has no run.json) nor a folder of runs"),
        (["RUN", "--mode", "online"], "--mode 'online' is unknown: choose one of teacher-forced, semi-online"),
        (["RUN", "--bar", "wit=0.3"], "--bar 'wit=0.3' is not NAME=VALUE"),
        (["RUN", "--bar", "type=80"], "with a value from 0 to 1: NAME is type, grounding, step_success"),
        (["RUN", "--protocol", "aitw"], "does not score 'recording': choose one of recorded, qwen-androidcontrol"),
        (["RUN", "--dialect", "klingon"], "unknown dialect 'klingon'"),
        (["RUN", "--against", "nowhere.json"], "cannot read --against 'nowhere.json'"),
        (["RUN", "--against", "RUN/run.json"], "is not the JSON of a replay: models: Field required"),
        (["BAD"], "nothing can be asked again: 1 steps of a run that ended with failure; --any-outcome takes"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], words: str, runs: Runs, replay: Replay) -> None:
    places = {"RUN": str(runs.make("a", [CLICK])), "BAD": str(runs.make("bad", [CLICK], reason="failure"))}
    code, found, notes = replay(*(places.get(a, a.replace("RUN", places["RUN"])) for a in arguments))
    assert code == 2 and words in found["error"]["text"] and len(notes.splitlines()) == 1


def test_history_of_one_dialect_is_told_in_another(runs: Runs, script: Said, replay: Replay, speak: Speak) -> None:
    run = runs.make("a", [CLICK, Scroll(point=Point(1, 2), direction="down"), DONE])
    said = [speak(action, "ui_tars") for action in (CLICK, Scroll(point=Point(9, 9), direction="down"), DONE)]
    _, found, _ = replay(run, "--model", script(*said), "--dialect", "ui_tars")
    assert found["models"][0]["metrics"]["step_success"] == 1 and found["models"][0]["dialect"] == "ui_tars"


def test_a_run_that_moved_is_still_a_run(runs: Runs, script: Said, replay: Replay, tmp_path: Path) -> None:
    shutil.move(runs.make("a", [CLICK]), tmp_path / "elsewhere")
    _, found, _ = replay(tmp_path / "elsewhere", "--model", script(CLICK))
    assert found["models"][0]["metrics"]["step_success"] == 1


def kinds() -> list[Action]:
    return [
        CLICK,
        Move(point=Point(1, 1)),
        Drag(start=Point(1, 1), end=Point(1, 200)),
        Scroll(point=Point(1, 1), direction="up"),
        TYPE,
        Press(keys=("enter",)),
        Press(keys=("ctrl", "c")),
        LongPress(point=Point(3, 3)),
        Open(target="Clock"),
        Wait(),
        Ask(question="?"),
        DONE,
    ]


PLACES = st.builds(Point, st.integers(150, 260), st.integers(80, 130))
DEEDS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Click, point=PLACES, count=st.integers(1, 2), modifiers=st.sampled_from([(), ("ctrl",)])),
    st.builds(Drag, start=PLACES, end=PLACES),
    st.builds(Scroll, point=PLACES, direction=st.sampled_from(["up", "down"])),
    st.builds(Type, text=st.sampled_from(["a", " a\n", "b", "\u00e9", "e\u0301"])),
    st.builds(Press, keys=st.sampled_from([("ctrl", "c"), ("c", "ctrl"), ("a",), ("home",), ("device_home",)])),
    st.builds(Open, target=st.sampled_from(["Clock", "clock/", "x"])),
    st.builds(LongPress, point=PLACES),
)


@settings(max_examples=300)
@given(recorded=DEEDS, did=DEEDS)
def test_the_rule_and_the_recorded_environment_agree(recorded: Action, did: Action) -> None:
    """Both say whether an action does what was recorded; a difference would be one by accident.

    But one: the acts of benchmarks have one "home", which is a phone's (`evals.predictions.PHONE_KEYS`).
    """
    homes = (Press(keys=("home",)), Press(keys=("device_home",)))
    assume((recorded, did) not in (homes, homes[::-1]))
    step = Scored("s", acts_of(recorded), (640, 360))
    same = matches(did, recorded, Size(640, 360), TOLERANCE)
    assert load_rule("recorded").score(step, acts_of(did)).value == same


def test_places_at_the_edge_of_what_is_near() -> None:
    step = Scored("s", acts_of(CLICK), (640, 360))
    values = [
        load_rule("recorded").score(step, acts_of(Click(point=Point(200 + x, 100 + y)))).value
        for x, y in ((32, 18), (-32, -18), (33, 0), (0, 19))
    ]
    assert values == [1, 1, 0, 0]


def test_every_rule_takes_every_pair_of_kinds(runs: Runs) -> None:
    questions = read_recordings([runs.make("all", kinds())]).questions
    assert len(questions) == len(kinds()) - 1
    for rule in rules_of("recording"):
        for question in questions:
            if rule.skips(question.scored):
                continue
            for did in [*kinds(), None]:
                score = rule.score(question.scored, acts_of(did))
                assert 0 <= score.value <= 1 and score.why
            # AgentNet's rule has no score for waiting and opening, right or wrong.
            nothing_to_score = rule.name == "agentnet" and question.scored.act.kind in {"wait", "open", "long_press"}
            assert rule.score(question.scored, acts_of(question.step.action)).value == (0 if nothing_to_score else 1)


def test_runs_are_found_at_any_depth(runs: Runs, script: Said, replay: Replay) -> None:
    runs.make("task a/1", [CLICK])
    runs.make("task b/1", [TYPE])
    _, found, _ = replay(runs.folder, "--model", script(CLICK, TYPE))
    assert [step["id"].partition("runs/")[2] for step in found["models"][0]["steps"]] == ["task a/1#1", "task b/1#1"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80) | st.sampled_from(SPOILED).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_compared_with_is_a_replay_or_an_error_for_people(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "before.json"
    path.write_bytes(content)
    try:
        side = read_side(path)
    except ConfigError as error:
        assert "is not the JSON of a replay" in str(error) and "\n" not in str(error)
    else:
        assert side.verdicts == {"a#1": 1.0}


PAGE = """<!doctype html><body style="margin:0">
<button style="position:absolute;left:50px;top:30px;width:200px;height:40px"
onclick="this.textContent='sent'">Send</button>"""


def test_a_run_in_a_real_browser_is_answered_alike(tmp_path: Path, script: Said, replay: Replay) -> None:
    (tmp_path / "page.html").write_text(PAGE)  # CLICK is at (100, 50) of the page
    said = script(CLICK, Wait(seconds=0.1), DONE)
    url, folder = (tmp_path / "page.html").as_uri(), tmp_path / "run"
    run = session.run("press Send", model=said, url=url, out=folder, viewport=Size(640, 360), device_scale=2.0)
    assert run.reason == "success" and run.steps[0].frame.screen == Size(1280, 720)
    _, found, _ = replay(folder, "--model", said)
    (model,) = found["models"]
    assert [step["action"] for step in model["steps"]] == [step["recorded"] for step in model["steps"]]
    assert model["metrics"]["step_success"] == model["metrics"]["episode_success"] == 1 and model["asked"] == 3


def test_a_phone_and_a_second_monitor(runs: Runs, script: Said, replay: Replay, speak: Speak) -> None:
    """Frames with an origin and a scale, and a touch dialect: points are those of the screenshot all the same."""
    screen = Size(640, 360)
    frame = Frame(screen, screen, device_scale=2.0, origin=Point(-1280, -40))
    deeds = [LongPress(point=Point(0, 359)), Drag(start=Point(1, 300), end=Point(1, 20)), Press(keys=("back",)), DONE]
    run = runs.make("phone", deeds, frame=frame)
    said = script(*(speak(each, "mobile_use") for each in deeds))
    _, found, _ = replay(run, "--model", said, "--dialect", "mobile_use")
    assert found["models"][0]["metrics"]["step_success"] == 1


def test_the_manual_names_every_number_and_rule(repository: Path) -> None:
    manual, rules = (repository / "docs" / "replay.md").read_text(), rules_of("recording")
    assert all(f"| {name.replace('_', ' ')} |" in manual and f"`{name}`" in manual for name in METRICS)
    assert [rule.name for rule in rules] == ["recorded", "qwen-androidcontrol", "agentcpm", "osatlas-14", "agentnet"]

"""Whole episodes with a scripted model on a form that behaves."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from action_space.actions import Action, Click, Finish, Press, Scroll, Type, Wait
from action_space.errors import ConfigError
from action_space.geometry import Point, Size
from agent import resume, run
from agent.interrupt import StopRequest
from agent.session import Options, default_folder
from agent.trajectory import Settings, Step, Trajectory, read_trajectory
from vlm.backends.scripted import ScriptedModel, ScriptLine

TASK = "fill the form"
Say = Callable[..., str]


@pytest.fixture
def play(form: ModuleType, say: Say, tmp_path: Path) -> Callable[..., Trajectory]:
    """Run a script of actions and verbatim replies on a form, with no confirmations unless asked for."""

    def play(replies: list[Action | str | ScriptLine], env: object = None, **options: object) -> Trajectory:
        lines = [reply if isinstance(reply, str | ScriptLine) else say(reply) for reply in replies]
        chosen = {"confirm": "none", "out": tmp_path / "run", "model": ScriptedModel(lines), **options}
        return run(TASK, env=env or form.FormEnvironment(), **chosen)  # type: ignore[arg-type]

    return play


def test_the_form_is_filled(play: Callable[..., Trajectory], form: ModuleType, filled: list[Action]) -> None:
    env, watched = form.FormEnvironment(), list[Step]()
    done = play(filled, env, watch=watched.append)
    assert (done.reason, env.text, env.ticked, env.sent) == ("success", "Ada", True, True)
    assert done.outcome is not None and done.outcome.text == "The form says thank you"
    assert [step.action for step in done.steps] == filled
    assert [step.effect for step in done.steps] == ["near", *[done.steps[1].effect], "near", done.steps[3].effect, None]
    assert all(step.effect != "none" for step in done.steps)
    assert watched == list(done.steps)
    assert env.released == 1 and env.closed == 0, "a device that was given stays open"
    assert read_trajectory(done.folder) == done
    assert (done.folder / "report.html").is_file()
    assert len(list((done.folder / "images").iterdir())) == 5


def test_mistakes_are_told_and_the_run_goes_on(play: Callable[..., Trajectory], form: ModuleType, say: Say) -> None:
    model = ScriptedModel(
        [
            "I have finished the task, done.",
            say(Scroll(point=Point(5, 5), direction="down")),
            say(Click(point=form.EMPTY)),
            say(Finish(status="failure", text="no way")),
        ]
    )
    done = play([], model=model)
    assert done.reason == "failure"
    assert [step.error.kind if step.error else None for step in done.steps] == [
        "InvalidAction",
        "UnsupportedAction",
        None,
        None,
    ]
    assert done.steps[0].reply == "I have finished the task, done." and done.steps[0].action is None
    assert done.steps[2].note == "nothing changed"
    told = "\n".join(part for message in model.asked[-1] for part in message.content if isinstance(part, str))
    for step in done.steps[:3]:
        assert " ".join(step.note.split()) in told


def test_only_an_explicit_finish_is_a_success(play: Callable[..., Trajectory]) -> None:
    done = play(["Task completed successfully! finished(success)"] * 3, max_mistakes=3)
    assert done.reason == "mistakes"
    assert done.outcome is not None and "3 replies in a row" in done.outcome.text


def test_the_third_try_is_refused_and_then_the_run_stops(play: Callable[..., Trajectory], form: ModuleType) -> None:
    env = form.FormEnvironment()
    done = play([Click(point=form.EMPTY)] * 9, env)
    assert done.reason == "loop"
    assert len(env.done) == 2, "the third try must not reach the device"
    assert [step.error is not None for step in done.steps] == [False, False, True, True]
    assert "was tried 2 times" in done.steps[2].note


def test_a_loop_with_steps_in_between_is_found_too(play: Callable[..., Trajectory], form: ModuleType) -> None:
    env, twice = form.FormEnvironment(), [Click(point=form.EMPTY), Press(keys=("escape",))]
    done = play(twice * 5, env)
    assert done.reason == "loop" and len(env.done) == 4


def test_the_same_action_on_another_screen_is_no_loop(play: Callable[..., Trajectory], form: ModuleType) -> None:
    type_a = [Type(text="a")] * 6
    done = play([Click(point=form.NAME.center), *type_a, Finish(status="success")])
    assert done.reason == "success"


def test_a_stuck_model_is_helped_by_a_person(play: Callable[..., Trajectory], form: ModuleType) -> None:
    asked: list[str] = []
    stuck = [Click(point=form.EMPTY)] * 4
    done = play([*stuck, Finish(status="failure")], person=lambda question: asked.append(question) or "give up")
    assert done.reason == "failure"
    assert len(asked) == 1 and "stuck" in asked[0]
    assert "A person says: give up" in done.steps[3].note
    assert play([*stuck, *stuck], person=lambda _: "go on", out=done.folder.with_name("b")).reason == "loop"
    assert play(stuck, person=lambda _: "", out=done.folder.with_name("c")).reason == "loop"


def test_a_run_in_which_nothing_helps_ends_too(play: Callable[..., Trajectory], form: ModuleType) -> None:
    env, other = form.FormEnvironment(), [Press(keys=(f"f{number}",)) for number in range(1, 13)]
    waits = [Wait(seconds=0.1), Wait(seconds=0.2)]
    done = play([*other[:6], *waits, *other[6:], Press(keys=("home",))], env, max_steps=40)
    assert (done.reason, len(env.done)) == ("loop", 14), "waiting is not expected to change anything"
    assert done.outcome is not None and "the last 12 steps changed nothing" in done.outcome.text
    helped = [*other, Click(point=form.NAME.center), *other, Finish(status="success")]
    answers = iter(["click the name", "try on", ""])
    done = play(helped, person=lambda _: next(answers), out=done.folder.with_name("b"), max_steps=40)
    assert done.reason == "success"


@pytest.mark.parametrize(
    ("options", "reason", "steps"),
    [
        (Options(max_steps=3), "steps", 3),
        (Options(max_tokens=25), "tokens", 3),
        (Options(max_seconds=1e-6), "seconds", 1),
    ],
)
def test_limits(play: Callable[..., Trajectory], say: Say, options: Options, reason: str, steps: int) -> None:
    waits = [ScriptLine(text=say(Wait(seconds=0.1 + n)), tokens_in=8, tokens_out=2) for n in range(9)]
    done = play(list(waits), **options)
    assert (done.reason, len(done.steps)) == (reason, steps)


def test_a_lost_device_ends_the_run_and_everything_is_recorded(
    play: Callable[..., Trajectory], form: ModuleType
) -> None:
    env = form.FormEnvironment(fail_at=3)
    done = play([Click(point=form.NAME.center), Type(text="Ada"), Type(text="never")], env)
    assert (done.reason, len(done.steps), env.released) == ("device", 2, 1)
    assert done.steps[1].action == Type(text="Ada")
    assert done.steps[1].error is not None and done.steps[1].error.kind == "DeviceError"
    assert done.outcome is not None and "window was closed" in done.outcome.text
    first = play([], form.FormEnvironment(fail_at=1), out=done.folder.with_name("first"))
    assert (first.reason, first.steps) == ("device", ())


def test_a_model_that_fails_ends_the_run(play: Callable[..., Trajectory], form: ModuleType) -> None:
    done = play([Click(point=form.NAME.center)])
    assert (done.reason, len(done.steps)) == ("model", 1)


def test_questions(play: Callable[..., Trajectory]) -> None:
    asking = ['ask "Which name?"', "done"]
    done = play(asking, dialect="compact", person=lambda question: f"{question} Ada")
    assert done.steps[0].note == "the person answered: Which name? Ada"
    alone = play(asking, dialect="compact", out=done.folder.with_name("alone"))
    assert alone.steps[0].error is not None and "nobody can answer" in alone.steps[0].note
    assert alone.reason == "success"


def test_a_risky_action_without_a_person_is_refused(
    play: Callable[..., Trajectory], form: ModuleType, say: Say
) -> None:
    env = form.FormEnvironment()
    done = play([f"Now I press Send.\n{say(Click(point=form.SEND.center))}"], env, confirm="risky")
    assert (done.reason, env.done, env.sent) == ("refused", [], False)
    assert done.steps[0].error is not None and done.steps[0].error.kind == "PolicyRefusal"


def test_a_refusal_by_a_person_is_told(play: Callable[..., Trajectory], form: ModuleType) -> None:
    env, answers = form.FormEnvironment(), iter(["n", "y"])
    replies = [Click(point=form.SEND.center), Click(point=form.TICK.center), Finish(status="success")]
    done = play(replies, env, confirm="all", person=lambda _: next(answers))
    assert (env.sent, env.ticked) == (False, True)
    assert "a person refused" in done.steps[0].note


def test_hosts(play: Callable[..., Trajectory], form: ModuleType) -> None:
    env = form.FormEnvironment()
    center = form.TICK.center
    replies = ['open "http://evil.example/"', "tick the box", f"click({center.x}, {center.y})", "failed"]
    done = play(replies, env, allow_hosts=("localhost",), dialect="compact")
    assert env.done == []
    assert [step.error is not None for step in done.steps] == [True, True, False]
    options = {"allow_hosts": ("localhost",), "dialect": "compact", "out": done.folder.with_name("same")}
    same = play(replies[1:], env, url=env.url, **options)
    assert same.steps[0].error is None, "the start page is allowed"


def test_a_stop_request_from_elsewhere(play: Callable[..., Trajectory], filled: list[Action]) -> None:
    stop = StopRequest()
    done = play(filled, watch=lambda step: stop.request() if step.number == 2 else None, stop=stop)
    assert (done.reason, len(done.steps)) == ("interrupted", 2)


def test_resume_goes_on_where_the_run_was(
    play: Callable[..., Trajectory], form: ModuleType, filled: list[Action], say: Say
) -> None:
    env = form.FormEnvironment()
    first = play(filled[:2], env, max_steps=2, max_tokens=500)
    assert first.reason == "steps"
    model = ScriptedModel([say(action) for action in filled[2:]])
    done = resume(first.folder, model=model, env=env, max_steps=9)
    assert (done.reason, env.sent) == ("success", True)
    assert [step.action for step in done.steps] == filled
    assert done.steps[: len(first.steps)] == first.steps
    assert "interrupted" in done.steps[2].context[0] and len(done.steps[3].context) == 1
    settings = done.header.settings
    assert (settings.max_steps, settings.max_tokens, settings.confirm) == (9, 500, "none")
    told = "\n".join(part for message in model.asked[0] for part in message.content if isinstance(part, str))
    assert "Ada" in told, "the steps before are part of the prompt"
    with pytest.raises(ConfigError, match="finished"):
        resume(first.folder, model=model, env=env)


def test_resume_after_the_limit_without_a_new_limit_stops_at_once(
    play: Callable[..., Trajectory], form: ModuleType, filled: list[Action]
) -> None:
    first = play(filled, max_steps=1)
    again = resume(first.folder, model=ScriptedModel([]), env=form.FormEnvironment())
    assert (again.reason, again.steps) == ("steps", first.steps)


def test_resume_forgives_the_mistakes_of_the_first_sitting(
    play: Callable[..., Trajectory], form: ModuleType, say: Say
) -> None:
    first = play(["?", "?"], max_mistakes=2)
    assert first.reason == "mistakes"
    model = ScriptedModel(["?", say(Finish(status="success"))])
    assert resume(first.folder, model=model, env=form.FormEnvironment()).reason == "success"


@pytest.mark.parametrize("task", ["", "  \n"])
def test_an_empty_task(task: str) -> None:
    with pytest.raises(ConfigError, match="the task is empty"):
        run(task)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Options(max_steps=0), "max_steps"),
        (Options(confirm="maybe"), "confirm"),  # type: ignore[typeddict-item]
        (Options(dialect="klingon"), "klingon"),
        (Options(allow_hosts=("a b",)), "a b"),
    ],
)
def test_wrong_settings_leave_no_folder(tmp_path: Path, form: ModuleType, options: Options, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        run(TASK, model=ScriptedModel([]), env=form.FormEnvironment(), out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_unknown_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'fridge': choose one of android, browser, desktop"):
        run(TASK, model=ScriptedModel([]), env="fridge", out=tmp_path / "run")


def test_options_are_the_settings() -> None:
    assert set(Options.__annotations__) == set(Settings.model_fields) - {"env", "model"}
    assert Settings().viewport == Size(1280, 720)


def test_default_folders_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_folder("Öffne die Seite! ../../etc")
    assert first.parent == Path("runs") and ".." not in first.name
    first.mkdir(parents=True)
    assert default_folder("Öffne die Seite! ../../etc") != first


def test_a_step_is_one_line_of_json(play: Callable[..., Trajectory], form: ModuleType) -> None:
    done = play([Click(point=form.NAME.center), Type(text="a\nb \u2028 \U0001f600"), Finish(status="success")])
    lines = (done.folder / "steps.jsonl").read_bytes().split(b"\n")
    assert len(lines) == 4 and lines[-1] == b""
    assert json.loads(lines[1])["action"] == {"kind": "type", "text": "a\nb \u2028 \U0001f600"}

"""MiniWoB++: what is fixed about it, and episodes on its real pages through the ordinary loop."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from action_space.actions import Action, Click, Drag, Finish, Open, Wait
from action_space.dialects import load_dialect
from action_space.errors import ConfigError, DeviceError, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from agent.planner import model_frame
from agent.trajectory import Trajectory, read_trajectory
from environments.chromium import own_browser
from evals.cli import app
from evals.online.miniwob import tasks, world
from evals.online.miniwob.attempts import Attempt, Plan, play, read_results
from evals.online.miniwob.demonstrations import demonstrable, demonstrate
from evals.online.miniwob.oracle import ORACLES, Eyes, OracleModel, load_oracle
from evals.online.miniwob.report import rate
from evals.online.miniwob.world import World
from vlm.backends.scripted import ScriptedModel
from vlm.training.data.shards import read_shards

SCREEN = Size(320, 420)
PLAN = Plan(model="oracle", tasks=("click-test",))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with own_browser() as browser:
        yield browser


def scripted(*actions: Action) -> ScriptedModel:
    dialect = load_dialect("computer_use")
    frame = model_frame(Frame(SCREEN, SCREEN), dialect)
    return ScriptedModel(dialect.render(action, frame) for action in actions)


def middle_of(page_of: World, selector: str) -> Point:
    x, y = Eyes(page_of).place(f"document.querySelector('{selector}')")
    return Point(int(2 * x), int(2 * y))


def play_oracle(task: str, seed: int, folder: Path, chromium: Browser) -> Attempt:
    return play(task, seed, lambda shown: OracleModel(load_oracle(task), shown), folder, PLAN, chromium)


# ------------------------------------------------------------------------------------------------- what is fixed


def test_held_out_tasks_are_those_that_were_agreed() -> None:
    agreed = (
        "click-test-2, click-dialog-2, click-tab-2-easy, click-tab-2-medium, focus-text-2, enter-text-2, "
        "login-user-popup, click-checkboxes-transfer, email-inbox-noscroll, form-sequence-2, social-media-some, "
        "click-menu-2, read-table-2, use-autocomplete-nodelay, multi-layouts, search-engine, click-option, "
        "navigate-tree"
    )
    assert set(tasks.HELD_OUT) == set(agreed.split(", "))
    assert tasks.FIRST_EVALUATION_SEED == 1_000_000 == Plan(model="m", tasks=()).seed


def test_every_task_is_on_one_side() -> None:
    assert len(tasks.all_tasks()) >= 130
    assert sorted(tasks.all_tasks()) == sorted({*tasks.train_tasks(), *tasks.HELD_OUT})
    assert not set(tasks.train_tasks()) & set(tasks.HELD_OUT)


def test_most_tasks_have_an_oracle() -> None:
    assert set(ORACLES) <= set(tasks.all_tasks()) and set(tasks.HELD_OUT) <= set(ORACLES)
    assert len(ORACLES) >= 80 and all(callable(load_oracle(task)) for task in ORACLES)


def test_tasks_are_chosen_by_name() -> None:
    assert tasks.choose_tasks("click-test, focus-text,click-test") == ("click-test", "focus-text")
    assert tasks.choose_tasks("heldout") == tasks.HELD_OUT
    assert tasks.choose_tasks("train") == tasks.train_tasks()
    assert tasks.choose_tasks("all") == tasks.all_tasks()


def test_of_the_59_tasks_of_pix2act_all_but_one_can_be_played() -> None:
    assert len(set(tasks.PIX2ACT)) == len(tasks.PIX2ACT) == 59
    chosen = tasks.choose_tasks("pix2act")
    assert set(tasks.PIX2ACT) - set(chosen) == {"drag-item"} and set(chosen) <= set(tasks.all_tasks())
    assert len(set(chosen) & set(tasks.HELD_OUT)) == 9


@pytest.mark.parametrize(
    ("task", "seed", "reserved"),
    [
        ("click-test", 999_999, False),
        ("click-test", 1_000_000, True),
        ("click-test-2", 0, True),
        ("navigate-tree", 5_000_000, True),
    ],
)
def test_what_is_for_evaluation_only(task: str, seed: int, reserved: bool) -> None:
    assert tasks.is_for_evaluation(tasks.address_of(task, seed)) is reserved


@pytest.mark.parametrize("address", [None, "", "miniwob:", "miniwob:click-test", "https://a.example/#1000000"])
def test_other_addresses_are_no_pages_of_it(address: str | None) -> None:
    assert not tasks.is_for_evaluation(address)


def test_a_measurement_is_on_one_side(tmp_path: Path) -> None:
    command = ["miniwob", "--oracle", "--tasks", "click-test", "--seed", "999999", "--episodes", "2"]
    with pytest.raises(ConfigError, match="seeds 999999 to 1000000 are for training and for evaluation"):
        app([*command, "--out", str(tmp_path / "out")], standalone_mode=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", ["click-tset", "click-test,all", "", " , "])
def test_a_wrong_task_is_named(wrong: str) -> None:
    with pytest.raises(ConfigError, match="choose"):
        tasks.choose_tasks(wrong)


def test_missing_pages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="pip install --no-deps miniwob"):
        tasks.all_tasks()


def test_errors_are_no_failures() -> None:
    def of(reward: float = 0.0, error: str = "") -> Attempt:
        return Attempt(task="click-test", seed=1, split="train", solved=reward == 1, reward=reward, error=error)

    counted = rate([of(1), of(-1), of(error="the page failed"), of(1)])
    assert (counted.solved, counted.n, counted.errors, counted.rate) == (2, 3, 1, 2 / 3)
    assert 0 < counted.low < 2 / 3 < counted.high < 1
    assert rate([of(error="the page failed")]).rate is None
    close = rate([of(1), of(0.5), of(-0.5), of()])
    assert (close.solved, close.rewarded, close.score) == (1, 2, 1.75 / 4)


# ------------------------------------------------------------------------------------------------------ the pages


@pytest.mark.browser
def test_a_seed_is_a_page(chromium: Browser) -> None:
    def told(seed: int) -> tuple[str, bytes]:
        with World("click-checkboxes", seed, browser=chromium) as page:
            return page.utterance, page.observe().image.tobytes()

    assert (first := told(7)) == told(7)
    assert told(8)[0] != first[0]


@pytest.mark.browser
def test_a_page_is_looked_at_as_large_as_it_is_shown(chromium: Browser) -> None:
    with World("click-test", 0, browser=chromium) as page:
        frame = page.observe().frame
    assert frame.device_scale == 2
    assert frame.density == 1  # nothing is shrunk


@pytest.mark.browser
def test_the_model_sees_the_screen_and_nothing_else(chromium: Browser) -> None:
    with World("click-test", 0, browser=chromium) as page:
        seen = page.observe()
        assert (seen.image.size, seen.context) == ((320, 420), ())
        assert seen.image.getpixel((2, 2)) == (255, 255, 0), "the instruction's yellow strip"
        with pytest.raises(UnsupportedAction, match="'open' is not possible here: use one of click"):
            page.execute(Open(target="about:blank"))


@pytest.mark.browser
def test_rewards_are_read_raw(chromium: Browser) -> None:
    with World("click-test", 0, browser=chromium) as page:
        assert page.page.evaluate("core.EPISODE_MAX_TIME") >= 3_600_000, "a slow model is not cut off"
        assert page.verdict() == world.Verdict(ended=False, reward=0)
        page.page.evaluate("core.ept0 -= 0.5 * core.EPISODE_MAX_TIME; core.endEpisode(0.9, true, 'almost')")
        assert page.verdict() == world.Verdict(ended=True, reward=0.9, reason="almost")
        assert not page.verdict().solved


@pytest.mark.browser
def test_a_page_that_was_left_is_lost(chromium: Browser) -> None:
    with World("click-test", 0, browser=chromium) as page:
        page.page.reload()
        assert page.verdict() == world.LEFT and not world.LEFT.solved


@pytest.mark.browser
def test_a_page_that_does_not_begin_is_an_error(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.html").write_text("<p>no script")
    monkeypatch.setattr(world, "pages_folder", lambda: tmp_path)
    monkeypatch.setattr(world, "_READY_MS", 200)
    with pytest.raises(DeviceError, match="starting 'broken' failed"):
        World("broken", 0, browser=chromium)
    tried = play("broken", 0, lambda _world: scripted(), tmp_path / "run", PLAN, chromium)
    assert tried.error and not tried.solved and rate([tried]).n == 0


# ------------------------------------------------------------------------------------------------------- episodes


def run_script(
    task: str, folder: Path, chromium: Browser, *selectors: str, count: int = 1
) -> tuple[Trajectory, Attempt]:
    """Click on elements of a page, then claim success."""

    def player(page: World) -> ScriptedModel:
        clicks = [Click(point=middle_of(page, selector), count=count) for selector in selectors]
        return scripted(*clicks, Finish(status="success"))

    attempt = play(task, 3, player, folder, PLAN, chromium)
    return read_trajectory(folder), attempt


@pytest.mark.browser
def test_the_end_of_the_page_is_the_end_of_the_run(chromium: Browser, tmp_path: Path) -> None:
    run, attempt = run_script("click-test-2", tmp_path / "run", chromium, "#subbtn")
    assert (attempt.solved, attempt.reward, attempt.ended, attempt.stopped) == (True, 1, True, "success")
    assert len(run.steps) == 1 and run.header.task == attempt.utterance == "Click button ONE."
    assert run.header.settings.url == "miniwob:click-test-2#3"
    assert run.steps[0].context == ()


@pytest.mark.browser
def test_a_wrong_click_is_no_success(chromium: Browser, tmp_path: Path) -> None:
    _, attempt = run_script("click-test-2", tmp_path / "run", chromium, "#subbtn2")
    assert (attempt.solved, attempt.reward, attempt.stopped, attempt.error) == (False, -1, "failure", "")


@pytest.mark.browser
def test_a_claim_counts_for_nothing(chromium: Browser, tmp_path: Path) -> None:
    _, attempt = run_script("click-test-2", tmp_path / "run", chromium)
    assert (attempt.solved, attempt.reward, attempt.ended, attempt.stopped) == (False, 0, False, "success")


@pytest.mark.browser
def test_a_double_click_does_not_begin_another_page(chromium: Browser, tmp_path: Path) -> None:
    _, attempt = run_script("click-test", tmp_path / "run", chromium, "#subbtn", count=2)
    assert attempt.solved and attempt.ended


@pytest.mark.browser
@pytest.mark.parametrize("task", ["click-tab-2", "login-user", "use-slider", "email-inbox-noscroll", "drag-box"])
def test_oracles_solve_their_tasks(task: str, chromium: Browser, tmp_path: Path) -> None:
    attempt = play_oracle(task, 2, tmp_path / "run", chromium)
    assert attempt.solved, attempt
    steps = read_trajectory(tmp_path / "run").steps
    missed = [step.error is not None and step.error.text == "not on the screen" for step in steps]
    assert all(step.plan and (step.action or gone) for step, gone in zip(steps, missed, strict=True))


# --------------------------------------------------------------------------------------------------- command line


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_command_measures_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, numbers = tmp_path / "out", tmp_path / "numbers.json"
    arguments = ["miniwob", "--oracle", "--tasks", "click-test,focus-text-2", "--episodes", "1"]
    app([*arguments, "--out", str(folder)], standalone_mode=False)
    assert "focus-text-2 (held out)" in capsys.readouterr().out
    first = read_results(folder)
    assert [(a.task, a.seed, a.solved) for a in first] == [
        ("click-test", 1_000_000, True),
        ("focus-text-2", 1_000_000, True),
    ]
    pictures = {picture.stat().st_ino for picture in (folder / "images").glob("*.png")}
    assert pictures == {picture.stat().st_ino for picture in folder.glob("*/*/images/*.png")}, "each is kept once"
    assert all(attempt.pictures and (Path(attempt.run) / "report.html").exists() for attempt in first)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines()
    failed = first[1].model_copy(update={"error": "the page failed", "solved": False})
    results.write_text(f"{lines[0]}\n{failed.model_dump_json()}\n{lines[1][:20]}")
    app(["miniwob", "--resume", str(folder), "--json", str(numbers)], standalone_mode=False)
    assert "click-test 1000000" not in capsys.readouterr().err, "what was played is not played again"
    found = json.loads(numbers.read_text())
    whole = {"solved": 2, "n": 2, "errors": 0, "rate": 1.0, "low": 0, "high": 1.0, "rewarded": 2, "score": 1.0}
    assert found["groups"]["all"] | {"low": 0} == whole
    assert set(found["groups"]) == {"all", "train", "heldout"} and len(found["attempts"]) == 2


def test_command_loads_no_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the model 'nonsense' is neither"):
        app(["miniwob", "--model", "nonsense", "--out", str(tmp_path / "out")], standalone_mode=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_an_episode_that_takes_too_long_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reply wants to wait for a minute, which is longer than the limit."""
    dialect = load_dialect(ScriptedModel.dialect)
    reply = dialect.render(Wait(seconds=60), model_frame(Frame(SCREEN, SCREEN), dialect))
    (tmp_path / "script.jsonl").write_text(json.dumps(reply) + "\n")
    command = [
        "miniwob",
        "--model",
        f"scripted:{tmp_path / 'script.jsonl'}",
        "--tasks",
        "click-test",
        "--episodes",
        "1",
    ]
    app([*command, "--time-limit", "15", "--out", str(tmp_path / "out")], standalone_mode=False)
    (attempt,) = read_results(tmp_path / "out")
    assert attempt.error == "no end after 15 s: killed" and rate([attempt]).n == 0
    assert "click-test 1000000: no end after 15 s: killed" in capsys.readouterr().err


def test_command_refuses_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("")
    with pytest.raises(ConfigError, match="--resume"):
        app(["miniwob", "--oracle", "--tasks", "click-test", "--out", str(tmp_path)], standalone_mode=False)
    with pytest.raises(ConfigError, match=r"holds no measurement: it has no eval\.json"):
        app(["miniwob", "--resume", str(tmp_path)], standalone_mode=False)


# ---------------------------------------------------------------------------------------------- demonstrations


def test_what_is_near_enough_is_a_demonstration(chromium: Browser, tmp_path: Path) -> None:
    """A click on a whole pixel leaves a little of the reward of these."""
    near = ("circle-center", "find-midpoint", "bisect-angle", "right-angle")
    lines = list(demonstrate(chromium, tmp_path, tasks=near, episodes=1, seed=100))
    assert sorted(lines) == sorted(f"{task} 100: 2 steps" for task in near)
    (shard,), _ = read_shards(tmp_path)
    clicked = [r.truth.boxes[0] for r in shard.records() if r.form == "look" and "1." not in str(r.prompt)]
    assert clicked and all(box.right - box.left < 20 for box in clicked), "nowhere else in the circle"


def test_demonstrations_are_plans_calls_and_boxes(chromium: Browser, tmp_path: Path) -> None:
    lines = list(demonstrate(chromium, tmp_path, tasks=("login-user",), episodes=1, seed=5))
    assert lines == ["login-user 5: 5 steps"]
    (shard,), cut = read_shards(tmp_path)
    assert cut == 0 and shard.counts["screens"] == 5
    steps = [record for record in shard.records() if record.kind == "agent"]
    plans = [record.answer for record in steps if record.form == "plan"]
    assert [plan for plan in plans if plan.startswith("click")] == [
        'click "username" field',
        'click "password" field',
        'click "login" button',
    ], "in the words of the task"
    prompts = [str(record.prompt[0]) for record in steps if record.form == "plan"]
    assert plans[1] == 'type "dannie"' and "1. click" in prompts[1]
    dialect = load_dialect("compact")
    for record in (record for record in steps if record.form == "step"):
        action = dialect.parse(record.answer, Frame(SCREEN, SCREEN))
        assert isinstance(action, Click) and record.truth.boxes[0].contains(action.point)
    assert list(demonstrate(chromium, tmp_path, tasks=("login-user",), episodes=1, seed=5)) == [], "it is there already"


def test_what_the_task_does_not_say_is_looked_for(chromium: Browser, tmp_path: Path) -> None:
    told = ("click-tab", "click-button-sequence", "click-dialog", "focus-text", "click-color", "click-shape")
    seen = ("count-shape", "drag-box", "drag-items", "simple-arithmetic", "enter-date", "use-slider-2")
    list(demonstrate(chromium, tmp_path, tasks=(*told, *seen), episodes=1, seed=5))
    (shard,), _ = read_shards(tmp_path)
    records = [record for record in shard.records() if record.kind == "agent"]
    dialect = load_dialect("compact")
    for task in (*told, *seen):
        mine = [record for record in records if record.source == f"miniwob/{task}"]
        plans = [record.answer for record in mine if record.form == "plan"]
        looks = [record for record in mine if record.form == "look"]
        assert len(looks) == len(plans), "every step may be looked for"
        assert ("look" in plans, set(plans) == {"look"}) == (task in seen, task in seen), (task, plans)
        assert [record for record in mine if record.form == "step"] == [] or task in told
        for number, record in enumerate(looks):
            action = dialect.parse(record.answer, Frame(SCREEN, SCREEN))
            assert not isinstance(action, Click) or record.truth.boxes[0].contains(action.point)
            if isinstance(action, Drag):
                assert record.answer.startswith("drag click("), "in tokens of places"
                taken = record.truth.boxes[0]
                assert taken.contains(action.start) and taken.right - taken.left > 20, "taken anywhere on it"
            lines = str(record.prompt[0]).splitlines()
            assert lines[0].startswith("Task: ") and lines[-1] == "Look." and len(lines) == number + 2
    slid = next(record for record in records if record.source == "miniwob/use-slider-2" and record.form == "look")
    assert slid.truth.boxes[0].right - slid.truth.boxes[0].left <= 16, "on a slider it matters where"


def test_what_is_not_on_the_screen_yet_is_sought(chromium: Browser, tmp_path: Path) -> None:
    list(demonstrate(chromium, tmp_path, tasks=("click-tab-2-hard",), episodes=6, seed=7))
    (shard,), _ = read_shards(tmp_path)
    records = [record for record in shard.records() if record.kind == "agent"]
    plans = [record for record in records if record.form == "plan"]
    away = [record for record in records if record.form == "step" and record.answer.startswith("finish")]
    tabs = [record for record in records if record.form == "look" and str(record.prompt[0]).count("(not on") > 0]
    assert away and all(record.truth.boxes == () for record in away)
    for plan in plans:
        lines = str(plan.prompt[0]).splitlines()[1:-1]
        missed = bool(lines) and lines[-1].endswith(" (not on the screen)")
        assert (plan.answer == "look") == missed, "a tab is not named, and what is sought is asked for on each"
        assert missed or plan.answer.startswith('click "')
        assert all(re.match(r'\d+\. click(\(| ")', line) for line in lines)
    assert tabs and all(record.truth.boxes for record in tabs)


def test_a_browser_that_is_gone_ends_the_demonstrations_and_another_goes_on(tmp_path: Path) -> None:
    with own_browser() as browser:
        playing = demonstrate(browser, tmp_path, tasks=("click-test",), episodes=3, seed=5)
        next(playing)
        browser.close()
        with pytest.raises(DeviceError, match="call this again"):
            list(playing)
    assert read_shards(tmp_path)[0] == [], "no shard is whole that lacks what the browser did not play"
    with own_browser() as browser:
        assert len(list(demonstrate(browser, tmp_path, tasks=("click-test",), episodes=3, seed=5))) == 3


def test_nothing_that_is_held_out_is_demonstrated(chromium: Browser, tmp_path: Path) -> None:
    assert not set(demonstrable()) & set(tasks.HELD_OUT)
    for task in tasks.HELD_OUT:
        with pytest.raises(ConfigError, match="held out"):
            next(demonstrate(chromium, tmp_path, tasks=(task,), episodes=1))
    with pytest.raises(ConfigError, match="for evaluation"):
        next(demonstrate(chromium, tmp_path, tasks=("click-test",), episodes=2, seed=999_999))
    assert list(tmp_path.iterdir()) == []

"""Rejection sampling on live pages: whoever knows the page is confirmed step by step, whoever does not is rejected."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser
from rich.console import Console

from action_space.actions import Click, Effect
from action_space.errors import ConfigError
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message
from agent.trajectory import Header, Settings, Step, Trajectory, Versions
from environments.chromium import own_browser
from evals.journal import start
from evals.online import sampling
from evals.online.harvest import Run, due_plans, meant
from evals.online.practice import FIRST_SEED, Practice, draw_practice
from evals.online.practice_world import PracticeWorld, Shown
from evals.online.sampling import Drawn, Sampling, main, units, work_on
from vlm.backends.base import Reply
from vlm.training.data.render import element_of
from vlm.training.data.words import is_held_out
from vlm.training.sampled import RESULTS, Unit, read_sampled, read_units

SEEDS = range(FIRST_SEED, FIRST_SEED + 40)
ASKED = Sampling(model="fake", pages=1, attempts=2, temperature=1, points=0, plans=10, screens="", seed=2)


class Knowing:
    """Plans what is due, and clicks on the middle of what the newest look of its world shows by the name asked for."""

    name, dialect, constrained, looks = "knowing", "compact", False, 0

    def __init__(self, practice: Practice) -> None:
        self.plans = [plan for deed in practice.plans for plan in deed] + ["done"]
        self.world: PracticeWorld | None = None

    def generate(self, messages: Sequence[Message], **_: object) -> Reply:
        words = next(part for part in messages[-1].content if isinstance(part, str))
        if words.startswith("Task: "):
            return Reply(self.plans[len(words.splitlines()) - 2])
        assert self.world is not None
        look = list(self.world.looks.values())[-1]
        number = meant(look, words)
        assert number is not None, words
        place = element_of(look.elements[number])
        middle = (place.label or place.box).center
        picture = next(part for part in messages[-1].content if isinstance(part, Image.Image))
        return Reply(f"click({round(middle.x * _grown(picture.width))}, {round(middle.y * _grown(picture.height))})")


def _grown(length: int) -> float:
    return max(1, round(length / 28)) * 28 / length


class Hasty(Knowing):
    """Believes that it is done before it began."""

    def generate(self, messages: Sequence[Message], **_: object) -> Reply:  # noqa: ARG002
        return Reply("done")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with own_browser() as found:
        yield found


def practice_with(browser: Browser, plan: str, deeds: int = 2) -> Practice:
    """The first practice page whose task needs such a step."""
    tab = browser.new_page()
    for seed in SEEDS:
        practice = draw_practice(tab, seed)
        if practice and len(practice.plans) >= deeds and any(plan in each for one in practice.plans for each in one):
            tab.close()
            return practice
    raise AssertionError(f"no page of the first {len(SEEDS)} asks for {plan!r}")


def played(practice: Practice, model: Knowing, folder: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """The model sees the world that it plays in, which ordinary ones do not."""

    class Watched(PracticeWorld):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            model.world = self

    monkeypatch.setattr(sampling, "PracticeWorld", Watched)
    return work_on(practice, model, 1, folder, browser, "page")


@pytest.mark.timeout(600)
def test_who_knows_the_page_is_confirmed(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    practice = practice_with(browser, " field")
    unit = played(practice, Knowing(practice), tmp_path, browser, monkeypatch)
    steps = sum(map(len, practice.plans)) + 1
    clicks = sum(plan.startswith("click") for deed in practice.plans for plan in deed)
    assert (unit.tried, unit.done) == (1, 1) and unit.asked == unit.right == steps + clicks
    assert {one.by for one in unit.judged} == {"model"} and not any(one.rejected for one in unit.judged)
    plans = [one.record for one in unit.judged if one.record.kind == "agent"]
    assert [record.answer for record in plans] == [plan for deed in practice.plans for plan in deed] + ["done"]
    assert str(plans[-1].prompt[0]).count("\n") == steps and practice.task in str(plans[0].prompt[0])
    for shown in unit.screens:
        with Image.open(tmp_path / "screens" / shown.image) as picture:
            assert picture.size == (practice.size.width, practice.size.height)
    assert not any(is_held_out(word) for word in practice.task.split() if word.isalpha() and len(word) > 9)


class Interrupted(Knowing):
    """A person stops the program while this one thinks."""

    def generate(self, messages: Sequence[Message], **_: object) -> Reply:  # noqa: ARG002
        raise KeyboardInterrupt


@pytest.mark.timeout(600)
def test_a_person_can_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sampling, "load", lambda _asked: Interrupted(Practice(0, "", Size(1, 1), "", (), ())))
    assert main(["--out", str(tmp_path / "out"), "--pages", "1"]) == 130
    assert "goes on from here" in capsys.readouterr().err and not list(read_units(tmp_path / "out"))


@pytest.mark.timeout(600)
def test_a_list_is_opened_and_its_entries_are_asked_for(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, found = browser.new_page(), None
    for seed in SEEDS:
        practice = draw_practice(tab, seed)
        chosen = [d for d in practice.plans if len(d) == 2 and d[1].startswith("click")] if practice else []
        if practice and chosen:
            found = practice, chosen[0]
            break
    assert found, "no page with a list"
    practice, deed = found
    unit = played(practice, Knowing(practice), tmp_path, browser, monkeypatch)
    assert unit.done == 1
    assert deed[1] in {one.record.prompt[0] for one in unit.judged if one.record.kind == "grounding"}


@pytest.mark.timeout(600)
def test_what_is_wrong_is_rejected_and_a_kill_loses_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "load", lambda _asked: Hasty(Practice(0, "", Size(1, 1), "", (), ())))
    console = Console(quiet=True)
    counts = sampling.sample(ASKED, tmp_path / "out", console)
    assert counts["units"] == 2 and counts["pages done"] == 0 and counts["right"] < counts["answers"]
    judged = [one for one in read_sampled([tmp_path / "out"]).judged if one.record.source == "practice"]
    assert len(judged) == 1, "both runs ended at the same question"
    assert judged[0].by == "truth" and judged[0].rejected == ("done",) and judged[0].share == 0
    assert counts["dropped"]["ends too early"] >= 2
    path = tmp_path / "out" / RESULTS
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\n") + 30])
    assert sampling.sample(ASKED, tmp_path / "out", console) == counts
    assert [unit.name for unit in read_units(tmp_path / "out")] == ["page 201000", "plans 2-0"]
    assert json.loads((tmp_path / "out" / "counts.json").read_bytes()) == counts
    with pytest.raises(ConfigError, match="other answers"):
        sampling.sample(ASKED.model_copy(update={"seed": 3}), tmp_path / "out", console)


def test_options_that_cannot_be_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--temperature", "0"], ["--temperature", "hot"], ["--pages", "-1"]):
        with pytest.raises(SystemExit):
            main(["--out", str(tmp_path / "a"), *wrong])
    assert "valid: above 0" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "a"), "--points", "1", "--screens", str(tmp_path)]) == 2
    assert "holds no screens" in capsys.readouterr().err


class Counting(Knowing):
    def __init__(self) -> None:
        self.attempts: list[object] = []

    def generate(self, messages: Sequence[Message], **options: object) -> Reply:  # noqa: ARG002
        self.attempts.append(options["attempt"])
        return Reply("done")


def test_no_two_answers_are_drawn_alike() -> None:
    model = Counting()
    for first in (0, 1000):
        drawn = Drawn(model, first)
        for attempt in (0, 0, 1):
            drawn.generate([], attempt=attempt)
    assert len(set(model.attempts)) == 6 and 0 not in model.attempts


def test_a_quiz_alone_needs_no_browser(tmp_path: Path) -> None:
    start(tmp_path / "out", ASKED)
    asked = ASKED.model_copy(update={"pages": 0, "plans": 12})
    found = list(units(asked, Hasty(Practice(0, "", Size(1, 1), "", (), ())), tmp_path, frozenset({"plans 2-0"})))
    assert [unit.name for unit in found] == ["plans 2-10"] and found[0].asked == 4


FORM = Practice(
    1000,
    "",
    Size(100, 80),
    "Fill",
    (('click "A" field', 'type "x"'), ('click "B" button',)),
    ("empty", "filled", "sent"),
)
ROWS = tuple(
    {"kind": kind, "name": name, "box": [left, 0, left + 20, 20]}
    for kind, name, left in (("field", "A", 0), ("button", "B", 40))
)
HIT_A, MISS, HIT_B = Point(5, 5), Point(90, 70), Point(45, 5)


def due(*steps: tuple[str, str, Point | None, Effect]) -> list[str | None]:
    """What is due at steps that were told as: the page's state before, the plan, where it clicked, what came of it."""
    frame = Frame(FORM.size, FORM.size)
    recorded = tuple(
        Step(
            number=number,
            started=datetime(2026, 11, 26, tzinfo=UTC),
            image="0" * 64,
            frame=frame,
            plan=plan,
            action=Click(point=point) if point else None,
            effect=effect,
        )
        for number, (_, plan, point, effect) in enumerate(steps, start=1)
    )
    header = Header(
        task="Fill",
        created=datetime(2026, 11, 26, tzinfo=UTC),
        versions=Versions(clickwright="1", model="m", dialect="compact", env="browser"),
        settings=Settings(),
    )
    looks = tuple(Shown(state, ROWS, ()) for state, *_ in steps)
    return list(due_plans(FORM, Run(Trajectory(Path(), header, recorded), looks, steps[-1][0])))


def test_what_is_due_is_what_the_prompt_can_tell() -> None:
    click, type_, press = (plan for deed in FORM.plans for plan in deed)
    typed = ("empty", type_, None, "near")
    assert due(
        ("empty", click, HIT_A, "near"),
        ("empty", type_, None, "near"),
        ("filled", press, HIT_B, "near"),
        ("sent", "done", None, "none"),
    ) == [click, type_, press, "done"]
    assert due(("empty", click, MISS, "none"), typed) == [click, click], "it is told that nothing changed"
    assert due(("empty", click, MISS, "elsewhere"), typed) == [click, None], "it is not told what changed"
    assert due(("empty", click, HIT_A, "none"), typed) == [click, None], "it had the keyboard already"
    assert due(("empty", click, HIT_A, "reached"), typed) == [click, type_], "the way goes on from what was so already"
    assert due(("empty", press, MISS, "near"), typed) == [click, click], "a step that was not needed"
    assert due(("empty", click, HIT_A, "near"), ("ruined", press, HIT_B, "near")) == [click, None]


def test_a_plan_means_the_one_control_of_its_name() -> None:
    rows = (
        {"kind": "button", "name": "Save", "box": [0, 0, 9, 9]},
        {"kind": "tab", "name": "B", "box": [9, 9, 19, 19]},
    )
    look = Shown("", (*rows, {**rows[1], "name": "b"}), ())
    assert meant(look, 'click "save" button') == 0
    assert meant(look, 'click "B"') is None and meant(look, 'type "Save"') is None and meant(look, "done") is None

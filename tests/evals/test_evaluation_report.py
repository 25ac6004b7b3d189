"""The HTML report of an evaluation: every text escaped, truth and answer drawn, and it works in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from action_space.actions import Click, Finish, Type
from action_space.geometry import Point
from agent.cli import main
from agent.report import write_report as write_run_report
from agent.trajectory import read_trajectory
from evals.benchmarks.reading import Broken
from evals.protocols import load_rule
from evals.protocols.values import Act, Region, Score, Step
from evals.report.build import Contender, Episode, Sheet, Versus, render
from evals.report.cases import Case, Did, card_of, chosen
from evals.report.marks import words_of
from evals.scoring import compare

Runs = Any  # of conftest.py, which no test can import
Said = Callable[..., str]

CLICK, FAR, TYPE = Click(point=Point(200, 100)), Click(point=Point(500, 300)), Type(text="Ada")
EVIL = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)> & "quotes"'
TARGET = Act("click", targets=(Region(10, 20, 50, 40),))


def sheet(picture: Path | None) -> Sheet:
    steps = [Step(f"{EVIL}{at}", (TARGET,), (100.0, 50.0), EVIL, groups={EVIL: f"{EVIL}{at}"}) for at in range(2)]
    comparisons = compare([load_rule("screenspot")], steps, lambda _step: (Act("click", (90, 45)),))
    cases = [
        Case(step, picture, [Did(EVIL, (Act("click", (90, 45)),), Score(0, EVIL))], "a'\"b.html") for step in steps
    ]
    return Sheet(
        EVIL,
        {EVIL: EVIL},
        [Contender(EVIL, comparisons, {EVIL: 0.5, "none": None}, {EVIL: EVIL})],
        cases,
        [Episode(EVIL, EVIL, "run report.html", [1], 2)],
        [Versus(EVIL, EVIL, [(EVIL, "1", "2", "+3.0%", "")], [EVIL])],
        {EVIL: [Broken(EVIL, EVIL)]},
        [EVIL],
    )


def test_every_text_is_escaped_and_nothing_is_fetched(tmp_path: Path, browser_page: Page) -> None:
    Image.new("RGB", (100, 50), "white").save(tmp_path / "shot.png")
    html, broken = render(sheet(tmp_path / "shot.png"))
    assert not broken and "<img" not in html and html.count("<script>") == 1
    page, seen = browser_page, list[str]()
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: seen.append(dialog.message))
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    page.goto((tmp_path / "report.html").as_uri())
    assert [url for url in seen if not url.startswith(("file:", "data:"))] == []
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator(".card .task").first.inner_text() == EVIL


def test_truth_and_answer_lie_where_they_belong_on_the_picture(tmp_path: Path, browser_page: Page) -> None:
    """The step's units go from 0 to 1, the picture's to 200 and 100: marks are scaled once."""
    Image.new("RGB", (200, 100), "white").save(tmp_path / "shot.png")
    step = Step("s", (Act("click", targets=(Region(0.1, 0.4, 0.5, 0.8),)),), (1.0, 1.0), "press")
    card, broken = card_of(Case(step, tmp_path / "shot.png", [Did("m", (Act("click", (0.9, 0.9)),), Score(0, "far"))]))
    assert not broken and (card.width, card.height) == (200, 100)
    assert '<rect x="20.0" y="40.0" width="80.0" height="40.0"/>' in card.marks
    assert 'cx="180.0" cy="90.0"' in card.marks
    browser_page.set_content(f'<svg width="200" height="100" viewBox="0 0 200 100">{card.marks}</svg>')
    box = browser_page.locator("g.right rect").bounding_box()
    corner = browser_page.locator("svg").bounding_box()
    assert box and corner and (box["x"] - corner["x"], box["y"] - corner["y"]) == (20, 40)


def test_pictures_that_are_gone_or_of_another_size_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (60, 50), "white").save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"PNG?")
    (tmp_path / "bomb.png").write_bytes(b"P6 60000 60000 255\n")
    names = ("small.png", "gone.png", "broken.png", "bomb.png")
    steps = [Step(name, (TARGET,), (100.0, 50.0), row=f"data.json:{at}") for at, name in enumerate(names)]
    cases = [Case(step, tmp_path / step.id, [Did("m", (), Score(0, "no action"))]) for step in steps]
    html, broken = render(Sheet("t", {}, [Contender("m", sheet(None).contenders[0].comparisons)], cases))
    assert [each.where for each in broken] == [f"data.json:{at}" for at in range(4)]
    assert broken[0].why == "the picture is 60x50, and the data says 100x50"
    assert "No such file" in broken[1].why and html.count('class="card"') == 4 and "4 pictures" in html


def test_a_replay_report_in_a_browser(runs: Runs, script: Said, browser_page: Page, tmp_path: Path) -> None:
    good, bad = runs.make("good run", [CLICK, TYPE]), runs.make("bad", [CLICK, TYPE, Finish(status="success")])
    write_run_report(read_trajectory(bad))
    report = tmp_path / "reports" / "report.html"
    report.parent.mkdir()
    done = Finish(status="success")
    models = ["--model", script(CLICK, TYPE, done, CLICK, TYPE), "--model", script(FAR, TYPE, done, CLICK, TYPE)]
    with pytest.raises(SystemExit) as end:
        main(["replay", str(bad), str(good), *models, "--report", str(report)])
    assert end.value.code == 0
    page = browser_page
    page.goto(report.as_uri())
    assert page.locator(".contender").count() == 2 and page.locator(".card").count() == 1
    assert page.locator(".numbers dd").nth(2).inner_text() == "100.0%"
    assert "-20.0%" in page.locator(".versus").inner_text()
    assert page.locator(".card .line").all_text_contents()[1].startswith("click (200, 100)")
    page.locator(".card figure").click()
    assert page.locator("#zoom").is_visible() and page.locator("#zoom g.did.c1").count() == 1
    page.keyboard.press("Escape")
    page.locator(".card .id a").click()
    assert page.url.endswith("/runs/bad/report.html#step-1") and page.locator("#step-1").is_visible()
    again = report.read_bytes()
    with pytest.raises(SystemExit):
        main(["replay", str(bad), str(good), *models, "--report", str(report)])
    assert report.read_bytes() == again


def test_scored_predictions_have_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    for below in ("images", "annotations"):
        (folder / below).mkdir(parents=True)
    Image.new("RGB", (100, 50), "white").save(folder / "images" / "a.png")
    row = {"bbox": [10, 20, 50, 40], "instruction": "press", "application": "x", "platform": "linux", "group": "CAD"}
    row |= {"img_size": [100, 50], "ui_type": "icon"}
    rows = [row | {"id": name, "img_filename": f"{name}.png"} for name in "ab"]
    (folder / "annotations" / "x.json").write_text(json.dumps(rows))
    predictions = tmp_path / "p.jsonl"
    lines = [{"id": name, "action": {"kind": "click", "point": [99, 49]}} for name in "ab"]
    predictions.write_text("\n".join(map(json.dumps, lines)))
    report = tmp_path / "report.html"
    arguments = ["eval", "screenspot-pro", "--data", str(folder), "--predictions", str(predictions)]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--report", str(report)])
    html, said = report.read_text(), capsys.readouterr().err
    assert end.value.code == 0 and len(re.findall('class="card"', html)) == 2
    assert html.count("data:image/webp") == 1
    assert "1 pictures left out:\n  annotations/x.json:1: the screenshot" in said


def test_a_report_that_cannot_be_written(runs: Runs, script: Said, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs.make("a", [CLICK])
    with pytest.raises(SystemExit) as end:
        main(["replay", str(run), "--model", script(CLICK), "--report", str(run / "no" / "report.html")])
    said = capsys.readouterr().err
    assert end.value.code == 2 and "cannot write the report" in said and len(said.splitlines()) == 1


def test_disputed_failures_come_first_and_many_are_spread_evenly() -> None:
    def case(at: int, *values: float) -> Case:
        return Case(Step(str(at), ()), None, [Did("m", (), Score(value, "")) for value in values])

    cases = [case(0, 0, 0), case(1, 1, 1), case(2, 1, 0), *(case(at, 0, 0) for at in range(3, 103))]
    assert [each.step.id for each in chosen(cases, 5)] == ["2", "0", "27", "52", "77"]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Act("click", (1, 2), button="right", count=2, keys=("ctrl",)), "ctrl+right double click (1, 2)"),
        (TARGET, "click in the box"),
        (Act("drag", (1, 2), (0.123456, 4)), "drag (1, 2) to (0.1235, 4)"),
        (Act("scroll", direction="down"), "scroll down"),
        (Act("type", text="a'b"), 'type "a\'b"'),
        (Act("hotkey", keys=("ctrl", "c")), "press ctrl+c"),
        (Act("finish", status="failure"), "finish: failure"),
        (Act("long_press", (1, 2)), "long press (1, 2)"),
        (Act("refuse"), "say that nothing fits"),
    ],
)
def test_acts_in_words(act: Act, words: str) -> None:
    assert words_of(act) == words


def test_a_report_of_played_episodes(runs: Runs, tmp_path: Path, browser_page: Page) -> None:
    from evals.online.miniwob.attempts import Attempt, Plan
    from evals.report.build import write_sheet
    from evals.report.live import miniwob_sheet

    run = runs.make("click-test-2", [CLICK, FAR], reason="failure")
    write_run_report(read_trajectory(run))
    known = {"split": "heldout", "utterance": "Click button ONE.", "run": str(run), "steps": 2}
    attempts = [
        Attempt(task="click-test-2", seed=1, stopped="steps", **known),
        Attempt(task="click-test-2", seed=2, solved=True, reward=1, **known),
        Attempt(task="focus-text-2", seed=1, split="heldout", error="the page did not load"),
        Attempt(task="enter-text-2", seed=1, split="heldout", run=str(tmp_path / "gone"), why="wrong text"),
    ]
    plan = Plan(model="m", tasks=("click-test-2", "focus-text-2", "enter-text-2"), episodes=2, seed=1)
    report = tmp_path / "report.html"
    assert write_sheet(miniwob_sheet(plan, attempts, report), report) == []
    browser_page.goto(report.as_uri())
    numbers = browser_page.locator(".numbers").inner_text().split("\n")
    assert [line for line in numbers if line] == ["all (6.1% to 79.2%)", "33.3%", "heldout (6.1% to 79.2%)", "33.3%"]
    cards = browser_page.locator(".card")
    assert cards.count() == 2 and cards.locator("g.did circle").count() == 1
    assert "step 2: click (500, 300)" in (cards.nth(0).text_content() or "")
    assert "wrong text" in (cards.nth(1).text_content() or "")
    text = browser_page.locator("main").text_content() or ""
    assert "1 episodes that could not be played" in text and "2 of 3 episodes" in " ".join(text.split())

"""The report: every text escaped, every picture once, and it works in a real browser without a network."""

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from action_space.actions import Action, Click, Drag, Finish, LongPress, Move, Press, Scroll, Type
from action_space.errors import RecordingError
from action_space.geometry import Frame, Point, Size
from agent.describe import describe
from agent.recorder import Recorder, claimed
from agent.report import write_report
from agent.report.build import embedded, render
from agent.report.marks import marks
from agent.results import summary
from agent.trajectory import Header, Outcome, Settings, Step, StepError, Timings, Trajectory, Versions

EVIL = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)> & "quotes"'
SIZE = Size(640, 360)
ACTIONS: list[Action] = [
    Click(point=Point(0, 0)),
    Click(point=Point(100, 100), button="right", count=2, modifiers=("ctrl",)),
    Drag(start=Point(10, 10), end=Point(200, 300)),
    Scroll(point=Point(300, 100), direction="down"),
    LongPress(point=Point(5, 5)),
    Move(point=Point(5, 5)),
    Press(keys=("ctrl", "a")),
    Type(text=EVIL),
    Finish(status="success", text=EVIL),
]


@pytest.fixture
def trajectory(tmp_path: Path) -> Iterator[Trajectory]:
    """A run in which everything that can hold text holds an attack."""
    versions = Versions(clickwright="1", model=EVIL, dialect=EVIL, env=EVIL)
    header = Header(task=EVIL, created=datetime.now(UTC), versions=versions, settings=Settings(url=EVIL))
    with claimed(tmp_path / "run") as folder:
        recorder = Recorder.start(folder, header)
    images = [recorder.save_image(Image.new("RGB", (640, 360), colour)) for colour in ("red", "blue")]
    for number, action in enumerate([*ACTIONS, None], start=1):
        error = StepError(kind="InvalidAction", text=EVIL) if action is None else None
        recorder.write(
            Step(
                number=number,
                started=datetime.now(UTC),
                image=images[number % 2],
                frame=Frame(Size(644, 364), SIZE),
                context=(EVIL,),
                details={"title": EVIL},
                plan=EVIL,
                reply=f"reply of {number} {EVIL}",
                action=action,
                effect="none" if number == 4 else "near",
                note=EVIL,
                error=error,
                tokens_in=1000,
                tokens_out=10,
                forced_tokens=7 if number == 2 else 0,
                timings=Timings(settle_s=0.2, prefill_s=1.5, decode_s=0.5, act_s=0.01),
                seconds=2.5,
            )
        )
    recorder.finish(Outcome(reason="success", text=EVIL, ended=datetime.now(UTC)))
    recorder.close()
    yield recorder.trajectory


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_text_is_escaped_and_nothing_comes_from_elsewhere(trajectory: Trajectory) -> None:
    tags = Tags(render(trajectory)).found
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [tag for tag, _ in tags if tag in {"img", "link", "iframe", "object", "base"}]
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))


def test_it_holds_every_step_and_every_picture_once(trajectory: Trajectory) -> None:
    page = render(trajectory)
    assert page.count("data:image/png;base64,") == 2
    assert page.count("<article") == len(trajectory.steps)
    for step in trajectory.steps:
        assert f"reply of {step.number} " in page
    for words in ("double click (100, 100)", "drag (10, 10) to (200, 300)", "nothing changed", "InvalidAction"):
        assert words in page
    assert "prefill <b>1.5 s</b>" in page and "act <b>10 ms</b>" in page


def test_the_list_of_steps_says_what_came_of_looking(trajectory: Trajectory) -> None:
    looked = replace(trajectory, steps=tuple(step.model_copy(update={"plan": "look"}) for step in trajectory.steps))
    assert '<span class="what">look: drag (10, 10) to (200, 300)' in render(looked)


def test_what_a_grammar_saved_is_told(trajectory: Trajectory) -> None:
    page = render(trajectory)
    assert page.count("10 out (7 forced by the grammar)") == 1 and page.count("1000 tokens in, 10 out") == 10
    assert "<dt>Forced, not sampled</dt><dd>7 of 100</dd>" in page
    assert summary(trajectory)["forced_tokens"] == 7
    free = replace(trajectory, steps=tuple(step for step in trajectory.steps if not step.forced_tokens))
    assert "orced" not in render(free)


def test_marks_are_where_the_action_is() -> None:
    assert 'cx="0.5" cy="0.5"' in marks(Click(point=Point(0, 0)), SIZE)
    assert "L200 300" in marks(Drag(start=Point(10, 10), end=Point(200, 300)), SIZE)
    assert 'class="mark refused"' in marks(Click(point=Point(0, 0)), SIZE, carried_out=False)
    for without in (None, Type(text="<b>"), Finish(status="success")):
        assert marks(without, SIZE) == ""


def test_a_run_without_steps_and_one_with_a_lost_picture(trajectory: Trajectory, tmp_path: Path) -> None:
    trajectory.image_path(trajectory.steps[0].image).unlink()
    assert "this screenshot is missing" in render(trajectory)
    empty = Trajectory(tmp_path, trajectory.header.model_copy(update={"outcome": None}))
    page = render(empty)
    assert "No step was recorded" in page and "--resume" in page


def test_a_long_run_is_embedded_smaller(trajectory: Trajectory) -> None:
    Image.effect_noise((300, 300), 120).convert("RGB").save(trajectory.image_path(trajectory.steps[0].image))
    whole, small = embedded(trajectory), embedded(trajectory, lossless_bytes=10_000)
    assert all(picture.uri.startswith("data:image/png") for picture in whole)
    assert all(picture.uri.startswith("data:image/webp") for picture in small)
    assert len(small[0].uri) < len(whole[0].uri) / 2
    assert [picture.key for picture in small] == [picture.key for picture in whole]


def test_a_report_that_cannot_be_written(trajectory: Trajectory, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot write the report"):
        write_report(trajectory, tmp_path / "none" / "report.html")


def test_descriptions_are_one_line_each() -> None:
    assert [describe(action) for action in ACTIONS[:4]] == [
        "click (0, 0)",
        "ctrl+right double click (100, 100)",
        "drag (10, 10) to (200, 300)",
        "scroll down 3 at (300, 100)",
    ]
    for action in [*ACTIONS, Type(text="a\nb" * 100)]:
        assert "\n" not in describe(action) and len(describe(action)) < 200


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_in_a_real_browser(trajectory: Trajectory) -> None:
    """It opens from disk, asks for nothing, runs no foreign script, and the keys work."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = write_report(trajectory)
    heard: list[str] = []
    with playwright.sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: heard.append(dialog.message) or dialog.dismiss())
        page.on("request", lambda request: heard.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        assert page.locator("article").count() == len(trajectory.steps)
        assert page.locator("h1").inner_text().strip() == EVIL
        red = page.locator("article").nth(1).locator("svg.shot").screenshot()
        colours = Image.open(io.BytesIO(red)).convert("RGB")
        assert colours.getpixel((colours.width // 2, colours.height // 3)) == (255, 0, 0), "the picture is shown"
        current = page.locator("nav a[aria-current]")
        for key, number in (
            ("Home", "1"),
            ("j", "2"),
            ("j", "3"),
            ("k", "2"),
            ("End", "10"),
            ("k", "9"),
            ("Home", "1"),
        ):
            page.keyboard.press(key)
            assert current.locator(".n").inner_text() == number
        page.keyboard.press("z")
        assert page.locator("dialog[open] svg.shot").is_visible()
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
        browser.close()
    assert heard == []


def test_the_policy_of_the_page_matches_its_script(trajectory: Trajectory) -> None:
    assert re.search(r"script-src &#39;|script-src 'sha256-[A-Za-z0-9+/=]{44}'", render(trajectory))

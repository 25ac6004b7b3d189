"""A Chromium for looking at pages, apart from the one that the agent drives; and recorded runs."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page

from action_space.actions import Action
from action_space.dialects import load_dialect
from action_space.errors import UnsupportedAction
from action_space.geometry import Frame, Size, smart_resize
from agent.recorder import Recorder, claimed
from agent.trajectory import Header, Outcome, Settings, Step, StopReason, Versions
from environments.chromium import own_browser


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with own_browser() as browser:
        yield browser.new_page(viewport={"width": 1280, "height": 720})


SCREEN = Size(640, 360)


@dataclass
class Runs:
    """Makes runs as a recorder does, without a device."""

    folder: Path

    def make(
        self, name: str, actions: Sequence[Action | None], *, reason: StopReason = "success", **changes: object
    ) -> Path:
        """A run of these actions on screens that differ; changes: fields of its steps."""
        folder = self.folder / name
        created = datetime(2026, 11, 1, tzinfo=UTC)
        versions = Versions(clickwright="1", model="teacher", dialect="computer_use", env="browser")
        header = Header(task=f"task of {name}", created=created, versions=versions, settings=Settings())
        with claimed(folder), closing(Recorder.start(folder, header)) as recorder:
            for number, action in enumerate(actions, 1):
                picture = screen(number)
                step = Step(
                    number=number,
                    started=created,
                    image=recorder.save_image(picture),
                    frame=seen_by("computer_use"),
                    reply=said(action),
                    action=action,
                    effect="near",
                )
                recorder.write(Step.model_validate({**dict(step), **changes}))
            recorder.finish(Outcome(reason=reason, text="", ended=created))
        return folder


def screen(number: int) -> Image.Image:
    """A screenshot that is no other's."""
    picture = Image.new("RGB", (SCREEN.width, SCREEN.height), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((100, 80, 300, 120), outline="black")
    pen.text((110, 90), f"screen {number}", fill="black")
    return picture


def said(action: Action | None) -> str:
    """What the teacher wrote."""
    try:
        return speak(action) if action is not None else "no idea"
    except UnsupportedAction:
        return "something in a dialect of its own"


def speak(action: Action, dialect: str = "computer_use") -> str:
    """What a model of a dialect writes for an action in pixels of SCREEN."""
    return load_dialect(dialect).render(action, seen_by(dialect))


def seen_by(dialect: str) -> Frame:
    """SCREEN as a model of a dialect sees it."""
    spoken = load_dialect(dialect)
    return Frame(smart_resize(SCREEN, min_pixels=spoken.min_pixels, max_pixels=spoken.max_pixels), SCREEN)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """The SPEC of a model that does these actions, or says these words."""
    made = count()

    def write(*said: Action | str) -> str:
        path = tmp_path / f"script{next(made)}.jsonl"
        lines = [json.dumps(each if isinstance(each, str) else speak(each)) for each in said]
        path.write_text("\n".join(lines), encoding="utf-8")
        return f"scripted:{path}"

    return write


@pytest.fixture(name="speak")
def speak_fixture() -> Callable[..., str]:
    return speak

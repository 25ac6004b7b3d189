"""Fixtures of the agent's tests: a form to work on, and the words of a model that fills it."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from action_space.actions import Action, Click, Finish, Type
from action_space.dialects import load_dialect
from action_space.geometry import Frame, Point, Size, smart_resize

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def _load_form() -> ModuleType:
    spec = importlib.util.spec_from_file_location("form_environment", HERE / "form_environment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["form_environment"] = module
    spec.loader.exec_module(module)
    return module


form = _load_form()


def say(action: Action, screen: Size | None = None) -> str:
    """What a computer_use model writes for an action whose points are in screenshot pixels."""
    dialect = load_dialect("computer_use")
    screen = screen or form.SCREEN
    model = smart_resize(screen, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
    return dialect.render(action, Frame(model, screen))


@pytest.fixture(name="say")
def say_fixture() -> Callable[..., str]:
    return say


@pytest.fixture(name="form")
def form_fixture() -> ModuleType:
    """The module of the form: FormEnvironment and where its parts are."""
    return form


@pytest.fixture
def filled() -> list[Action]:
    """The actions that fill the form and say so."""
    return [
        Click(point=form.NAME.center),
        Type(text="Ada"),
        Click(point=form.TICK.center),
        Click(point=form.SEND.center),
        Finish(status="success", text="The form says thank you"),
    ]


@pytest.fixture
def script(tmp_path: Path) -> Callable[[list[Action]], Path]:
    """Write the words for some actions to a file that `scripted:` reads."""

    def write(actions: list[Action]) -> Path:
        path = tmp_path / "replies.jsonl"
        import json

        path.write_text("".join(json.dumps(say(action)) + "\n" for action in actions), encoding="utf-8")
        return path

    return write


@pytest.fixture
def agent_command() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run the real command line in a process of its own."""

    def run(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "agent.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=280,  # a machine that is busy with something else takes a minute to start a browser
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.fixture
def nowhere(form: ModuleType) -> Point:
    return form.EMPTY

"""Settings of every test: nothing is fetched from a hub, property tests have no deadline, and nothing hangs for ever."""

import faulthandler
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# Before any test module imports transformers or tokenizers.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

settings.register_profile("suite", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("suite")

CLOSING_S = 120
ENDING_S = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Closing has a limit of its own: pytest-timeout drops a test's limit as soon as the test has failed."""

    def is_over(*_: object) -> None:
        pytest.fail(f"closing what {item.name} had opened took longer than {CLOSING_S} s")

    signal.signal(signal.SIGALRM, is_over)
    # Again and again: one test may have opened several things that do not close.
    signal.setitimer(signal.ITIMER_REAL, CLOSING_S, CLOSING_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def pytest_unconfigure() -> None:
    """A thread that a test has left behind must not keep the finished run from ending: say where it is, and end."""
    faulthandler.dump_traceback_later(ENDING_S, exit=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository."""
    return Path(__file__).resolve().parent.parent

"""Settings of every test: nothing is fetched from a hub, property tests have no deadline, nothing hangs for ever."""

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
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers side by side: threads of torch that wait for each other would take the other worker's processor.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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
    # A worker of xdist waits for the others, and is ended by the main process.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        faulthandler.dump_traceback_later(ENDING_S, exit=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository."""
    return Path(__file__).resolve().parent.parent

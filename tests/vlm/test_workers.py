"""Processes that train together end together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from action_space.errors import ConfigError, RecordingError
from vlm.training.workers import rank, run_workers, summed, workers

PROGRAM = """
import sys
from tests.vlm.test_workers import stay
from vlm.training.workers import run_workers
if __name__ == "__main__":
    run_workers(2, stay, sys.argv[1])
"""


def stay(folder: str) -> None:
    """Say who one is, and work for ever."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(600)


def add(folder: str) -> None:
    import torch

    total = summed([torch.tensor([1.0, 10.0 * rank()])])[0]
    (Path(folder) / f"{rank()}.sum").write_text(f"{total.tolist()} of {workers()}")


def test_workers_sum_what_they_have(tmp_path: Path) -> None:
    run_workers(2, add, str(tmp_path))
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["[2.0, 10.0] of 2"] * 2


def wait_for_the_first() -> None:
    """The first cannot write; the other one waits for what it has."""
    if rank() == 0:
        raise RecordingError("cannot write 'here': No space left on device")
    add("nowhere")


def be_killed() -> None:
    if rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


def divide() -> None:
    import torch

    summed([torch.ones(1)])  # both are there: else one may end with not having met the other
    1 / (rank() * 0)


def test_an_error_for_people_comes_through_as_it_is() -> None:
    with pytest.raises(RecordingError, match=r"^cannot write 'here': No space left on device$"):
        run_workers(2, wait_for_the_first)


def test_a_worker_that_was_killed_is_said() -> None:
    with pytest.raises(ConfigError, match=r"ended from outside \(SIGKILL\).*--workers 1"):
        run_workers(2, be_killed)


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run_workers(2, divide)


@pytest.mark.skipif(not Path("/proc").exists(), reason="sees in /proc who is there")
def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root)
    try:
        pids = until(lambda: [int(path.stem) for path in tmp_path.glob("*.pid")] if parent.poll() is None else [0], 2)
        assert 0 not in pids, "the parent ended early"
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: [pid for pid in pids if not Path(f"/proc/{pid}").exists()], 2)


def until(look: Callable[[], list[int]], count: int) -> list[int]:
    """What is seen once there are `count` of it, or something is wrong."""
    for _ in range(600):
        found = look()
        if len(found) >= count or 0 in found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited a minute for {count}, there are {look()}")

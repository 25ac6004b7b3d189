"""A time limit for calls that cannot be interrupted."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_GRACE_S = 5.0


@contextmanager
def time_limit(seconds: float, processes: Callable[[], list[int]]) -> Iterator[Callable[[], bool]]:
    """Kill `processes` when the body takes longer: Playwright cannot interrupt a call of its own otherwise.

    Its drivers follow some seconds later, should they not have noticed. Yields a function that says whether the time
    was over; the calls that were cut short raise PlaywrightError.
    """
    over, done = threading.Event(), threading.Event()

    def stop() -> None:
        over.set()
        _kill(processes())
        if not done.wait(_GRACE_S):
            _kill(_drivers())

    watchdog = threading.Timer(seconds, stop)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield over.is_set
    finally:
        done.set()
        watchdog.cancel()


def _kill(processes: list[int]) -> None:
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            # It has ended by itself.
            continue


def _drivers() -> list[int]:
    """Playwright's driver processes that belong to this program (on systems that have /proc)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            # It ended while we looked.
            continue
        if parent == os.getpid() and b"run-driver" in command:
            found.append(int(status.parent.name))
    return found

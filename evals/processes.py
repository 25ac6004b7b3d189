"""Ending a process together with everything that it started."""

import os
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def descendants(root: int) -> list[int]:
    """Processes that this one started, and those that they started, parents first."""
    children = defaultdict(list)
    for process, parent in _parents():
        children[parent].append(process)
    found, waiting = [], [root]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return found


def kill_tree(root: int) -> None:
    """Kill a process and its descendants.

    Driver and browser lead process groups of their own, so killing the worker's group would leave them behind. The
    root is stopped first: it must not start another browser for the one that it loses.
    """
    _send(root, signal.SIGSTOP)
    kill_descendants(root)
    _send(root, signal.SIGKILL)


def kill_descendants(root: int) -> None:
    for process in descendants(root):
        _send(process, signal.SIGKILL)


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of all that run here."""
    if not (PROC / "self" / "stat").exists():
        said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return [(int(process), int(parent)) for process, parent in map(str.split, said.splitlines())]
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                # The name in the second field may hold spaces and brackets; the fourth field is the parent.
                found.append((int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])))
    return found

"""What scripts read: one JSON object on stdout, and nothing else there."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.trajectory import REPORT, Trajectory


def summary(trajectory: Trajectory) -> dict[str, object]:
    """How a run went, as `agent run --json` prints it."""
    outcome = trajectory.outcome
    return {
        "reason": trajectory.reason,
        "text": outcome.text if outcome is not None else "",
        "task": trajectory.header.task,
        "model": trajectory.header.versions.model,
        "steps": len(trajectory.steps),
        "seconds": round(trajectory.seconds, 3),
        "tokens": trajectory.tokens,
        "forced_tokens": trajectory.forced_tokens,
        "run": str(trajectory.folder),
        "report": str(trajectory.folder / REPORT),
    }


def give_result(result: dict[str, object]) -> None:
    """Print a result on stdout."""
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


@contextmanager
def results_only(enabled: bool) -> Iterator[Callable[[dict[str, object]], None]]:
    """Inside, whatever is printed on stdout goes to stderr, also by C code and child processes. Gives `give_result`."""
    if not enabled:
        yield give_result
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    pending: list[dict[str, object]] = []
    try:
        yield pending.append
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        for result in pending:
            give_result(result)

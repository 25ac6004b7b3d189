"""Where work runs: in this process, in processes of this machine, or on a Ray cluster.

Each takes work and items and gives what came of them, in the order in which they end. Giving up the iterator ends what
is being done.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from action_space.errors import ConfigError
from evals.work import Done, Item, Work, attempt
from evals.worker import Seat

Results = Generator[Done, None, None]


class Engine(Protocol):
    """workers: how many items are done at once. limit_s: after so many seconds an item counts as lost."""

    def __call__(self, work: Work, items: Sequence[Item], *, workers: int, limit_s: float) -> Results: ...


def here(work: Work, items: Sequence[Item], *, workers: int, limit_s: float) -> Results:  # noqa: ARG001
    """One after the other in this process, where a debugger reaches them. Nothing can stop an item that hangs.

    Raises what opening the work raises.
    """
    with work.open() as do:
        for item in items:
            yield attempt(do, item)


def processes(work: Work, items: Sequence[Item], *, workers: int, limit_s: float) -> Results:
    """In `workers` processes."""
    workers = min(workers, len(items))
    seats = [Seat(work, limit_s, threads=max(1, (os.cpu_count() or 1) // max(1, workers))) for _ in range(workers)]
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    done: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
    given_up = threading.Event()
    threads = [threading.Thread(target=_occupy, args=(seat, waiting, done, given_up), daemon=True) for seat in seats]
    try:
        for thread in threads:
            thread.start()
        for _ in items:
            said = done.get()
            if isinstance(said, BaseException):
                raise said
            yield said
    except BaseException:
        given_up.set()
        for seat in seats:
            seat.kill()
        raise
    finally:
        for thread in threads:
            thread.join()


def _occupy(
    seat: Seat,
    waiting: "queue.SimpleQueue[Item]",
    done: "queue.SimpleQueue[Done | BaseException]",
    given_up: threading.Event,
) -> None:
    """Let a seat do what is waiting, until nothing is. A bug comes out where the results are waited for."""
    try:
        with closing(seat):
            while not given_up.is_set():
                done.put(seat.do(waiting.get_nowait()))
    except queue.Empty:
        return
    except BaseException as error:  # noqa: BLE001 (it is raised there)
        done.put(error)


def on_ray(work: Work, items: Sequence[Item], *, workers: int, limit_s: float) -> Results:
    """On a Ray cluster: the one that RAY_ADDRESS names or that runs here, else a new one on this machine.

    An actor is a seat with a worker process of its own on its node, so limits and killing are the same everywhere.
    Raises ConfigError when Ray is not installed, or no cluster answers.
    """
    if find_spec("ray") is None:
        raise ConfigError('Ray is not installed: pip install "clickwright[ray]", or use --engine local')
    import ray

    own = not ray.is_initialized()
    if own:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody unless asked for
        try:
            ray.init(log_to_driver=False, include_dashboard=False)
        except ConnectionError as error:
            raise ConfigError(f"no Ray cluster answers: {' '.join(str(error).split())}") from error
    seat = partial(ray.remote(scheduling_strategy="SPREAD")(Seat).remote, work, limit_s)
    try:
        yield from _on_actors(seat, items, workers)
    finally:
        if own:
            ray.shutdown()


def _on_actors(seat: Callable[[], Any], items: Sequence[Item], workers: int) -> Results:
    import ray

    waiting, idle, busy = deque(items), [seat() for _ in range(min(workers, len(items)))], dict[Any, tuple[Any, Item]]()
    try:
        while waiting or busy:
            while waiting and idle:
                actor, item = idle.pop(), waiting.popleft()
                busy[actor.do.remote(item)] = actor, item
            (ended, *_), _ = ray.wait(list(busy), num_returns=1)
            actor, item = busy.pop(ended)
            try:
                yield ray.get(ended)
                idle.append(actor)
            except ray.exceptions.RayActorError as error:
                yield Done(item, error=f"the node or its actor was lost: {' '.join(str(error).split())}"[:300])
                idle.append(seat())
        ray.get([actor.close.remote() for actor in idle])
    finally:
        for actor in [*idle, *(actor for actor, _ in busy.values())]:
            ray.kill(actor)


ENGINES: dict[str, Engine] = {"local": processes, "ray": on_ray}


def engine_of(name: str, workers: int) -> Engine:
    """The engine of `--engine` and `--workers`; no workers is this process itself. Raises ConfigError."""
    if name not in ENGINES:
        raise ConfigError(f"--engine {name!r} is unknown: choose {' or '.join(ENGINES)}")
    return ENGINES[name] if workers else here

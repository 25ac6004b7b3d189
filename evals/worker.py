"""A worker process, and the seat that hands it one item at a time.

The worker opens the work once (a model loads once) and then answers items. The seat waits for a result no longer
than the limit: a worker that hangs is killed together with its browser, and another takes its place.
"""

import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from action_space.errors import ClickwrightError, DeviceError
from evals.processes import kill_descendants, kill_tree
from evals.work import Done, Item, Work, attempt

READY = "ready"
START_S = 1800.0
"""The largest checkpoints take minutes to load; what takes longer hangs."""
GOODBYE_S = 10.0
"""For closing a browser."""
FOLLOW_S = 1.0
"""After the runner's end a worker that was idle ends by itself, and closes its browser."""


class Seat:
    """A place for one worker at a time. `do` blocks; `kill` may be called from another thread, and ends the seat.

    limit_s: how long an item may take. threads: of the worker's arithmetic, so that workers do not crowd each other.
    """

    def __init__(self, work: Work, limit_s: float, threads: int = 0) -> None:
        self._work, self._limit_s, self._threads = work, limit_s, threads
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._killed = False
        self._lock = threading.Lock()  # of _process and _killed

    def do(self, item: Item) -> Done:
        """Have an item done. Whatever becomes of the worker, this returns."""
        done = self._hand_over(item)
        if done.broken or done.hopeless:
            self._drop()
        return done

    def _hand_over(self, item: Item) -> Done:
        try:
            pipe = self._pipe or self._start()
            pipe.send(item)
            if not pipe.poll(self._limit_s):
                return Done(item, error=f"no end after {self._limit_s:g} s: killed", broken=True)
            done = pipe.recv()
            return done if isinstance(done, Done) else Done(item, error="the worker spoke out of turn", broken=True)
        except ClickwrightError as error:
            return Done(item, error=str(error), cause=error, hopeless=True)
        except (EOFError, OSError):
            return Done(item, error=f"the worker {self._ending()}", broken=True)

    def _start(self) -> Connection:
        """A worker that has opened the work. Raises what opening raises, DeviceError if it dies or hangs meanwhile."""
        ours, theirs = socket.socketpair()
        self._pipe = Connection(ours.detach())
        with theirs, self._lock:
            if self._killed:
                raise DeviceError("the work was given up")
            self._process = subprocess.Popen(
                # -P: a folder named `evals` where the person stands must not be taken for ours.
                [sys.executable, "-P", "-c", "from evals.worker import main; main()", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(self._threads),
                start_new_session=True,  # Ctrl-C is for the runner
            )
        self._pipe.send(self._work)
        try:
            said = self._pipe.recv() if self._pipe.poll(START_S) else None
        except (EOFError, OSError) as error:
            raise DeviceError(
                f"a worker {self._ending()} before it was ready: with less memory in use, or fewer --workers, it may"
            ) from error
        if isinstance(said, ClickwrightError):
            raise said
        if said != READY:
            raise DeviceError(f"a worker was not ready after {START_S:g} seconds")
        return self._pipe

    def _ending(self) -> str:
        """How the worker ended, whose pipe has."""
        if self._process is None:
            return "was ended"
        try:
            code = self._process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            return "stopped to answer"
        return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"

    def close(self) -> None:
        """Let the worker close what it opened."""
        if self._pipe is not None and self._process is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._pipe.send(None)
                self._process.wait(GOODBYE_S)
        self._drop()

    def kill(self) -> None:
        """End the worker and all that it started, and have no other."""
        with self._lock:
            self._killed = True
            if self._process is not None and self._process.poll() is None:
                kill_tree(self._process.pid)

    def _drop(self) -> None:
        """End the worker and all that it started; the next item gets another one."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None and process.poll() is None:
                kill_tree(process.pid)
                process.wait()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _environment(threads: int) -> dict[str, str]:
    paths = [str(Path(path).absolute()) for path in sys.path if path]
    some = {"OMP_NUM_THREADS": str(threads)} if threads and "OMP_NUM_THREADS" not in os.environ else {}
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | some


# ---------------------------------------------------------------------------------------------- inside the worker


def main() -> None:
    """Entry of the worker process; the last argument is the descriptor of its end of the pipe."""
    handle = int(sys.argv[-1])
    os.dup2(2, 1)  # whatever is printed here must not get between the lines of the command
    threading.Thread(target=_follow, args=(handle,), daemon=True).start()
    pipe = Connection(handle)
    with suppress(EOFError, ConnectionError):  # the runner is gone
        _serve(pipe.recv(), pipe)


def _follow(handle: int) -> None:
    """When the runner is gone, killed even, nobody waits for this worker: end it with what it started."""
    poll = select.poll()
    poll.register(handle, 0)  # hanging up is reported always, and nothing else is asked for
    poll.poll()
    time.sleep(FOLLOW_S)
    kill_descendants(os.getpid())
    os._exit(1)


def _serve(work: Work, pipe: Connection) -> None:
    try:
        with work.open() as do:
            pipe.send(READY)
            while (item := _next(pipe)) is not None:
                try:
                    done = attempt(do, item)
                except Exception as error:  # noqa: BLE001 (a bug in one item must not lose the others: it is counted)
                    pipe.send(Done(item, error=_blame(error), broken=True))
                    return
                pipe.send(done)
    except ClickwrightError as error:
        pipe.send(error)


def _next(pipe: Connection) -> Item | None:
    """None when nothing more is to be done, or nobody is left who wants it."""
    try:
        item: Item | None = pipe.recv()
    except (EOFError, ConnectionError):
        return None
    return item


def _blame(error: Exception) -> str:
    """A bug in one line: what, and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"

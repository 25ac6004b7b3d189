"""One question at a time: the others wait in order, and who does not wait any longer is not worked for."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from vlm.backends.base import Hear, Reply

Work = Callable[[Hear], Reply]


class FullError(Exception):
    """Too many wait already. retry_after_s: when one of them may have been served."""

    def __init__(self, places: int, retry_after_s: int) -> None:
        super().__init__(f"its queue of {places} is full")
        self.retry_after_s = retry_after_s


class LeftError(Exception):
    """The client went away, so its work was ended."""


class Line:
    """A thread that works, and `places` for those who wait for it. Belongs to one event loop."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._inside: set[Job] = set()
        self._last_s = 1.0

    def enter(self, work: Work) -> "Job":
        """Raises FullError."""
        if len(self._inside) > self.places:
            raise FullError(self.places, max(1, min(60, math.ceil(self._last_s))))
        job = Job(asyncio.get_running_loop())
        self._inside.add(job)
        job.begin(self._worker, work, self._out)
        return job

    @property
    def inside(self) -> int:
        """How many are worked for or wait."""
        return len(self._inside)

    def close(self) -> None:
        """End what runs, forget who waits, and wait for the thread."""
        for job in tuple(self._inside):
            job.leave()
        self._worker.shutdown(cancel_futures=True)

    def _out(self, job: "Job") -> None:
        self._inside.discard(job)
        self._last_s = job.seconds or self._last_s


class Job:
    """Work in another thread. Its pieces arrive on the event loop, and `leave` ends it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seconds = 0.0
        self._loop = loop
        self._left = threading.Event()
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._future: Future[Reply]

    def begin(self, worker: ThreadPoolExecutor, work: Work, out: Callable[["Job"], None]) -> None:
        """out: called on the loop when it is over, however it ended."""

        def over(_future: Future[Reply]) -> None:
            self._loop.call_soon_threadsafe(out, self)
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, None)

        self._future = worker.submit(self._work, work)
        self._future.add_done_callback(over)

    def _work(self, work: Work) -> Reply:
        started = time.perf_counter()
        try:
            return work(self._hear)
        finally:
            self.seconds = time.perf_counter() - started

    def _hear(self, piece: str) -> None:
        if self._left.is_set():
            raise LeftError("the client went away")
        if piece:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def next_piece(self) -> str | None:
        """The next piece of the reply, None when it is over."""
        return await self._pieces.get()

    async def reply(self) -> Reply:
        """The whole. Raises what the work raised; LeftError after `leave`."""
        try:
            return await asyncio.wrap_future(self._future)
        except asyncio.CancelledError:
            if self._left.is_set():
                raise LeftError("the client went away") from None
            raise

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._left.set()
        self._future.cancel()

"""Ctrl-C: the first asks the run to stop, the second ends the process.

Breaking into the driver in the middle of a click would leave the mouse button down and the driver unusable. So a signal
waits for the device, but breaks into everything else: the model's thinking, a question to the person. The second gives
the device a moment to let go of what it holds: a button that stays down after a drag would be the person's.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

INTERRUPTED_EXIT = 130
_LET_GO_S = 3.0


class StopRequest:
    """Whether the person wants the run to end. As a context it listens to SIGINT and SIGTERM.

    notice: called when a signal came that has to wait for the device. let_go: called, in a thread of its own, before
    the second signal ends the process; set by whoever opens the device.
    """

    def __init__(self, notice: Callable[[], None] | None = None) -> None:
        self.requested = False
        self.let_go: Callable[[], None] | None = None
        self._notice = notice
        self._breakable = False
        self._ending: threading.Thread | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; a run in another one is stopped by `request`.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ending is not None:
            # What was let go of can end the run as well, and sooner: the process still ends as it was told to.
            self._ending.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned
        self._previous.clear()

    def request(self) -> None:
        """Ask the run to stop before its next step."""
        self.requested = True

    def check(self) -> None:
        """Raises KeyboardInterrupt if the run was asked to stop."""
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """Inside, a first signal raises KeyboardInterrupt at once; outside, it waits to be noticed."""
        try:
            self._breakable = True
            # Looked at after the door is open, so that no signal can slip through between the two.
            self.check()
            yield
        finally:
            self._breakable = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            # Everything recorded is on disk already, and the driver may be what hangs: no other clean-up.
            # Whatever was broken into goes on meanwhile: it may hold the lock that letting go needs.
            self._ending = threading.Thread(target=_end, args=(self.let_go,), daemon=True)
            self._ending.start()
            return
        self.requested = True
        if self._breakable:
            raise KeyboardInterrupt
        if self._notice is not None:
            self._notice()


def _end(let_go: Callable[[], None] | None) -> None:
    """End the process after letting go as far as that gets: a driver may refuse another thread, or never answer."""

    def attempt() -> None:
        with suppress(Exception):
            if let_go is not None:
                let_go()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(_LET_GO_S)
    os._exit(INTERRUPTED_EXIT)

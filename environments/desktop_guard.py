"""The emergency stop: a person who takes the mouse gets the desktop back."""

from collections.abc import Callable, Set

from action_space.errors import Paused

_SLACK = 2


class Guard:
    """Notices that somebody else uses the desktop. position: of the pointer. in_use: whether keys or buttons are."""

    def __init__(self, position: Callable[[], tuple[int, int]], in_use: Callable[[], bool]) -> None:
        self._position = position
        self._in_use = in_use
        self._left: tuple[int, int] | None = None
        self.corners: Set[tuple[int, int]] = frozenset()

    def note(self) -> None:
        """The pointer is where the agent has put it."""
        self._left = self._position()

    def forget(self) -> None:
        """The pointer may be anywhere: the screen has changed under it."""
        self._left = None

    def check(self, *, hands_free: bool = True) -> None:
        """Raises Paused when somebody else has moved the pointer or holds a key; the next check starts anew.

        hands_free: the agent holds nothing itself.
        """
        now = self._position()
        # A run that only types has put the pointer nowhere: it has to stay where it was at first.
        left = self._left = self._left or now
        moved = max(abs(now[0] - left[0]), abs(now[1] - left[1])) > _SLACK
        if not moved and not (hands_free and self._in_use()):
            return
        self.forget()
        if not moved:
            raise Paused("a key or a mouse button is held down by somebody else")
        if now in self.corners:
            raise Paused(f"emergency stop: the pointer was moved into the corner {now}")
        raise Paused(f"somebody else moved the pointer: it is at {now}, the agent had left it at {left}")


class NoGuard(Guard):
    """For a display that nobody else can reach."""

    def __init__(self) -> None:
        super().__init__(lambda: (0, 0), lambda: False)

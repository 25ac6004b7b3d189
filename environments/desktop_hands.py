"""Mouse and keyboard of a desktop. Whatever is pressed here is known, so that it can always be released."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import assert_never

from action_space.actions import Button, Click, Direction, Drag, LongPress, Move, Press, Scroll
from action_space.geometry import Frame, Point
from action_space.keys import MODIFIERS
from environments.desktop_guard import Guard
from environments.desktop_system import Keyboard, Mouse
from environments.typed import typed_parts

_STEPS_PER_S = 50
_FEWEST_STEPS = 10
_DROP_S = 0.05
_BEFORE_LAST_S = 0.2
"""Fields that complete what is typed ignore an Enter that comes before they have caught up."""
_WHEEL: dict[Direction, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_KEYS_OF_PARTS = {"\n": "enter", "\t": "tab"}


class Hands:
    """The input of one desktop. Raises Paused when a person takes over.

    `release` may come from another thread. Xlib does not stand two threads on one connection, locks or not, so each of
    them has its turn; who waits while something is held down gives it away.
    """

    def __init__(self, mouse: Mouse, keyboard: Keyboard, guard: Guard) -> None:
        self._mouse = mouse
        self._keyboard = keyboard
        self._guard = guard
        self._keys: list[str] = []
        self._buttons: list[Button] = []
        self._turn = Lock()

    def release(self) -> None:
        """Let go of everything that is still held down."""
        with self._turn:
            self._let_go(0, 0)

    def point(self, action: Click | Move | Drag | Scroll | LongPress, frame: Frame) -> None:
        """Carry out an action of the mouse; its points in pixels of `frame`'s screenshot."""
        with self._turn:
            self._guard.check()
            self._point(action, frame)
            self._guard.note()

    def _point(self, action: Click | Move | Drag | Scroll | LongPress, frame: Frame) -> None:
        match action:
            case Click():
                with self._held(*action.modifiers):
                    self._mouse.click(*_place(frame, action.point), action.button, action.count)
            case Move():
                self._mouse.move(*_place(frame, action.point))
            case Drag():
                self._drag(action, frame)
            case Scroll():
                self._scroll(action, frame)
            case LongPress():
                self._mouse.move(*_place(frame, action.point))
                with self._pressed("left"):
                    self._wait(action.seconds)
            case _:
                assert_never(action)

    def type_text(self, text: str) -> None:
        """Type any text; a line break presses Enter, a tab Tab. Raises InvalidAction for what cannot be typed."""
        parts = typed_parts(text)
        with self._turn:
            for number, part in enumerate(parts, start=1):
                if part in _KEYS_OF_PARTS:
                    if 1 < number == len(parts):
                        self._wait(_BEFORE_LAST_S)
                    self._guard.check()
                    self._keyboard.tap(_KEYS_OF_PARTS[part])
                else:
                    self._keyboard.type_text(part, self._guard.check)

    def press(self, action: Press) -> None:
        """Press a chord. Raises UnsupportedAction for a key that is not there."""
        # Models also write "a+ctrl": modifiers go down first in any case.
        *held, last = sorted(action.keys, key=lambda key: key not in MODIFIERS)
        with self._turn:
            self._guard.check()
            with self._held(*held):
                self._keyboard.tap(last)

    def _drag(self, action: Drag, frame: Frame) -> None:
        self._mouse.move(*_place(frame, action.start))
        steps = max(_FEWEST_STEPS, math.ceil(action.seconds * _STEPS_PER_S))
        with self._pressed("left"):
            for step in range(1, steps + 1):
                self._guard.note()
                self._wait(action.seconds / steps)
                self._guard.check(hands_free=False)
                self._mouse.drag_to(*_place(frame, _between(action.start, action.end, step / steps)), "left")
            # What is dragged over learns from the last movement that it would be dropped on; that takes a moment.
            self._wait(_DROP_S)

    def _scroll(self, action: Scroll, frame: Frame) -> None:
        self._mouse.move(*_place(frame, action.point))
        right, down = _WHEEL[action.direction]
        for _ in range(action.amount):
            self._mouse.wheel(right, down)

    @contextmanager
    def _held(self, *keys: str) -> Iterator[None]:
        before = len(self._keys)
        try:
            for key in keys:
                self._keys.append(key)
                self._keyboard.down(key)
            yield
        finally:
            # Ctrl+C needs its C released before its Ctrl: only what was pressed here is let go.
            self._let_go(before, len(self._buttons))

    @contextmanager
    def _pressed(self, button: Button) -> Iterator[None]:
        before = len(self._buttons)
        try:
            self._buttons.append(button)
            self._mouse.down(button)
            yield
        finally:
            self._let_go(len(self._keys), before)

    def _let_go(self, keys: int, buttons: int) -> None:
        """Until so many are held down; `release` may have been here before."""
        while len(self._buttons) > buttons:
            self._mouse.up(self._buttons.pop())
        while len(self._keys) > keys:
            self._keyboard.up(self._keys.pop())

    def _wait(self, seconds: float) -> None:
        """Let time pass, with the turn given away."""
        self._turn.release()
        try:
            time.sleep(seconds)
        finally:
            self._turn.acquire()


def _place(frame: Frame, point: Point) -> tuple[int, int]:
    """The device unit that a pixel of the screenshot lies in."""
    x, y = frame.to_device(point)
    # Not int(): on a monitor to the left of the first one it would round the wrong way.
    return math.floor(x), math.floor(y)


def _between(start: Point, end: Point, part: float) -> Point:
    return Point(round(start.x + (end.x - start.x) * part), round(start.y + (end.y - start.y) * part))

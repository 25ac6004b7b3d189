"""Mouse and keyboard of a page. Whatever is pressed here is known, so that it can always be released."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, assert_never

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from action_space.actions import Button, Click, Direction, Drag, LongPress, Move, Press, Scroll
from action_space.errors import UnsupportedAction
from action_space.geometry import Frame, Point
from action_space.keys import MODIFIERS

_NOTCH = 100
_STEPS_PER_S = 50
_FEWEST_STEPS = 10
_LONGEST_TYPED = 300
"""Characters in a row that are typed key by key; longer runs are inserted at once, which pages take as a paste."""

_WHEEL: dict[Direction, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_KEYS = {
    "ctrl": "Control",
    "shift": "Shift",
    "alt": "Alt",
    "meta": "Meta",
    "enter": "Enter",
    "tab": "Tab",
    "escape": "Escape",
    "space": "Space",
    "backspace": "Backspace",
    "delete": "Delete",
    "insert": "Insert",
    "up": "ArrowUp",
    "down": "ArrowDown",
    "left": "ArrowLeft",
    "right": "ArrowRight",
    "home": "Home",
    "end": "End",
    "page_up": "PageUp",
    "page_down": "PageDown",
    "caps_lock": "CapsLock",
    "num_lock": "NumLock",
    "scroll_lock": "ScrollLock",
    "menu": "ContextMenu",
    "print_screen": "PrintScreen",
    "pause": "Pause",
} | {f"f{number}": f"F{number}" for number in range(1, 13)}

_PLACES = {
    "-": "Minus",
    "=": "Equal",
    "[": "BracketLeft",
    "]": "BracketRight",
    "\\": "Backslash",
    ";": "Semicolon",
    "'": "Quote",
    ",": "Comma",
    ".": "Period",
    "/": "Slash",
    "`": "Backquote",
}

BrowserCommand = Literal["back", "forward", "reload", "close_tab", "new_tab", "next_tab"]
_COMMANDS: dict[frozenset[str], BrowserCommand] = {
    frozenset({"back"}): "back",
    frozenset({"alt", "left"}): "back",
    frozenset({"forward"}): "forward",
    frozenset({"alt", "right"}): "forward",
    frozenset({"f5"}): "reload",
    frozenset({"ctrl", "r"}): "reload",
    frozenset({"ctrl", "w"}): "close_tab",
    frozenset({"ctrl", "t"}): "new_tab",
    frozenset({"ctrl", "tab"}): "next_tab",
}
_ADDRESS_BAR = (frozenset({"ctrl", "l"}), frozenset({"alt", "d"}), frozenset({"f6"}))
_WINDOW = (frozenset({"ctrl", "n"}), frozenset({"alt", "f4"}), frozenset({"f11"}), frozenset({"f12"}))


def browser_command(keys: tuple[str, ...]) -> BrowserCommand | None:
    """What a chord does to the browser rather than to the page. Raises UnsupportedAction where that is impossible."""
    chord = frozenset(keys)
    if chord in _ADDRESS_BAR:
        raise UnsupportedAction(f"there is no address bar for {'+'.join(keys)!r}: use the open action with a URL")
    if chord in _WINDOW:
        raise UnsupportedAction(f"the browser window has no shortcut {'+'.join(keys)!r}: use the page itself")
    return _COMMANDS.get(chord)


def driver_key(key: str) -> str:
    """The driver's name of a canonical key. Raises UnsupportedAction for a key that a browser does not have."""
    if len(key) == 1 and key.isascii():
        # By its place on the keyboard, so that a held shift makes the capital letter or the upper sign of it.
        return f"Key{key.upper()}" if key.isalpha() else f"Digit{key}" if key.isdigit() else _PLACES.get(key, key)
    if key not in _KEYS:
        raise UnsupportedAction(
            f"a browser has no key {key!r}: use a character or one of {', '.join(_KEYS)}, back, forward"
            if len(key) > 1
            else f"{key!r} is on no key here: use the type action for it"
        )
    return _KEYS[key]


class Hands:
    """The input of one page at a time."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._buttons: list[Button] = []

    def release(self, page: Page) -> None:
        """Let go of everything that is still held down. Raises PlaywrightError when the page is gone."""
        while self._buttons:
            page.mouse.up(button=self._buttons.pop())
        while self._keys:
            page.keyboard.up(self._keys.pop())

    def point(self, page: Page, action: Click | Move | Drag | Scroll | LongPress, frame: Frame) -> None:
        """Carry out an action of the mouse."""
        match action:
            case Click():
                self._click(page, action, frame)
            case Move():
                page.mouse.move(*frame.to_device(action.point))
            case Drag():
                self._drag(page, action, frame)
            case Scroll():
                self._scroll(page, action, frame)
            case LongPress():
                self._long_press(page, action, frame)
            case _:
                assert_never(action)

    def _click(self, page: Page, action: Click, frame: Frame) -> None:
        x, y = frame.to_device(action.point)
        with self._held(page, *(_KEYS[key] for key in action.modifiers)):
            page.mouse.click(x, y, button=action.button, click_count=action.count)

    def _drag(self, page: Page, action: Drag, frame: Frame) -> None:
        page.mouse.move(*frame.to_device(action.start))
        with self._pressed(page, "left"):
            steps = max(_FEWEST_STEPS, math.ceil(action.seconds * _STEPS_PER_S))
            for step in range(1, steps + 1):
                page.mouse.move(*_between(frame, action.start, action.end, step / steps))
                page.wait_for_timeout(1000 * action.seconds / steps)
            # A page learns from a second event at the same place that the drag has arrived.
            page.mouse.move(*frame.to_device(action.end))

    def _scroll(self, page: Page, action: Scroll, frame: Frame) -> None:
        page.mouse.move(*frame.to_device(action.point))
        right, down = _WHEEL[action.direction]
        for _ in range(action.amount):
            page.mouse.wheel(right * _NOTCH, down * _NOTCH)

    def _long_press(self, page: Page, action: LongPress, frame: Frame) -> None:
        page.mouse.move(*frame.to_device(action.point))
        with self._pressed(page, "left"):
            page.wait_for_timeout(1000 * action.seconds)

    def type_text(self, page: Page, parts: list[str]) -> None:
        """Type the parts of `environments.typed.typed_parts`."""
        for part in parts:
            if part == "\n":
                page.keyboard.press("Enter")
            elif part == "\t":
                page.keyboard.press("Tab")
            elif len(part) > _LONGEST_TYPED:
                page.keyboard.insert_text(part)
            else:
                page.keyboard.type(part)

    def press(self, page: Page, action: Press) -> None:
        if len(action.keys) == 1 and len(action.keys[0]) == 1 and not action.keys[0].isascii():
            page.keyboard.insert_text(action.keys[0])
            return
        # Models also write "a+ctrl": modifiers go down first in any case.
        *held, last = [driver_key(key) for key in sorted(action.keys, key=lambda key: key not in MODIFIERS)]
        with self._held(page, *held):
            page.keyboard.press(last)

    @contextmanager
    def _held(self, page: Page, *keys: str) -> Iterator[None]:
        try:
            for key in keys:
                self._keys.append(key)
                page.keyboard.down(key)
            yield
        finally:
            self._release_quietly(page)

    @contextmanager
    def _pressed(self, page: Page, button: Button) -> Iterator[None]:
        try:
            self._buttons.append(button)
            page.mouse.down(button=button)
            yield
        finally:
            self._release_quietly(page)

    def _release_quietly(self, page: Page) -> None:
        try:
            self.release(page)
        except PlaywrightError:
            # The page closed under the hands: nothing of it is held down any more.
            self._keys.clear()
            self._buttons.clear()


def _between(frame: Frame, start: Point, end: Point, part: float) -> tuple[float, float]:
    (x0, y0), (x1, y1) = frame.to_device(start), frame.to_device(end)
    return x0 + (x1 - x0) * part, y0 + (y1 - y0) * part

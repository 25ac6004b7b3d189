"""Exact keys and text on an X server, whatever the layout and without the clipboard.

A character that a key of the layout gives is typed with that key. All others are put on keycodes at the end of the
keyboard that hardly any keyboard has, many at a time, pressed there, and taken off again.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from Xlib import XK, X
from Xlib.ext.xtest import fake_input

from action_space.errors import UnsupportedAction
from environments.desktop_keys import no_such_key
from environments.x11_connection import Windows

_KEYSYMS = {
    "ctrl": "Control_L",
    "shift": "Shift_L",
    "alt": "Alt_L",
    "meta": "Super_L",
    "enter": "Return",
    "tab": "Tab",
    "escape": "Escape",
    "space": "space",
    "backspace": "BackSpace",
    "delete": "Delete",
    "insert": "Insert",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "page_up": "Page_Up",
    "page_down": "Page_Down",
    "caps_lock": "Caps_Lock",
    "num_lock": "Num_Lock",
    "scroll_lock": "Scroll_Lock",
    "menu": "Menu",
    "print_screen": "Print",
    "pause": "Pause",
} | {f"f{number}": f"F{number}" for number in range(1, 25)}
_MEDIA = {
    "back": 0x1008FF26,
    "forward": 0x1008FF27,
    "volume_down": 0x1008FF11,
    "volume_mute": 0x1008FF12,
    "volume_up": 0x1008FF13,
}
_READ_S = 5.0
_FIRST_LENT = 209
"""From here on keycodes are rare media keys, or nothing at all; those of modifiers are below."""
_AT_ONCE = 40
"""Characters between two calls of `between`."""

Layout = dict[int, tuple[int, ...]]
"""Keycode -> its keysyms: of the first layout plain and shifted, then of others."""


class Stroke(NamedTuple):
    """A keycode, and whether shift has to be held for it."""

    code: int
    shift: bool


class X11Keyboard:
    """Implements `Keyboard`. Raises ERRORS when the server is gone."""

    def __init__(self, display: Any, windows: Windows) -> None:  # noqa: ANN401 - Xlib has no types
        self._display = display
        self._windows = windows
        self._held: dict[str, int] = {}
        self._before: Layout = {}
        """What the lent keycodes gave before; empty while nothing is lent."""

    def down(self, key: str) -> None:
        self._held[key] = self._code(key)
        fake_input(self._display, X.KeyPress, self._held[key])
        self._display.sync()

    def up(self, key: str) -> None:
        if key in self._held:
            fake_input(self._display, X.KeyRelease, self._held.pop(key))
            self._display.sync()
            self._give_back()

    def tap(self, key: str) -> None:
        # Both in one go: a server repeats a key that it thinks is held.
        self._hit(self._code(key), None)
        self._display.sync()
        self._give_back()

    def type_text(self, text: str, between: Callable[[], None]) -> None:
        with self._caps_lock_off():
            try:
                self._type(text, between)
            finally:
                self._give_back()

    def close(self) -> None:
        """Leave the keyboard as it was."""
        self._give_back()

    def _type(self, text: str, between: Callable[[], None]) -> None:
        shift = self._code("shift")
        rest = text
        while rest:
            between()
            strokes = self._strokes(rest[:_AT_ONCE])
            for stroke in strokes:
                self._hit(stroke.code, shift if stroke.shift else None)
            self._display.sync()
            rest = rest[len(strokes) :]

    def _strokes(self, text: str) -> list[Stroke]:
        """How to type as much of the start of `text` as fits on the keyboard at once: one character or more."""
        layout = self._layout()
        known = self._known(layout)
        wanted = [keysym_of(character) for character in text]
        if not known.keys() >= set(wanted):
            # What was lent before goes away with it: of the keyboard only its own keys stay.
            known = {keysym: stroke for keysym, stroke in known.items() if stroke.code not in self._before}
            missing = [keysym for keysym in dict.fromkeys(wanted) if keysym not in known]
            known |= {keysym: Stroke(code, shift=False) for keysym, code in self._lend(layout, missing).items()}
        return [known[keysym] for keysym in itertools.takewhile(known.__contains__, wanted)]

    def _known(self, layout: Layout) -> dict[int, Stroke]:
        """What can be typed as the keyboard is now."""
        known: dict[int, Stroke] = {}
        first_layout = self._group() == 0
        for code, row in layout.items():
            if code in self._before or first_layout:
                known.setdefault(row[0], Stroke(code, shift=False))
                known.setdefault(row[1], Stroke(code, shift=True))
        return known

    def _code(self, key: str) -> int:
        keysym = _MEDIA.get(key) or (XK.string_to_keysym(_KEYSYMS[key]) if key in _KEYSYMS else 0)
        if not keysym and len(key) > 1:
            raise no_such_key(key)
        keysym = keysym or keysym_of(key)
        layout = self._layout()
        # Named keys are the same in every layout; characters are looked for in the first one only.
        usable = len(key) > 1 or self._group() == 0
        found = next((code for code, row in layout.items() if row[0] == keysym and usable), None)
        return found if found is not None else self._lend(layout, [keysym])[keysym]

    def _lend(self, layout: Layout, keysyms: list[int]) -> dict[int, int]:
        """Put as many keysyms on keycodes as there is room for, in a single request: keysym -> keycode.

        Window managers grab all their keys anew for each request, which takes them a while.
        """
        self._wait_if_lent()
        self._before = self._before or {code: row for code, row in layout.items() if code >= _FIRST_LENT}
        if not self._before:
            raise UnsupportedAction(f"the keyboard of this display has no place for {chr(keysyms[0] & 0xFFFFFF)!r}")
        lent = dict(zip(keysyms, self._before, strict=False))
        on_code = {code: keysym for keysym, code in lent.items()}
        # The same on every level, so that neither shift nor another layout makes something else of it.
        self._change({code: (on_code.get(code, 0),) * len(row) for code, row in self._before.items()})
        return lent

    def _give_back(self) -> None:
        if self._before:
            self._wait_if_lent()
            before, self._before = self._before, {}
            self._change(before)

    def _wait_if_lent(self) -> None:
        """The program has to look up what was pressed before the key gets another meaning."""
        if self._before:
            self._windows.wait_until_read(_READ_S)

    def _change(self, rows: Layout) -> None:
        self._display.change_keyboard_mapping(min(rows), [rows[code] for code in sorted(rows)])
        self._display.sync()

    def _layout(self) -> Layout:
        info = self._display.display.info
        rows = self._display.get_keyboard_mapping(info.min_keycode, info.max_keycode - info.min_keycode + 1)
        return {info.min_keycode + place: tuple(row) for place, row in enumerate(rows)}

    def _group(self) -> int:
        """Which layout is active: 0 is the first."""
        return int(self._state() >> 13) & 3

    def _state(self) -> int:
        return int(self._display.screen().root.query_pointer().mask)

    @contextmanager
    def _caps_lock_off(self) -> Iterator[None]:
        was_on = bool(self._state() & X.LockMask)
        if was_on:
            self.tap("caps_lock")
        try:
            yield
        finally:
            if was_on:
                self.tap("caps_lock")

    def _hit(self, code: int, shift: int | None) -> None:
        if shift is not None:
            fake_input(self._display, X.KeyPress, shift)
        try:
            fake_input(self._display, X.KeyPress, code)
            fake_input(self._display, X.KeyRelease, code)
        finally:
            if shift is not None:
                fake_input(self._display, X.KeyRelease, shift)


def keysym_of(character: str) -> int:
    """X11's number of a character: Latin-1 as it is, everything else in the range for Unicode."""
    point = ord(character)
    return point if point < 0x100 else 0x0100_0000 | point

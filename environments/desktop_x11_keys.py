"""Exact keys and text on an X server, whatever the layout and without the clipboard.

A character that a key of the layout gives is typed with that key. All others are put on keycodes that no keyboard has,
many at a time, and pressed there; `close` takes them off again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from Xlib import XK, X
from Xlib.ext.xtest import fake_input

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


class Stroke(NamedTuple):
    """A keycode, and whether shift has to be held for it."""

    code: int
    shift: bool


class X11Keyboard:
    """Implements `Keyboard`."""

    def __init__(self, display: Any, windows: Windows) -> None:  # noqa: ANN401 - Xlib has no types
        self._display = display
        self._windows = windows
        self._first = display.display.info.min_keycode
        self._held: dict[str, int] = {}
        self._borrowed: dict[int, int] = {}
        """keycode -> the keysym that was put on it."""

    def down(self, key: str) -> None:
        self._held[key] = self._code(key)
        self._send(X.KeyPress, self._held[key])

    def up(self, key: str) -> None:
        if key in self._held:
            self._send(X.KeyRelease, self._held.pop(key))

    def type_text(self, text: str) -> None:
        with self._caps_lock_off():
            shift = self._code("shift")
            rest = text
            while rest:
                strokes = self._strokes(rest)
                for stroke in strokes:
                    self._hit(stroke.code, shift if stroke.shift else None)
                self._display.sync()
                rest = rest[len(strokes) :]

    def close(self) -> None:
        """Take everything off the keycodes again. Raises ERRORS when the server is gone."""
        self._free()

    def _code(self, key: str) -> int:
        keysym = _MEDIA.get(key) or (XK.string_to_keysym(_KEYSYMS[key]) if key in _KEYSYMS else 0)
        if not keysym and len(key) > 1:
            raise no_such_key(key)
        keysym = keysym or keysym_of(key)
        layout = self._layout()
        # Named keys are the same in every layout; characters are looked for in the first one only.
        anywhere = len(key) > 1 or self._group() == 0
        plain = (code for code, row in layout.items() if row[0] == keysym and (anywhere or code in self._borrowed))
        found = next(plain, None)
        return found if found is not None else self._borrow_one(layout, keysym)

    def _borrow_one(self, layout: dict[int, tuple[int, ...]], keysym: int) -> int:
        if not self._spare(layout):
            self._free()
            layout = self._layout()
        code = self._spare(layout)[0]
        self._put(code, keysym, len(layout[code]))
        self._display.sync()
        return code

    def _strokes(self, text: str) -> list[Stroke]:
        """How to type as much of the start of `text` as fits on the keyboard at once: one character or more."""
        layout = self._layout()
        known = self._known(layout)
        spare = self._spare(layout)
        strokes = []
        for character in text:
            keysym = keysym_of(character)
            if keysym not in known:
                if not spare:
                    break
                code = spare.pop()
                self._put(code, keysym, len(layout[code]))
                known[keysym] = Stroke(code, shift=False)
            strokes.append(known[keysym])
        if not strokes:
            self._free()
            return self._strokes(text)
        self._display.sync()
        return strokes

    def _known(self, layout: dict[int, tuple[int, ...]]) -> dict[int, Stroke]:
        """What can be typed as the keyboard is now."""
        known: dict[int, Stroke] = {}
        first_layout = self._group() == 0
        for code, row in layout.items():
            if code in self._borrowed:
                # A new layout that somebody has set took ours away.
                if row[0] == self._borrowed[code]:
                    known[row[0]] = Stroke(code, shift=False)
            elif first_layout:
                known.setdefault(row[0], Stroke(code, shift=False))
                known.setdefault(row[1], Stroke(code, shift=True))
        return known

    def _spare(self, layout: dict[int, tuple[int, ...]]) -> list[int]:
        return [code for code, row in layout.items() if not any(row)]

    def _put(self, code: int, keysym: int, levels: int) -> None:
        # The same on every level, so that neither shift nor a second layout makes something else of it.
        self._display.change_keyboard_mapping(code, [(keysym,) * levels])
        self._borrowed[code] = keysym

    def _free(self) -> None:
        """Clear the borrowed keycodes, but not before the program has looked up what was pressed on them."""
        if not self._borrowed:
            return
        self._windows.wait_until_read(_READ_S)
        levels = len(next(iter(self._layout().values())))
        for code in self._borrowed:
            self._display.change_keyboard_mapping(code, [(0,) * levels])
        self._borrowed.clear()
        self._display.sync()

    def _layout(self) -> dict[int, tuple[int, ...]]:
        """Keycode -> its keysyms: of the first layout plain and shifted, then others."""
        count = self._display.display.info.max_keycode - self._first + 1
        rows = self._display.get_keyboard_mapping(self._first, count)
        # The lowest keycode cannot be pressed by every server's rules: leave it alone.
        return {self._first + place: tuple(row) for place, row in enumerate(rows) if place}

    def _group(self) -> int:
        """Which layout is active: 0 is the first."""
        return int(self._state() >> 13) & 3

    def _state(self) -> int:
        return int(self._display.screen().root.query_pointer().mask)

    @contextmanager
    def _caps_lock_off(self) -> Iterator[None]:
        was_on = bool(self._state() & X.LockMask)
        if was_on:
            self._tap("caps_lock")
        try:
            yield
        finally:
            if was_on:
                self._tap("caps_lock")

    def _tap(self, key: str) -> None:
        self.down(key)
        self.up(key)

    def _hit(self, code: int, shift: int | None) -> None:
        if shift is not None:
            fake_input(self._display, X.KeyPress, shift)
        try:
            fake_input(self._display, X.KeyPress, code)
            fake_input(self._display, X.KeyRelease, code)
        finally:
            if shift is not None:
                fake_input(self._display, X.KeyRelease, shift)

    def _send(self, kind: int, code: int) -> None:
        fake_input(self._display, kind, code)
        self._display.sync()


def keysym_of(character: str) -> int:
    """X11's number of a character: Latin-1 as it is, everything else in the range for Unicode."""
    point = ord(character)
    return point if point < 0x100 else 0x0100_0000 | point

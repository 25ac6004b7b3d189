"""Typing exactly: plain ASCII by Android's own `input`, anything else by the app ADBKeyboard or the clipboard."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from action_space.errors import DeviceError, InvalidAction, UnsupportedAction
from environments.android_input import ADB_KEYBOARD, Words, broadcast_words, typed_words
from environments.android_link import Link
from environments.typed import typed_parts

_KEYS = {"\n": "KEYCODE_ENTER", "\t": "KEYCODE_TAB"}
_PASTE = ("input", "keyevent", "KEYCODE_PASTE")
_CLIPBOARD = ("cmd", "clipboard", "get")
_CURRENT = ("settings", "get", "secure", "default_input_method")
_SECONDS_PER_CHARACTER = 0.05
_SWITCH_S = 3.0
_PAUSE_S = 0.1
"""A keyboard that was just chosen takes a moment until the text field knows it."""


class Act(Protocol):
    def __call__(self, doing: str, *commands: Words, extra_s: float = 0.0) -> None:
        """Carry out commands once. Raises DeviceError when the device refuses them."""


class Typist:
    """Types on one device. act: carries out what must not be done twice."""

    def __init__(self, link: Link, act: Act) -> None:
        self._link = link
        self._act = act
        self._usual_keyboard: str | None = None

    def type_text(self, text: str) -> None:
        """Raises InvalidAction (control characters), UnsupportedAction (no way to type this), DeviceError."""
        parts = typed_parts(text)
        if all(part.isascii() for part in parts):
            for part in parts:
                self._plain(part)
        elif ADB_KEYBOARD in self._link.run(("ime", "list", "-a", "-s")).text.split():
            with self._adb_keyboard():
                for part in parts:
                    self._broadcast(part)
        else:
            with self._clipboard_kept():
                # Nothing is typed before it is known that all of it can be.
                self._copy(next(part for part in parts if not part.isascii()))
                for part in parts:
                    self._plain(part) if part.isascii() else self._paste(part)

    def restore(self) -> None:
        """Give the person's own keyboard back, if it was taken away. Raises DeviceError."""
        if self._usual_keyboard is not None:
            self._link.run(("ime", "set", self._usual_keyboard))
            self._usual_keyboard = None

    def _plain(self, part: str) -> None:
        if part in _KEYS:
            self._act("typing", ("input", "keyevent", _KEYS[part]))
            return
        for words in typed_words(part):
            self._act("typing", words, extra_s=_SECONDS_PER_CHARACTER * len(part))

    def _broadcast(self, part: str) -> None:
        if part in _KEYS:
            self._plain(part)
            return
        for words in broadcast_words(part):
            self._act("typing", words)

    def _paste(self, part: str) -> None:
        self._copy(part)
        self._act("pasting", _PASTE)

    @contextmanager
    def _clipboard_kept(self) -> Iterator[None]:
        """Inside, the clipboard may be used; the text that the person had copied comes back."""
        before = self._link.run(_CLIPBOARD).out.decode("utf-8", "replace").removesuffix("\n")
        try:
            yield
        finally:
            # A whole book is too long for a command.
            with suppress(InvalidAction):
                self._link.run(("cmd", "clipboard", "set", before))

    def _copy(self, part: str) -> None:
        said = self._link.run(("cmd", "clipboard", "set", part))
        # Most devices have no such command, and some say so with exit status 0: only what is read back counts.
        if said.code != 0 or self._link.run(_CLIPBOARD).out.decode("utf-8", "replace") != f"{part}\n":
            strange = next(character for character in part if not character.isascii())
            raise UnsupportedAction(
                f"this device cannot type {strange!r}: it takes plain ASCII only, until the app ADBKeyboard "
                "(com.android.adbkeyboard) is installed on it"
            )

    @contextmanager
    def _adb_keyboard(self) -> Iterator[None]:
        """Inside, texts can be sent to ADBKeyboard; the keyboard that was there comes back."""
        before = self._link.run(_CURRENT).text
        if before == ADB_KEYBOARD:
            yield
            return
        self._usual_keyboard = before
        try:
            self._switch()
            yield
        finally:
            self.restore()

    def _switch(self) -> None:
        self._link.run(("ime", "enable", ADB_KEYBOARD), ("ime", "set", ADB_KEYBOARD))
        end = time.monotonic() + _SWITCH_S
        while self._link.run(_CURRENT).text != ADB_KEYBOARD:
            if time.monotonic() > end:
                raise DeviceError("the device does not switch to ADBKeyboard: allow it in its settings for keyboards")
            time.sleep(_PAUSE_S)
        time.sleep(_PAUSE_S)

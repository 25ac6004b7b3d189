"""Keys by pyautogui, for the systems whose keyboard it knows well enough."""

from collections.abc import Callable
from typing import Any

from action_space.errors import UnsupportedAction

NAMES = {
    "meta": "win",
    "page_up": "pageup",
    "page_down": "pagedown",
    "caps_lock": "capslock",
    "num_lock": "numlock",
    "scroll_lock": "scrolllock",
    "menu": "apps",
    "print_screen": "printscreen",
    "back": "browserback",
    "forward": "browserforward",
    "volume_up": "volumeup",
    "volume_down": "volumedown",
    "volume_mute": "volumemute",
}
"""Canonical name -> pyautogui's, where they differ."""

_AT_ONCE = 40


class PyautoguiKeyboard:
    """Implements `Keyboard`. insert: types text exactly, which pyautogui cannot. names: see NAMES."""

    def __init__(
        self,
        driver: Any,  # noqa: ANN401 - a module without types
        insert: Callable[[str], None],
        names: dict[str, str],
    ) -> None:
        self._driver = driver
        self._insert = insert
        self._names = names

    def down(self, key: str) -> None:
        name = self._names.get(key, key)
        # pyautogui does nothing at all for a key that it does not know.
        if not self._driver.isValidKey(name):
            raise no_such_key(key)
        self._driver.keyDown(name)

    def up(self, key: str) -> None:
        self._driver.keyUp(self._names.get(key, key))

    def tap(self, key: str) -> None:
        self.down(key)
        self.up(key)

    def type_text(self, text: str, between: Callable[[], None]) -> None:
        for start in range(0, len(text), _AT_ONCE):
            between()
            self._insert(text[start : start + _AT_ONCE])


def no_such_key(key: str) -> UnsupportedAction:
    """What is said about a key that this desktop does not have."""
    return UnsupportedAction(f"this desktop has no key {key!r}: use another one, or the type action for text")


def utf16_units(text: str) -> list[int]:
    """The 16-bit units of a text: two for a character beyond U+FFFF. Windows and macOS take text in these."""
    data = text.encode("utf-16-le")
    return [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]

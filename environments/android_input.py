"""From actions to the words of Android's `input` command. Pure: nothing here talks to a device."""

import base64
from collections.abc import Iterator

from action_space.actions import Click, Drag, LongPress, Press, Scroll
from action_space.errors import UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.keys import MODIFIERS

Words = tuple[str, ...]

ADB_KEYBOARD = "com.android.adbkeyboard/.AdbIME"
_DRAG_AND_DROP_S = 1.0
"""A drag of this length or more rests at its start, as a finger does that picks something up."""
_NOTCH = 100
_EDGE = 0.08
"""Part of the screen at each edge that belongs to the system's own gestures."""
_SWIPE_MS = 500
_MOST_SWIPES = 20
_LONGEST_TEXT = 400
_LONGEST_BROADCAST = 1500

_NAMED = {
    "ctrl": "CTRL_LEFT",
    "shift": "SHIFT_LEFT",
    "alt": "ALT_LEFT",
    "meta": "META_LEFT",
    "enter": "ENTER",
    "tab": "TAB",
    "escape": "ESCAPE",
    "space": "SPACE",
    "backspace": "DEL",
    "delete": "FORWARD_DEL",
    "insert": "INSERT",
    "up": "DPAD_UP",
    "down": "DPAD_DOWN",
    "left": "DPAD_LEFT",
    "right": "DPAD_RIGHT",
    "home": "MOVE_HOME",
    "end": "MOVE_END",
    "page_up": "PAGE_UP",
    "page_down": "PAGE_DOWN",
    "caps_lock": "CAPS_LOCK",
    "num_lock": "NUM_LOCK",
    "scroll_lock": "SCROLL_LOCK",
    "menu": "MENU",
    "print_screen": "SYSRQ",
    "pause": "BREAK",
    "forward": "FORWARD",
    "back": "BACK",
    "device_home": "HOME",
    "recents": "APP_SWITCH",
    "power": "POWER",
    "volume_up": "VOLUME_UP",
    "volume_down": "VOLUME_DOWN",
    "volume_mute": "VOLUME_MUTE",
    "camera": "CAMERA",
    "clear": "CLEAR",
} | {f"f{number}": f"F{number}" for number in range(1, 13)}
_SIGNS = {
    "-": "MINUS",
    "=": "EQUALS",
    "[": "LEFT_BRACKET",
    "]": "RIGHT_BRACKET",
    "\\": "BACKSLASH",
    ";": "SEMICOLON",
    "'": "APOSTROPHE",
    ",": "COMMA",
    ".": "PERIOD",
    "/": "SLASH",
    "`": "GRAVE",
    "@": "AT",
    "#": "POUND",
    "*": "STAR",
    "+": "PLUS",
}


def key_code(key: str) -> str:
    """Android's name of a canonical key. Raises UnsupportedAction."""
    if len(key) == 1 and key.isascii() and key.isalnum():
        return f"KEYCODE_{key.upper()}"
    name = _NAMED.get(key) or _SIGNS.get(key)
    if name is None:
        raise UnsupportedAction(f"an Android device has no key {key!r}: use the type action for text")
    return f"KEYCODE_{name}"


def press(action: Press) -> Words:
    """Raises UnsupportedAction."""
    # Models also write "a+ctrl": modifiers go down first in any case.
    codes = [key_code(key) for key in sorted(action.keys, key=lambda key: key not in MODIFIERS)]
    return ("input", "keyevent", codes[0]) if len(codes) == 1 else ("input", "keycombination", *codes)


def touches(action: Click | Drag | LongPress | Scroll, frame: Frame) -> list[Words]:
    """One command for each time that the finger goes down. Raises UnsupportedAction, InvalidAction."""
    match action:
        case Click():
            return _taps(action, frame)
        case LongPress():
            at = _place(action.point, frame)
            return [("input", "swipe", *at, *at, str(round(1000 * action.seconds)))]
        case Drag():
            kind = "draganddrop" if action.seconds >= _DRAG_AND_DROP_S else "swipe"
            ends = (*_place(action.start, frame), *_place(action.end, frame))
            return [("input", kind, *ends, str(round(1000 * action.seconds)))]
        case Scroll():
            return list(_swipes(action, frame))


def _taps(action: Click, frame: Frame) -> list[Words]:
    if action.button != "left":
        raise UnsupportedAction(f"a touch screen has no {action.button} button: tap, or use long_press for a menu")
    if action.modifiers:
        raise UnsupportedAction(f"a touch screen has no {'+'.join(action.modifiers)} to hold: tap without it")
    return [("input", "tap", *_place(action.point, frame))] * action.count


def _swipes(action: Scroll, frame: Frame) -> Iterator[Words]:
    """Fingers move against the direction: to show what is further down they move up."""
    sideways = action.direction in ("left", "right")
    length = frame.screen.width if sideways else frame.screen.height
    first, last = round(_EDGE * length), length - 1 - round(_EDGE * length)
    sign = -1 if action.direction in ("down", "right") else 1
    left = min(round(action.amount * _NOTCH * density(frame.screen)), _MOST_SWIPES * (last - first))
    while left > 0:
        step = min(left, last - first)
        middle = action.point.x if sideways else action.point.y
        start = min(max(middle - sign * step // 2, first + (step if sign < 0 else 0)), last - (step if sign > 0 else 0))
        yield _swipe(action.point, start, start + sign * step, frame, sideways=sideways)
        left -= step


def density(size: Size) -> float:
    """Pixels of the picture for each of CSS: phones are about 400 of them wide."""
    return max(1.0, min(size.width, size.height) / 400)


def _swipe(point: Point, start: int, end: int, frame: Frame, *, sideways: bool) -> Words:
    ends = [Point(at, point.y) if sideways else Point(point.x, at) for at in (start, end)]
    return ("input", "swipe", *_place(ends[0], frame), *_place(ends[1], frame), str(_SWIPE_MS))


def _place(point: Point, frame: Frame) -> Words:
    x, y = frame.to_device(point)
    return str(int(x)), str(int(y))


def typed_words(text: str) -> Iterator[Words]:
    """Printable ASCII by `input text`, which reads `%s` as a blank: one that is meant so goes in two commands."""
    for line in text.replace("%s", "%\0s").split("\0"):
        for start in range(0, len(line), _LONGEST_TEXT):
            yield ("input", "text", line[start : start + _LONGEST_TEXT].replace(" ", "%s"))


def broadcast_words(text: str) -> Iterator[Words]:
    """Any text by the app ADBKeyboard, in pieces that end between characters."""
    piece = b""
    for character in text:
        if len(piece) + len(character.encode()) > _LONGEST_BROADCAST:
            yield _broadcast(piece)
            piece = b""
        piece += character.encode()
    if piece:
        yield _broadcast(piece)


def _broadcast(piece: bytes) -> Words:
    return ("am", "broadcast", "-a", "ADB_INPUT_B64", "--es", "msg", base64.b64encode(piece).decode())

"""The `input` command: touches and keys."""

from collections.abc import Callable

from environments.simulated_android.apps import BROWSER, LAUNCHER
from environments.simulated_android.phone import Phone
from environments.simulated_android.shell import Result

Words = tuple[str, ...]
_HOLD_S = 0.6
"""How long a finger rests before it has picked something up."""

_EDITING = {
    "KEYCODE_ENTER": "Enter",
    "KEYCODE_TAB": "Tab",
    "KEYCODE_SPACE": "Space",
    "KEYCODE_DEL": "Backspace",
    "KEYCODE_FORWARD_DEL": "Delete",
    "KEYCODE_ESCAPE": "Escape",
    "KEYCODE_DPAD_UP": "ArrowUp",
    "KEYCODE_DPAD_DOWN": "ArrowDown",
    "KEYCODE_DPAD_LEFT": "ArrowLeft",
    "KEYCODE_DPAD_RIGHT": "ArrowRight",
    "KEYCODE_MOVE_HOME": "Home",
    "KEYCODE_MOVE_END": "End",
    "KEYCODE_PAGE_UP": "PageUp",
    "KEYCODE_PAGE_DOWN": "PageDown",
    "KEYCODE_CTRL_LEFT": "Control",
    "KEYCODE_SHIFT_LEFT": "Shift",
    "KEYCODE_ALT_LEFT": "Alt",
    "KEYCODE_META_LEFT": "Meta",
}
_LETTERS = {f"KEYCODE_{letter}": f"Key{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_DIGITS = {f"KEYCODE_{digit}": f"Digit{digit}" for digit in "0123456789"}
_KEYS = _EDITING | _LETTERS | _DIGITS
_IDLE = frozenset(
    f"KEYCODE_{name}"
    for name in (
        *("MENU", "CAMERA", "CLEAR", "FORWARD", "VOLUME_MUTE", "SYSRQ", "BREAK", "CAPS_LOCK", "NUM_LOCK"),
        *("SCROLL_LOCK", "INSERT", *(f"F{number}" for number in range(1, 13))),
    )
)
"""Keys that exist and do nothing here."""
_NUMBERS = {
    3: "KEYCODE_HOME",
    4: "KEYCODE_BACK",
    24: "KEYCODE_VOLUME_UP",
    25: "KEYCODE_VOLUME_DOWN",
    26: "KEYCODE_POWER",
    61: "KEYCODE_TAB",
    62: "KEYCODE_SPACE",
    66: "KEYCODE_ENTER",
    67: "KEYCODE_DEL",
    187: "KEYCODE_APP_SWITCH",
    223: "KEYCODE_SLEEP",
    224: "KEYCODE_WAKEUP",
    279: "KEYCODE_PASTE",
}


def run_input(phone: Phone, words: Words) -> Result:
    """`input tap|swipe|draganddrop|text|keyevent|keycombination ...`."""
    try:
        match words:
            case ("tap", x, y):
                phone.touch(lambda screen: screen.tap(_coordinate(x), _coordinate(y)))
            case ("swipe" | "draganddrop" as kind, x1, y1, x2, y2, *rest) if len(rest) < 2:
                seconds = int(rest[0]) / 1000 if rest else 0.3
                start, end = (_coordinate(x1), _coordinate(y1)), (_coordinate(x2), _coordinate(y2))
                hold_s = _HOLD_S if kind == "draganddrop" else 0
                phone.touch(lambda screen: screen.swipe(start, end, seconds, hold_s))
            case ("text", text):
                return _text(phone, text)
            case ("keyevent", *keys) if keys:
                for key in keys:
                    _key(phone, _name(key))
            case ("keycombination", *keys) if len(keys) > 1:
                names = [_KEYS[_name(key)] for key in keys]
                phone.touch(lambda screen: screen.press(*names))
            case _:
                return _refused(f"Error: Unknown command or arguments: {words}")
    except (ValueError, KeyError) as error:
        return _refused(f"Error: Invalid arguments for command: {error}")
    return Result()


def _text(phone: Phone, text: str) -> Result:
    # What a keyboard map without the character does on a real device.
    if not text.isascii():
        return _refused("Exception occurred while executing 'text':\njava.lang.NullPointerException", 255)
    phone.touch(lambda screen: screen.insert(text.replace("%s", " ")))
    return Result()


def _key(phone: Phone, name: str) -> None:
    if name in _KEYS:
        phone.touch(lambda screen: screen.press(_KEYS[name]))
    elif name in _SYSTEM:
        _SYSTEM[name](phone)


def _wake_or_sleep(phone: Phone) -> None:
    if phone.awake:
        phone.sleep(lock=True)
    else:
        phone.wake()


def _louder(phone: Phone, by: int) -> None:
    phone.volume = min(15, max(0, phone.volume + by))


def _go_home(phone: Phone) -> None:
    if phone.awake and not phone.locked:
        phone.start(LAUNCHER)


def _go_back(phone: Phone) -> None:
    if phone.foreground == BROWSER:
        _go_home(phone)
    else:
        phone.touch(lambda screen: screen.call("goBack"))


def _paste(phone: Phone) -> None:
    phone.touch(lambda screen: screen.insert(phone.clipboard or ""))


_SYSTEM: dict[str, Callable[[Phone], None]] = {
    "KEYCODE_HOME": _go_home,
    "KEYCODE_APP_SWITCH": _go_home,
    "KEYCODE_BACK": _go_back,
    "KEYCODE_POWER": _wake_or_sleep,
    "KEYCODE_WAKEUP": lambda phone: phone.wake(),
    "KEYCODE_SLEEP": lambda phone: phone.sleep(lock=True),
    "KEYCODE_VOLUME_UP": lambda phone: _louder(phone, 1),
    "KEYCODE_VOLUME_DOWN": lambda phone: _louder(phone, -1),
    "KEYCODE_PASTE": _paste,
}


def _name(key: str) -> str:
    """`KEYCODE_BACK` of itself, `BACK` or `4`. Raises ValueError."""
    name = _NUMBERS.get(int(key), "") if key.isdecimal() else f"KEYCODE_{key.upper().removeprefix('KEYCODE_')}"
    if name not in _KEYS and name not in _SYSTEM and name not in _IDLE:
        raise ValueError(f"unknown key {key!r}")
    return name


def _coordinate(text: str) -> float:
    return float(text)


def _refused(text: str, code: int = 1) -> Result:
    return Result(err=f"{text}\n".encode(), code=code)

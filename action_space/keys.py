"""Canonical key names: one spelling per key on every platform, and the spellings that models really write.

A key is a single printable character ("a", "7", "+"), lower-case because it names a key and not a letter
("Ctrl+A" is ctrl and a), or one of `KEYS`. Each environment maps these names to its own driver's.
"""

import re

MODIFIERS = ("ctrl", "shift", "alt", "meta")
"""Keys that are held down while others are pressed. `meta` is Command on a Mac and the Windows key elsewhere."""

_EDITING = ("enter", "tab", "escape", "space", "backspace", "delete", "insert")
_MOVING = ("up", "down", "left", "right", "home", "end", "page_up", "page_down")
_FUNCTION = tuple(f"f{number}" for number in range(1, 25))
_OTHER = ("caps_lock", "num_lock", "scroll_lock", "menu", "print_screen", "pause", "forward")

_VOLUME = ("volume_up", "volume_down", "volume_mute")
DEVICE_KEYS = ("back", "device_home", "recents", "power", *_VOLUME, "camera", "clear")
"""Buttons of a phone. `device_home` shows the home screen; `home` is the key that goes to the start of a line."""

KEYS = (*MODIFIERS, *_EDITING, *_MOVING, *_FUNCTION, *_OTHER, *DEVICE_KEYS)
"""Every named key. Single printable characters are keys too."""

_ALIASES = {
    "ctrl": "control ctl controlleft controlright controll controlr leftctrl rightctrl ctrll ctrlr ctrlleft "
    "ctrlright lctrl rctrl",
    "shift": "shiftleft shiftright shiftl shiftr leftshift rightshift lshift rshift",
    "alt": "option opt altleft altright altl altr leftalt rightalt lalt ralt optionleft optionright",
    "meta": "cmd command super win windows winkey os gui metaleft metaright metal metar superl superr commandleft "
    "commandright winleft winright cmdl cmdr lwin rwin lcmd rcmd",
    "enter": "return kpenter numpadenter numenter ret dpadcenter",
    "tab": "isolefttab",
    "escape": "esc",
    "space": "spacebar blank",
    "backspace": "bksp bs",
    "delete": "del kpdelete forwarddel",
    "insert": "ins kpinsert",
    "up": "arrowup uparrow kpup dpadup",
    "down": "arrowdown downarrow kpdown dpaddown",
    "left": "arrowleft leftarrow kpleft dpadleft",
    "right": "arrowright rightarrow kpright dpadright",
    "home": "kphome movehome",
    "end": "kpend moveend",
    "page_up": "pgup prior kppageup kpprior",
    "page_down": "pgdn pgdown next kppagedown kpnext",
    "caps_lock": "caps",
    "menu": "contextmenu apps",
    "print_screen": "prtsc prtscr prtscn print printscr snapshot sysrq",
    "pause": "break pausebreak",
    "forward": "goforward browserforward xf86forward",
    "back": "goback browserback xf86back systemback",
    "device_home": "homescreen homebutton gohome systemhome",
    "recents": "appswitch recentapps recent overview appselect",
    "power": "xf86poweroff",
    "volume_up": "volup audiovolumeup xf86audioraisevolume",
    "volume_down": "voldown audiovolumedown xf86audiolowervolume",
    "volume_mute": "mute volmute audiovolumemute xf86audiomute",
    "!": "exclam",
    '"': "quotedbl quote doublequote",
    "#": "numbersign hash",
    "$": "dollar",
    "%": "percent",
    "&": "ampersand",
    "'": "apostrophe singlequote",
    "(": "parenleft",
    ")": "parenright",
    "*": "asterisk star kpmultiply multiply numpadmultiply",
    "+": "plus kpadd add numpadadd",
    ",": "comma",
    "-": "minus hyphen dash kpsubtract subtract numpadsubtract",
    ".": "period dot kpdecimal decimal numpaddecimal",
    "/": "slash kpdivide divide numpaddivide",
    ":": "colon",
    ";": "semicolon",
    "<": "less",
    "=": "equal equals",
    ">": "greater",
    "?": "question",
    "@": "at",
    "[": "bracketleft leftbracket",
    "\\": "backslash",
    "]": "bracketright rightbracket",
    "^": "asciicircum caret",
    "_": "underscore",
    "`": "grave backquote backtick",
    "{": "braceleft",
    "|": "bar pipe",
    "}": "braceright",
    "~": "asciitilde tilde",
}


def _spellings() -> dict[str, str]:
    table = {key.replace("_", ""): key for key in KEYS}
    table |= {alias: key for key, aliases in _ALIASES.items() for alias in aliases.split()}
    for character in "0123456789":
        table |= {f"{prefix}{character}": character for prefix in ("digit", "numpad", "kp", "num")}
    for code in range(ord("a"), ord("z") + 1):
        table[f"key{chr(code)}"] = chr(code)
    return table


_SPELLINGS = _spellings()
_ANDROID = {"home": "device_home", "del": "backspace"}
_CONTROL_CHARACTERS = {"\n": "enter", "\r": "enter", "\t": "tab", " ": "space", "\b": "backspace", "\x1b": "escape"}
_LONGEST_NAME = 40
_LONGEST_CHORD = 10
_SPACED = re.compile(
    r"(ctrl|control|shift|alt|option|meta|cmd|command|super|win)(?:\s+|-)(left|right|\S)", re.IGNORECASE
)
_GAP = re.compile(r"\s+|(?<=\w)-(?=\w)")
_PART = re.compile(r"(?:^|\+)\s*(\+|[^+]+)", re.DOTALL)


def canonical_key(name: str, *, android: bool = False) -> str:
    """The canonical name of the key that `name` means ("Return", "Control_L", "pgdn", "ArrowLeft", "KEYCODE_BACK").

    android: `name` is Android's, where Home is the phone's button and DEL deletes backwards. Raises ValueError, whose
    text says what would be valid; pydantic models turn it into their own error.
    """
    if len(name) == 1:
        return _character_key(name)
    squashed = name.strip().lower()[: _LONGEST_NAME + 1]
    if squashed.startswith("keycode_"):
        squashed, android = squashed.removeprefix("keycode_"), True
    if len(squashed) == 1:
        return _character_key(squashed)
    for separator in "_- ":
        squashed = squashed.replace(separator, "")
    key = (_ANDROID.get(squashed) if android else None) or _SPELLINGS.get(squashed)
    if key is None:
        raise _unknown(name)
    return key


def _character_key(character: str) -> str:
    if character in _CONTROL_CHARACTERS:
        return _CONTROL_CHARACTERS[character]
    if not character.isprintable():
        raise _unknown(character)
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _unknown(name: str) -> ValueError:
    return ValueError(
        f"unknown key {name[:_LONGEST_NAME]!r}: a key is a single character or one of "
        "enter, tab, escape, space, backspace, delete, up, down, left, right, home, end, page_up, page_down, "
        "f1 to f24, ctrl, shift, alt, meta, back, device_home, recents and the like"
    )


def chord(text: str, *, android: bool = False) -> tuple[str, ...]:
    """The canonical keys of "ctrl+c", "Page Down", "ctrl shift t", "ctrl-l" or "ctrl++" (control and plus).

    Raises ValueError like `canonical_key`.
    """
    if spaced := _SPACED.fullmatch(text):
        # As one name, "ctrl l" would be the left control key, as X11 calls it.
        return canonical_key(spaced[1], android=android), canonical_key(spaced[2], android=android)
    try:
        return (canonical_key(text, android=android),)
    except ValueError as whole:
        parts = _PART.findall(text) if "+" in text else _GAP.split(text.strip())
        if len(parts) < 2 or len(parts) > _LONGEST_CHORD:
            raise whole
    return tuple(canonical_key(part, android=android) for part in parts)

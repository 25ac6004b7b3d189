"""PyAutoGUI calls as actions: the text is parsed, never run.

Read are calls with plain values as arguments: clicks, moves, drags, scrolls, text, keys, `time.sleep`, what the
OpenCUA family adds (`computer.terminate`, `computer.wait`, `computer.tripleClick`), and OSWorld's WAIT, DONE and FAIL.
Anything else is an error: a loop or a variable has no single meaning without being run.

Coordinates are the caller's: pixels in OSWorld, 0 to 1 in AgentNet. A positive scroll goes up; PyAutoGUI counts clicks
of the wheel, and so does `Scroll`. Keys that are held around a click become its modifiers. A move in front of something
that points says nothing of its own and is dropped, and Enter right after a text becomes its last newline.
"""

import ast
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from action_space.actions import Action, Click, Drag, Finish, LongPress, Move, Press, Scroll, Type, Wait
from action_space.dialects.tool_call import build
from action_space.geometry import Point

Value = str | int | float | bool | list["Value"] | None
Locate = Callable[[float, float], Point]

LONGEST = 20_000
"""Characters of one row."""

MOST_NOTCHES = 100
LONGEST_WAIT_S = 60.0

_CLICKS = {
    "click": ("", 0),
    "leftClick": ("left", 1),
    "rightClick": ("right", 1),
    "middleClick": ("middle", 1),
    "doubleClick": ("", 2),
    "tripleClick": ("", 3),
}
"""Name -> its button ("": an argument says it) and count (0: an argument says it)."""

_ARGUMENTS = {
    **dict.fromkeys(("click", "leftClick", "rightClick", "middleClick"), ("x", "y", "clicks", "interval", "button")),
    **dict.fromkeys(("doubleClick", "tripleClick"), ("x", "y", "interval", "button")),
    **dict.fromkeys(("moveTo", "dragTo"), ("x", "y", "duration")),
    **dict.fromkeys(("mouseDown", "mouseUp"), ("x", "y", "button")),
    **dict.fromkeys(("scroll", "vscroll", "hscroll"), ("clicks", "x", "y")),
    **dict.fromkeys(("write", "typewrite"), ("message",)),
    **dict.fromkeys(("press",), ("keys", "presses")),
    **dict.fromkeys(("keyDown", "keyUp"), ("key",)),
    "sleep": ("seconds",),
    "wait": ("seconds",),
    "terminate": ("status", "answer"),
}
"""Name -> its positional arguments."""

_NAMES = {"text": "message", "content": "message", "key": "keys", "secs": "seconds"}
"""Other names of arguments, but for keyDown and keyUp, which have a `key`."""

_SPECIAL: dict[str, Action] = {
    "WAIT": Wait(),
    "DONE": Finish(status="success"),
    "FAIL": Finish(status="failure"),
}


def read_code(code: str, locate: Locate, pointer: Point | None = None) -> list[Action]:
    """The actions of some calls. locate: coordinates -> pixel. pointer: where the mouse was before.

    Raises ValueError, and InvalidAction for arguments that no action has.
    """
    if code.strip().upper() in _SPECIAL:
        return [_SPECIAL[code.strip().upper()]]
    hand = _Hand(locate, pointer)
    for name, arguments in _calls(code):
        hand.do(name, arguments)
    hand.let_go()
    return merged(hand.done)


def _calls(code: str) -> list[tuple[str, dict[str, Value]]]:
    if len(code) > LONGEST:
        raise ValueError(f"the code has {len(code):,} characters, more than {LONGEST:,}")
    if not code.strip():
        raise ValueError("there is no code, and no action")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in other people's strings
            body = ast.parse(code.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the code cannot be read: {error}") from None
    found = []
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
            raise ValueError(f"line {statement.lineno} of the code is no plain call")
        found.append(_call(statement.value))
    return found


def _call(node: ast.Call) -> tuple[str, dict[str, Value]]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name == "hotkey":
        keys = [_value(each) for each in node.args]
        return name, {"keys": keys[0] if len(keys) == 1 and isinstance(keys[0], list) else keys}
    if name not in _ARGUMENTS:
        raise ValueError(f"the call of {name!r:.40} has no meaning here")
    names = _ARGUMENTS[name]
    if len(node.args) > len(names):
        raise ValueError(f"{name} has {len(node.args)} arguments, not {len(names)} at most")
    arguments = {names[at]: _value(each) for at, each in enumerate(node.args)}
    for keyword in node.keywords:
        key = keyword.arg or ""
        arguments[key if key in names else _NAMES.get(key, key)] = _value(keyword.value)
    return name, arguments


def _value(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part) for part in parts]
        case _:
            raise ValueError(f"line {node.lineno} of the code has an argument that is no plain value")


@dataclass
class _Hand:
    """Mouse and keyboard as the calls go on. pressed: where the button went down, and for how long it has been."""

    locate: Locate
    pointer: Point | None
    done: list[Action] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    used: bool = False
    pressed: Point | None = None
    pressed_s: float = 0.0

    def do(self, name: str, given: dict[str, Value]) -> None:  # noqa: C901 (one case a group of calls)
        match name:
            case _ if name in _CLICKS:
                self._click(name, given)
            case "moveTo":
                self._move(given)
            case "dragTo":
                start, seconds = self._here(), _number(given, "duration", 0.5)
                self._act(build("drag", start=start, end=self._go(given), seconds=min(seconds, 30.0)))
            case "mouseDown":
                self.pressed, self.pressed_s = self._go(given), 0.0
            case "mouseUp":
                self._release(given)
            case "scroll" | "vscroll" | "hscroll":
                self._scroll(name, given)
            case "write" | "typewrite":
                self._write(given)
            case "press":
                self._press(given)
            case "hotkey":
                self._act(build("press", keys=tuple(_texts(given.get("keys")))))
            case "keyDown" | "keyUp":
                self._hold(name, _text(given, "key"))
            case "sleep" | "wait":
                self._wait(_number(given, "seconds", 1.0))
            case _:  # terminate
                status = "failure" if _text(given, "status", "success") in ("fail", "failure") else "success"
                self._act(build("finish", status=status, text=_text(given, "answer", "")))

    def let_go(self) -> None:
        """At the end: keys that nothing was done with were a chord."""
        if self.held and not self.used:
            self._act(build("press", keys=tuple(self.held)))
        if self.pressed is not None:
            raise ValueError("the code presses a mouse button and never releases it")

    def _act(self, action: Action) -> None:
        self.used = True
        self.done.append(action)

    def _here(self) -> Point:
        if self.pointer is None:
            raise ValueError("nobody knows where the mouse is: the code gives no coordinates")
        return self.pointer

    def _go(self, given: dict[str, Value]) -> Point:
        if given.get("x") is not None or given.get("y") is not None:
            x, y = given.get("x"), given.get("y")
            if isinstance(x, list) and y is None and len(x) == 2:
                x, y = x
            self.pointer = self.locate(_as_number("x", x), _as_number("y", y))
        return self._here()

    def _move(self, given: dict[str, Value]) -> None:
        point = self._go(given)
        if self.pressed is None:
            self.done.append(build("move", point=point))

    def _click(self, name: str, given: dict[str, Value]) -> None:
        button, count = _CLICKS[name]
        button = button or _text(given, "button", "left")
        count = count or int(_number(given, "clicks", 1))
        modifiers = tuple(key for key in self.held if key in ("ctrl", "shift", "alt", "meta"))
        self._act(build("click", point=self._go(given), button=button.lower(), count=count, modifiers=modifiers))

    def _release(self, given: dict[str, Value]) -> None:
        start, end, seconds = self.pressed, self._go(given), min(self.pressed_s, 30.0)
        if start is None:
            raise ValueError("the code releases a mouse button that it never pressed")
        self.pressed = None
        if start != end:
            self._act(build("drag", start=start, end=end, seconds=seconds or 0.5))
        elif seconds:
            self._act(build("long_press", point=start, seconds=seconds))
        else:
            self._act(build("click", point=start, button=_text(given, "button", "left").lower()))

    def _scroll(self, name: str, given: dict[str, Value]) -> None:
        notches = _number(given, "clicks", None)
        if notches == 0:
            raise ValueError(f"{name} by nothing")
        up, down = ("right", "left") if name == "hscroll" else ("up", "down")
        amount = max(1, min(round(abs(notches)), MOST_NOTCHES))
        self._act(build("scroll", point=self._go(given), direction=up if notches > 0 else down, amount=amount))

    def _write(self, given: dict[str, Value]) -> None:
        message = given.get("message")
        if isinstance(message, list):  # typewrite takes keys, too
            for key in _texts(message):
                self._act(build("type", text=key) if len(key) == 1 else build("press", keys=(key,)))
            return
        self._act(build("type", text=_text(given, "message")))

    def _press(self, given: dict[str, Value]) -> None:
        times = int(_number(given, "presses", 1))
        if not 1 <= times <= MOST_NOTCHES:
            raise ValueError(f"presses: must be 1 to {MOST_NOTCHES}, not {times}")
        held = tuple(self.held)
        for _ in range(times):
            for key in _texts(given.get("keys")):
                self._act(build("press", keys=(*held, key)))

    def _hold(self, name: str, key: str) -> None:
        (key,) = Press(keys=(key,)).keys
        if name == "keyDown":
            self.held.append(key)
            self.used = False
            return
        if not self.used and self.held:
            self._act(build("press", keys=tuple(self.held)))
        if key in self.held:
            self.held.remove(key)

    def _wait(self, seconds: float) -> None:
        if self.pressed is not None:
            self.pressed_s += seconds
        else:
            self.done.append(build("wait", seconds=max(0.0, min(seconds, LONGEST_WAIT_S))))


def merged(actions: Sequence[Action]) -> list[Action]:
    """Without moves that lead to something, and with Enter as the last newline of a text.

    A wait between others is how long a script gave the screen; alone it is an action.
    """
    kept: list[Action] = [each for each in actions if not isinstance(each, Wait)] or list(actions[:1])
    found: list[Action] = []
    for at, action in enumerate(kept):
        following = kept[at + 1] if at + 1 < len(kept) else None
        if isinstance(action, Move) and isinstance(following, Click | Drag | Scroll | LongPress | Move):
            continue
        last = found[-1] if found else None
        if isinstance(action, Press) and action.keys == ("enter",) and isinstance(last, Type):
            found[-1] = Type(text=last.text + "\n")
        else:
            found.append(action)
    return found


def _as_number(name: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e9:
        raise ValueError(f"{name}: a number is needed, not {value!r:.40}")
    return float(value)


def _number(given: dict[str, Value], name: str, default: float | None) -> float:
    value = given.get(name)
    return default if value is None and default is not None else _as_number(name, value)


def _text(given: dict[str, Value], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is needed, not {value!r:.40}")
    return value


def _texts(value: Value) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError("keys: there are none")
    return [_text({"keys": each}, "keys") for each in values]

"""Function calls in replies: found among other text, read leniently, and handed out as typed arguments."""

import math
import re
from collections.abc import Collection, Mapping
from typing import TypeVar

from pydantic import ValidationError

from action_space.actions import ACTION, Action
from action_space.dialects.lenient import NotAValue, Reader, Value
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point
from action_space.keys import chord

_T = TypeVar("_T")
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_FLAGS = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}
_MOST_TRIES = 50
_FARTHEST = 10**6


def without_thoughts(reply: str) -> str:
    """The reply after its `<think>` or `<thinking>` block; nothing if that block was cut off."""
    return _THOUGHTS.sub("", reply, count=1)


def find_call(reply: str) -> dict[str, Value]:
    """The first function call in a reply.

    Thoughts at the beginning, other text, fences and tags around it are stepped over. An agent acts once per
    screenshot, so a second call is not looked at. Raises InvalidAction.
    """
    text = without_thoughts(reply)
    return find_object(text[max(text.find("<tool_call>"), 0) :], ("name", "arguments", "action"), "function call")


def find_object(text: str, keys: Collection[str], noun: str) -> dict[str, Value]:
    """The first JSON object that has one of `keys`. noun: what it is, for error texts. Raises InvalidAction."""
    position = 0
    for _ in range(_MOST_TRIES):
        position = text.find("{", position)
        if position < 0:
            break
        reader = Reader(text, position, close_braces=True)
        try:
            value = reader.value()
        except NotAValue as error:
            # A broken call is final: what stands inside it may be text that it wanted to type.
            if reader.keys_read:
                raise InvalidAction(f"the {noun} cannot be read: {error}") from None
            position += 1
            continue
        if isinstance(value, dict) and not value.keys().isdisjoint(keys):
            return value
        position = reader.position
    raise InvalidAction(f"the reply holds no {noun}")


def arguments_of(call: dict[str, Value], function: str, actions: Mapping[str, object]) -> dict[str, Value]:
    """The arguments of a call of `function`, null ones left out. Raises InvalidAction for another function.

    Also takes arguments written as a string, arguments without a function around them, and an action's name in place
    of the function's.
    """
    arguments = call.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _read_arguments(arguments)
    if not isinstance(arguments, dict):
        raise InvalidAction(f'"arguments" must be an object, not {shown(arguments)}')
    if "arguments" not in call:
        arguments = {key: value for key, value in call.items() if key != "name"}
    name = call.get("name", function)
    if isinstance(name, str) and name in actions and "action" not in arguments:
        return {**arguments, "action": name}
    if name != function:
        raise InvalidAction(f"unknown function {shown(name)}: the only one is {function!r}")
    return {key: value for key, value in arguments.items() if value is not None}


def _read_arguments(text: str) -> Value:
    try:
        return Reader(text, close_braces=True).value()
    except NotAValue as error:
        raise InvalidAction(f'"arguments" cannot be read: {error}') from None


class Arguments:
    """The arguments of one call, taken out by type. Every method raises InvalidAction with what would be valid.

    Points come out in screenshot pixels. Arguments that an action does not have are not looked at.
    """

    def __init__(self, action: str, values: dict[str, Value], frame: Frame, pointer: Point | None = None) -> None:
        self.action = action
        self.frame = frame
        self.pointer = pointer if pointer is not None and frame.screen.contains(pointer) else None
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def point(self, name: str) -> Point:
        """A pixel: [x, y], the centre of [x1, y1, x2, y2], or either as text."""
        return self.frame.to_screen(read_point(name, self._required(name)))

    def point_or_pointer(self, name: str) -> Point:
        """A pixel, or where the mouse is."""
        if name in self or self.pointer is None:
            return self.point(name)
        return self.pointer

    def point_or_middle(self, name: str) -> Point:
        """A pixel, or where the mouse is, or the middle of the screen."""
        if name in self:
            return self.point(name)
        return self.pointer or Point(self.frame.screen.width // 2, self.frame.screen.height // 2)

    def flag(self, name: str) -> bool:
        """Whether something is asked for: true, 1 or "true". False if it is not mentioned."""
        value = self._values.get(name, False)
        if isinstance(value, str):
            value = _FLAGS.get(value.strip().lower())
        if not isinstance(value, int) or value not in (0, 1):
            raise InvalidAction(f"{name!r} of {self.action} must be true or false, not {shown(self._values[name])}")
        return bool(value)

    def text(self, name: str) -> str:
        value = self._required(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise InvalidAction(f"{name!r} of {self.action} must be a string, not {shown(value)}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self._required(name) if default is None else self._values.get(name, default)
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) and len(value) < 20:
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidAction(f"{name!r} of {self.action} must be a number, not {shown(value)}")
        return float(value)

    def keys(self, name: str, *, android: bool = False) -> tuple[str, ...]:
        """Keys as a list of names, or as one string like "ctrl+c". android: the names are Android's."""
        value = self._required(name)
        items = value if isinstance(value, list) else [value]
        keys: list[str] = []
        for item in items:
            if isinstance(item, bool) or not isinstance(item, str | int):
                raise InvalidAction(f"{name!r} of {self.action} must be a list of key names, not {shown(value)}")
            try:
                keys.extend(chord(str(item), android=android))
            except ValueError as error:
                raise InvalidAction(str(error)) from None
        return tuple(keys)

    def choice(self, name: str, options: Mapping[str, _T]) -> _T:
        """One of a few words, in any case."""
        value = self._required(name)
        folded = {option.lower(): meaning for option, meaning in options.items()}
        chosen = folded.get(value.strip().lower()) if isinstance(value, str) else None
        if chosen is None:
            raise InvalidAction(f"{name!r} of {self.action} must be one of {', '.join(options)}, not {shown(value)}")
        return chosen

    def _required(self, name: str) -> Value:
        if name not in self._values:
            raise InvalidAction(f"{self.action} needs the argument {name!r}")
        return self._values[name]


def build(kind: str, **fields: object) -> Action:
    """The action of that kind. Raises InvalidAction where a field is not valid."""
    try:
        return ACTION.validate_python({"kind": kind, **fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        if first["type"] == "missing":
            raise InvalidAction(f"{kind} needs a {field}") from None
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidAction(f"{field} of {kind}: {reason}, not {shown(first['input'])}") from None


def read_point(name: str, value: Value) -> Point:
    """The pixel that a value means: a pair, a box's centre, text with two or four numbers, or an object of x and y."""
    numbers = [_coordinate(name, item, value) for item in _flat(value)]
    if len(numbers) not in (2, 4):
        raise InvalidAction(f"{name!r} must be [x, y] in whole pixels, not {shown(value)}")
    if any(number % 1 for number in numbers) and all(0 <= number <= 1 for number in numbers):
        raise InvalidAction(f"{name!r} must be in pixels of the screenshot, not in fractions of it: {shown(value)}")
    x, y = numbers[:2] if len(numbers) == 2 else ((numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2)
    return Point(math.floor(x), math.floor(y))


def _flat(value: Value) -> list[Value]:
    match value:
        case str():
            return [float(number) for number in _NUMBER.findall(value[:200])[:5]]
        case {"x": x, "y": y}:
            return [x, y]
        case [list() as only] | [str() as only]:
            return _flat(only) if isinstance(only, str) else list(only)
        case list():
            return value
        case _:
            return []


def _coordinate(name: str, item: Value, whole: Value) -> float:
    if isinstance(item, str) and len(item) < 20 and _NUMBER.fullmatch(item.strip()):
        item = float(item)
    if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
        raise InvalidAction(f"{name!r} must be [x, y] in whole pixels, not {shown(whole)}")
    if abs(item) > _FARTHEST:
        raise InvalidAction(f"{name!r} is far outside the screen: {shown(whole)}")
    return item


def shown(value: object) -> str:
    """A value for an error text: one line, not long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

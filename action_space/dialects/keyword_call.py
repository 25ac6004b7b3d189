"""Calls with named arguments, such as `drag(start='(1,2)', end='(3,4)')`: found in replies, read, and written.

Strings are those of Python, in single quotes. What stands in one is never taken for a call: the first call is final, an
agent acts once per screenshot.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from action_space.actions import Action, Direction
from action_space.dialects.lenient import NotAValue, Reader, Value
from action_space.dialects.tool_call import Arguments
from action_space.errors import InvalidAction
from action_space.geometry import Frame, Point

DIRECTIONS: dict[str, Direction] = {direction: direction for direction in get_args(Direction)}

_KEY = re.compile(r"\s*([A-Za-z_][A-Za-z_0-9]{0,40})\s*=\s*")
_CALL_ENDS = r"\s*\)\s*(?=\Z|\n|</|<\||```)"
_QUOTED = {quote: re.compile(rf"{quote}([^\n]*?){quote}{_CALL_ENDS}") for quote in "'\""}
_ESCAPED = re.compile(r"\\.|['\"]", re.DOTALL)
_WRITTEN_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that a family knows.

    words: what each call means, by its name in small letters. label: pattern of what stands before a call. aliases:
    other names of arguments. shown: the names that an error text offers.
    """

    words: Mapping[str, Callable[[Arguments], Action]]
    label: str
    shown: str
    aliases: Mapping[str, str]

    def read(self, text: str, frame: Frame, pointer: Point | None = None) -> Action:
        """The action of the first call: after the label, or at the beginning of a line. Raises InvalidAction."""
        known = "|".join(self.words)
        match = re.search(rf"{self.label}[\s`*]*([a-z_]\w{{0,40}})|^[ \t]*({known})(?=\()", text, re.I | re.M)
        if match is None:
            raise InvalidAction(f"the reply holds no call: write one of {self.shown}")
        name = (match[1] or match[2]).lower()
        if name not in self.words:
            raise InvalidAction(f"unknown action {name!r}: choose one of {self.shown}")
        try:
            values = _arguments(Reader(text, match.end()))
        except NotAValue as error:
            raise InvalidAction(f"the call of {name} cannot be read: {error}") from None
        values = {self.aliases.get(key, key): value for key, value in values.items() if value not in (None, [])}
        return self.words[name](Arguments(name, values, frame, pointer))


def written_call(name: str, arguments: Mapping[str, str | float]) -> str:
    """A call as `Calls.read` reads it; strings are taken as written, see `quoted`."""
    return f"{name}({', '.join(f'{key}={_written(value)}' for key, value in arguments.items())})"


def quoted(text: str) -> str:
    """A string in single quotes, with backslashes before quotes, backslashes and (as \\n) line breaks."""
    return f"'{text.translate(_WRITTEN_ESCAPES)}'"


def unless(name: str, value: float, default: float) -> dict[str, float]:
    """An argument that is left out where it says nothing new."""
    return {} if value == default else {name: value}


def _written(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _arguments(reader: Reader) -> dict[str, Value]:
    """The named values up to the closing bracket of a call."""
    if not reader.next_is("("):
        raise NotAValue("the opening bracket is missing")
    found: dict[str, Value] = {}
    while not reader.next_is(")"):
        key = _KEY.match(reader.text, reader.position)
        if key is None:
            raise NotAValue("an argument has the form name='value'")
        reader.position = key.end()
        found[key[1].lower()] = reader.value()
        if reader.next_is(","):
            continue
        if reader.next_is(")"):
            break
        found[key[1].lower()] = _bare_quotes(reader.text, key.end())
        break
    return found


def _bare_quotes(text: str, start: int) -> Value:
    """A last string with quotes of its own that the model did not escape: content='it's'."""
    match = _QUOTED[text[start]].match(text, start) if text[start] in _QUOTED else None
    if match is None:
        raise NotAValue("a comma or the closing bracket is missing")
    escaped = _ESCAPED.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", match[1])
    return Reader(f"{text[start]}{escaped}{text[start]}").string()

"""Values as models write them: JSON and Python literals, and what lies between.

One reader for both, written by hand because it must be safe on any text: it evaluates nothing, its depth and the size
of its numbers are limited, and it raises `NotAValue` and nothing else. On valid JSON within those limits it agrees
with `json.loads`. It also takes single quotes, trailing commas, Python's words and tuples, raw newlines in strings,
unknown escapes (kept as written: Windows paths) and, when asked, closing braces lost at the end of the text.
"""

import re

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z]+")
_STRING = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL),
}
_END = re.compile(r"\s*(?:\Z|</|```|<\|)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SURROGATES = re.compile("([\ud800-\udbff])([\udc00-\udfff])")
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_DEEPEST = 12
_LONGEST_NUMBER = 40


class NotAValue(Exception):  # noqa: N818 (a finding, not a failure)
    """The text holds no value here."""


class Reader:
    """Reads values from `text`, beginning at `position`.

    close_braces: closing braces that are missing at the end of the text, or before a closing tag, are taken as written.
    Only braces: an unfinished string, number or list may have lost something that matters. keys_read: how many keys of
    objects were read so far; 0 after a failure means that what looked like an object was none, like {this}.
    """

    def __init__(self, text: str, position: int = 0, *, close_braces: bool = False) -> None:
        self.text = text
        self.position = position
        self.keys_read = 0
        self._close_braces = close_braces

    def next_is(self, token: str) -> bool:
        """Step over blanks, and over `token` if it comes next."""
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def at_end(self) -> bool:
        """Step over blanks; whether nothing else is left."""
        self.next_is("")
        return self.position == len(self.text)

    def value(self, depth: int = 0) -> Value:
        """The value that comes next."""
        if depth > _DEEPEST:
            raise NotAValue(f"more than {_DEEPEST} levels of brackets")
        if self.next_is("{"):
            return self._object(depth)
        for opening, closing in ("[]", "()"):
            if self.next_is(opening):
                return self._list(closing, depth)
        if self.text[self.position : self.position + 1] in _STRING:
            return self.string()
        return self._number_or_word()

    def string(self) -> str:
        """The quoted string that comes next."""
        self.next_is("")
        quote = self.text[self.position : self.position + 1]
        if quote not in _STRING:
            raise NotAValue("a quoted string is missing")
        match = _STRING[quote].match(self.text, self.position)
        if match is None:
            raise NotAValue("a string is not closed")
        self.position = match.end()
        return _unescape(match[1])

    def _object(self, depth: int) -> Value:
        found: dict[str, Value] = {}
        while not self.next_is("}"):
            key = self.string()
            if not self.next_is(":"):
                raise NotAValue(f"no colon after the key {key[:40]!r}")
            self.keys_read += 1
            found[key] = self.value(depth + 1)
            if self.next_is(","):
                continue
            if self.next_is("}") or self._cut_after(found[key]):
                break
            raise NotAValue(f"a comma or a closing brace is missing after the value of {key[:40]!r}")
        return found

    def _list(self, closing: str, depth: int) -> Value:
        found: list[Value] = []
        while not self.next_is(closing):
            found.append(self.value(depth + 1))
            if not self.next_is(","):
                if self.next_is(closing):
                    break
                raise NotAValue(f"a comma or {closing!r} is missing in a list")
        return found

    def _cut_after(self, value: Value) -> bool:
        # A number at the end may have lost digits: only what has its own end counts as complete.
        complete = isinstance(value, str | bool | list | dict)
        return complete and self._close_braces and _END.match(self.text, self.position) is not None

    def _number_or_word(self) -> Value:
        number = _NUMBER.match(self.text, self.position)
        if number is not None:
            self.position = number.end()
            return _number(number[0])
        word = _WORD.match(self.text, self.position)
        if word is not None and word[0] in _WORDS:
            self.position = word.end()
            return _WORDS[word[0]]
        raise NotAValue(f"no value at {self.text[self.position : self.position + 20]!r}")


def _number(text: str) -> int | float:
    if len(text) > _LONGEST_NUMBER:
        raise NotAValue("a number is too long")
    return float(text) if set(text) & set(".eE") else int(text)


def _unescape(raw: str) -> str:
    if "\\" not in raw:
        return raw
    return _SURROGATES.sub(_joined, _ESCAPE.sub(_meant, raw))


def _meant(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    if code:
        return chr(int(code, 16))
    return _SIMPLE_ESCAPES.get(escape[3], escape[0])


def _joined(pair: re.Match[str]) -> str:
    return (pair[1] + pair[2]).encode("utf-16", "surrogatepass").decode("utf-16")

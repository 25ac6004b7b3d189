"""The device's shell: as much of POSIX as adb and its clients use.

Quoting, `;`, `&&`, `||` and `$?`. Everything else that a shell would act on (a variable, a substitution, a pipe, a
redirection, a pattern) is refused and remembered as an alarm: no client should let it through unquoted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Joint = Literal["start", "always", "and", "or"]
_OPERATORS: dict[str, Joint] = {";": "always", "\n": "always", "&&": "and", "||": "or"}
_ACTIVE = set("|&<>()$`*?[~#\\{}")


class ShellError(Exception):
    """A line that this shell does not understand."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command leaves: output, errors, exit status."""

    out: bytes = b""
    err: bytes = b""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line. joint: what the one before it must have done. words: the first is its name."""

    joint: Joint
    words: tuple[str, ...]


Run = Callable[[tuple[str, ...]], Result]
STATUS = "\0status"
"""Stands for `$?` in a word."""


def parse(line: str) -> list[Command]:
    """The commands of a line. Raises ShellError."""
    commands: list[Command] = []
    joint: Joint = "start"
    words: list[str] = []
    for token in _tokens(line):
        if isinstance(token, Operator):
            if words:
                commands.append(Command(joint, tuple(words)))
            elif token.text != "\n":
                raise ShellError(f"syntax error: unexpected {token.text!r}")
            joint, words = _OPERATORS[token.text], []
        else:
            words.append(token)
    if words:
        commands.append(Command(joint, tuple(words)))
    return commands


def run_line(line: str, run: Run) -> Iterator[Result]:
    """Run a line command by command; the last result's code is the line's. Raises ShellError before anything is run."""
    code = 0
    for command in parse(line):
        if (command.joint == "and" and code) or (command.joint == "or" and not code):
            continue
        result = run(tuple(word.replace(STATUS, str(code)) for word in command.words))
        code = result.code
        yield result


@dataclass(frozen=True, slots=True)
class Operator:
    text: str


def _tokens(line: str) -> Iterator[str | Operator]:
    """Words and operators, in order."""
    at, end = 0, len(line)
    while at < end:
        character = line[at]
        if character in " \t":
            at += 1
        elif line.startswith("\\\n", at):  # the line goes on; no word begins
            at += 2
        elif (operator := next((o for o in ("&&", "||", ";", "\n") if line.startswith(o, at)), None)) is not None:
            yield Operator(operator)
            at += len(operator)
        else:
            word, at = _word(line, at)
            yield word


def _word(line: str, at: int) -> tuple[str, int]:
    """The word that begins at `at`, and where it ends."""
    parts: list[str] = []
    while at < len(line) and line[at] not in " \t\n;" and line[at : at + 2] not in ("&&", "||"):
        character = line[at]
        if character == "'":
            piece, at = _single_quoted(line, at + 1)
        elif character == '"':
            piece, at = _double_quoted(line, at + 1)
        elif character == "\\" and at + 1 < len(line):
            piece, at = line[at + 1].replace("\n", ""), at + 2
        elif line.startswith("$?", at):
            piece, at = STATUS, at + 2
        elif character in _ACTIVE:
            raise ShellError(f"unquoted {character!r} at {at} of {line[:200]!r}")
        else:
            piece, at = character, at + 1
        parts.append(piece)
    return "".join(parts), at


def _single_quoted(line: str, at: int) -> tuple[str, int]:
    end = line.find("'", at)
    if end < 0:
        raise ShellError("no closing quote")
    return line[at:end], end + 1


def _double_quoted(line: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(line) and line[at] != '"':
        if line[at] in "$`":
            raise ShellError(f"{line[at]!r} inside double quotes at {at} of {line[:200]!r}")
        if line[at] == "\\" and at + 1 < len(line) and line[at + 1] in '$`"\\\n':
            at += 1
        parts.append(line[at])
        at += 1
    if at >= len(line):
        raise ShellError("no closing quote")
    return "".join(parts), at + 1

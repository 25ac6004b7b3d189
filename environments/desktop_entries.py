"""The applications of a Linux desktop, as their desktop entries describe them (freedesktop.org's specification)."""

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from action_space.errors import InvalidAction

_FIELD_CODE = re.compile(r"%[fFuUdDnNickvm]")
_ESCAPES = {r"\s": " ", r"\n": "\n", r"\t": "\t", r"\r": "\r", r"\\": "\\"}


@dataclass(frozen=True, slots=True)
class Application:
    """names: every name a person may call it by, in lower case. command: what starts it. window_names: WM_CLASS."""

    title: str
    names: frozenset[str]
    command: tuple[str, ...]
    window_names: frozenset[str]


def installed_applications(environment: Mapping[str, str]) -> list[Application]:
    """Every application that a menu would show or hide, the person's own first. Unreadable ones are left out."""
    found: dict[str, Application | None] = {}
    for folder in _folders(environment):
        for path in sorted(folder.rglob("*.desktop")):
            if path.name not in found:
                found[path.name] = _read(path)
    return [application for application in found.values() if application is not None]


def find_application(name: str, applications: Sequence[Application]) -> Application | None:
    """The application that is called so: in full, or else by one name only that begins with it."""
    wanted = " ".join(name.lower().split())
    for application in applications:
        if wanted in application.names:
            return application
    begun = [one for one in applications if any(known.startswith(wanted) for known in one.names)] if wanted else []
    return begun[0] if len(begun) == 1 else None


def not_installed(name: str, titles: Iterable[str]) -> InvalidAction:
    """What is said about an application that is not there, with titles that look like its name."""
    by_lower = {title.lower(): title for title in titles}
    close = [by_lower[found] for found in difflib.get_close_matches(name.lower(), by_lower, n=5, cutoff=0.5)]
    return InvalidAction(
        f"no application is called {name[:80]!r} here" + (f"; there is {', '.join(close)}" if close else "")
    )


def parse_entry(text: str, stem: str) -> Application | None:
    """One desktop entry; `stem` is its file's name without the ending. None if it starts no program."""
    fields = dict(_fields(text))
    if fields.get("Type") != "Application" or fields.get("Hidden") == "true":
        return None
    command = _command(fields.get("Exec", ""))
    if not command or not fields.get("Name"):
        return None
    program = Path(command[0]).name
    names = {value for key, value in fields.items() if re.fullmatch(r"(Name|GenericName)(\[.*\])?", key)} | {stem}
    if len(command) == 1:
        # `editor --preferences` is not what somebody means by "editor".
        names.add(program)
    if fields.get("Terminal") == "true":
        command = ("x-terminal-emulator", "-e", *command)
    window_names = {fields.get("StartupWMClass", ""), program, stem} - {""}
    return Application(
        title=fields["Name"],
        names=frozenset(" ".join(one.lower().split()) for one in names),
        command=command,
        window_names=frozenset(one.lower() for one in window_names),
    )


def _read(path: Path) -> Application | None:
    try:
        return parse_entry(path.read_text("utf-8"), path.stem)
    except (OSError, UnicodeDecodeError):
        return None


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".local/share")
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for place in (home, *shared.split(os.pathsep)):
        if place:
            yield Path(place) / "applications"


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The lines of the first group; its actions come in groups of their own."""
    inside = False
    for line in text.splitlines():
        if line.startswith("["):
            if inside:
                return
            inside = line.strip() == "[Desktop Entry]"
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield key.strip(), re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), value.strip())


def _command(line: str) -> tuple[str, ...]:
    """The words of an Exec line without the places for files. () if it cannot be read."""
    try:
        words = shlex.split(line)
    except ValueError:
        return ()
    # "%%" stands for a percent sign.
    kept = (_FIELD_CODE.sub("", word.replace("%%", "\0")).replace("\0", "%") for word in words)
    return tuple(word for word in kept if word)

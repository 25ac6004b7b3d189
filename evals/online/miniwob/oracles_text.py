"""Oracles of tasks that are solved by typing."""

import re
from collections.abc import Iterator

from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import only, quoted, submit


def fill(eyes: Eyes, selector: str, text: str, name: str = "text field") -> Iterator[Deed]:
    """Click on a field and type into it."""
    yield eyes.click(only(selector), name)
    yield eyes.type(text)


def answer(eyes: Eyes, text: str, field: str = "#tt") -> Iterator[Deed]:
    yield from fill(eyes, field, text)
    yield submit(eyes)


def enter_text(eyes: Eyes) -> Iterator[Deed]:
    yield from answer(eyes, quoted(eyes.task))


def enter_text_2(eyes: Eyes) -> Iterator[Deed]:
    text = quoted(eyes.task)
    yield from answer(eyes, text.upper() if "upper case" in eyes.task else text.lower())


def enter_password(eyes: Eyes) -> Iterator[Deed]:
    yield from fill(eyes, "#password", quoted(eyes.task), "Password")
    yield from fill(eyes, "#verify", quoted(eyes.task), "Verify password")
    yield submit(eyes)


def login_user(eyes: Eyes) -> Iterator[Deed]:
    name, password = re.findall(r'"([^"]*)"', eyes.task)
    yield from fill(eyes, "#username", name, "Username")
    yield from fill(eyes, "#password", password, "Password")
    yield submit(eyes)

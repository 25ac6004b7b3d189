"""Oracles of the inboxes and of the social media."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import only, quoted, with_text
from evals.online.miniwob.oracles_text import fill


@dataclass(frozen=True, slots=True)
class _Wish:
    """kind: delete, important, reply or forward. by: the sender. text: of the reply, or whom to forward to."""

    kind: str
    by: str
    text: str = ""


def _wish(eyes: Eyes) -> _Wish:
    fields = eyes.read("core.currentFields ?? null")
    if fields:
        text = fields.get("message") or fields.get("to") or fields.get("target") or ""
        kind = {"star": "important"}.get(fields.get("task", "forward"), fields.get("task", "forward"))
        return _Wish(kind, fields["by"], text)
    by = re.findall(r"(?:by|from) ([\w-]+)", eyes.task)[0]
    if "trash" in eyes.task:
        return _Wish("delete", by)
    if "star icon" in eyes.task:
        return _Wish("important", by)
    if '"' in eyes.task:
        return _Wish("reply", by, quoted(eyes.task))
    return _Wish("forward", by, re.findall(r"(?:to|[Ss]end) ([\w-]+)(?! the email to)", eyes.task)[0])


def email(eyes: Eyes) -> Iterator[Deed]:
    wish = _wish(eyes)
    thread = f"{with_text('#main .email-sender', wish.by)}.closest('.email-thread')"
    match wish.kind:
        case "delete":
            yield from eyes.reach(f"{thread}.querySelector('.trash')", "trash icon")
        case "important":
            yield from eyes.reach(f"{thread}.querySelector('.star')", "star icon")
        case "reply":
            yield from eyes.reach(f"{thread}.querySelector('.email-sender')")
            yield from eyes.reach(only("#email .email-reply"))
            yield from fill(eyes, "#reply-text", wish.text, "text")
            yield eyes.click(only("#send-reply"), "send icon")
        case _:
            yield from eyes.reach(f"{thread}.querySelector('.email-sender')")
            yield from eyes.reach(only("#email .email-forward"))
            yield from fill(eyes, "#forward input", wish.text)
            yield eyes.click(only("#send-forward"), "send icon")


def _posts(user: str) -> str:
    return (
        f"[...document.querySelectorAll('.media')].filter(e => e.querySelector('.username').textContent === {user!r})"
    )


_MOST_CLICKS = 3
"""An icon becomes another picture under the pointer. Until that is loaded it has no size, and misses the click."""


def _click_until(eyes: Eyes, element: str, name: str, done: str) -> Iterator[Deed]:
    """Click until a condition in JavaScript is true; "false" for a click that ends the episode."""
    for _ in range(_MOST_CLICKS):
        yield from eyes.reach(element, name)
        if eyes.read(done):
            break


def social_media(eyes: Eyes) -> Iterator[Deed]:
    user, name = re.findall(r'user (\S+), click on the "(.+)" button', eyes.task)[0]
    button = eyes.read(f"Object.keys(ACTIONS).find(key => ACTIONS[key] === {name!r})")
    post = f"{_posts(user)}[0]"
    if button not in ("reply", "retweet", "like"):
        is_open = f"!{post}.querySelector('ul').classList.contains('hide')"
        yield from _click_until(eyes, f"{post}.querySelector('.more')", "more", is_open)
    yield from _click_until(eyes, f"{post}.querySelector('.{button}')", name, "false")


def social_media_some(eyes: Eyes) -> Iterator[Deed]:
    button, count, user = re.findall(r'"(\w+)" button on (\d+|all) posts? by (\S+) and', eyes.task)[0]
    posts = _posts(user)
    for number in range(eyes.read(f"{posts}.length") if count == "all" else int(count)):
        icon = f"{posts}[{number}].querySelector('.{button.lower()}')"
        yield from _click_until(eyes, icon, button, f"{icon}.classList.contains('active')")
    yield from eyes.reach(only("#submitRow button"))

"""Oracles of ordering, buying and booking."""

import re
from collections.abc import Iterator

from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import only, with_text
from evals.online.miniwob.oracles_text import fill
from evals.online.miniwob.oracles_widgets import pick_day


def order_food(eyes: Eyes) -> Iterator[Deed]:
    if "one of each item: " in eyes.task:
        names = [name.strip() for name in eyes.task.split("item: ")[1].split(", ")]
    else:
        count, kind = re.findall(r"Order (\d) items that are (\S+)", eyes.task)[0]
        names = [eyes.read(f"MENU.find(item => item.types.includes({kind!r})).name").strip()] * int(count)
    for name in names:
        yield from eyes.reach(f"{with_text('.item-name', name)}.closest('.food-item').querySelector('.add')", "+")
    yield from eyes.reach(only("#submit-order button"))


def _best(eyes: Eyes, attribute: str, most: str) -> str:
    """The button of the ticket with the smallest or greatest value, as JavaScript."""
    values = eyes.read(f"[...document.querySelectorAll('[data-{attribute}]')].map(e => +e.dataset.{attribute})")
    number = values.index(max(values) if most in ("longest", "most") else min(values))
    return f"document.querySelectorAll('.flight')[{number}].querySelector('button')"


def buy_ticket(eyes: Eyes) -> Iterator[Deed]:
    most, *_, what = eyes.task.removeprefix("Buy the ticket with the ").rstrip(".").split()
    yield from eyes.reach(_best(eyes, "duration" if what == "duration" else "price", most))


def book_flight(eyes: Eyes) -> Iterator[Deed]:
    most, start, end, date = re.findall(
        r"the (\w+) one-way flight from: (.+) to: (.+) on (\d\d/\d\d/\d{4})", eyes.task
    )[0]
    for field, place in (("#flight-from", start), ("#flight-to", end)):
        yield from fill(eyes, field, place, "From" if field == "#flight-from" else "To")
        items = "[...document.querySelectorAll('.ui-menu-item')]"
        item = f"{items}.find(e => e.offsetParent !== null && e.textContent.includes({place!r}))"
        yield from eyes.until_shown(item)
        yield from eyes.reach(item)
    yield from pick_day(eyes, date)
    yield eyes.click(only("#search"))
    yield from eyes.reach(_best(eyes, "duration" if most == "shortest" else "price", most))

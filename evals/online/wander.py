"""Going about in a web application by chance: to what was used least, by clicks, words, wheel and back.

It never leaves the application's origin for longer than a look, and never touches what its owner wants left alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from action_space.actions import Action, Click, Open, Press, Scroll, Type
from action_space.errors import ModelMistake
from action_space.geometry import Box, Point, Size
from environments.browser import BrowserEnvironment
from environments.chromium import process_of
from evals.online.sights import Sight, look, parts_of
from vlm.training.data.words import Words

AVOID = (
    r"delete|remove|erase|destroy|drop|reset|discard|log ?out|log ?off|sign ?out|pay|buy|order now|purchase|checkout|"
    r"send|publish|shut ?down|restart|quit|uninstall|deactivate|unsubscribe"
)
SIZES = {(1024, 640): 3, (1280, 720): 4, (1366, 768): 3, (1440, 900): 2, (1600, 900): 1, (1920, 1080): 1}
"""Of the window -> how often."""
STEPS = 20
"""Of a visit; then the browser is closed, and another visit begins on another page."""
MOST_AWAY = 3
"""Looks in a row at other origins: there is no way back."""
SCROLL, BACK = 0.12, 0.06
"""How often, of all moves."""
SETTLE_S, TIMEOUT_S = 4.0, 30.0
LEFT, MOVED = "left the application", "moved while it was looked at"
_SEARCHES = re.compile(r"search|find|filter|query|go to", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True, slots=True)
class Site:
    """An application. avoid: what names and addresses of controls must not match. storage_state: see
    `BrowserEnvironment`."""

    url: str
    avoid: re.Pattern[str]
    storage_state: Path | None = None

    def owns(self, url: str) -> bool:
        """Whether an address is of its origin; of files, whether it lies in the same folder."""
        mine, other = urlsplit(self.url), parts_of(url)
        below = mine.scheme != "file" or other.path.startswith(mine.path.rpartition("/")[0])
        return (mine.scheme, mine.netloc) == (other.scheme, other.netloc) and below

    def allows(self, row: dict[str, Any]) -> bool:
        """Whether a control may be used."""
        href = row.get("href", "")
        leaves = href.startswith(("http", "file", "mailto", "tel")) and not self.owns(href)
        return not leaves and not self.avoid.search(row["name"]) and not self.avoid.search(href)


def avoiding(pattern: str) -> re.Pattern[str]:
    """Whole words, in any case; what joins words in addresses ends them. Raises re.error."""
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])", re.IGNORECASE)


@dataclass(slots=True)
class Memory:
    """What is known of an application from all visits. used: controls, by page; screens: kept of a page; addresses: of
    pages that were seen; found: addresses that links lead to and nobody went to yet, by path. dropped: what was left
    out, by reason."""

    used: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    screens: Counter[str] = field(default_factory=Counter)
    addresses: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    _gone_to: set[str] = field(default_factory=set)

    def take_dropped(self) -> dict[str, int]:
        """What was left out since the last call, by reason."""
        dropped, self.dropped = self.dropped, Counter()
        return {why: count for why, count in dropped.items() if count}

    def note(self, sight: Sight, site: Site) -> None:
        self.addresses.setdefault(sight.state, sight.url)
        self._went(sight.url)
        for row in sight.labels["elements"]:
            href = row.get("href", "")
            path = parts_of(href).path
            if path and path not in self._gone_to and site.owns(href) and site.allows(row):
                self.found.setdefault(path, href)

    def start(self, rng: Random, site: Site) -> str:
        """Where to begin a visit: somewhere new, or where least was seen."""
        if not self.addresses:
            return site.url
        if self.found and rng.random() < 0.6:
            url = self.found[rng.choice(sorted(self.found))]
            self._went(url)
            return url
        least = min(self.screens[state] for state in self.addresses)
        return self.addresses[rng.choice(sorted(s for s in self.addresses if self.screens[s] == least))]

    def _went(self, url: str) -> None:
        path = parts_of(url).path
        self._gone_to.add(path)
        self.found.pop(path, None)


def visit(site: Site, memory: Memory, rng: Random, downloads: Path) -> Iterator[Sight]:
    """Begin somewhere, make some moves, and yield what is seen before each. Raises ConfigError, DeviceError."""
    url = memory.start(rng, site)
    size = Size(*rng.choices(list(SIZES), weights=list(SIZES.values()))[0])
    words = Words(rng, held_out=False)
    with BrowserEnvironment(
        url,
        viewport=size,
        settle_s=SETTLE_S,
        timeout_s=TIMEOUT_S,
        dialogs="dismiss",
        downloads=downloads,
        storage_state=site.storage_state,
    ) as world:
        for sight in _looks(world, site, memory):
            memory.note(sight, site)
            yield sight
            _do(world, next_move(site, memory, rng, words, sight))


def _looks(world: BrowserEnvironment, site: Site, memory: Memory) -> Iterator[Sight]:
    """What is seen of the application. Elsewhere it is opened anew, as long as that helps."""
    browser = world.page.context.browser
    browsers = [process_of(browser)] if browser else []
    away = 0
    for _ in range(STEPS):
        sight = look(world, browsers, memory.dropped)
        if sight is None:
            memory.dropped[MOVED] += 1
        elif site.owns(sight.url):
            away = 0
            yield sight
        elif away == MOST_AWAY:
            return
        else:
            away += 1
            memory.dropped[LEFT] += 1
            _do(world, [Open(target=site.url)])


def _do(world: BrowserEnvironment, actions: Sequence[Action]) -> None:
    """A move that is not possible here is none: there is another one at the next step."""
    for action in actions:
        try:
            world.execute(action)
        except ModelMistake:
            return


def next_move(site: Site, memory: Memory, rng: Random, words: Words, sight: Sight) -> list[Action]:
    """What is done on a screen: the control that was used least on its page, or the wheel, or back."""
    able = [row for row in sight.labels["elements"] if site.allows(row)]
    roll = rng.random()
    if roll < SCROLL or not able:
        middle = Point(*(side // 2 for side in sight.labels["size"]))
        down = "down" if roll < 0.8 * SCROLL or not able else "up"
        return [Scroll(point=middle, direction=down, amount=rng.randint(2, 6))]
    if roll < SCROLL + BACK:
        return [Press(keys=("back",))]
    used = memory.used
    least = min(used[sight.state, row["kind"], row["name"]] for row in able)
    row = rng.choice([row for row in able if used[sight.state, row["kind"], row["name"]] == least])
    used[sight.state, row["kind"], row["name"]] += 1
    return use(rng, words, sight, row)


def use(rng: Random, words: Words, sight: Sight, row: dict[str, Any]) -> list[Action]:
    """What one does with a control of its kind."""
    click = Click(point=Box(*(row.get("label") or row["box"])).center)
    if row["kind"] == "field":
        typed: list[Action] = [click, Press(keys=("ctrl", "a")), Type(text=_something(rng, words, sight))]
        return [*typed, Press(keys=("enter",))] if _SEARCHES.search(row["name"]) else typed
    if row["kind"] == "select":
        return [click, *[Press(keys=("down",))] * rng.randint(1, 3), Press(keys=("enter",))]
    return [click]


def _something(rng: Random, words: Words, sight: Sight) -> str:
    """Words to type; half of the time one that stands on the screen, so that a search may find something."""
    shown = _WORD.findall(" ".join(line["text"] for line in sight.labels["lines"]))
    return rng.choice(shown) if shown and rng.random() < 0.5 else words.label(2)

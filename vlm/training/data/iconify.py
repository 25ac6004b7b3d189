"""Icons of `@iconify/json`, a package of some two hundred icon sets, each of them one file of JSON.

Of them those are taken that draw what stands on buttons, in one colour, under a licence that asks for no more than to
be named. Left out are also those by whom the held-out sets are drawn, or whose drawings those took over.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from action_space.errors import ConfigError

PLACE = "@iconify/json"
_HELD_OUT = ("lucide", "heroicons", "feather", "meteor-icons", "sidekickicons")
"""How the names of sets begin that are held out; Lucide goes on from Feather, as Meteor does, and Sidekickicons draws
what Heroicons lacks."""
_OTHER_THINGS = {"Logos", "Emoji", "Flags / Maps", "Programming", "Thematic"}
_ASKS_FOR_MORE = re.compile("SA|NC|GPL")
_HOW_IT_IS_DRAWN = re.compile(
    r"^(baseline|outline|round|sharp|twotone|ios|md|bx|bxs|sc)-|-(outlined?|fill|filled|solid|sharp|bold|line|linear|"
    r"rounded|round|thin|light|duotone|broken|regular|twotone|two-tone|duo|stroke|remix|alt|variant|simple|\d+)$"
)
_VARIANTS = 4
"""Drawings of one thing that are taken of a set: some draw it in a dozen ways."""
_LONGEST = 6000
"""Letters of a drawing: a page holds hundreds."""
_BOX = (("left", 0), ("top", 0), ("width", 16), ("height", 16))
"""Of a drawing where neither it nor its set says another."""


def iconify_icons(folder: Path) -> Iterator[tuple[str, str]]:
    """What each drawing shows ("arrow-up"), and its SVG. folder: where npm put the package; nothing if it did not.

    Raises ConfigError for a package that cannot be read.
    """
    place = folder / "node_modules" / PLACE
    if not place.is_dir():
        return
    try:
        for name, about in sorted(json.loads((place / "collections.json").read_bytes()).items()):
            if _is_taken(name, about):
                yield from _of_set(json.loads((place / "json" / f"{name}.json").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"cannot read the icons in {str(place)!r}: {error}; install them again") from error


def _is_taken(name: str, about: dict[str, Any]) -> bool:
    return not (
        name.startswith(_HELD_OUT)
        or about.get("palette")
        or about.get("category") in _OTHER_THINGS
        or _ASKS_FOR_MORE.search(about["license"].get("spdx", "NC"))
    )


def _of_set(icons: dict[str, Any]) -> Iterator[tuple[str, str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, icon in sorted(icons["icons"].items()):
        body = icon["body"]
        if len(body) <= _LONGEST and "<animate" not in body and "<set" not in body:
            sides = (icon.get(key, icons.get(key, default)) for key, default in _BOX)
            box = " ".join(str(side) for side in sides)
            found[thing_of(name)].append(f'<svg class=ic viewBox="{box}" fill=none>{body}</svg>')
    for thing, drawings in found.items():
        every = -(-len(drawings) // _VARIANTS)
        yield from ((thing, drawing) for drawing in drawings[::every])


def thing_of(name: str) -> str:
    """What a drawing shows, by its name: "home-2-outline" -> "home"."""
    before = ""
    while before != name:
        before, name = name, _HOW_IT_IS_DRAWN.sub("", name, count=1) or name
    return name.rstrip("0123456789").rstrip("-") or name

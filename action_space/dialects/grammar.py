"""Parts of the grammars that replies have to fit, in the Lark dialect of llguidance."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from action_space.geometry import Point, Size
from action_space.keys import KEYS

_WORD = re.compile(r"""\w+(?:[^\w\s"'`“”«»]+\w+)*|\W""")
_NEAR = 28, 10
"""Pixels across and down; so near a point that led nowhere another one does too. Rows may be close together."""
_ROOM = "11111", "22222"
"""Stand for x and y in a reply that is taken apart."""


def pixels(size: Size) -> str:
    """The rules `x` and `y`: whole numbers inside a picture of this size."""
    return f"x: {_integers(0, size.width - 1)}\ny: {_integers(0, size.height - 1)}\n"


def places(size: Size, spent: Sequence[Point] = ()) -> str:
    """The rule `place`: `x, y` inside a picture of this size, but not near one of the spent points, which stand for
    all of a control's middle. If these leave nothing, any."""
    edges = (edge for point in spent for edge in (point.x - _NEAR[0], point.x + _NEAR[0] + 1))
    columns = sorted({0, size.width, *(edge for edge in edges if 0 < edge < size.width)})
    parts = [
        (left, right, top, bottom)
        for left, right in pairwise(columns)
        for top, bottom in _free_rows([point.y for point in spent if abs(point.x - left) <= _NEAR[0]], size.height)
    ] or [(0, size.width, 0, size.height)]
    rules = [f"place: {' | '.join(f'place_{number}' for number in range(len(parts)))}\n"]
    for number, (left, right, top, bottom) in enumerate(parts):
        rules.append(f'place_{number}: x_{number} ", " y_{number}\n')
        rules.append(f"x_{number}: {_integers(left, right - 1)}\ny_{number}: {_integers(top, bottom - 1)}\n")
    return "".join(rules)


def _free_rows(spent: Iterable[int], height: int) -> Iterator[tuple[int, int]]:
    """The rows from 0 to height that are not near the spent ones, as first and end."""
    start = 0
    for y in sorted(spent):
        if y - _NEAR[1] > start:
            yield start, y - _NEAR[1]
        start = max(start, y + _NEAR[1] + 1)
    if start < height:
        yield start, height


def strings() -> str:
    """The rule `string`: one in double quotes, as in JSON, that is not empty."""
    return f"string: {_json({'type': 'string', 'minLength': 1})}\n"


def keys() -> str:
    """The rule `key`: a canonical name of a key, or a character, in double quotes."""
    return f"key: {_json({'enum': key_names()})}\n"


def key_names() -> list[str]:
    """All keys that a grammar offers."""
    return [*KEYS, *(chr(code) for code in range(33, 127) if not chr(code).isupper())]


def numbers(name: str, first: int, last: int) -> str:
    """A rule for whole numbers from `first` to `last`."""
    return f"{name}: {_integers(first, last)}\n"


def objects(schemas: Iterable[Mapping[str, object]]) -> str:
    """The rule `object`: JSON that fits one of the schemas, on one line, spaced as Python writes it."""
    spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return f"object: {_json({'anyOf': list(schemas), 'x-guidance': spacing})}\n"


def quotes(loose: Sequence[str], whole: Sequence[str] = ()) -> str:
    """The rule `quote`, in double quotes, as in JSON: some words in a row of one of the `loose` texts, or all of them;
    or one of the `whole` texts, of which nothing may be left out.

    What stands between letters, as in RT-88 or ann@example.org, parts no words; quotation marks do.
    """
    runs = [words for text in loose if (words := [_in_json(word) for word in _WORD.findall(text)])]
    kinds = [json.dumps(_in_json(text), ensure_ascii=False) for text in dict.fromkeys(whole)]
    kinds += [f"WORDS_{number}" for number in range(len(runs))]
    # Some words may be none, and may begin or end with a blank.
    rules = [f"QUOTED: ({' | '.join(kinds)}) & /\\S((?s:.*)\\S)?/\n"]
    rules += [f"WORDS_{n}: %regex {json.dumps({'substring_chunks': run})}\n" for n, run in enumerate(runs)]
    return 'quote: "\\"" QUOTED "\\""\n' + "".join(rules)


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def around(reply: str, size: Size) -> str:
    """The grammar of a reply that is always the same but for its point. reply: written for the point (11111, 22222)."""
    parts = reply.replace(_ROOM[0], "\0x\0").replace(_ROOM[1], "\0y\0").split("\0")
    return f"start: {' '.join(part if part in 'xy' else json.dumps(part) for part in parts if part)}\n{pixels(size)}"


def _integers(first: int, last: int) -> str:
    return _json({"type": "integer", "minimum": first, "maximum": last})


def _json(schema: Mapping[str, object]) -> str:
    return f"%json {json.dumps(schema)}"

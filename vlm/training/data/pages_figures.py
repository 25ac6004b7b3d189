"""Figures, letters and digits in plain colours and two sizes, strewn about, or boxes side by side: what a control looks
like is all that tells it from the others, and is its name.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import product

from vlm.training.data.pages import Page
from vlm.training.data.sheet import Sheet, strict_document

SIZES = ((320, 420), (280, 280), (420, 320), (224, 336), (448, 448), (336, 224))
"""Width and height of a page, in CSS pixels."""
SMALL, LARGE = (16, 26), (36, 64)
"""Of a figure's side, in CSS pixels."""
BOXES = 0.25
"""How often a page has boxes in place of figures."""
BOX = (28, 130), (24, 90)
"""Width and height of a box, in CSS pixels."""
COLOURS = {
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "pink": (255, 192, 203),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "brown": (165, 42, 42),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "olive": (128, 128, 0),
    "navy": (0, 0, 128),
    "lime": (0, 255, 0),
    "maroon": (128, 0, 0),
    "teal": (0, 128, 128),
    "silver": (192, 192, 192),
}
"""Red, green and blue, as CSS has them."""
SHADE = 24
"""How far each part of a colour may be from that."""
SHAPES = {
    "circle": '<circle cx="50" cy="50" r="48"/>',
    "square": '<rect x="4" y="4" width="92" height="92"/>',
    "rectangle": '<rect x="2" y="22" width="96" height="56"/>',
    "triangle": '<polygon points="50,3 98,97 2,97"/>',
    "diamond": '<polygon points="50,2 98,50 50,98 2,50"/>',
    "star": '<polygon points="50,2 61,36 98,36 68,58 79,95 50,72 21,95 32,58 2,36 39,36"/>',
    "pentagon": '<polygon points="50,3 98,39 80,96 20,96 2,39"/>',
    "hexagon": '<polygon points="27,8 73,8 98,50 73,92 27,92 2,50"/>',
    "cross": '<polygon points="35,2 65,2 65,35 98,35 98,65 65,65 65,98 35,98 35,65 2,65 2,35 35,35"/>',
    "heart": '<path d="M50 96 L6 50 A25 25 0 0 1 50 18 A25 25 0 0 1 94 50 Z"/>',
}
LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@dataclass(frozen=True, slots=True)
class _Figure:
    """size: small or large, of a box "". group: what else of its kind is called."""

    size: str
    colour: str
    shape: str
    group: str

    def names(self) -> list[str]:
        """All that one may call it."""
        kinds = (self.shape, self.group, "item")
        named = [*product(("", self.size), ("", self.colour), kinds), ("", self.colour, "")]
        return list(dict.fromkeys(" ".join(filter(None, words)).lower() for words in named))


def figures_page(sheet: Sheet) -> Page:
    """Some figures, each named by what tells it from the others there; those that nothing tells have no name."""
    rng = sheet.rng
    width, height = rng.choice(SIZES)
    paper = rng.choice(("#fff", "#fff", "#fff", "#f6f4ee", "#eef2f8", "#222"))
    few = rng.sample(sorted(COLOURS), rng.randint(2, 6))
    hidden = {"black", "navy"} if paper == "#222" else {"white", "silver"}
    colours = [name for name in few if name not in hidden] or ["red"]
    parts = _boxes(sheet, colours, width, height) if rng.random() < BOXES else _strewn(sheet, colours, width, height)
    css = f"body{{width:{width}px;height:{height}px;background:{paper}}}svg{{display:block}}"
    css += ".figure{position:absolute;cursor:pointer}"
    return Page(strict_document(css, parts), width, height, 1.0)


def _strewn(sheet: Sheet, colours: list[str], width: int, height: int) -> str:
    rng = sheet.rng
    figures = [_figure(sheet, colours) for _ in range(rng.randint(3, 14))]
    taken, placed = list[tuple[int, int, int]](), list[tuple[_Figure, int, tuple[int, int]]]()
    for figure in figures:
        side = rng.randint(*(SMALL if figure.size == "small" else LARGE))
        if place := _place(sheet, side, width, height, taken):
            placed.append((figure, side, place))
    often = Counter(name for figure, _, _ in placed for name in figure.names())
    parts = ""
    for figure, side, (left, top) in placed:
        style = f"left:{left}px;top:{top}px;width:{side}px;height:{side}px"
        parts += _drawn(sheet, figure, often, style, figure_drawing(sheet, figure.colour, figure.shape, side))
    return parts


def _boxes(sheet: Sheet, colours: list[str], width: int, height: int) -> str:
    """Boxes of one size in rows and columns, each of any of the colours."""
    rng = sheet.rng
    wide, tall = (min(rng.randint(*sides), side - 8) for sides, side in zip(BOX, (width, height), strict=True))
    gap = rng.randint(2, 12)
    across, down = (min(3, (side + gap) // (part + gap)) for side, part in ((width, wide), (height, tall)))
    left, top = rng.randint(0, width - across * (wide + gap) + gap), rng.randint(0, height - down * (tall + gap) + gap)
    places = [(left + x * (wide + gap), top + y * (tall + gap)) for y in range(down) for x in range(across)]
    boxes = [(_Figure("", rng.choice(colours), "box", "box"), place) for place in places]
    often = Counter(name for figure, _ in boxes for name in figure.names())
    line, parts = rng.choice(("", "border:1px solid #000;", "border:2px solid #888;")), ""
    for figure, (x, y) in boxes:
        style = f"left:{x}px;top:{y}px;width:{wide}px;height:{tall}px;{line}background:{_shade(sheet, figure.colour)}"
        parts += _drawn(sheet, figure, often, style, "")
    return parts


def _figure(sheet: Sheet, colours: list[str]) -> _Figure:
    size, colour = sheet.rng.choice(("small", "large")), sheet.rng.choice(colours)
    return _Figure(size, colour, *any_shape(sheet))


def any_shape(sheet: Sheet) -> tuple[str, str]:
    """What a figure is, and what its kind is called: a shape, a letter or a digit."""
    group = sheet.rng.choice(("shape", "shape", "letter", "digit"))
    choices = {"shape": sorted(SHAPES), "letter": LETTERS, "digit": DIGITS}[group]
    return sheet.rng.choice(choices), group


def _place(
    sheet: Sheet, side: int, width: int, height: int, taken: list[tuple[int, int, int]]
) -> tuple[int, int] | None:
    """A place apart from those that are `taken` (left, top, side), to which it is added; None if chance finds none."""
    for _ in range(20):
        left, top = sheet.rng.randint(2, width - side - 2), sheet.rng.randint(2, height - side - 2)
        apart = (
            max(abs(2 * (left - x) + side - s), abs(2 * (top - y) + side - s)) / 2 - (side + s) / 2 for x, y, s in taken
        )
        if all(gap >= 4 for gap in apart):
            taken.append((left, top, side))
            return left, top
    return None


def _drawn(sheet: Sheet, figure: _Figure, often: Counter[str], style: str, inner: str) -> str:
    """A figure, with a name as a control has it if any of its own is that of no other."""
    unique = [name for name in figure.names() if often[name] == 1]
    role = f' role=button aria-label="{sheet.rng.choice(unique)}"' if unique else ""
    return f'<div class="figure"{role} data-called="{"|".join(figure.names())}" style="{style}">{inner}</div>'


def figure_drawing(sheet: Sheet, colour: str, shape: str, side: int) -> str:
    """A shape, a letter or a digit in a square of so many CSS pixels."""
    rng, fill = sheet.rng, _shade(sheet, colour)
    if shape in SHAPES:
        line = rng.choice(("", "", ' stroke="#000" stroke-width="3"'))
        return f'<svg viewBox="0 0 100 100" width="{side}" height="{side}" fill="{fill}"{line}>{SHAPES[shape]}</svg>'
    font = rng.choice(sheet.fonts)
    style = f"width:{side}px;color:{fill};font:{rng.choice((400, 700))} {side}px/{side}px '{font}';text-align:center"
    return f'<div style="{style}">{shape}</div>'


def _shade(sheet: Sheet, colour: str) -> str:
    """A little lighter or darker than CSS has it."""
    parts = [min(255, max(0, part + sheet.rng.randint(-SHADE, SHADE))) for part in COLOURS[colour]]
    return f"rgb({','.join(map(str, parts))})"

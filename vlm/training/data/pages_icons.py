"""A page packed with icons and coloured figures in many sizes: what one learns most from about them in one look."""

from vlm.training.data.icons import Icon
from vlm.training.data.pages import Page
from vlm.training.data.pages_figures import COLOURS, any_shape, figure_drawing
from vlm.training.data.sheet import Sheet, strict_document

WIDTH, HEIGHT = 1260, 700
SIZES = (12, 14, 16, 16, 18, 18, 20, 20, 22, 24, 24, 28, 32, 40, 48)
"""Of an icon, in CSS pixels."""
PITCH = 24
"""The least from one to the next: of several in one cell none is learned."""
COLUMNS = (1, 2, 2, 3, 4)
"""Side by side on a page, each full to its end whatever stands in the others."""
WORDS = 0.06
"""How often there is a word in an icon's place: what stands beside icons must go on being read."""
LARGE = 0.1
"""How often a figure is twice as large as the icons of its block."""
FIGURES = 0.2
"""How often there is a figure. It is called by its colour and shape; a letter or digit, which is read already, by its
colour alone."""


def icon_page(sheet: Sheet) -> Page:
    """Columns of icon buttons."""
    columns = sheet.rng.choice(COLUMNS)
    body = "".join(f'<div class="column">{_column(sheet, WIDTH / columns)}</div>' for _ in range(columns))
    css = (
        f"*{{font-family:'{sheet.rng.choice(sheet.fonts)}',sans-serif}}body{{width:{WIDTH}px;height:{HEIGHT}px;"
        f"font-size:{sheet.rng.choice((12, 13, 14, 16))}px;display:flex}}.column{{flex:1 1 0;min-width:0}}"
        ".block{display:flex;flex-wrap:wrap;align-items:center;padding:3px}"
        "button{color:inherit;background:none;border:0;padding:var(--p);display:flex}button .ic{width:100%;height:100%}"
        ".framed button{border:1px solid}.filled button{background:#8883}.round button{border-radius:50%;"
        "background:#8882}"
    )
    return Page(strict_document(css, body), WIDTH, HEIGHT, 1.0)


def _column(sheet: Sheet, width: float) -> str:
    """Blocks, each of one look."""
    rng, blocks, high = sheet.rng, "", 0
    while high < HEIGHT:
        size = rng.choice(SIZES)
        padding, gap = rng.choice((0, 2, 3, 4, 6, 8)), rng.choice((0, 0, 2, 4, 8))
        pitch = size + 2 * padding + gap + 2
        gap, pitch = gap + max(0, PITCH - pitch), max(PITCH, pitch)
        lines = rng.randint(1, 3)
        count = round(lines * (width - 6) / pitch)
        high += lines * pitch + 6
        parts = [f"<span>{sheet.text(2)}</span>" if sheet.chance(WORDS) else _button(sheet, size) for _ in range(count)]
        style = f"{_colours(sheet)};gap:{gap}px;--p:{padding}px"
        blocks += f'<div class="block {rng.choice(("", "", "framed", "filled", "round"))}" style="{style}">'
        blocks += "".join(parts) + "</div>"
    return blocks


def _button(sheet: Sheet, size: int) -> str:
    if sheet.chance(FIGURES):
        size *= 2 if sheet.chance(LARGE) else 1
        (shape, group), colour = any_shape(sheet), sheet.rng.choice(sorted(COLOURS))
        name = f"{colour} {shape}" if group == "shape" else colour
        icon = Icon(name, figure_drawing(sheet, colour, shape, size))
    else:
        icon = sheet.icons.draw(sheet.rng, 0.85)
    return sheet.icon_button(icon, f"width:calc({size}px + 2*var(--p));height:calc({size}px + 2*var(--p))")


def _colours(sheet: Sheet) -> str:
    rng = sheet.rng
    dark, hue = sheet.chance(0.35), rng.randint(0, 359)
    light, ink = (rng.randint(5, 35), rng.randint(75, 100)) if dark else (rng.randint(80, 100), rng.randint(0, 45))
    return (
        f"background:hsl({hue},{rng.choice((0, 5, 20, 70))}%,{light}%);"
        f"color:hsl({rng.randint(0, 359)},{rng.choice((0, 0, 20, 80))}%,{ink}%)"
    )

"""Pages of lists whose entries all have the same icons: which one is meant is told by its entry's words as well.

To find "Delete Smith" one has to find the words first, then an icon in that row or card, among others that look the
same. Rows of `pages_web.py` are like that too, but there are few.
"""

from collections.abc import Callable

from vlm.training.data.icons import Icon
from vlm.training.data.pages import Page
from vlm.training.data.sheet import Sheet, random_look, strict_document

SIZES = (
    (1280, 720, 1.0, 5),
    (1024, 768, 1.0, 2),
    (640, 480, 1.0, 3),
    (448, 448, 1.0, 3),
    (336, 448, 1.0, 2),
    (640, 360, 2.0, 2),
    (800, 600, 1.25, 2),
)
"""CSS width and height, device scale, and how often."""


def list_page(sheet: Sheet) -> Page:
    """One list or two."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    look = random_look(rng, sheet.fonts, (12, 13, 14, 14, 15, 16))
    makers: tuple[Callable[[Sheet, int], str], ...] = (_table, _lines, _lines, _cards)
    body = "".join(
        f"<section><b>{sheet.text(2)}</b>{rng.choice(makers)(sheet, width)}</section>"
        for _ in range(rng.choice((1, 1, 2)) if height > 400 else 1)
    )
    button = rng.choice((f"border:1px solid {look.line};background:{look.card}", "border:0;background:transparent"))
    side = rng.randint(22, 38)
    css = (
        f"*{{font-family:'{look.font}',sans-serif}}body{{background:{look.paper};color:{look.ink};"
        f"font-size:{look.size}px;line-height:1.35;padding:{rng.randint(4, 24)}px}}a{{color:inherit}}"
        f"section{{background:{look.card};border-radius:{look.radius}px;padding:{rng.randint(4, 14)}px;"
        f"margin-bottom:10px}}table{{border-collapse:collapse;width:{rng.choice(('100%', '100%', 'auto'))}}}"
        f"td,.line{{padding:{rng.randint(2, 9)}px 8px;border-bottom:{rng.choice((0, 1))}px solid {look.line}}}"
        f".line{{display:flex;gap:{rng.randint(4, 14)}px;align-items:center}}.grow{{flex:1}}"
        f".faint{{color:{look.faint}}}.cards{{display:flex;flex-wrap:wrap;gap:10px}}"
        f".card{{border:1px solid {look.line};border-radius:{look.radius}px;padding:8px;"
        f"width:{rng.randint(140, 260)}px}}"
        f".ib{{{button};color:inherit;border-radius:{rng.choice((0, 4, 99))}px;width:{side}px;"
        f"height:{side + rng.randint(-2, 4)}px;padding:0;font-size:{rng.randint(12, 18)}px;display:inline-flex;"
        f"align-items:center;justify-content:center;flex:none;margin-right:{rng.choice((0, 0, 2, 6))}px}}"
    )
    return Page(strict_document(css, body), width, height, scale)


def _icons(sheet: Sheet) -> list[Icon]:
    return sheet.icons.several(sheet.rng, sheet.rng.choice((1, 2, 2, 3, 3, 4)), 0.92)


def _table(sheet: Sheet, width: int) -> str:
    rng, icons, first = sheet.rng, _icons(sheet), sheet.chance(0.25)
    columns, rows = rng.randint(0, max(1, min(4, width // 240))), ""
    for _ in range(rng.randint(3, 11)):
        words = sheet.text(2)
        deeds = f"<td>{sheet.entry_icons(icons, words)}</td>"
        cells = "".join(f"<td>{sheet.value()}</td>" for _ in range(columns))
        rows += f"<tr>{deeds if first else ''}<td>{words}</td>{cells}{'' if first else deeds}</tr>"
    return f"<table>{rows}</table>"


def _lines(sheet: Sheet, width: int) -> str:
    """Entries one below the other; the icons behind the words, at the far end, or before them."""
    rng, icons, where = sheet.rng, _icons(sheet), sheet.rng.choice(("end", "end", "behind", "before"))
    more, lines = width > 600 and sheet.chance(0.5), ""
    for _ in range(rng.randint(3, 9)):
        words = sheet.text(3)
        said = f"<a href=#>{words}</a>" if sheet.chance(0.5) else f"<span>{words}</span>"
        if more:
            said += f"<span class=faint>{sheet.sentence(2, 6)}</span>"
        deeds, grow = f"<span>{sheet.entry_icons(icons, words)}</span>", "<span class=grow></span>"
        line = {"end": said + grow + deeds, "behind": said + deeds, "before": deeds + said}[where]
        lines += f"<div class=line>{line}</div>"
    return lines


def _cards(sheet: Sheet, width: int) -> str:
    """Entries side by side, their icons below the words."""
    icons, cards = _icons(sheet), ""
    for _ in range(sheet.rng.randint(2, max(2, min(10, width // 100)))):
        words = sheet.text(2)
        text = f"<div class=faint>{sheet.sentence(2, 7)}</div>" if sheet.chance(0.6) else ""
        cards += f"<div class=card><b>{words}</b>{text}<div>{sheet.entry_icons(icons, words)}</div></div>"
    return f"<div class=cards>{cards}</div>"

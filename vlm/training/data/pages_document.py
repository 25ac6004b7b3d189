"""Documents: a page of paper with headings, paragraphs, lists, tables and figures; each block is marked, with the HTML that a
reader should make of it.
"""

from html import escape

from vlm.training.data.pages import Page
from vlm.training.data.sheet import Sheet, strict_document

SIZES = ((794, 1123, 1.0, 4), (640, 905, 1.0, 4), (800, 600, 1.0, 3), (448, 630, 1.5, 2), (1024, 768, 1.0, 2))
"""CSS width and height (A4 upright, and screens), device scale, and how often."""


def document_page(sheet: Sheet) -> Page:
    """A random document's first page."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    size, margin = rng.choice((11, 12, 13, 14, 15, 16)), rng.randint(24, 80)
    parts, room = [_block("h1", sheet.text(4))], height - 2 * margin - 60
    while True:
        part, needs = _part(sheet, (width - 2 * margin) / size)
        room -= round(needs * size * 1.45 + 14)
        if room < 0:
            break
        parts.append(part)
    ink = rng.choice(("#000", "#111", "#222", "#333"))
    css = (
        f"*{{font-family:'{rng.choice(sheet.fonts)}',serif}}body{{background:{rng.choice(('#fff', '#fff', '#fdfaf3'))};color:{ink};"
        f"padding:{margin}px;font-size:{size}px;line-height:1.4}}h1{{font-size:{size + rng.randint(6, 14)}px;margin:0 0 12px;"
        f"text-align:{rng.choice(('left', 'center'))}}}h2{{font-size:{size + rng.randint(2, 5)}px;margin:12px 0 6px}}"
        f"p,ul,ol,table,figure{{margin:0 0 10px}}p{{text-align:{rng.choice(('left', 'justify'))}}}table{{border-collapse:collapse;"
        f"width:{rng.choice(('100%', 'auto'))}}}td,th{{border:{rng.choice((0, 1))}px solid #888;border-bottom:1px solid #888;"
        f"padding:3px 8px;text-align:left}}figure{{width:fit-content}}figcaption{{font-size:{size - 1}px;color:#555}}"
        ".image{width:200px;height:90px;display:flex;align-items:center;justify-content:center;font-size:44px;color:#fff}"
    )
    return Page(strict_document(css, "".join(parts)), width, height, scale)


def _block(tag: str, inner: str, seen: str = "") -> str:
    """A marked block. inner: its HTML, as a reader should write it; seen: as it is drawn, if that is otherwise."""
    return f'<{tag} data-block="{tag}" data-html="{escape(inner, quote=True)}">{seen or inner}</{tag}>'


def _part(sheet: Sheet, letters: float) -> tuple[str, float]:
    """A block, and how many lines it may take; letters: about half as many as stand in a line."""
    rng = sheet.rng
    match rng.choice(("h2", "p", "p", "p", "ul", "ol", "table", "figure")):
        case "h2":
            return _block("h2", sheet.text(4)), 1.8
        case "p":
            text = " ".join(sheet.sentence(5, 18) for _ in range(rng.randint(1, 4)))
            return _block("p", text), len(text) / letters / 1.6 + 1
        case "table":
            columns, rows = rng.randint(2, 4), rng.randint(2, 5)
            head = "<tr>" + "".join(f"<th>{sheet.text(1)}</th>" for _ in range(columns)) + "</tr>"
            cells = (
                "<tr>" + "".join(f"<td>{sheet.value()}</td>" for _ in range(columns)) + "</tr>" for _ in range(rows)
            )
            return _block("table", head + "".join(cells)), (rows + 1) * 1.5
        case "figure":
            words = sheet.sentence(3, 8)
            colour = f"background:hsl({rng.randint(0, 359)},40%,{rng.randint(35, 60)}%)"
            seen = f"<div class=image style='{colour}'>{sheet.picture()}</div><figcaption>{words}</figcaption>"
            return _block("figure", words, seen), 9
        case tag:
            items = [sheet.sentence(2, 7) for _ in range(rng.randint(2, 5))]
            return _block(tag, "".join(f"<li>{item}</li>" for item in items)), len(items) * 1.1

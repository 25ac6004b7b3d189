"""Web pages with what `pages.py` has not: icons in tool bars, cards and rows of tables, side bars, open lists, results.

Sizes are from 224 x 224 on; some are zoomed, some have another device scale.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vlm.training.data.pages import Page
from vlm.training.data.sheet import Look, Sheet, random_look, strict_document

SIZES = (
    (1280, 720, 1.0, 6),
    (1024, 768, 1.0, 2),
    (640, 480, 1.0, 2),
    (448, 448, 1.0, 2),
    (224, 224, 1.0, 1),
    (640, 360, 2.0, 2),
    (800, 600, 1.25, 2),
    (1920, 1080, 1.0, 1),
)
SECTIONS = ("Dashboard", "Orders", "Products", "Customers", "Reports", "Users", "Billing", "Settings", "Help", "Inbox")
DEEDS = ("Buy now", "Add to cart", "Learn more", "Sign in", "Register", "Subscribe", "Download", "Apply", "Show all")


@dataclass(frozen=True, slots=True)
class _Site:
    sheet: Sheet
    look: Look
    width: int
    height: int


def web_page(sheet: Sheet, size: tuple[int, int] | None = None) -> Page:
    """A random page of a web application or a shop. size: width and height, at a device scale of 1."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    if size:
        (width, height), scale = size, 1.0
    zoom = rng.choice((1, 1, 1, 0.8, 0.9, 1.1, 1.25, 1.5)) if width >= 640 else 1
    look = random_look(rng, sheet.fonts, (12, 13, 14, 14, 15, 16, 18))
    site = _Site(sheet, look, round(width / zoom), round(height / zoom))
    return Page(strict_document(_css(site), _body(site), zoom), width, height, scale)


def _body(site: _Site) -> str:
    sheet = site.sheet
    small = site.width < 600
    side = "" if small or sheet.chance(0.5) else _side(site)
    makers: tuple[Callable[[_Site], str], ...] = (_shop, _rows, _choices, _player, _form)
    parts = "".join(sheet.rng.choice(makers)(site) for _ in range(max(1, site.height // 260)))
    head = _head(site) if sheet.chance(0.8) and site.height > 300 else ""
    return f"{head}<div class=split>{side}<main>{'' if small else _trail(site)}{parts}</main></div>"


def _head(site: _Site) -> str:
    sheet = site.sheet
    links = "".join(
        f"<a href=#>{n}</a>" for n in sheet.terms(SECTIONS, sheet.rng.randint(0, 4), 0.5, 1) if site.width > 500
    )
    icons = "".join(sheet.icon_button(icon) for icon in sheet.icons.several(sheet.rng, sheet.rng.randint(1, 4), 0.95))
    search = (
        f'<input class=f placeholder="{sheet.term(("Search", "Search products"), 0.6, 2)}">'
        if sheet.chance(0.4)
        else ""
    )
    return f"<header>{sheet.picture()}<b>{sheet.text(1)}</b>{links}<span class=grow></span>{search}{icons}</header>"


def _side(site: _Site) -> str:
    sheet, bare = site.sheet, site.sheet.chance(0.25)
    if bare:
        icons = "".join(
            sheet.icon_button(icon) for icon in sheet.icons.several(sheet.rng, sheet.rng.randint(4, 8), 0.9)
        )
        return f"<aside class=narrow>{icons}</aside>"
    names = sheet.terms(SECTIONS, sheet.rng.randint(4, 9), 0.5, 2)
    return (
        "<aside>" + "".join(f"<a class=node href=#>{sheet.picture()}<span>{n}</span></a>" for n in names) + "</aside>"
    )


def _trail(site: _Site) -> str:
    names = site.sheet.terms(SECTIONS, 3, 0.4, 1)
    return "<div class=trail>" + " / ".join(f"<a href=#>{name}</a>" for name in names) + "</div>"


def _shop(site: _Site) -> str:
    """Cards of goods with a price, a button and a heart."""
    sheet, rng, cards = site.sheet, site.sheet.rng, ""
    for _ in range(max(1, min(4, site.width // 300))):
        photo = f"<div class=photo style='background:hsl({rng.randint(0, 359)},40%,60%)'>{sheet.picture()}</div>"
        icons = "".join(sheet.icon_button(icon) for icon in sheet.icons.several(rng, rng.randint(0, 2), 0.95))
        button = f"<button class=btn>{sheet.term(DEEDS, 0.5, 2)}</button>"
        price = f"<b>${rng.randint(1, 999)}.{rng.randint(0, 99):02d}</b>"
        words = f"<a href=#>{sheet.text(3)}</a> {price}<p>{sheet.sentence(3, 9)}</p>"
        cards += f"<div class=card>{photo}{words}<div class=line>{button}{icons}</div></div>"
    pages = "".join(f"<a class=page href=#>{number}</a>" for number in range(1, rng.randint(3, 7)))
    return f"<div class=cards>{cards}</div>" + (f"<div class=line>{pages}</div>" if sheet.chance(0.4) else "")


def _rows(site: _Site) -> str:
    """A table; every row has the same icons, so they have names of their own only with the row's words."""
    sheet, rng = site.sheet, site.sheet.rng
    icons = sheet.icons.several(rng, rng.randint(1, 3), 0.95)
    columns = max(1, min(4, site.width // 220))
    head = "".join(f"<th>{sheet.text(1)}</th>" for _ in range(columns))
    body = ""
    for _ in range(max(2, min(8, site.height // 110))):
        first = sheet.text(2)
        cells = "".join(f"<td>{sheet.value()}</td>" for _ in range(columns - 1))
        box = (
            f'<input type=checkbox aria-label="Select {first}"> '
            if sheet.chance(0.5) and not sheet.words.held_out
            else ""
        )
        body += f"<tr><td>{box}{first}</td>{cells}<td>{sheet.entry_icons(icons, first)}</td></tr>"
    return f"<div class=card><table><tr>{head}<th></th></tr>{body}</table></div>"


def _choices(site: _Site) -> str:
    """A field with its list open, and others beside it."""
    sheet, rng, ident = site.sheet, site.sheet.rng, site.sheet.ident()
    options = [sheet.text(2) for _ in range(rng.randint(3, 7))]
    chosen = rng.randrange(len(options))
    rows = "".join(
        f'<div role=link class="choice{" on" if i == chosen else ""}">{o}</div>' for i, o in enumerate(options)
    )
    made = f"<select class=f id={ident}><option>{options[chosen]}</option></select>"
    opened = f"<div class=open>{made}<div class=list>{rows}</div></div>"
    left = f"<div class=field><label for={ident}>{sheet.text(2)}</label>{opened}</div>"
    return f"<div class=card>{left}{_fields(site, rng.randint(0, 2))}</div>"


def _fields(site: _Site, count: int) -> str:
    sheet, made = site.sheet, ""
    for name in sheet.terms(("Name", "Email", "Quantity", "Comment", "Coupon code", "Address"), count, 0.4):
        ident = sheet.ident()
        value = f' value="{sheet.value()}"' if sheet.chance(0.5) else ""
        end = sheet.icon_button(sheet.icons.draw(sheet.rng, 0.9)) if sheet.chance(0.3) else ""
        line = f"<div class=line><input class=f id={ident}{value}>{end}</div>"
        made += f"<div class=field><label for={ident}>{name}</label>{line}</div>"
    return made


def _form(site: _Site) -> str:
    sheet, rng = site.sheet, site.sheet.rng
    boxes = ""
    for name in sheet.terms(
        ("Remember me", "I agree to the terms", "Send me news", "Gift wrap"), rng.randint(0, 3), 0.4
    ):
        ident, kind, on = sheet.ident(), rng.choice(("checkbox", "radio")), rng.choice(("", " checked"))
        boxes += f"<div class=line><input type={kind} name=r id={ident}{on}><label for={ident}>{name}</label></div>"
    buttons = "".join(f"<button class=btn>{name}</button>" for name in sheet.terms(DEEDS, rng.randint(1, 2), 0.5))
    fields = _fields(site, rng.randint(1, 4))
    return f"<div class=card><h2>{sheet.text(3)}</h2>{fields}{boxes}<div class=line>{buttons}</div></div>"


def _player(site: _Site) -> str:
    """A tool bar of icons alone."""
    sheet = site.sheet
    icons = sheet.icons.several(sheet.rng, max(3, min(14, site.width // 60)), 0.8)
    buttons = "".join(sheet.icon_button(icon) for icon in icons)
    return f"<div class=card><b>{sheet.text(3)}</b><div class=tools>{buttons}</div></div>"


def _css(site: _Site) -> str:
    look, rng = site.look, site.sheet.rng
    head = rng.choice((look.card, look.accent, look.raised, look.paper))
    on_head = look.on_accent if head == look.accent else look.ink
    icon = rng.choice(
        (
            f"border:1px solid {look.line};background:{look.card}",
            "border:0;background:transparent",
            f"border:0;background:{look.raised}",
        )
    )
    button = rng.choice(
        (
            f"background:{look.accent};color:{look.on_accent};border:0",
            f"background:{look.card};color:{look.ink};border:1px solid {look.faint}",
        )
    )
    return (
        f"*{{font-family:'{look.font}',sans-serif}}:root{{color-scheme:{'dark' if look.dark else 'light'};"
        f"accent-color:{look.accent}}}"
        f"body{{background:{look.paper};color:{look.ink};font-size:{look.size}px;line-height:1.35}}"
        f"a{{color:{look.accent if not look.dark else look.ink};"
        f"text-decoration:{rng.choice(('none', 'underline'))}}}header{{display:flex;align-items:center;"
        f"gap:{rng.randint(8, 18)}px;padding:8px 14px;background:{head};"
        f"color:{on_head};border-bottom:1px solid {look.line}}}header a{{color:inherit}}header "
        f".ib.ib{{background:transparent;border:0}}header .f{{width:170px}}.grow{{flex:1}}.split{{display:flex}}"
        f"main{{flex:1;padding:{rng.randint(6, 18)}px;min-width:0}}aside{{width:170px;background:{look.card};"
        f"padding:8px;min-height:100vh;border-right:1px solid {look.line}}}"
        f".narrow{{width:52px;display:flex;flex-direction:column;gap:6px}}.node{{display:flex;gap:8px;padding:8px "
        f"6px;color:{look.ink};text-decoration:none;align-items:center}}"
        f".trail{{color:{look.faint};margin-bottom:8px}}.cards{{display:flex;gap:12px}}.card{{flex:1;"
        f"background:{look.card};border:{rng.choice((0, 1))}px solid {look.line};"
        f"border-radius:{look.radius}px;padding:{rng.randint(8, 16)}px;margin-bottom:12px;min-width:0;"
        f"box-shadow:{rng.choice(('none', '0 1px 4px #0003'))}}}"
        f".photo{{height:70px;display:flex;align-items:center;justify-content:center;font-size:26px;color:#fff;"
        f"margin-bottom:6px}}p{{margin:4px 0;color:{look.faint}}}"
        f".line{{display:flex;gap:6px;align-items:center;margin:4px 0;flex-wrap:wrap}}.ib{{{icon};color:inherit;"
        f"border-radius:{rng.choice((0, 4, 99))}px;width:{rng.randint(26, 38)}px;"
        f"height:{rng.randint(26, 36)}px;padding:0;font-size:{rng.randint(12, 17)}px;display:inline-flex;"
        f"align-items:center;justify-content:center;flex:none}}"
        f".btn{{{button};border-radius:{look.radius}px;padding:{rng.randint(5, 10)}px {rng.randint(10, 20)}px;"
        f"font-size:{look.size}px}}"
        f".page{{padding:4px 9px;border:1px solid {look.line}}}table{{border-collapse:collapse;width:100%}}"
        f"td,th{{padding:{rng.randint(2, 8)}px;text-align:left;"
        f"border-bottom:1px solid {look.line}}}.f{{background:{look.paper};color:{look.ink};border:1px solid "
        f"{look.faint};border-radius:{min(8, look.radius)}px;padding:{rng.randint(4, 8)}px;"
        f"font-size:{look.size}px;width:100%;min-width:0;flex:1}}::placeholder{{color:{look.faint};opacity:1}}"
        f".field{{margin-bottom:8px;max-width:{rng.randint(260, 520)}px}}label{{display:inline-block}}"
        f".field label{{margin-bottom:3px}}.open{{position:relative}}.list{{background:{look.card};border:1px "
        f"solid {look.faint};box-shadow:0 3px 8px #0005}}"
        f".choice{{padding:{rng.randint(3, 7)}px 9px}}.choice.on{{background:{look.accent};color:{look.on_accent}}}"
        f".tools{{display:flex;gap:{rng.randint(2, 10)}px;flex-wrap:wrap;margin-top:6px}}"
        f"h2{{margin:2px 0 8px;font-size:{look.size + 5}px}}.card a{{font-weight:500}}"
    )

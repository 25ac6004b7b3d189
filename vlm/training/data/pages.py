"""Random web pages: forms, toolbars, tables, lists, cards and dialogs, in random styles.

A page is plain HTML without scripts; `render.py` draws it and reads the labels from the DOM, so nothing
here has to know where things end up.
"""

import random
from dataclasses import dataclass
from html import escape

from vlm.training.data.words import Words

SIZES = (
    (1280, 720, 8),
    (640, 480, 2),
    (448, 448, 3),
    (800, 600, 2),
    (360, 640, 2),
    (1024, 768, 2),
    (1366, 768, 1),
    (1920, 1080, 1),
)


@dataclass(frozen=True, slots=True)
class Page:
    """HTML and the viewport to draw it in (CSS pixels)."""

    html: str
    width: int
    height: int
    device_scale: float


@dataclass(frozen=True, slots=True)
class _Look:
    """A page's style: CSS colours, declarations of fields and buttons, and lengths in CSS pixels."""

    dark: bool
    paper: str
    card: str
    ink: str
    faint: str
    line: str
    accent: str
    pill: str
    field: str
    button: str
    base: int
    radius: int
    gap: int


def _document(css: str, body: str) -> str:
    return f"<!doctype html><html><head><meta charset=utf-8><style>{css}</style></head><body>{body}</body></html>"


class PageWriter:
    """Writes one random page. fonts: families to choose from."""

    def __init__(self, rng: random.Random, words: Words, fonts: tuple[str, ...]) -> None:
        self.rng = rng
        self.words = words
        self.fonts = fonts
        self._ids = 0

    def page(self, size: tuple[int, int] | None = None) -> Page:
        rng = self.rng
        if size is None:
            width, height, _ = rng.choices(SIZES, weights=[weight for *_, weight in SIZES])[0]
        else:
            width, height = size
        body = self._body(width, height)
        return Page(_document(self._css(), body), width, height, 1.0)

    def specimen(self) -> Page:
        """A page packed with text in many faces, sizes and colours: what a reader learns most from in one look."""
        rng, width, height = self.rng, 1260, 700
        blocks, room = "", 6200.0
        while room > 0:
            size = rng.choice((11, 12, 12, 13, 13, 14, 14, 15, 16, 16, 18, 20))
            text = " ".join(
                rng.choice((self.words.value, self.words.label, self.words.word, self.words.word))()
                for _ in range(rng.randint(6, 40))
            )
            room -= len(text) * (size / 12) ** 2 * 1.1
            blocks += f'<p style="{self._specimen_style(size)}">{escape(text)}</p>'
        columns = rng.randint(3, 7)
        css = (
            f"body{{margin:0;width:{width}px;height:{height}px;columns:{columns};column-gap:{rng.randint(0, 12)}px;"
            "column-fill:auto;overflow:hidden}p{margin:0;padding:1px 3px}"
        )
        return Page(_document(css, blocks), width, height, 1.0)

    def _specimen_style(self, size: int) -> str:
        rng = self.rng
        dark, hue = rng.random() < 0.35, rng.randint(0, 359)
        paper = f"hsl({hue},{rng.randint(0, 80)}%,{rng.randint(5, 35) if dark else rng.randint(82, 100)}%)"
        ink = (
            f"hsl({rng.randint(0, 359)},{rng.choice((0, 0, 20, 80))}%,"
            f"{rng.randint(78, 100) if dark else rng.randint(0, 40)}%)"
        )
        return (
            f"font:{rng.choice((400, 400, 400, 500, 600, 700))} {size}px/{rng.choice((1.05, 1.2, 1.35))} "
            f"'{rng.choice(self.fonts)}',sans-serif;"
            f"background:{paper};color:{ink};text-transform:{rng.choices(('none', 'uppercase'), (12, 1))[0]};"
            f"letter-spacing:{rng.choices((0, 0.5, 1), (10, 1, 1))[0]}px"
        )

    # --- style

    def _look(self) -> _Look:
        rng = self.rng
        dark = rng.random() < 0.25
        hue, tone = rng.randint(0, 359), rng.randint(0, 359)
        light = rng.randint(86, 100) if not dark else rng.randint(8, 20)
        paper = f"hsl({tone},{rng.randint(0, 30)}%,{light}%)"
        card = f"hsl({tone},{rng.randint(0, 25)}%,{min(100, light + rng.randint(0, 8))}%)"
        ink = f"hsl({tone},{rng.randint(0, 30)}%,{rng.randint(82, 100) if dark else rng.randint(0, 30)}%)"
        faint = f"hsl({tone},{rng.randint(0, 20)}%,{rng.randint(55, 75) if dark else rng.randint(30, 55)}%)"
        line = f"hsl({tone},{rng.randint(0, 20)}%,{rng.randint(25, 50) if dark else rng.randint(60, 88)}%)"
        strong = rng.randint(25, 50)
        accent = f"hsl({hue},{rng.randint(30, 95)}%,{strong}%)"
        field = rng.choice(
            (
                f"border:1px solid {line};background:{card}",
                f"border:{rng.choice((1, 2))}px solid {faint};background:transparent",
                f"border:0;border-bottom:1px solid {faint};background:transparent",
                f"border:1px solid transparent;background:hsl({tone},10%,{light - 6 if not dark else light + 10}%)",
            )
        )
        button = rng.choice(
            (
                f"background:{accent};color:#fff;border:1px solid {accent}",
                f"background:{card};color:{ink};border:1px solid {faint}",
                f"background:linear-gradient({card},{paper});color:{ink};border:1px solid {line}",
                f"background:transparent;color:{accent if not dark else ink};border:1px solid {accent}",
            )
        )
        return _Look(
            dark=dark,
            paper=paper,
            card=card,
            ink=ink,
            faint=faint,
            line=line,
            accent=accent,
            pill=f"hsl({hue},60%,{90 if not dark else 25}%)",
            field=field,
            button=button,
            base=rng.choice((11, 12, 13, 13, 14, 14, 14, 15, 16, 16, 18, 20)),
            radius=rng.choice((0, 0, 2, 4, 4, 6, 8, 16)),
            gap=rng.randint(4, 18),
        )

    def _css(self) -> str:
        look = self._look()
        # In this order: a seed stands for one page.
        return self._controls_css(look) + self._layout_css(look)

    def _controls_css(self, look: _Look) -> str:
        """Letters, fields, buttons and links."""
        rng = self.rng
        return (
            f"*{{box-sizing:border-box;font-family:'{rng.choice(self.fonts)}',sans-serif}}"
            f":root{{color-scheme:{'dark' if look.dark else 'light'};accent-color:{look.accent}}}"
            f"body{{margin:0;background:{look.paper};color:{look.ink};font-size:{look.base}px;"
            f"line-height:{rng.choice((1.2, 1.35, 1.5))};"
            f"font-weight:{rng.choice((400, 400, 400, 500, 300))};overflow:hidden}}"
            f"input,select,textarea,button{{max-width:100%;"
            f"font-size:{rng.choice((look.base, look.base, look.base - 1))}px;color:inherit}}"
            f"input.f,select.f,textarea.f{{{look.field};border-radius:{look.radius}px;"
            f"padding:{rng.randint(2, 10)}px {rng.randint(4, 12)}px;color:{look.ink}}}"
            f"::placeholder{{color:{look.faint};opacity:1}}"
            f"button,.btn{{{look.button};border-radius:{look.radius}px;"
            f"padding:{rng.randint(2, 10)}px {rng.randint(6, 22)}px;"
            f"font-weight:{rng.choice((400, 500, 600, 700))};"
            f"text-transform:{rng.choices(('none', 'uppercase'), (9, 1))[0]}}}"
            f".second{{background:transparent;color:{look.ink};border:1px solid {look.line}}}"
            f"a{{color:{look.accent if not look.dark else look.ink};"
            f"text-decoration:{rng.choice(('none', 'underline'))}}}"
        )

    def _layout_css(self, look: _Look) -> str:
        """What controls stand in."""
        rng = self.rng
        return (
            f".bar{{display:flex;gap:{look.gap + 4}px;align-items:center;"
            f"padding:{rng.randint(4, 14)}px {rng.randint(8, 24)}px;"
            f"background:{rng.choice((look.card, look.accent, look.paper))};"
            f"border-bottom:1px solid {look.line};flex-wrap:wrap}}"
            f".card{{background:{look.card};border:{rng.choice((0, 1))}px solid {look.line};"
            f"border-radius:{look.radius}px;"
            f"padding:{rng.randint(6, 22)}px}}"
            f".row{{display:flex;gap:{look.gap}px;align-items:center;margin-bottom:{look.gap}px;flex-wrap:wrap}}"
            f".stack{{display:flex;flex-direction:column;gap:{rng.randint(2, 6)}px;align-items:flex-start;"
            f"margin-bottom:{look.gap}px}}"
            f".cols{{display:flex;gap:{look.gap + 6}px;padding:{rng.randint(4, 24)}px;align-items:flex-start}}"
            f".cols>*{{flex:1 1 0;min-width:0}}"
            f"h1{{font-size:{look.base + rng.randint(4, 16)}px;margin:{look.gap}px 0}}"
            f"h2{{font-size:{look.base + rng.randint(1, 8)}px;margin:{look.gap}px 0}}p{{margin:{look.gap // 2}px 0}}"
            f"table{{border-collapse:collapse;width:100%}}"
            f"td,th{{border:{rng.choice((0, 1))}px solid {look.line};border-bottom:1px solid {look.line};"
            f"padding:{rng.randint(2, 9)}px;text-align:left}}"
            f".muted{{color:{look.faint}}}"
            f".tab{{padding:{rng.randint(3, 9)}px {rng.randint(6, 16)}px;border-bottom:2px solid transparent}}"
            f".tab.on{{border-bottom-color:{look.accent}}}"
            f".sw{{display:inline-block;width:{2 * look.base + 6}px;height:{look.base + 4}px;border-radius:99px;"
            f"background:{look.faint};position:relative}}"
            f".sw::after{{content:'';position:absolute;left:2px;top:2px;width:{look.base}px;height:{look.base}px;"
            f"border-radius:99px;background:#fff}}"
            f".sw.on{{background:{look.accent}}}.sw.on::after{{left:auto;right:2px}}"
            f".item{{padding:{rng.randint(3, 10)}px {rng.randint(6, 14)}px;border-bottom:1px solid {look.line}}}"
            f".veil{{position:fixed;inset:0;background:rgba(0,0,0,.5);"
            f"display:flex;align-items:center;justify-content:center}}"
            f".pill{{border-radius:99px;padding:1px 8px;background:{look.pill}}}"
        )

    # --- parts

    def _id(self) -> str:
        self._ids += 1
        return f"e{self._ids}"

    def _text(self, longest: int = 3) -> str:
        return escape(self.words.label(longest))

    def _button(self, longest: int = 2) -> str:
        kind = self.rng.random()
        second = " class=second" if self.rng.random() < 0.3 else ""
        if kind < 0.85:
            return f"<button{second}>{self._text(longest)}</button>"
        return f'<a class=btn role=button href="#" style="display:inline-block">{self._text(longest)}</a>'

    def _field(self) -> str:
        rng, ident = self.rng, self._id()
        width = rng.choice(("100%", f"{rng.randint(90, 420)}px"))
        roll = rng.random()
        value = f' value="{escape(self.words.value())}"' if rng.random() < 0.25 else ""
        hint = f' placeholder="{escape(self.words.value())}"' if rng.random() < 0.3 else ""
        if roll < 0.68:
            control = f'<input class=f id={ident} style="width:{width}"{value}{hint}>'
        elif roll < 0.87:
            options = "".join(f"<option>{self._text(2)}</option>" for _ in range(rng.randint(2, 6)))
            control = f'<select class=f id={ident} style="width:{width}">{options}</select>'
        else:
            content = escape(self.words.sentence()) if value else ""
            rows = rng.randint(2, 4)
            control = f'<textarea class=f id={ident} rows={rows} style="width:{width}"{hint}>{content}</textarea>'
        label = f"<label for={ident}>{self._text()}{rng.choice(('', '', ':', ' *'))}</label>"
        layout = rng.random()
        if layout < 0.55:
            return f"<div class=stack>{label}{control}</div>"
        if layout < 0.9:
            side = f"width:{rng.randint(80, 200)}px;flex:none;text-align:{rng.choice(('left', 'right'))}"
            return (
                f'<div class=row style="flex-wrap:nowrap"><span style="{side}">{label}</span>'
                f'<span style="flex:1;min-width:0">{control}</span></div>'
            )
        return f'<div class=stack><input class=f style="width:{width}" placeholder="{self._text()}"></div>'

    def _toggle(self) -> str:
        rng, ident = self.rng, self._id()
        checked = " checked" if rng.random() < 0.3 else ""
        roll = rng.random()
        if roll < 0.55:
            box = f'<input type=checkbox id={ident}{checked} style="transform:scale({rng.choice((1, 1, 1.2, 1.4))})">'
        elif roll < 0.8:
            box = f"<input type=radio id={ident} name=r{rng.randint(1, 3)}{checked}>"
        else:
            box = f'<span class="sw{" on" if checked else ""}" role=switch aria-labelledby=l{ident}></span>'
        label = f"<label id=l{ident} for={ident}>{self._text()}</label>"
        if rng.random() < 0.12:
            return f'<div class=row style="justify-content:space-between;max-width:320px">{label}{box}</div>'
        return f'<div class=row style="gap:{rng.randint(3, 10)}px">{box}{label}</div>'

    def _form(self) -> str:
        rng = self.rng
        parts = [self._field() for _ in range(rng.randint(1, 4))] + [self._toggle() for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.3:
            rng.shuffle(parts)
        buttons = "".join(self._button() for _ in range(rng.randint(1, 3)))
        head = f"<h2>{self._text(4)}</h2>" if rng.random() < 0.7 else ""
        return f"<div class=card>{head}{''.join(parts)}<div class=row>{buttons}</div></div>"

    def _table(self) -> str:
        rng = self.rng
        columns = rng.randint(2, 4)
        head = "".join(f"<th>{self._text(1)}</th>" for _ in range(columns))
        rows = ""
        for _ in range(rng.randint(2, 6)):
            cells = "".join(f"<td>{escape(self.words.value())}</td>" for _ in range(columns))
            last = f"<a href=#>{self._text(1)}</a>" if rng.random() < 0.5 else self._button(1)
            rows += f"<tr>{cells}<td>{last}</td></tr>"
        return f"<div class=card><table><tr>{head}<th></th></tr>{rows}</table></div>"

    def _list(self) -> str:
        rng = self.rng
        items = ""
        for _ in range(rng.randint(2, 7)):
            extra = f"<div class=muted>{escape(self.words.sentence(2, 6))}</div>" if rng.random() < 0.4 else ""
            items += f"<div class=item><a href=#>{self._text()}</a>{extra}</div>"
        return f"<div class=card>{items}</div>"

    def _prose(self) -> str:
        paragraphs = "".join(f"<p>{escape(self.words.sentence(6, 30))}</p>" for _ in range(self.rng.randint(1, 3)))
        return f"<div class=card><h2>{self._text(4)}</h2>{paragraphs}{self._button()}</div>"

    def _tabs(self) -> str:
        rng = self.rng
        tabs = "".join(
            f'<span class="tab{" on" if i == 0 else ""}" role=tab>{self._text(2)}</span>'
            for i in range(rng.randint(2, 5))
        )
        return f"<div class=row>{tabs}</div>"

    def _bar(self) -> str:
        rng = self.rng
        brand = f"<b>{self._text(2)}</b>" if rng.random() < 0.7 else ""
        links = "".join(f"<a href=# style='color:inherit'>{self._text(2)}</a>" for _ in range(rng.randint(1, 6)))
        search = (
            f'<input class=f placeholder="{self._text(2)}" style="width:{rng.randint(90, 220)}px">'
            if rng.random() < 0.3
            else ""
        )
        ink = rng.choice(("inherit", "inherit", "#fff"))
        shade = "background:#234;" if ink == "#fff" else ""
        button = self._button(1) if rng.random() < 0.4 else ""
        return f'<div class=bar style="color:{ink};{shade}">{brand}{links}{search}{button}</div>'

    def _dialog(self) -> str:
        rng = self.rng
        body = f"<p>{escape(self.words.sentence())}</p>" + (self._field() if rng.random() < 0.4 else "")
        buttons = "".join(self._button() for _ in range(rng.randint(1, 3)))
        veil = (
            f'<div class=veil><div class=card style="width:{rng.randint(240, 460)}px"><h2>{self._text(4)}</h2>{body}'
            f"<div class=row>{buttons}</div></div></div>"
        )
        return veil if rng.random() < 0.1 else ""

    def _body(self, width: int, height: int) -> str:
        rng = self.rng
        makers = (self._form, self._form, self._form, self._table, self._list, self._prose)
        columns = 1 if width < 600 else rng.randint(1, 2) if width < 1000 else rng.randint(1, 4)
        tall = 1 if height < 460 else 2 if height < 800 else 3
        cols = "".join(
            f"<div>{''.join(f'{rng.choice(makers)()}<div class=row></div>' for _ in range(tall))}</div>"
            for _ in range(columns)
        )
        head = (self._bar() if rng.random() < 0.65 else "") + (
            f"<h1>{self._text(4)}</h1>" if rng.random() < 0.3 else ""
        )
        tabs = self._tabs() if rng.random() < 0.3 else ""
        return f"{head}{tabs}<div class=cols>{cols}</div>{self._dialog()}"

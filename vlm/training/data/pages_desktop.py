"""Desktops: a background, a panel, one or two windows in the style of a system, and a menu or a list that is open.

What stands in a window is in `desktop_parts.py`.
"""

from vlm.training.data.desktop_parts import DEEDS, MENUS, content_of
from vlm.training.data.pages import Page
from vlm.training.data.sheet import Look, Sheet, random_look, strict_document

SIZES = (
    (1280, 720, 1.0, 6),
    (1366, 768, 1.0, 2),
    (1024, 768, 1.0, 3),
    (1920, 1080, 1.0, 2),
    (960, 540, 1.5, 2),
    (800, 600, 1.0, 3),
    (640, 480, 1.0, 2),
    (448, 448, 1.0, 2),
    (224, 224, 1.0, 1),
)
"""Width and height, device scale, and how often."""


def desktop_page(sheet: Sheet) -> Page:
    """A random desktop; a small one is a window that fills it."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    look = random_look(rng, sheet.fonts, (11, 12, 13, 13, 14, 14, 15))
    zoom = rng.choice((1, 1, 1, 1, 0.9, 1.1, 1.25)) if width > 800 else 1
    desktop = _Desktop(sheet, look, round(width / zoom), round(height / zoom))
    return Page(strict_document(_css(sheet, look), desktop.body(), zoom), width, height, scale)


class _Desktop:
    def __init__(self, sheet: Sheet, look: Look, width: int, height: int) -> None:
        self.sheet, self.look, self.rng, self.width, self.height = sheet, look, sheet.rng, width, height
        self.system = sheet.rng.choice(("gtk", "gtk", "right", "right", "left", "old"))

    def body(self) -> str:
        sheet, rng = self.sheet, self.rng
        if self.width < 700 or sheet.chance(0.35):
            return self._window(0, 0, self.width, self.height, full=True) + self._popup()
        panel = self._panel() if sheet.chance(0.6) else ""
        room = self.height - (40 if panel else 0)
        windows = ""
        for _ in range(rng.randint(1, 2)):
            width, height = rng.randint(340, self.width * 3 // 4), rng.randint(260, room * 9 // 10)
            windows += self._window(rng.randint(0, self.width - width), rng.randint(0, room - height), width, height)
        return f"<div class=desk>{self._icons()}{windows}{panel}</div>{self._popup()}"

    def _icons(self) -> str:
        """Icons on the background, with names under them."""
        sheet, rng = self.sheet, self.rng
        if not sheet.chance(0.4):
            return ""
        made = ""
        for icon in sheet.icons.several(rng, rng.randint(2, 6), 0.3):
            colour = f"color:hsl({rng.randint(0, 359)},60%,70%)"
            made += (
                f"<a class=desk-icon href=#><span style='{colour}'>{icon.svg}</span><span>{sheet.text(1)}</span></a>"
            )
        return f"<div class=desk-icons>{made}</div>"

    def _panel(self) -> str:
        sheet, rng = self.sheet, self.rng
        icons = "".join(sheet.icon_button(icon) for icon in sheet.icons.several(rng, rng.randint(2, 6), 0.5))
        tasks = "".join(f"<button class=task>{sheet.text(2)}</button>" for _ in range(rng.randint(0, 3)))
        start = (
            f"<button class=task><b>{sheet.term(('Start', 'Activities', 'Applications', 'Menu'), 0.7, 1)}</b></button>"
        )
        clock = f"<span class=clock>{rng.randint(0, 23)}:{rng.randint(0, 59):02d}</span>"
        signs = "".join(
            sheet.icon_button(icon, cls="ib tiny") for icon in sheet.icons.several(rng, rng.randint(0, 3), 0.6)
        )
        return f"<div class=panel>{start}{icons}{tasks}<span class=grow></span>{signs}{clock}</div>"

    def _window(self, left: int, top: int, width: int, height: int, *, full: bool = False) -> str:
        sheet = self.sheet
        place = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
        bare = full and sheet.chance(0.25)
        dialog = width < 520 and sheet.chance(0.6)
        menus = self._menu_bar() if not dialog and sheet.chance(0.55) else ""
        tools = self._tools() if not dialog and sheet.chance(0.6) else ""
        status = f"<div class=foot>{sheet.sentence(2, 5)}</div>" if not dialog and sheet.chance(0.3) else ""
        inner = content_of(sheet, width, height, dialog=dialog)
        title = "" if bare else self._title_bar(dialog)
        cls = "window full" if full else "window"
        return f'<div class="{cls}" style="{place}">{title}{menus}{tools}<div class=inside>{inner}</div>{status}</div>'

    def _controls(self) -> str:
        names = ["Minimize", "Maximize", "Close"]
        marks = {"Minimize": "M3 8h10", "Maximize": "M3.5 3.5h9v9h-9z", "Close": "M4 4l8 8M12 4l-8 8"}
        if self.system == "left":
            names = ["Close", "Minimize", "Maximize"]
            colours = {"Close": "#ff5f57", "Minimize": "#febc2e", "Maximize": "#28c840"}
            return "".join(
                f"<button class=dot aria-label={n} data-icon={n} style='background:{colours[n]}'></button>"
                for n in names
            )
        if self.sheet.chance(0.25):
            names = ["Close"]
        svg = '<svg class=ic viewBox="0 0 16 16" fill=none stroke=currentColor stroke-width=1.3><path d="{}"/></svg>'
        return "".join(f"<button class=ctl aria-label={n} data-icon={n}>{svg.format(marks[n])}</button>" for n in names)

    def _title_bar(self, dialog: bool) -> str:
        sheet, rng = self.sheet, self.rng
        # A held-out page has none of the words that a title bar's buttons are called by.
        controls = "" if sheet.words.held_out else self._controls()
        name = f"<b>{sheet.text(4)}</b>"
        if self.system == "left":
            return f"<div class=title>{controls}<span class=grow style='text-align:center'>{name}</span></div>"
        if self.system == "gtk":
            left = "".join(sheet.icon_button(i) for i in sheet.icons.several(rng, rng.randint(0, 3)))
            right = "".join(sheet.icon_button(i) for i in sheet.icons.several(rng, rng.randint(0, 2)))
            if dialog and sheet.chance(0.5):
                left, right, controls = (f"<button>{sheet.term(DEEDS, 0.7, 1)}</button>" for _ in range(3))
                return f"<div class=title>{left}<span class=grow style='text-align:center'>{name}</span>{right}</div>"
            return f"<div class=title>{left}<span class=grow style='text-align:center'>{name}</span>{right}{controls}</div>"
        return f"<div class=title>{sheet.picture()}<span class=grow>{name}</span>{controls}</div>"

    def _menu_bar(self) -> str:
        names = MENUS if not self.sheet.words.held_out and self.sheet.chance(0.6) else None
        count = self.rng.randint(3, 7)
        shown = names[:count] if names else tuple(self.sheet.terms(MENUS, count, 0.3, 1))
        return "<div class=menus>" + "".join(f"<span class=menu role=link>{name}</span>" for name in shown) + "</div>"

    def _tools(self) -> str:
        """A tool bar: icons alone, or with their names beside or under them."""
        sheet, rng = self.sheet, self.rng
        style, made = rng.choice(("bare", "bare", "bare", "under", "beside")), ""
        for icon in sheet.icons.several(rng, rng.randint(3, 12), 0.85):
            if style == "bare":
                made += sheet.icon_button(icon, cls="ib tool")
            else:
                made += f'<button class="ib tool {style}">{icon.svg}<span>{icon.name}</span></button>'
            made += "<i class=rule></i>" if sheet.chance(0.2) else ""
        search = f'<input class=f style="width:130px" placeholder="{sheet.term(("Search", "Find"), 0.6, 1)}">'
        return f"<div class=tools>{made}{search if sheet.chance(0.2) else ''}</div>"

    def _popup(self) -> str:
        """A menu that is open, with icons and keys."""
        sheet, rng = self.sheet, self.rng
        if not sheet.chance(0.25) or self.height < 400:
            return ""
        rows = ""
        for name in sheet.terms(DEEDS, rng.randint(3, 9), 0.6):
            keys = f"<span class=faint>Ctrl+{rng.choice('ACFNOPSVXZ')}</span>" if sheet.chance(0.4) else ""
            icon = sheet.picture() if sheet.chance(0.3) else "<i class=ic style='display:inline-block'></i>"
            rows += f'<div class=entry role=link aria-label="{name}">{icon}<span class=grow>{name}</span>{keys}</div>'
            rows += "<hr>" if sheet.chance(0.2) else ""
        left, top = rng.randint(0, max(1, self.width - 260)), rng.randint(20, max(21, self.height - 320))
        return f'<div class=popup style="left:{left}px;top:{top}px">{rows}</div>'


def _css(sheet: Sheet, look: Look) -> str:
    return _css_of_windows(sheet, look) + _css_of_controls(sheet, look)


def _css_of_windows(sheet: Sheet, look: Look) -> str:
    rng = sheet.rng
    hue = rng.randint(0, 359)
    desk = rng.choice(
        (
            f"hsl({hue},40%,35%)",
            f"linear-gradient({rng.randint(0, 180)}deg,hsl({hue},50%,30%),hsl({(hue + 60) % 360},50%,55%))",
        )
    )
    bar = rng.choice((look.raised, look.card, look.accent, look.paper))
    on_bar = look.on_accent if bar == look.accent else look.ink
    return (
        f"*{{font-family:'{look.font}',sans-serif}}:root{{color-scheme:{'dark' if look.dark else 'light'};accent-color:{look.accent}}}"
        f"body{{background:{look.paper};color:{look.ink};font-size:{look.size}px;line-height:1.3}}.desk{{position:fixed;inset:0;background:{desk}}}"
        f".window{{position:absolute;display:flex;flex-direction:column;background:{look.paper};border:1px solid {look.line};"
        f"border-radius:{look.radius}px;overflow:hidden;box-shadow:0 4px 18px #0008}}.full{{border-radius:0;box-shadow:none;border:0}}"
        f".title{{display:flex;align-items:center;gap:6px;padding:{rng.randint(2, 8)}px 8px;background:{bar};color:{on_bar};"
        f"border-bottom:1px solid {look.line};flex:none}}.title b{{font-weight:{rng.choice((400, 600, 700))}}}.grow{{flex:1;min-width:0;overflow:hidden;"
        f"white-space:nowrap}}.ctl{{width:{rng.randint(22, 40)}px;height:24px;padding:0;border:0;background:transparent;color:inherit;flex:none}}"
        f".dot{{width:13px;height:13px;border-radius:99px;border:0;padding:0;flex:none}}.menus{{display:flex;background:{look.card};flex:none}}"
        f".menu{{padding:{rng.randint(2, 6)}px {rng.randint(6, 11)}px;white-space:nowrap}}.tools{{display:flex;align-items:center;gap:{rng.randint(0, 5)}px;"
        f"padding:{rng.randint(2, 6)}px;background:{rng.choice((look.card, look.raised))};border-bottom:1px solid {look.line};flex:none;overflow:hidden}}"
        f".ib{{border:0;background:transparent;color:inherit;min-width:{rng.randint(26, 34)}px;height:{rng.randint(26, 34)}px;padding:0 4px;"
        f"font-size:{rng.randint(12, 17)}px;display:inline-flex;align-items:center;justify-content:center;flex:none}}"
        f".tool{{border-radius:4px;border:{rng.choice((0, 0, 1))}px solid {look.line}}}.beside,.under{{gap:4px;font-size:{look.size}px;padding:2px 6px}}"
        f".under{{flex-direction:column;height:auto}}.rule{{width:1px;height:20px;background:{look.line};margin:0 4px}}"
        f".inside{{flex:1;min-height:0;overflow:hidden;position:relative}}.foot{{padding:3px 8px;border-top:1px solid {look.line};"
        f"background:{look.card};color:{look.faint};flex:none;white-space:nowrap;overflow:hidden}}"
        f".panel{{position:absolute;left:0;right:0;bottom:0;height:40px;display:flex;align-items:center;gap:4px;background:{look.card};"
        f"padding:0 6px;overflow:hidden}}.task{{height:30px;white-space:nowrap;overflow:hidden;flex:none;max-width:170px}}.clock{{padding:0 8px}}.tiny{{min-width:22px;font-size:12px}}"
        f".desk-icons{{position:absolute;left:12px;top:12px;display:flex;flex-direction:column;gap:14px}}.desk-icon{{display:flex;flex-direction:column;"
        f"align-items:center;width:84px;color:#fff;text-decoration:none;font-size:12px;text-shadow:0 1px 2px #000;text-align:center}}.desk-icon .ic{{font-size:30px}}"
        f".popup{{position:fixed;background:{look.card};border:1px solid {look.line};border-radius:{min(8, look.radius)}px;min-width:200px;"
        f"box-shadow:0 4px 12px #0006;padding:4px 0}}.entry{{display:flex;align-items:center;gap:8px;padding:{rng.randint(3, 7)}px 12px}}"
        f".popup hr{{border:0;border-top:1px solid {look.line};margin:3px 0}}.faint{{color:{look.faint}}}"
    )


def _css_of_controls(sheet: Sheet, look: Look) -> str:
    rng = sheet.rng
    button = rng.choice(
        (
            f"background:{look.raised};border:1px solid {look.line}",
            f"background:linear-gradient({look.card},{look.raised});border:1px solid {look.faint}",
            f"background:{look.card};border:1px solid {look.faint}",
            f"background:{look.raised};border:0",
        )
    )
    return (
        f"button{{font-size:{look.size}px;color:{look.ink}}}.inside button:not(.ib),.title>button:not(.ib):not(.ctl):not(.dot),.task{{{button};border-radius:{look.radius}px;"
        f"padding:{rng.randint(3, 8)}px {rng.randint(8, 18)}px}}.inside .prime{{background:{look.accent};color:{look.on_accent};border-color:{look.accent}}}"
        f".f{{background:{rng.choice((look.card, look.paper))};color:{look.ink};border:1px solid {rng.choice((look.line, look.faint))};border-radius:{min(6, look.radius)}px;"
        f"padding:{rng.randint(2, 7)}px 6px;font-size:{look.size}px;min-width:0;width:100%}}::placeholder{{color:{look.faint};opacity:1}}"
        f".pad{{padding:{rng.randint(8, 18)}px}}.grid{{display:grid;grid-template-columns:max-content 1fr;gap:{rng.randint(5, 12)}px 10px;align-items:center}}"
        f".grid>label{{text-align:{rng.choice(('left', 'right'))}}}.line{{display:flex;gap:8px;align-items:center;margin:{rng.randint(3, 8)}px 0}}"
        f".end{{justify-content:flex-end;margin-top:14px}}.tabs{{display:flex;gap:{rng.choice((0, 2))}px;border-bottom:1px solid {look.line};padding:6px 8px 0}}"
        f".tab{{padding:5px 12px;border:1px solid {rng.choice((look.line, 'transparent'))};border-bottom:0;background:{look.raised};border-radius:4px 4px 0 0;white-space:nowrap}}"
        f".tab.on{{background:{look.paper};border-bottom:2px solid {look.accent}}}fieldset{{border:1px solid {look.line};border-radius:4px;margin:0 0 10px;padding:6px 10px}}"
        f"table{{border-collapse:collapse;width:100%}}th{{text-align:left;font-weight:500;background:{look.raised};border:1px solid {look.line};padding:3px 8px}}"
        f"td{{padding:{rng.randint(2, 6)}px 8px;white-space:nowrap;border-bottom:{rng.choice((0, 1))}px solid {look.line}}}tr.on{{background:{look.tint}}}"
        f".split{{display:flex;height:100%}}.side{{width:{rng.randint(120, 200)}px;background:{look.card};border-right:1px solid {look.line};padding:6px;flex:none;overflow:hidden}}"
        f".node{{display:flex;gap:6px;align-items:center;padding:{rng.randint(3, 7)}px 6px;white-space:nowrap;overflow:hidden;border-radius:4px;color:inherit;text-decoration:none}}"
        f".node.on{{background:{look.tint}}}.text{{width:100%;height:100%;border:0;resize:none;background:{look.card};color:{look.ink};padding:8px;font-size:{look.size + 1}px}}"
        f".keys{{display:grid;gap:{rng.randint(2, 8)}px;flex:1}}.keys button{{font-size:{look.size + 4}px;min-height:0}}.shown{{text-align:right;font-size:{look.size + 12}px;"
        f"padding:10px;background:{look.card};border:1px solid {look.line}}}.calc{{display:flex;flex-direction:column;height:100%;gap:8px}}"
        f".tiles{{display:flex;flex-wrap:wrap;gap:{rng.randint(8, 20)}px;align-content:flex-start}}.tile{{width:84px;text-align:center;color:inherit;text-decoration:none;"
        f"display:flex;flex-direction:column;align-items:center;gap:4px}}.tile .ic{{font-size:32px;color:{look.accent}}}"
        f".list{{position:absolute;z-index:2;background:{look.card};border:1px solid {look.faint};box-shadow:0 3px 8px #0006;left:0;right:0;top:100%}}"
        f".choice{{padding:{rng.randint(3, 6)}px 8px}}.choice:nth-child({rng.randint(1, 3)}){{background:{look.accent};color:{look.on_accent}}}"
        f".sw{{display:inline-block;width:38px;height:20px;border-radius:99px;background:{look.faint};position:relative}}.sw::after{{content:'';position:absolute;left:2px;top:2px;"
        f"width:16px;height:16px;border-radius:99px;background:#fff}}.sw[aria-checked=true]{{background:{look.accent}}}.sw[aria-checked=true]::after{{left:20px}}"
    )

"""Phone screens: a status bar, an app bar, lists, settings, forms, chats, a keypad or a gallery, bottom navigation, and what lies
on top of them: dialogs, sheets, menus.
"""

from vlm.training.data.pages import Page
from vlm.training.data.sheet import Look, Sheet, random_look, strict_document

SIZES = (
    (360, 800, 3.0, 2),  # 1080 x 2400
    (412, 915, 2.6, 2),
    (360, 800, 1.5, 3),
    (412, 915, 1.0, 3),
    (390, 844, 1.5, 2),
    (360, 640, 1.5, 3),
    (320, 568, 2.0, 2),
    (412, 732, 1.25, 2),
    (800, 360, 1.5, 1),
)
"""CSS width and height, device scale, and how often."""

SETTINGS = (
    *("Wi-Fi", "Bluetooth", "Airplane mode", "Mobile data", "Battery saver", "Dark theme", "Location", "Storage"),
    *("Sound & vibration", "Display", "Notifications", "Security", "Accounts", "Accessibility", "Apps", "About phone"),
    *("Do Not Disturb", "Auto-rotate", "Hotspot", "NFC", "Data saver", "Night light", "Language", "Date & time"),
    *("Backup", "Screen lock", "Ringtone", "Wallpaper", "Developer options", "Sync", "VPN", "Keyboard"),
)
PLACES = (
    *("Home", "Search", "Library", "Profile", "Settings", "Favorites", "Messages", "Cart", "Explore", "Activity"),
    *("Inbox", "Contacts", "Calls", "Photos", "Albums", "Shop", "Orders", "Account", "Map", "Saved"),
)
DEEDS = (
    *("Save", "Done", "Next", "Continue", "Sign in", "Sign up", "Send", "Add", "Create", "Allow", "OK", "Update"),
    *("Cancel", "Not now", "Skip", "Deny", "Delete", "Discard", "Retry", "Got it", "Log out", "Share", "Edit"),
)
FIELDS = (
    *("Name", "First name", "Last name", "Email", "Phone", "Password", "Username", "Address", "City", "Company"),
    *("Title", "Notes", "Search", "Message", "Amount", "Date", "Time", "Website", "Postal code", "Label"),
)


def phone_page(sheet: Sheet) -> Page:
    """A random phone screen."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    look = random_look(rng, sheet.fonts, (13, 14, 14, 15, 16, 16, 18))
    phone = _Phone(sheet, look, width, height)
    return Page(strict_document(_css(sheet, look), phone.body()), width, height, scale)


class _Phone:
    def __init__(self, sheet: Sheet, look: Look, width: int, height: int) -> None:
        self.sheet, self.look, self.rng = sheet, look, sheet.rng
        self.width, self.height = width, height
        self.apple = sheet.chance(0.35)

    def body(self) -> str:
        rng, sheet = self.rng, self.sheet
        makers = (self._settings, self._settings, self._form, self._form, self._mails, self._chat, self._cards)
        content = rng.choice((*makers, self._keypad, self._gallery, self._profile))()
        fab = f"<div class=fab>{sheet.icon_button(sheet.icons.draw(rng, 0.9), cls='ib big')}</div>"
        bottom = self._navigation() if sheet.chance(0.5) else ""
        parts = [
            self._status() if sheet.chance(0.85) else "",
            self._app_bar(),
            self._tabs() if sheet.chance(0.25) else "",
        ]
        parts.append(f"<main>{content}{fab if not self.apple and sheet.chance(0.3) else ''}</main>{bottom}")
        return f"<div class=app>{''.join(parts)}</div>{self._on_top()}"

    # --- bars

    def _status(self) -> str:
        rng = self.rng
        time = f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}"
        signs = "".join(self.sheet.picture() for _ in range(rng.randint(1, 4)))
        return f"<div class=status><span>{time}</span><span>{signs} {rng.randint(3, 100)}%</span></div>"

    def _app_bar(self) -> str:
        sheet, rng = self.sheet, self.rng
        left = sheet.named_icon(rng.choice(("Back", "Menu", "Close"))) if sheet.chance(0.75) else ""
        icons = sheet.icons.several(rng, rng.randint(0, 3), 0.9)
        right = "".join(sheet.icon_button(icon) for icon in icons)
        if sheet.chance(0.3):
            right += sheet.named_icon("More options")
        if sheet.chance(0.2):
            middle = f'<input class="f search" placeholder="{sheet.term(("Search", "Search settings", "Find"), 0.7)}">'
        else:
            middle = f"<h1>{sheet.term(SETTINGS + PLACES, 0.4, 2)}</h1>"
        if self.apple and sheet.chance(0.5):
            return f"<div class=top>{left}<span style='flex:1'></span>{right}</div><div class=large>{middle}</div>"
        return f"<div class=top>{left}{middle}{right}</div>"

    def _tabs(self) -> str:
        names = self.sheet.terms(PLACES, self.rng.randint(2, 4), 0.4, 1)
        chosen = self.rng.randrange(len(names))
        tabs = (f'<div role=tab class="tab{" on" if i == chosen else ""}">{name}</div>' for i, name in enumerate(names))
        return f"<div class=tabs>{''.join(tabs)}</div>"

    def _navigation(self) -> str:
        sheet, rng = self.sheet, self.rng
        names = sheet.terms(PLACES, rng.randint(3, 5), 0.6, 1)
        chosen, bare = rng.randrange(len(names)), sheet.chance(0.15)
        entries = ""
        for number, name in enumerate(names):
            icon = sheet.icons.meant(rng, name) or sheet.icons.draw(rng, 0.05)
            on = " on" if number == chosen else ""
            if bare:
                entries += sheet.icon_button(icon, cls=f"nav{on}")
            else:
                entries += f'<a class="nav{on}" href=#><span class=blob>{icon.svg}</span><span>{name}</span></a>'
        return f"<nav>{entries}</nav>"

    # --- content

    def _switch(self, label: str) -> str:
        on = "true" if self.sheet.chance(0.5) else "false"
        return f"<span class=sw role=switch aria-checked={on} aria-labelledby={label}></span>"

    def _row(self, title: str, kind: str) -> str:
        """A row of a list. kind: what stands at its end."""
        sheet, rng, ident = self.sheet, self.rng, self.sheet.ident()
        icon = f"<span class=lead>{sheet.picture()}</span>" if self.icons_lead else ""
        under = (
            f"<small>{sheet.sentence(2, 7) if sheet.chance(0.5) else sheet.value()}</small>"
            if sheet.chance(0.5)
            else ""
        )
        words = f"<div class=grow><div id={ident} class=clip>{title}</div>{under}</div>"
        if kind == "switch":
            return f"<div class=item>{icon}{words}{self._switch(ident)}</div>"
        if kind == "check":
            box = f"<input type=checkbox id=b{ident} aria-labelledby={ident}{rng.choice((' checked', ''))}>"
            return f"<div class=item>{box}{icon}{words}</div>"
        if kind == "icon":
            return f"<div class=item>{icon}{words}{sheet.icon_button(sheet.icons.draw(rng, 0.9))}</div>"
        end = {"value": f"<span class=faint>{sheet.text(1)}</span>", "chevron": "<span class=faint>&#8250;</span>"}
        return f"<div class=item role=link aria-labelledby={ident}>{icon}{words}{end.get(kind, '')}</div>"

    def _settings(self) -> str:
        sheet, rng = self.sheet, self.rng
        self.icons_lead, parts = sheet.chance(0.55), ""
        for name in sheet.terms(SETTINGS, max(3, self.height // rng.randint(64, 110)), 0.6):
            if sheet.chance(0.15):
                parts += f"</div><div class=head>{sheet.text(2)}</div><div class=group>"
            parts += self._row(name, rng.choice(("switch", "switch", "chevron", "plain", "value", "check", "icon")))
        return f"<div class=group>{parts}</div>"

    def _form(self) -> str:
        sheet, rng = self.sheet, self.rng
        layout = rng.choice(("above", "inside", "hint", "beside"))
        parts = "".join(self._field(name, layout) for name in sheet.terms(FIELDS, rng.randint(2, 6), 0.5))
        for name in sheet.terms(SETTINGS, rng.randint(0, 3), 0.2):
            ident, kind = sheet.ident(), rng.choice(("checkbox", "radio"))
            on = rng.choice((" checked", ""))
            parts += f"<div class=line><input type={kind} id={ident}{on}><label for={ident}>{name}</label></div>"
        wide = rng.choice(("width:100%", ""))
        buttons = sheet.terms(DEEDS, rng.randint(1, 2), 0.6, 2)
        made = (
            f'<button class="btn{" second" if i else ""}" style="{wide}">{n}</button>' for i, n in enumerate(buttons)
        )
        return (
            f"<div class=pad>{parts}<div class=line style='flex-wrap:wrap;margin-top:12px'>{''.join(made)}</div></div>"
        )

    def _field(self, name: str, layout: str) -> str:
        sheet, ident = self.sheet, self.sheet.ident()
        value = f'value="{sheet.value()}"' if sheet.chance(0.35) and layout != "hint" else ""
        if layout == "hint":
            return f'<div class=line><input class=f placeholder="{name}"></div>'
        if sheet.chance(0.2):
            options = "".join(f"<option>{sheet.text(2)}</option>" for _ in range(self.rng.randint(2, 5)))
            control = f"<select class=f id={ident}>{options}</select>"
        else:
            control = f"<input class=f id={ident} {value}>"
        label = f"<label for={ident}>{name}</label>"
        return f'<div class="field {layout}">{label}{control}</div>'

    def _mails(self) -> str:
        sheet, rng, rows = self.sheet, self.rng, ""
        end = rng.choice(("", "star", "more"))
        for _ in range(max(3, self.height // rng.randint(76, 120))):
            name, ident = sheet.text(2), sheet.ident()
            face = f"<span class=face style='background:hsl({rng.randint(0, 359)},45%,45%)'>{name[0]}</span>"
            words = f"<div class=grow><div class=clip><b id={ident}>{name}</b></div><div class=clip>{sheet.sentence(3, 12)}</div></div>"
            button = {"star": sheet.named_icon("Star"), "more": sheet.named_icon("More options")}.get(end, "")
            when = f"<small>{rng.randint(1, 23)}:{rng.randint(0, 59):02d}</small>"
            rows += (
                f"<div class=item role=link aria-labelledby={ident}>{face}{words}{when}</div>"
                if not button
                else (f"<div class=item>{face}{words}{button}</div>")
            )
        return rows

    def _chat(self) -> str:
        sheet, rng = self.sheet, self.rng
        said = "".join(
            f'<div class="said{rng.choice((" mine", ""))}">{sheet.sentence(2, 14)}</div>'
            for _ in range(max(2, self.height // 130))
        )
        icons = "".join(sheet.icon_button(icon) for icon in sheet.icons.several(rng, rng.randint(0, 2)))
        hint = sheet.term(("Message", "Type a message", "Text message"), 0.7)
        entry = f'{icons}<input class=f style="flex:1;width:auto" placeholder="{hint}">{sheet.named_icon("Send")}'
        return f"<div class=grow><div class=pad>{said}</div></div><div class='line pad'>{entry}</div>"

    def _cards(self) -> str:
        sheet, rng = self.sheet, self.rng
        chips = "".join(
            f"<button class=chip>{name}</button>" for name in sheet.terms(PLACES, rng.randint(2, 5), 0.2, 1)
        )
        cards = ""
        for _ in range(max(1, self.height // 300)):
            picture = (
                f"<div class=photo style='background:hsl({rng.randint(0, 359)},40%,{rng.randint(35, 75)}%)'></div>"
            )
            buttons = "".join(
                f"<button class='btn flat'>{n}</button>" for n in sheet.terms(DEEDS, rng.randint(1, 2), 0.3, 2)
            )
            likes = "".join(sheet.icon_button(icon) for icon in sheet.icons.several(rng, rng.randint(0, 3), 0.9))
            words = f"<b>{sheet.text(3)}</b><p>{sheet.sentence(4, 16)}</p>"
            cards += f"<div class=card>{picture if sheet.chance(0.6) else ''}<div class=pad>{words}<div class=line>{buttons}{likes}</div></div></div>"
        return f"<div class='line pad' style='overflow:hidden'>{chips}</div><div class=pad>{cards}</div>"

    def _keypad(self) -> str:
        keys = self.rng.choice(("123456789*0#", "C(%/789*456-123+0.=+", "789÷456×123−0.=+"))
        columns = 3 if len(keys) == 12 else 4
        made = "".join(f"<button class=key>{key}</button>" for key in keys)
        call = self.sheet.named_icon("Call") if columns == 3 else ""
        shown = f"<div class=shown>{self.rng.randint(0, 999_999)}</div>"
        return f"{shown}<div class=keys style='grid-template-columns:repeat({columns},1fr)'>{made}</div><div class=mid>{call}</div>"

    def _gallery(self) -> str:
        sheet, rng = self.sheet, self.rng
        columns, tiles = rng.randint(3, 5), ""
        for icon in sheet.icons.several(rng, columns * rng.randint(2, 6), 0.4):
            name = sheet.term(PLACES + SETTINGS, 0.4, 1)
            colour = f"background:hsl({rng.randint(0, 359)},{rng.randint(20, 80)}%,{rng.randint(30, 60)}%)"
            tiles += f"<a class=tile href=#><span class=app-icon style='{colour}'>{icon.svg}</span><span class=clip>{name}</span></a>"
        return f"<div class='keys pad' style='grid-template-columns:repeat({columns},1fr)'>{tiles}</div>"

    def _profile(self) -> str:
        sheet, rng = self.sheet, self.rng
        self.icons_lead = True
        rows = "".join(self._row(name, rng.choice(("chevron", "value", "plain"))) for name in sheet.terms(PLACES, 6))
        name = sheet.text(2)
        face = f"<span class='face huge' style='background:{self.look.accent}'>{name[0]}</span>"
        return f"<div class='mid pad'>{face}<h2>{name}</h2><small>{sheet.value()}</small></div><div class=group>{rows}</div>"

    # --- on top

    def _on_top(self) -> str:
        sheet, rng = self.sheet, self.rng
        roll = rng.random()
        if roll < 0.1:
            buttons = "".join(
                f"<button class='btn flat'>{name}</button>" for name in sheet.terms(DEEDS, rng.randint(1, 3), 0.7)
            )
            words = f"<h2>{sheet.text(4)}</h2><p>{sheet.sentence(5, 20)}</p>"
            return f"<div class=veil><div class=dialog>{words}<div class='line end'>{buttons}</div></div></div>"
        if roll < 0.17:
            self.icons_lead = sheet.chance(0.6)
            rows = "".join(self._row(name, "plain") for name in sheet.terms(DEEDS, rng.randint(3, 6), 0.6))
            return f"<div class='veil low'><div class='dialog wide'>{rows}</div></div>"
        if roll < 0.25:
            rows = "".join(
                f"<div role=link class=item>{name}</div>" for name in sheet.terms(DEEDS + SETTINGS, rng.randint(3, 7))
            )
            return f"<div class=popup style='top:{rng.randint(30, 70)}px;right:6px'>{rows}</div>"
        if roll < 0.3:
            return f"<div class=snack><span class=grow>{sheet.sentence(2, 6)}</span><button class='btn flat'>{sheet.term(DEEDS, 0.6, 1)}</button></div>"
        return ""


def _css(sheet: Sheet, look: Look) -> str:
    rng = sheet.rng
    field = rng.choice(
        (
            f"border:1px solid {look.faint};background:transparent",
            f"border:0;border-bottom:1px solid {look.faint};background:{look.raised}",
            f"border:0;background:{look.raised}",
            f"border:0;border-bottom:1px solid {look.line};background:transparent",
        )
    )
    bar = rng.choice((look.paper, look.card, look.raised, look.accent))
    on_bar = look.on_accent if bar == look.accent else look.ink
    pill = rng.choice((look.radius, 99))
    side = rng.randint(10, 20)
    high = rng.choice((look.size + 6, look.size + 10))
    return (
        f"*{{font-family:'{look.font}',sans-serif}}:root{{color-scheme:{'dark' if look.dark else 'light'};"
        f"accent-color:{look.accent}}}body{{background:{look.paper};color:{look.ink};font-size:{look.size}px;"
        f"line-height:{rng.choice((1.25, 1.35, 1.45))}}}.app{{height:100vh;display:flex;flex-direction:column}}"
        f"main{{flex:1;min-height:0;overflow:hidden;position:relative;display:flex;flex-direction:column}}"
        f".status{{display:flex;justify-content:space-between;padding:4px {side}px;font-size:12px;background:{bar};"
        f"color:{on_bar}}}.top{{display:flex;align-items:center;gap:{rng.randint(2, 12)}px;padding:{rng.randint(4, 10)}px "
        f"{side // 2}px;min-height:48px;background:{bar};color:{on_bar};border-bottom:{rng.choice((0, 1))}px solid {look.line}}}"
        f"h1{{font-size:{look.size + rng.randint(2, 6)}px;font-weight:{rng.choice((400, 500, 600))};margin:0 8px;flex:1;"
        f"white-space:nowrap;overflow:hidden}}.large{{padding:2px {side}px 8px;background:{bar};color:{on_bar}}}.large h1{{font-size:30px;font-weight:700;margin:0}}"
        f"h2{{margin:4px 0;font-size:{look.size + 4}px}}p{{margin:4px 0;color:{look.faint}}}small{{color:{look.faint};"
        f"font-size:{look.size - 2}px}}.ib{{border:0;background:transparent;color:inherit;width:{rng.randint(34, 44)}px;height:40px;"
        f"padding:0;font-size:{rng.randint(14, 19)}px;display:inline-flex;align-items:center;justify-content:center}}"
        f".big{{width:56px;height:56px}}.fab{{position:absolute;right:16px;bottom:16px;border-radius:{rng.choice((16, 99))}px;"
        f"background:{look.accent};color:{look.on_accent};box-shadow:0 2px 6px #0006}}"
        f".tabs{{display:flex;background:{bar};color:{on_bar}}}.tab{{flex:1;text-align:center;padding:10px 4px;opacity:.75;"
        f"border-bottom:3px solid transparent}}.tab.on{{opacity:1;border-color:{on_bar if bar == look.accent else look.accent}}}"
        f"nav{{display:flex;border-top:1px solid {look.line};background:{look.card}}}.nav{{flex:1;display:flex;"
        f"flex-direction:column;align-items:center;justify-content:center;gap:2px;padding:6px 0;min-height:50px;border:0;"
        f"background:transparent;font-size:{rng.choice((10, 11, 12))}px;color:{look.faint};text-decoration:none}}.nav .ic{{font-size:17px}}"
        f".nav.on{{color:{look.accent if not look.dark else look.ink}}}.blob{{padding:2px 14px;border-radius:99px}}"
        f".on .blob{{background:{rng.choice((look.tint, 'transparent'))}}}"
        f".group{{background:{look.card};margin:{rng.choice((0, 0, 8))}px {rng.choice((0, 0, side))}px;border-radius:{look.radius}px;"
        f"overflow:hidden}}.head{{padding:{rng.randint(10, 18)}px {side}px 4px;color:{rng.choice((look.accent, look.faint))};"
        f"font-size:{look.size - 1}px;font-weight:600}}.item{{display:flex;align-items:center;gap:{rng.randint(8, 18)}px;"
        f"padding:{rng.randint(7, 14)}px {side}px;border-bottom:{rng.choice((0, 1))}px solid {look.line}}}"
        f".grow{{flex:1;min-width:0}}.clip{{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}}.clip>b{{font-weight:600}}"
        f".faint{{color:{look.faint}}}.lead{{color:{rng.choice((look.faint, look.accent, look.ink))};width:28px;text-align:center}}"
        f".sw{{width:{2 * high - 6}px;height:{high}px;border-radius:99px;background:{look.faint};position:relative;flex:none}}"
        f".sw::after{{content:'';position:absolute;left:2px;top:2px;width:{high - 4}px;height:{high - 4}px;border-radius:99px;"
        f"background:#fff}}.sw[aria-checked=true]{{background:{look.accent}}}.sw[aria-checked=true]::after{{left:auto;right:2px}}"
        f"input[type=checkbox],input[type=radio]{{width:{rng.randint(16, 22)}px;height:{rng.randint(16, 22)}px;margin:0;flex:none}}"
        f".pad{{padding:{rng.randint(8, side)}px}}.line{{display:flex;gap:{rng.randint(6, 12)}px;align-items:center;"
        f"margin-bottom:{rng.randint(6, 14)}px}}.end{{justify-content:flex-end;margin:8px 0 0}}.f{{{field};color:{look.ink};font-size:{look.size}px;"
        f"padding:{rng.randint(8, 14)}px 12px;border-radius:{look.radius}px;width:100%;min-width:0}}.search{{flex:1;border-radius:{pill}px;padding:8px 14px}}"
        f"::placeholder{{color:{look.faint};opacity:1}}.field{{margin-bottom:{rng.randint(8, 16)}px}}.above label{{display:block;"
        f"margin-bottom:4px;font-size:{look.size - 1}px;color:{rng.choice((look.ink, look.faint))}}}.inside{{position:relative}}.inside .f{{padding:20px 12px 6px}}"
        f".inside label{{position:absolute;left:12px;top:4px;font-size:{max(11, look.size - 3)}px;color:{look.accent}}}"
        f".beside{{display:flex;align-items:center}}.beside label{{width:38%}}"
        f".btn{{border:0;border-radius:{pill}px;background:{look.accent};color:{look.on_accent};padding:{rng.randint(9, 14)}px {rng.randint(14, 26)}px;"
        f"font-size:{look.size}px;font-weight:{rng.choice((400, 500, 600))};text-transform:{rng.choices(('none', 'uppercase'), (4, 1))[0]}}}"
        f".second{{background:{rng.choice(('transparent', look.tint))};color:{look.ink};border:1px solid {look.line}}}"
        f".flat{{background:transparent;color:{look.accent if not look.dark else look.ink};padding:8px 12px}}"
        f".chip{{border:1px solid {look.line};border-radius:{rng.choice((8, 99))}px;background:{rng.choice((look.card, look.tint))};color:{look.ink};padding:6px 12px;"
        f"font-size:{look.size - 1}px;white-space:nowrap}}.card{{background:{look.card};border-radius:{look.radius + 4}px;overflow:hidden;"
        f"box-shadow:0 1px 3px #0004;margin-bottom:12px}}.photo{{height:{rng.randint(70, 150)}px}}"
        f".face{{width:40px;height:40px;border-radius:99px;color:#fff;display:flex;align-items:center;justify-content:center;flex:none;font-size:18px}}"
        f".huge{{width:84px;height:84px;font-size:38px}}.mid{{display:flex;flex-direction:column;align-items:center}}"
        f".said{{max-width:78%;padding:8px 12px;margin:6px 0;border-radius:14px;background:{look.raised};width:fit-content}}"
        f".mine{{margin-left:auto;background:{look.accent};color:{look.on_accent}}}"
        f".shown{{font-size:38px;text-align:right;padding:24px 20px;flex:1}}.keys{{display:grid;gap:{rng.randint(2, 12)}px}}"
        f".key{{border:0;border-radius:{pill}px;background:{rng.choice((look.raised, look.card, look.tint))};color:{look.ink};font-size:24px;"
        f"height:{rng.randint(48, 72)}px}}.tile{{display:flex;flex-direction:column;align-items:center;gap:4px;padding:8px 0;color:{look.ink};"
        f"text-decoration:none;font-size:12px;min-width:0}}.app-icon{{width:52px;height:52px;border-radius:{rng.choice((12, 16, 99))}px;color:#fff;"
        f"display:flex;align-items:center;justify-content:center;font-size:22px}}.veil{{position:fixed;inset:0;background:#0008;display:flex;"
        f"align-items:center;justify-content:center}}.low{{align-items:flex-end}}.dialog{{background:{look.card};border-radius:{look.radius + 8}px;"
        f"padding:20px;width:82%;max-width:420px}}.wide{{width:100%;max-width:none;padding:8px 0}}.popup{{position:fixed;background:{look.card};"
        f"min-width:180px;border-radius:{look.radius}px;box-shadow:0 3px 12px #0007}}.snack{{position:fixed;left:10px;right:10px;bottom:66px;"
        f"background:{look.ink};color:{look.paper};border-radius:6px;padding:4px 12px;display:flex;align-items:center}}.snack .flat{{color:inherit}}"
    )

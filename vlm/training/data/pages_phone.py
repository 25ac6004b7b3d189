"""Phone screens: a status bar, an app bar, lists, settings, forms, chats, a keypad or a gallery, and bottom navigation.

On top of them may lie a dialog, a sheet of choices, a menu or a notice.
"""

from vlm.training.data.pages import Page
from vlm.training.data.phone_css import phone_css
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
    *("Text", "Subject", "Description", "Comment", "To", "Remind me"),
)


def phone_page(sheet: Sheet) -> Page:
    """A random phone screen."""
    rng = sheet.rng
    width, height, scale, _ = rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
    look = random_look(rng, sheet.fonts, (13, 14, 14, 15, 16, 16, 18))
    phone = _Phone(sheet, look, width, height)
    return Page(strict_document(phone_css(sheet, look), phone.body()), width, height, scale)


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
            parts += f"<div class=line><input type={kind} name=r id={ident}{on}><label for={ident}>{name}</label></div>"
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
        elif sheet.chance(0.2):
            control = f"<textarea class=f id={ident} rows={self.rng.randint(2, 8)}></textarea>"
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
            begins = f"<div class=clip>{sheet.sentence(3, 12)}</div>"
            words = f"<div class=grow><div class=clip><b id={ident}>{name}</b></div>{begins}</div>"
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
            inner = f"<div class=pad>{words}<div class=line>{buttons}{likes}</div></div>"
            cards += f"<div class=card>{picture if sheet.chance(0.6) else ''}{inner}</div>"
        return f"<div class='line pad' style='overflow:hidden'>{chips}</div><div class=pad>{cards}</div>"

    def _keypad(self) -> str:
        keys = self.rng.choice(("123456789*0#", "C(%/789*456-123+0.=+", "789÷456×123−0.=+"))
        columns = 3 if len(keys) == 12 else 4
        made = "".join(f"<button class=key>{key}</button>" for key in keys)
        call = self.sheet.named_icon("Call") if columns == 3 else ""
        shown = f"<div class=shown>{self.rng.randint(0, 999_999)}</div>"
        grid = f"grid-template-columns:repeat({columns},1fr)"
        return f"{shown}<div class=keys style='{grid}'>{made}</div><div class=mid>{call}</div>"

    def _gallery(self) -> str:
        sheet, rng = self.sheet, self.rng
        columns, tiles = rng.randint(3, 5), ""
        for icon in sheet.icons.several(rng, columns * rng.randint(2, 6), 0.05):
            name = sheet.term(PLACES + SETTINGS, 0.4, 1)
            colour = f"background:hsl({rng.randint(0, 359)},{rng.randint(20, 80)}%,{rng.randint(30, 60)}%)"
            drawn = f"<span class=app-icon style='{colour}'>{icon.svg}</span>"
            tiles += f"<a class=tile href=#>{drawn}<span class=clip>{name}</span></a>"
        return f"<div class='keys pad' style='grid-template-columns:repeat({columns},1fr)'>{tiles}</div>"

    def _profile(self) -> str:
        sheet, rng = self.sheet, self.rng
        self.icons_lead = True
        rows = "".join(self._row(name, rng.choice(("chevron", "value", "plain"))) for name in sheet.terms(PLACES, 6))
        name = sheet.text(2)
        face = f"<span class='face huge' style='background:{self.look.accent}'>{name[0]}</span>"
        head = f"<div class='mid pad'>{face}<h2>{name}</h2><small>{sheet.value()}</small></div>"
        return f"{head}<div class=group>{rows}</div>"

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
            button = f"<button class='btn flat'>{sheet.term(DEEDS, 0.6, 1)}</button>"
            return f"<div class=snack><span class=grow>{sheet.sentence(2, 6)}</span>{button}</div>"
        return ""

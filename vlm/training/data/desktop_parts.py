"""What stands in a desktop's windows: dialogs, property sheets, keypads, files, an editor, settings."""

from vlm.training.data.sheet import Sheet

MENUS = ("File", "Edit", "View", "Insert", "Format", "Tools", "Help", "Search", "Document", "Window", "Options")
DEEDS = (
    *("OK", "Cancel", "Apply", "Close", "Save", "Save As", "Open", "New", "Print", "Undo", "Redo", "Cut", "Copy"),
    *("Paste", "Select All", "Find", "Replace", "Properties", "Preferences", "Delete", "Rename", "Help", "Yes", "No"),
    *("Add", "Remove", "Reset", "Browse", "Quit", "Zoom In", "Zoom Out", "Full Screen", "Export", "Import"),
)
FIELDS = (
    *("Name", "File name", "Location", "Size", "Width", "Height", "Font", "Title", "Author", "Path", "Host", "Port"),
    *("User name", "Password", "Search for", "Replace with", "Scale", "Copies", "Margin", "Language", "Encoding"),
)
CHECKS = (
    *("Match case", "Wrap around", "Show line numbers", "Read only", "Hidden", "Word wrap", "Show toolbar"),
    *("Remember password", "Start automatically", "Bold text", "Use default", "Show status bar", "Auto save"),
)
PLACES = ("Home", "Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos", "Trash", "Network", "Recent")
KEYPADS = (
    (4, ("7", "8", "9", "÷", "4", "5", "6", "×", "1", "2", "3", "−", "0", ".", "=", "+")),
    (5, ("7", "8", "9", "/", "C", "4", "5", "6", "*", "(", "1", "2", "3", "-", ")", "0", ".", "%", "+", "=")),
    (6, (*"789/CE", *"456*()", *"123-^%", "0", ".", "+/-", "+", "sqrt", "=")),
    (4, ("%", "CE", "C", "Back", "1/x", "x²", "√x", "÷", *"789×", *"456−", *"123+", "+/-", "0", ".", "=")),
)


def content_of(sheet: Sheet, width: int, height: int, *, dialog: bool) -> str:
    """What stands in a window of that size."""
    if width < 300 or height < 260:
        return sheet.rng.choice((_keypad, _message))(sheet, height)
    if dialog:
        return sheet.rng.choice((_dialog, _dialog, _message, _sheet, _keypad))(sheet, height)
    makers = (_files, _editor, _settings, _sheet) + ((_dialog, _keypad) if width < 640 else ())
    return sheet.rng.choice(makers)(sheet, height)


def _buttons(sheet: Sheet, most: int = 4) -> str:
    names = sheet.terms(DEEDS, sheet.rng.randint(1, most), 0.7)
    prime = sheet.rng.choice((-1, 0, len(names) - 1))
    return "".join(f"<button{' class=prime' if i == prime else ''}>{name}</button>" for i, name in enumerate(names))


def _message(sheet: Sheet, _height: int) -> str:
    icon = f"<span style='font-size:28px'>{sheet.picture()}</span>"
    words = f"<div><b>{sheet.text(4)}</b><p>{sheet.sentence(4, 14)}</p></div>"
    return f"<div class=pad><div class=line>{icon}{words}</div><div class='line end'>{_buttons(sheet, 3)}</div></div>"


def _fields(sheet: Sheet, count: int) -> str:
    """Rows of a label and what it names; at most one list is open, and it is the last but two or so."""
    rng, rows = sheet.rng, ""
    names = sheet.terms(FIELDS, count, 0.6)
    is_open = rng.randrange(len(names)) if sheet.chance(0.25) else -1
    mark = rng.choice(("", ":"))
    for number, name in enumerate(names):
        ident = sheet.ident()
        if number == is_open:
            control = _open_list(sheet, ident)
        elif sheet.chance(0.2):
            options = "".join(f"<option>{sheet.text(2)}</option>" for _ in range(rng.randint(2, 5)))
            control = f"<select class=f id={ident}>{options}</select>"
        elif sheet.chance(0.2):
            control = f"<input class=f type=number id={ident} value={rng.randint(0, 200)} style='width:90px'>"
        else:
            value = f' value="{sheet.value()}"' if sheet.chance(0.5) else ""
            browse = f"<button>{sheet.term(('Browse', 'Choose'), 0.7, 1)}</button>" if sheet.chance(0.12) else ""
            control = f"<div style='display:flex;gap:6px'><input class=f id={ident}{value}>{browse}</div>"
        rows += f"<label for={ident}>{name}{mark}</label>{control}"
    return f"<div class=grid>{rows}</div>"


def _open_list(sheet: Sheet, ident: str) -> str:
    """A select box with its choices laid open under it."""
    options = [sheet.text(2) for _ in range(sheet.rng.randint(3, 6))]
    choices = "".join(f"<div class=choice role=link>{option}</div>" for option in options)
    return (
        f"<div style='position:relative'><select class=f id={ident}><option>{options[0]}</option></select>"
        f"<div class=list>{choices}</div></div>"
    )


def _checks(sheet: Sheet, count: int) -> str:
    rng, rows = sheet.rng, ""
    kind = rng.choice(("checkbox", "checkbox", "radio", "switch"))
    for name in sheet.terms(CHECKS, count, 0.5):
        ident, on = sheet.ident(), sheet.chance(0.4)
        if kind == "switch":
            box = f"<span class=sw role=switch aria-checked={str(on).lower()} aria-labelledby=l{ident}></span>"
            rows += f"<div class=line><span id=l{ident} style='flex:1'>{name}</span>{box}</div>"
        else:
            box = f"<input type={kind} id={ident}{' checked' if on else ''}>"
            rows += f"<div class=line>{box}<label for={ident}>{name}</label></div>"
    return rows


def _dialog(sheet: Sheet, height: int) -> str:
    fields = _fields(sheet, sheet.rng.randint(1, max(2, min(6, height // 70))))
    checks = _checks(sheet, sheet.rng.randint(0, 3)) if height > 320 else ""
    return f"<div class=pad>{fields}{checks}<div class='line end'>{_buttons(sheet)}</div></div>"


def _sheet(sheet: Sheet, height: int) -> str:
    """A property sheet: tabs, groups, buttons."""
    names = sheet.terms(("General", "Advanced", "Details", "Security", "View", "Editor", "Fonts & Colors"), 4, 0.5, 1)
    tabs = "".join(f'<div role=tab class="tab{" on" if i == 0 else ""}">{name}</div>' for i, name in enumerate(names))
    groups = ""
    for _ in range(max(1, min(3, height // 220))):
        inner = (
            _checks(sheet, sheet.rng.randint(2, 4)) if sheet.chance(0.6) else _fields(sheet, sheet.rng.randint(1, 3))
        )
        groups += f"<fieldset><legend>{sheet.text(2)}</legend>{inner}</fieldset>"
    return f"<div class=tabs>{tabs}</div><div class=pad>{groups}<div class='line end'>{_buttons(sheet)}</div></div>"


def _keypad(sheet: Sheet, height: int) -> str:
    columns, keys = sheet.rng.choice(KEYPADS if height > 300 else KEYPADS[:1])
    made = "".join(f"<button>{key}</button>" for key in keys)
    shown = f"<div class=shown>{sheet.rng.randint(0, 99999)}</div>"
    grid = f"grid-template-columns:repeat({columns},1fr)"
    return f"<div class='pad calc'>{shown}<div class=keys style='{grid}'>{made}</div></div>"


def _side(sheet: Sheet) -> str:
    nodes = ""
    for number, name in enumerate(sheet.terms(PLACES, sheet.rng.randint(4, 8), 0.6, 2)):
        on = " on" if number == 1 else ""
        nodes += f'<a class="node{on}" href=#>{sheet.picture()}<span>{name}</span></a>'
    return f"<div class=side>{nodes}</div>"


def _files(sheet: Sheet, height: int) -> str:
    rng = sheet.rng
    if sheet.chance(0.4):
        tiles = "".join(
            f"<a class=tile href=#>{icon.svg}<span>{sheet.text(1)}</span></a>"
            for icon in sheet.icons.several(rng, 12, 0.1)
        )
        return f"<div class=split>{_side(sheet)}<div class='pad tiles'>{tiles}</div></div>"
    heads = "".join(f"<th>{name}</th>" for name in sheet.terms(("Name", "Size", "Type", "Modified"), 4, 0.6, 1))
    rows = ""
    for number in range(max(3, height // 40)):
        name = f"{sheet.words.word().lower()}.{rng.choice(('txt', 'pdf', 'png', 'odt', 'csv', 'py'))}"
        kind = sheet.words.word().capitalize()
        rows += (
            f"<tr{' class=on' if number == 2 else ''}><td><a href=# style='color:inherit;text-decoration:none'>{name}</a></td>"
            f"<td>{rng.randint(1, 999)} kB</td><td>{kind}</td><td>{sheet.value()}</td></tr>"
        )
    side = _side(sheet) if sheet.chance(0.6) else ""
    return (
        f"<div class=split>{side}<div style='flex:1;overflow:hidden'><table><tr>{heads}</tr>{rows}</table></div></div>"
    )


def _editor(sheet: Sheet, height: int) -> str:
    name = sheet.term(("Text", "Document", "Editor", "Untitled"), 0.4, 1)
    text = "\n".join(sheet.sentence(3, 14) for _ in range(sheet.rng.randint(1, max(2, height // 40))))
    return f'<textarea class=text aria-label="{name}">{text}</textarea>'


def _settings(sheet: Sheet, height: int) -> str:
    rows = _checks(sheet, max(2, min(6, height // 90))) + _fields(sheet, 2)
    title = f"<h3>{sheet.text(2)}</h3>"
    return f"<div class=split>{_side(sheet)}<div class=pad style='flex:1'>{title}{rows}<div class=line>{_buttons(sheet, 2)}</div></div></div>"

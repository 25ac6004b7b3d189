"""Pages of running text, whose links stand in the middle of it: articles, folded sections, tabs, trees of files, mails,
long lists of boxes.

What is to be clicked is as small as the words around it, and looks nearly like them. A strip on top often says a name
that is on the page as well, as instructions and headings do: that is not what to click.
"""

import string
from collections.abc import Callable
from html import escape

from vlm.training.data.pages import Page
from vlm.training.data.sheet import Look, Sheet, random_look, strict_document

SIZES = (
    (160, 210, 2.0, 5),
    (224, 224, 1.0, 1),
    (360, 480, 1.0, 3),
    (480, 360, 2.0, 2),
    (448, 448, 1.0, 2),
    (640, 480, 1.0, 3),
    (1024, 768, 1.0, 2),
    (1280, 720, 1.0, 3),
)
"""CSS width and height, device scale, and how often."""
TINY = 200
"""CSS pixels of width below which letters are as small as they can be."""
SECTIONS = ("Section", "Part", "Chapter", "Step", "Question")
SIGNS = string.ascii_letters + string.digits


def text_page(sheet: Sheet, size: tuple[int, int] | None = None) -> Page:
    """A page of one part or more. size: width and height, at a device scale of 1."""
    return _Text(sheet, size).page()


class _Text:
    """names: of what can be clicked so far."""

    def __init__(self, sheet: Sheet, size: tuple[int, int] | None) -> None:
        self.sheet, self.rng = sheet, sheet.rng
        self.width, self.height, self.scale, _ = self.rng.choices(SIZES, weights=[often for *_, often in SIZES])[0]
        if size:
            (self.width, self.height), self.scale = size, 1.0
        self.names: list[str] = []

    def page(self) -> Page:
        rng = self.rng
        sizes = (9, 10, 10, 11) if self.width < TINY else (12, 13, 14, 14, 15, 16)
        look = random_look(rng, self.sheet.fonts, sizes)
        makers: tuple[Callable[[], str], ...] = (
            self._article, self._article, self._article, self._folded, self._tabbed, self._tree, self._boxes,
            self._mails,
        )  # fmt: skip
        count = 1 if self.height < 300 else rng.randint(1, self.height // 180)
        parts = "".join(f"<section>{rng.choice(makers)()}</section>" for _ in range(count))
        buttons = "".join(
            f"<button>{self._named(self.sheet.text(2))}</button> " for _ in range(rng.choice((0, 0, 1, 2)))
        )
        strip = f"<div class=strip>{self._saying()}</div>" if self.sheet.chance(0.6) else ""
        body = f"{strip}<main>{parts}{buttons}</main>"
        return Page(strict_document(self._css(look), body), self.width, self.height, self.scale)

    def _named(self, name: str) -> str:
        self.names.append(name)
        return name

    def _saying(self) -> str:
        """Some words about the page, mostly with a name that can be clicked there."""
        sheet, rng = self.sheet, self.rng
        if not self.names or sheet.chance(0.15):
            return sheet.sentence(3, 8)
        name = rng.choice(self.names)
        quoted = rng.choice((f'"{name}"', f'"{name}".', f"<b>{name}</b>", name))
        return f"{sheet.sentence(2, 6).rstrip('.')} {quoted} {'' if sheet.chance(0.5) else sheet.sentence(1, 4)}"

    def _prose(self, shortest: int = 8, longest: int = 45) -> str:
        """Words, some of them links, of which some have the stop behind them."""
        sheet, rng, told = self.sheet, self.rng, ""
        often, left = rng.choice((0.1, 0.2, 0.35)), rng.randint(shortest, longest)
        while left > 0:
            words = [escape(sheet.words.word().lower()) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]
            left -= len(words)
            text = " ".join(words)
            if sheet.chance(0.2):
                text = text.capitalize()
            stop = rng.choice(("", "", "", "", ",", "."))
            if sheet.chance(often):
                inside = stop if sheet.chance(0.5) else ""
                told += f"<a href=#>{self._named(text + inside)}</a>{stop if not inside else ''} "
            else:
                told += f"{text}{stop} "
        return f"<p>{told}</p>"

    def _article(self) -> str:
        head = f"<h2>{self.sheet.text(3)}</h2>" if self.sheet.chance(0.5) else ""
        return head + "".join(self._prose() for _ in range(self.rng.randint(1, max(1, min(4, self.height // 180)))))

    def _folded(self) -> str:
        """Headings that fold what is below them; mostly one is open."""
        sheet, rng, made = self.sheet, self.rng, ""
        opened, word, numbered = rng.randint(-1, 4), sheet.term(SECTIONS, 0.8, 1), sheet.chance(0.5)
        for number in range(rng.randint(2, 6)):
            name = f"{word} {rng.choice(('#', ''))}{number + 1}" if numbered else sheet.text(3)
            made += f"<div class=fold role=button>{self._named(name)}</div>"
            if number == opened:
                made += f"<div class=inner>{self._prose(8, 25)}</div>"
        return made

    def _tabbed(self) -> str:
        sheet, rng = self.sheet, self.rng
        count, numbered = rng.randint(2, 6), sheet.chance(0.5)
        names = [f"{rng.choice(('Tab #', 'Tab '))}{i + 1}" for i in range(count)] if numbered else []
        names = names or [sheet.text(1) for _ in range(max(2, min(count, self.width // 80)))]
        chosen = rng.randrange(len(names))
        tabs = "".join(
            f'<span role=tab class="tab{" on" if number == chosen else ""}">{self._named(name)}</span>'
            for number, name in enumerate(names)
        )
        return f"<div class=tabs>{tabs}</div><div class=inner>{self._prose(8, 30)}</div>"

    def _tree(self) -> str:
        """Files and folders, a line each."""
        sheet, rng, made, depth = self.sheet, self.rng, "", 0
        signs = rng.choice((("▸", "▾"), ("+", "−"), ("", "")))
        for _ in range(rng.randint(3, max(4, min(14, self.height // 30)))):
            depth = max(0, min(3, depth + rng.choice((-1, 0, 0, 1))))
            name = self._named(sheet.text(1))
            made += (
                f"<div class=line style='padding-left:{4 + 12 * depth}px'><i>{rng.choice(signs)}</i>"
                f"{sheet.picture()}<a href=#>{name}</a></div>"
            )
        return made

    def _boxes(self) -> str:
        """Boxes to tick, in one column or more; some are called as no word is."""
        sheet, rng, made = self.sheet, self.rng, ""
        strange, columns = sheet.chance(0.6), rng.randint(1, max(1, min(3, self.width // 75)))
        for _ in range(rng.randint(3, max(4, columns * self.height // 40))):
            name = self._named(_strange(sheet) if strange else sheet.text(1 if self.width < TINY else 2))
            kind, on = ("radio" if sheet.chance(0.2) else "checkbox"), rng.choice(("", "", " checked"))
            made += f"<label><input type={kind}{on}>{name}</label>"
        return f"<div class=boxes style='columns:{columns}'>{made}</div>"

    def _mails(self) -> str:
        """Letters of several lines, each with icons at its end."""
        sheet, rng, made = self.sheet, self.rng, ""
        icons = sheet.icons.several(rng, rng.choice((1, 2, 2, 3)), 0.95)
        for _ in range(rng.randint(2, max(2, min(7, self.height // 60)))):
            by = sheet.text(1 if self.width < TINY else 2)
            lines = f"<b>{by}</b><br>{sheet.sentence(1, 3)}" + (
                f"<br>{sheet.sentence(2, 4)}" if sheet.chance(0.6) else ""
            )
            made += f"<div class=mail><div class=grow>{lines}</div><span>{sheet.entry_icons(icons, by)}</span></div>"
        return made

    def _css(self, look: Look) -> str:
        rng = self.rng
        link = rng.choice(
            (
                f"color:{look.accent};text-decoration:underline",
                f"color:{look.accent};text-decoration:none",
                "color:inherit;text-decoration:underline",
                f"color:{'#8ab4f8' if look.dark else '#00e'};text-decoration:underline",
            )
        )
        strip = (
            rng.choice((look.tint, look.raised, look.card)) if look.dark else rng.choice((look.tint, "#ff0", look.card))
        )
        fold = rng.choice((f"background:{look.accent};color:{look.on_accent}", f"background:{look.raised}"))
        side = rng.randint(14, 20) if self.width < TINY else rng.randint(20, 32)
        pad = rng.randint(1, 4) if self.width < TINY else rng.randint(4, 20)
        return (
            f"*{{font-family:'{look.font}',sans-serif}}body{{background:{look.paper};color:{look.ink};"
            f"font-size:{look.size}px;line-height:{rng.choice((1.15, 1.2, 1.35, 1.5))}}}a{{{link}}}"
            f"main{{padding:{pad}px;max-width:{rng.choice((1200, 900, 640))}px}}"
            f".strip{{background:{strip};padding:{pad}px;"
            f"min-height:{rng.choice((0, self.height // 5))}px}}section{{margin-bottom:{pad}px}}"
            f"p{{margin:{rng.randint(0, 8)}px 0}}h2{{font-size:{look.size + rng.randint(1, 6)}px;margin:2px 0}}"
            f".fold{{{fold};border:1px solid {look.line};border-radius:{min(6, look.radius)}px;"
            f"padding:{rng.randint(1, 6)}px 5px;margin:2px 0}}.inner{{border:1px solid {look.line};padding:{pad}px}}"
            f".tabs{{display:flex;gap:{rng.randint(1, 6)}px}}"
            f".tab{{padding:{rng.randint(2, 6)}px {rng.randint(4, 12)}px;border:1px solid {look.line};"
            f"background:{look.raised}}}.tab.on{{background:{look.accent};"
            f"color:{look.on_accent}}}"
            f".line{{display:flex;gap:4px;align-items:center;padding:{rng.randint(0, 3)}px 0}}"
            f".line a{{color:inherit;text-decoration:none}}i{{width:1em;font-style:normal}}"
            f".boxes label{{display:block;break-inside:avoid;white-space:nowrap}}"
            f"input{{margin:{rng.randint(1, 3)}px 3px}}"
            f".mail{{display:flex;gap:6px;border-bottom:1px solid {look.line};padding:{rng.randint(2, 6)}px;"
            f"align-items:{rng.choice(('flex-start', 'center'))}}}.grow{{flex:1;min-width:0}}"
            f".ib{{border:0;background:transparent;color:{rng.choice((look.ink, look.faint))};width:{side}px;"
            f"height:{side}px;padding:0;font-size:{round(side * 0.6)}px;display:inline-flex;align-items:center;"
            f"justify-content:center}}"
            f"button{{font-size:inherit}}"
        )


def _strange(sheet: Sheet) -> str:
    """Letters and digits at random, as keys and codes are."""
    return "".join(sheet.rng.choices(SIGNS, k=sheet.rng.randint(2, 8)))

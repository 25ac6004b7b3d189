"""What the writers of screens share: chance, words, icons, numbers for ids, and a random look."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from vlm.training.data.icons import Icon, Icons
from vlm.training.data.words import Words


@dataclass(frozen=True, slots=True)
class Look:
    """Colours (CSS) and lengths (CSS pixels) of a screen."""

    dark: bool
    paper: str
    card: str
    raised: str
    ink: str
    faint: str
    line: str
    accent: str
    on_accent: str
    tint: str
    font: str
    size: int
    radius: int


def random_look(rng: random.Random, fonts: tuple[str, ...], sizes: tuple[int, ...]) -> Look:
    """sizes: of letters, to choose from."""
    dark, hue = rng.random() < 0.3, rng.randint(0, 359)
    tone, chroma = rng.choice((hue, hue, rng.randint(0, 359))), rng.choice((0, 0, 5, 12, 25))
    light = rng.randint(7, 18) if dark else rng.randint(90, 100)
    step = rng.randint(3, 8) if dark else -rng.randint(3, 8)
    strong = rng.randint(58, 78) if dark and rng.random() < 0.5 else rng.randint(28, 48)
    return Look(
        dark=dark,
        paper=f"hsl({tone},{chroma}%,{light}%)",
        card=f"hsl({tone},{chroma}%,{min(100, light + rng.choice((0, 3, 6)))}%)",
        raised=f"hsl({tone},{chroma}%,{light + step}%)",
        ink=f"hsl({tone},{chroma}%,{rng.randint(86, 98) if dark else rng.randint(5, 22)}%)",
        faint=f"hsl({tone},{chroma // 2}%,{rng.randint(60, 72) if dark else rng.randint(35, 52)}%)",
        line=f"hsl({tone},{chroma // 2}%,{rng.randint(24, 36) if dark else rng.randint(74, 90)}%)",
        accent=f"hsl({hue},{rng.randint(45, 90)}%,{strong}%)",
        on_accent="#111" if strong > 55 else "#fff",
        tint=f"hsl({hue},{rng.randint(30, 70)}%,{rng.randint(20, 30) if dark else rng.randint(84, 93)}%)",
        font=rng.choice(fonts),
        size=rng.choice(sizes),
        radius=rng.choice((0, 2, 4, 4, 6, 8, 12)),
    )


class Sheet:
    """Parts of pages. Names that programs often have (`terms`) are for training only: held-out pages have none."""

    def __init__(self, rng: random.Random, words: Words, fonts: tuple[str, ...], icons: Icons) -> None:
        self.rng, self.words, self.fonts, self.icons = rng, words, fonts, icons
        self._ids = 0

    def ident(self) -> str:
        self._ids += 1
        return f"s{self._ids}"

    def text(self, longest: int = 3) -> str:
        return escape(self.words.label(longest))

    def sentence(self, shortest: int = 3, longest: int = 10) -> str:
        return escape(self.words.sentence(shortest, longest))

    def value(self) -> str:
        return escape(self.words.value(), quote=True)

    def term(self, terms: tuple[str, ...], share: float = 0.5, longest: int = 3) -> str:
        """One of `terms`, or other words."""
        if self.words.held_out or self.rng.random() >= share:
            return self.text(longest)
        return escape(self.rng.choice(terms))

    def terms(self, terms: tuple[str, ...], count: int, share: float = 0.5, longest: int = 2) -> list[str]:
        """`count` different ones, or fewer if luck has it."""
        return list(dict.fromkeys(self.term(terms, share, longest) for _ in range(count)))

    def icon_button(self, icon: Icon, style: str = "", cls: str = "ib") -> str:
        """A button that shows nothing but an icon."""
        name = escape(icon.name, quote=True)
        return f'<button class="{cls}" aria-label="{name}" data-icon="{name}" style="{style}">{icon.svg}</button>'

    def entry_icons(self, icons: Sequence[Icon], words: str) -> str:
        """Buttons of a list's entry that show icons, called by what they do and to what: "Delete Smith". words: as
        HTML has them."""
        named = ((escape(icon.name, quote=True), icon.svg) for icon in icons)
        return "".join(
            f'<button class=ib aria-label="{name} {words}" data-icon="{name}">{svg}</button>' for name, svg in named
        )

    def named_icon(self, name: str, style: str = "") -> str:
        """The icon button of that meaning, or any other where no set has it."""
        icon = self.icons.meant(self.rng, name) or self.icons.draw(self.rng)
        return self.icon_button(icon, style)

    def picture(self) -> str:
        """An icon that is only to look at: a rare one, as it stands beside other words than its name."""
        return self.icons.draw(self.rng, 0.05).svg

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


def strict_document(css: str, body: str, zoom: float = 1.0) -> str:
    """A page on which a control that is covered in part has no label."""
    scaled = f"body{{zoom:{zoom}}}" if zoom != 1 else ""
    return (
        f"<!doctype html><html data-strict><head><meta charset=utf-8><style>"
        f"*{{box-sizing:border-box}}body{{margin:0;overflow:hidden}}.ic{{width:1.3em;height:1.3em;flex:none;"
        f"vertical-align:middle;pointer-events:none}}{scaled}{css}</style></head><body>{body}</body></html>"
    )

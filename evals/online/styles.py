"""How a form looks: fonts, colours, layout. Every style fits 1280x720 without scrolling."""

from dataclasses import dataclass
from random import Random

FONTS = (
    "'DejaVu Sans', Verdana, sans-serif",
    "'Liberation Sans', Arial, sans-serif",
    "'Noto Sans', 'Open Sans', 'Segoe UI', sans-serif",
    "'Liberation Serif', Georgia, serif",
    "'DejaVu Serif', 'Noto Serif', serif",
    "system-ui, sans-serif",
)
LIGHT = (("#f4f6f9", "#ffffff"), ("#ffffff", "#ffffff"), ("#eef1ec", "#fbfcfa"), ("#f7f3ee", "#fffdfa"))
DARK = (("#14181f", "#1e2530"), ("#1b1b1d", "#28282b"), ("#0f1720", "#17222e"))
ACCENTS = ("#2563eb", "#0f766e", "#b4431f", "#6d28d9", "#15803d", "#9d174d", "#334155")
DARK_ACCENTS = ("#3b82f6", "#14a394", "#e0693f", "#8b5cf6", "#22a05a")


@dataclass(frozen=True, slots=True)
class Style:
    """Classes and style attribute of the page's body."""

    classes: str
    style: str


def draw_style(rng: Random) -> Style:
    dark = rng.random() < 0.3
    ground, card = rng.choice(DARK if dark else LIGHT)
    variables = {
        "ground": ground,
        "card": card,
        "accent": rng.choice(DARK_ACCENTS if dark else ACCENTS),
        "text": "#e8ecf2" if dark else "#1d2530",
        "muted": "#9aa6b5" if dark else "#5b6675",
        "line": "#4a5666" if dark else "#b9c2cd",
        "input": "#10151c" if dark else "#ffffff",
        "font": rng.choice(FONTS),
        "size": f"{rng.choice((15, 16, 17))}px",
        "radius": f"{rng.choice((0, 4, 8, 12))}px",
        "width": f"{rng.choice((640, 700, 760, 860))}px",
        "top": f"{rng.choice((24, 48, 80, 120))}px",
        "align": rng.choice(("0 auto", "0 auto", "0 auto 0 64px", "0 64px 0 auto")),
    }
    classes = [
        "dark" if dark else "light",
        rng.choice(("labels-above", "labels-left")),
        rng.choice(("one-column", "two-columns")),
        rng.choice(("options-stacked", "options-inline")),
        rng.choice(("with-bar", "no-bar")),
        rng.choice(("buttons-left", "buttons-right")),
    ]
    # Labels to the left in two columns leave no room for what is typed.
    if classes[1:3] == ["labels-left", "two-columns"]:
        variables["width"] = "900px"
    return Style(" ".join(classes), "; ".join(f"--{name}: {value}" for name, value in variables.items()))

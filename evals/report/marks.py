"""What was right and what was done, as SVG on a screenshot, and in a few words."""

from collections.abc import Sequence

from markupsafe import Markup

from evals.protocols.values import Act, Direction, Place, Step

Scale = tuple[float, float]
"""Pixels for a unit across and down."""

_ARROWS: dict[Direction, Place] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_TIMES = {1: "", 2: "double ", 3: "triple "}

SIDE = 900
"""Marks are as large as they are on a picture of this side: they have to be seen on a small card."""

COLOURS = 4
"""Models that are told apart by colour; more of them share."""


def draw_right(step: Step, scale: Scale, side: int) -> Markup:
    """Targets, and the right places where there are none."""
    if step.polygon:
        corners = " ".join(f"{x * scale[0]:.1f},{y * scale[1]:.1f}" for x, y in step.polygon)
        return _group("right", f'<polygon points="{corners}"/>')
    shapes = []
    for act in step.acts:
        for box in act.targets:
            left, top, wide, high = box.left, box.top, box.right - box.left, box.bottom - box.top
            corner = f'x="{left * scale[0]:.1f}" y="{top * scale[1]:.1f}"'
            shapes.append(f'<rect {corner} width="{wide * scale[0]:.1f}" height="{high * scale[1]:.1f}"/>')
        if not act.targets or act.end is not None or act.direction is not None:
            shapes.append(_shape(act, scale, side / SIDE, radius=20))
    return _group("right", "".join(shapes))


def draw_done(acts: Sequence[Act], scale: Scale, side: int, colour: int) -> Markup:
    """What a model did; colour: its number."""
    return _group(f"did c{colour % COLOURS}", "".join(_shape(act, scale, side / SIDE) for act in acts))


def _group(kind: str, shapes: str) -> Markup:
    """Drawn twice: a wide light line under a coloured one is visible on any page. Only numbers are in the shapes."""
    return Markup(f'<g class="halo">{shapes}</g><g class="{kind}">{shapes}</g>') if shapes else Markup("")


def _shape(act: Act, scale: Scale, unit: float, radius: float = 12) -> str:
    """The right place has a wider ring, which what was done there does not hide."""
    at = act.point or act.end
    if at is None:
        return ""
    x, y = at[0] * scale[0], at[1] * scale[1]
    shapes = _ring(x, y, radius * unit) + _cross(x, y, unit)
    if act.point is not None and act.end is not None:
        shapes += _arrow(x, y, act.end[0] * scale[0], act.end[1] * scale[1], unit)
    elif act.direction is not None:
        across, down = _ARROWS[act.direction]
        shapes += _arrow(x, y, x + across * 64 * unit, y + down * 64 * unit, unit)
    return shapes


def _ring(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'


def _cross(x: float, y: float, unit: float) -> str:
    """The middle stays open: what was aimed at is what one wants to see."""
    inner, outer = 8 * unit, 24 * unit
    arms = "".join(
        f"M{x + across * inner:.1f} {y + down * inner:.1f}L{x + across * outer:.1f} {y + down * outer:.1f}"
        for across, down in _ARROWS.values()
    )
    return f'<path d="{arms}"/>'


def _arrow(x: float, y: float, end_x: float, end_y: float, unit: float) -> str:
    length = max(((end_x - x) ** 2 + (end_y - y) ** 2) ** 0.5, 1e-6)
    across, down, barb = (end_x - x) / length, (end_y - y) / length, 14 * unit
    barbs = [(end_x - barb * (across + turn * down), end_y - barb * (down - turn * across)) for turn in (0.6, -0.6)]
    head = "".join(f"M{end_x:.1f} {end_y:.1f}L{left:.1f} {top:.1f}" for left, top in barbs)
    return f'<path d="M{x:.1f} {y:.1f}L{end_x:.1f} {end_y:.1f}{head}"/>'


def words_of(act: Act) -> str:
    """One action in a few words, such as `double click (412, 233)`."""
    at = f" ({act.point[0]:.4g}, {act.point[1]:.4g})" if act.point is not None else ""
    match act.kind:
        case "click":
            held = "".join(f"{key}+" for key in act.keys)
            button = "" if act.button == "left" else f"{act.button} "
            return f"{held}{button}{_TIMES.get(act.count, '')}click{at or ' in the box'}"
        case "drag":
            end = f" to ({act.end[0]:.4g}, {act.end[1]:.4g})" if act.end is not None else ""
            return f"drag{at}{end}"
        case "scroll":
            return f"scroll {act.direction or ''}{at}"
        case "type" | "select" | "open":
            text = act.text if len(act.text) <= 80 else act.text[:79] + "…"
            return f"{act.kind} {text!r}{at}"
        case "press" | "hotkey":
            return f"press {'+'.join(act.keys)}"
        case "finish":
            return f"finish: {act.status}"
        case "refuse":
            return "say that nothing fits"
        case _:
            return f"{act.kind.replace('_', ' ')}{at}"

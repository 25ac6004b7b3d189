"""An action drawn on its screenshot, as SVG in screenshot pixels."""

import math
from typing import assert_never

from markupsafe import Markup

from action_space.actions import (
    Action,
    Ask,
    Click,
    Direction,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.geometry import Point, Size

_ARROWS: dict[Direction, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


def marks(action: Action | None, screen: Size, *, carried_out: bool = True) -> Markup:
    """Rings, crosshairs and arrows; dashed if the action was not carried out. Empty for an action without a place."""
    shapes = _shapes(action, max(screen.width, screen.height) / 1280) if action is not None else ""
    if not shapes:
        return Markup("")
    # Drawn twice: a wide light line under a coloured one is visible on any page.
    kind = "mark" if carried_out else "mark refused"
    # Only numbers were put into the shapes.
    return Markup(f'<g class="halo">{shapes}</g><g class="{kind}">{shapes}</g>')


def _shapes(action: Action, unit: float) -> str:
    match action:
        case Click():
            rings = "".join(_ring(action.point, (18 + 7 * extra) * unit) for extra in range(action.count))
            return rings + _cross(action.point, unit) + (_side(action.point, unit) if action.button == "right" else "")
        case LongPress():
            return _ring(action.point, 16 * unit) + _ring(action.point, 9 * unit) + _cross(action.point, unit)
        case Move():
            return _cross(action.point, unit)
        case Drag():
            return _ring(action.start, 10 * unit) + _arrow(action.start, action.end, unit)
        case Scroll():
            right, down = _ARROWS[action.direction]
            length = round(64 * unit)
            end = Point(action.point.x + right * length, action.point.y + down * length)
            return _ring(action.point, 16 * unit) + _arrow(action.point, end, unit)
        case Type() | Press() | Open() | Wait() | Ask() | Finish():
            return ""
        case _:
            assert_never(action)


def _ring(at: Point, radius: float) -> str:
    return f'<circle cx="{at.x + 0.5}" cy="{at.y + 0.5}" r="{radius:.1f}"/>'


def _cross(at: Point, unit: float) -> str:
    inner, outer = 12 * unit, 32 * unit
    x, y = at.x + 0.5, at.y + 0.5
    arms = "".join(
        f"M{x + dx * inner:.1f} {y + dy * inner:.1f}L{x + dx * outer:.1f} {y + dy * outer:.1f}"
        for dx, dy in _ARROWS.values()
    )
    # The middle stays open: what was aimed at is what one wants to see.
    return f'<path d="{arms}"/>'


def _side(at: Point, unit: float) -> str:
    """A small bracket at the right: the right button."""
    x, top, bottom = at.x + 38 * unit, at.y - 8 * unit, at.y + 8 * unit
    return f'<path d="M{x:.1f} {top:.1f}H{x + 6 * unit:.1f}V{bottom:.1f}H{x:.1f}"/>'


def _arrow(start: Point, end: Point, unit: float) -> str:
    angle = math.atan2(end.y - start.y, end.x - start.x)
    length = 16 * unit
    head = "".join(
        f"M{end.x} {end.y}L{end.x - length * math.cos(barb):.1f} {end.y - length * math.sin(barb):.1f}"
        for barb in (angle - 0.5, angle + 0.5)
    )
    return f'<path d="M{start.x} {start.y}L{end.x} {end.y}{head}"/>'

"""Targets on a page, for `agent doctor --coords`."""

from environments.browser import BrowserEnvironment
from environments.targets import SIDE, Target, spread

_SQUARE = "<i style='position:fixed;left:{left}px;top:{top}px;width:{side}px;height:{side}px;background:{colour}'></i>"
_PAGE = """<!doctype html><html style="height:100%"><body style="margin:0;background:#fff">{squares}<script>
window.arrived = null;
addEventListener("click", event => window.arrived = [event.clientX, event.clientY]);
</script></body></html>"""


class BrowserTargets:
    """Implements `Targets` in CSS pixels of the shown tab."""

    def __init__(self, environment: BrowserEnvironment) -> None:
        self._page = environment.page

    def draw(self) -> tuple[Target, ...]:
        size = self._page.viewport_size or {"width": 1280, "height": 720}
        targets = spread(0, 0, size["width"], size["height"])
        half = SIDE // 2
        squares = (
            _SQUARE.format(left=target.x - half, top=target.y - half, side=SIDE, colour=target.hex)
            for target in targets
        )
        self._page.set_content(_PAGE.format(squares="".join(squares)))
        return targets

    def arrived(self) -> tuple[float, float] | None:
        place = self._page.evaluate("[window.arrived, window.arrived = null][0]")
        return (float(place[0]), float(place[1])) if place else None

    def close(self) -> None:
        """The page goes with its browser."""

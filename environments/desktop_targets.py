"""Targets in a window over everything, for `agent doctor --coords`. Drawn by Tk, which every system has."""

import time
from typing import Any

from action_space.errors import ConfigError, DeviceError
from environments.desktop import DesktopEnvironment
from environments.targets import SIDE, Target, spread

_ARRIVAL_S = 3.0
_LOOK_S = 0.01


class DesktopTargets:
    """Implements `Targets` in the units of the monitor that the environment looks at."""

    def __init__(self, environment: DesktopEnvironment) -> None:
        self._area = environment.area
        self._display = environment.display
        self._clicks: list[tuple[float, float]] = []
        self._window: Any = None

    def draw(self) -> tuple[Target, ...]:
        try:
            import tkinter
        except ImportError as error:
            raise ConfigError("the targets need Tk: install it (Debian: apt-get install python3-tk)") from error
        area, half = self._area, SIDE // 2
        width, height = area.right - area.left, area.bottom - area.top
        try:
            self._window = window = tkinter.Tk(screenName=self._display or None)
        except tkinter.TclError as error:
            raise DeviceError(f"the targets cannot be drawn: {error}") from error
        window.overrideredirect(True)
        window.geometry(f"{width}x{height}+{area.left}+{area.top}")
        canvas = tkinter.Canvas(window, width=width, height=height, background="white", highlightthickness=0)
        canvas.pack()
        targets = spread(area.left, area.top, width, height)
        for target in targets:
            left, top = target.x - area.left - half, target.y - area.top - half
            canvas.create_rectangle(left, top, left + SIDE, top + SIDE, fill=target.hex, width=0)
        canvas.bind("<Button-1>", lambda event: self._clicks.append((event.x_root, event.y_root)))
        window.lift()
        window.attributes("-topmost", True)
        window.update()
        return targets

    def arrived(self) -> tuple[float, float] | None:
        deadline = time.monotonic() + _ARRIVAL_S
        while not self._clicks and time.monotonic() < deadline:
            self._window.update()
            time.sleep(_LOOK_S)
        return self._clicks.pop() if self._clicks else None

    def close(self) -> None:
        if self._window is not None:
            self._window.destroy()

"""The mouse, by pyautogui. Everything that moves the pointer goes through here, on every system."""

from typing import Any

from action_space.actions import Button
from action_space.errors import ConfigError

_BETWEEN_CLICKS_S = 0.03


def tamed(driver: Any) -> Any:  # noqa: ANN401 - a module without types
    """pyautogui without its pauses and without its own fail-safe, which forbids clicks into corners."""
    driver.PAUSE = 0
    driver.FAILSAFE = False
    driver.DARWIN_CATCH_UP_TIME = 0.01
    return driver


def import_pyautogui() -> Any:  # noqa: ANN401 - a module without types
    """The driver of this machine's screen. Raises ConfigError when it cannot be loaded, ModuleNotFoundError without it.

    It exits, instead of raising, where Tk is missing.
    """
    try:
        import pyautogui
    except SystemExit as error:
        raise ConfigError("pyautogui needs Tk: install it (Debian: apt-get install python3-tk)") from error
    return tamed(pyautogui)


class PyautoguiMouse:
    """Implements `Mouse`. driver: pyautogui. notch: what its scroll takes for one notch of the wheel."""

    def __init__(self, driver: Any, notch: int = 1) -> None:  # noqa: ANN401 - a module without types
        self._driver = driver
        self._notch = notch

    def position(self) -> tuple[int, int]:
        x, y = self._driver.position()
        return int(x), int(y)

    def move(self, x: int, y: int) -> None:
        self._driver.moveTo(x, y)

    def click(self, x: int, y: int, button: Button, count: int) -> None:
        # On a Mac two clicks are not a double click: each event has to say which click of a row it is.
        clicks = {1: self._driver.click, 2: self._driver.doubleClick, 3: self._driver.tripleClick}
        clicks[count](x, y, interval=_BETWEEN_CLICKS_S if count > 1 else 0.0, button=button)

    def down(self, button: Button) -> None:
        self._driver.mouseDown(button=button)

    def up(self, button: Button) -> None:
        self._driver.mouseUp(button=button)

    def drag_to(self, x: int, y: int, button: Button) -> None:
        self._driver.dragTo(x, y, duration=0, button=button, mouseDownUp=False)

    def wheel(self, right: int, down: int) -> None:
        if down:
            self._driver.scroll(-down * self._notch)
        if right:
            self._driver.hscroll(right * self._notch)

"""From a name and settings to an environment. A new kind of device is a line in the table and a function."""

from collections.abc import Callable
from pkgutil import resolve_name

from action_space.errors import ConfigError
from agent.trajectory import Settings
from environments.base import Environment

ENVIRONMENTS: dict[str, str] = {
    "browser": "agent.devices:open_browser",
}
"""Name -> the function that takes Settings and gives an Environment that is ready to be observed."""


def check_environment(name: str) -> None:
    """Raises ConfigError if there is no environment of this name."""
    if name not in ENVIRONMENTS:
        raise ConfigError(f"there is no environment {name!r}: choose one of {', '.join(ENVIRONMENTS)}")


def open_environment(settings: Settings) -> Environment:
    """Start the device. Raises ConfigError, DeviceError."""
    check_environment(settings.env)
    start: Callable[[Settings], Environment] = resolve_name(ENVIRONMENTS[settings.env])
    return start(settings)


def open_browser(settings: Settings) -> Environment:
    """A Chromium of our own on the start page."""
    from environments.browser import BrowserEnvironment

    return BrowserEnvironment(
        settings.url or "about:blank",
        headed=settings.headed,
        viewport=settings.viewport,
        device_scale=settings.device_scale,
    )

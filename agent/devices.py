"""From the settings of a run to a device that is ready to be looked at."""

from collections.abc import Callable
from typing import Any

from action_space.errors import ConfigError
from agent.trajectory import Settings
from environments.base import Environment
from environments.registry import ENVIRONMENTS, environment_class


def check_environment(name: str) -> None:
    """Raises ConfigError if there is no environment of this name; loads no driver."""
    if name not in ENVIRONMENTS:
        raise ConfigError(f"there is no environment {name!r}: choose one of {', '.join(ENVIRONMENTS)}")


def open_environment(settings: Settings) -> Environment:
    """Start the device. Raises ConfigError, DeviceError."""
    check_environment(settings.env)
    arguments = ARGUMENTS.get(settings.env)
    return environment_class(settings.env)(**(arguments(settings) if arguments else {}))


def _browser(settings: Settings) -> dict[str, Any]:
    return {
        "url": settings.url or "about:blank",
        "headless": not settings.headed,
        "viewport": settings.viewport,
        "device_scale": settings.device_scale,
    }


def _android(settings: Settings) -> dict[str, Any]:
    return {"serial": settings.device, "app": settings.app or settings.url}


ARGUMENTS: dict[str, Callable[[Settings], dict[str, Any]]] = {"android": _android, "browser": _browser}
"""Environment -> what its class is given; one that is not here is given nothing."""

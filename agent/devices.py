"""From the settings of a run to a device that is ready to be looked at."""

from collections.abc import Callable, Mapping
from typing import Any

from action_space.errors import ConfigError
from agent.trajectory import Settings
from environments.base import Environment
from environments.registry import ENVIRONMENTS, environment_class


def check_environment(name: str) -> None:
    """Raises ConfigError if there is no environment of this name; loads no driver."""
    if name not in ENVIRONMENTS:
        raise ConfigError(f"there is no environment {name!r}: choose one of {', '.join(ENVIRONMENTS)}")


def check_options(env: str | None, options: Mapping[str, object]) -> None:
    """Raises ConfigError for options that mean nothing to this environment. env: None is a device that is open already.

    options: by the names of the settings; those that are empty, None or False count as not given.
    """
    mine = OPTIONS.get(env, frozenset()) if env is not None else OF_OPEN_DEVICES
    given = {name for name, value in options.items() if value not in (None, "", (), False)}
    for name in sorted(given & frozenset().union(*OPTIONS.values()) - mine):
        owners = " or ".join(sorted(owner for owner, names in OPTIONS.items() if name in names))
        what = f"this is {env!r}" if env is not None else "this device is open already"
        raise ConfigError(f"{_flag(name)} is for --env {owners}, and {what}: leave it out, or choose another --env")


def _flag(name: str) -> str:
    return f"--{name.removesuffix('s').replace('_', '-')}"


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
    if settings.app and settings.url:
        raise ConfigError("--app and --url cannot both come first: leave one of them out")
    return {"serial": settings.device, "app": settings.app, "url": settings.url}


def _desktop(settings: Settings) -> dict[str, Any]:
    return {
        "display": settings.display,
        "monitor": settings.monitor,
        "live": settings.live,
        "app": settings.app or "",
    }


ARGUMENTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "android": _android,
    "browser": _browser,
    "desktop": _desktop,
}
"""Environment -> what its class is given; one that is not here is given nothing."""

OPTIONS: dict[str, frozenset[str]] = {
    "android": frozenset({"app", "device", "url"}),
    "browser": frozenset({"allow_hosts", "device_scale", "headed", "url", "viewport"}),
    "desktop": frozenset({"app", "display", "live", "monitor"}),
}
"""Environment -> the settings that are its own; one that is not here has none. All other settings belong to every run.

Hosts are the browser's alone: what a phone's or a desktop's browser shows is not known, so nothing could be promised.
"""

OF_OPEN_DEVICES = frozenset({"allow_hosts", "url"})
"""What a device that a caller has opened may still be judged by."""

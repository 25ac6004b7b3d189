"""Every environment by name. A new one is a file and a line here; the contract check then runs on it."""

import pkgutil
from collections.abc import Callable
from typing import Any

from action_space.errors import ConfigError
from environments.base import Environment

ENVIRONMENTS = {
    "android": "environments.android:AndroidEnvironment",
    "browser": "environments.browser:BrowserEnvironment",
}


def environment_class(name: str) -> Callable[..., Environment]:
    """The class registered under `name`; its driver is imported only now. Raises ConfigError for an unknown name."""
    if name not in ENVIRONMENTS:
        raise ConfigError(f"unknown environment {name!r}: it must be one of {', '.join(sorted(ENVIRONMENTS))}")
    found: Any = pkgutil.resolve_name(ENVIRONMENTS[name])
    made: Callable[..., Environment] = found
    return made

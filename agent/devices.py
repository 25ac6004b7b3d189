"""From the settings of a run to a device that is ready to be looked at."""

from action_space.errors import ConfigError
from agent.trajectory import Settings
from environments.base import Environment
from environments.registry import ENVIRONMENTS, environment_class

TAKES: dict[str, tuple[str, ...]] = {
    "browser": ("url", "headed", "viewport", "device_scale"),
}
"""Environment -> the settings that its class takes by keyword; one that is not here takes none."""


def check_environment(name: str) -> None:
    """Raises ConfigError if there is no environment of this name; loads no driver."""
    if name not in ENVIRONMENTS:
        raise ConfigError(f"there is no environment {name!r}: choose one of {', '.join(ENVIRONMENTS)}")


def open_environment(settings: Settings) -> Environment:
    """Start the device. A setting that is None is left to the environment. Raises ConfigError, DeviceError."""
    check_environment(settings.env)
    values = dict(settings)
    given = {name: values[name] for name in TAKES.get(settings.env, ()) if values[name] is not None}
    return environment_class(settings.env)(**given)

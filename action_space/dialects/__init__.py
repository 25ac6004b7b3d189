"""One file per model family: prompt text out, Action in, and back."""

import pkgutil
from typing import cast

from action_space.dialects.base import Dialect
from action_space.errors import ConfigError

DIALECTS = {
    "compact": "action_space.dialects.compact:DIALECT",
    "computer_use": "action_space.dialects.computer_use:DIALECT",
    "mobile_use": "action_space.dialects.mobile_use:DIALECT",
}
"""Every dialect: name -> "module:attr". A new model family is one file and one line here."""


def load_dialect(name: str) -> Dialect:
    """The dialect of that name. Raises ConfigError naming the valid ones."""
    if name not in DIALECTS:
        raise ConfigError(f"unknown dialect {name!r}: choose one of {', '.join(DIALECTS)}")
    return cast(Dialect, pkgutil.resolve_name(DIALECTS[name]))

"""An evaluation as one HTML file that opens from disk, with no network."""

import os
from pathlib import Path

from action_space.errors import ConfigError


def require_writable(path: Path) -> None:
    """Raises ConfigError if no report can be written there: ask before a model is, which takes longer."""
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write the report {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise ConfigError(f"cannot write the report {str(path)!r}: it is a folder, give the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"cannot write the report {str(path)!r}: writing there is not permitted")

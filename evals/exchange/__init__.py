"""Runs of other programs as ours, and ours as training rows: one file a format."""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from action_space.errors import ConfigError

if TYPE_CHECKING:
    from evals.exchange.exporting import Exporter
    from evals.exchange.foreign import Importer

IMPORTERS: dict[str, str] = {
    "osworld": "evals.exchange.osworld:IMPORTER",
    "agentnet": "evals.exchange.agentnet:IMPORTER",
    "mobilerun": "evals.exchange.mobilerun:IMPORTER",
    "browser-use": "evals.exchange.browser_use:IMPORTER",
    "ui-tars": "evals.exchange.ui_tars:IMPORTER",
}
"""Name -> module:attr of its Importer."""

EXPORTERS: dict[str, str] = {
    "agentnet": "evals.exchange.agentnet_rows:TRAINING",
    "agentnet-bench": "evals.exchange.agentnet_rows:BENCH",
    "ui-tars": "evals.exchange.chat_rows:UI_TARS",
    "openai": "evals.exchange.chat_rows:OPENAI",
}
"""Name -> module:attr of its Exporter."""


def load_importer(name: str) -> "Importer":
    """Raises ConfigError for an unknown name."""
    if name not in IMPORTERS:
        raise ConfigError(f"the format {name!r} cannot be imported: choose one of {', '.join(IMPORTERS)}")
    importer: Importer = resolve_name(IMPORTERS[name])
    return importer


def load_exporter(name: str) -> "Exporter":
    """Raises ConfigError for an unknown name."""
    if name not in EXPORTERS:
        raise ConfigError(f"there is no export to {name!r}: choose one of {', '.join(EXPORTERS)}")
    exporter: Exporter = resolve_name(EXPORTERS[name])
    return exporter

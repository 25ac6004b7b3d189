"""One file per model family: prompt text out, Action in, and back."""

import pkgutil
from typing import cast

from action_space.dialects.base import Dialect
from action_space.errors import ConfigError

DIALECTS = {
    "compact": "action_space.dialects.compact:DIALECT",
    "computer_use": "action_space.dialects.computer_use:DIALECT",
    "mobile_use": "action_space.dialects.mobile_use:DIALECT",
    "ui_tars": "action_space.dialects.ui_tars:COMPUTER",
    "ui_tars_mobile": "action_space.dialects.ui_tars:MOBILE",
    "gta1": "action_space.dialects.gta1:DIALECT",
    "gui_owl": "action_space.dialects.gui_owl:COMPUTER",
    "gui_owl_mobile": "action_space.dialects.gui_owl:MOBILE",
    "holo1": "action_space.dialects.holo1:DIALECT",
    "holo1_5": "action_space.dialects.holo1_5:DIALECT",
    "ui_venus_ground": "action_space.dialects.ui_venus_ground:DIALECT",
    "ui_venus_navi": "action_space.dialects.ui_venus_navi:DIALECT",
    "infigui": "action_space.dialects.infigui:DIALECT",
    "fara": "action_space.dialects.fara:DIALECT",
    "point_2d": "action_space.dialects.point_2d:POINT",
    "bbox_2d": "action_space.dialects.point_2d:BOX",
}
"""Every dialect: name -> "module:attr". A new model family is one file and one line here."""


def load_dialect(name: str) -> Dialect:
    """The dialect of that name. Raises ConfigError naming the valid ones."""
    if name not in DIALECTS:
        raise ConfigError(f"unknown dialect {name!r}: choose one of {', '.join(DIALECTS)}")
    return cast(Dialect, pkgutil.resolve_name(DIALECTS[name]))

"""Which dialect a published checkpoint speaks, from its name and its configuration."""

import re
from collections.abc import Mapping

_ARCHITECTURE = "qwen2_5_vl"
_FAMILIES = (
    (r"ui-?tars-?1[.-]5", "ui_tars"),
    (r"gta1(?!\.)", "gta1"),
    (r"gui-owl-(?:7|32)b", "gui_owl"),
    (r"holo1[.-]5-(?:3|7|72)b", "holo1_5"),
    (r"holo1-(?:3|7)b", "holo1"),
    (r"ui-venus-ground", "ui_venus_ground"),
    (r"gui-g2", "ui_venus_ground"),
    (r"ui-venus-navi", "ui_venus_navi"),
    (r"infigui-[rg]1", "infigui"),
    (r"fara-7b", "fara"),
    (r"jedi-(?:3|7)b", "computer_use"),
    (r"(?:\A(?:qwen-)?|models--qwen--)qwen-?2[.-]5-vl", "computer_use"),
)
_PATTERNS = tuple((re.compile(rf"(?<![a-z0-9]){pattern}(?![a-z0-9])"), dialect) for pattern, dialect in _FAMILIES)
_SEPARATORS = re.compile(r"[/\\]+")


def dialect_for(name: str, config: Mapping[str, object]) -> str | None:
    """The dialect of a checkpoint, None if its family is not known.

    name: of the hub ("owner/name"), a folder or a file, in any case and with any suffix ("-AWQ", "-Q4_K_M.gguf").
    config: what config.json holds, or nothing. A dialect stated there ("clickwright": {"dialect": ...}) counts first. A
    model on another architecture has no dialect, whatever its name: later generations of these families, and earlier
    ones, count in 0 to 1000. The name under which a copy was saved ("_name_or_path") counts if `name` says nothing.
    """
    own = config.get("clickwright")
    stated = own.get("dialect") if isinstance(own, Mapping) else None
    if isinstance(stated, str):
        return stated
    if config.get("model_type", _ARCHITECTURE) != _ARCHITECTURE:
        return None
    saved = config.get("_name_or_path")
    return _by_name(name) or (_by_name(saved) if isinstance(saved, str) else None)


def _by_name(name: str) -> str | None:
    """By the last part of a path, or the folder of the hub's cache in it."""
    parts = [part for part in _SEPARATORS.split(name.lower().replace("_", "-")) if part]
    told = [*parts[-1:], *(part for part in parts[:-1] if part.startswith("models--"))]
    return next((dialect for part in told for pattern, dialect in _PATTERNS if pattern.search(part)), None)

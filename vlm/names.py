"""What published checkpoints call a tensor, and which of their tensors make up one parameter of the network here.

The network fuses q, k, v and gate, up, and embeds patches by a matrix; on disk they are apart, as transformers writes
them. `sources` is the one table between the two.
"""

import re
from collections.abc import Iterable
from typing import Literal

Names = Literal["legacy", "new"]
"""legacy: `visual.*`, `model.*`, as on the hub. new: `model.visual.*` and `model.language_model.*`, as later."""

_ADAPTER = "base_model.model."
_PREFIXES = (
    (_ADAPTER, ""),
    ("model.visual.", "visual."),
    ("model.language_model.", "language_model."),
    ("model.", "language_model."),
)
_PUBLISHED: dict[Names, tuple[tuple[str, str], ...]] = {
    "legacy": (("language_model.", "model."),),
    "new": (("language_model.", "model.language_model."), ("visual.", "model.visual.")),
}
_DERIVED = re.compile(r"\.rotary_(pos_)?emb\.inv_freq$")


def canonical_name(name: str) -> str:
    """A tensor's name without the differences between transformers versions.

    One of `visual.*`, `language_model.*` and `lm_head.*`.
    """
    for old, new in _PREFIXES:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name


def published_name(canonical: str, names: Names) -> str:
    """What a checkpoint calls the tensor with this canonical name."""
    for ours, theirs in _PUBLISHED[names]:
        if canonical.startswith(ours):
            return theirs + canonical.removeprefix(ours)
    return canonical


def naming(keys: Iterable[str]) -> Names:
    """The scheme that a checkpoint's tensor names follow."""
    new = ("model.visual.", "model.language_model.")
    return "new" if any(key.removeprefix(_ADAPTER).startswith(new) for key in keys) else "legacy"


def is_derived(name: str) -> bool:
    """Whether a tensor is a table that old versions saved although it follows from the config."""
    return _DERIVED.search(name) is not None


def sources(parameter: str) -> tuple[str, ...]:
    """The canonical names on disk that make up one parameter of the network, stacked along the first dimension."""
    if parameter == "visual.patch_embed.weight":
        return ("visual.patch_embed.proj.weight",)
    for fused, parts in (("qkv_proj", ("q_proj", "k_proj", "v_proj")), ("gate_up_proj", ("gate_proj", "up_proj"))):
        if f".{fused}." in parameter:
            return tuple(parameter.replace(fused, part) for part in parts)
    return (parameter,)

"""From a model SPEC to a model and the dialect it is asked in.

`bundled`, a checkpoint folder, or `NAME:REST` where NAME stands in the table. A new way to run a model is a line there.
"""

from pathlib import Path
from pkgutil import resolve_name
from typing import Protocol, runtime_checkable

from action_space.errors import ConfigError
from vlm.backends.base import Model


class SpokenModel(Model, Protocol):
    """A model that knows the name of the dialect it was trained in, whether it is held to the dialect's grammar, and
    how many looks it gets at a screen (`agent.looks`)."""

    dialect: str
    constrained: bool
    looks: int


@runtime_checkable
class Forgetful(Protocol):
    """A model that reuses what it computed for earlier questions."""

    def forget(self) -> None:
        """Nothing is reused of what was asked before."""


def forget(model: SpokenModel) -> None:
    """Make the next answer independent of what was asked before, which in low precision it may not be."""
    if isinstance(model, Forgetful):
        model.forget()


MODELS: dict[str, str] = {
    "scripted": "vlm.backends.scripted:load_script",
    "transformers": "vlm.backends.transformers:load_transformers",
    "openai": "vlm.backends.openai:load_openai",
}
"""Name in front of the colon -> the function that takes what follows it and gives a SpokenModel."""

BUNDLED = "bundled"


def load_model(spec: str) -> SpokenModel:
    """The model that `spec` names. Raises ConfigError for a spec that names nothing, ModelError if it does not load."""
    check_spec(spec)
    name, colon, rest = spec.partition(":")
    model: SpokenModel = (
        resolve_name(MODELS[name])(rest) if colon and name in MODELS else resolve_name("vlm:load")(spec)
    )
    return model


def check_spec(spec: str) -> None:
    """Whether `load_model` knows what to load, which may then take minutes. Raises ConfigError."""
    name, colon, rest = spec.partition(":")
    if colon and name in MODELS:
        if not rest:
            raise ConfigError(f"the model {spec!r} lacks what follows the colon, as in '{name}:FILE'")
    elif spec != BUNDLED and not (spec and Path(spec).is_dir()):
        known = ", ".join(f"'{known}:...'" for known in MODELS)
        raise ConfigError(f"the model {spec!r} is neither 'bundled', nor a checkpoint folder, nor one of {known}")

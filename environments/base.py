"""The protocol that every device implements."""

from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

from action_space.actions import Action
from action_space.geometry import Frame


@dataclass(frozen=True, slots=True)
class Observation:
    """What the eyes saw once the picture was quiet.

    image: RGB screenshot. frame: its geometry (`frame.model == frame.screen`: no model has seen it yet).
    context: lines for the model about what the picture does not show (URL, a dialog that was answered).
    settle_s: seconds until the picture was quiet. settled: False when the cap was reached first.
    """

    image: Image.Image
    frame: Frame
    context: tuple[str, ...] = ()
    settle_s: float = 0.0
    settled: bool = True
    details: dict[str, str] = field(default_factory=dict)


class Environment(Protocol):
    """Eyes and hands. A screenshot that cannot be taken is a DeviceError, never a black picture."""

    name: str
    actions: frozenset[str]
    """The `kind` of every action that `execute` takes."""

    def observe(self) -> Observation:
        """Wait until the picture is quiet, then take it. Raises DeviceError."""

    def execute(self, action: Action) -> None:
        """Carry out one action, its points in pixels of the newest observation.

        Raises InvalidAction (outside the screen), UnsupportedAction, DeviceError, or Paused where a person took over.
        """

    def release(self) -> None:
        """Release every mouse button and modifier key that may be down. Never raises."""

    def close(self) -> None:
        """Let go of the device. Safe to call twice."""

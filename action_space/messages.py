"""What is said to a model: roles, text, pictures and videos, before any chat template."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A video: frames in order, evenly apart; the first is shown at `start_s` seconds of what it was taken from."""

    frames: tuple[Image.Image, ...]
    seconds_per_frame: float = 0.5
    start_s: float = 0.0


Part = str | Image.Image | Clip


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `content` holds text, RGB pictures and videos in the order in which the model sees
    them."""

    role: Role
    content: tuple[Part, ...]

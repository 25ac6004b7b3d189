"""What is said to a model: roles, text and pictures, before any chat template."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `content` holds text and RGB pictures in the order in which the model sees them."""

    role: Role
    content: tuple[str | Image.Image, ...]

"""A picture that is held against names, asked in its own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from action_space.geometry import Point, Size
from vlm.naming import Held, Naming


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """Implements `vlm.backends.base.NamesOn`. size: of the picture as it was given, before it was resized."""

    naming: Naming
    held: Held
    size: Size

    @torch.inference_mode()
    def fits(self, name: str, points: Sequence[Point]) -> list[float]:
        places = [(point.x / self.size.width, point.y / self.size.height) for point in points]
        return self.naming.fits(self.held, places, name)

    @torch.inference_mode()
    def search(self, name: str, most: int) -> list[Point]:
        return [self._pixel(*place) for place in self.naming.search(self.held, name, most)]

    @torch.inference_mode()
    def along(self, name: str, y: int) -> Point | None:
        found = self.naming.along(self.held, name, (y + 0.5) / self.size.height)
        return self._pixel(*found) if found else None

    @torch.inference_mode()
    def parted(self, name: str) -> tuple[str, str] | None:
        return self.naming.parted(self.held, name)

    def _pixel(self, across: float, down: float) -> Point:
        return Point(int(across * self.size.width), int(down * self.size.height))

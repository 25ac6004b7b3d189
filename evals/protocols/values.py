"""What is scored: a recorded step with its right answer, what a model did there, and the score that a rule gives.

Coordinates are floats in the step's own units, whose extent is `Step.size`: screenshot pixels, 0 to 1 or 0 to 1000, as
the benchmark wrote them. Nothing is rounded on the way, because rules decide at the edges of boxes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

Place = tuple[float, float]
"""x and y, origin top left."""

Direction = Literal["up", "down", "left", "right"]
Kind = Literal[
    "click",
    "long_press",
    "move",
    "drag",
    "scroll",
    "type",
    "select",
    "press",
    "hotkey",
    "open",
    "wait",
    "finish",
    "refuse",
]

POINTING: frozenset[Kind] = frozenset({"click", "long_press", "move", "drag"})
"""Kinds that point at something. `type`, `select`, `open` and `press` may carry a place too, where a source asks for
one."""


class Region(NamedTuple):
    """A rectangle, all four edges inside."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def sized(cls, left: float, top: float, width: float, height: float) -> "Region":
        """From the left top corner and the extent."""
        return cls(left, top, left + width, top + height)

    @property
    def center(self) -> Place:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def diagonal(self) -> float:
        return math.hypot(self.right - self.left, self.bottom - self.top)

    def holds(self, place: Place) -> bool:
        return self.left <= place[0] <= self.right and self.top <= place[1] <= self.bottom

    def grown(self, factor: float) -> "Region":
        """The same centre, `factor` times as wide and high."""
        (x, y), wide, high = self.center, self.right - self.left, self.bottom - self.top
        return Region(x - wide * factor / 2, y - high * factor / 2, x + wide * factor / 2, y + high * factor / 2)


@dataclass(frozen=True, slots=True)
class Act:
    """One action, asked for or predicted.

    point: where; the start of a drag. end: of a drag. direction: `down` shows what is further down. text: typed,
    selected, or the app's name. targets: in right answers only, the regions where a point counts.
    """

    kind: Kind
    point: Place | None = None
    end: Place | None = None
    text: str = ""
    direction: Direction | None = None
    keys: tuple[str, ...] = ()
    button: Literal["left", "right", "middle"] = "left"
    count: int = 1
    status: Literal["success", "failure"] = "success"
    targets: tuple[Region, ...] = ()


class Node(NamedTuple):
    """An element of an accessibility tree. text and description: "" where there is none."""

    region: Region
    text: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One question of a benchmark.

    acts: the right answer; for grounding one click with its targets. polygon: the target, where it is no rectangle.
    refusal: nothing fits the instruction, and saying so is right. alternatives: other right answers. size: extent of
    the coordinates, None where only the picture would tell. image: file below the data's folder. steps: of the whole
    episode, those that are not in the data included; 0 if unknown. groups: names for breakdowns, as platform or
    subset. row: where it stands in the data.
    """

    id: str
    acts: tuple[Act, ...]
    size: tuple[float, float] | None = None
    instruction: str = ""
    image: str = ""
    polygon: tuple[Place, ...] = ()
    refusal: bool = False
    alternatives: tuple[tuple[Act, ...], ...] = ()
    nodes: tuple[Node, ...] = ()
    episode: str = ""
    number: int = 0
    steps: int = 0
    groups: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    row: str = ""

    @property
    def act(self) -> Act:
        """The right answer of a step that asks for one action. Raises ValueError if it asks for more or none."""
        (only,) = self.acts
        return only


@dataclass(frozen=True, slots=True)
class Score:
    """What a rule says of one step. value: 0 to 1. why: for people. parts: further numbers, averaged apart.

    weight: how much the step counts in the average.
    """

    value: float
    why: str
    parts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    weight: float = 1.0


class Scorer(Protocol):
    """A rule on one step: `acts` is what the model did, empty if its reply could not be read."""

    def __call__(self, step: Step, acts: Sequence[Act], /) -> Score: ...


def all_alike(_step: Step) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named and versioned protocol.

    skips: why a step does not count under it, "" if it does. strata: the average is the mean of the averages of these
    groups. per_episode: it is the mean over episodes, each the mean of its steps. episodes: also report episodes
    without a miss, and how far they got before the first. padded: a step without a prediction is a miss, not left
    out, and so is every step of an episode that is not in the data.
    """

    name: str
    version: str
    benchmarks: frozenset[str]
    score: Scorer
    skips: Callable[[Step], str] = all_alike
    strata: Callable[[Step], str] = all_alike
    per_episode: bool = False
    episodes: bool = False
    padded: bool = False

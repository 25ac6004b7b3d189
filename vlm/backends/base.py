"""The protocol behind which every way to run a model stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

from action_space.actions import Action
from action_space.geometry import Point
from action_space.messages import Message


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said. Times in seconds; `cached_tokens` of `tokens_in` did not have to be computed again."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    cached_tokens: int = 0
    finished: bool = True
    """False when `max_new_tokens` cut the reply off."""
    forced_tokens: int = 0
    """How many of `tokens_out` a constraint left no choice about: they were fed in one piece instead of sampled."""
    sure: float | None = None
    """How likely the model found this reply, 0 to 1 (`vlm.backends.sureness`); None where that is not known."""


Hear = Callable[[str], None]
"""Takes the next piece of a reply; the pieces together are the reply. "" only says that work goes on. What it raises
ends the work and comes out of `generate`, after which the model can be asked again."""


class Model(Protocol):
    """Anything that answers messages."""

    name: str

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        constraint: str | None = None,
        max_new_tokens: int = 256,
        attempt: int = 0,
        heard: Hear | None = None,
    ) -> Reply:
        """Answer a conversation. min_pixels, max_pixels: the dialect's picture limits (None: the checkpoint's own).

        constraint: a grammar (`vlm.constrain`) that the reply has to fit, None for any text.
        attempt: 0 answers greedily (a coordinate under a constraint: `vlm.backends.sureness`); from 1 on the answer is
        drawn at temperature 1, seeded by the attempt, for a question whose last answer led nowhere. Equal calls in the
        same order give equal answers; what was computed for an earlier one may be reused, which in low precision rounds
        otherwise.
        heard: is called with the reply while it is said, by models that can; by the others when it is whole.

        Raises ModelError.
        """


class NamesOn(Protocol):
    """One picture, to be asked which names are where. Places are its pixels."""

    def fits(self, name: str, points: Sequence[Point]) -> list[float]:
        """For each place the logit of the probability that what is there is called so."""

    def search(self, name: str, most: int) -> list[Point]:
        """Up to `most` places that are called so likeliest, the likeliest first."""

    def along(self, name: str, y: int) -> Point | None:
        """The place on the line at a height that is called so likeliest; None where nothing is shown."""

    def parted(self, name: str) -> tuple[str, str] | None:
        """A name of several words in two: what is likeliest on a control and what beside it, as "Delete" and "Smith";
        None for one word."""


@runtime_checkable
class Names(Protocol):
    """A model that also tells how well a name fits a place (`vlm.naming`)."""

    @property
    def knows_names(self) -> bool:
        """Whether the checkpoint has learned to."""

    def names_on(
        self, picture: Image.Image, *, min_pixels: int | None = None, max_pixels: int | None = None
    ) -> NamesOn:
        """A picture, as it is seen within these limits. Raises ModelError, also if the checkpoint does not know."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is due on a picture, in its pixels, and how likely the least likely part of it is, 0 to 1."""

    action: Action
    sure: float


@runtime_checkable
class Acts(Protocol):
    """A model that has also learned from demonstrations what is due on a screen (`vlm.acting`)."""

    @property
    def knows_acts(self) -> bool:
        """Whether the checkpoint has learned to."""

    def due_on(
        self, picture: Image.Image, task: str, done: Sequence[Action | None], spent: Sequence[Point] = ()
    ) -> Due | None:
        """None where it has no answer, as on a screen that is too large.

        done: what was done on the screens before, None for what was not seen there. spent: no click is to be near
        these. Raises ModelError if the checkpoint does not know.
        """

"""The protocol between the planner and one model family."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

from action_space.actions import Action
from action_space.geometry import Frame, Point
from action_space.messages import Message

NOTHING_CHANGED = "nothing changed"
"""The note on a step that was carried out and had no effect."""

NOT_THERE = "not on the screen"
"""The note on an instruction whose target is not seen."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step that lies behind, as a prompt may tell it.

    action: None when the reply was no action. note: what came of it, in one line for the model (NOTHING_CHANGED,
    an error text), or "". screenshot: the picture before the action, if it is still shown.
    """

    action: Action | None
    reply: str
    plan: str = ""
    note: str = ""
    screenshot: Image.Image | None = None
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """All that a prompt is made of. context: lines about the device (URL, a dialog that was answered). spent: where
    clicks changed nothing while the screen was as it is now, in screenshot pixels."""

    task: str
    screenshot: Image.Image
    frame: Frame
    history: tuple[PastStep, ...] = ()
    context: tuple[str, ...] = ()
    spent: tuple[Point, ...] = ()


class Dialect(Protocol):
    """How one model family is asked and answers. Pure: no state, no device, no model."""

    @property
    def name(self) -> str:
        """The name in the table of dialects."""

    @property
    def min_pixels(self) -> int:
        """The picture is enlarged to hold at least so many pixels."""

    @property
    def max_pixels(self) -> int:
        """The picture is shrunk to hold at most so many pixels."""

    def plan_prompt(self, turn: Turn) -> list[Message] | None:
        """The question for the next instruction in words, or None if the family plans and points in one reply."""

    def plan_grammar(self, turn: Turn) -> str | None:
        """The grammar (see `action_space.dialects.grammar`) of replies to `plan_prompt`, None for any text."""

    def plan_action(self, plan: str, frame: Frame) -> Action | None:
        """The action that a plan says in full on a screen, or None if it has to be grounded there first.

        Raises InvalidAction for a plan that points at nothing on the screen and yet is no action ("press" of an
        unknown key).
        """

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """The question for the next action; `plan` is the reply to `plan_prompt`.

        The newest screenshot comes last, but for families that were trained with it before the question.
        """

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:
        """The grammar (see `action_space.dialects.grammar`) of replies to `prompt` that are one action inside the
        screen, or None if the family's replies hold free text that no grammar should cut.

        spent: as in `Turn`; no click is to be near them, where the grammar can say so.
        """

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:
        """The first action in a reply, in screenshot pixels. Raises InvalidAction and nothing else, on any text.

        pointer: where the last action left the mouse, in screenshot pixels, for families that go on from there.
        """

    def render(self, action: Action, frame: Frame) -> str:
        """The reply that `parse` reads back as `action`. Raises UnsupportedAction if the family cannot say it.

        Raises InvalidAction for a point outside the screen.
        """


@runtime_checkable
class SaysNames(Protocol):
    """A dialect whose plans say what is on a control."""

    def named(self, plan: str) -> str | None:
        """The name that is on the control that a plan is about; None if the plan says none, or it stands elsewhere."""

    def naming(self, words: str) -> str:
        """The plan to click what reads so."""

    def drag_ends(self, plan: str) -> tuple[str, str] | None:
        """The plans to click what is to be dragged, and where to; None of any other plan."""

    def are_apart(self, plan: str, other: str) -> bool:
        """Whether two plans are surely about different places of a screen."""


@runtime_checkable
class SaysLook(Protocol):
    """A dialect with a plan to let the screen say what is due."""

    def is_look(self, plan: str) -> bool: ...

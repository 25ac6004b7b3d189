"""Everything that can be done on a screen, as data.

Points are screenshot pixels (see geometry). Actions are never executed as code: environments match on
the type, exhaustively.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from action_space.geometry import Point
from action_space.keys import canonical_key

Button = Literal["left", "right", "middle"]
Modifier = Literal["ctrl", "shift", "alt", "meta"]
Direction = Literal["up", "down", "left", "right"]
Effect = Literal["near", "elsewhere", "reached", "none"]
"""What an action changed on the screen: see `environments.effect`."""


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Click(_Action):
    """Press and release a mouse button, or tap."""

    kind: Literal["click"] = "click"
    point: Point
    button: Button = "left"
    count: int = Field(default=1, ge=1, le=3)
    modifiers: tuple[Modifier, ...] = ()


class Move(_Action):
    """Move the pointer without pressing."""

    kind: Literal["move"] = "move"
    point: Point


class Drag(_Action):
    """Press at `start`, move to `end` in `seconds`, release. On touch screens a swipe."""

    kind: Literal["drag"] = "drag"
    start: Point
    end: Point
    seconds: float = Field(default=0.5, ge=0, le=30)


class Scroll(_Action):
    """Scroll what is under `point`; `down` shows what is further down. amount: wheel notches (100 CSS pixels each)."""

    kind: Literal["scroll"] = "scroll"
    point: Point
    direction: Direction
    amount: int = Field(default=3, ge=1, le=100)


class Type(_Action):
    """Type text where the focus is. A newline presses Enter."""

    kind: Literal["type"] = "type"
    text: str


class Press(_Action):
    """Press keys together and release them: a chord. Back, Home and Recents are keys too."""

    kind: Literal["press"] = "press"
    keys: tuple[str, ...] = Field(min_length=1, max_length=5)

    @field_validator("keys")
    @classmethod
    def _canonical(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical_key(key) for key in keys)


class LongPress(_Action):
    """Press at `point` and hold for `seconds`."""

    kind: Literal["long_press"] = "long_press"
    point: Point
    seconds: float = Field(default=1.0, ge=0, le=30)


class Open(_Action):
    """Open a URL (browser) or an application by name (desktop, Android)."""

    kind: Literal["open"] = "open"
    target: str = Field(min_length=1)


class Wait(_Action):
    """Do nothing for `seconds`."""

    kind: Literal["wait"] = "wait"
    seconds: float = Field(default=1.0, ge=0, le=60)


class Ask(_Action):
    """Ask the person a question; the answer comes with the next observation."""

    kind: Literal["ask"] = "ask"
    question: str = Field(min_length=1)


class Finish(_Action):
    """Claim that the task is done (or cannot be done); `text` is the answer, if one was asked for."""

    kind: Literal["finish"] = "finish"
    status: Literal["success", "failure"]
    text: str = ""


Action = Annotated[
    Click | Move | Drag | Scroll | Type | Press | LongPress | Open | Wait | Ask | Finish,
    Field(discriminator="kind"),
]

ACTION: TypeAdapter[Action] = TypeAdapter(Action)
"""Validates and serialises any action: `ACTION.validate_json(text)`, `ACTION.dump_python(action, mode="json")`."""


def points_of(action: Action) -> tuple[Point, ...]:
    """The screenshot pixels that an action touches, in order."""
    match action:
        case Click() | Move() | Scroll() | LongPress():
            return (action.point,)
        case Drag():
            return (action.start, action.end)
        case _:
            return ()

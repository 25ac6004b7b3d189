"""A recorded trajectory served back as an environment: real screenshots, no device."""

import unicodedata
from collections.abc import Sequence

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
    points_of,
)
from action_space.errors import ConfigError, DeviceError, UnsupportedAction
from action_space.geometry import Point, Size
from environments.base import Observation

TOLERANCE = 0.05
"""How far from the recorded point still does the same, as a fraction of the screen's width and height."""


class RecordedEnvironment:
    """Shows the recorded screens one after the other; the right action leads to the next one.

    steps: what was seen, and the action that was then carried out (None: none). A step whose action was none, or was
    not for the device (ask, finish), left the screen as it was: it is skipped, unless it is the last. `execute`
    advances when the action matches the recorded one:

    * every kind: the same kind;
    * points: each within `tolerance` of the recorded one, as a fraction of the width in x and of the height in y;
    * click: the same button, count and modifiers; scroll: the same direction, at any place and by any amount;
    * type: the same text, apart from white space at its ends and Unicode normal form; open: the same target, apart
      from case and a slash at its end; press: the same keys in any order; drag, long_press, wait: of any duration.

    Any other action changes nothing, as a click beside the button does. The last screen stays.
    Raises ConfigError when there are no steps.
    """

    name = "recorded"
    actions = frozenset({"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait"})

    def __init__(self, steps: Sequence[tuple[Observation, Action | None]], *, tolerance: float = TOLERANCE) -> None:
        if not steps:
            raise ConfigError("a recorded environment needs at least one step, not an empty trajectory")
        *before, last = steps
        self._steps = [step for step in before if _moves_on(step[1])] + [last]
        self._tolerance = tolerance
        self._at = 0
        self._closed = False

    @property
    def position(self) -> int:
        """How many recorded actions were matched so far."""
        return self._at

    @property
    def at_end(self) -> bool:
        """Whether the last recorded screen is shown."""
        return self._at == len(self._steps) - 1

    def observe(self) -> Observation:
        self._require_open()
        return self._steps[self._at][0]

    def execute(self, action: Action) -> None:
        self._require_open()
        if action.kind not in self.actions:
            raise UnsupportedAction(f"a recording cannot {action.kind!r}: use one of {', '.join(sorted(self.actions))}")
        observation, recorded = self._steps[self._at]
        for point in points_of(action):
            observation.frame.to_device(point)
        if (
            recorded is not None
            and not self.at_end
            and matches(action, recorded, observation.frame.screen, self._tolerance)
        ):
            self._at += 1

    def release(self) -> None:
        """Nothing is ever held down."""

    def close(self) -> None:
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise DeviceError("the recording was closed: open it again")


def matches(action: Action, recorded: Action, screen: Size, tolerance: float) -> bool:
    """Whether `action` would have done what `recorded` did; see `RecordedEnvironment` for the rules."""
    match action, recorded:
        case Click(), Click():
            same_press = (action.button, action.count) == (recorded.button, recorded.count)
            same = same_press and set(action.modifiers) == set(recorded.modifiers)
        case Scroll(), Scroll():
            return action.direction == recorded.direction
        case Type(), Type():
            return _plain(action.text) == _plain(recorded.text)
        case Press(), Press():
            return set(action.keys) == set(recorded.keys)
        case Open(), Open():
            return _place(action.target) == _place(recorded.target)
        case (Move(), Move()) | (Drag(), Drag()) | (LongPress(), LongPress()) | (Wait(), Wait()):
            same = True
        case _:
            return False
    pairs = zip(points_of(action), points_of(recorded), strict=True)
    return same and all(_close(one, other, screen, tolerance) for one, other in pairs)


def _moves_on(action: Action | None) -> bool:
    return action is not None and not isinstance(action, Ask | Finish)


def _close(one: Point, other: Point, screen: Size, tolerance: float) -> bool:
    far_x, far_y = tolerance * screen.width, tolerance * screen.height
    return abs(one.x - other.x) <= far_x and abs(one.y - other.y) <= far_y


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _place(target: str) -> str:
    return target.strip().casefold().rstrip("/")

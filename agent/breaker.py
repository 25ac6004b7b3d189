"""The loop breaker: the same action on the same screen may be tried twice, not three times, and not everything else.

Told in words only, a model that is stuck stays stuck; so the third try is not carried out. One that always finds
another place to click would go on until it meets what nobody wanted.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from PIL import Image, ImageChops

from action_space.actions import Action, Wait, points_of
from action_space.geometry import Frame
from agent.trajectory import Step

ALLOWED_TRIES = 2
MOST_IN_VAIN = 12
"""Steps in a row that change nothing; then the run ends."""
_NEARLY = 5
"""Device units: a click this close to the last one is the same click."""
_CARET = (4, 40)
"""Device units: a difference no wider and higher than this is a blinking text caret."""


def tries_so_far(
    steps: Iterable[Step], action: Action, screen: Image.Image, frame: Frame, load_image: Callable[[str], Image.Image]
) -> int:
    """How often this action was tried or refused on this screen. load_image: a recorded screenshot by its hash."""
    count = 0
    for step in steps:
        if step.action is None or step.frame.screen != frame.screen:
            continue
        if same_action(step.action, action, frame.device_scale) and same_screen(
            load_image(step.image), screen, frame.device_scale
        ):
            count += 1
    return count


def in_vain(steps: Sequence[Step], screen: Image.Image, load_image: Callable[[str], Image.Image]) -> int:
    """How many of the newest steps in a row changed nothing or were refused, those that only waited not counted; 0 if
    the screen is another one all the same, because a person has been there."""
    acted = (step for step in reversed(steps) if not isinstance(step.action, Wait))
    vain = sum(1 for _ in takewhile(lambda step: step.changed_nothing or step.error is not None, acted))
    return vain if vain and same_screen(load_image(steps[-1].image), screen) else 0


def same_action(one: Action, other: Action, scale: float = 1.0) -> bool:
    """Whether two actions are alike but for a few pixels."""
    fields = {"point", "start", "end"}
    if one.model_dump(exclude=fields) != other.model_dump(exclude=fields):
        return False
    pairs = zip(points_of(one), points_of(other), strict=True)
    return all(max(abs(a.x - b.x), abs(a.y - b.y)) <= _NEARLY * scale for a, b in pairs)


def same_screen(one: Image.Image, other: Image.Image, scale: float = 1.0) -> bool:
    """Whether two screenshots are equal but for a text caret."""
    if one.size != other.size:
        return False
    changed = ImageChops.difference(one, other).getbbox()
    if changed is None:
        return True
    left, top, right, bottom = changed
    return right - left <= _CARET[0] * scale and bottom - top <= _CARET[1] * scale

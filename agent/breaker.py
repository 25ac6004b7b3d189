"""The loop breaker: the same action on the same screen may be tried twice, not three times.

Told in words only, a model that is stuck stays stuck; so the third try is not carried out.
"""

from collections.abc import Callable, Iterable

from PIL import Image, ImageChops

from action_space.actions import Action, points_of
from action_space.geometry import Frame
from agent.trajectory import Step

ALLOWED_TRIES = 2
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

"""An oracle plays through the ordinary loop: a model that looks behind the picture, and answers in the usual words.

So its runs prove that a task can be solved with our actions, coordinates and timing, and their recordings are
demonstrations for training: pictures, instructions in words, and actions.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Action, Click, Drag, Finish, Move, Press, Scroll, Type
from action_space.dialects import load_dialect
from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Frame, Point, Size
from action_space.keys import canonical_key
from action_space.messages import Message
from agent.planner import model_frame
from evals.online.miniwob.world import SCALE, VIEWPORT, World
from vlm.backends.base import Reply

_CENTRE = """e => {
  const box = e.getBoundingClientRect();
  const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
  const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
  return [(left + right) / 2, (top + bottom) / 2];
}"""
_NAME = "e => (e.innerText || e.value || e.placeholder || e.name || e.id || '').trim().slice(0, 40)"


@dataclass(frozen=True, slots=True)
class Deed:
    """An action, and how one would put it in a few words."""

    action: Action
    words: str


Oracle = Callable[["Eyes"], Iterator[Deed]]
"""The deeds that solve the page. What comes after a `yield` sees the page as the deed left it."""


class Eyes:
    """What an oracle sees, and the deeds it is made of. Places are JavaScript expressions of an element.

    x and y are CSS pixels of the window.
    """

    def __init__(self, world: World, scale: float = SCALE) -> None:
        self._page = world.page
        self._scale = scale
        self.task = world.utterance

    def read(self, expression: str) -> Any:  # noqa: ANN401 - whatever JavaScript has
        """The value of an expression. Raises DeviceError when it has none."""
        try:
            return self._page.evaluate(expression)
        except PlaywrightError as error:
            raise DeviceError(f"the oracle's {expression[:80]!r} failed: {error.message.splitlines()[0]}") from error

    def pause(self, seconds: float) -> None:
        self._page.wait_for_timeout(1000 * seconds)

    def place(self, element: str) -> tuple[float, float]:
        """The middle of the visible part of an element."""
        x, y = self.read(f"({_CENTRE})({element})")
        return x, y

    def point(self, x: float, y: float) -> Point:
        return Point(int(x * self._scale), int(y * self._scale))

    def click(self, element: str, name: str = "") -> Deed:
        """Click on the middle of an element. name: as one would call it, by default its text."""
        name = name or str(self.read(f"({_NAME})({element})"))
        return Deed(Click(point=self.point(*self.place(element))), f"click {json.dumps(name, ensure_ascii=False)}")

    def click_at(self, x: float, y: float, name: str = "") -> Deed:
        return Deed(Click(point=self.point(x, y)), f"click {json.dumps(name or 'here', ensure_ascii=False)}")

    def move_to(self, x: float, y: float) -> Deed:
        return Deed(Move(point=self.point(x, y)), "move the pointer")

    def drag(self, start: tuple[float, float], end: tuple[float, float], seconds: float = 0.3) -> Deed:
        action = Drag(start=self.point(*start), end=self.point(*end), seconds=seconds)
        return Deed(action, "drag")

    def scroll(self, element: str, notches: int) -> Deed:
        """Scroll what is under an element. notches: downwards; upwards if negative."""
        direction = "down" if notches > 0 else "up"
        point = self.point(*self.place(element))
        action = Scroll(point=point, direction="down" if notches > 0 else "up", amount=max(1, abs(notches)))
        return Deed(action, f"scroll {direction}")

    def type(self, text: str) -> Deed:
        return Deed(Type(text=text), f"type {json.dumps(text, ensure_ascii=False)}")

    def press(self, *keys: str) -> Deed:
        names = tuple(canonical_key(key) for key in keys)
        return Deed(Press(keys=names), f"press {' '.join(json.dumps(key) for key in names)}")


class OracleModel:
    """Implements `SpokenModel`: says the next deed of an oracle, plan first, as the bundled model would."""

    name = "oracle"
    dialect = "compact"

    def __init__(self, oracle: Oracle, world: World, scale: float = SCALE) -> None:
        self._dialect = load_dialect(self.dialect)
        size = Size(round(VIEWPORT.width * scale), round(VIEWPORT.height * scale))
        self._frame = model_frame(Frame(size, size), self._dialect)
        self._deeds = oracle(Eyes(world, scale))
        self._deed: Deed | None = None

    def generate(
        self,
        messages: Sequence[Message],  # noqa: ARG002 (it looks at the page)
        *,
        min_pixels: int | None = None,  # noqa: ARG002
        max_pixels: int | None = None,  # noqa: ARG002
        constraint: str | None = None,  # noqa: ARG002
        max_new_tokens: int = 256,  # noqa: ARG002
        attempt: int = 0,  # noqa: ARG002
    ) -> Reply:
        """The words of a deed; asked again, its call. Raises DeviceError when the oracle cannot read the page."""
        if self._deed is None:
            self._deed = next(self._deeds, Deed(Finish(status="success"), "done"))
            said = self._deed.words
            if self._dialect.plan_action(said) is not None:
                self._deed = None
            return Reply(text=said)
        said, self._deed = self._dialect.render(self._deed.action, self._frame), None
        return Reply(text=said)


_FUNCTIONS = {
    "buttons": {
        "click_submit": "click-test click-test-2",
        "click_named_button": "click-button unicode-test",
        "click_button_transfer": "click-test-transfer",
        "click_sequence": "click-button-sequence",
        "click_with_delay": "button-delay",
        "focus_text": "focus-text",
        "focus_text_2": "focus-text-2",
        "click_dialog": "click-dialog",
        "click_dialog_2": "click-dialog-2",
        "click_link": "click-link",
        "click_widget": "click-widget",
        "click_tab": "click-tab",
        "click_tab_2": "click-tab-2 click-tab-2-easy click-tab-2-medium click-tab-2-hard",
        "click_collapsible": "click-collapsible click-collapsible-nodelay",
        "click_collapsible_2": "click-collapsible-2 click-collapsible-2-nodelay",
        "click_checkboxes": "click-checkboxes click-checkboxes-large click-checkboxes-transfer",
        "click_option": "click-option",
    },
    "text": {
        "enter_text": "enter-text enter-text-dynamic",
        "enter_text_2": "enter-text-2",
        "enter_password": "enter-password",
        "login_user": "login-user",
    },
}
"""Module -> function -> the tasks that it solves."""

ORACLES: dict[str, str] = {
    task: f"evals.online.miniwob.oracles_{module}:{function}"
    for module, functions in _FUNCTIONS.items()
    for function, tasks in functions.items()
    for task in tasks.split()
}
"""Task -> where its oracle is."""


def load_oracle(task: str) -> Oracle:
    """Raises ConfigError for a task that has none."""
    if task not in ORACLES:
        raise ConfigError(f"there is no oracle for {task!r} yet: choose of {', '.join(sorted(ORACLES))}")
    found: Oracle = resolve_name(ORACLES[task])
    return found

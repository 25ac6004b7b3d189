"""A small screen with real behaviour: a form that is drawn, focused, typed into, ticked and sent. No browser."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from action_space.actions import Action, Click, Press, Type, Wait
from action_space.errors import DeviceError, UnsupportedAction
from action_space.geometry import Box, Frame, Point, Size
from environments.base import Observation

SCREEN = Size(640, 360)
NAME = Box(40, 60, 400, 100)
TICK = Box(40, 140, 64, 164)
SEND = Box(40, 220, 160, 260)
EMPTY = Point(600, 340)
"""Where a click does nothing."""


@dataclass
class FormEnvironment:
    """fail_at: number of the observation at which the device dies. on_execute: called before each action."""

    fail_at: int = 0
    on_execute: Callable[[Action], None] | None = None
    url: str = "http://127.0.0.1:8000/form.html"
    name: str = "form"
    actions: frozenset[str] = frozenset({"click", "type", "press", "wait"})
    text: str = ""
    focused: bool = False
    ticked: bool = False
    sent: bool = False
    observed: int = 0
    released: int = 0
    closed: int = 0
    done: list[Action] = field(default_factory=list)

    def observe(self) -> Observation:
        self.observed += 1
        if self.observed == self.fail_at:
            raise DeviceError("the form's window was closed: open it again")
        frame = Frame(SCREEN, SCREEN)
        return Observation(self._draw(), frame, (f"URL: {self.url}",), 0.01, True, {"url": self.url})

    def execute(self, action: Action) -> None:
        if self.on_execute is not None:
            self.on_execute(action)
        self.done.append(action)
        match action:
            case Click():
                self._click(action.point)
            case Type():
                self.text += action.text if self.focused else ""
            case Press():
                self.text = self.text[:-1] if self.focused and action.keys == ("backspace",) else self.text
            case Wait():
                pass
            case _:
                raise UnsupportedAction(f"this form cannot {action.kind!r}: it takes {', '.join(sorted(self.actions))}")

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed += 1

    def _click(self, point: Point) -> None:
        self.focused = NAME.contains(point)
        if TICK.contains(point):
            self.ticked = not self.ticked
        if SEND.contains(point):
            self.sent = True

    def _draw(self) -> Image.Image:
        image = Image.new("RGB", (SCREEN.width, SCREEN.height), "#f3f5f8")
        draw = ImageDraw.Draw(image)
        for box in (NAME, TICK, SEND):
            draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill="white", outline="#556")
        if self.focused:
            draw.rectangle((NAME.left - 2, NAME.top - 2, NAME.right + 1, NAME.bottom + 1), outline="#2f6bff", width=3)
        draw.text((NAME.left + 8, NAME.top + 8), self.text, fill="black", font_size=20)
        if self.ticked:
            draw.rectangle((TICK.left + 5, TICK.top + 5, TICK.right - 6, TICK.bottom - 6), fill="#2f6bff")
        draw.text((SEND.left + 30, SEND.top + 8), "Send", fill="black", font_size=20)
        if self.sent:
            draw.text((40, 290), f"Thank you, {self.text}", fill="#0a7a40", font_size=24)
        return image

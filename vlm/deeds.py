"""What the network that tells what is due (`vlm.acting`) can do, and these as actions."""

from dataclasses import dataclass

from action_space.actions import Action, Click, Drag, Finish, Press, Scroll, Type, Wait
from action_space.dialects.base import NOT_THERE
from action_space.errors import InvalidAction
from action_space.geometry import Point
from action_space.keys import chord

DEEDS = ("click", "drag", "type", "press", "scroll", "wait", "finish", "absent")
"""What it can do, the last being to say that what is sought is not there. Text goes with most of them: what to type,
keys, which way to scroll, an answer."""
PLACED = ("click", "drag", "scroll")
"""Of these, what is done somewhere."""
LETTERS = 12
"""Letters of a text, or of a word of a task, that count."""
SEEN = [chr(code) for code in range(32, 127)]
"""Letters that can be written."""


@dataclass(frozen=True, slots=True)
class Deed:
    """kind: one of DEEDS; start, end: across and down in pixels, the same of all but a drag, (0, 0) of what has no
    place; text: "" if there is none."""

    kind: str
    start: tuple[float, float] = (0.0, 0.0)
    end: tuple[float, float] = (0.0, 0.0)
    text: str = ""


def deed_of(action: Action) -> Deed | None:
    """An action as a deed; None for what it cannot do."""
    match action:
        case Click(point=point, button="left", modifiers=()):
            return Deed("click", (point.x, point.y), (point.x, point.y), "" if action.count == 1 else str(action.count))
        case Drag(start=start, end=end):
            return Deed("drag", (start.x, start.y), (end.x, end.y))
        case Type(text=text) if len(text) < LETTERS and set(text) <= set(SEEN):
            return Deed("type", text=text)
        case Press(keys=keys) if len(said := "+".join(keys)) < LETTERS:
            return Deed("press", text=said)
        case Scroll(point=point, direction=direction):
            return Deed("scroll", (point.x, point.y), (point.x, point.y), direction)
        case Wait():
            return Deed("wait")
        case Finish(status="success", text=text) if len(text) < LETTERS and set(text) <= set(SEEN):
            return Deed("finish", text=text)
        case Finish(status="failure", text=said) if said == NOT_THERE:
            return Deed("absent")
        case _:
            return None


def action_of(deed: Deed) -> Action:
    """Raises InvalidAction for keys or a direction that there are none of."""
    start = Point(round(deed.start[0]), round(deed.start[1]))
    match deed.kind, deed.text:
        case "click", text if text in ("", "2", "3"):
            return Click(point=start, count=int(text or 1))
        case "drag", _:
            return Drag(start=start, end=Point(round(deed.end[0]), round(deed.end[1])))
        case "type", text if text:
            return Type(text=text)
        case "press", text:
            try:
                return Press(keys=tuple(chord(text)))
            except ValueError as error:
                raise InvalidAction(str(error)) from None
        case "scroll", "up" | "down" | "left" | "right":
            return Scroll.model_validate({"point": start, "direction": deed.text})
        case "wait", _:
            return Wait()
        case "finish", text:
            return Finish(status="success", text=text)
        case "absent", _:
            return Finish(status="failure", text=NOT_THERE)
        case _:
            raise InvalidAction(f"no {deed.kind} of {deed.text!r}")

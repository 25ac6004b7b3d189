"""A model family that only points: asked where something is, it answers with one place, and a place is a left click.

Such a model grounds what it is told (`agent ground`, or the plan of another model). Alone it cannot end a task, and it
is not told what was done before: it was trained on single questions.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from action_space.actions import Action, Click
from action_space.dialects.base import Turn
from action_space.dialects.grammar import around
from action_space.dialects.lenient import Value
from action_space.dialects.tool_call import find_object, read_point, shown, without_thoughts
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message

_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{0,20})?"
_NAMED = rf"(?:[xy][12]?\s*=\s*)?{_NUMBER}"
_PLACE = re.compile(rf"(?:\bclick\s*|(?<![a-z_]))[(\[]\s*({_NAMED}(?:\s*,\s*{_NAMED}){{1,3}})\s*[)\]]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grounder:
    """Implements `Dialect`.

    form: a valid reply, for error texts. ask: the question about an instruction, on a picture of the size that the
    model sees. find: the point or box in a reply without its thoughts; raises InvalidAction. write: the reply that
    points at a model pixel. system: the system message, None for the default one. picture_first: the picture comes
    before the question.
    """

    name: str
    form: str
    ask: Callable[[str, Size], str]
    find: Callable[[str], Value]
    write: Callable[[Point], str]
    min_pixels: int
    max_pixels: int
    system: Callable[[Size], str] | None = None
    picture_first: bool = True

    def plan_prompt(self, turn: Turn) -> list[Message] | None:  # noqa: ARG002 (the family does not plan)
        return None

    def plan_grammar(self, turn: Turn) -> str | None:  # noqa: ARG002
        return None

    def plan_action(self, plan: str, frame: Frame) -> Action | None:  # noqa: ARG002
        return None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """The question about the plan (without one: the task) and the newest screenshot."""
        size = turn.frame.model
        question = self.ask(plan or turn.task, size)
        content = (turn.screenshot, question) if self.picture_first else (question, turn.screenshot)
        system = [Message("system", (self.system(size),))] if self.system else []
        return [*system, Message("user", content)]

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:  # noqa: ARG002
        return around(self.write(Point(11111, 22222)), frame.model)

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:  # noqa: ARG002 (never needed)
        try:
            return Click(point=frame.to_screen(read_point("the place", self.find(without_thoughts(reply)))))
        except InvalidAction as error:
            raise InvalidAction(f"{error}. A valid reply has the form {self.form}") from None

    def render(self, action: Action, frame: Frame) -> str:
        match action:
            case Click(button="left", count=1, modifiers=()):
                return self.write(frame.to_model(action.point))
            case Click():
                raise UnsupportedAction(
                    f"{self.name} only points: it has no word for a click that is not one plain click"
                )
            case _:
                raise UnsupportedAction(f"{self.name} only points: it has no word for {action.kind!r}")


def bracketed(reply: str) -> Value:
    """The first (x, y), [x, y] or [x1, y1, x2, y2] in a reply; the numbers may be named, as in click(x=1, y=2)."""
    match = _PLACE.search(reply)
    if match is None:
        raise InvalidAction("the reply holds no place")
    return [float(number.rpartition("=")[2]) for number in match[1].split(",")]


def labelled(reply: str) -> Value:
    """The "point_2d" or "bbox_2d" of the first object in a reply that has one."""
    found = find_object(reply, ("point_2d", "bbox_2d"), "place")
    return found.get("point_2d", found.get("bbox_2d"))


def only(found: dict[str, Value], name: str, value: str) -> None:
    """Raises InvalidAction if an object names something else than it has to."""
    if found.get(name, value) != value:
        raise InvalidAction(f"unknown {name} {shown(found[name])}: the only one is {value!r}")

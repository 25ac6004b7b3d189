"""UI-Venus-Navi (the first generation, on Qwen2.5-VL): thought, call and conclusion in tags, on a phone.

    <think>...</think><action>Click(box=(197, 525))</action><conclusion>...</conclusion>

Points are pixels of the picture as the model sees it. One picture a prompt: past steps are told as text, from 0.

Scroll(start, end, direction) describes a finger's path, so it shows what lies the other way; the path counts, and
`direction` only where there is none. 100 screenshot pixels of it are a notch. CallUser gives the answer to a question,
after the definition that came with the family's next generation, and so ends the task (the facts only name it).
Finished(content) ends it too.

Read and rendered although the family was not taught them, so that every rendered action reads back as itself: `time`
(seconds) of Drag, LongPress and Wait, `amount` (notches) of Scroll, `status` of Finished. The facts give no duration of
Wait(): it is 1 second.
"""

import re
from collections.abc import Sequence
from typing import assert_never

from action_space.actions import (
    Action,
    Ask,
    Click,
    Direction,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.dialects.base import PastStep, Turn
from action_space.dialects.keyword_call import DIRECTIONS, Calls, quoted, unless, written_call
from action_space.dialects.retell import fields_of, one_line, own_reply
from action_space.dialects.tool_call import Arguments, build, without_thoughts
from action_space.errors import InvalidAction, ModelMistake, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message

_PIXELS_PER_NOTCH = 100
_MOST_NOTCHES = 100
_NOTCHES = 3
_DRAG_SECONDS = 0.5
_LONG_PRESS_SECONDS = 1.0
_WAIT_SECONDS = 1.0
_STATUS = {"success": "success", "failure": "failure"}
_FORM = "<action>Click(box=(x, y))</action>"
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)

_BUTTONS = {"PressBack": "back", "PressHome": "device_home", "PressEnter": "enter", "PressRecent": "recents"}
_BUTTON_NAMES = {key: name for name, key in _BUTTONS.items()}
_FOLDED = {name.lower(): key for name, key in _BUTTONS.items()}
_FINGER: dict[Direction, tuple[int, int]] = {"up": (0, 1), "down": (0, -1), "left": (1, 0), "right": (-1, 0)}
_FORMS = (
    "Click(box=(x1, y1))",
    "LongPress(box=(x1, y1))",
    "Drag(start=(x1, y1), end=(x2, y2))",
    "Scroll(start=(x1, y1), end=(x2, y2), direction='down/up/right/left')",
    "Type(content='')",
    "Launch(app='')",
    "Wait()",
    *(f"{name}()" for name in _BUTTONS),
    "CallUser(content='')",
    "Finished(content='')",
)


def _click(call: Arguments) -> Action:
    return build("click", point=call.point("box"))


def _long_press(call: Arguments) -> Action:
    return build("long_press", point=call.point("box"), seconds=call.number("time", _LONG_PRESS_SECONDS))


def _drag(call: Arguments) -> Action:
    return build("drag", start=call.point("start"), end=call.point("end"), seconds=call.number("time", _DRAG_SECONDS))


def _scroll(call: Arguments) -> Action:
    start = call.point_or_middle("start")
    direction, notches = _swiped(start, call.point("end") if "end" in call else start)
    direction = direction or call.choice("direction", DIRECTIONS)
    return build("scroll", point=start, direction=direction, amount=call.number("amount", notches))


def _swiped(start: Point, end: Point) -> tuple[Direction | None, int]:
    """Which way and how many notches a finger's path scrolls; no direction for a path of no length."""
    right, down = end.x - start.x, end.y - start.y
    if right == down == 0:
        return None, _NOTCHES
    direction: Direction
    if abs(down) >= abs(right):
        direction = "up" if down > 0 else "down"
    else:
        direction = "left" if right > 0 else "right"
    return direction, min(max(1, round(max(abs(right), abs(down)) / _PIXELS_PER_NOTCH)), _MOST_NOTCHES)


def _type(call: Arguments) -> Action:
    return build("type", text=call.text("content"))


def _open(call: Arguments) -> Action:
    return build("open", target=call.text("url" if "url" in call and "app" not in call else "app"))


def _wait(call: Arguments) -> Action:
    return build("wait", seconds=call.number("time", _WAIT_SECONDS))


def _button(call: Arguments) -> Action:
    return build("press", keys=(_FOLDED[call.action],))


def _finish(call: Arguments) -> Action:
    status = call.choice("status", _STATUS) if "status" in call else "success"
    return build("finish", status=status, text=call.text("content") if "content" in call else "")


_CALLS = Calls(
    words={
        **dict.fromkeys(_FOLDED, _button),
        **dict.fromkeys(("finished", "calluser"), _finish),
        "click": _click,
        "longpress": _long_press,
        "drag": _drag,
        "scroll": _scroll,
        "type": _type,
        "launch": _open,
        "wait": _wait,
    },
    label="<action>",
    shown=", ".join(form.partition("(")[0] for form in _FORMS),
    aliases={},
)


class UiVenusNavi:
    """Implements `Dialect`."""

    name = "ui_venus_navi"
    min_pixels = 2_000_000
    max_pixels = 4_800_000

    def plan_prompt(self, turn: Turn) -> list[Message] | None:  # noqa: ARG002 (the family plans and points in one reply)
        return None

    def plan_grammar(self, turn: Turn) -> str | None:  # noqa: ARG002
        return None

    def plan_action(self, plan: str, frame: Frame) -> Action | None:  # noqa: ARG002
        return None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """One message: task, past steps, what can be done, and the newest screenshot."""
        steps = (self._told(number, step, turn.frame) for number, step in enumerate(turn.history))
        told = [*map(one_line, turn.context), f"Do this now: {plan}" if plan and plan != turn.task else ""]
        text = "\n".join(
            [
                "You operate a mobile device for a person. Look at the screenshot and at what you did so far, and say "
                "the next action that leads to the goal of the task.",
                f"\n### User Task\n{turn.task}",
                *filter(None, told),
                "\n### Previous Actions",
                *steps,
                "\n### Available Actions",
                *_FORMS,
                "\n### Output Format",
                "<think>why</think><action>one action</action><conclusion>what it does</conclusion>",
            ]
        )
        return [Message("user", (text, turn.screenshot))]

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:  # noqa: ARG002
        return None  # it thinks aloud first

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:
        try:
            return _CALLS.read(without_thoughts(reply), frame, pointer)
        except InvalidAction as error:
            raise InvalidAction(f"{error}. A valid reply has the form {_FORM}") from None

    def render(self, action: Action, frame: Frame) -> str:
        return f"<action>{self._say(action, frame)}</action>"

    def _told(self, number: int, step: PastStep, frame: Frame) -> str:
        note = f" ({one_line(step.note)})" if step.note else ""
        if step.action is None:
            return f"Step {number}: no valid action{note}"
        thought = _THOUGHT.match(own_reply(self, step, frame))
        thinking = f"<think>{one_line(thought[1])}</think>" if thought else ""
        try:
            said = self.render(step.action, step.frame or frame)
        except ModelMistake:
            said = fields_of(step.action, step.frame or frame)
        return f"Step {number}: {thinking}{said}{note}"

    def _say(self, action: Action, frame: Frame) -> str:
        match action:
            case Click(button="left", count=1, modifiers=()):
                return written_call("Click", {"box": _place(action.point, frame)})
            case LongPress():
                seconds = unless("time", action.seconds, _LONG_PRESS_SECONDS)
                return written_call("LongPress", {"box": _place(action.point, frame), **seconds})
            case Drag():
                places = {"start": _place(action.start, frame), "end": _place(action.end, frame)}
                return written_call("Drag", {**places, **unless("time", action.seconds, _DRAG_SECONDS)})
            case Scroll():
                return _say_scroll(action, frame)
            case Press() if len(action.keys) == 1 and action.keys[0] in _BUTTON_NAMES:
                return written_call(_BUTTON_NAMES[action.keys[0]], {})
            case Click() | Move() | Press() | Ask():
                raise UnsupportedAction(f"{self.name} has no word for this {action.kind!r}")
            case _:
                return _say_in_words(action)


def _say_in_words(action: Type | Open | Wait | Finish) -> str:
    match action:
        case Type():
            return written_call("Type", {"content": quoted(action.text)})
        case Open():
            return written_call("Launch", {"app": quoted(action.target)})
        case Wait():
            return written_call("Wait", unless("time", action.seconds, _WAIT_SECONDS))
        case Finish():
            status = {} if action.status == "success" else {"status": quoted(action.status)}
            return written_call("Finished", {**status, "content": quoted(action.text)})
        case _:
            assert_never(action)


def _say_scroll(action: Scroll, frame: Frame) -> str:
    """A finger's path of the right length, or the longest that the screen has room for and the amount."""
    right, down = _FINGER[action.direction]
    length = action.amount * _PIXELS_PER_NOTCH
    end = _inside(Point(action.point.x + right * length, action.point.y + down * length), frame.screen)
    seen = frame.to_model(action.point), frame.to_model(end)
    _, notches = _swiped(frame.to_screen(seen[0]), frame.to_screen(seen[1]))
    places = {"start": _place(action.point, frame), "end": _place(end, frame), "direction": quoted(action.direction)}
    return written_call("Scroll", {**places, **unless("amount", action.amount, notches)})


def _inside(point: Point, screen: Size) -> Point:
    return Point(min(max(0, point.x), screen.width - 1), min(max(0, point.y), screen.height - 1))


def _place(point: Point, frame: Frame) -> str:
    seen = frame.to_model(point)
    return f"({seen.x}, {seen.y})"


DIALECT = UiVenusNavi()

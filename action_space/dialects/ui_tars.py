"""UI-TARS-1.5: a thought and a call, on a computer (`ui_tars`) or a phone (`ui_tars_mobile`).

    Thought: ...
    Action: click(start_box='(197,525)')

Points are pixels of the picture as the model sees it. `<|box_start|>(x,y)<|box_end|>`, `point='<point>x y</point>'` and
boxes (their centre) are read too. Both dialects read the words of either device. A `\\n` at the end of typed content
submits it, which is what a newline in `Type` does.

Read and rendered although the family was not taught them, so that every rendered action reads back as itself: `time`
(seconds) of drag, long_press and wait, `amount` (notches) of scroll, `status` of finished, `content` of call_user.

Defaults: wait() is 5 seconds, as the prompt of the family says. A scroll is 5 notches, after the family's own converter
to pyautogui (from memory: the facts are silent); without a point it is under the mouse or in the middle. call_user()
asks the person.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from PIL import Image

from action_space.actions import Action, Ask, Click, Drag, Finish, LongPress, Move, Open, Press, Scroll, Type, Wait
from action_space.dialects.base import PastStep, Turn
from action_space.dialects.keyword_call import DIRECTIONS, Calls, quoted, unless, written_call
from action_space.dialects.retell import fields_of, one_line, own_reply
from action_space.dialects.tool_call import Arguments, build, without_thoughts
from action_space.errors import InvalidAction, ModelMistake, UnsupportedAction
from action_space.geometry import Frame, Point
from action_space.messages import Message

_NOTCHES = 5
_WAIT_SECONDS = 5.0
_DRAG_SECONDS = 0.5
_LONG_PRESS_SECONDS = 1.0
_LONGEST_QUOTE = 1000
_HELP = "What should I do? I cannot go on without help."
_STATUS = {"success": "success", "failure": "failure"}
_FORM = "Action: click(start_box='(x,y)')"
_PLAIN_BOX = re.compile(r"(start_box|end_box)='(\([0-9]+,[0-9]+\))'")

_CLICKS = {"click": ("left", 1), "left_single": ("left", 1), "left_double": ("left", 2), "right_single": ("right", 1)}
_CLICK_NAMES = {meaning: name for name, meaning in _CLICKS.items() if name != "left_single"}
_BUTTONS = {"press_home": "device_home", "press_back": "back"}
_BUTTON_NAMES = {key: name for name, key in _BUTTONS.items()}
_POINT = "'<point>x1 y1</point>'"
_EVERYWHERE = (
    f"scroll(point={_POINT}, direction='down or up or right or left') # shows what is further in that direction",
    f"drag(start_point={_POINT}, end_point='<point>x2 y2</point>')",
    "type(content='xxx') # escape quotes and line breaks as \\', \\\" and \\n; a \\n at the end submits",
    "wait() # 5 seconds, then a new screenshot",
    "call_user() # when only the person can help",
    "finished(content='xxx') # the task is done; content is the answer, escaped as in type",
)
_COMPUTER_FORMS = (
    *(f"{name}(point={_POINT})" for name in ("click", "left_double", "right_single")),
    "hotkey(key='ctrl c') # lower-case names with blanks between them, three at most",
    *_EVERYWHERE,
)
_PHONE_FORMS = (
    *(f"{name}(point={_POINT})" for name in ("click", "long_press")),
    "open_app(app_name='xxx')",
    "press_home()",
    "press_back()",
    *_EVERYWHERE,
)


def _click(call: Arguments) -> Action:
    button, count = _CLICKS[call.action]
    return build("click", point=call.point("start_box"), button=button, count=count)


def _drag(call: Arguments) -> Action:
    start, end = call.point("start_box"), call.point("end_box")
    return build("drag", start=start, end=end, seconds=call.number("time", _DRAG_SECONDS))


def _scroll(call: Arguments) -> Action:
    direction = call.choice("direction", DIRECTIONS)
    amount = call.number("amount", _NOTCHES)
    return build("scroll", point=call.point_or_middle("start_box"), direction=direction, amount=amount)


def _long_press(call: Arguments) -> Action:
    seconds = call.number("time", _LONG_PRESS_SECONDS)
    return build("long_press", point=call.point("start_box"), seconds=seconds)


def _hotkey(call: Arguments) -> Action:
    return build("press", keys=call.keys("key"))


def _type(call: Arguments) -> Action:
    return build("type", text=call.text("content"))


def _button(call: Arguments) -> Action:
    return build("press", keys=(_BUTTONS[call.action],))


def _open(call: Arguments) -> Action:
    return build("open", target=call.text("app_name"))


def _wait(call: Arguments) -> Action:
    return build("wait", seconds=call.number("time", _WAIT_SECONDS))


def _ask(call: Arguments) -> Action:
    return build("ask", question=call.text("content") if "content" in call else _HELP)


def _finish(call: Arguments) -> Action:
    status = call.choice("status", _STATUS) if "status" in call else "success"
    return build("finish", status=status, text=call.text("content") if "content" in call else "")


_CALLS = Calls(
    words={
        **dict.fromkeys(_CLICKS, _click),
        **dict.fromkeys(_BUTTONS, _button),
        **dict.fromkeys(("drag", "swipe"), _drag),
        **dict.fromkeys(("hotkey", "press"), _hotkey),
        "scroll": _scroll,
        "long_press": _long_press,
        "type": _type,
        "open_app": _open,
        "wait": _wait,
        "call_user": _ask,
        "finished": _finish,
    },
    label=r"^[ \t]*Action[ \t]*[:：]",
    shown="click, left_double, right_single, long_press, drag, scroll, type, hotkey, open_app, wait, finished",
    aliases={"point": "start_box", "start_point": "start_box", "end_point": "end_box"},
)


@dataclass(frozen=True, slots=True)
class UiTars:
    """Implements `Dialect`. touch: the device is a phone."""

    name: str
    touch: bool
    min_pixels: int = 100 * 28 * 28
    max_pixels: int = 16384 * 28 * 28

    def plan_prompt(self, turn: Turn) -> list[Message] | None:  # noqa: ARG002 (the family plans and points in one reply)
        return None

    def plan_grammar(self, turn: Turn) -> str | None:  # noqa: ARG002
        return None

    def plan_action(self, plan: str, frame: Frame) -> Action | None:  # noqa: ARG002
        return None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """The whole instruction as the user's text; then past steps, each its picture (if shown) and the reply."""
        messages = [Message("user", (self._instruction(turn.task),))]
        note = ""
        for step in turn.history:
            shown: list[str | Image.Image] = [*filter(None, [note]), *([step.screenshot] if step.screenshot else [])]
            if shown:
                messages.append(Message("user", tuple(shown)))
            messages.append(Message("assistant", (self._said(step, turn.frame),)))
            note = one_line(step.note)
        told = [note, *map(one_line, turn.context), f"Do this now: {plan}" if plan and plan != turn.task else ""]
        text = "\n".join(filter(None, told))
        return [*messages, Message("user", (text, turn.screenshot) if text else (turn.screenshot,))]

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:  # noqa: ARG002
        return None  # it thinks aloud first

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:
        try:
            return _CALLS.read(without_thoughts(reply), frame, pointer)
        except InvalidAction as error:
            raise InvalidAction(f"{error}. A valid reply has the form {_FORM}") from None

    def render(self, action: Action, frame: Frame) -> str:
        return f"Action: {self._say(action, frame)}"

    def _instruction(self, task: str) -> str:
        device = "mobile device" if self.touch else "computer"
        forms = "\n".join(_PHONE_FORMS if self.touch else _COMPUTER_FORMS)
        return (
            f"You operate a {device} for a person, who gives you a task. Look at the newest screenshot and at what you "
            "did so far, and say the next action.\n\n"
            "## Output Format\n```\nThought: ...\nAction: ...\n```\n\n"
            f"## Action Space\n\n{forms}\n\n"
            "## Note\n- Write one action only.\n- The thought ends with the next action and its target in one sentence."
            f"\n\n## User Instruction\n{task}"
        )

    def _said(self, step: PastStep, frame: Frame) -> str:
        """A past reply, its points wrapped in box tokens: so the family was shown its history."""
        if step.action is None:
            return step.reply[:_LONGEST_QUOTE]
        try:
            said = own_reply(self, step, frame) or self.render(step.action, step.frame or frame)
        except ModelMistake:
            return fields_of(step.action, step.frame or frame)
        return _PLAIN_BOX.sub(r"\1='<|box_start|>\2<|box_end|>'", said)

    def _say(self, action: Action, frame: Frame) -> str:
        match action:
            case Click(modifiers=()) if (action.button, action.count) in _CLICK_NAMES:
                name = _CLICK_NAMES[action.button, action.count]
                if self.touch and name != "click":
                    raise UnsupportedAction(f"{self.name} has no word for a click that is not one plain tap")
                return written_call(name, {"start_box": _box(action.point, frame)})
            case LongPress() if self.touch:
                seconds = unless("time", action.seconds, _LONG_PRESS_SECONDS)
                return written_call("long_press", {"start_box": _box(action.point, frame), **seconds})
            case Open() if self.touch:
                return written_call("open_app", {"app_name": quoted(action.target)})
            case Drag():
                places = {"start_box": _box(action.start, frame), "end_box": _box(action.end, frame)}
                return written_call("drag", {**places, **unless("time", action.seconds, _DRAG_SECONDS)})
            case Scroll():
                place = {"start_box": _box(action.point, frame), "direction": quoted(action.direction)}
                return written_call("scroll", {**place, **unless("amount", action.amount, _NOTCHES)})
            case Click() | Move() | LongPress() | Open():
                raise UnsupportedAction(f"{self.name} has no word for this {action.kind!r}")
            case _:
                return self._say_in_words(action)

    def _say_in_words(self, action: Type | Press | Wait | Ask | Finish) -> str:
        match action:
            case Type():
                return written_call("type", {"content": quoted(action.text)})
            case Press():
                button = _BUTTON_NAMES.get(action.keys[0]) if self.touch and len(action.keys) == 1 else None
                return written_call(button, {}) if button else written_call("hotkey", {"key": _chord(action.keys)})
            case Wait():
                return written_call("wait", unless("time", action.seconds, _WAIT_SECONDS))
            case Ask():
                return written_call(
                    "call_user", {} if action.question == _HELP else {"content": quoted(action.question)}
                )
            case Finish():
                status = {} if action.status == "success" else {"status": quoted(action.status)}
                content = {"content": quoted(action.text)} if action.text else {}
                return written_call("finished", {**status, **content})
            case _:
                assert_never(action)


def _box(point: Point, frame: Frame) -> str:
    seen = frame.to_model(point)
    return f"'({seen.x},{seen.y})'"


def _chord(keys: tuple[str, ...]) -> str:
    signs = {"+": "plus", "-": "minus"}  # between keys these part them
    return quoted(" ".join(signs.get(key, key.replace("_", "") if len(key) > 1 else key) for key in keys))


COMPUTER = UiTars("ui_tars", touch=False)
MOBILE = UiTars("ui_tars_mobile", touch=True)

"""Words and arguments that the functions of the Qwen family have in common."""

from action_space.actions import Action, Finish
from action_space.dialects.tool_call import Arguments, build
from action_space.dialects.tool_dialect import Argument, Json, Word

COORDINATE = Argument(
    "coordinate",
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
    "[x, y] in pixels: x from the left edge, y from the top edge.",
)
TEXT = Argument("text", {"type": "string"}, "The text or name.")
TIME = Argument("time", {"type": "number"}, "Seconds.")
STATUS = Argument("status", {"type": "string", "enum": ["success", "failure"]}, "Whether the task was done.")


def _type(call: Arguments) -> Action:
    return build("type", text=call.text("text"))


def _wait(call: Arguments) -> Action:
    return build("wait", seconds=call.number("time", 1.0))


def _terminate(call: Arguments) -> Action:
    status = call.choice("status", {"success": "success", "failure": "failure"})
    return build("finish", status=status, text=call.text("text") if "text" in call else "")


def _answer(call: Arguments) -> Action:
    return build("finish", status="success", text=call.text("text"))


def say_time(value: float, *, unless: float | None = None) -> dict[str, Json]:
    """Seconds, written as short as they can be: 2 rather than 2.0."""
    if value == unless:
        return {}
    return {"time": int(value) if value.is_integer() else value}


def say_finish(action: Finish) -> dict[str, Json]:
    """A success with an answer is an answer; everything else ends the task by its status."""
    if action.text and action.status == "success":
        return {"action": "answer", "text": action.text}
    reason: dict[str, Json] = {"text": action.text} if action.text else {}
    return {"action": "terminate", "status": action.status, **reason}


TYPE = Word("type", "Type a text where the keyboard focus is.", ("text",), _type)
WAIT = Word("wait", "Do nothing for some seconds, so that the screen can change.", ("time",), _wait)
TERMINATE = Word("terminate", "End the task and say how it went.", ("status",), _terminate)
ANSWER = Word("answer", "Answer the person's question and end the task.", ("text",), _answer, taught=False)

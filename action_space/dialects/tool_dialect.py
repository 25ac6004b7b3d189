"""A model family that acts by calling one function: its words, the prompts generated from them, and the calls."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from action_space.actions import Action
from action_space.dialects.base import PastStep, Turn
from action_space.dialects.grammar import key_names, objects
from action_space.dialects.retell import fields_of, one_line, own_reply
from action_space.dialects.tool_call import Arguments, arguments_of, find_call
from action_space.errors import InvalidAction, ModelMistake
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message

Json = str | int | float | Sequence["Json"] | Mapping[str, "Json"]

CHECKPOINT_MIN_PIXELS = 3136
CHECKPOINT_MAX_PIXELS = 12845056
"""The limits in the preprocessor configuration of the published Qwen2.5-VL checkpoints."""

_LONGEST_QUOTE = 1000
_NARROWED: Mapping[str, Json] = {
    "time": {"type": "integer", "minimum": 1, "maximum": 30},
    "pixels": {"anyOf": [{"type": "integer", "minimum": a, "maximum": b} for a, b in ((-2000, -1), (1, 2000))]},
    "keys": {"type": "array", "items": {"enum": key_names()}, "minItems": 1, "maxItems": 5},
}
_STRING: Json = {"type": "string"}
_SAID: Json = {"type": "string", "minLength": 1}
"""What a grammar allows of arguments whose schema, as it is told to the model, says less than the action takes."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of the function: its JSON schema and what it means."""

    name: str
    schema: Mapping[str, Json]
    meaning: str


@dataclass(frozen=True, slots=True)
class Word:
    """One action of the function. arguments: those it needs. taught: False for a word of later vocabularies, which is
    understood but not advertised."""

    name: str
    meaning: str
    arguments: tuple[str, ...]
    read: Callable[[Arguments], Action]
    taught: bool = True


@dataclass(frozen=True, slots=True)
class ToolDialect:
    """Implements `Dialect` for a family that calls one function.

    device: what it operates, in one noun. example: a word that takes only a coordinate, for error texts. notes:
    sentences for the function's description. say: the arguments of the call that means an action, points in model
    pixels; raises UnsupportedAction. function: its name, if it is not the dialect's. manner: how to answer, for the end
    of the question. keeps_replies: past steps are told in the family's own replies, where those mean what was done.
    """

    name: str
    device: str
    example: str
    notes: tuple[str, ...]
    words: Mapping[str, Word]
    arguments: tuple[Argument, ...]
    say: Callable[[Action, Frame], dict[str, Json]]
    min_pixels: int = CHECKPOINT_MIN_PIXELS
    max_pixels: int = CHECKPOINT_MAX_PIXELS
    function: str = ""
    manner: str = ""
    keeps_replies: bool = False

    def plan_prompt(self, turn: Turn) -> list[Message] | None:  # noqa: ARG002 (the family plans and points in one reply)
        return None

    def plan_grammar(self, turn: Turn) -> str | None:  # noqa: ARG002
        return None

    def plan_action(self, plan: str, frame: Frame) -> Action | None:  # noqa: ARG002
        return None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        """System message, then the task and what was done: steps with a picture as own turns, the others as text."""
        messages = [Message("system", (self.system(turn.frame.model),))]
        text = f"The user query: {turn.task}\nTask progress (what was done on this {self.device} so far): "
        for number, step in enumerate(turn.history, start=1):
            if step.screenshot is None:
                text += self._told(number, step, turn.frame)
                continue
            messages.append(Message("user", (text, step.screenshot)))
            messages.append(Message("assistant", (self._said(step, turn.frame),)))
            text = f"Step {number}: {one_line(step.note) or 'done'}; "
        ending = [*turn.context, f"Do this now: {plan}" if plan and plan != turn.task else ""]
        text = "\n".join([text, *filter(None, map(one_line, (*ending, self.manner)))])
        return [*messages, Message("user", (text, turn.screenshot))]

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str | None:  # noqa: ARG002
        if self.manner:
            return None  # it thinks aloud first
        taught = [word for word in self.words.values() if word.taught]
        calls = objects(self._schema(word, frame.model) for word in taught)
        return f'start: "<tool_call>\\n" object "\\n</tool_call>"\n{calls}'

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:
        try:
            values = arguments_of(find_call(reply), self._function, self.words)
            return self._word(values).read(Arguments(str(values["action"]), values, frame, pointer))
        except InvalidAction as error:
            raise InvalidAction(f"{error}. A valid reply has the form {self._form()}") from None

    def render(self, action: Action, frame: Frame) -> str:
        return _tagged(self._call(self.say(action, frame)))

    def system(self, size: Size) -> str:
        """The system prompt for a screen that the model sees at `size`."""
        signature = json.dumps({"type": "function", "function": self.signature(size)}, ensure_ascii=False)
        form = '{"name": <function name>, "arguments": <object with the arguments>}'
        return (
            f"You operate a {self.device} for a person, one action at a time.\n\n"
            "# Tools\n\nThe function you can call, with the JSON schema of its arguments, is inside <tools></tools>:\n"
            f"<tools>\n{signature}\n</tools>\n\n"
            "Answer with exactly one call, as a JSON object inside <tool_call></tool_call>:\n"
            f"{_tagged(form)}"
        )

    def signature(self, size: Size) -> dict[str, Json]:
        """The function as the model is told of it: name, description, JSON schema of the arguments."""
        taught = [word for word in self.words.values() if word.taught]
        lines = [
            f"Acts on a {self.device} through what its screen shows and its input devices.",
            f"* The screen's resolution is {size}: coordinates are pixels, x from 0 to {size.width - 1} and "
            f"y from 0 to {size.height - 1}, from the top left corner.",
            *(f"* {note}" for note in self.notes),
        ]
        actions = "\n".join(f"* `{word.name}`: {word.meaning}" for word in taught)
        properties: dict[str, Json] = {
            "action": {
                "description": f"What to do:\n{actions}",
                "enum": [word.name for word in taught],
                "type": "string",
            }
        }
        for argument in self.arguments:
            users = [word.name for word in taught if argument.name in word.arguments]
            needed = f"{argument.meaning} Needed by {', '.join(f'`action={user}`' for user in users)}."
            properties[argument.name] = {"description": needed, **argument.schema}
        parameters: Json = {"properties": properties, "required": ["action"], "type": "object"}
        return {"name": self._function, "description": "\n".join(lines), "parameters": parameters}

    def _schema(self, word: Word, size: Size) -> dict[str, Json]:
        """The JSON schema of a call of this word, its coordinates inside the screen."""
        point: list[Json] = [
            {"type": "integer", "minimum": 0, "maximum": most - 1} for most in (size.width, size.height)
        ]
        place: dict[str, Json] = {"type": "array", "prefixItems": point, "items": False, "minItems": 2}
        known = {argument.name: argument.schema for argument in self.arguments}
        arguments: dict[str, Json] = {"action": {"const": word.name}}
        for name in word.arguments:
            schema = _NARROWED.get(name, known[name])
            arguments[name] = place if name.startswith("coordinate") else _SAID if schema == _STRING else schema
        return _exactly({"name": {"const": self._function}, "arguments": _exactly(arguments)})

    @property
    def _function(self) -> str:
        return self.function or self.name

    def _word(self, values: Mapping[str, object]) -> Word:
        action = values.get("action")
        word = self.words.get(action) if isinstance(action, str) else None
        if word is None:
            known = ", ".join(word.name for word in self.words.values() if word.taught)
            given = f"unknown action {action[:40]!r}" if isinstance(action, str) else "the call has no action"
            raise InvalidAction(f"{given}: choose one of {known}")
        return word

    def _form(self) -> str:
        # Placeholders, not numbers: a model that is told numbers clicks there.
        arguments = f'{{"action": "{self.example}", "coordinate": [x, y]}}'
        return f'<tool_call>{{"name": "{self._function}", "arguments": {arguments}}}</tool_call>'

    def _call(self, arguments: Mapping[str, Json]) -> str:
        return json.dumps({"name": self._function, "arguments": arguments}, ensure_ascii=False)

    def _told(self, number: int, step: PastStep, frame: Frame) -> str:
        """A past step as one clause of the history."""
        note = f" ({one_line(step.note)})" if step.note else ""
        if step.action is None:
            return f"Step {number}: no valid action{note}; "
        own = self._own(step, frame)
        told = json.dumps(find_call(own), ensure_ascii=False) if own else self._retold(step.action, step.frame or frame)
        return f"Step {number}: {told}{note}; "

    def _said(self, step: PastStep, frame: Frame) -> str:
        """A past step as the model's own turn. Not any recorded reply: it may stem from another family."""
        if step.action is None:
            return step.reply[:_LONGEST_QUOTE]
        return self._own(step, frame) or _tagged(self._retold(step.action, step.frame or frame))

    def _own(self, step: PastStep, frame: Frame) -> str:
        return own_reply(self, step, frame) if self.keeps_replies else ""

    def _retold(self, action: Action, frame: Frame) -> str:
        try:
            return self._call(self.say(action, frame))
        except ModelMistake:
            # A person or another family did what this one has no word for: its fields say it.
            return fields_of(action, frame)


def vocabulary(*words: Word) -> dict[str, Word]:
    """Words by their names."""
    return {word.name: word for word in words}


def understood(own: Mapping[str, Word], others: Mapping[str, Word]) -> dict[str, Word]:
    """A family's own words, and those of another that it lacks: understood, but not advertised."""
    return {**own, **{name: replace(word, taught=False) for name, word in others.items() if name not in own}}


def coordinate(point: Point, frame: Frame) -> list[int]:
    """A screenshot pixel as the model writes it."""
    seen = frame.to_model(point)
    return [seen.x, seen.y]


def _exactly(properties: dict[str, Json]) -> dict[str, Json]:
    """An object with these properties, all of them and in this order."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _tagged(call: str) -> str:
    return f"<tool_call>\n{call}\n</tool_call>"

"""What clients of an OpenAI-compatible server write, and how it becomes a question to a model."""

import base64
import binascii
import random
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Literal

from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from action_space.messages import Message, Part, Role

MOST_PIXELS = 50_000_000
"""Of one picture: an 8K screen has 33 million."""
DEFAULT_TOKENS = 256
"""Room for a reply, if the client does not say."""
REFUSED = (
    *("stop", "tools", "functions", "logprobs"),
    *("guided_json", "guided_choice", "guided_grammar", "regex", "ebnf", "grammar", "json_schema"),
)
"""Fields, of OpenAI, older vLLM, SGLang and llama.cpp, without which the answer would be another one."""
_FORMATS = ("PNG", "JPEG", "WEBP")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are not what they say."""
_MOST_SEED = 2**31


class RequestError(Exception):
    """A request that gets no answer. status: of HTTP. The text is one line for a person."""

    def __init__(self, status: int, text: str, *, code: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.code, self.retry_after_s = status, text, code, retry_after_s


class _Value(BaseModel):
    """Other fields are ignored: clients send many that change nothing here."""

    model_config = ConfigDict(frozen=True)


class TextPart(_Value):
    type: Literal["text"]
    text: str


class ImageUrl(_Value):
    url: str


class ImagePart(_Value):
    type: Literal["image_url"]
    image_url: ImageUrl


def _as_parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Turn(_Value):
    """A message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        tuple[Annotated[TextPart | ImagePart, Field(discriminator="type")], ...], BeforeValidator(_as_parts)
    ]


class NamedSchema(_Value):
    wanted: dict[str, JsonValue] = Field(alias="schema")


class AnyText(_Value):
    type: Literal["text"]


class AnyJson(_Value):
    type: Literal["json_object"]


class SchemaJson(_Value):
    type: Literal["json_schema"]
    json_schema: NamedSchema


class StructuredOutputs(BaseModel):
    """vLLM's way to constrain a reply. What is not known here must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regex: str | None = None
    json_: dict[str, JsonValue] | None = Field(default=None, alias="json")
    grammar: str | None = None


class StreamOptions(_Value):
    include_usage: bool = False


class ChatRequest(_Value):
    """The body of a POST to /v1/chat/completions."""

    messages: tuple[Turn, ...] = Field(min_length=1)
    model: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    response_format: Annotated[AnyText | AnyJson | SchemaJson, Field(discriminator="type")] | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_regex: str | None = None
    n: Literal[1] | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_would_change_the_answer(cls, body: object) -> object:
        wrong = [name for name in REFUSED if body.get(name)] if isinstance(body, dict) else []
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not supported here: leave it out")
        return body

    @property
    def attempt(self) -> int:
        """0 for the greedy answer, which is the default; else the seed of a drawn one. Seeds from 1 on are kept."""
        if not self.temperature:
            return 0
        seed = random.randrange(_MOST_SEED) if self.seed is None else self.seed
        return seed % _MOST_SEED or _MOST_SEED


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as a model is asked."""

    messages: tuple[Message, ...]
    constraint: str | None
    max_new_tokens: int
    attempt: int


def read_request(body: bytes) -> ChatRequest:
    """Raises RequestError that names the first field that is wrong."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        text = f"{where}: {what}" if where else what
        raise RequestError(400, _one_line(text)) from None


def question_of(request: ChatRequest) -> Question:
    """Raises RequestError for pictures that are none, and for two constraints at once."""
    return Question(
        tuple(_message(turn) for turn in request.messages),
        constraint_of(request),
        request.max_completion_tokens or request.max_tokens or DEFAULT_TOKENS,
        request.attempt,
    )


def constraint_of(request: ChatRequest) -> str | None:
    """The grammar (`vlm.constrain`) that a reply shall fit, from OpenAI's or vLLM's fields. Raises RequestError."""
    form, outputs = request.response_format, request.structured_outputs or StructuredOutputs()
    schemas = [form.json_schema.wanted] if isinstance(form, SchemaJson) else []
    schemas += [{"type": "object"}] if isinstance(form, AnyJson) else []
    schemas += [outputs.json_] if outputs.json_ is not None else []
    patterns = [pattern for pattern in (request.guided_regex, outputs.regex) if pattern is not None]
    grammars = [outputs.grammar] if outputs.grammar is not None else []
    if len(schemas) + len(patterns) + len(grammars) > 1:
        raise RequestError(400, "the reply is constrained in two ways at once: keep one of them")
    if not schemas and not patterns:
        return grammars[0] if grammars else None
    # Late, because it loads torch, which a scripted model does not need.
    from vlm.constrain import grammar_of_regex, grammar_of_schema

    return grammar_of_schema(schemas[0]) if schemas else grammar_of_regex(patterns[0])


def _message(turn: Turn) -> Message:
    role: Role = "system" if turn.role == "developer" else turn.role
    parts: list[Part] = [
        part.text if isinstance(part, TextPart) else picture_of(part.image_url.url) for part in turn.content
    ]
    return Message(role, tuple(parts))


def picture_of(url: str) -> Image.Image:
    """The RGB picture in a data URL, as a viewer shows it. Raises RequestError."""
    from vlm.images import rgb

    head, comma, data = url.partition(",")
    if not head.startswith("data:"):
        raise RequestError(400, f"a picture is sent as 'data:image/png;base64,...', and not fetched: {url[:60]!r}")
    if not comma or not head.endswith(";base64"):
        raise RequestError(400, f"the picture {url[:40]!r} is not in base64: send it as 'data:image/png;base64,...'")
    try:
        file = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, f"the picture's base64 cannot be read: {error}") from None
    try:
        with Image.open(BytesIO(file), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise RequestError(
                    400, f"the picture has {image.width}x{image.height} pixels, {MOST_PIXELS} are the most"
                )
            return rgb(image)
    except _BROKEN as error:
        reason = "it is none" if isinstance(error, UnidentifiedImageError) else _one_line(str(error))
        raise RequestError(400, f"the picture cannot be read ({reason}): send a whole PNG, JPEG or WebP file") from None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]

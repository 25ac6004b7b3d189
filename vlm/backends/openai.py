"""Any OpenAI-compatible server behind the Model protocol: `agent serve`, vLLM, SGLang, llama.cpp, `transformers serve`.

Servers shrink pictures by limits of their own, and a model writes places in the picture it was shown. So a picture is
sent at the size that the dialect's limits give it, which a server whose limits are as wide leaves alone.
"""

import base64
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import httpx
from PIL import Image
from pydantic import BaseModel, Field, ValidationError

from action_space.dialects.choose import dialect_for
from action_space.errors import ConfigError, ModelError
from action_space.geometry import Size, smart_resize
from action_space.messages import Clip, Message, Part
from vlm.backends.base import Hear, Reply
from vlm.backends.remote import BLIND, KEYS, TOO_LONG, Server, StatusError, one_line

_ADDRESS = re.compile(r"(?P<name>.+?)@(?P<url>https?://\S+)")
_MIN_PIXELS, _MAX_PIXELS = 3136, 12845056
_SCHEMA = re.compile(r"\s*start: %json (\{.*\})\s*", re.DOTALL)


class _Card(BaseModel):
    """A model in a server's list. root: of vLLM, where it was loaded from. clickwright: of `agent serve`."""

    id: str
    owned_by: str = ""
    root: str | None = None
    clickwright: dict[str, object] = {}


class _Cards(BaseModel):
    data: list[_Card]


class _Cached(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAIModel:
    """A model on a server. `dialect` is the one that the server states, or that the model's name tells."""

    def __init__(self, name: str, server: Server) -> None:
        """Raises ModelError if the server cannot be reached."""
        self.name = f"openai:{name}"
        self._asked, self._server = name, server
        self._cards = _list(server)
        card = next((card for card in self._cards if card.id == name), _Card(id=name))
        self._kind = self._cards[0].owned_by if self._cards else ""
        stated = {"clickwright": card.clickwright, "_name_or_path": card.root}
        self.dialect = dialect_for(name, stated) or "computer_use"
        self.constrained = False
        self.looks = 0

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        constraint: str | None = None,
        max_new_tokens: int = 256,
        attempt: int = 0,
        heard: Hear | None = None,
    ) -> Reply:
        """See `vlm.backends.base.Model`; videos are refused. All of the time counts as `decode_s`."""
        limits = min_pixels or _MIN_PIXELS, max_pixels or _MAX_PIXELS
        body: dict[str, object] = {
            "model": self._asked,
            "messages": [_message(message, *limits) for message in messages],
            "max_tokens": max_new_tokens,
            **({"temperature": 1, "top_p": 1, "seed": attempt} if attempt else {"temperature": 0}),
            **(_constraint_fields(constraint, self._kind) if constraint is not None else {}),
        }
        started = time.perf_counter()
        try:
            answer = self._server.ask("/chat/completions", body)
        except StatusError as refusal:
            raise ModelError(self._explain(refusal, pictures=_has_pictures(messages))) from None
        reply = self._reply(answer, time.perf_counter() - started)
        if heard is not None:
            heard(reply.text)
        return reply

    def _reply(self, answer: object, seconds: float) -> Reply:
        try:
            said = _Completion.model_validate(answer)
        except ValidationError:
            shown = one_line(json.dumps(answer))[:200]
            raise ModelError(f"{self._server.url} answered with {shown}, which is no chat completion") from None
        choice, usage = said.choices[0], said.usage or _Usage()
        if not choice.message.content:
            raise ModelError(
                f"{self._asked!r} at {self._server.url} said nothing (finish_reason {choice.finish_reason!r}, "
                f"{usage.completion_tokens} tokens): a model that thinks first needs a server that shows its thoughts"
            )
        cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
        return Reply(
            choice.message.content,
            usage.prompt_tokens,
            usage.completion_tokens,
            decode_s=seconds,
            cached_tokens=cached or 0,
            finished=choice.finish_reason != "length",
        )

    def _explain(self, refusal: StatusError, *, pictures: bool) -> str:
        """What to do about an error, in one line."""
        where, said = self._server.url, refusal.said
        if refusal.status == 404:
            return self._explain_missing(said)
        if pictures and BLIND.search(said):
            return f"{self._asked!r} at {where} cannot see pictures ({said}): serve it with its vision part"
        if TOO_LONG.search(said):
            return f"the prompt is too long for {self._asked!r} ({said}): show fewer screenshots or a shorter task"
        if refusal.status == 413:
            return f"{where} takes no request as large as this ({said}): show fewer or smaller screenshots"
        if refusal.status == 429:
            return f"{where} is busy ({said}): ask again later, or with fewer workers"
        return str(refusal)

    def _explain_missing(self, said: str) -> str:
        known = [card.id for card in self._cards]
        if not known or self._asked in known:
            return f"nothing is at {self._server.url}/chat/completions ({said}): does the address end in /v1?"
        return f"{self._server.url} has no model {self._asked!r} ({said}): it has {', '.join(map(repr, known[:10]))}"


def load_openai(address: str, *, transport: httpx.BaseTransport | None = None) -> OpenAIModel:
    """For the SPEC `openai:NAME@http://host:port/v1`. Raises ConfigError, ModelError."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigError(f"{address!r} is no model on a server: give one as in 'openai:NAME@http://127.0.0.1:8000/v1'")
    url = found["url"]
    try:
        userinfo = httpx.URL(url).userinfo
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url!r} is no address: {error}") from None
    if userinfo:
        raise ConfigError(f"the address of {found['name']!r} holds a name or a password: set {KEYS[0]} instead")
    return OpenAIModel(found["name"], Server(url, key=_key(), transport=transport))


def _key() -> str:
    name = next((name for name in KEYS if os.environ.get(name)), None)
    key = os.environ[name].strip() if name else ""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{name} holds characters that no key has: set it again")
    return key


def _list(server: Server) -> list[_Card]:
    """The models of a server, none if it has no list. Raises ModelError if it is not there or wants another key."""
    try:
        # A server that is up answers this at once, one that is not should be told soon.
        found = server.ask("/models", patience=replace(server.patience, tries=2, timeout_s=30.0))
        return _Cards.model_validate(found).data
    except (ValidationError, StatusError):
        return []


# ------------------------------------------------------------------------------------------------- what is sent


def _message(message: Message, min_pixels: int, max_pixels: int) -> dict[str, object]:
    if all(isinstance(part, str) for part in message.content):
        # Not every server takes a list from a system message.
        return {"role": message.role, "content": "".join(part for part in message.content if isinstance(part, str))}
    return {"role": message.role, "content": [_part(part, min_pixels, max_pixels) for part in message.content]}


def _part(part: Part, min_pixels: int, max_pixels: int) -> dict[str, object]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, Clip):
        raise ModelError("videos are not sent to a server: load the checkpoint itself, as in --model DIR")
    return {"type": "image_url", "image_url": {"url": _data_url(part, min_pixels, max_pixels)}}


def _data_url(picture: Image.Image, min_pixels: int, max_pixels: int) -> str:
    try:
        size = smart_resize(Size(*picture.size), min_pixels=min_pixels, max_pixels=max_pixels)
    except ValueError as error:
        raise ModelError(str(error)) from None
    shown = picture.convert("RGB")
    if picture.size != (size.width, size.height):
        shown = shown.resize((size.width, size.height), Image.Resampling.BICUBIC)
    file = BytesIO()
    # Loopback and local networks are faster than a better compression.
    shown.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _has_pictures(messages: Sequence[Message]) -> bool:
    return any(not isinstance(part, str) for message in messages for part in message.content)


def _constraint_fields(grammar: str, kind: str) -> dict[str, object]:
    """How the kind of server, which its list of models tells, is given a grammar; a JSON schema all of them know."""
    schema = _SCHEMA.fullmatch(grammar)
    if schema is not None:
        wanted = {"name": "reply", "strict": True, "schema": json.loads(schema[1])}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    match kind:
        case "vllm" | "clickwright":
            return {"structured_outputs": {"grammar": grammar}}
        case "sglang":
            return {"ebnf": f"%llguidance {{}}\n{grammar}"}
        case "llamacpp":
            return {"grammar": f"%llguidance {{}}\n{grammar}"}
        case _:
            raise ModelError(f"it is not known how a server of {kind!r} is given a grammar: leave out --constrained")

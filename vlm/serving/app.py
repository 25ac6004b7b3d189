"""The server: /v1/models and /v1/chat/completions over any model."""

import asyncio
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from action_space.errors import ModelError
from vlm.backends.base import Hear, Model, Reply
from vlm.serving.line import FullError, Job, LeftError, Line
from vlm.serving.wire import ChatRequest, RequestError, question_of, read_request

BODY_LIMIT = 64 * 2**20
"""Bytes of a request."""
_NOBODY = 499
"""Status of answers that no client is left for."""
_READ_AND_DROPPED = 16
"""So many times the limit is read before the connection is closed: who is cut off while sending sees no error text."""


def build_app(model: Model, dialect: str, *, key: str = "", places: int = 8, body_limit: int = BODY_LIMIT) -> FastAPI:
    """An application for uvicorn. dialect: how clients had best ask. key: "" for none. places: how many may wait."""
    service = Service(model, dialect, key, Line(places), body_limit)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.line.close()

    # Its pages on the API would load scripts from elsewhere, and say less than docs/serving.md.
    app = FastAPI(title="Clickwright", openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(RequestError, _tell_request_error)
    app.add_exception_handler(HTTPException, _tell_http_exception)
    app.add_exception_handler(ClientDisconnect, _tell_nobody)
    app.add_exception_handler(Exception, _tell_failure)
    app.add_api_route("/health", service.health, methods=["GET"], response_model=None)
    app.add_api_route("/v1/models", service.models, methods=["GET"], response_model=None)
    app.add_api_route("/v1/chat/completions", service.complete, methods=["POST"], response_model=None)
    return app


@dataclass(frozen=True, slots=True)
class Service:
    """What the addresses do."""

    model: Model
    dialect: str
    key: str
    line: Line
    body_limit: int
    started: int = field(default_factory=lambda: int(time.time()))
    watching: set[asyncio.Task[None]] = field(default_factory=set)

    async def health(self) -> dict[str, object]:
        return {"status": "ok", "requests": self.line.inside}

    async def models(self, http: Request) -> dict[str, object]:
        self._require_key(http)
        card = {"id": self.model.name, "object": "model", "created": self.started, "owned_by": "clickwright"}
        return {"object": "list", "data": [{**card, "clickwright": {"dialect": self.dialect}}]}

    async def complete(self, http: Request) -> Response:
        self._require_key(http)
        asked = read_request(await self._body(http))
        self._require_model(asked)
        job = self._enter(asked)
        watch = asyncio.create_task(_leave_with(http, job))
        self.watching.add(watch)
        watch.add_done_callback(self.watching.discard)
        try:
            if not asked.stream:
                return JSONResponse(_completion(self.model.name, await _reply(job)))
            # The status is sent with the first piece, so that what fails before is an error and not a broken stream.
            first = await job.next_piece()
            if first is None:
                await _reply(job)
        except LeftError:
            return Response(status_code=_NOBODY)
        events = _events(self.model.name, asked, job, first)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    def _enter(self, asked: ChatRequest) -> Job:
        def work(hear: Hear) -> Reply:
            # Pictures are unpacked here too: only for one request at a time is there memory for them.
            question = question_of(asked)
            hear("")
            return self.model.generate(
                question.messages,
                constraint=question.constraint,
                max_new_tokens=question.max_new_tokens,
                attempt=question.attempt,
                heard=hear,
            )

        try:
            return self.line.enter(work)
        except FullError as full:
            text = f"the server is busy: {full}, try again in {full.retry_after_s} s"
            raise RequestError(429, text, code="queue_full", retry_after_s=full.retry_after_s) from None

    def _require_key(self, http: Request) -> None:
        given = http.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self.key and not hmac.compare_digest(given.encode(), self.key.encode()):
            raise RequestError(
                401, "the key is missing or wrong: send 'Authorization: Bearer KEY'", code="invalid_api_key"
            )

    def _require_model(self, asked: ChatRequest) -> None:
        if asked.model not in (None, self.model.name):
            text = f"there is no model {asked.model!r} here: ask for {self.model.name!r}"
            raise RequestError(404, text, code="model_not_found")

    async def _body(self, http: Request) -> bytes:
        """Raises RequestError for one that is too large, or not said to be JSON: a web page may send other types to any
        address, this one only where it is allowed to."""
        kept, total = bytearray(), 0
        async for chunk in http.stream():
            total += len(chunk)
            if total <= self.body_limit:
                kept += chunk
            else:
                kept.clear()
            if total > _READ_AND_DROPPED * self.body_limit:
                break
        if total > self.body_limit:
            raise RequestError(
                413, f"the request is larger than {self.body_limit} bytes: send fewer or smaller pictures"
            )
        kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RequestError(415, f"the content type is {kind!r}: send 'application/json'")
        return bytes(kept)


async def _leave_with(http: Request, job: Job) -> None:
    """Ends the job with its connection. When an answer is complete, servers report a disconnection as well."""
    while (await http.receive())["type"] != "http.disconnect":
        pass
    job.leave()


async def _reply(job: Job) -> Reply:
    """Raises RequestError for a question that the model refuses."""
    try:
        return await job.reply()
    except ModelError as error:
        raise RequestError(400, " ".join(str(error).split())) from None


# --------------------------------------------------------------------------------------------------- what is answered


def _completion(name: str, reply: Reply) -> dict[str, object]:
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
    return {**_head(name, "chat.completion"), "choices": [choice], "usage": _usage(reply)}


async def _events(name: str, asked: ChatRequest, job: Job, first: str | None) -> AsyncIterator[str]:
    """Server-sent events: the role, the pieces, how it ended, the costs if asked for, and that it is done."""
    head, piece = _head(name, "chat.completion.chunk"), first
    yield _event({**head, "choices": [_delta({"role": "assistant", "content": ""})]})
    while piece is not None:
        yield _event({**head, "choices": [_delta({"content": piece})]})
        piece = await job.next_piece()
    try:
        reply = await _reply(job)
    except RequestError as error:
        yield _event(_error_body(error.status, str(error), error.code))
    except LeftError:
        return
    else:
        yield _event({**head, "choices": [_delta({}, _finish(reply))]})
        if asked.stream_options is not None and asked.stream_options.include_usage:
            yield _event({**head, "choices": [], "usage": _usage(reply)})
    yield "data: [DONE]\n\n"


def _head(name: str, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": name}


def _delta(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}


def _event(value: dict[str, object]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _finish(reply: Reply) -> str:
    return "stop" if reply.finished else "length"


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.tokens_in,
        "completion_tokens": reply.tokens_out,
        "total_tokens": reply.tokens_in + reply.tokens_out,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


# --------------------------------------------------------------------------------------------------- what goes wrong


def _error_body(status: int, text: str, code: str | None = None) -> dict[str, object]:
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


async def _tell_request_error(_http: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return JSONResponse(_error_body(error.status, str(error), error.code), error.status, headers)


async def _tell_http_exception(http: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = f"{http.method} {http.url.path}: {error.detail}; there are GET /v1/models and POST /v1/chat/completions"
    return JSONResponse(_error_body(error.status_code, text), error.status_code, error.headers)


async def _tell_nobody(_http: Request, _error: Exception) -> Response:
    return Response(status_code=_NOBODY)


async def _tell_failure(_http: Request, _error: Exception) -> Response:
    # uvicorn logs the error and closes the connection; a client that is not told may send its next request into it.
    return JSONResponse(_error_body(500, "the server failed: its log says why"), 500, {"Connection": "close"})

"""`agent serve`'s application on a real port: answers, streams, refusals, a full line, and clients that go away."""

import base64
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from live import serving
from random_checkpoint import write

import vlm
from action_space.errors import ModelError
from action_space.messages import Message
from vlm.backends.base import Hear, Reply
from vlm.backends.engine import Engine
from vlm.backends.openai import OpenAIModel
from vlm.backends.remote import Patience, Server
from vlm.backends.scripted import ScriptedModel, ScriptLine
from vlm.serving.app import BODY_LIMIT
from vlm.serving.wire import RequestError, question_of, read_request

SCREEN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (84, 140, 3), dtype=np.uint8))
HTTP = httpx.Client(timeout=60, trust_env=False)
"""One for all tests: making a client takes longer than most of them."""
WORDS = {"role": "user", "content": "Click OK"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return vlm.load(write(tmp_path_factory.mktemp("served") / "tiny"), dtype="float32")


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with serving(engine, engine.dialect) as url:
        yield url


def client(url: str, name: str = "tiny", key: str = "") -> OpenAIModel:
    return OpenAIModel(name, Server(f"{url}/v1", key=key, patience=Patience(tries=1, timeout_s=60)))


def ask(url: str, **body: object) -> httpx.Response:
    body = {"messages": [WORDS], "max_tokens": 8, **body}
    return HTTP.post(f"{url}/v1/chat/completions", json=body)


def refusal(answer: httpx.Response, status: int = 400) -> str:
    """The one line of an error in OpenAI's form."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    text = str(error["message"])
    assert text and "\n" not in text
    return text


def data_url(picture: Image.Image, form: str = "PNG") -> str:
    file = BytesIO()
    picture.save(file, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def showing(url: str) -> list[object]:
    return [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]}
    ]


# Answers


def test_our_client_hears_what_the_model_says(engine: Engine, url: str) -> None:
    messages = [Message("system", ("GUI",)), Message("user", ("Click the button that is called OK " * 2, SCREEN))]
    model = client(url)
    assert model.dialect == engine.dialect == "compact"
    for attempt in (0, 1, 2):
        there, here = (m.generate(messages, max_new_tokens=12, attempt=attempt) for m in (model, engine))
        assert (there.text, there.tokens_in, there.tokens_out) == (here.text, here.tokens_in, here.tokens_out)
        assert not there.finished
    assert there.cached_tokens > 0, "what was computed for the question before is used"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_in_every_form(url: str, form: str) -> None:
    plain, shown = ask(url), ask(url, messages=showing(data_url(SCREEN, form)))
    assert shown.status_code == 200, shown.text
    more = shown.json()["usage"]["prompt_tokens"] - plain.json()["usage"]["prompt_tokens"]
    assert more == 5 * 3 + 2 + len("?") - len("Click OK")


def events(url: str, **body: object) -> list[dict[str, object]]:
    answer = ask(url, stream=True, **body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_a_stream_says_the_same(url: str) -> None:
    whole = ask(url).json()
    found = events(url, stream_options={"include_usage": True})
    deltas = [event["choices"][0] for event in found[:-1]]  # type: ignore[index]
    assert deltas[0]["delta"] == {"role": "assistant", "content": ""}
    said = [choice["delta"]["content"] for choice in deltas[:-1]]
    assert "".join(said) == whole["choices"][0]["message"]["content"]
    assert len(said) > 4, "it came in pieces"
    assert deltas[-1]["finish_reason"] == whole["choices"][0]["finish_reason"] == "length"
    usage = found[-1]["usage"]
    assert usage["completion_tokens"] == whole["usage"]["completion_tokens"] == 8  # type: ignore[index]
    assert len({event["id"] for event in found}) == 1
    assert "usage" not in events(url)[-1], "nobody asked"


def test_temperature_and_seed_draw(url: str) -> None:
    def said(**body: object) -> str:
        return str(ask(url, max_tokens=16, **body).json()["choices"][0]["message"]["content"])

    assert said() == said(temperature=0, seed=5)
    assert said(temperature=1, seed=5) == said(temperature=0.7, seed=5) != said()
    assert len({said(temperature=1, seed=seed) for seed in (0, -1, 10**30, 7)}) == 4
    assert len({said(temperature=1) for _ in range(3)}) > 1


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        ({"structured_outputs": {"regex": "click\\([0-9]{3}, [0-9]{3}\\)"}}, r"click\(\d{3}, \d{3}\)"),
        ({"guided_regex": "yes|no"}, "yes|no"),
        ({"structured_outputs": {"grammar": 'start: "a" /[bc]/'}}, "a[bc]"),
        ({"structured_outputs": {"json": {"enum": ["left", "right"]}}}, '"(left|right)"'),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": 7}}}},
            "7",
        ),
    ],
)
def test_a_constraint_is_kept(url: str, body: dict[str, object], pattern: str) -> None:
    answer = ask(url, max_tokens=40, temperature=1, seed=1, **body)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert re.fullmatch(pattern, choice["message"]["content"]) and choice["finish_reason"] == "stop"


def test_a_stream_keeps_its_constraint(url: str) -> None:
    found = events(url, guided_regex="click\\([0-9]{3}, [0-9]{3}\\)", max_tokens=40, temperature=1, seed=1)
    deltas = [event["choices"][0] for event in found]  # type: ignore[index]
    said = [choice["delta"]["content"] for choice in deltas[1:-1]]
    assert re.fullmatch(r"click\(\d{3}, \d{3}\)", "".join(said)) and deltas[-1]["finish_reason"] == "stop"
    assert said[0] == "click(" and len(said) > 4, "what is forced comes at once, the rest as it is said"


def test_our_clients_constraint_is_kept(url: str) -> None:
    model = client(url)
    assert model.generate([Message("user", ("x",))], constraint='start: "click(" /[0-9]/ ")"').text[:-2] == "click("
    assert model.generate([Message("user", ("x",))], constraint='start: %json {"const": "a"}').text == '"a"'


def test_what_there_is(url: str) -> None:
    found = HTTP.get(f"{url}/v1/models").json()
    assert [(card["id"], card["owned_by"]) for card in found["data"]] == [("tiny", "clickwright")]
    assert HTTP.get(f"{url}/health").json() == {"status": "ok", "requests": 0}


# Refusals

NEEDS_ITSELF = {
    "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}},
    "$ref": "#/$defs/a",
}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": []}, "messages: Tuple should have at least 1 item"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "'text', 'image_url'"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"n": 2}, "n: Input should be 1"),
        ({"tools": [{}]}, "'tools' is not supported here"),
        ({"stop": ["\n"]}, "'stop' is not supported here"),
        ({"guided_choice": ["a", "b"]}, "'guided_choice' is not supported here"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"structured_outputs": {"choice": ["a"]}}, "structured_outputs.choice"),
        ({"guided_regex": "a", "response_format": {"type": "json_object"}}, "two ways at once"),
        ({"guided_regex": "("}, "the grammar cannot be followed"),
        ({"structured_outputs": {"json": {"type": "integer", "minimum": 9, "maximum": 2}}}, "Unsatisfiable schema"),
        ({"structured_outputs": {"json": NEEDS_ITSELF}}, "the grammar cannot be followed to its end"),
        ({"structured_outputs": {"grammar": "start: nothing"}}, "the grammar cannot be followed"),
        ({"max_tokens": 2048}, "the model's context is 2048"),
        ({"messages": [{"role": "user", "content": "x" * 3000}]}, "the prompt has 30"),
        ({"messages": showing("http://example.org/cat.png")}, "not fetched: 'http://example.org/cat.png'"),
        ({"messages": showing("file:///etc/passwd")}, "not fetched"),
        ({"messages": showing("data:image/png,abc")}, "not in base64"),
        ({"messages": showing("data:image/png;base64,a*b")}, "base64 cannot be read"),
        ({"messages": showing("data:image/png;base64,aGVsbG8=")}, "(it is none)"),
        ({"messages": showing(data_url(SCREEN)[:2002])}, "the picture cannot be read"),
        ({"messages": showing(data_url(Image.new("RGB", (3, 900))))}, "aspect ratio"),
        ({"messages": showing(data_url(Image.new("1", (8000, 8000))))}, "8000x8000 pixels"),
        ({"messages": showing(data_url(SCREEN, "GIF"))}, "(it is none)"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(url: str, body: dict[str, object], text: str) -> None:
    assert text in refusal(ask(url, **body))
    assert text in refusal(ask(url, stream=True, **body)), "an error, and no broken stream"


def test_other_wrong_requests(url: str) -> None:
    address = f"{url}/v1/chat/completions"
    assert "no model 'gpt' here: ask for 'tiny'" in refusal(ask(url, model="gpt"), 404)
    assert "POST /v1/chat/completions" in refusal(HTTP.get(f"{url}/v1/completions"), 404)
    assert "Method Not Allowed" in refusal(HTTP.get(address), 405)
    assert "application/json" in refusal(HTTP.post(address, content=b"{}", headers={"content-type": "text/plain"}), 415)
    for broken in (b"", b"{", b"[]", b"\xff", b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b"[" * 10_000):
        refusal(HTTP.post(address, content=broken, headers={"content-type": "application/json"}))
    assert ask(url).status_code == 200


def test_our_client_tells_the_servers_reasons(url: str) -> None:
    with pytest.raises(ModelError, match=r"has no model 'other' .*: it has 'tiny'"):
        client(url, "other").generate([Message("user", ("x",))])
    with pytest.raises(ModelError, match="the prompt is too long for 'tiny'"):
        client(url).generate([Message("user", ("x" * 3000,))])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_mb(url: str, chunked: bool) -> None:
    body = bytes(100_000_000)
    content: object = (body[at : at + 2**20] for at in range(0, len(body), 2**20)) if chunked else body
    headers = {"content-type": "application/json"}
    answer = HTTP.post(f"{url}/v1/chat/completions", content=content, headers=headers)  # type: ignore[arg-type]
    assert f"larger than {BODY_LIMIT} bytes" in refusal(answer, 413)
    assert ask(url).status_code == 200


def test_a_key() -> None:
    model = ScriptedModel(["hello"])
    with serving(model, key="open sesame") as url:
        for headers in ({}, {"authorization": "Bearer open"}, {"authorization": "Bearer \xfc"}):
            answer = HTTP.get(f"{url}/v1/models", headers={k: v.encode("latin-1") for k, v in headers.items()})
            assert "key is missing or wrong" in refusal(answer, 401)
            assert refusal(ask(url), 401)
        with pytest.raises(ModelError, match="set CLICKWRIGHT_API_KEY or OPENAI_API_KEY"):
            client(url, "scripted", key="wrong")
        assert client(url, "scripted", key="open sesame").generate([Message("user", ("hi",))]).text == "hello"
    assert len(model.asked) == 1


def test_costs_of_a_scripted_model_and_its_end() -> None:
    with serving(ScriptedModel([ScriptLine(text="zwölf", tokens_in=5, tokens_out=2)])) as url:
        assert [e["choices"][0]["delta"].get("content") for e in events(url)] == ["", "zwölf", None]  # type: ignore[index]
        assert "no reply left after 1" in refusal(ask(url))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
CONTENT = st.one_of(
    JSON,
    st.lists(
        st.one_of(
            JSON,
            st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=9) | JSON}),
            st.fixed_dictionaries(
                {
                    "type": st.just("image_url"),
                    "image_url": st.one_of(
                        JSON,
                        st.builds(lambda data: {"url": data_url(SCREEN)[: 22 + data]}, st.integers(0, 4000)),
                        st.builds(
                            lambda data: {"url": "data:image/png;base64," + base64.b64encode(data).decode()},
                            st.binary(max_size=60),
                        ),
                    ),
                }
            ),
        ),
        max_size=3,
    ),
)
TURN = st.one_of(
    JSON, st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": CONTENT})
)
REQUEST = st.fixed_dictionaries(
    {"messages": st.lists(TURN, max_size=3) | JSON},
    optional={
        **dict.fromkeys(("temperature", "max_tokens", "seed", "stream", "n", "stop", "stream_options", "model"), JSON),
        "response_format": JSON | st.fixed_dictionaries({"type": st.sampled_from(["text", "json_schema"])}),
        "structured_outputs": JSON | st.fixed_dictionaries({"regex": st.text(max_size=5)}),
    },
)


class Parrot:
    """Says what it was told last, so that a server can be asked anything without end."""

    name = "parrot"

    def generate(self, messages: Sequence[Message], *, heard: Hear | None = None, **_: object) -> Reply:
        reply = Reply("".join(part for part in messages[-1].content if isinstance(part, str)))
        if heard is not None:
            heard(reply.text)
        return reply


@pytest.fixture(scope="module")
def parrot_url() -> Iterator[str]:
    with serving(Parrot(), body_limit=20_000) as url:
        yield url


@given(REQUEST | JSON)
def test_a_request_is_a_question_or_one_line(body: object) -> None:
    try:
        question_of(read_request(json.dumps(body).encode()))
    except RequestError as error:
        assert error.status == 400 and "\n" not in str(error)


@settings(max_examples=25)
@given(REQUEST | JSON)
def test_no_request_breaks_it(parrot_url: str, body: object) -> None:
    headers = {"content-type": "application/json"}
    answer = HTTP.post(f"{parrot_url}/v1/chat/completions", content=json.dumps(body).encode(), headers=headers)
    assert answer.status_code in (200, 400, 404, 413), answer.text
    if answer.status_code != 200:
        refusal(answer, answer.status_code)


# A full line, and clients that go away


class Slow:
    """Works until it is let go or nobody listens; tells what happens to it."""

    name = "slow"

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.asked: list[str] = []
        self.ended: list[str] = []

    def generate(self, messages: Sequence[Message], *, heard: Hear | None = None, **_: object) -> Reply:
        assert heard is not None
        text = str(messages[-1].content[0])
        self.asked.append(text)
        try:
            heard("well, ")
            self.begun.release()
            while not self.go.wait(0.005):
                heard("")
            heard(text)
        finally:
            self.ended.append(text)
        return Reply(f"well, {text}")


@pytest.fixture
def slow() -> Slow:
    return Slow()


def raw_request(url: str, text: str, *, stream: bool = False) -> socket.socket:
    """A connection on which a question was asked."""
    body = json.dumps({"messages": [{"role": "user", "content": text}], "stream": stream}).encode()
    connection = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def read_until(connection: socket.socket, text: str) -> str:
    connection.settimeout(20)
    seen = b""
    while text.encode() not in seen:
        more = connection.recv(65536)
        assert more, f"the server closed after {seen!r}"
        seen += more
    return seen.decode()


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.005)


def inside(url: str) -> int:
    return int(HTTP.get(f"{url}/health").json()["requests"])


def test_a_full_line_is_told_to_come_later(slow: Slow) -> None:
    with serving(slow, places=1) as url:
        running = raw_request(url, "one")
        assert slow.begun.acquire(timeout=20)
        waiting = raw_request(url, "two")
        until(lambda: inside(url) == 2)
        answer = ask(url, max_tokens=1)
        assert "the server is busy: its queue of 1 is full" in refusal(answer, 429)
        assert int(answer.headers["retry-after"]) >= 1
        slow.go.set()
        for connection, text in ((running, "one"), (waiting, "two")):
            read_until(connection, f"well, {text}")
            connection.close()
        until(lambda: inside(url) == 0)
        assert ask(url).status_code == 200
    assert slow.asked == ["one", "two", "Click OK"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_is_not_worked_for(slow: Slow, stream: bool) -> None:
    with serving(slow) as url:
        running = raw_request(url, "one", stream=stream)
        assert slow.begun.acquire(timeout=20)
        waiting = raw_request(url, "two", stream=stream)
        until(lambda: inside(url) == 2)
        waiting.close()
        until(lambda: inside(url) == 1)
        assert slow.ended == []
        running.close()
        until(lambda: slow.ended == ["one"])
        slow.go.set()
        assert ask(url).json()["choices"][0]["message"]["content"] == "well, Click OK"
    assert slow.asked == ["one", "Click OK"]


def test_a_stream_comes_while_it_is_said(slow: Slow) -> None:
    with serving(slow) as url:
        connection = raw_request(url, "one", stream=True)
        assert "[DONE]" not in read_until(connection, "well, ") and slow.ended == []
        slow.go.set()
        read_until(connection, "[DONE]")
        connection.close()


def test_a_client_that_leaves_in_the_middle_of_its_request(url: str) -> None:
    connection = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    connection.close()
    assert ask(url).status_code == 200


def test_the_engine_stops_for_a_client_that_left(engine: Engine, url: str) -> None:
    said = engine.generate([Message("user", ("Click OK",))], max_new_tokens=8).text
    with HTTP.stream(
        "POST",
        f"{url}/v1/chat/completions",
        json={"messages": [WORDS], "max_tokens": 1900, "stream": True},
    ) as answer:
        next(answer.iter_bytes(64))
    until(lambda: inside(url) == 0)
    assert ask(url).json()["choices"][0]["message"]["content"] == said


def test_the_server_ends_with_work_to_do(slow: Slow) -> None:
    with serving(slow) as url:
        connections = [raw_request(url, text) for text in ("one", "two")]
        assert slow.begun.acquire(timeout=20)
    assert slow.ended == ["one"]
    for connection in connections:
        connection.close()


def test_a_failure_is_one_line_and_the_server_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    parrot = Parrot()
    with serving(parrot) as url:
        with monkeypatch.context() as patch:
            patch.setattr(Parrot, "generate", lambda *_, **__: 1 / 0)
            answer = ask(url)
            assert refusal(answer, 500) == "the server failed: its log says why"
            assert answer.headers["connection"] == "close"
        assert ask(url).status_code == 200

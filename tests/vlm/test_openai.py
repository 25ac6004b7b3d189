"""The client of OpenAI-compatible servers: what it sends, when it asks again, and what it says when nothing helps."""

import base64
import json
import time
from collections.abc import Callable, Iterable
from io import BytesIO

import httpx
import pytest
from PIL import Image

from action_space.errors import ConfigError, ModelError
from action_space.messages import Clip, Message
from vlm.backends.openai import OpenAIModel, load_openai
from vlm.backends.remote import Patience, Server

URL = "http://model.test:8000/v1"
LIST = {"object": "list", "data": [{"id": "qwen", "object": "model", "owned_by": "vllm"}]}
ASKED = [Message("user", ("what now?",))]
SHOWN = [Message("user", ("where? ", Image.new("RGB", (100, 100), "red")))]


def said(text: str | None = "click", finish: str = "stop", **more: object) -> dict[str, object]:
    usage = {"prompt_tokens": 30, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 7}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"object": "chat.completion", "choices": [choice], "usage": usage, **more}


Answer = httpx.Response | type[httpx.RequestError]


def ok(body: object = None) -> httpx.Response:
    return httpx.Response(200, json=said() if body is None else body)


def error(status: int, text: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": text, "code": status}}, headers=headers)


class Fake:
    """A server that gives its answers in order, the last one for ever, and keeps what it was asked and how long the
    client waited in between."""

    def __init__(self, *answers: Answer, models: object = LIST) -> None:
        self.answers, self.models = list(answers), models
        self.bodies: list[dict[str, object]] = []
        self.headers: list[httpx.Headers] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.headers.append(request.headers)
        if request.url.path.endswith("/models"):
            return self.models if isinstance(self.models, httpx.Response) else httpx.Response(200, json=self.models)
        assert request.url.path == "/v1/chat/completions"
        self.bodies.append(json.loads(request.content))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("it broke", request=request)

    def model(self, name: str = "qwen", *, key: str = "", patience: Patience | None = None) -> OpenAIModel:
        server = Server(
            URL,
            key=key,
            patience=patience or Patience(),
            transport=httpx.MockTransport(self),
            pause=self.pauses.append,
        )
        return OpenAIModel(name, server)

    def trouble(self, messages: Iterable[Message] = ASKED) -> str:
        """The one line with which a question ends."""
        with pytest.raises(ModelError) as caught:
            self.model().generate(list(messages))
        text = str(caught.value)
        assert "\n" not in text and len(text) < 600
        assert type(caught.value) is ModelError
        return text


# What is sent and read


def test_a_question_and_its_answer() -> None:
    fake = Fake(ok())
    pieces: list[str] = []
    reply = fake.model(key="secret").generate(
        [Message("system", ("GUI",)), *ASKED], max_new_tokens=9, heard=pieces.append
    )
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.cached_tokens) == ("click", 30, 2, 7)
    assert reply.finished and reply.decode_s > 0
    assert pieces == ["click"]
    assert fake.bodies == [
        {
            "model": "qwen",
            "messages": [{"role": "system", "content": "GUI"}, {"role": "user", "content": "what now?"}],
            "max_tokens": 9,
            "temperature": 0,
        }
    ]
    assert fake.headers[-1]["authorization"] == "Bearer secret"


def test_without_a_key_none_is_sent() -> None:
    fake = Fake(ok())
    fake.model().generate(ASKED)
    assert len(fake.headers) == 2 and not any("authorization" in headers for headers in fake.headers)


def test_further_attempts_are_drawn_with_their_own_seed() -> None:
    fake = Fake(ok())
    fake.model().generate(ASKED, attempt=3)
    assert (fake.bodies[0]["temperature"], fake.bodies[0]["seed"]) == (1, 3)


def test_a_cut_reply_says_so() -> None:
    assert not Fake(ok(said(finish="length"))).model().generate(ASKED).finished


def sent_picture(fake: Fake) -> Image.Image:
    content = fake.bodies[-1]["messages"][0]["content"]  # type: ignore[index]
    assert [part["type"] for part in content] == ["text", "image_url"]
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize(
    ("size", "limits", "sent"),
    [
        ((280, 140), {}, (280, 140)),
        ((1280, 720), {}, (1288, 728)),
        ((1280, 720), {"max_pixels": 100 * 784}, (364, 196)),
        ((28, 28), {"min_pixels": 16 * 784}, (112, 112)),
    ],
)
def test_a_picture_is_sent_as_the_dialects_limits_show_it(
    size: tuple[int, int], limits: dict[str, int], sent: tuple[int, int]
) -> None:
    fake = Fake(ok())
    picture = Image.effect_noise(size, 80).convert("RGB")
    fake.model().generate([Message("user", ("where? ", picture))], **limits)  # type: ignore[arg-type]
    assert sent_picture(fake).size == sent
    if size == sent:
        assert sent_picture(fake).tobytes() == picture.tobytes()


def test_pictures_that_cannot_be_sent() -> None:
    fake = Fake(ok())
    with pytest.raises(ModelError, match="videos are not sent"):
        fake.model().generate([Message("user", (Clip((Image.new("RGB", (28, 28)),)),))])
    with pytest.raises(ModelError, match="aspect ratio"):
        fake.model().generate([Message("user", (Image.new("RGB", (1000, 2)),))])
    assert not fake.bodies


@pytest.mark.parametrize(
    ("name", "card", "dialect"),
    [
        ("UI-TARS-1.5-7B", {}, "ui_tars"),
        ("mine", {}, "computer_use"),
        ("mine", {"root": "ByteDance-Seed/UI-TARS-1.5-7B"}, "ui_tars"),
        ("mine", {"clickwright": {"dialect": "compact"}}, "compact"),
    ],
)
def test_the_dialect_is_the_servers_or_the_names(name: str, card: dict[str, object], dialect: str) -> None:
    models = {"data": [{"id": "other", "clickwright": {"dialect": "fara"}}, {"id": name, **card}]}
    model = Fake(ok(), models=models).model(name)
    assert (model.dialect, model.name) == (dialect, f"openai:{name}")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("vllm", "structured_outputs", {"grammar": 'start: "a"'}),
        ("clickwright", "structured_outputs", {"grammar": 'start: "a"'}),
        ("sglang", "ebnf", '%llguidance {}\nstart: "a"'),
        ("llamacpp", "grammar", '%llguidance {}\nstart: "a"'),
    ],
)
def test_each_kind_of_server_is_given_a_grammar_its_own_way(kind: str, field: str, value: object) -> None:
    fake = Fake(ok(), models={"data": [{"id": "qwen", "owned_by": kind}]})
    fake.model().generate(ASKED, constraint='start: "a"')
    assert fake.bodies[0][field] == value


def test_a_schema_every_server_understands_and_a_grammar_not() -> None:
    fake = Fake(ok(), models={"data": []})
    fake.model().generate(ASKED, constraint='start: %json {"type": "integer"}')
    assert fake.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": {"type": "integer"}},
    }
    with pytest.raises(ModelError, match="leave out --constrained"):
        fake.model().generate(ASKED, constraint='start: "a"')


# When it asks again


@pytest.mark.parametrize(
    "passing", [error(500), error(503), error(429), httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError]
)
def test_what_may_pass_is_asked_again(passing: Answer) -> None:
    fake = Fake(passing, passing, ok())
    assert fake.model().generate(ASKED).text == "click"
    first, second = fake.pauses
    assert 0.25 <= first <= 0.5 <= second <= 1.0
    assert fake.bodies[0] == fake.bodies[2]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422])
def test_what_stays_is_asked_once(status: int) -> None:
    fake = Fake(error(status))
    fake.trouble()
    assert (len(fake.bodies), fake.pauses) == (1, [])


def test_the_tries_are_bounded() -> None:
    fake = Fake(error(500, "out of memory"))
    assert "out of memory" in fake.trouble()
    assert len(fake.bodies) == 5
    assert all(later <= 8 for later in fake.pauses)


@pytest.mark.parametrize("given", ["3", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "-1"])
def test_the_server_says_when_to_come_again(given: str) -> None:
    fake = Fake(httpx.Response(429, headers={"retry-after": given}), ok())
    if given.endswith("GMT"):
        # Longer than anybody would wait.
        assert "is busy" in fake.trouble()
        assert not fake.pauses
    else:
        fake.model().generate(ASKED)
        assert (fake.pauses[0] == 3.0) == (given == "3")


def test_the_time_for_one_question_is_bounded() -> None:
    clock = [0.0]
    fake = Fake(error(503))
    model = fake.model(patience=Patience(tries=1000, timeout_s=0.5, first_pause_s=0.1, longest_pause_s=0.1))

    def pause(seconds: float) -> None:
        clock[0] += seconds
        time.sleep(seconds)

    model._server._pause = pause
    started = time.monotonic()
    with pytest.raises(ModelError, match="answered 503"):
        model.generate(ASKED)
    assert time.monotonic() - started < 5 and 0.2 < clock[0] < 0.6


# What it says when nothing helps


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(
        ModelError, match=r"no server answers at http://127\.0\.0\.1:9/v1 .*start it, or correct"
    ) as end:
        load_openai("qwen@http://127.0.0.1:9/v1")
    assert "\n" not in str(end.value)


@pytest.mark.parametrize(
    ("answer", "messages", "text"),
    [
        (error(401, "Invalid API Key"), ASKED, "refuses the key (Invalid API Key): set CLICKWRIGHT_API_KEY or OPENAI"),
        (error(404, "no such model"), ASKED, "nothing is at"),
        (error(400, "prompt has 9000 tokens, maximum context length is 8192"), ASKED, "prompt is too long for 'qwen'"),
        (error(500, "context size has been exceeded"), ASKED, "show fewer screenshots"),
        (error(500, "image input is not supported - hint: you may need the mmproj"), SHOWN, "cannot see pictures"),
        (error(400, "qwen is not a multimodal model"), SHOWN, "cannot see pictures"),
        (error(400, "At most 0 image(s) may be provided in one prompt."), SHOWN, "cannot see pictures"),
        (error(422, "Input should be a valid string"), SHOWN, "cannot see pictures"),
        (error(413, "too large"), SHOWN, "fewer or smaller screenshots"),
        (error(429, "queue full"), ASKED, "is busy (queue full)"),
        (httpx.Response(400, json={"detail": [{"msg": "x"}]}), ASKED, 'answered 400: [{"msg": "x"}]'),
        (httpx.Response(400, json={"error": "plain"}), ASKED, "answered 400: plain"),
        (httpx.Response(400, text="<h1>Bad\n\x1b[31m</h1>"), ASKED, "answered 400: <h1>Bad [31m</h1>"),
        (httpx.Response(502), ASKED, "answered 502: Bad Gateway"),
        (httpx.Response(307, headers={"location": "/elsewhere"}), ASKED, "sends on to '/elsewhere'"),
        (httpx.Response(200, text="<html>"), ASKED, "'<html>', which is not JSON"),
        (ok({"choices": []}), ASKED, "no chat completion"),
        (ok([1]), ASKED, "no chat completion"),
        (ok(said(None)), ASKED, "said nothing"),
        (ok(said("")), ASKED, "said nothing"),
        (httpx.ReadTimeout, ASKED, "did not answer in time"),
        (httpx.ConnectError, ASKED, "no server answers"),
        (httpx.RemoteProtocolError, ASKED, "the connection to http://model.test:8000/v1 broke"),
    ],
)
def test_every_failure_is_one_line(answer: Answer, messages: list[Message], text: str) -> None:
    assert text in Fake(answer).trouble(messages)


def test_an_unknown_model_is_told_what_there_is() -> None:
    with pytest.raises(ModelError, match=r"has no model 'gpt' .*: it has 'qwen'"):
        Fake(error(404, "model not found")).model("gpt").generate(ASKED)


@pytest.mark.parametrize("models", [error(404), httpx.Response(200, text="hi"), httpx.Response(200, json={"data": 3})])
def test_a_server_without_a_list_of_models(models: httpx.Response) -> None:
    fake = Fake(ok(), models=models)
    if models.text == "hi":
        with pytest.raises(ModelError, match="not JSON"):
            fake.model()
    else:
        assert fake.model().generate(ASKED).text == "click"


def test_a_wrong_key_is_told_at_once() -> None:
    with pytest.raises(ModelError, match="refuses the key"):
        Fake(models=error(401)).model()


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(ok())
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    load_openai(f"qwen@{URL}", transport=httpx.MockTransport(fake))
    monkeypatch.setenv("CLICKWRIGHT_API_KEY", " first ")
    load_openai(f"qwen@{URL}", transport=httpx.MockTransport(fake))
    assert [headers["authorization"] for headers in fake.headers] == ["Bearer second", "Bearer first"]
    monkeypatch.setenv("CLICKWRIGHT_API_KEY", "gehe\N{LATIN SMALL LETTER I WITH DIAERESIS}m")
    with pytest.raises(ConfigError, match="CLICKWRIGHT_API_KEY holds characters") as caught:
        load_openai(f"qwen@{URL}")
    assert "gehe" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "qwen", "qwen@", "@http://x/v1", "qwen@ftp://x/v1", "qwen@http://me:secret@x/v1", "q@http://x:port/v1"],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_openai(address)
    assert "secret" not in str(caught.value)


def test_names_may_hold_slashes_and_colons() -> None:
    asked: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404)

    load: Callable[..., OpenAIModel] = load_openai
    model = load("Qwen/Qwen2.5-VL-7B-Instruct:q4@http://[::1]:1/v1/", transport=httpx.MockTransport(keep))
    assert (model.name, model.dialect) == ("openai:Qwen/Qwen2.5-VL-7B-Instruct:q4", "computer_use")
    assert asked == ["http://[::1]:1/v1/models"]

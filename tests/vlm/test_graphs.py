"""Decoding at fixed shapes says what the ordinary way says. On a GPU the step is recorded, here it is repeated."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from random_checkpoint import write

import vlm
from action_space.messages import Message
from vlm.backends.engine import Engine
from vlm.graphs import DecodeSteps, Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("checkpoint"))


def answers(engine: Engine) -> list[str]:
    """To questions that go on with a conversation, begin another, and outgrow the memory of the first."""
    first = [Message("user", ("Click the button that is called OK, and then wait for the page. " * 2,))]
    further = [*first, Message("assistant", ("done",)), Message("user", ("And now? " * 40,))]
    asked = [first, further, [Message("user", ("Something else",))], first]
    return [engine.generate(messages, max_new_tokens=12).text for messages in asked]


def same_tensors(recorded: list[Run]) -> Callable[[Run], Run]:
    """Counts what is recorded, and lets nothing but the content of tensors change, as a graph would."""

    def record(run: Run) -> Run:
        recorded.append(run)
        shape = run().shape

        def repeat() -> torch.Tensor:
            logits = run()
            assert logits.shape == shape
            return logits

        return repeat

    return record


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fixed_shapes_lead_to_the_same_words(folder: Path, dtype: str) -> None:
    wanted = answers(vlm.load(folder, dtype=dtype))
    assert len(set(wanted)) == 3 and all(len(set(text)) > 2 for text in wanted)
    engine, recorded = vlm.load(folder, dtype=dtype), list[Run]()
    engine._steps = DecodeSteps(engine.model, same_tensors(recorded))
    assert answers(engine) == wanted
    assert 3 <= len(recorded) <= 4, "once for each cache and each time that it grew, not for each token"


def test_logits_are_those_of_the_network(folder: Path) -> None:
    engine = vlm.load(folder, dtype="float32")
    for steps in (None, DecodeSteps(engine.model, lambda run: run)):
        engine.forget()
        engine._steps = steps
        talk, _ = engine._conversations.begin([1, 2, 3, 4], 8)
        with torch.inference_mode():
            fed = [engine._feed([token], place, talk) for place, token in enumerate([1, 2, 3, 4, 9, 8])]
        if steps is None:
            wanted = fed
    assert talk.cache.length == 6
    torch.testing.assert_close(torch.stack(fed), torch.stack(wanted))


def test_what_cannot_be_recorded_is_decoded_all_the_same(folder: Path) -> None:
    tries: list[Run] = []

    def fails(run: Run) -> Run:
        tries.append(run)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    engine = vlm.load(folder, dtype="float32")
    wanted = answers(engine)
    engine.forget()
    engine._steps = DecodeSteps(engine.model, fails)
    assert answers(engine) == wanted
    assert len(tries) == 1, "it is not tried for every token"


def test_on_a_cpu_nothing_is_recorded(folder: Path) -> None:
    assert vlm.load(folder, dtype="float32", device="cpu")._steps is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_graph_on_a_gpu(folder: Path) -> None:
    engine = vlm.load(folder, dtype="float32", device="cuda")
    recorded = answers(engine)
    engine.forget()
    engine._steps = None
    assert recorded == answers(engine)

"""How fast the network is, part by part, and how much of the machine it uses: for `agent bench`."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from action_space.messages import Message
from vlm.backends.engine import Engine
from vlm.backends.reuse import Shown
from vlm.backends.transformers import TransformersModel
from vlm.language import KVCache

PREFILL_TOKENS, DECODED = 1024, 32
OURS = ("plain", "whole")
"""What our engine can be compared with itself: see `load_pair`."""

Timed = Callable[[], object]
Measured = Engine | TransformersModel
"""What can be asked for its parts; a server can only be asked questions."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing measured: medians in seconds. theirs: None where the other one cannot be asked for it."""

    name: str
    ours_s: float
    theirs_s: float | None

    @property
    def ratio(self) -> float | None:
        return self.theirs_s / self.ours_s if self.theirs_s else None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the machine: products of matrices in operations, and reading memory in bytes, a second; and the shares of them
    that prefill and decoding reach."""

    flops: float
    bandwidth: float
    prefill_share: float
    decode_share: float


def alternate(pairs: int, ours: Timed, theirs: Timed | None) -> tuple[float, float | None]:
    """Medians of `pairs` runs of each, one after the other, after a first one of each that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs + 1):
        for one, found in ((ours, times[0]), (theirs, times[1])):
            if one is None:
                continue
            started = time.perf_counter()
            one()
            if number:
                found.append(time.perf_counter() - started)
    return median(times[0]), median(times[1]) if times[1] else None


@torch.inference_mode()
def measure_parts(
    ours: Engine, theirs: Measured | None, picture: Image.Image, pairs: int, tell: Callable[[str], None]
) -> Iterator[Pair]:
    """Vision, prefill and decoding, each as the two networks do it on the same input, as soon as it is known."""
    ids = torch.randint(0, 200, (1, PREFILL_TOKENS))
    shown = ours.shown(picture, ours.min_pixels, ours.max_pixels)
    pixels = ours.patches(shown)
    mine = _parts(ours, ids, pixels, shown)
    if isinstance(theirs, Engine):
        shown = theirs.shown(picture, ours.min_pixels, ours.max_pixels)
    others = _parts(theirs, ids, pixels, shown) if theirs else {}
    for name, part in mine.items():
        tell(name)
        yield Pair(name, *alternate(pairs, part, others.get(name)))
    tell("decode a token")
    yield _decode_a_token(ours, theirs, pairs)


def _parts(of: Measured, ids: Tensor, pixels: Tensor, shown: Shown) -> dict[str, Timed]:
    if isinstance(of, Engine):
        ours = of.model
        return {
            "vision encode": lambda: ours.visual.look(pixels, shown.grid, None, shown.kept),
            "prefill": lambda: ours(ids, cache=KVCache(), last_only=True),
        }
    model, grids = of.model, torch.tensor([shown.grid])
    return {
        "vision encode": lambda: model.model.visual(pixels, grid_thw=grids),
        "prefill": lambda: model(input_ids=ids, logits_to_keep=1, use_cache=True),
    }


def _decode_a_token(ours: Engine, theirs: Measured | None, pairs: int) -> Pair:
    """By the difference of a long reply and one of a token: what comes before the first one is not decoding, and we
    keep it between questions while transformers does not."""
    text = [Message("user", ("x" * 100,))]
    long, short = (
        alternate(
            pairs,
            partial(ours.generate, text, max_new_tokens=tokens),
            partial(theirs.generate, text, max_new_tokens=tokens) if theirs else None,
        )
        for tokens in (1 + DECODED, 1)
    )
    other_s = (long[1] - short[1]) / DECODED if long[1] and short[1] else None
    return Pair("decode a token", (long[0] - short[0]) / DECODED, other_s)


@dataclass(frozen=True, slots=True)
class Forcing:
    """What holding a reply to a grammar saves: of its `tokens` so many were `forced`, which are fed in one piece.

    held_s, free_s: medians of the seconds for decoding it, and for decoding as many tokens without the grammar.
    """

    tokens: int
    forced: int
    held_s: float
    free_s: float


def measure_forcing(ours: Engine, prompt: Sequence[Message], grammar: str, pairs: int) -> Forcing:
    """The same question answered under a grammar and freely, in turns."""
    held = [ours.generate(prompt, constraint=grammar, max_new_tokens=64)]
    free = []
    for _ in range(pairs):
        free.append(ours.generate(prompt, max_new_tokens=held[0].tokens_out))
        held.append(ours.generate(prompt, constraint=grammar, max_new_tokens=64))
    seconds = (median(reply.decode_s for reply in replies) for replies in (held[1:], free))
    return Forcing(held[0].tokens_out, held[0].forced_tokens, *seconds)


def use_threads(count: int | None) -> int:
    """Set how many threads torch works with, None for as many as it chose; how many these are."""
    if count:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def load_pair(folder: Path, dtype: str, against: str) -> tuple[Engine, Measured | None]:
    """The engine and, on the same checkpoint, what it is compared with in parts; neither ends a reply before its length
    is reached.

    against: "transformers"; "plain", the engine with its weights as they lie on disk; "whole", the engine that is shown
    cells of one colour too; None is there for anything else.
    """
    ours = load_ours(folder, dtype)
    if against in OURS:
        return ours, load_ours(folder, dtype, against)
    if against != "transformers":
        return ours, None
    theirs = TransformersModel(folder, dtype=dtype)
    theirs.stop_ids = frozenset()
    theirs.model.generation_config.eos_token_id = None
    return ours, theirs


def load_ours(folder: Path, dtype: str, kind: str = "ours") -> Engine:
    """Our engine alone, or one of `OURS`."""
    engine = Engine(folder, dtype=dtype, device="cpu", blocks=kind != "plain", whole=kind == "whole")
    engine.stop_ids = frozenset()
    return engine


@torch.inference_mode()
def limits(ours: Engine, found: Sequence[Pair]) -> Limits:
    """The machine's limits in the engine's dtype, and what is reached of them."""
    times = {pair.name: pair.ours_s for pair in found}
    weights = [p for name, p in ours.model.language_model.named_parameters() if p.ndim == 2 and "embed" not in name]
    count, size = sum(p.numel() for p in weights), sum(p.numel() * p.element_size() for p in weights)
    head = ours.model.lm_head.weight
    flops, bandwidth = _product_rate(head.dtype), _reading_rate()
    # Of the last layer a prompt needs keys and values; what is behind them is computed for its last token.
    last = ours.model.language_model.layers[-1].named_parameters()
    once = sum(p.numel() for name, p in last if p.ndim == 2 and "qkv" not in name)
    prefill = 2 * (count - once) * PREFILL_TOKENS / times["prefill"] / flops
    decode = (size + head.numel() * head.element_size()) / times["decode a token"] / bandwidth
    return Limits(flops, bandwidth, prefill, decode)


def _product_rate(dtype: torch.dtype) -> float:
    a, b = torch.randn(1024, 2048).to(dtype), torch.randn(2048, 8192).to(dtype)
    return 2 * a.numel() * b.shape[1] / alternate(5, lambda: a @ b, None)[0]


def _reading_rate() -> float:
    """By three ways to read a matrix far larger than the caches. The fastest counts: none is so on every CPU."""
    matrix, vector = torch.ones(16_384, 8192, dtype=torch.bfloat16), torch.ones(1, 8192, dtype=torch.bfloat16)
    numbers = matrix.view(torch.int64)
    ways: list[Timed] = [lambda: F.linear(vector, matrix), lambda: matrix @ vector[0], numbers.sum]
    return matrix.numel() * 2 / min(alternate(5, way, None)[0] for way in ways)

"""Decoding a token at fixed shapes and addresses, so that a GPU can record the step once and repeat it.

A step of a small batch is hundreds of kernels, and starting each takes longer than running it; a CUDA graph starts all
of them at once. Recording needs what the ordinary way does not have: the same tensors every time. So the whole buffers
of a cache are read, with a mask over what is not filled yet, and where the new token goes is a tensor as well.

All of it but `cuda_graph` itself runs on a CPU too, and is tested there. No GPU was at hand when it was written:
`cuda_graph` has never been run.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from vlm.language import KVCache
from vlm.model import Qwen25VL

Run = Callable[[], Tensor]
Record = Callable[[Run], Run]
"""Makes of a function its repetition: the same work on the same tensors, whatever these hold then."""


class FixedCache:
    """A KVCache's buffers at full length. `slot` `[1]`: the place of the next token."""

    length = 0

    def __init__(self, cache: KVCache) -> None:
        self.keys, self.values = cache.buffers
        for buffer in (*self.keys, *self.values):
            buffer[:, :, cache.length :] = 0  # what was never written may be no number, and no weight makes that 0
        self.slot = torch.full((1,), cache.length, device=self.keys[0].device)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put `[B, kv_heads, 1, head_dim]` at the slot; all there is, filled or not."""
        self.keys[layer].index_copy_(2, self.slot, keys)
        self.values[layer].index_copy_(2, self.slot, values)
        return self.keys[layer], self.values[layer]

    def advance(self, tokens: int) -> None:
        """The caller moves the slot."""


class DecodeStep:
    """One token through a network, behind what a cache holds. record: see `cuda_graph`."""

    def __init__(self, model: Qwen25VL, cache: KVCache, record: Record) -> None:
        self._model, self._cache = model, FixedCache(cache)
        device = self._cache.slot.device
        self._token = torch.zeros(1, 1, dtype=torch.long, device=device)
        self._position = torch.zeros(3, 1, 1, dtype=torch.long, device=device)
        self._places = torch.arange(self.room, device=device)
        self._repeat = record(self._run)

    @property
    def room(self) -> int:
        """How many tokens the buffers hold."""
        return self._cache.keys[0].shape[2]

    def fits(self, cache: KVCache) -> bool:
        """Whether it is made for this cache, which has not grown since and has room for a token."""
        keys = cache.buffers[0]
        return len(keys) > 0 and keys[0] is self._cache.keys[0] and cache.length < self.room

    def __call__(self, token: int, position: int, cache: KVCache) -> Tensor:
        """Logits `[vocabulary]` behind a token of text at a position; the cache is one longer then."""
        self._token.fill_(token)
        self._position.fill_(position)
        self._cache.slot.fill_(cache.length)
        logits = self._repeat().clone()
        cache.advance(1)
        return logits

    def _run(self) -> Tensor:
        language = self._model.language_model
        filled = (self._places <= self._cache.slot).view(1, 1, 1, -1)
        hidden = language(language.embed_tokens(self._token), self._position, cache=self._cache, mask=filled)
        logits: Tensor = self._model.lm_head(hidden)[0, -1]
        return logits


class DecodeSteps:
    """The step of the newest cache; a new one is recorded when the conversation changes or outgrows its buffers."""

    def __init__(self, model: Qwen25VL, record: Record) -> None:
        self._model, self._record = model, record
        self._step: DecodeStep | None = None
        self._works = True

    def feed(self, token: int, position: int, cache: KVCache) -> Tensor | None:
        """As `DecodeStep`; None if it cannot be done in this way: ask the network itself."""
        if not self._works or cache.length >= cache.room:
            return None
        if self._step is None or not self._step.fits(cache):
            self._step = None  # its memory first
            try:
                self._step = DecodeStep(self._model, cache, self._record)
            except RuntimeError:  # what torch raises for everything that a driver or a GPU cannot do
                self._works = False
                return None
        return self._step(token, position, cache)


def cuda_graph(run: Run) -> Run:
    """Recorded on the current GPU, after a few runs beside it, as torch asks for. Raises RuntimeError."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = run()

    def repeat() -> Tensor:
        graph.replay()
        return logits

    return repeat

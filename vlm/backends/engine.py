"""Our own network behind the Model protocol: prefill, key-value cache, greedy decoding."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from action_space.errors import ModelError
from action_space.messages import Message
from vlm.backends.base import Reply
from vlm.chat import encode, load_tokenizer, pictures
from vlm.checkpoint import load_checkpoint
from vlm.images import preprocess
from vlm.language import KVCache

_LIMITS = {"min_pixels": 3136, "max_pixels": 12845056}


class Engine:
    """A checkpoint folder, ready to answer.

    dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 where the processor multiplies it natively, else float32.
    Raises ModelError.
    """

    def __init__(self, folder: Path, *, dtype: str = "auto", device: str = "cpu") -> None:
        self.name = folder.name
        self.model = load_checkpoint(folder, dtype=_dtype(dtype, device), device=device)
        self.tokenizer = load_tokenizer(folder)
        self.dialect: str = _read(folder, "config.json").get("clickwright", {}).get("dialect", "computer_use")
        limits = _read(folder, "preprocessor_config.json")
        self.min_pixels, self.max_pixels = (int(limits.get(name, default)) for name, default in _LIMITS.items())
        self.stop_ids = self._stop_ids(folder)
        self.device = device

    def _stop_ids(self, folder: Path) -> frozenset[int]:
        given = _read(folder, "generation_config.json").get("eos_token_id", [])
        named = [self.tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
        return frozenset(
            [*(given if isinstance(given, list) else [given]), *(token for token in named if token is not None)]
        )

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        constraint: str | None = None,
        max_new_tokens: int = 256,
    ) -> Reply:
        """Answer greedily (see `vlm.backends.base.Model`)."""
        if constraint is not None:
            raise ModelError("this model cannot follow a constraint yet")
        started = time.perf_counter()
        with torch.inference_mode():
            cache = KVCache()
            logits, position, tokens_in = self._prefill(
                messages, cache, min_pixels or self.min_pixels, max_pixels or self.max_pixels, max_new_tokens
            )
            prefilled = time.perf_counter()
            ids, finished = self._decode(logits, position, cache, max_new_tokens)
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return Reply(text, tokens_in, len(ids), prefilled - started, time.perf_counter() - prefilled, finished=finished)

    def _prefill(
        self, messages: Sequence[Message], cache: KVCache, min_pixels: int, max_pixels: int, room: int
    ) -> tuple[Tensor, int, int]:
        """Logits of the last token, the next position, and the number of prompt tokens."""
        try:
            inputs = [preprocess(image, min_pixels=min_pixels, max_pixels=max_pixels) for image in pictures(messages)]
        except ValueError as error:
            raise ModelError(str(error)) from None
        merge = self.model.config.vision.spatial_merge_size**2
        ids = encode(messages, self.tokenizer, [t * h * w // merge for _, (t, h, w) in inputs])
        limit = self.model.config.text.max_position_embeddings
        if len(ids) + room > limit:
            raise ModelError(
                f"the prompt has {len(ids)} tokens and the answer may take {room}, the model's context is {limit}: show fewer screenshots or a shorter task"
            )
        output = self.model(
            torch.tensor([ids], device=self.device),
            pixel_values=torch.cat([patches for patches, _ in inputs]).to(self.device) if inputs else None,
            image_grid_thw=torch.tensor([grid for _, grid in inputs]) if inputs else None,
            cache=cache,
            last_only=True,
        )
        assert output.rope_deltas is not None
        return output.logits[0, -1], len(ids) + int(output.rope_deltas[0]), len(ids)

    def _decode(self, logits: Tensor, position: int, cache: KVCache, most: int) -> tuple[list[int], bool]:
        """Token ids up to a stop token, and whether one came."""
        ids: list[int] = []
        while (token := int(logits.argmax())) not in self.stop_ids:
            ids.append(token)
            if len(ids) >= most:
                return ids, False
            positions = torch.full((3, 1, 1), position, device=self.device)
            logits = self.model(
                torch.tensor([[token]], device=self.device), position_ids=positions, cache=cache
            ).logits[0, -1]
            position += 1
        return ids, True


def _dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        native = device != "cpu" or torch.cpu._is_avx512_bf16_supported()
        return torch.bfloat16 if native else torch.float32
    table = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in table:
        raise ModelError(f"dtype {name!r} is unknown: choose auto, {', '.join(table)}")
    return table[name]


def _read(folder: Path, name: str) -> dict:  # type: ignore[type-arg]
    path = folder / name
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r}: {error}") from None

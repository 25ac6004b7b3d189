"""transformers' own Qwen2.5-VL behind the Model protocol: the oracle, and what the benchmark compares with.

Pictures go through its PIL processor and replies come from its `generate`, as in its documentation; only the prompt's
tokens are ours, so that both answer the same question.
"""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from action_space.dialects.choose import dialect_for
from action_space.errors import ConfigError, ModelError
from action_space.messages import Message
from vlm.backends.base import Hear, Reply
from vlm.backends.settings import named_dtype, pixel_limits, read_json, stop_tokens
from vlm.chat import encode, load_tokenizer, visuals
from vlm.images import rgb

_PROCESSING = "transformers.models.qwen2_vl.image_processing_pil_qwen2_vl"


class TransformersModel:
    """A checkpoint folder run by transformers. dtype: as for `Engine`. Raises ConfigError, ModelError."""

    def __init__(self, folder: Path, *, dtype: str = "auto") -> None:
        try:
            library, processing = import_module("transformers"), import_module(_PROCESSING)
        except ImportError as error:
            raise ConfigError(f"this needs transformers 5 ({error}): pip install -U transformers") from None
        self.name = f"transformers:{folder.name}"
        self.dialect = dialect_for(str(folder.resolve()), read_json(folder, "config.json")) or "computer_use"
        self.constrained = False
        self.looks = 0
        self.tokenizer = load_tokenizer(folder)
        self.stop_ids = stop_tokens(folder, self.tokenizer)
        self._processor, self._limits = processing.Qwen2VLImageProcessorPil, pixel_limits(folder)
        load = library.Qwen2_5_VLForConditionalGeneration.from_pretrained
        try:
            self.model: Any = load(folder, dtype=named_dtype(dtype)).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"transformers cannot load {str(folder)!r}: {' '.join(str(error).split())[:300]}"
            ) from None

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
        """See `vlm.backends.base.Model`; a constraint is refused, and so is a video. No start is reused."""
        if constraint is not None:
            raise ModelError("transformers follows no grammar: leave out --constrained, or load the checkpoint itself")
        started = time.perf_counter()
        inputs = self.inputs(messages, min_pixels or self._limits[0], max_pixels or self._limits[1])
        chance = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if attempt else {"do_sample": False}
        torch.manual_seed(attempt)
        with torch.inference_mode():
            said = self.model.generate(
                **inputs,
                **chance,
                max_new_tokens=max_new_tokens,
                eos_token_id=sorted(self.stop_ids) or None,
                pad_token_id=0,
                repetition_penalty=1.0,
            )
        count = inputs["input_ids"].shape[1]
        ids = said[0, count:].tolist()
        finished = bool(ids) and ids[-1] in self.stop_ids
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        if heard is not None:
            heard(text)
        # How the time splits up, its `generate` does not tell.
        return Reply(text, count, len(ids) - finished, decode_s=time.perf_counter() - started, finished=finished)

    def inputs(self, messages: Sequence[Message], min_pixels: int, max_pixels: int) -> dict[str, Any]:
        """What its forward takes: ids, mask, kinds of tokens, and pixels with their grids."""
        pictures = []
        for visual in visuals(messages):
            if not isinstance(visual, Image.Image):
                raise ModelError("transformers is asked about pictures here, not about videos")
            pictures.append(rgb(visual))
        seen: dict[str, Any] = {}
        if pictures:
            processor = self._processor(size={"shortest_edge": min_pixels, "longest_edge": max_pixels})
            try:
                seen = dict(processor(images=pictures, return_tensors="pt"))
            except ValueError as error:
                raise ModelError(str(error)) from None
            seen["pixel_values"] = seen["pixel_values"].to(self.model.dtype)
        counts = [int(grid.prod()) // 4 for grid in seen.get("image_grid_thw", [])]
        ids = torch.tensor([encode(messages, self.tokenizer, counts)])
        kinds = (ids == self.model.config.image_token_id).long()
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": kinds, **seen}


def load_transformers(folder: str) -> TransformersModel:
    """For the SPEC `transformers:DIR`. Raises ConfigError, ModelError."""
    path = Path(folder)
    if not path.is_dir():
        raise ConfigError(f"{folder!r} is no checkpoint folder: give one, as in 'transformers:DIR'")
    return TransformersModel(path)

"""Random checkpoints of published shapes: to measure speed and memory without the weights."""

from dataclasses import replace
from pathlib import Path

import torch

from vlm.checkpoint import save_checkpoint
from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.tokenizer import byte_tokenizer, token_id

_TOKENS = byte_tokenizer(phrases=())
_VISION = VisionConfig(hidden_size=1280, tokens_per_second=2)


def _shape(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocabulary: int, tied: bool
) -> Config:
    return Config(
        TextConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            rms_norm_eps=1e-6,
            tie_word_embeddings=tied,
        ),
        replace(_VISION, out_hidden_size=hidden),
        image_token_id=token_id(_TOKENS, "<|image_pad|>"),
        video_token_id=token_id(_TOKENS, "<|video_pad|>"),
        vision_start_token_id=token_id(_TOKENS, "<|vision_start|>"),
    )


SHAPES = {
    "3b": _shape(2048, 11008, 36, 16, 2, 151936, True),
    "7b": _shape(3584, 18944, 28, 28, 4, 152064, False),
}
"""Those of the checkpoints on the hub, but for the numbers of the special tokens: the tokenizer is the bundled one."""


def write_random(folder: Path, shape: str, layers: int | None = None) -> None:
    """A checkpoint in bf16 of a shape in `SHAPES`, cut to so many decoder layers."""
    config = SHAPES[shape]
    if layers is not None:
        config = replace(config, text=replace(config.text, num_hidden_layers=layers))
    with torch.device("meta"):
        model = Qwen25VL(config).bfloat16()
    model.to_empty(device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.02)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    save_checkpoint(model, folder)
    _TOKENS.save(str(folder / "tokenizer.json"))

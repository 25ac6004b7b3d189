"""A tiny random checkpoint that the engine, and so a server, can answer with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from vlm.checkpoint import save_checkpoint
from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.tokenizer import byte_tokenizer

TOKENS = byte_tokenizer(phrases=())


def id_of(token: str) -> int:
    number = TOKENS.token_to_id(token)
    assert number is not None
    return int(number)


PAD, IM_END = id_of("<|image_pad|>"), id_of("<|im_end|>")
CONFIG = Config(
    TextConfig(
        vocab_size=288,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        mrope_section=(1, 1, 2),
        max_position_embeddings=2048,
    ),
    VisionConfig(
        depth=2,
        hidden_size=16,
        intermediate_size=24,
        num_heads=2,
        out_hidden_size=32,
        tokens_per_second=2,
        fullatt_block_indexes=(1,),
    ),
    image_token_id=PAD,
    video_token_id=id_of("<|video_pad|>"),
    vision_start_token_id=id_of("<|vision_start|>"),
)


def write(folder: Path, config: Config = CONFIG, change: Callable[[Qwen25VL], object] = lambda _model: None) -> Path:
    """A random checkpoint whose answers are the bytes that are characters of their own: its text tells its tokens."""
    torch.manual_seed(3)
    model = Qwen25VL(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(
            torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 1.2 * parameter.shape[-1] ** -0.5)
        )
    # Large, so that the token just said decides what is said next; otherwise it would say one thing for ever.
    model.language_model.embed_tokens.weight.mul_(5)
    model.lm_head.weight[:32] = 0
    model.lm_head.weight[127:] = 0
    change(model)
    save_checkpoint(model, folder, extra={"eos_token_id": IM_END, "clickwright": {"dialect": "compact"}})
    TOKENS.save(str(folder / "tokenizer.json"))
    return folder


def write_for_vllm(folder: Path) -> Path:
    """With heads of 32, the fewest that vLLM takes, and the files that its processor of pictures reads."""
    text = replace(CONFIG.text, hidden_size=128, num_attention_heads=4, num_key_value_heads=2, mrope_section=(4, 6, 6))
    vision = replace(CONFIG.vision, hidden_size=64, num_heads=2, out_hidden_size=128)
    write(folder, replace(CONFIG, text=text, vision=vision))
    files: dict[str, object] = {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "chat_template": CHAT_TEMPLATE,
            "processor_class": "Qwen2_5_VLProcessor",
        },
        "preprocessor_config.json": {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
            "min_pixels": 3136,
            "max_pixels": 12845056,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
        },
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    return folder


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)

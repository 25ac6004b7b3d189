"""A tiny Qwen2.5-VL made by transformers, with every bias and norm weight random: the oracle of the parity tests."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

IMAGE, VIDEO, START, END = 90, 91, 92, 93
SECTION = [2, 3, 3]


def transformers() -> Any:  # noqa: ANN401 (transformers is hardly typed)
    """Imported when asked for: it takes seconds."""
    return import_module("transformers")


def hf_config(**text: object) -> Any:  # noqa: ANN401 (transformers is hardly typed)
    base: dict[str, Any] = {
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "mrope_section": SECTION, "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    vision = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 64,
        "tokens_per_second": 2,
        "fullatt_block_indexes": [1],
    }
    tokens = {
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": START,
        "vision_end_token_id": END,
    }
    return transformers().Qwen2_5_VLConfig(
        text_config={**base, **text},
        vision_config=vision,
        tie_word_embeddings=text.get("tie_word_embeddings", False),
        **tokens,
    )


def hf_model(seed: int = 0, **text: object) -> Any:  # noqa: ANN401 (transformers is hardly typed)
    """The oracle in fp32, all parameters drawn at random (transformers starts biases at 0 and norms at 1)."""
    torch.manual_seed(seed)
    model = transformers().Qwen2_5_VLForConditionalGeneration(hf_config(**text)).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(
                torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 1.2 / parameter.shape[-1] ** 0.5)
            )
    return model


def save_hf(model: Any, folder: Path) -> Path:  # noqa: ANN401 (transformers is hardly typed)
    model.save_pretrained(folder)
    return folder

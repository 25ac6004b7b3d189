"""From a trained network to the folder that is bundled: a checkpoint that transformers loads too."""

import json
from pathlib import Path

import torch

from vlm.acting import FILE as ACTING
from vlm.acting import Acting
from vlm.beside import save_beside
from vlm.checkpoint import save_checkpoint
from vlm.naming import FILE as NAMING
from vlm.naming import Naming
from vlm.training.disk import writing
from vlm.training.multimodal import Trainer
from vlm.training.pool import SMALL
from vlm.training.tokenizer import byte_tokenizer

HEADS = "heads.training"
"""Holds the heads that are dropped from the checkpoint, for who trains it further; see `vlm.beside`."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' or 'video' in part %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2.5-VL's own turns, for tools that read the template from the checkpoint."""

OWN = {"dialect": "compact", "whole_cells": SMALL}
"""What only we read. Larger screens are shown without cells of one colour in training too (`pool.encode_screen`)."""

_PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "min_pixels": 3136,
    "max_pixels": 4014080,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def export(trainer: Trainer, folder: Path, naming: Naming | None = None, acting: Acting | None = None) -> None:
    """Write weights (bf16), tokenizer and the settings of both into `folder`, and the heads and the networks beside it
    into files of their own. Raises ConfigError where they cannot be written."""
    with writing(folder):
        _export(trainer.to("cpu", torch.bfloat16), folder)
        for network, name in ((naming, NAMING), (acting, ACTING)):
            if network is not None:
                save_beside(network, folder / name)


def _export(trainer: Trainer, folder: Path) -> None:
    tokenizer = byte_tokenizer()
    stop = [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]
    # Without them transformers takes those of the published vocabulary, and vLLM hands them to its grammars.
    ends = {"eos_token_id": stop[0], "pad_token_id": stop[1]}
    save_checkpoint(trainer.model, folder, extra={**ends, "clickwright": OWN})
    save_beside(trainer.heads, folder / HEADS)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokens = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHAT_TEMPLATE,
    }
    _write(folder / "tokenizer_config.json", tokens)
    _write(folder / "generation_config.json", {"do_sample": False, "eos_token_id": stop, "pad_token_id": stop[1]})
    _write(folder / "preprocessor_config.json", _PREPROCESSOR)


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

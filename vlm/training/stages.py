"""The stages behind visual pre-training, each resumable: alignment, then pointing and planning together."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.data.words import Words
from vlm.training.multimodal import (
    IMAGE_PAD,
    TOKENS,
    VISION_START,
    Batch,
    Example,
    Trainer,
    collate,
    grounding_example,
    planning_example,
)
from vlm.training.optim import MuonAdamW
from vlm.training.pool import Pool
from vlm.training.run import FULL, Amounts, Stage, averaged
from vlm.training.tokenizer import token_id
from vlm.training.workers import rank, said_by_first

BUNDLED = Config(
    text=TextConfig(
        vocab_size=288,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        # Real Qwen2.5-VL turns so slowly along the width that it hardly tells columns apart; this small model has to.
        rope_theta=1000.0,
        mrope_section=(2, 8, 22),
        max_position_embeddings=32768,
    ),
    vision=VisionConfig(
        depth=6,
        hidden_size=256,
        intermediate_size=768,
        num_heads=4,
        out_hidden_size=256,
        tokens_per_second=2,
        fullatt_block_indexes=(3,),
    ),
    image_token_id=IMAGE_PAD,
    video_token_id=token_id(TOKENS, "<|video_pad|>"),
    vision_start_token_id=VISION_START,
)
"""The shape of the bundled model."""
MOST_NAMED = 3000
"""So many of the latest controls are told from each other in a step of alignment."""
LARGEST_FROM, WHOLE_FROM = 0.6, 0.75
"""The share of stage 3 after which regions have 150 cells, and after which they are whole screens."""
WHOLE = 100_000
"""More cells than any screen has."""


def scale_features(model: Qwen25VL, pool: Pool) -> None:
    """Bring visual tokens to the text embeddings' scale (root mean square 1), by the merger's last layer."""
    tokens = torch.cat([crop.tokens.flatten(0, 1) for crop in pool.crops]).float()
    factor = said_by_first(1 / tokens.square().mean().sqrt().item())
    last = model.visual.merger.mlp[2]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)


def build(tower: nn.Module, seed: int, config: Config = BUNDLED) -> Qwen25VL:
    """A fresh network around a pre-trained, frozen tower."""
    torch.manual_seed(seed)
    model = Qwen25VL(config).bfloat16()
    model.visual.load_state_dict(tower.state_dict())
    model.visual.requires_grad_(False)
    return model


def align(
    model: Qwen25VL, screens: Path, folder: Path, *, minutes: float, seed: int = 1, amounts: Amounts = FULL
) -> Trainer:
    """Stage 2: instructions and controls find each other; plans are learned beside it."""
    trainer = Trainer(model).bfloat16()
    stage = _stage("align", trainer, folder, minutes)
    if stage.done:
        return trainer
    pool, rng = _sources(screens, model, seed + stage.step)
    pool.grow(amounts.pool)
    if stage.step == 0:
        scale_features(model, pool)
        pool.clear()
        pool.grow(amounts.pool)
    words, collect = Words(rng, held_out=False), averaged(10)
    for scale in stage.steps():
        pool.grow(amounts.grow)
        while not pool.named:
            pool.grow(1)
        named = pool.named[-MOST_NAMED:]
        wanted = rng.sample(range(len(named)), min(amounts.align, len(named)))
        loss, figures = trainer.alignment_loss(named, wanted, rng)
        torch.autograd.backward(loss)
        figures |= _plan(trainer, rng, words, amounts.plans)
        stage.optimizer.step(scale)
        if means := collect({**figures, "pool": len(pool.crops)}):
            stage.note(means)
    return trainer


def point(
    trainer: Trainer, screens: Path, folder: Path, *, minutes: float, seed: int = 2, amounts: Amounts = FULL
) -> Trainer:
    """Stage 3: points and plans, the tower still frozen; regions grow from 24 to 150 cells, then are whole screens."""
    stage = _stage("point", trainer, folder, minutes)
    if stage.done:
        return trainer
    pool, rng = _sources(screens, trainer.model, seed + stage.step)
    words, collect = Words(rng, held_out=False), averaged(10)
    for scale in stage.steps():
        progress = stage.spent_s / stage.budget_s
        if progress > WHOLE_FROM and not pool.whole:
            pool.clear(whole=True)
        if not pool.crops:
            pool.grow(amounts.pool // 4 + 1 if pool.whole else amounts.pool)
        pool.grow(amounts.grow)
        cells = WHOLE if pool.whole else 24 * (150 / 24) ** min(1.0, progress / LARGEST_FROM)
        figures = _ground(trainer, rng, pool, cells, amounts.tokens) | _plan(trainer, rng, words, amounts.plans)
        stage.optimizer.step(scale)
        if means := collect({**figures, "cells": cells, "pool": len(pool.crops)}):
            stage.note(means)
    return trainer


def _ground(trainer: Trainer, rng: random.Random, pool: Pool, cells: float, tokens: int) -> dict[str, float]:
    """Gradients of grounding examples of about `tokens` tokens together, and their figures."""
    examples: list[Example] = []
    while sum(len(example.ids) for example in examples) < tokens:
        examples.append(grounding_example(pool.region(rng.uniform(0.5, 1.3) * cells), rng))
    return _gradients(trainer.grounding_loss, examples)


def _plan(trainer: Trainer, rng: random.Random, words: Words, count: int) -> dict[str, float]:
    """Gradients of `count` planning examples, and their figures."""
    return _gradients(trainer.planning_loss, [planning_example(rng, words) for _ in range(count)])


def _gradients(
    loss_of: Callable[[Batch], tuple[Tensor, dict[str, float]]], examples: Sequence[Example]
) -> dict[str, float]:
    """Gradients of the mean loss, in two parts: short and long examples apart need less padding."""
    ordered = sorted(examples, key=lambda example: len(example.ids))
    half = len(ordered) // 2
    total: dict[str, float] = {}
    for part in (ordered[:half], ordered[half:]):
        if part:
            share = len(part) / len(examples)
            loss, figures = loss_of(collate(part))
            torch.autograd.backward(loss * share)
            total = {key: total.get(key, 0.0) + share * value for key, value in figures.items()}
    return total


def _sources(screens: Path, model: Qwen25VL, seed: int) -> tuple[Pool, random.Random]:
    """Crops and chance of this worker alone."""
    own = seed + 7919 * rank()
    return Pool(screens, model.visual, own), random.Random(own)


def _stage(name: str, trainer: Trainer, folder: Path, minutes: float) -> Stage:
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=0.01, other_lr=1e-3)
    return Stage(name, folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer)

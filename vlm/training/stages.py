"""The stages behind visual pre-training, each resumable: alignment, then pointing and planning together."""

import random
from pathlib import Path

import torch
from torch import nn

from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.data.words import Words
from vlm.training.multimodal import (
    IMAGE_PAD,
    TOKENS,
    VISION_START,
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
        pool.crops.clear()
        pool.grow(amounts.pool)
    words, collect = Words(rng, held_out=False), averaged(10)
    for scale in stage.steps():
        pool.grow(amounts.grow)
        loss, figures = trainer.alignment_loss([grounding_example(pool.region(30), rng) for _ in range(amounts.align)])
        torch.autograd.backward(loss)
        figures |= _plan(trainer, rng, words, amounts.plans)
        stage.optimizer.step(scale)
        if means := collect({**figures, "pool": len(pool.crops)}):
            stage.note(means)
    return trainer


def point(
    trainer: Trainer, screens: Path, folder: Path, *, minutes: float, seed: int = 2, amounts: Amounts = FULL
) -> Trainer:
    """Stage 3: points and plans, the tower still frozen; regions grow from 24 to 150 cells."""
    stage = _stage("point", trainer, folder, minutes)
    if stage.done:
        return trainer
    pool, rng = _sources(screens, trainer.model, seed + stage.step)
    pool.grow(amounts.pool)
    words, collect = Words(rng, held_out=False), averaged(10)
    for scale in stage.steps():
        pool.grow(amounts.grow)
        cells = 24 + 126 * min(1.0, stage.spent_s / stage.budget_s / 0.7)
        regions = [pool.region(rng.uniform(0.5, 1.3) * cells) for _ in range(amounts.point)]
        loss, figures = trainer.grounding_loss(collate([grounding_example(region, rng) for region in regions]))
        torch.autograd.backward(loss)
        figures |= _plan(trainer, rng, words, amounts.plans)
        stage.optimizer.step(scale)
        if means := collect({**figures, "cells": cells, "pool": len(pool.crops)}):
            stage.note(means)
    return trainer


def _sources(screens: Path, model: Qwen25VL, seed: int) -> tuple[Pool, random.Random]:
    """Crops and chance of this worker alone."""
    own = seed + 7919 * rank()
    return Pool(screens, model.visual, own), random.Random(own)


def _stage(name: str, trainer: Trainer, folder: Path, minutes: float) -> Stage:
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=0.01, other_lr=1e-3)
    return Stage(name, folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer)


def _plan(trainer: Trainer, rng: random.Random, words: Words, count: int) -> dict[str, float]:
    """Gradients of `count` planning examples, and their figures."""
    loss, figures = trainer.planning_loss(collate([planning_example(rng, words) for _ in range(count)]))
    torch.autograd.backward(loss)
    return figures

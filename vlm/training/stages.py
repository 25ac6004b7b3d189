"""The stage behind visual pre-training: pointing and planning together, resumable."""

import random
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor, nn

from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.data.words import Words
from vlm.training.dense import DenseHeads
from vlm.training.multimodal import (
    FIRST_X,
    FIRST_Y,
    HEAD,
    IM_END,
    IM_START,
    IMAGE_PAD,
    TAIL,
    TOKENS,
    VISION_START,
    Example,
    Trainer,
    encode,
    grounding_example,
    padded,
    planning_example,
)
from vlm.training.optim import MuonAdamW
from vlm.training.pool import WHOLE, Pool
from vlm.training.run import FULL, Amounts, Stage
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS, token_id
from vlm.training.wiring import Grid, Reading, hold, wire
from vlm.training.workers import rank, told_by_first

BUNDLED = Config(
    text=TextConfig(
        vocab_size=928,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        # The published sections and theta turn too slowly along the width to tell columns apart; a small model has to.
        rope_theta=1000.0,
        mrope_section=(1, 5, 26),
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
LARGEST = 320
"""Cells of the largest region before regions are whole screens."""
WHOLE_FROM, ALL_FROM = 0.6, 0.8
"""The share of the stage after which regions are whole screens, and after which no empty cell is left out."""


def start(seeing: nn.ModuleDict, screens: Path, seed: int, amounts: Amounts, config: Config = BUNDLED) -> Qwen25VL:
    """A network around a pre-trained tower, which stays as it is, wired to use what the tower reads.

    Visual tokens are brought to a smaller scale than that of the text embeddings, by the merger's last layer: the more
    there is to see in a cell the larger they are, and what stands beside that should not be drowned.
    """
    torch.manual_seed(seed)
    model = Qwen25VL(config)
    model.visual.load_state_dict(seeing["tower"].state_dict())
    model.visual.bfloat16().requires_grad_(False)
    pool, _ = _sources(screens, model, seed)
    _fill(pool, amounts.pool)
    tokens = torch.cat([screen.tokens[screen.drawn] for screen in pool.screens]).float()
    factor = 0.6 / tokens.square().mean().sqrt().item()
    last, counts, heads = model.visual.merger.mlp[2], seeing["counts"], seeing["heads"]
    assert isinstance(last, nn.Linear) and isinstance(counts, nn.Linear) and isinstance(heads, DenseHeads)
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)
    reading = Reading(
        tokens * factor,
        counts.weight.detach() / factor,
        counts.bias.detach(),
        heads.edges.weight.detach() / factor,
        heads.edges.bias.detach(),
        (heads.kinds.weight[1:].mean(0) - heads.kinds.weight[0]).detach() / factor,
    )
    xs, ys = Grid(FIRST_X, len(X_TOKENS), GRID), Grid(FIRST_Y, len(Y_TOKENS), GRID)
    prompt = [*HEAD, *encode('click "Example" button'), VISION_START]
    wire(model, reading, prompt, turn=(IM_START, IM_END), asked=TAIL[-1], xs=xs, ys=ys)
    told_by_first(model.parameters())
    return model.bfloat16()


def point(
    seeing: nn.ModuleDict, screens: Path, folder: Path, *, minutes: float, seed: int = 1, amounts: Amounts = FULL
) -> Trainer:
    """Points and plans, the tower frozen; regions grow from 48 cells to whole screens."""
    begun = (folder / "point.pt").is_file()
    model = Qwen25VL(BUNDLED).bfloat16() if begun else start(seeing, screens, seed, amounts)
    model.visual.requires_grad_(False)
    hold(model)
    trainer = Trainer(model).bfloat16()
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=0.004, other_lr=5e-4)
    stage = Stage("point", folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer)
    if stage.done:
        return trainer
    pool, rng = _sources(screens, model, seed + stage.step, whole=stage.spent_s / stage.budget_s > WHOLE_FROM)
    _fill(pool, amounts.pool)
    words = Words(rng, held_out=False)
    for scale in stage.steps():
        progress = stage.spent_s / stage.budget_s
        if progress > WHOLE_FROM and not pool.whole:
            pool, rng = _sources(screens, model, seed + stage.step, whole=True)
            _fill(pool, amounts.pool)
        if stage.step % amounts.every == 0:
            pool.grow()
        cells = 48 * (LARGEST / 48) ** (progress / WHOLE_FROM) if progress < WHOLE_FROM else WHOLE
        blank = 0.2 if progress < ALL_FROM else 1.0
        figures = _gradients(trainer.grounding_loss, _grounding(rng, pool, cells, amounts.tokens, blank))
        figures |= _plan(trainer, rng, words, amounts.plans)
        stage.optimizer.step(scale)
        stage.collect({**figures, "cells": cells, "pool": len(pool.screens)})
    return trainer


def _grounding(rng: random.Random, pool: Pool, cells: float, tokens: int, blank: float = 0.2) -> list[Example]:
    """Grounding examples of about `tokens` tokens together."""
    examples: list[Example] = []
    while sum(len(example.ids) for example in examples) < tokens:
        size = cells if cells == WHOLE else rng.uniform(0.5, 1.3) * cells
        examples.append(grounding_example(pool.region(size, blank), rng))
    return examples


def _plan(trainer: Trainer, rng: random.Random, words: Words, count: int, most: int = 5) -> dict[str, float]:
    """Gradients of `count` planning examples, and their figures."""
    return _gradients(trainer.planning_loss, [planning_example(rng, words, most) for _ in range(count)])


def _gradients(
    loss_of: Callable[[Sequence[Example]], tuple[Tensor, dict[str, float]]], examples: Sequence[Example]
) -> dict[str, float]:
    """Gradients of the mean loss; examples of like length go together, so that there is little padding."""
    total: dict[str, float] = {}
    for part in _of_like_length(examples):
        share = len(part) / len(examples)
        loss, figures = loss_of(part)
        torch.autograd.backward(loss * share)
        total = {key: total.get(key, 0.0) + share * value for key, value in figures.items()}
    return total


def _of_like_length(examples: Sequence[Example]) -> list[list[Example]]:
    """Groups of one padded length, in few sizes: the first product of every new shape is slow on a CPU."""
    groups: list[list[Example]] = []
    by_length = sorted(examples, key=lambda example: padded(len(example.ids)))
    for _, same in groupby(by_length, key=lambda example: padded(len(example.ids))):
        rest = list(same)
        while rest:
            size = max(size for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if size <= len(rest))
            groups.append(rest[:size])
            rest = rest[size:]
    return groups


def _fill(pool: Pool, screens: int) -> None:
    while len(pool.screens) < screens:
        pool.grow()


def _sources(screens: Path, model: Qwen25VL, seed: int, *, whole: bool = False) -> tuple[Pool, random.Random]:
    """Screens and chance of this worker alone."""
    own = seed + 7919 * rank()
    torch.manual_seed(own)
    return Pool(screens, model.visual, own, whole=whole), random.Random(own)

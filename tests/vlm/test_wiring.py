"""The circuits that the language model starts with do, before any training, what they are there for."""

import random

import pytest
import torch
from torch import Tensor

from action_space.geometry import Box
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary
from vlm.training.data.render import Element
from vlm.training.data.words import Words
from vlm.training.multimodal import (
    IM_START,
    IMAGE_PAD,
    VISION_START,
    Trainer,
    collate,
    grounding_example,
    planning_example,
)
from vlm.training.pool import Named, Region
from vlm.training.stages import BUNDLED
from vlm.training.wiring import COPYING, LOOK_LAYER, Reading, wire

NAMES = ("Save", "Delete", "Open file", "Log in", "Quick jump", "Wax box", "Help", "Zebra")
WIDTH = BUNDLED.text.hidden_size


def counted(name: str) -> Tensor:
    counts = torch.zeros(36)
    for letter in name.lower().replace(" ", ""):
        counts[ord(letter) - ord("a")] += 1
    return counts


@pytest.fixture(scope="module")
def reading() -> Reading:
    """Visual tokens that a tower might give: mostly chance, with letter counts along directions of their own."""
    torch.manual_seed(1)
    shape = torch.logspace(0, -2, WIDTH)
    tokens = torch.randn(2000, WIDTH) * shape
    directions = torch.linalg.qr(torch.randn(100, 36)).Q.T
    counts = torch.poisson(torch.full((2000, 36), 0.2))
    weight = torch.zeros(36, WIDTH)
    weight[:, :100] = directions
    tokens[:, :100] -= tokens[:, :100] @ directions.T @ directions
    return Reading(tokens + counts @ weight, weight, torch.zeros(36))


@pytest.fixture(scope="module")
def trainer(reading: Reading) -> Trainer:
    torch.manual_seed(2)
    model = Qwen25VL(BUNDLED)
    wire(model, reading, picture=VISION_START, turn=IM_START)
    return Trainer(model).bfloat16().requires_grad_(False)


def test_names_find_the_tokens_with_their_letters(trainer: Trainer, reading: Reading) -> None:
    tokens = reading.tokens[: len(NAMES)] + torch.stack([counted(name) for name in NAMES]) @ reading.weight
    box = Box(0, 0, 28, 28)
    named = [Named(Element("button", name, box), token) for name, token in zip(NAMES, tokens.bfloat16(), strict=True)]
    _, figures = trainer.alignment_loss(named, range(len(named)), 0, random.Random(3))
    assert figures["align_right"] >= 0.75


def test_heads_of_the_first_layer_look_one_and_two_tokens_back(trainer: Trainer) -> None:
    words = Words(random.Random(4), held_out=False)
    batch = collate([planning_example(random.Random(4), words)])
    layer = trainer.model.language_model.layers[0]
    x = layer.input_layernorm(trainer.model.language_model.embed_tokens(batch.ids))  # type: ignore[operator, union-attr]
    heads = layer.self_attn.qkv_proj(x).view(1, x.shape[1], -1, 64).transpose(1, 2)  # type: ignore[operator, union-attr]
    cos, sin = trainer.table(batch.positions)
    queries, keys = apply_rotary(heads[:, 2:4], cos, sin), apply_rotary(heads[:, 5:6], cos, sin)
    scores = (queries @ keys.transpose(2, 3)).float()[0] / 8
    later = ~torch.ones(scores.shape[1:]).tril().bool()
    attention = scores.masked_fill(later, float("-inf")).softmax(-1)
    for back in (1, 2):
        assert torch.diagonal(attention[back - 1], -back).mean() > 0.8


def test_copying_heads_look_where_the_same_two_tokens_were(trainer: Trainer) -> None:
    rng = random.Random(5)
    words = Words(rng, held_out=False)
    examples = [planning_example(rng, words, 2) for _ in range(8)]
    batch = collate(examples)
    _, looked = trainer.looking_loss(batch, trainer.states(batch), COPYING)
    evenly = (batch.look_at.sum(1) / batch.look_from[:, 1]).mean()
    assert looked > 5 * evenly


@pytest.mark.parametrize("axis", [0, 1])
def test_a_visual_token_knows_its_row_and_its_column(trainer: Trainer, reading: Reading, axis: int) -> None:
    """Its state after two layers tells apart places far from each other, whatever is drawn there."""
    torch.manual_seed(6)
    places = torch.cartesian_prod(torch.arange(26), torch.arange(46))[torch.randperm(26 * 46)[:500].sort().values]
    box = Box(0, 0, 28, 28)
    tokens = reading.tokens[torch.randint(2000, (500,))].bfloat16()
    region = Region(tokens, places, torch.ones(500).bool(), (26, 46), box, Element("button", "Save", box))
    batch = collate([grounding_example(region, random.Random(6))])
    state = trainer.states(batch, 2)[-1][batch.ids == IMAGE_PAD].float()
    apart = (places[:, None] - places[None]).abs()
    level = apart[..., 1 - axis] <= 1
    near, far = level & (apart[..., axis] <= 1), level & (apart[..., axis] > 8)
    blind = trainer.states(batch, 0)[0][batch.ids == IMAGE_PAD].float()
    moved = torch.cdist(state - blind, state - blind)
    assert moved[far].mean() > 1.5 * moved[near].mean()


def test_what_is_looked_for_does_not_turn(trainer: Trainer) -> None:
    """The fast frequencies of the looking layer start at zero and have no gradient, so that they stay there."""
    projection = trainer.model.language_model.layers[LOOK_LAYER].self_attn.qkv_proj  # type: ignore[union-attr]
    queries = projection.weight[: 6 * 64].view(6, 64, WIDTH)  # type: ignore[index, union-attr]
    assert (queries[:, :16] == 0).all() and (queries[:, 32:48] == 0).all()
    assert (queries[:, 17:32] != 0).any()

"""The circuits that the language model starts with do, before any training, what they are there for."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from action_space.geometry import Box
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary
from vlm.training.data.render import Element
from vlm.training.data.words import Words
from vlm.training.dense import CELL
from vlm.training.multimodal import (
    FIRST_X,
    FIRST_Y,
    HEAD,
    IM_END,
    IM_START,
    IMAGE_PAD,
    TAIL,
    VISION_START,
    Batch,
    Trainer,
    collate,
    encode,
    grounding_example,
    planning_example,
)
from vlm.training.pool import Region
from vlm.training.stages import BUNDLED
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS
from vlm.training.wiring import AIM_LAYERS, COPYING, LOOK_LAYER, POINTING, Grid, Reading, hold, turns, wave_of, wire

NAMES = ("Save", "Delete", "Open file", "Log in", "Quick jump", "Wax box", "Help", "Zebra", "Country", "Next page")
WIDTH = BUNDLED.text.hidden_size
WIDE = 3
"""Cells of every control."""


@pytest.fixture(scope="module")
def reading() -> Reading:
    """How a tower might tell what it sees: letters, edges and controls along directions of their own."""
    torch.manual_seed(1)
    own = torch.linalg.qr(torch.randn(WIDTH, 41)).Q.T
    letters, edges, control = own[:36], own[36:40], own[40]
    tokens = torch.randn(2000, WIDTH) * torch.logspace(0, -2, WIDTH)
    tokens -= tokens @ own.T @ own
    tokens += torch.poisson(torch.full((2000, 36), 0.1)) @ letters + torch.randn(2000, 4) @ edges
    return Reading(tokens, letters, torch.zeros(36), edges, torch.zeros(4), control)


@pytest.fixture(scope="module")
def trainer(reading: Reading) -> Trainer:
    torch.manual_seed(2)
    model = Qwen25VL(BUNDLED)
    prompt = [*HEAD, *encode('click "Example" button'), VISION_START]
    grids = Grid(FIRST_X, len(X_TOKENS), GRID), Grid(FIRST_Y, len(Y_TOKENS), GRID)
    wire(model, reading, prompt, turn=(IM_START, IM_END), asked=TAIL[-1], xs=grids[0], ys=grids[1])
    return Trainer(model).bfloat16().requires_grad_(False)


def screen(reading: Reading, meant: int, seed: int) -> Region:
    """A screen of 20 x 40 cells with a control for every name, its letters spread over its cells."""
    torch.manual_seed(seed)
    rows, columns = 20, 40
    own = torch.cat((reading.weight, reading.edges, reading.control[None]))
    tokens = torch.randn(rows, columns, WIDTH) * torch.logspace(-1, -2, WIDTH)
    tokens -= tokens @ own.T @ own
    boxes = []
    for number, row in enumerate(torch.randperm(rows)[: len(NAMES)].tolist()):
        left = int(torch.randint(columns - WIDE, ()))
        boxes.append(Box(left * CELL, row * CELL, (left + WIDE) * CELL, (row + 1) * CELL))
        for place, letter in enumerate(NAMES[number].lower().replace(" ", "")):
            tokens[row, left + place % WIDE] += reading.weight[ord(letter) - ord("a")]
        for cell in range(WIDE):
            away = torch.tensor([cell + 0.5, 0.5, WIDE - cell - 0.5, 0.5])
            tokens[row, left + cell] += away @ reading.edges + reading.control
    box = boxes[meant]
    area = torch.zeros(rows, columns).bool()
    area[box.top // CELL, box.left // CELL : box.right // CELL] = True
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    element = Element("button", NAMES[meant], box)
    return Region(tokens.flatten(0, 1).bfloat16(), places, area.flatten(), (rows, columns), box, element)


@pytest.fixture(scope="module")
def screens(reading: Reading) -> Batch:
    rng = random.Random(3)
    return collate([grounding_example(screen(reading, meant, meant), rng) for meant in range(len(NAMES))])


def test_names_find_the_controls_on_which_their_letters_stand(trainer: Trainer, screens: Batch) -> None:
    _, looked = trainer.looking_loss(screens, trainer.states(screens), POINTING)
    assert looked > 0.6


def test_the_middle_of_what_was_found_is_said(trainer: Trainer, reading: Reading) -> None:
    rng = random.Random(4)
    _, figures = trainer.grounding_loss([grounding_example(screen(reading, n, n), rng) for n in range(len(NAMES))])
    assert figures["hits"] >= 0.6


def test_a_visual_token_carries_the_waves_of_its_place(trainer: Trainer, reading: Reading) -> None:
    """Where nothing says how far edges are away, the waves are those of the cell itself."""
    region = screen(reading, 0, 0)
    batch = collate([grounding_example(region, random.Random(3))])
    blank = (region.tokens.float() @ reading.control).abs() < 0.5
    state = trainer.states(batch, AIM_LAYERS[-1] + 1)[-1][batch.ids == IMAGE_PAD].float()[blank]
    expected = wave_of(region.places[blank].float(), turns(BUNDLED.text))
    # Along which directions the waves are written is found from every second cell.
    written = torch.linalg.lstsq(state[::2], expected[::2]).solution
    assert F.cosine_similarity(state[1::2] @ written, expected[1::2], dim=1).mean() > 0.97


def test_what_is_held_has_no_gradients_and_the_rest_has() -> None:
    torch.manual_seed(6)
    model = Qwen25VL(BUNDLED)
    hold(model)
    torch.autograd.backward(model(input_ids=torch.randint(256, (1, 20))).logits.sum())
    first, free, last = (model.language_model.layers[index] for index in (0, LOOK_LAYER - 2, LOOK_LAYER))
    assert (first.self_attn.qkv_proj.weight.grad == 0).all()  # type: ignore[union-attr]
    for layer in (free, last):
        assert (layer.self_attn.qkv_proj.weight.grad != 0).any(1).all()  # type: ignore[union-attr]
    aim = model.language_model.layers[AIM_LAYERS[0]].mlp
    held = (aim.gate_up_proj.weight.grad == 0).all(1)  # type: ignore[union-attr]
    assert 0 < held.sum() < len(held) / 8
    assert (first.mlp.down_proj.weight.grad != 0).any()  # type: ignore[union-attr]


def _attention(trainer: Trainer, batch: Batch) -> Tensor:
    """`[2, L, L]`: of the second group's heads in the first layer."""
    layer = trainer.model.language_model.layers[0]
    x = layer.input_layernorm(trainer.model.language_model.embed_tokens(batch.ids))  # type: ignore[operator]
    heads = layer.self_attn.qkv_proj(x).view(1, x.shape[1], -1, 64).transpose(1, 2)  # type: ignore[operator, union-attr]
    cos, sin = trainer.table(batch.positions)
    queries, keys = apply_rotary(heads[:, 2:4], cos, sin), apply_rotary(heads[:, 5:6], cos, sin)
    scores = (queries @ keys.transpose(2, 3)).float()[0] / 8
    later = ~torch.ones(scores.shape[1:]).tril().bool()
    return scores.masked_fill(later, float("-inf")).softmax(-1)


def test_heads_of_the_first_layer_look_one_and_two_tokens_back(trainer: Trainer) -> None:
    words = Words(random.Random(4), held_out=False)
    attention = _attention(trainer, collate([planning_example(random.Random(4), words)]))
    for back in (1, 2):
        assert torch.diagonal(attention[back - 1], -back).mean() > 0.8


def test_copying_heads_look_where_the_same_two_tokens_were(trainer: Trainer) -> None:
    rng = random.Random(5)
    words = Words(rng, held_out=False)
    batch = collate([planning_example(rng, words, 2) for _ in range(8)])
    _, looked = trainer.looking_loss(batch, trainer.states(batch), COPYING)
    evenly = (batch.look_at.sum(1) / batch.look_from[:, 1]).mean()
    assert looked > 5 * evenly


def test_what_is_looked_for_does_not_turn(trainer: Trainer) -> None:
    """The fast frequencies of the looking layer start at zero and have no gradient, so that they stay there."""
    projection = trainer.model.language_model.layers[LOOK_LAYER].self_attn.qkv_proj  # type: ignore[union-attr]
    queries = projection.weight[: 6 * 64].view(6, 64, WIDTH)  # type: ignore[index, union-attr]
    assert (queries[:, :16] == 0).all() and (queries[:, 32:48] == 0).all()
    assert (queries[:, 17:32] != 0).any()

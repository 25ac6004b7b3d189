"""The circuits that the language model starts with do what they are there for."""

import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from action_space.geometry import Box
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary
from vlm.training.circuits import COPYING, LOOK_LAYER, PLACE, STRAIGHTEN_LAYER, Directions, turns, waves_at
from vlm.training.data.render import Element
from vlm.training.data.words import Words
from vlm.training.dense import CELL
from vlm.training.multimodal import (
    IMAGE_PAD,
    Batch,
    Trainer,
    collate,
    grounding_example,
    planning_example,
)
from vlm.training.pool import Control, Region
from vlm.training.reader import Heads, Reader
from vlm.training.stages import BUNDLED, PROMPT, sample_of, view_of
from vlm.training.wiring import directions, size_of, wire_pictures, wire_text

NAMES = ("Save", "Delete", "Open file", "Log in", "Quick jump", "Wax box", "Help", "Zebra", "Country", "Next page")
WIDTH = BUNDLED.text.hidden_size
WIDE = 3
"""Cells of every control."""
SPEED = turns(BUNDLED.text)
OWN = torch.linalg.qr(torch.randn(WIDTH, 41, generator=torch.Generator().manual_seed(1))).Q.T
"""Along which directions a tower might tell letters `[36]`, edges `[4]` and controls `[1]`."""


def screen(d: Directions, seed: int) -> Region:
    """A screen of 20 x 40 cells with a control for every name, its letters spread over its cells."""
    torch.manual_seed(seed)
    rows, columns = 20, 40
    tokens = 0.1 * torch.randn(rows, columns, WIDTH)
    tokens -= tokens @ OWN.T @ OWN + tokens @ d.kept().T @ d.kept()
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    controls = []
    for name, row in zip(NAMES, torch.randperm(rows).tolist(), strict=False):
        left = int(torch.randint(columns - WIDE, ()))
        box = Box(left * CELL, row * CELL, (left + WIDE) * CELL, (row + 1) * CELL)
        for place, letter in enumerate(name.lower().replace(" ", "")):
            tokens[row, left + place % WIDE] += 0.5 * OWN[ord(letter) - ord("a")]
        for cell in range(WIDE):
            tokens[row, left + cell] += torch.tensor([cell + 0.5, 0.5, WIDE - cell - 0.5, 0.5]) @ OWN[36:40] + OWN[40]
        area = (places[:, 0] == row) & (places[:, 1] >= left) & (places[:, 1] < left + WIDE)
        controls.append(Control(Element("button", name, box), area, box, box))
    tokens += 20 * d.visual[0]
    return Region(tokens.flatten(0, 1).bfloat16(), places, (rows, columns), tuple(controls))


@pytest.fixture(scope="module")
def d() -> Directions:
    torch.manual_seed(1)
    tokens = torch.randn(2000, WIDTH) * torch.logspace(0, -2, WIDTH)
    return directions(tokens - tokens @ OWN.T @ OWN, OWN)


@pytest.fixture(scope="module")
def model(d: Directions) -> Qwen25VL:
    torch.manual_seed(2)
    model = Qwen25VL(BUNDLED)
    wire_text(model, d, PROMPT)
    return model.bfloat16().requires_grad_(False)


@pytest.fixture(scope="module")
def reader(model: Qwen25VL, d: Directions) -> Reader:
    sample = sample_of(screen(d, 0), random.Random(0))
    rest = size_of(model, sample, LOOK_LAYER) * float(WIDTH**0.5)
    size = size_of(model, sample, 0, attended=True)
    torch.manual_seed(3)
    reader = Reader(BUNDLED.text.intermediate_size, d, SPEED, Heads(OWN, torch.zeros(41)), size=size, rest=rest)
    return reader.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def trainer(model: Qwen25VL, d: Directions, reader: Reader) -> Trainer:
    wire_pictures(model, d, PROMPT, reader.told(), sample_of(screen(d, 0), random.Random(0)))
    return Trainer(model)


def test_names_find_the_controls_on_which_their_letters_stand(trainer: Trainer, d: Directions) -> None:
    _, figures = trainer.grounding_loss([grounding_example(screen(d, 5), random.Random(4))])
    assert figures["look"] > 0.5
    assert figures["hits"] >= 0.7


def test_the_network_finds_what_the_simulation_finds(trainer: Trainer, reader: Reader, d: Directions) -> None:
    region = screen(d, 6)
    _, ideal = reader.loss(view_of(trainer.model, region, random.Random(4)))
    _, real = trainer.grounding_loss([grounding_example(region, random.Random(4))])
    assert real["look"] == pytest.approx(ideal["look"], abs=0.1)


def test_the_aim_is_better_the_nearer_it_is(trainer: Trainer, reader: Reader, d: Directions) -> None:
    """The reader begins with the middles of controls, which are those of this screen's names, and with clicks at every
    cell's own place."""
    view = view_of(trainer.model, screen(d, 7), random.Random(4))
    middle, click = reader.aim(view)
    for away in ((2, 0), (0, 2)):
        x, y = CELL * away[0], CELL * away[1]
        moved = [
            reader.aim(
                replace(
                    view,
                    middles=view.middles + k * torch.tensor([float(x), float(y)]),
                    boxes=tuple(Box(b.left, b.top + k * y, b.right, b.bottom + k * y) for b in view.boxes),
                )
            )
            for k in (1, 2)
        ]
        assert 3 * middle < moved[0][0] < moved[1][0]
        assert y == 0 or 3 * click < moved[0][1] < moved[1][1]


def test_all_controls_count_the_same_for_the_aim(trainer: Trainer, reader: Reader, d: Directions) -> None:
    view = view_of(trainer.model, screen(d, 7), random.Random(4))
    middles = view.middles[:2] + torch.tensor([[3.0 * CELL, 0.0], [0.0, 0.0]])
    view = replace(view, areas=view.areas[:2], middles=middles)
    other, _ = reader.aim(replace(view, areas=view.areas[1:], middles=middles[1:], boxes=view.boxes[1:]))
    narrow = view.areas.clone()
    narrow[0, torch.nonzero(narrow[0])[1:]] = False  # one cell of the first, three of the second
    alone, _ = reader.aim(replace(view, areas=narrow[:1], middles=middles[:1]))
    assert reader.aim(replace(view, areas=narrow))[0].item() == pytest.approx(((alone + other) / 2).item(), rel=0.01)


def test_a_visual_token_carries_the_waves_of_its_place(trainer: Trainer, d: Directions) -> None:
    region = screen(d, 0)
    batch = collate([grounding_example(region, random.Random(3))])
    state = trainer.states(batch, STRAIGHTEN_LAYER + 1)[-1][batch.ids == IMAGE_PAD].float()
    expected = waves_at(region.places.float(), SPEED).flatten(1)
    assert (state @ d.places.T / PLACE - expected).abs().mean() < 0.05


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


def test_text_passes_the_pictures_circuits_as_it_is(trainer: Trainer, d: Directions) -> None:
    """What is read of pictures is closed for text: plans do not depend on it."""
    words = Words(random.Random(8), held_out=False)
    batch = collate([planning_example(random.Random(8), words)])
    states = trainer.states(batch, LOOK_LAYER)
    for direction in (d.turns, d.found, d.code, d.weight, d.control):
        assert (states[-1].float() @ direction.T).abs().max() < 1.0

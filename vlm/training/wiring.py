"""A start for the language model: four circuits that it would need, and find late.

On two CPU cores the first thousand steps of a network with random weights go into finding out that positions, letters
and the letter before matter at all. So its matrices start with those circuits in them, roughly tuned, and training
goes on from there; nothing is held fixed but what `LOOK_LAYER` says of frequencies. The rest starts at random.

* Place: heads of layers 0 and 1 weigh the token in front of the picture by a cosine of the distance in rows or columns.
* Memory: two heads of layer 0 fetch the two tokens before (an induction circuit's first half, Olsson et al., 2022).
* Letters: the token in front of the picture collects the letters of the instruction (layer 2), and every token fetches
  them from there (layer 3).
* Looking (layer 4): collected letters meet the letters that the tower reads in a cell, and copying heads look for the
  place in the task that follows the same two tokens.

Directions of the residual stream in which visual tokens hardly vary are kept for what the circuits write.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vlm.config import TextConfig
from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.training.dense import COUNTED, FOLDED

LOOK_LAYER = 4
"""The layer (from 0) whose heads are taught what to look at."""
POINTING, COPYING = 0, 1
"""Which group of its heads looks for what."""
FASTEST_TURN = 0.03
"""Radians a token for the frequencies by which those heads may look: what is looked for must not depend on how far
away it is, so the faster ones start at zero, where they stay."""
QUIET = 0.3
CODE = 15
"""Numbers that stand for a token that came before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the tower says what stands in a cell: tokens `[n, width]` of cells with something in them, and the weight
    `[36, width]` and bias `[36]` that tell from a token how often each letter or digit occurs."""

    tokens: Tensor
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Directions:
    """Orthonormal rows: letters `[36]`, the codes of one and two tokens before `[15]` each, places `[6]`, the token in
    front of the picture and the token that starts a turn `[1]` each, and the code `[15]` that a token itself has."""

    letters: Tensor
    before: Tensor
    before_that: Tensor
    places: Tensor
    picture: Tensor
    turn: Tensor
    itself: Tensor


class Wires:
    """The rows of one decoder layer's fused matrices, by what they are for."""

    def __init__(self, layer: nn.Module, text: TextConfig) -> None:
        assert isinstance(layer, DecoderLayer)
        self.qkv, self.out = layer.self_attn.qkv_proj, layer.self_attn.o_proj
        self.size, self.heads, self.groups = text.head_dim, text.num_attention_heads, text.num_key_value_heads

    def query(self, head: int) -> slice:
        return slice(head * self.size, (head + 1) * self.size)

    def key(self, group: int) -> slice:
        return slice((self.heads + group) * self.size, (self.heads + group + 1) * self.size)

    def value(self, group: int) -> slice:
        return slice((self.heads + self.groups + group) * self.size, (self.heads + self.groups + group + 1) * self.size)

    def set(self, rows: slice, weight: Tensor | None, bias: Tensor | None = None) -> None:
        """weight `[head_dim, width]` and bias `[head_dim]`, or zeros."""
        self.qkv.weight[rows] = 0 if weight is None else weight.to(self.qkv.weight.dtype)
        self.qkv.bias[rows] = 0 if bias is None else bias.to(self.qkv.bias.dtype)


def turns(text: TextConfig) -> Tensor:
    """Radians a token for each pair of numbers in a head."""
    return torch.tensor(text.rope_theta) ** (-torch.arange(0, text.head_dim, 2) / text.head_dim)


@torch.no_grad()
def wire(model: Qwen25VL, reading: Reading, *, picture: int, turn: int) -> None:
    """Write the circuits into a fresh network. picture, turn: ids of `<|vision_start|>` and `<|im_start|>`."""
    text = model.config.text
    directions = _directions(reading.tokens)
    _embed(model, directions, picture, turn)
    layers = [Wires(layer, text) for layer in model.language_model.layers]
    for layer in model.language_model.layers:
        # What starts at random should not drown what the circuits write (as GPT-2 scales its residual branches).
        layer.self_attn.o_proj.weight *= QUIET  # type: ignore[operator, union-attr]
        layer.mlp.down_proj.weight *= QUIET  # type: ignore[operator, union-attr]
    speed = turns(text)
    height, width = text.mrope_section[0], text.mrope_section[0] + text.mrope_section[1]
    slow_row, row, slow_column, column = height + 6, height + 2, width + 3, width
    quarter = math.pi / 2
    _remember(layers[0], directions, speed)
    _place(layers[0], 0, directions, ((slow_row, 0.0), (slow_row, quarter)), directions.places[:2])
    _place(layers[1], 0, directions, ((row, 0.0), (slow_column, 0.0)), directions.places[2:4])
    _place(layers[1], 1, directions, ((slow_column, quarter), (column, 0.0)), directions.places[4:6])
    _collect(layers[2], directions)
    _fetch(layers[3], directions)
    _look(layers[LOOK_LAYER], directions, reading, speed)


def _directions(tokens: Tensor) -> Directions:
    """The directions in which visual tokens vary least, least of all those for letters."""
    least = torch.linalg.eigh(tokens.float().T @ tokens.float()).eigenvectors.T
    sizes = [COUNTED, CODE, CODE, 6, 1, 1]
    letters, before, before_that, places, picture, turn, rest = torch.split(
        least, [*sizes, least.shape[0] - sum(sizes)]
    )
    rest = torch.cat((letters, rest))
    itself = torch.linalg.qr(torch.randn(rest.shape[0], CODE)).Q.T @ rest
    return Directions(letters, before, before_that, places, picture, turn, itself)


def _embed(model: Qwen25VL, d: Directions, picture: int, turn: int) -> None:
    """Embeddings of mean square 1; a letter is its direction and something of its own."""
    embedding = model.language_model.embed_tokens.weight
    size = embedding.shape[1] ** 0.5
    taken = torch.cat((d.letters, d.before, d.before_that, d.places, d.picture, d.turn))
    table = torch.randn(embedding.shape)
    table -= table @ taken.T @ taken
    table *= size / table.norm(dim=1, keepdim=True)
    folded = torch.full((256,), COUNTED)
    folded[32:127] = FOLDED[:95]
    letters = torch.nonzero(folded < COUNTED).flatten()
    table[letters] = 0.4 * table[letters] + 0.9 * size * d.letters[folded[letters]]
    table[picture], table[turn] = size * d.picture[0], size * d.turn[0]
    embedding.copy_(table)


def _place(wires: Wires, group: int, d: Directions, waves: tuple[tuple[int, float], ...], written: Tensor) -> None:
    """Each head of a group writes a direction as strongly as it looks in front of the picture, by a cosine of the
    distance; what it does not give there goes to the starts of turns, whose value is nothing.

    waves: a pair of numbers in the head, which turns with the row or the column, and a phase.
    """
    half, size = wires.size // 2, d.picture.shape[1] ** 0.5
    last = half - 1  # hardly turns
    key = torch.zeros(wires.size, d.picture.shape[1])
    key[last] = (d.picture[0] + d.turn[0]) / size * 8
    for pair, _ in waves:
        key[pair] = d.picture[0] / size * 4
    wires.set(wires.key(group), key)
    value = torch.zeros_like(key)
    value[0] = d.picture[0] / size
    wires.set(wires.value(group), value)
    shared = wires.heads // wires.groups
    for number, (pair, phase) in enumerate(waves):
        head = group * shared + number
        query = torch.zeros(wires.size)
        query[last] = 9.0
        query[pair], query[pair + half] = 4 * math.cos(phase), 4 * math.sin(phase)
        wires.set(wires.query(head), None, query)
        wires.out.weight[:, head * wires.size : (head + 1) * wires.size] = 0
        wires.out.weight[:, head * wires.size] = 6 * written[number].to(wires.out.weight.dtype)


def _remember(wires: Wires, d: Directions, speed: Tensor) -> None:
    """The heads of the second group look one and two tokens back, whatever stands there, and write its code."""
    half = wires.size // 2
    sharp = torch.cat((torch.ones(8), torch.zeros(half - 8))) * 7
    wires.set(wires.key(1), None, torch.cat((sharp, torch.zeros(half))))
    value = torch.zeros(wires.size, d.itself.shape[1])
    value[:CODE] = d.itself
    wires.set(wires.value(1), value)
    shared = wires.heads // wires.groups
    for back, written in ((1, d.before), (2, d.before_that)):
        head = shared + back - 1
        # Turned back by `back` tokens, so that it meets the key of the token so far behind.
        query = torch.cat((sharp * (back * speed).cos(), -sharp * (back * speed).sin()))
        wires.set(wires.query(head), None, query)
        wires.out.weight[:, head * wires.size : (head + 1) * wires.size] = 0
        wires.out.weight[:, head * wires.size : head * wires.size + CODE] = written.T.to(wires.out.weight.dtype)


def _collect(wires: Wires, d: Directions) -> None:
    """The first group's heads take the mean of the letters of all tokens before."""
    _carry(wires, d, gain=1.0)
    for head in range(wires.heads // wires.groups):
        wires.set(wires.query(head), None)


def _fetch(wires: Wires, d: Directions) -> None:
    """The first group's heads take the letters that the token in front of the picture has collected."""
    _carry(wires, d, gain=0.5)
    size, last = d.picture.shape[1] ** 0.5, wires.size // 2 - 1
    key, query = torch.zeros(wires.size, d.picture.shape[1]), torch.zeros(wires.size)
    key[last], query[last] = d.picture[0] / size * 10, 10.0
    wires.set(wires.key(0), key)
    for head in range(wires.heads // wires.groups):
        wires.set(wires.query(head), None, query)


def _carry(wires: Wires, d: Directions, gain: float) -> None:
    value = torch.zeros(wires.size, d.letters.shape[1])
    value[:COUNTED] = d.letters
    wires.set(wires.value(0), value)
    for head in range(wires.heads // wires.groups):
        columns = slice(head * wires.size, (head + 1) * wires.size)
        wires.out.weight[:, columns] = gain * value.T.to(wires.out.weight.dtype)


def _look(wires: Wires, d: Directions, reading: Reading, speed: Tensor) -> None:
    slow = torch.nonzero(speed <= FASTEST_TURN).flatten()
    rows = torch.cat((slow, slow + wires.size // 2))
    count, shared = len(rows), wires.heads // wires.groups
    read = reading.tokens.float() @ reading.weight.float().T + reading.bias.float()
    # The rarer a letter, the more it tells. Fewer numbers than letters: a random projection keeps products well enough.
    scale = read.std(0).add(0.02).reciprocal().unsqueeze(1)
    mixed = torch.linalg.qr(torch.randn(COUNTED, min(count, COUNTED))).Q.T
    sharpness = 6.0
    query, key = torch.zeros(2, wires.size, d.letters.shape[1])
    bias = torch.zeros(wires.size)
    query[rows[: len(mixed)]] = sharpness * mixed @ d.letters
    key[rows[: len(mixed)]] = mixed @ (scale * reading.weight.float())
    bias[rows[: len(mixed)]] = mixed @ (scale.squeeze(1) * (reading.bias.float() - read.mean(0)))
    wires.set(wires.key(POINTING), key, bias)
    for head in range(shared):
        wires.set(wires.query(POINTING * shared + head), query)
    query, key = torch.zeros(2, wires.size, d.letters.shape[1])
    code = min(CODE, count // 2)
    query[rows[: 2 * code]] = 1.4 * torch.cat((d.itself[:code], d.before[:code]))
    key[rows[: 2 * code]] = 1.4 * torch.cat((d.before[:code], d.before_that[:code]))
    wires.set(wires.key(COPYING), key)
    for head in range(shared):
        wires.set(wires.query(COPYING * shared + head), query)

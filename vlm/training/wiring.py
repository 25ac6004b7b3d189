"""A start for the language model: the circuits that it would need, and find late.

On two CPU cores the first thousand steps of a network with random weights go into finding out that positions, letters
and the letter before matter at all. So its matrices start with those circuits in them. Layers up to `LOOK_LAYER` point,
those behind plan; what no circuit uses starts at random, and writes nothing at first.

* Reading: the first layer's MLP tells of every visual token what it shows (`vlm.training.reader`).
* Place: heads of layers 0 to 3 weigh the token in front of the picture by a cosine of the distance in rows or columns;
  an MLP makes circles of these waves (layer 3), and another turns them on to the middle of the control (layer 4).
* Memory: two heads of layer 0 fetch the two tokens before (an induction circuit's first half, Olsson et al., 2022).
* Letters: the token in front of the picture collects the letters of the instruction (layer 2), and every token fetches
  them from there (layer 4). Visual tokens gather the letters of all cells with the same middle, so that each has those
  of its control's whole name (layer 6).
* Looking (layer 7): letters of the instruction meet those of a control.
* Copying (layer 10): heads look for the place in the task that follows the same two tokens.
* Saying: the waves that were found are compared with those of every point of the grid, copied letters with all letters.

Directions of the residual stream in which visual tokens hardly vary are kept for what the circuits write.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.config import TextConfig
from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.rope import mrope_table
from vlm.training.dense import CELL, COUNTED, FOLDED

LOOK_LAYER, COPY_LAYER = 7, 10
"""The layers (from 0) in which heads look for what an instruction means, and for what to copy."""
POINTING, COPYING = (LOOK_LAYER, 0), (COPY_LAYER, 1)
"""Those heads: layer and group."""
STRAIGHTEN_LAYER, TURN_LAYER, MEASURE_LAYER = 3, 4, 5
"""Whose MLPs make circles of the waves, turn them on to the middle of the control, and take their length."""
STEADY_LAYER = 3
"""In which heads make visual tokens alike long."""
FETCH_LAYER = 4
"""In which every token fetches the letters that were collected in front of the picture."""
FASTEST_TURN = 0.03
"""Radians a token for the frequencies by which those heads may look: what is looked for must not depend on how far
away it is, so the faster ones start at zero, where they stay."""
WAVES = (5, 3, 1, 6, 13)
"""Pairs of numbers in a head that turn with rows (three) and columns (two): 0.34, 0.52, 0.81, 0.27 and 0.06 a cell."""
AXES = (0, 0, 0, 1, 1)
PLACING = ((0, 0), (1, 0), (1, 1), (2, 1), (3, 1))
"""Layer and group of the heads that write each wave."""
SHARP, STRAIGHT = 4.0, 12
"""How much the scores of a place differ, and units for each number of a wave to make a circle again."""
GATHER = 300.0
"""How strongly gathered letters are written: far above the rest, so that the next norm makes all names alike long."""
OTHERS = 20.0
"""Score against tokens of text, where something is looked for in a picture."""
SAME, UNSEEN, COPIED, TURNS = 3.5, 3.0, 0.3, 4.5
"""How surely a copying head looks for the same two tokens, how surely points are not said where none was
found, and letters that were found are."""
PLACE, VISUAL, STEADY, TEXT, FOUND = 8.0, 20.0, 50.0, 8.0, 20.0
"""How strongly the waves of a place, and what visual tokens (at first, and steadied) and those of text share, are
written; and what is found."""
TURNED, CODED = 2.0, 8.0
"""How strongly is written what was read: turns, and all else."""
CODE, MIXED = 15, 28
"""Numbers that stand for a token that came before, and for gathered letters."""
READ = 2 * len(WAVES) + MIXED + 2
"""Numbers that are read of a visual token: turns, letters, how much to gather it, how surely it is a control."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt with a picture, to measure how large its states are: ids `[L]` up to the token after which the answer
    begins, positions `[3, L]`, and visual tokens `[n, width]`, which begin at number `start`."""

    ids: Tensor
    positions: Tensor
    features: Tensor
    start: int

    def pictured(self) -> slice:
        """Which are the visual tokens."""
        return slice(self.start, self.start + len(self.features))


@dataclass(frozen=True, slots=True)
class Grid:
    """The tokens that say where: the first of `count` for `x = 0` or `y = 0`, and so on, `step` pixels apart."""

    first: int
    count: int
    step: int


@dataclass(frozen=True, slots=True)
class Directions:
    """Orthonormal rows: letters `[36]`; what is read of a visual token, and letters gathered of it `[28]`; the codes of
    one and two tokens before `[15]` each; waves of places, of turns and of the place that was found `[10]` each; how
    much a visual token is to be gathered, how surely it is a control, how long its waves are, the token in front of the
    picture, the one that starts a turn, what all visual tokens share, and all of text, and that one was found in a
    picture `[1]` each; the code `[15]` that a token itself has. mixed `[28, 36]`: how letters are written in fewer
    numbers than there are, which keeps their products well enough. told: what the tower's readers look at."""

    letters: Tensor
    code: Tensor
    gathered: Tensor
    before: Tensor
    before_that: Tensor
    places: Tensor
    turns: Tensor
    found: Tensor
    weight: Tensor
    control: Tensor
    length: Tensor
    picture: Tensor
    turn: Tensor
    visual: Tensor
    text: Tensor
    seen: Tensor
    itself: Tensor
    mixed: Tensor
    told: Tensor

    def taken(self) -> Tensor:
        """All that the circuits write to."""
        own = (getattr(self, part.name) for part in fields(self) if part.name not in ("itself", "mixed", "told"))
        return torch.cat(tuple(own))

    def kept(self) -> Tensor:
        """Where visual tokens have nothing of their own, so that it stays exact what circuits write there."""
        return torch.cat((self.turns, self.code, self.weight, self.control, self.places, self.length, self.gathered))

    def read(self) -> Tensor:
        """`[READ, width]`: where it is written what was read, scaled."""
        return torch.cat((TURNED * self.turns, CODED * self.code, CODED * self.weight, CODED * self.control))


class Wires:
    """The rows of one decoder layer's fused matrices, by what they are for."""

    def __init__(self, layer: nn.Module, text: TextConfig) -> None:
        assert isinstance(layer, DecoderLayer)
        self.qkv, self.out = layer.self_attn.qkv_proj, layer.self_attn.o_proj
        self.gate_up, self.down = layer.mlp.gate_up_proj, layer.mlp.down_proj
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


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader of visual tokens tells the circuits: the rows `[2 * hidden, width]` of its MLP and what it writes
    `[READ, hidden]`; names `[28, 36]`: how the letters of a name are written to be compared with gathered ones; how
    much alike middles have to be, how sharply is looked, and how surely a point is said; rest: how long it took
    the states to be in front of the layer that looks, without what was gathered."""

    gate_up: Tensor
    down: Tensor
    names: Tensor
    alike: float
    sharpness: float
    sure: float
    rest: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """before: ids of an instruction up to `<|vision_start|>`; asking: of the token after which the answer begins; turn:
    of `<|im_start|>` and `<|im_end|>`; xs and ys: the tokens that say where."""

    before: Sequence[int]
    asking: int
    turn: tuple[int, int]
    xs: Grid
    ys: Grid


@torch.no_grad()
def wire_text(model: Qwen25VL, d: Directions, prompt: Prompt) -> None:
    """Write the circuits that do not depend on what is read into a fresh network.

    Visual tokens get what they all share by the bias of the merger's last layer.
    """
    text, language = model.config.text, model.language_model
    speed = turns(text)
    _embed(model, d, (prompt.before[-1], prompt.turn[0]), (prompt.xs, prompt.ys))
    last = model.visual.merger.mlp[2]
    assert isinstance(last, nn.Linear)
    last.bias.add_(VISUAL * d.visual[0].to(last.bias.dtype))
    layers = [Wires(layer, text) for layer in language.layers]
    for wires in layers:
        # Nothing at random drowns what the circuits write; the rest begins to write with its first gradients.
        wires.out.weight.zero_()
        wires.down.weight.zero_()
    ids = torch.tensor(prompt.before)
    for index, wires in enumerate(layers[: FETCH_LAYER + 1]):
        marks = _marks(model, ids, index, d, prompt.turn[0])
        state = _state(model, ids, index)
        others = 9 * d.text[0] / (state @ d.text[0]).mean() + d.visual[0]
        high = 3 + state[-1] @ others, 3 + (state[ids == prompt.turn[0]] @ others).mean()
        marked = high[0] * marks[0], high[1] * marks[1]
        for number, (at, group) in enumerate(PLACING):
            if at == index:
                _place(wires, group, marks, marked, others, WAVES[number], d.places[2 * number : 2 * number + 2])
        if index == 0:
            _remember(wires, d, speed)
        if index == 2:
            _collect(wires, d)
        if index == FETCH_LAYER:
            _fetch(wires, d, marks)
    _copy(model, layers[COPY_LAYER], d, speed)


@torch.no_grad()
def wire_pictures(model: Qwen25VL, d: Directions, prompt: Prompt, told: Told, sample: Sample) -> None:
    """Write the circuits that find what an instruction means, after `wire_text`."""
    text = model.config.text
    speed = turns(text)
    layers = [Wires(layer, text) for layer in model.language_model.layers]
    ids = torch.tensor(prompt.before)
    reader, hidden = layers[0], told.down.shape[1]
    reader.gate_up.weight[:] = told.gate_up.to(reader.gate_up.weight.dtype)
    reader.down.weight[:, :hidden] = (d.read().T @ told.down).to(reader.down.weight.dtype)
    marks = _marks(model, ids, STEADY_LAYER, d, prompt.turn[0])
    _steady(layers[STEADY_LAYER], d, size_of(model, sample, STEADY_LAYER), speed, marks)
    _straighten(layers[STRAIGHTEN_LAYER], d, size_of(model, sample, STRAIGHTEN_LAYER, attended=True))
    _turn(layers[TURN_LAYER], d, size_of(model, sample, TURN_LAYER, attended=True))
    _measure(layers[MEASURE_LAYER], d, size_of(model, sample, MEASURE_LAYER, attended=True))
    marks = _marks(model, ids, LOOK_LAYER - 1, d, prompt.turn[0])
    size = size_of(model, sample, LOOK_LAYER - 1)
    larger = size * d.letters.shape[1] ** 0.5 / told.rest
    _gather(layers[LOOK_LAYER - 1], d, size, speed, marks, told.alike, GATHER * larger)
    letters = letters_of_ids(sample.ids[: sample.start])
    heard = _sample_state(model, sample, LOOK_LAYER, normal=True)[-1] @ d.letters.T
    loudness = float(heard @ letters / letters.square().sum())
    _look(layers[LOOK_LAYER], d, speed, told.sharpness / loudness * told.names, larger)
    _find(layers[LOOK_LAYER], d, _state(model, ids, LOOK_LAYER))
    _say(model, d, speed, told.sure, prompt)


def letters_of_ids(ids: Tensor) -> Tensor:
    """`[36]`: how often each letter and digit occurs in a text, for each of its tokens."""
    folded = torch.full((int(ids.max()) + 256,), COUNTED)
    folded[32:127] = FOLDED[:95]
    return F.one_hot(folded[ids], COUNTED + 1)[:, :COUNTED].float().mean(0)


def read_state(model: Qwen25VL, sample: Sample) -> Tensor:
    """`[n, width]`: what the first layer's MLP sees of visual tokens."""
    return _sample_state(model, sample, 0, attended=True, normal=True)[sample.pictured()]


def size_of(model: Qwen25VL, sample: Sample, layer: int, *, attended: bool = False) -> float:
    """Root mean square of visual tokens before a layer, or before its MLP."""
    states = _sample_state(model, sample, layer, attended=attended)[sample.pictured()]
    return float(states.square().mean(1).sqrt().median())


def _sample_state(
    model: Qwen25VL, sample: Sample, layer: int, *, attended: bool = False, normal: bool = False
) -> Tensor:
    """`[L, width]`: states before a layer, or before its MLP, as they are or as its norm leaves them."""
    text, language = model.config.text, model.language_model
    cos, sin = mrope_table(sample.positions[:, None], text.head_dim, text.rope_theta, text.mrope_section)
    x = language.embed_tokens(sample.ids)[None]
    x[0, sample.pictured()] = sample.features.to(x.dtype)
    cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
    for index in range(layer):
        x = language.layers[index](x, cos, sin, None, None, index)
    last = language.layers[layer]
    assert isinstance(last, DecoderLayer)
    if attended:
        x = x + last.self_attn(last.input_layernorm(x), cos, sin, None, None, layer)
    if normal:
        x = (last.post_attention_layernorm if attended else last.input_layernorm)(x)
    found: Tensor = x[0].float()
    return found


def _marks(model: Qwen25VL, ids: Tensor, layer: int, d: Directions, turn: int) -> tuple[Tensor, Tensor]:
    """Readers `[width]` of a layer's normalised states that give 1 for the last token of a prompt, and for starts of
    turns. How strongly these stand out depends on what the layers before have written there."""
    state = _state(model, ids, layer)
    started = state[ids == turn] @ d.turn[0]
    return d.picture[0] / (state[-1] @ d.picture[0]), d.turn[0] / started.mean()


def _state(model: Qwen25VL, ids: Tensor, layer: int) -> Tensor:
    """`[L, width]`: what a layer's attention sees of a text."""
    text, language = model.config.text, model.language_model
    x = language.embed_tokens(ids)[None]
    positions = torch.arange(len(ids)).expand(3, 1, -1)
    cos, sin = (t.to(x.dtype) for t in mrope_table(positions, text.head_dim, text.rope_theta, text.mrope_section))
    for index in range(layer):
        x = language.layers[index](x, cos.unsqueeze(1), sin.unsqueeze(1), None, None, index)
    state: Tensor = language.layers[layer].input_layernorm(x)[0].float()  # type: ignore[operator]
    return state


def directions(tokens: Tensor, told: Tensor) -> Directions:
    """Of the directions that tell nothing to the tower's readers `told` `[m, width]`, those in which visual tokens
    `[n, width]` vary least."""
    basis = torch.linalg.svd(told.float()).Vh
    told, untold = basis[: len(told)], basis[len(told) :]
    seen = tokens.float() @ untold.T
    least = torch.linalg.eigh(seen.T @ seen).eigenvectors.T @ untold
    waves = 2 * len(WAVES)
    sizes = [waves, waves, waves, *[1] * 8, MIXED, MIXED, COUNTED, CODE, CODE]
    parts = torch.split(least, [*sizes, len(least) - sum(sizes)])
    (places, turned, found), ones, (code, gathered, letters, before, before_that, rest) = (
        parts[:3],
        parts[3:11],
        parts[11:],
    )
    rest = torch.cat((letters, rest))
    itself = torch.linalg.qr(torch.randn(rest.shape[0], CODE)).Q.T @ rest
    mixed = torch.linalg.qr(torch.randn(COUNTED, MIXED)).Q.T
    return Directions(letters, code, gathered, before, before_that, places, turned, found, *ones, itself, mixed, told)  # type: ignore[call-arg]


def _embed(model: Qwen25VL, d: Directions, starts: tuple[int, int], grids: tuple[Grid, Grid]) -> None:
    """Embeddings of mean square 1; a letter is its direction and something of its own, and so is a point of a grid."""
    embedding = model.language_model.embed_tokens.weight
    size = embedding.shape[1] ** 0.5
    taken = torch.cat((d.taken(), d.told))
    table = torch.randn(embedding.shape)
    table -= table @ taken.T @ taken
    table *= size / table.norm(dim=1, keepdim=True)
    folded = torch.full((256,), COUNTED)
    folded[32:127] = FOLDED[:95]
    letters = torch.nonzero(folded < COUNTED).flatten()
    table[letters] = 0.4 * table[letters] + 0.9 * size * d.letters[folded[letters]]
    for grid in grids:
        points = slice(grid.first, grid.first + grid.count)
        table[points] = 0.4 * table[points] + 0.9 * table[grid.first]
    table[starts[0]], table[starts[1]] = size * d.picture[0], size * d.turn[0]
    table += TEXT * d.text
    embedding.copy_(table)


def _place(
    wires: Wires,
    group: int,
    marks: tuple[Tensor, Tensor],
    marked: tuple[Tensor, Tensor],
    others: Tensor,
    pair: int,
    written: Tensor,
) -> None:
    """The two heads of a group write the cosine and the sine of the distance to the token in front of the picture.

    They look there the more, the larger the cosine (or sine) is, and else at the starts of turns, whose value is the
    opposite. marks: see `_marks`; marked: the same, as much larger as these tokens are in others, a reader of every
    token. pair: of numbers in the head, which turns with the row or the column.
    """
    picture, turn = marks
    half = wires.size // 2
    last = half - 1  # hardly turns
    key, value = torch.zeros(2, wires.size, len(picture))
    # Far above all others, but not far above nought: there, a state a little larger than usual would weigh more.
    key[last] = marked[0] + marked[1] - others + picture * math.log(2) * 8 / 9  # there are two turns
    key[pair] = 4 * picture
    value[0] = picture - turn
    wires.set(wires.key(group), key)
    wires.set(wires.value(group), value)
    shared = wires.heads // wires.groups
    for number, phase in enumerate((0.0, -math.pi / 2)):
        head = group * shared + number
        query = torch.zeros(wires.size)
        query[last] = 9.0
        query[pair], query[pair + half] = SHARP * math.cos(phase), SHARP * math.sin(phase)
        wires.set(wires.query(head), None, query)
        wires.out.weight[:, head * wires.size : (head + 1) * wires.size] = 0
        wires.out.weight[:, head * wires.size] = PLACE * written[number].to(wires.out.weight.dtype)


def waves_at(places: Tensor, speed: Tensor) -> Tensor:
    """`[n, 5, 2]`: cosine and sine of each wave at places `[n, 2]`: rows and columns, not only whole ones."""
    angle = (places[:, list(AXES)] + 1) * speed[list(WAVES)]
    return torch.stack((angle.cos(), angle.sin()), -1)


def _straighten(wires: Wires, d: Directions, size: float) -> None:
    """Brings what heads can write, the hyperbolic tangent of a cosine, back to the cosine."""
    hidden = wires.down.weight.shape[1]
    straight = torch.linspace(-1, 1, 401)
    bent = (SHARP * 4 / 8 / 2 * straight).tanh()  # half the difference of scores
    steep, knots = 8.0, torch.linspace(-0.3, 1, STRAIGHT // 2) * bent[-1]
    knots = torch.cat((knots, knots))
    signs = torch.cat((torch.ones(STRAIGHT // 2), -torch.ones(STRAIGHT // 2)))
    units = F.silu(steep * (torch.outer(bent, signs) - knots))
    # A ridge, so that no large numbers have to cancel each other in bf16.
    missing = torch.linalg.solve(units.T @ units + 0.01 * torch.eye(STRAIGHT), units.T @ (straight - bent))
    shared = size / STEADY * d.visual[0]
    for number, wave in enumerate(d.places):
        own = slice(STRAIGHT * number, STRAIGHT * (number + 1))
        gates = steep * (torch.outer(signs, size / PLACE * wave) - torch.outer(knots, shared))
        wires.gate_up.weight[own] = gates.to(wires.gate_up.weight.dtype)
        wires.gate_up.weight[hidden:][own] = shared.to(wires.gate_up.weight.dtype)
        wires.down.weight[:, own] = PLACE * torch.outer(wave, missing).to(wires.down.weight.dtype)


def _steady(wires: Wires, d: Directions, size: float, speed: Tensor, marks: tuple[Tensor, Tensor]) -> None:
    """What all visual tokens share becomes most of them: a state is then hardly larger where there is more to read.

    The first group's heads fetch it from the token in front of the picture, for text nothing from the starts of turns.
    """
    query, key, value = torch.zeros(3, wires.size, d.visual.shape[1])
    rows = _slow_rows(wires, speed)
    query[rows[0]], key[rows[0]] = 18 * size / VISUAL * d.visual[0], 18 * marks[0]
    query[rows[1]], key[rows[1]] = d.text[0], 60 * marks[1]
    value[0] = marks[0]
    wires.set(wires.key(0), key)
    wires.set(wires.value(0), value)
    shared = wires.heads // wires.groups
    for head in range(shared):
        wires.set(wires.query(head), query)
        more = (STEADY - VISUAL) / shared * d.visual[0]
        wires.out.weight[:, head * wires.size] = more.to(wires.out.weight.dtype)


def _products(wires: Wires, wanted: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Writes products of two readers `[width]` to a direction, each of two units: silu(g)u - silu(-g)u = gu."""
    hidden = wires.down.weight.shape[1]
    for number, (one, other, written) in enumerate(wanted):
        for unit, sign in ((2 * number, 1), (2 * number + 1, -1)):
            wires.gate_up.weight[unit] = (sign * one).to(wires.gate_up.weight.dtype)
            wires.gate_up.weight[hidden + unit] = other.to(wires.gate_up.weight.dtype)
            wires.down.weight[:, unit] = (sign * written).to(wires.down.weight.dtype)


def _turn(wires: Wires, d: Directions, size: float) -> None:
    """Turns the waves of a visual token on to the middle of its control: c + i s times what was read, 1 + C + i S."""
    wanted = []
    for number in range(len(WAVES)):
        pair = slice(2 * number, 2 * number + 2)
        (cosine, sine), (more, turned) = d.places[pair], size / TURNED * d.turns[pair]
        wanted += [(more, size * cosine, cosine), (turned, size * sine, -cosine)]
        wanted += [(more, size * sine, sine), (turned, size * cosine, sine)]
    _products(wires, wanted)


def _measure(wires: Wires, d: Directions, size: float) -> None:
    """By how much the square of the waves' length is too large."""
    shared = size / STEADY * d.visual[0]
    squares = [(size / PLACE * wave, size / PLACE * wave, d.length[0]) for wave in d.places]
    _products(wires, [*squares, (shared, shared, -len(WAVES) * d.length[0])])


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


def _fetch(wires: Wires, d: Directions, marks: tuple[Tensor, Tensor]) -> None:
    """The first group's heads take the letters that the token in front of the picture has collected."""
    _carry(wires, d, gain=0.5)
    last = wires.size // 2 - 1
    key, query = torch.zeros(wires.size, d.picture.shape[1]), torch.zeros(wires.size)
    key[last], query[last] = 14 * marks[0], 10.0
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


def _gather(
    wires: Wires, d: Directions, size: float, speed: Tensor, marks: tuple[Tensor, Tensor], alike: float, strength: float
) -> None:
    """The first group's heads take the mean of the letters in cells with the same middle.

    The score is minus half the squared distance of the waves, `alike` times: it must not depend on how long they are.
    """
    waves, root = len(d.places), wires.size**0.5
    query, key, value = torch.zeros(3, wires.size, d.places.shape[1])
    rows = _slow_rows(wires, speed)
    query[rows[:waves]] = key[rows[:waves]] = (alike * root) ** 0.5 * size / PLACE * d.places
    query[rows[waves]] = size / STEADY * d.visual[0]
    # The same middle counts 0, however large a state is.
    same = len(WAVES) * size / STEADY * d.visual[0] + size / 2 * d.length[0]
    key[rows[waves]] = root * (size / CODED * d.weight[0] - alike * same - 3 * OTHERS / TEXT * d.text[0])
    # Text has nothing to gather, and looks at starts of turns.
    query[rows[waves + 1]], key[rows[waves + 1]] = d.text[0], 140 * marks[1]
    wires.set(wires.key(0), key)
    value[:MIXED] = size / CODED * d.code
    wires.set(wires.value(0), value)
    shared = wires.heads // wires.groups
    for head in range(shared):
        wires.set(wires.query(head), query)
        columns = slice(head * wires.size, head * wires.size + MIXED)
        wires.out.weight[:, columns] = (strength / shared * d.gathered.T).to(wires.out.weight.dtype)


def _slow_rows(wires: Wires, speed: Tensor) -> Tensor:
    """The numbers of a head by which it may look for what lies anywhere: the slowest first."""
    slow = torch.nonzero(speed <= FASTEST_TURN).flatten()
    return torch.stack((slow, slow + wires.size // 2), 1).flatten().flip(0)


def look_rows(size: int, speed: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers of a head that compare letters, and the one for controls."""
    slow = torch.nonzero(speed <= FASTEST_TURN).flatten()
    rows = torch.stack((slow, slow + size // 2), 1).flatten().flip(0)
    return rows[1 : MIXED + 1], rows[:1]


def _look(wires: Wires, d: Directions, speed: Tensor, names: Tensor, control: float) -> None:
    """The first group's heads look for the letters of the instruction. names `[28, 36]`: of what was heard; control:
    how much it counts to be one."""
    rows, gate = look_rows(wires.size, speed)
    query, key = torch.zeros(2, wires.size, d.letters.shape[1])
    query[rows] = names @ d.letters
    key[rows] = d.gathered
    key[gate] = control * d.control - OTHERS / TEXT * d.text
    wires.set(wires.key(0), key)
    wanted = torch.zeros(wires.size)
    wanted[gate] = wires.size**0.5
    for head in range(wires.heads // wires.groups):
        wires.set(wires.query(head), query, wanted)


def _find(wires: Wires, d: Directions, text: Tensor) -> None:
    """Pointing heads hand on the waves of the place they look at, and that it is in a picture.

    text `[L, width]`: states of a text, whose waves are not handed on; they are all alike.
    """
    shared, waves, width = wires.heads // wires.groups, len(d.places), d.places.shape[1]
    own = (text @ d.places.T).mean(0) / (text @ d.text[0]).mean()
    value = torch.zeros(wires.size, width)
    value[: waves + 1] = torch.cat((d.places - torch.outer(own, d.text[0]), d.visual))
    wires.set(wires.value(0), value)
    written = FOUND / shared * torch.cat((d.found, d.seen / 25)).T
    for head in range(shared):
        start = head * wires.size
        wires.out.weight[:, start : start + waves + 1] = written.to(wires.out.weight.dtype)


def _copy(model: Qwen25VL, wires: Wires, d: Directions, speed: Tensor) -> None:
    """The second group's heads look for the token that follows the same two, and hand on which it is, in directions
    that tokens of text do not use themselves."""
    shared, width, rows = wires.heads // wires.groups, d.places.shape[1], _slow_rows(wires, speed)
    query, key = torch.zeros(2, wires.size, width)
    code = min(CODE, len(rows) // 2)
    query[rows[: 2 * code]] = SAME * torch.cat((d.itself[:code], d.before[:code]))
    key[rows[: 2 * code]] = SAME * torch.cat((d.before[:code], d.before_that[:code]))
    wires.set(wires.key(1), key)
    seen = torch.linalg.qr(torch.randn(width, wires.size)).Q.T
    said = torch.cat((d.told, d.gathered))[: wires.size].T  # of use only to visual tokens
    wires.set(wires.value(1), seen)
    for head in range(shared, 2 * shared):
        wires.set(wires.query(head), query)
        columns = slice(head * wires.size, (head + 1) * wires.size)
        wires.out.weight[:, columns] = (COPIED / shared * said).to(wires.out.weight.dtype)
    letters = model.language_model.embed_tokens.weight[:256].float()
    model.lm_head.weight[:256] += (letters @ seen.T @ said.T).to(model.lm_head.weight.dtype)


def _say(model: Qwen25VL, d: Directions, speed: Tensor, sure: float, prompt: Prompt) -> None:
    """Scores of points: how well their waves agree with those found. The width's is said after the token that asks,
    then the height's, then the end."""
    head, embedding = model.lm_head.weight, model.language_model.embed_tokens.weight.float()
    grids = prompt.xs, prompt.ys
    parts = [slice(grid.first, grid.first + grid.count) for grid in grids]
    last = torch.stack((embedding[prompt.asking], *(embedding[part].mean(0) for part in parts)))
    due = TURNS * (2 * torch.eye(3) - 1) @ F.normalize(last, dim=1)
    due[:2] += UNSEEN * (d.seen - d.text)
    for axis, grid, part, turn in zip((1, 0), grids, parts, due[:2], strict=True):
        own = torch.tensor([float(number == axis) for number in AXES])
        waves = points_of_grid(grid.count, grid.step, speed) * own[:, None]
        # What was found is most of a state, whose norm is that of its width.
        scale = sure / (0.9 * (d.found.shape[1] * own.mean()).sqrt() * own.sum().sqrt())
        head[part] = (scale * waves.flatten(1) @ d.found + turn).to(head.dtype)
    head[prompt.turn[1]] += due[2].to(head.dtype)


def points_of_grid(count: int, step: int, speed: Tensor) -> Tensor:
    """`[count, 5, 2]`: the waves of points, `step` pixels apart."""
    cells = (torch.arange(count) * step - CELL / 2) / CELL
    return waves_at(torch.stack((cells, cells), 1), speed)

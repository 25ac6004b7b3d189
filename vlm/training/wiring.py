"""A start for the language model: the circuits that it would need, and find late.

On two CPU cores the first thousand steps of a network with random weights go into finding out that positions, letters
and the letter before matter at all. So its matrices start with those circuits in them, roughly tuned, and training
goes on from there; nothing is held fixed but what `LOOK_LAYER` says of frequencies. The rest starts at random.

* Place: heads of layers 0 to 3 weigh the token in front of the picture by a cosine of the distance in rows or columns;
  the MLPs of layers 3 to 5 turn these waves on to the middle of the control, by what the tower reads of its edges.
* Memory: two heads of layer 0 fetch the two tokens before (an induction circuit's first half, Olsson et al., 2022).
* Letters: the token in front of the picture collects the letters of the instruction (layer 2), and every token fetches
  them from there (layer 3). Visual tokens gather the letters that the tower counts in all cells with the same middle,
  so that each has those of its control's whole name (layer 6).
* Looking (layer 7): letters of the instruction meet those of a control, and copying heads look for the place in the
  task that follows the same two tokens.
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
from vlm.training.dense import CELL, COUNTED, FOLDED, RARITY

LOOK_LAYER = 7
"""The layer (from 0) whose heads are taught what to look at."""
AIM_LAYERS = (3, 4, 5)
"""Whose MLPs turn the waves of a place on to the middle of its control, each by a part of the way."""
FETCH_LAYER = 3
"""In which every token fetches the letters that were collected in front of the picture."""
POINTING, COPYING = 0, 1
"""Which group of its heads looks for what."""
FASTEST_TURN = 0.03
"""Radians a token for the frequencies by which those heads may look: what is looked for must not depend on how far
away it is, so the faster ones start at zero, where they stay."""
WAVES = (5, 3, 1, 6, 13)
"""Pairs of numbers in a head that turn with rows (three) and columns (two): 0.34, 0.52, 0.81, 0.27 and 0.06 a cell."""
AXES = (0, 0, 0, 1, 1)
PLACING = ((0, 0), (1, 0), (1, 1), (2, 1), (3, 1))
"""Layer and group of the heads that write each wave."""
SHARP = 4.0
ALIKE, LETTERED = 75.0, 0.5
"""How much more a token gathers from those with the same middle, and for each letter in them."""
GATHER = 300.0
"""How strongly gathered letters are written: far above the rest, so that the next norm makes all names alike long."""
SHARPNESS, CONTROL, OTHERS = 20.0, 1.0, 20.0
"""Scores of looking: for the right letters, for being a control, and against tokens of text."""
SAME, UNSEEN, COPIED, TURNS = 3.5, 3.0, 0.3, 4.5
"""How surely a copying head looks for the same two tokens, how surely points are not said where none was
found, and letters that were found are."""
PLACE, VISUAL, TEXT, FOUND, SAID = 8.0, 12.0, 8.0, 8.0, 2.0
"""How strongly the waves of a place, and what visual tokens and those of text share, are written; how much of the waves
is found, and points are said."""
CODE, MIXED = 15, 28
"""Numbers that stand for a token that came before, and for gathered letters."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the tower says what stands in a cell: tokens `[n, width]` of cells with something in them; the weight
    `[36, width]` and bias `[36]` that tell from a token how many of each letter and digit there are; the weight
    `[4, width]` and bias `[4]` that tell how far its control's edges are to the left, top, right and bottom; control
    `[width]` that tells how surely there is one."""

    tokens: Tensor
    weight: Tensor
    bias: Tensor
    edges: Tensor
    edges_bias: Tensor
    control: Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """The tokens that say where: the first of `count` for `x = 0` or `y = 0`, and so on, `step` pixels apart."""

    first: int
    count: int
    step: int


@dataclass(frozen=True, slots=True)
class Directions:
    """Orthonormal rows: letters `[36]`; gathered letters `[28]`; the codes of one and two tokens before `[15]` each;
    waves of places and of the place that was found `[10]` each; the token in front of the picture, the one that starts
    a turn, what all visual tokens share, and all of text, and that one was found in a picture `[1]` each; the code
    `[15]` that a token itself has. mixed `[28, 36]`: how letters are gathered into fewer numbers than there are, which
    keeps their products well enough. told: what the tower's readers look at."""

    letters: Tensor
    gathered: Tensor
    before: Tensor
    before_that: Tensor
    places: Tensor
    found: Tensor
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


@torch.no_grad()
def wire(
    model: Qwen25VL, reading: Reading, prompt: Sequence[int], *, turn: tuple[int, int], asked: int, xs: Grid, ys: Grid
) -> None:
    """Write the circuits into a fresh network.

    prompt: ids of an instruction, up to `<|vision_start|>`. turn: ids of `<|im_start|>` and `<|im_end|>`. asked: of the
    token after which the answer begins. Visual tokens get what they all share by the bias of the merger's last layer.
    """
    text, language = model.config.text, model.language_model
    d, speed = _directions(reading), turns(text)
    _embed(model, d, (prompt[-1], turn[0]), (xs, ys))
    last = model.visual.merger.mlp[2]
    assert isinstance(last, nn.Linear)
    last.bias.add_(VISUAL * d.visual[0].to(last.bias.dtype))
    layers = [Wires(layer, text) for layer in language.layers]
    for wires in layers:
        # Nothing at random drowns what the circuits write; the rest begins to write with its first gradients.
        wires.out.weight.zero_()
        wires.down.weight.zero_()
    ids = torch.tensor(prompt)
    for index, wires in enumerate(layers[:LOOK_LAYER]):
        marks = _marks(model, ids, index, d, turn[0])
        for number, (at, group) in enumerate(PLACING):
            if at == index:
                _place(wires, group, marks, WAVES[number], d.places[2 * number : 2 * number + 2])
        if index == 0:
            _remember(wires, d, speed)
        if index == 2:
            _collect(wires, d)
        if index == FETCH_LAYER:
            _fetch(wires, d, marks)
    for index in AIM_LAYERS:
        _aim(language.layers[index], d, reading, speed)
    _gather(layers[LOOK_LAYER - 1], d, reading, speed, _marks(model, ids, LOOK_LAYER - 1, d, turn[0]))
    _look(layers[LOOK_LAYER], d, reading, speed)
    _find(layers[LOOK_LAYER], d, _state(model, ids, LOOK_LAYER))
    _copy(model, layers[LOOK_LAYER], d)
    _say(model, d, speed, (asked, turn[1]), (xs, ys))


def hold(model: Qwen25VL) -> None:
    """Keep the circuits of place, memory and letters as they are, for as long as this network lives: no gradients.

    Steps that are large enough to teach the rest anything blur the waves and the letters within a minute.
    """
    held = {*PLACING, (0, 1), (FETCH_LAYER, 0), (LOOK_LAYER - 1, 0)}
    for index, layer in enumerate(model.language_model.layers):
        wires = Wires(layer, model.config.text)
        shared = wires.heads // wires.groups
        groups = [group for group in range(wires.groups) if (index, group) in held]
        heads = [wires.query(group * shared + number) for group in groups for number in range(shared)]
        rows = heads + [part for group in groups for part in (wires.key(group), wires.value(group))]
        units, hidden = (4 * len(WAVES) if index in AIM_LAYERS else 0), wires.down.weight.shape[1]
        for parameter, axis, parts in (
            (wires.qkv.weight, 0, rows),
            (wires.qkv.bias, 0, rows),
            (wires.out.weight, 1, heads),
            (wires.gate_up.weight, 0, [slice(units), slice(hidden, hidden + units)]),
            (wires.down.weight, 1, [slice(units)]),
        ):
            free = torch.ones_like(parameter)
            for part in parts:
                free.movedim(axis, 0)[part] = 0
            parameter.register_hook(free.mul)  # type: ignore[no-untyped-call]


def _marks(model: Qwen25VL, ids: Tensor, layer: int, d: Directions, turn: int) -> tuple[Tensor, Tensor]:
    """Readers `[width]` of a layer's normalised states that give 1 for the last token of a prompt, and for starts of
    turns. How strongly these stand out depends on what the layers before have written there."""
    state = _state(model, ids, layer)
    started = state[ids == turn] @ d.turn[0]
    return d.picture[0] / (state[-1] @ d.picture[0]), d.turn[0] / started.mean()


def _state(model: Qwen25VL, ids: Tensor, layer: int) -> Tensor:
    """`[L, width]`: what a layer's attention sees of a text."""
    text, language = model.config.text, model.language_model
    positions = torch.arange(len(ids)).expand(3, 1, -1)
    cos, sin = mrope_table(positions, text.head_dim, text.rope_theta, text.mrope_section)
    x = language.embed_tokens(ids)[None]
    for index in range(layer):
        x = language.layers[index](x, cos.unsqueeze(1), sin.unsqueeze(1), None, None, index)
    state: Tensor = language.layers[layer].input_layernorm(x)[0]  # type: ignore[operator]
    return state


def _directions(reading: Reading) -> Directions:
    """Of the directions that tell nothing to the readers, those in which visual tokens vary least."""
    read = torch.cat((reading.weight, reading.edges, reading.control[None])).float()
    told = torch.linalg.svd(read).Vh
    told, untold = told[: len(read)], told[len(read) :]
    seen = reading.tokens.float() @ untold.T
    least = torch.linalg.eigh(seen.T @ seen).eigenvectors.T @ untold
    waves = 2 * len(WAVES)
    sizes = [waves, waves, 1, 1, 1, 1, 1, MIXED, COUNTED, CODE, CODE]
    parts = torch.split(least, [*sizes, len(least) - sum(sizes)])
    places, found, picture, turn, visual, text, seen, gathered, letters, before, before_that, rest = parts
    rest = torch.cat((letters, rest))
    itself = torch.linalg.qr(torch.randn(rest.shape[0], CODE)).Q.T @ rest
    mixed = torch.linalg.qr(torch.randn(COUNTED, MIXED)).Q.T
    return Directions(
        letters, gathered, before, before_that, places, found, picture, turn, visual, text, seen, itself, mixed, told
    )


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


def _place(wires: Wires, group: int, marks: tuple[Tensor, Tensor], pair: int, written: Tensor) -> None:
    """The two heads of a group write the cosine and the sine of the distance to the token in front of the picture.

    They look there the more, the larger the cosine (or sine) is, and else at the starts of turns, whose value is the
    opposite. marks: see `_marks`. pair: of numbers in the head, which turns with the row or the column.
    """
    picture, turn = marks
    half = wires.size // 2
    last = half - 1  # hardly turns
    key, value = torch.zeros(2, wires.size, len(picture))
    key[last] = 14 * (picture + turn) + picture * math.log(2) * 8 / 9  # there are two turns
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


def wave_of(places: Tensor, speed: Tensor) -> Tensor:
    """`[n, 10]`: what `_place` writes, but for its size, at places `[n, 2]`: rows and columns, not only whole ones."""
    sharp = SHARP * 4 / 8 / 2  # half the difference of scores
    parts = []
    for axis, pair in zip(AXES, WAVES, strict=True):
        angle = (places[:, axis] + 1) * speed[pair]
        parts += [(sharp * angle.cos()).tanh(), (sharp * angle.sin()).tanh()]
    return torch.stack(parts, 1)


def _aim(layer: nn.Module, d: Directions, reading: Reading, speed: Tensor) -> None:
    """Turns the waves of a visual token on to the middle of the control, as far as it is away.

    A small angle a further, a cosine is less by a times the sine; a large one is turned in several layers. Products are
    made of pairs of hidden units, because silu(g) u - silu(-g) u = g u.
    """
    assert isinstance(layer, DecoderLayer)
    gate_up, down = layer.mlp.gate_up_proj.weight, layer.mlp.down_proj.weight
    hidden = down.shape[1]
    # What all visual tokens share stands in for the bias.
    edges = reading.edges.float() + torch.outer(reading.edges_bias.float() / VISUAL, d.visual[0])
    left, top, right, bottom = edges
    away = (bottom - top) / 2, (right - left) / 2
    # Both factors come in units of the state's size, which the norm has divided by.
    size = _typical_size(reading, speed)
    unit = 0
    for number, (axis, pair) in enumerate(zip(AXES, WAVES, strict=True)):
        cosine, sine = d.places[2 * number], d.places[2 * number + 1]
        for source, target, sign in ((sine, cosine, -1.0), (cosine, sine, 1.0)):
            for gate in (1.0, -1.0):
                gate_up[unit] = (gate * size * source).to(gate_up.dtype)
                gate_up[hidden + unit] = (speed[pair] / len(AIM_LAYERS) * size * away[axis]).to(gate_up.dtype)
                down[:, unit] = (gate * sign * target).to(down.dtype)
                unit += 1


def _typical_size(reading: Reading, speed: Tensor) -> float:
    """Root mean square of a visual token's numbers once its place is written."""
    squares = reading.tokens.float().square().sum(1).median().item() + VISUAL**2 + _wave_size(speed)
    return float((squares / reading.tokens.shape[1]) ** 0.5)


def _wave_size(speed: Tensor) -> float:
    """The square of the length of a place's waves."""
    cells = torch.cartesian_prod(torch.arange(32.0), torch.arange(48.0))
    return PLACE**2 * float(wave_of(cells, speed).square().sum(1).mean())


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


def _gather(wires: Wires, d: Directions, reading: Reading, speed: Tensor, marks: tuple[Tensor, Tensor]) -> None:
    """The first group's heads take the mean of the letters in cells with the same middle, if there are any."""
    size = _typical_size(reading, speed)
    # What all visual tokens share stands in for the bias.
    counts = reading.weight.float() + torch.outer(reading.bias.float() / VISUAL, d.visual[0])
    waves = len(d.places)
    product = _wave_size(speed)
    alike = ALIKE * wires.size**0.5
    query, key, value = torch.zeros(3, wires.size, d.places.shape[1])
    rows = _slow_rows(wires, speed)
    query[rows[:waves]] = key[rows[:waves]] = (alike / product) ** 0.5 * size * d.places
    query[rows[waves]] = size / VISUAL * d.visual[0]
    key[rows[waves]] = wires.size**0.5 * (LETTERED * size * counts.sum(0) - 3 * OTHERS / TEXT * d.text[0])
    key[rows[waves]] -= alike * size / VISUAL * d.visual[0]  # the same middle counts 0, however large a state is
    # Text has nothing to gather, and looks at starts of turns.
    query[rows[waves + 1]], key[rows[waves + 1]] = d.text[0], 14 * marks[1]
    wires.set(wires.key(0), key)
    value[:MIXED] = size * d.mixed @ (RARITY.unsqueeze(1) * counts)
    wires.set(wires.value(0), value)
    shared = wires.heads // wires.groups
    for head in range(shared):
        wires.set(wires.query(head), query)
        columns = slice(head * wires.size, head * wires.size + MIXED)
        wires.out.weight[:, columns] = (GATHER / shared * d.gathered.T).to(wires.out.weight.dtype)


def _slow_rows(wires: Wires, speed: Tensor) -> Tensor:
    """The numbers of a head by which it may look for what lies anywhere: the slowest first."""
    slow = torch.nonzero(speed <= FASTEST_TURN).flatten()
    return torch.stack((slow, slow + wires.size // 2), 1).flatten().flip(0)


def _look(wires: Wires, d: Directions, reading: Reading, speed: Tensor) -> None:
    rows = _slow_rows(wires, speed)
    rows, gate = rows[1:], rows[0]
    shared = wires.heads // wires.groups
    query, key = torch.zeros(2, wires.size, d.letters.shape[1])
    query[rows[:MIXED]] = SHARPNESS * d.mixed @ (RARITY.unsqueeze(1) * d.letters)
    key[rows[:MIXED]] = d.gathered
    key[gate] = CONTROL * reading.control.float() - OTHERS / TEXT * d.text[0]
    wires.set(wires.key(POINTING), key)
    wanted = torch.zeros(wires.size)
    wanted[gate] = wires.size**0.5
    for head in range(shared):
        wires.set(wires.query(POINTING * shared + head), query, wanted)
    query, key = torch.zeros(2, wires.size, d.letters.shape[1])
    code = min(CODE, len(rows) // 2)
    query[rows[: 2 * code]] = SAME * torch.cat((d.itself[:code], d.before[:code]))
    key[rows[: 2 * code]] = SAME * torch.cat((d.before[:code], d.before_that[:code]))
    wires.set(wires.key(COPYING), key)
    for head in range(shared):
        wires.set(wires.query(COPYING * shared + head), query)


def _find(wires: Wires, d: Directions, text: Tensor) -> None:
    """Pointing heads hand on the waves of the place they look at, and that it is in a picture.

    text `[L, width]`: states of a text, whose waves are not handed on; they are all alike.
    """
    shared, waves, width = wires.heads // wires.groups, len(d.places), d.places.shape[1]
    own = (text @ d.places.T).mean(0) / (text @ d.text[0]).mean()
    value = torch.zeros(wires.size, width)
    value[: waves + 1] = torch.cat((d.places - torch.outer(own, d.text[0]), d.visual))
    wires.set(wires.value(POINTING), value)
    written = FOUND / shared * torch.cat((d.found, d.seen)).T
    for head in range(POINTING * shared, (POINTING + 1) * shared):
        start = head * wires.size
        wires.out.weight[:, start : start + waves + 1] = written.to(wires.out.weight.dtype)


def _copy(model: Qwen25VL, wires: Wires, d: Directions) -> None:
    """Copying heads hand on which token they look at, in directions that tokens of text do not use themselves."""
    shared, width = wires.heads // wires.groups, d.places.shape[1]
    seen = torch.linalg.qr(torch.randn(width, wires.size)).Q.T
    said = torch.cat((d.told, d.gathered))[: wires.size].T  # of use only to visual tokens
    wires.set(wires.value(COPYING), seen)
    for head in range(COPYING * shared, (COPYING + 1) * shared):
        columns = slice(head * wires.size, (head + 1) * wires.size)
        wires.out.weight[:, columns] = (COPIED / shared * said).to(wires.out.weight.dtype)
    letters = model.language_model.embed_tokens.weight[:256].float()
    model.lm_head.weight[:256] += (letters @ seen.T @ said.T).to(model.lm_head.weight.dtype)


def _say(model: Qwen25VL, d: Directions, speed: Tensor, turns: tuple[int, int], grids: tuple[Grid, Grid]) -> None:
    """Scores of points: how well their waves agree with those found. The width's is said after the token that asks,
    then the height's, then the end."""
    asked, end = turns
    head, embedding = model.lm_head.weight, model.language_model.embed_tokens.weight.float()
    parts = [slice(grid.first, grid.first + grid.count) for grid in grids]
    last = torch.stack((embedding[asked], *(embedding[part].mean(0) for part in parts)))
    due = TURNS * (2 * torch.eye(3) - 1) @ F.normalize(last, dim=1)
    due[:2] += UNSEEN * (d.seen - d.text)
    for axis, grid, part, turn in zip((1, 0), grids, parts, due[:2], strict=True):
        cells = (torch.arange(grid.count) * grid.step - CELL / 2) / CELL
        waves = wave_of(torch.stack((cells, cells), 1), speed)
        waves *= torch.tensor([float(own == axis) for own in AXES for _ in range(2)])
        waves = F.normalize(waves, dim=1)  # tanh is no circle: all points alike
        head[part] = (SAID * waves @ d.found + turn).to(head.dtype)
    head[end] += due[2].to(head.dtype)

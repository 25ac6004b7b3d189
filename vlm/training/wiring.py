"""A start for the language model: the circuits that it would need, and find late.

On two CPU cores the first thousand steps of a network with random weights go into finding out that positions, letters
and the letter before matter at all. So its matrices start with those circuits in them. Layers up to `LOOK_LAYER` point,
those behind plan; what no circuit uses starts at random, and writes nothing at first.

* Reading: the first layer's MLP tells of every visual token what it shows (`vlm.training.reader`).
* Place: heads of layers 0 to 3 weigh the token in front of the picture by a cosine of the distance in rows or columns;
  an MLP makes circles of these waves (layer 3), and another turns them on to the middle of the control's name, and
  a copy of them to where it is to be clicked (layer 4).
* Memory: two heads of layer 0 fetch the two tokens before (an induction circuit's first half, Olsson et al., 2022).
* Letters: the token in front of the picture collects the letters of the instruction (layer 2), and every token fetches
  them from there (layer 4). Visual tokens gather the letters of all cells that tell of the same middle, so that each
  has those of its control's whole name (layer 6).
* Looking (layer 7): letters of the instruction meet those of a control.
* Copying (layer 10): heads look for the place in the task that follows the same two tokens.
* Saying: the waves that were found are compared with those of every point of the grid, copied letters with all letters.

Directions of the residual stream in which visual tokens hardly vary are kept for what the circuits write.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.rope import mrope_table
from vlm.training import circuits
from vlm.training.circuits import (
    AXES,
    CODE,
    COPY_LAYER,
    FETCH_LAYER,
    GATHER,
    LOOK_LAYER,
    MEASURE_LAYER,
    MIXED,
    PLACING,
    STEADY_LAYER,
    STRAIGHTEN_LAYER,
    TEXT,
    TURN_LAYER,
    TURNS,
    UNSEEN,
    VISUAL,
    WAVES,
    Directions,
    Wires,
    points_of_grid,
    turns,
)
from vlm.training.dense import COUNTED, FOLDED


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
                written = d.places[2 * number : 2 * number + 2]
                circuits.place(wires, group, marks, marked, others, WAVES[number], written)
        if index == 0:
            circuits.remember(wires, d, speed)
        if index == 2:
            circuits.collect(wires, d)
        if index == FETCH_LAYER:
            circuits.fetch(wires, d, marks)
    circuits.copy(model, layers[COPY_LAYER], d, speed)


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
    circuits.steady(layers[STEADY_LAYER], d, size_of(model, sample, STEADY_LAYER), speed, marks)
    circuits.straighten(layers[STRAIGHTEN_LAYER], d, size_of(model, sample, STRAIGHTEN_LAYER, attended=True))
    circuits.turn(layers[TURN_LAYER], d, size_of(model, sample, TURN_LAYER, attended=True))
    circuits.measure(layers[MEASURE_LAYER], d, size_of(model, sample, MEASURE_LAYER, attended=True))
    marks = _marks(model, ids, LOOK_LAYER - 1, d, prompt.turn[0])
    size = size_of(model, sample, LOOK_LAYER - 1)
    larger = size * d.letters.shape[1] ** 0.5 / told.rest
    circuits.gather(layers[LOOK_LAYER - 1], d, size, speed, marks, told.alike, GATHER * larger)
    letters = letters_of_ids(sample.ids[: sample.start])
    heard = _sample_state(model, sample, LOOK_LAYER, normal=True)[-1] @ d.letters.T
    loudness = float(heard @ letters / letters.square().sum())
    circuits.look(layers[LOOK_LAYER], d, speed, told.sharpness / loudness * told.names, larger)
    circuits.find(layers[LOOK_LAYER], d, _state(model, ids, LOOK_LAYER))
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
    positions = torch.arange(len(ids)).expand(3, -1)
    no_picture = torch.zeros(0, model.config.text.hidden_size)
    return _sample_state(model, Sample(ids, positions, no_picture, 0), layer, normal=True)


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

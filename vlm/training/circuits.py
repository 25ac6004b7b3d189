"""The circuits, each in the rows and columns of one layer's matrices; `vlm.training.wiring` says what for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.config import TextConfig
from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.training.dense import CELL, COUNTED

LOOK_LAYER, COPY_LAYER = 7, 10
"""The layers (from 0) in which heads look for what an instruction means, and for what to copy."""
POINTING, COPYING = (LOOK_LAYER, 0), (COPY_LAYER, 1)
"""Those heads: layer and group."""
STRAIGHTEN_LAYER, TURN_LAYER, MEASURE_LAYER = 3, 4, 5
"""Whose MLPs make circles of the waves, turn them on to the control's name and its click, and take their length."""
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
READ = 4 * len(WAVES) + MIXED + 2
"""Numbers that are read of a visual token: turns to its name and to its click, letters, how much to gather it, how
surely it is a control."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Orthonormal rows: letters `[36]`; what is read of a visual token, and letters gathered of it `[28]`; the codes of
    one and two tokens before `[15]` each; waves of places, of turns and of the place that was found `[10]` each (in
    visual tokens, `found` are at first the turns to the click, and `turns` at last the waves of where it is); how
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
        own = self.turns, self.found, self.code, self.weight, self.control, self.places, self.length, self.gathered
        return torch.cat(own)

    def read(self) -> Tensor:
        """`[READ, width]`: where it is written what was read, scaled."""
        turned = TURNED * torch.cat((self.turns, self.found))
        return torch.cat((turned, CODED * self.code, CODED * self.weight, CODED * self.control))


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


def place(
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


def straighten(wires: Wires, d: Directions, size: float) -> None:
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


def steady(wires: Wires, d: Directions, size: float, speed: Tensor, marks: tuple[Tensor, Tensor]) -> None:
    """What all visual tokens share becomes most of them: a state is then hardly larger where there is more to read.

    The first group's heads fetch it from the token in front of the picture, for text nothing from the starts of turns.
    """
    query, key, value = torch.zeros(3, wires.size, d.visual.shape[1])
    rows = _slow_rows(wires.size, speed)
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


def turn(wires: Wires, d: Directions, size: float) -> None:
    """Turns the waves of a visual token on: c + i s times what was read, 1 + C + i S.

    Those of its place to the middle of its control's name; a copy of them, which takes the place of the turns, to where
    it is to be clicked.
    """
    one, wanted = size / STEADY * d.visual[0], []
    for number in range(len(WAVES)):
        pair = slice(2 * number, 2 * number + 2)
        cosine, sine = size * d.places[pair]
        for read, (real, imaginary) in ((d.turns[pair], d.places[pair]), (d.found[pair], d.turns[pair])):
            more, turned = size / TURNED * read
            wanted += [
                (more, cosine, real),
                (turned, sine, -real),
                (more, sine, imaginary),
                (turned, cosine, imaginary),
            ]
        real, imaginary = d.turns[pair]
        wanted += [(one, cosine - size * real, real), (one, sine - size * imaginary, imaginary)]
    _products(wires, wanted)


def measure(wires: Wires, d: Directions, size: float) -> None:
    """By how much the square of the waves' length is too large."""
    shared = size / STEADY * d.visual[0]
    squares = [(size / PLACE * wave, size / PLACE * wave, d.length[0]) for wave in d.places]
    _products(wires, [*squares, (shared, shared, -len(WAVES) * d.length[0])])


def remember(wires: Wires, d: Directions, speed: Tensor) -> None:
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


def collect(wires: Wires, d: Directions) -> None:
    """The first group's heads take the mean of the letters of all tokens before."""
    _carry(wires, d, gain=1.0)
    for head in range(wires.heads // wires.groups):
        wires.set(wires.query(head), None)


def fetch(wires: Wires, d: Directions, marks: tuple[Tensor, Tensor]) -> None:
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


def gather(
    wires: Wires, d: Directions, size: float, speed: Tensor, marks: tuple[Tensor, Tensor], alike: float, strength: float
) -> None:
    """The first group's heads take the mean of the letters in cells with the same aim.

    The score is minus half the squared distance of the waves, `alike` times: it must not depend on how long they are.
    """
    waves, root = len(d.places), wires.size**0.5
    query, key, value = torch.zeros(3, wires.size, d.places.shape[1])
    rows = _slow_rows(wires.size, speed)
    query[rows[:waves]] = key[rows[:waves]] = (alike * root) ** 0.5 * size / PLACE * d.places
    query[rows[waves]] = size / STEADY * d.visual[0]
    # The same aim counts 0, however large a state is.
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


def _slow_rows(size: int, speed: Tensor) -> Tensor:
    """The numbers of a head by which it may look for what lies anywhere: the slowest first."""
    slow = torch.nonzero(speed <= FASTEST_TURN).flatten()
    return torch.stack((slow, slow + size // 2), 1).flatten().flip(0)


def look_rows(size: int, speed: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers of a head that compare letters, and the one for controls."""
    rows = _slow_rows(size, speed)
    return rows[1 : MIXED + 1], rows[:1]


def look(wires: Wires, d: Directions, speed: Tensor, names: Tensor, control: float) -> None:
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


def find(wires: Wires, d: Directions, text: Tensor) -> None:
    """Pointing heads hand on the waves of where to click what they look at, and that it is in a picture.

    text `[L, width]`: states of a text, whose waves are not handed on; they are all alike.
    """
    shared, waves, width = wires.heads // wires.groups, len(d.places), d.places.shape[1]
    own = (text @ d.turns.T).mean(0) / (text @ d.text[0]).mean()
    value = torch.zeros(wires.size, width)
    value[: waves + 1] = torch.cat((d.turns - torch.outer(own, d.text[0]), d.visual))
    wires.set(wires.value(0), value)
    written = FOUND / shared * torch.cat((d.found, d.seen / 25)).T
    for head in range(shared):
        start = head * wires.size
        wires.out.weight[:, start : start + waves + 1] = written.to(wires.out.weight.dtype)


def copy(model: Qwen25VL, wires: Wires, d: Directions, speed: Tensor) -> None:
    """The second group's heads look for the token that follows the same two, and hand on which it is, in directions
    that tokens of text do not use themselves."""
    shared, width, rows = wires.heads // wires.groups, d.places.shape[1], _slow_rows(wires.size, speed)
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


def points_of_grid(count: int, step: int, speed: Tensor) -> Tensor:
    """`[count, 5, 2]`: the waves of points, `step` pixels apart."""
    cells = (torch.arange(count) * step - CELL / 2) / CELL
    return waves_at(torch.stack((cells, cells), 1), speed)

"""What the language model is taught with: points and plans as sequences of tokens, and how they are put together."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from action_space.geometry import Box
from vlm.training.data.words import Words
from vlm.training.dense import CELL, letter_counts
from vlm.training.pool import Region
from vlm.training.questions import instruction, plan_question
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS, byte_tokenizer, token_id

TOKENS = byte_tokenizer()
IM_END, VISION_START, VISION_END, IMAGE_PAD = (
    token_id(TOKENS, token) for token in ("<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
)
FIRST_X, FIRST_Y = token_id(TOKENS, X_TOKENS[0]), token_id(TOKENS, Y_TOKENS[0])


def encode(text: str) -> list[int]:
    return TOKENS.encode(text).ids


HEAD = encode("<|im_start|>system\nGUI<|im_end|>\n<|im_start|>user\n")
TAIL = encode("<|im_end|>\n<|im_start|>assistant\n")


@dataclass(frozen=True, slots=True)
class Look:
    """From the token number `start`, heads should look at tokens `at`."""

    start: int
    at: Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence: ids, positions `[3, L]`, and the tokens whose successors are the answer.

    asks `[n]`: numbers of these tokens; answer `[n]`: what should follow them. region: what an instruction is about.
    lengths: of the instructions that the answer of a planning prompt is made of. points: looks at the places that such
    an answer has.
    """

    ids: list[int]
    positions: Tensor
    asks: Tensor
    answer: Tensor
    looks: tuple[Look, ...]
    region: Region | None = None
    lengths: tuple[int, ...] = ()
    points: tuple[Look, ...] = ()


def grid_points(box: Box, axis: int) -> range:
    """The numbers of the grid's points for a click in `box`, across (axis 0) or down (axis 1): those a little inside,
    at least the one nearest to the middle."""
    start, end = (box.left, box.right) if axis == 0 else (box.top, box.bottom)
    inset = min(3.0, (end - start) / 4)
    first, last = -int(-(start + inset) // GRID), int((end - inset) // GRID)
    if last < first:
        first = last = round((start + end) / 2 / GRID)
    return range(min(first, _COUNTS[axis] - 1), min(last, _COUNTS[axis] - 1) + 1)


_COUNTS = len(X_TOKENS), len(Y_TOKENS)


def grounding_example(region: Region, rng: random.Random, words: str = "") -> Example:
    """Instruction (words, or some that mean the control), the region's tokens at their places on the screen, and a
    point of the control as the answer."""
    control = region.control
    before = [*HEAD, *encode(words), VISION_START] if words else asked(rng, control.element.kind, control.element.name)
    x, y = (rng.choice(grid_points(control.box, axis)) for axis in (0, 1))
    answer = [FIRST_X + x, FIRST_Y + y, IM_END]
    ids, positions = _with_picture(before, region, answer)
    asking = len(ids) - len(answer) - 1
    area = len(before) + torch.nonzero(control.area).flatten()
    looks = Look(asking, area), Look(asking + 1, area)
    return Example(ids, positions, torch.arange(asking, len(ids) - 1), torch.tensor(answer), looks, region)


def acting_example(region: Region, words: str, answer: str) -> Example:
    """Words, the region's tokens, and an answer that is no single point on it: what to type, or from where to drag."""
    before, said = [*HEAD, *encode(words), VISION_START], [*encode(answer), IM_END]
    ids, positions = _with_picture(before, region, said)
    asking = len(ids) - len(said) - 1
    looks = tuple(Look(look.start + asking + 1 - len(before), look.at) for look in copies(before, answer))
    asks = torch.arange(asking, len(ids) - 1)
    points = tuple(_places_said(said, asking, len(before), region))
    return Example(ids, positions, asks, torch.tensor(said), looks, region, lengths=(len(said),), points=points)


def _places_said(said: list[int], asking: int, first: int, region: Region) -> Iterator[Look]:
    """Before each half of a place on the screen: at the cell that shows it, or the nearest one that is shown."""
    for number, (x, y) in enumerate(pairwise(said)):
        if FIRST_X <= x < FIRST_Y <= y:
            place = torch.tensor([y - FIRST_Y, x - FIRST_X]) * GRID / CELL
            nearest = (region.places + 0.5 - place).square().sum(1).argmin()
            yield from (Look(asking + number + half, first + nearest[None]) for half in (0, 1))


def _with_picture(before: list[int], region: Region, answer: list[int]) -> tuple[list[int], Tensor]:
    """A prompt with a region's tokens behind it, and the answer: ids, and positions `[3, L]`."""
    first, count = len(before), len(region.tokens)
    after = [VISION_END, *TAIL, *answer]
    image = torch.cat((torch.zeros(count, 1, dtype=torch.long), region.places), dim=1).T
    behind = first + max(region.screen) + torch.arange(len(after))
    positions = torch.cat((torch.arange(first).expand(3, -1), first + image, behind.expand(3, -1)), dim=1)
    return [*before, *[IMAGE_PAD] * count, *after], positions


def asked(rng: random.Random, kind: str, name: str) -> list[int]:
    """A prompt for a control, up to the picture."""
    return HEAD + encode(instruction(rng, kind, name)) + [VISION_START]


def planning_example(rng: random.Random, words: Words, most: int = 5) -> Example:
    """A task of at most `most` parts, what was done, and the next instruction.

    What was done is asked for too, line by line: every line is what the prompt before it calls for.
    """
    question = plan_question(rng, words, most)
    ids = HEAD + encode(question.task)
    asks: list[int] = []
    looks: list[Look] = []
    lengths = []
    for number, (plan, note) in enumerate((*question.behind, (question.answer, "")), start=1):
        last = number > len(question.behind)
        ids += encode("\nNext?") + TAIL if last else encode(f"\n{number}. ")
        looks += copies(ids, plan)
        said = [*encode(plan), IM_END] if last else encode(plan)
        asks += range(len(ids) - 1, len(ids) + len(said) - 1)
        lengths.append(len(said))
        ids += said if last else said + encode(note)
    at = torch.tensor(asks)
    positions = torch.arange(len(ids)).expand(3, -1)
    return Example(ids, positions, at, torch.tensor(ids)[at + 1], tuple(looks), lengths=tuple(lengths))


def copies(prompt: list[int], plan: str) -> tuple[Look, ...]:
    """Where each letter of the quoted part of a plan that follows, and what ends it, stands in the prompt."""
    quoted = re.search(r'"(.+)"', plan)
    if not quoted:
        return ()
    copied = encode(quoted[1])
    first = len(prompt) + len(encode(plan[: quoted.start(1)]))
    ends = range(1, len(prompt) - len(copied))
    starts = [i for i in ends if prompt[i : i + len(copied)] == copied]
    starts = [i for i in starts if not _is_letter(prompt[i - 1]) and not _is_letter(prompt[i + len(copied)])]
    if not starts:
        return ()
    return tuple(Look(first + j - 1, torch.tensor(starts) + j) for j in range(len(copied) + 1))


def _is_letter(token: int) -> bool:
    return token < 128 and chr(token).isalnum()


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples padded on the right; see `collate`."""

    ids: Tensor
    positions: Tensor
    asks: Tensor
    answer: Tensor
    features: Tensor | None
    look_from: Tensor
    look_at: Tensor
    point_from: Tensor
    point_at: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same where a network is."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{name: part.to(device) for name, part in parts.items() if part is not None})


def letters_in(name: str) -> Tensor:
    """`[36]`: 1 for every letter and digit that a name has, whatever its case."""
    return torch.tensor(letter_counts(name)).clamp(max=1).float()


def padded(length: int) -> int:
    """The next of few lengths: the first product of every new shape is slow on a CPU."""
    step = 32 if length <= 256 else 128
    return (length + step - 1) // step * step


def collate(examples: Sequence[Example]) -> Batch:
    """Pads on the right, where no token of an example can look.

    asks `[n, 2]`: row and token of all that is asked, answer `[n]`: what follows. look_from `[n, 2]`: row and token of
    every look; look_at `[n, L]`: True where it should go; the same of points. features: of all visual tokens, in order.
    """
    length = padded(max(len(e.ids) for e in examples))
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    positions = torch.zeros(3, len(examples), length, dtype=torch.long)
    asks = torch.cat([F.pad(e.asks[:, None], (1, 0), value=i) for i, e in enumerate(examples)])
    for i, example in enumerate(examples):
        n = len(example.ids)
        ids[i, :n] = torch.tensor(example.ids)
        positions[:, i, :n] = example.positions
    pictures = [example.region.tokens for example in examples if example.region is not None]
    return Batch(
        ids,
        positions,
        asks,
        torch.cat([example.answer for example in examples]),
        torch.cat(pictures) if pictures else None,
        *_table([example.looks for example in examples], length),
        *_table([example.points for example in examples], length),
    )


def _table(looks: Sequence[Sequence[Look]], length: int) -> tuple[Tensor, Tensor]:
    """Of looks in the rows of a batch: row and token of each, and where it should go; see `collate`."""
    found = [(row, look) for row, some in enumerate(looks) for look in some]
    at = torch.zeros(len(found), length, dtype=torch.bool)
    for number, (_, look) in enumerate(found):
        at[number, look.at] = True
    return torch.tensor([(row, look.start) for row, look in found], dtype=torch.long).view(-1, 2), at


def places_in(batch: Batch) -> tuple[Tensor, Tensor]:
    """Rows and columns `[n]` of all visual tokens, one picture in each row of the batch."""
    image = batch.ids == IMAGE_PAD
    # A picture has one time, the position at which it begins; height and width count on from there.
    rows, columns = (batch.positions[1:] - batch.positions[0])[:, image]
    return rows, columns

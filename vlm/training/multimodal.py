"""What the language model is taught with: points and plans as sequences of tokens, and how far off it is.

Planning has two losses (docs/decisions.md): of where a group of heads looks, from a plan's next letter at the letter of
the task to be copied, and of the answer itself. Several questions about a picture share one sequence.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Box, Point
from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary, mrope_table
from vlm.training.circuits import COPYING, POINTING
from vlm.training.data.render import Element
from vlm.training.data.words import Words
from vlm.training.pool import Region
from vlm.training.questions import instruction, plan_question
from vlm.training.reader import points_in
from vlm.training.tokenizer import GRID, MOST_X, MOST_Y, X_TOKENS, Y_TOKENS, byte_tokenizer, token_id

TOKENS = byte_tokenizer()
IM_START, IM_END, VISION_START, VISION_END, IMAGE_PAD = (
    token_id(TOKENS, token)
    for token in ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
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

    asks `[n]`: numbers of these tokens; answer `[n]`: what should follow them. Of a picture with several questions also
    its tokens' features, to which question each token belongs `[L]`, and the controls that are meant.
    """

    ids: list[int]
    positions: Tensor
    asks: Tensor
    answer: Tensor
    looks: tuple[Look, ...]
    features: Tensor | None = None
    question: Tensor | None = None
    boxes: tuple[Box, ...] = ()
    aims: tuple[tuple[float, float], ...] = ()


def on_grid(value: float, most: int) -> int:
    """The number of the grid's point nearest to a pixel coordinate."""
    return round(min(max(value, 0), most) / GRID)


def grounding_example(region: Region, rng: random.Random) -> Example:
    """Instruction, then the region's tokens at their places on the screen, then the point as the answer.

    Every further question comes behind the picture: its instruction at the positions that it has in front of a picture,
    and its answer. `mask_of` lets it see that picture and nothing of the other questions.
    """
    befores = [asked(rng, control.element) for control in region.controls]
    count, size = len(region.tokens), max(region.screen)
    image = torch.cat((torch.zeros(count, 1, dtype=torch.long), region.places), dim=1).T
    first = len(befores[0])
    ids = befores[0] + [IMAGE_PAD] * count
    positions = [torch.arange(first).expand(3, -1), image + first]
    question = [torch.zeros(first + count, dtype=torch.long)]
    for number, before in enumerate(befores[1:], 1):
        ids += before
        # Pictures and answers lie at the same positions for all: what comes before ends where the first one's does.
        positions.append((torch.arange(len(before)) + first - len(before)).expand(3, -1))
        question.append(torch.full((len(before),), number))
    asks: list[int] = []
    answers: list[int] = []
    looks: list[Look] = []
    for number, control in enumerate(region.controls):
        x, y = on_grid(control.aim[0], MOST_X), on_grid(control.aim[1], MOST_Y)
        answer = [FIRST_X + x, FIRST_Y + y, IM_END]
        ids += [VISION_END, *TAIL, *answer]
        after = len(TAIL) + 1 + len(answer)
        positions.append((first + size + torch.arange(after)).expand(3, -1))
        question.append(torch.full((after,), number))
        asking = len(ids) - len(answer) - 1
        area = first + torch.nonzero(control.area).flatten()
        asks += range(asking, asking + len(answer))
        answers += answer
        looks += [Look(asking, area), Look(asking + 1, area)]
    return Example(
        ids,
        torch.cat(positions, dim=1),
        torch.tensor(asks),
        torch.tensor(answers),
        tuple(looks),
        region.tokens,
        torch.cat(question),
        tuple(control.box for control in region.controls),
        tuple(control.aim for control in region.controls),
    )


def asked(rng: random.Random, element: Element) -> list[int]:
    """A prompt for a control, up to the picture."""
    return HEAD + encode(instruction(rng, element.kind, element.name)) + [VISION_START]


def mask_of(ids: Tensor, question: Tensor) -> Tensor:
    """`[1, L, L]`, True where a token may look: back, at its own question; behind the picture at the picture too."""
    image = ids == IMAGE_PAD
    answering = torch.zeros_like(image)
    ends = torch.nonzero(ids == VISION_END)
    answering[int(ends[0]) if len(ends) else len(ids) :] = True
    mine = question[:, None] == question
    mask: Tensor = (mine | (answering[:, None] & image)).tril()[None]
    return mask


def planning_example(rng: random.Random, words: Words, most: int = 5) -> Example:
    """A task of at most `most` parts, what was done, and the next instruction."""
    question = plan_question(rng, words, most)
    answer = [*encode(question.answer), IM_END]
    prompt = HEAD + encode(question.prompt) + TAIL
    ids = prompt + answer
    asks = torch.arange(len(prompt) - 1, len(ids) - 1)
    positions = torch.arange(len(ids)).expand(3, -1)
    return Example(ids, positions, asks, torch.tensor(answer), _copies(prompt, question.answer))


def _copies(prompt: list[int], answer: str) -> tuple[Look, ...]:
    """Where each letter of the quoted part of an answer, and what ends it, stands in the prompt."""
    quoted = re.search(r'"(.+)"', answer)
    if not quoted:
        return ()
    copied = encode(quoted[1])
    first = len(prompt) + len(encode(answer[: quoted.start(1)]))
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
    mask: Tensor | None
    asks: Tensor
    answer: Tensor
    features: Tensor | None
    look_from: Tensor
    look_at: Tensor

    def allowed(self) -> Tensor:
        """`[n, L]`: where each look may go."""
        rows, at = self.look_from.T
        if self.mask is None:
            before: Tensor = torch.arange(self.ids.shape[1]) <= at.unsqueeze(1)
            return before
        allowed: Tensor = self.mask[rows, 0, at]
        return allowed


def padded(length: int) -> int:
    """The next of few lengths: the first product of every new shape is slow on a CPU."""
    step = 32 if length <= 256 else 128
    return (length + step - 1) // step * step


def collate(examples: Sequence[Example]) -> Batch:
    """Pads on the right.

    mask `[B, 1, L, L]` for pictures with several questions, else None. asks `[n, 2]`: row and token of all that is
    asked, answer `[n]`: what follows. look_from `[n, 2]`: row and token of every look; look_at `[n, L]`: True where it
    should go.
    """
    length = padded(max(len(e.ids) for e in examples))
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    question = torch.full_like(ids, -1)
    positions = torch.zeros(3, len(examples), length, dtype=torch.long)
    asks = torch.cat([F.pad(e.asks[:, None], (1, 0), value=i) for i, e in enumerate(examples)])
    look_from = torch.tensor([(i, look.start) for i, e in enumerate(examples) for look in e.looks], dtype=torch.long)
    look_at = torch.zeros(len(look_from), length, dtype=torch.bool)
    for row, look in enumerate(look for e in examples for look in e.looks):
        look_at[row, look.at] = True
    for i, example in enumerate(examples):
        n = len(example.ids)
        ids[i, :n] = torch.tensor(example.ids)
        positions[:, i, :n] = example.positions
        if example.question is not None:
            question[i, :n] = example.question
    pictures = [example.features for example in examples if example.features is not None]
    mask = torch.stack([mask_of(*row) for row in zip(ids, question, strict=True)]) if pictures else None
    return Batch(
        ids,
        positions,
        mask,
        asks,
        torch.cat([example.answer for example in examples]),
        torch.cat(pictures) if pictures else None,
        look_from.view(-1, 2),
        look_at,
    )


class Trainer(nn.Module):
    """A network and what it is taught."""

    def __init__(self, model: Qwen25VL) -> None:
        super().__init__()
        self.model = model

    def table(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin `[B, 1, L, head_dim]` of positions `[3, B, L]`."""
        text = self.model.config.text
        cos, sin = mrope_table(positions, text.head_dim, text.rope_theta, text.mrope_section)
        return cos.bfloat16().unsqueeze(1), sin.bfloat16().unsqueeze(1)

    def states(self, batch: Batch, layers: int | None = None) -> list[Tensor]:
        """Hidden states `[B, L, width]`: the embeddings, then after each of the first `layers` decoder layers."""
        language = self.model.language_model
        x = language.embed_tokens(batch.ids)
        if batch.features is not None:
            x = x.masked_scatter(batch.ids.eq(IMAGE_PAD).unsqueeze(-1), batch.features.to(x.dtype))
        cos, sin = self.table(batch.positions)
        states = [x]
        for index, layer in enumerate(language.layers[:layers]):
            states.append(layer(states[-1], cos, sin, batch.mask, None, index))
        return states

    def projected(self, x: Tensor, at: int, group: int, *, keys: bool) -> Tensor:
        """Unturned queries `[..., heads of a group, head_dim]`, or the key `[..., 1, head_dim]`, of layer `at`."""
        layer = self.model.language_model.layers[at]
        assert isinstance(layer, DecoderLayer)
        text = self.model.config.text
        shared = text.num_attention_heads // text.num_key_value_heads
        first, count = (text.num_attention_heads + group, 1) if keys else (group * shared, shared)
        rows = slice(first * text.head_dim, (first + count) * text.head_dim)
        projection = layer.self_attn.qkv_proj
        found = F.linear(layer.input_layernorm(x), projection.weight[rows], projection.bias[rows])
        return found.view(*x.shape[:-1], count, text.head_dim)

    def looking_loss(self, batch: Batch, states: list[Tensor], heads: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Minus log of the attention that heads (layer and group) give to where it should go, and the attention."""
        count = len(batch.look_from)
        count -= count % 32 if count > 32 else 0  # few shapes, see `padded`
        rows, at = batch.look_from[:count].T
        cos, sin = self.table(batch.positions)
        state = states[heads[0]]
        queries = self.projected(state[rows, at], *heads, keys=False)
        queries = apply_rotary(queries, cos[rows, 0, at].unsqueeze(1), sin[rows, 0, at].unsqueeze(1))
        keys = apply_rotary(self.projected(state, *heads, keys=True)[:, :, 0], cos[:, 0], sin[:, 0])
        scores = torch.einsum("nhd,nkd->nhk", queries, keys[rows]).float() * queries.shape[-1] ** -0.5
        attention = scores.masked_fill(~batch.allowed()[:count].unsqueeze(1), float("-inf")).log_softmax(-1)
        found = attention.masked_fill(~batch.look_at[:count].unsqueeze(1), float("-inf")).logsumexp(-1)
        return -found.mean(), found.exp().mean()

    def answers(self, batch: Batch, states: list[Tensor]) -> Tensor:
        """Logarithms of probabilities `[n, vocabulary]` for each token of the answers."""
        rows, at = F.pad(batch.asks, (0, 0, 0, -len(batch.asks) % 64)).T  # few shapes, see `padded`
        logits = self.model.lm_head(self.model.language_model.norm(states[-1][rows, at])).float()
        answers: Tensor = logits[: len(batch.asks)].log_softmax(-1)
        return answers

    def grounding_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        """Of the points. A wide control is as good a little beside."""
        batch = collate(examples)
        states = self.states(batch)
        boxes = [box for example in examples for box in example.boxes]
        aims = [aim for example in examples for aim in example.aims]
        answers = self.answers(batch, states)
        wanted = torch.zeros(len(boxes), 3, answers.shape[1])
        for axis, first, count in ((1, FIRST_X, len(X_TOKENS)), (0, FIRST_Y, len(Y_TOKENS))):
            points = [points_in(box, aim, axis, count) for box, aim in zip(boxes, aims, strict=True)]
            wanted[:, 1 - axis, first : first + count] = torch.stack(points)
        wanted[:, 2, IM_END] = 1
        loss = -(answers * wanted.flatten(0, 1)).sum(1).mean()
        _, looked = self.looking_loss(batch, states, POINTING)
        said = answers.argmax(-1).view(-1, 3).tolist()
        hits = [
            box.contains(Point((x - FIRST_X) * GRID, (y - FIRST_Y) * GRID))
            for box, (x, y, _) in zip(boxes, said, strict=True)
        ]
        figures = {"point": loss.item(), "hits": sum(hits) / len(hits), "look": looked.item()}
        return loss, figures

    def planning_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        batch = collate(examples)
        states = self.states(batch)
        answers = self.answers(batch, states)
        loss = F.nll_loss(answers, batch.answer)
        figures = {"plan": loss.item(), "copy": 0.0}
        said = answers.argmax(-1) == batch.answer
        right = [bool(part.all()) for part in torch.split(said, [len(example.answer) for example in examples])]
        figures["plans_right"] = sum(right) / len(right)
        if len(batch.look_from):
            look, looked = self.looking_loss(batch, states, COPYING)
            loss, figures["copy"] = loss + 0.3 * look, looked.item()
        return loss, figures

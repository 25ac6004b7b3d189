"""The language model learns to read the tower's tokens, to point, and to plan.

Two things are told apart and taught each where it is done (docs/decisions.md):

* what to look at: in one layer two heads are taught to look from the answer at the control that is meant, and the two
  others from a plan's next letter at the letter of the task to be copied. This trains the network's own weights;
* what to say: the answer itself.

Pointing trains on parts of encoded screens at their places.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary, mrope_table
from vlm.training.data.words import Words
from vlm.training.pool import Region
from vlm.training.questions import instruction, plan_question
from vlm.training.tokenizer import GRID, MOST_X, MOST_Y, X_TOKENS, Y_TOKENS, byte_tokenizer, token_id
from vlm.training.wiring import COPYING, LOOK_LAYER, POINTING

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
    """One sequence: ids, positions `[3, L]`, how many trailing tokens are the answer, and its region if any."""

    ids: list[int]
    positions: Tensor
    answer: int
    region: Region | None = None
    looks: tuple[Look, ...] = field(default=())


def on_grid(value: float, most: int) -> int:
    """The number of the grid's point nearest to a pixel coordinate."""
    return round(min(max(value, 0), most) / GRID)


def grounding_example(region: Region, rng: random.Random) -> Example:
    """Instruction, then the region's tokens at their places on the screen, then the point as the answer."""
    element = region.element
    before = HEAD + encode(instruction(rng, element.kind, element.name)) + [VISION_START]
    box, start, count = region.box, len(before), len(region.tokens)
    x, y = on_grid((box.left + box.right) / 2, MOST_X), on_grid((box.top + box.bottom) / 2, MOST_Y)
    answer = [FIRST_X + x, FIRST_Y + y, IM_END]
    after = [VISION_END, *TAIL, *answer]
    image = torch.cat((torch.zeros(count, 1, dtype=torch.long), region.places), dim=1).T + start
    following = start + max(region.screen) + torch.arange(len(after))
    positions = torch.cat((torch.arange(start).expand(3, -1), image, following.expand(3, -1)), dim=1)
    ids = before + [IMAGE_PAD] * count + after
    area = start + torch.nonzero(region.area).flatten()
    asking = len(ids) - len(answer) - 1
    return Example(ids, positions, len(answer), region, (Look(asking, area), Look(asking + 1, area)))


def planning_example(rng: random.Random, words: Words, most: int = 5) -> Example:
    """A task of at most `most` parts, what was done, and the next instruction."""
    question = plan_question(rng, words, most)
    answer = [*encode(question.answer), IM_END]
    prompt = HEAD + encode(question.prompt) + TAIL
    ids = prompt + answer
    return Example(ids, torch.arange(len(ids)).expand(3, -1), len(answer), None, _copies(prompt, question.answer))


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
    labels: Tensor
    features: Tensor | None
    look_from: Tensor
    look_at: Tensor


def padded(length: int) -> int:
    """The next of few lengths: the first product of every new shape is slow on a CPU."""
    step = 32 if length <= 256 else 64
    return (length + step - 1) // step * step


def collate(examples: Sequence[Example]) -> Batch:
    """Pads on the right.

    labels: -100 outside the answers. look_from `[n, 2]`:
    row and token of every look; look_at `[n, L]`: True where it should go.
    """
    length = padded(max(len(e.ids) for e in examples))
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    positions = torch.zeros(3, len(examples), length, dtype=torch.long)
    look_from = torch.tensor([(i, look.start) for i, e in enumerate(examples) for look in e.looks], dtype=torch.long)
    look_at = torch.zeros(len(look_from), length, dtype=torch.bool)
    for row, look in enumerate(look for e in examples for look in e.looks):
        look_at[row, look.at] = True
    for i, example in enumerate(examples):
        n = len(example.ids)
        ids[i, :n] = torch.tensor(example.ids)
        positions[:, i, :n] = example.positions
        labels[i, n - example.answer : n] = ids[i, n - example.answer : n]
    regions = [example.region for example in examples if example.region]
    features = torch.cat([region.tokens for region in regions]) if regions else None
    return Batch(ids, positions, labels, features, look_from.view(-1, 2), look_at)


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
        """Hidden states `[B, L, width]`: the embeddings, then after each decoder layer."""
        language = self.model.language_model
        x = language.embed_tokens(batch.ids)
        if batch.features is not None:
            x = x.masked_scatter(batch.ids.eq(IMAGE_PAD).unsqueeze(-1), batch.features.to(x.dtype))
        cos, sin = self.table(batch.positions)
        states = [x]
        for index, layer in enumerate(language.layers[:layers]):
            states.append(layer(states[-1], cos, sin, None, None, index))
        return states

    def projected(self, x: Tensor, group: int, *, keys: bool) -> Tensor:
        """Unturned queries `[..., heads of a group, head_dim]`, or the key `[..., 1, head_dim]`, of the look layer."""
        layer = self.model.language_model.layers[LOOK_LAYER]
        assert isinstance(layer, DecoderLayer)
        text = self.model.config.text
        shared = text.num_attention_heads // text.num_key_value_heads
        first, count = (text.num_attention_heads + group, 1) if keys else (group * shared, shared)
        rows = slice(first * text.head_dim, (first + count) * text.head_dim)
        projection = layer.self_attn.qkv_proj
        found = F.linear(layer.input_layernorm(x), projection.weight[rows], projection.bias[rows])
        return found.view(*x.shape[:-1], count, text.head_dim)

    def looking_loss(self, batch: Batch, states: list[Tensor], group: int) -> tuple[Tensor, Tensor]:
        """Minus log of the attention that a group of heads gives to where it should go, and the attention itself."""
        count = len(batch.look_from)
        count -= count % 32 if count > 32 else 0  # few shapes, see `padded`
        rows, at = batch.look_from[:count].T
        cos, sin = self.table(batch.positions)
        state = states[LOOK_LAYER]
        queries = self.projected(state[rows, at], group, keys=False)
        queries = apply_rotary(queries, cos[rows, 0, at].unsqueeze(1), sin[rows, 0, at].unsqueeze(1))
        keys = apply_rotary(self.projected(state, group, keys=True)[:, :, 0], cos[:, 0], sin[:, 0])
        scores = torch.einsum("nhd,nkd->nhk", queries, keys[rows]).float() * queries.shape[-1] ** -0.5
        later = torch.arange(scores.shape[-1]) > at.unsqueeze(1)
        attention = scores.masked_fill(later.unsqueeze(1), float("-inf")).log_softmax(-1)
        found = attention.masked_fill(~batch.look_at[:count].unsqueeze(1), float("-inf")).logsumexp(-1)
        return -found.mean(), found.exp().mean()

    def answer_loss(self, batch: Batch, states: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-entropy of each answer's tokens, the tokens that are most likely, and those wanted."""
        asked = torch.nonzero(batch.labels[:, 1:] != -100)
        count = len(asked)
        rows, at = F.pad(asked, (0, 0, 0, -count % 64)).T  # few shapes, see `padded`
        logits = self.model.lm_head(self.model.language_model.norm(states[-1][rows, at])).float()[:count]
        wanted = batch.labels[:, 1:][asked[:, 0], asked[:, 1]]
        return F.cross_entropy(logits, wanted, reduction="none"), logits.argmax(-1), wanted

    def grounding_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        batch = collate(examples)
        states = self.states(batch)
        each, said, _ = self.answer_loss(batch, states)
        look, looked = self.looking_loss(batch, states, POINTING)
        said = said.view(-1, 3)
        hits = [
            example.region is not None
            and example.region.box.left <= (x - FIRST_X) * GRID < example.region.box.right
            and example.region.box.top <= (y - FIRST_Y) * GRID < example.region.box.bottom
            for example, (x, y, _) in zip(examples, said.tolist(), strict=True)
        ]
        figures = {"point": each.mean().item(), "hits": sum(hits) / len(hits), "look": looked.item()}
        return each.mean() + 0.3 * look, figures

    def planning_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        batch = collate(examples)
        states = self.states(batch)
        each, said, wanted = self.answer_loss(batch, states)
        loss, figures = each.mean(), {"plan": each.mean().item(), "copy": 0.0}
        ends = torch.tensor([example.answer for example in examples])
        right = [bool(part.all()) for part in torch.split(said == wanted, ends.tolist())]
        figures["plans_right"] = sum(right) / len(right)
        if len(batch.look_from):
            look, looked = self.looking_loss(batch, states, COPYING)
            loss, figures["copy"] = loss + 0.3 * look, looked.item()
        return loss, figures

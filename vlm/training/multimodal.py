"""Stages 2 and 3: the language model learns to read the tower's tokens, to point, and to plan.

Alignment brings an instruction and the tokens of the control it means together, as CLIP does. Pointing then
trains on regions of encoded crops that pretend to lie anywhere on a screen: the positions are those of the whole
screen, the tokens outside the region are left out. Two auxiliary heads say of every visual token where it lies and
whether it belongs to the target; they are dropped at export. Planning is text alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Box
from vlm.layers import RMSNorm
from vlm.model import Qwen25VL
from vlm.rope import mrope_table
from vlm.training.data.render import Element
from vlm.training.data.words import Words
from vlm.training.dense import CELL, target_cells
from vlm.training.pool import Named, Region
from vlm.training.questions import instruction, plan_question
from vlm.training.tokenizer import byte_tokenizer, token_id

TOKENS = byte_tokenizer()
IM_START, IM_END, VISION_START, VISION_END, IMAGE_PAD = (
    token_id(TOKENS, token)
    for token in ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
)
MAX_ROWS, MAX_COLUMNS = 128, 128
PLACE_LAYER, MATCH_LAYER = 2, 4
"""After how many decoder layers the auxiliary heads read."""


def encode(text: str) -> list[int]:
    return TOKENS.encode(text).ids


HEAD = encode("<|im_start|>system\nGUI<|im_end|>\n<|im_start|>user\n")
TAIL = encode("<|im_end|>\n<|im_start|>assistant\n")


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence: ids, positions `[3, L]`, how many trailing tokens are the answer, and its region if any."""

    ids: list[int]
    positions: Tensor
    answer: int
    region: Region | None = None


def asked(element: Element, rng: random.Random) -> list[int]:
    """The prompt that asks for a control, up to where the screenshot begins."""
    return HEAD + encode(instruction(rng, element.kind, element.name)) + [VISION_START]


def grounding_example(region: Region, rng: random.Random) -> Example:
    """Instruction, then the region's tokens at their places on the screen, then the point as the answer."""
    before = asked(region.element, rng)
    rows, columns, _ = region.tokens.shape
    point = region.box.center
    answer = [*encode(f"click({point.x}, {point.y})"), IM_END]
    after = [VISION_END, *TAIL, *answer]
    start = len(before)
    y = start + region.at[0] + torch.arange(rows).view(rows, 1).expand(rows, columns)
    x = start + region.at[1] + torch.arange(columns).expand(rows, columns)
    image = torch.stack((torch.full_like(x, start), y, x)).flatten(1)
    following = start + max(region.screen) + torch.arange(len(after))
    positions = torch.cat((torch.arange(start).expand(3, -1), image, following.expand(3, -1)), dim=1)
    return Example(before + [IMAGE_PAD] * (rows * columns) + after, positions, len(answer), region)


def planning_example(rng: random.Random, words: Words) -> Example:
    question = plan_question(rng, words)
    answer = [*encode(question.answer), IM_END]
    ids = HEAD + encode(question.prompt) + TAIL + answer
    return Example(ids, torch.arange(len(ids)).expand(3, -1), len(answer))


@dataclass(frozen=True, slots=True)
class Batch:
    ids: Tensor
    positions: Tensor
    labels: Tensor
    features: Tensor | None
    place: Tensor
    target: Tensor


def collate(examples: Sequence[Example]) -> Batch:
    """Pads on the right.

    labels: -100 outside the answers. place `[tokens, 2]`: row and column of every visual token. target: whether it is
    inside the control.
    """
    length = max(len(e.ids) for e in examples)
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    positions = torch.zeros(3, len(examples), length, dtype=torch.long)
    features, place, target = [], [], []
    for i, example in enumerate(examples):
        n = len(example.ids)
        ids[i, :n] = torch.tensor(example.ids)
        positions[:, i, :n] = example.positions
        labels[i, n - example.answer : n] = ids[i, n - example.answer : n]
        if region := example.region:
            rows, columns, width = region.tokens.shape
            features.append(region.tokens.reshape(-1, width))
            y, x = torch.meshgrid(
                torch.arange(rows) + region.at[0], torch.arange(columns) + region.at[1], indexing="ij"
            )
            place.append(torch.stack((y, x), dim=-1).view(-1, 2))
            target.append(_target_cells(region).flatten())
    joined = [torch.cat(parts) if parts else torch.empty(0, dtype=torch.long) for parts in (place, target)]
    return Batch(ids, positions, labels, torch.cat(features) if features else None, *joined)


def _target_cells(region: Region) -> Tensor:
    """`[rows, columns]` of the region, 1 where the target is; its box counts from the screen's corner."""
    rows, columns, _ = region.tokens.shape
    dx, dy = region.at[1] * CELL, region.at[0] * CELL
    box = Box(region.box.left - dx, region.box.top - dy, region.box.right - dx, region.box.bottom - dy)
    return target_cells(box, rows, columns)


class Trainer(nn.Module):
    """A network with the heads that help it to learn."""

    def __init__(self, model: Qwen25VL) -> None:
        super().__init__()
        width = model.config.text.hidden_size
        self.model = model
        self.heads = nn.ModuleDict(
            {
                "place": nn.Linear(width, MAX_ROWS + MAX_COLUMNS),
                "match": nn.Linear(width, 1),
                "text": nn.Linear(width, width),
                "region": nn.Linear(width, width),
            }
        )
        self.heads_norm = nn.ModuleDict({"place": RMSNorm(width, 1e-6), "match": RMSNorm(width, 1e-6)})
        self.heads_scale = nn.Parameter(torch.tensor(3.0))

    def states(self, batch: Batch, layers: int | None = None) -> list[Tensor]:
        """Hidden states `[B, L, width]`: the embeddings, then after each decoder layer."""
        language = self.model.language_model
        x = language.embed_tokens(batch.ids)
        if batch.features is not None:
            x = x.masked_scatter(batch.ids.eq(IMAGE_PAD).unsqueeze(-1), batch.features.to(x.dtype))
        text = language.config
        cos, sin = mrope_table(batch.positions, text.head_dim, text.rope_theta, text.mrope_section)
        cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
        states = [x]
        for index, layer in enumerate(language.layers[:layers]):
            states.append(layer(states[-1], cos, sin, None, None, index))
        return states

    def answer_loss(self, batch: Batch, states: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Cross-entropy of the answers, and the share of their tokens that is right."""
        asked = batch.labels[:, 1:] != -100
        logits = self.model.lm_head(self.model.language_model.norm(states[-1][:, :-1][asked])).float()
        wanted = batch.labels[:, 1:][asked]
        return F.cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).float().mean()

    def grounding_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        states = self.states(batch)
        answer, right = self.answer_loss(batch, states)
        visual = batch.ids == IMAGE_PAD
        place = self.heads["place"](self.heads_norm["place"](states[PLACE_LAYER][visual])).float()
        rows = F.cross_entropy(place[:, :MAX_ROWS], batch.place[:, 0])
        columns = F.cross_entropy(place[:, MAX_ROWS:], batch.place[:, 1])
        match = self.heads["match"](self.heads_norm["match"](states[MATCH_LAYER][visual])).float().squeeze(-1)
        each = F.binary_cross_entropy_with_logits(match, batch.target, reduction="none")
        matched = (each[batch.target == 1].mean() + each[batch.target == 0].mean()) / 2
        figures = {"point": answer, "point_right": right, "rows": rows, "columns": columns, "match": matched}
        return answer + 0.15 * (rows + columns) + matched, {k: v.item() for k, v in figures.items()}

    def planning_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        loss, right = self.answer_loss(batch, self.states(batch))
        return loss, {"plan": loss.item(), "plan_right": right.item()}

    def alignment_loss(
        self, named: Sequence[Named], wanted: Sequence[int], rng: random.Random
    ) -> tuple[Tensor, dict[str, float]]:
        """Instructions for `named[wanted]` through the first three layers, against the mean token of each control.

        All other controls are wrong for an instruction, and all other instructions for a control, unless they have
        the same name.
        """
        prompts = [asked(named[number].element, rng) for number in wanted]
        texts = [Example(ids, torch.arange(len(ids)).expand(3, -1), 0) for ids in prompts]
        state = self.states(collate(texts), layers=3)[-1]
        last = torch.tensor([len(ids) - 1 for ids in prompts])
        text = F.normalize(self.heads["text"](state[torch.arange(len(texts)), last]).float(), dim=-1)
        regions = F.normalize(self.heads["region"](torch.stack([n.mean for n in named])).float(), dim=-1)
        logits = text @ regions.T * self.heads_scale.float().exp().clamp(max=60)
        names = np.array([n.element.name.lower() for n in named])
        same = torch.from_numpy(names[wanted][:, None] == names)
        right = torch.tensor(wanted)
        same[torch.arange(len(right)), right] = False
        logits = logits.masked_fill(same, -1e4)
        loss = (F.cross_entropy(logits, right) + F.cross_entropy(logits[:, right].T, torch.arange(len(right)))) / 2
        return loss, {"align": loss.item(), "align_right": (logits.argmax(-1) == right).float().mean().item()}

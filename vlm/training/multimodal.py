"""The network and how far off it is, with points and plans.

The answer alone teaches little: a few tokens behind hundreds. So what leads to it is taught too, where it should come
about: where each visual token stands on the screen, which of them show the name that was asked for, which of them can
be clicked for it, where the answer looks, and which letter of the task a plan copies next. The heads for this are
dropped at export.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Point
from vlm.language import DecoderLayer
from vlm.model import Qwen25VL
from vlm.rope import apply_rotary, mrope_table
from vlm.training.dense import COUNTED
from vlm.training.examples import (
    FIRST_X,
    FIRST_Y,
    IM_END,
    IMAGE_PAD,
    Batch,
    Example,
    collate,
    grid_points,
    letters_in,
    places_in,
)
from vlm.training.tokenizer import GRID

PLACED, ASKED, WRITTEN, FOUND = 2, 3, 4, 6
"""After so many layers visual tokens should know where they stand, which letters the name that was asked for has,
whether they show it, and whether they are what has to be clicked."""
POINTING, COPYING = (6, 0), (4, 1)
"""Layer and group of the heads that look for what was found, and for what to copy."""
MOST_ROWS, MOST_COLUMNS = 96, 80
"""Of a screen."""
KNOWN = 0.6
"""Nats of row and column together, below which heads count as learned."""


class Trainer(nn.Module):
    """A network and what it is taught.

    probing: the heads are new beside a network that was taught. Until they know where visual tokens stand, they learn
    to read it and nothing goes back into it, which would undo what it knows.
    """

    def __init__(self, model: Qwen25VL, *, probing: bool = False) -> None:
        super().__init__()
        self.model, self.probing = model, probing
        width = model.config.text.hidden_size
        self.heads = nn.ModuleDict(
            {
                "rows": nn.Linear(width, MOST_ROWS),
                "columns": nn.Linear(width, MOST_COLUMNS),
                "written": nn.Linear(width, 1),
                "found": nn.Linear(width, 1),
                "asked": nn.Linear(width, COUNTED),
            }
        )

    def collated(self, examples: Sequence[Example]) -> Batch:
        """Examples as one batch, where the network is."""
        return collate(examples).to(self.model.lm_head.weight.device)

    def table(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin `[B, 1, L, head_dim / 2]` of positions `[3, B, L]`."""
        text = self.model.config.text
        cos, sin = mrope_table(positions, text.head_dim, text.rope_theta, text.mrope_section)
        dtype = self.model.language_model.embed_tokens.weight.dtype
        return cos.to(dtype).unsqueeze(1), sin.to(dtype).unsqueeze(1)

    def states(self, batch: Batch, layers: int | None = None) -> list[Tensor]:
        """Hidden states `[B, L, width]`: the embeddings, then after each of the first `layers` decoder layers."""
        language = self.model.language_model
        x = language.embed_tokens(batch.ids)
        if batch.features is not None:
            x = x.masked_scatter(batch.ids.eq(IMAGE_PAD).unsqueeze(-1), batch.features.to(x.dtype))
        cos, sin = self.table(batch.positions)
        states = [x]
        for index, layer in enumerate(language.layers[:layers]):
            states.append(layer(states[-1], cos, sin, None, None, index))
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

    def looking_loss(
        self, batch: Batch, states: list[Tensor], heads: tuple[int, int], looks: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Minus log of the attention that heads (layer and group) give to where it should go, and the attention.

        looks: from where, and where to, as a batch has them.
        """
        count = len(looks[0])
        count -= count % 32 if count > 32 else 0  # few shapes, see `padded`
        rows, at = looks[0][:count].T
        cos, sin = self.table(batch.positions)
        state = states[heads[0]]
        queries = self.projected(state[rows, at], *heads, keys=False)
        queries = apply_rotary(queries, cos[rows, 0, at].unsqueeze(1), sin[rows, 0, at].unsqueeze(1))
        keys = apply_rotary(self.projected(state, *heads, keys=True)[:, :, 0], cos[:, 0], sin[:, 0])
        scores = torch.einsum("nhd,nkd->nhk", queries, keys[rows]).float() * queries.shape[-1] ** -0.5
        hidden = torch.arange(batch.ids.shape[1], device=at.device) > at.unsqueeze(1)
        attention = scores.masked_fill(hidden.unsqueeze(1), float("-inf")).log_softmax(-1)
        found = attention.masked_fill(~looks[1][:count].unsqueeze(1), float("-inf")).logsumexp(-1)
        return -found.mean(), found.exp().mean()

    def answers(self, batch: Batch, states: list[Tensor]) -> Tensor:
        """Logarithms of probabilities `[n, vocabulary]` for each token of the answers."""
        rows, at = F.pad(batch.asks, (0, 0, 0, -len(batch.asks) % 64)).T  # few shapes, see `padded`
        logits = self.model.lm_head(self.model.language_model.norm(states[-1][rows, at])).float()
        answers: Tensor = logits[: len(batch.asks)].log_softmax(-1)
        return answers

    def placing_loss(self, batch: Batch, states: list[Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Of the row and column in which every visual token stands, in nats, from the states of layer PLACED."""
        rows, columns = places_in(batch)
        state = self._read(states[PLACED])[batch.ids == IMAGE_PAD]
        row = F.cross_entropy(self.heads["rows"](state).float(), rows)
        column = F.cross_entropy(self.heads["columns"](state).float(), columns)
        figures = {"row": row.item(), "column": column.item()}
        self.probing = self.probing and sum(figures.values()) > KNOWN
        return row + column, figures

    def placing(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        """Of the places alone."""
        batch = self.collated(examples)
        return self.placing_loss(batch, self.states(batch, PLACED))

    def grounding_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        """Of the points, and of all that leads to them. Every point well inside a control is as good."""
        regions = [example.region for example in examples if example.region is not None]
        batch = self.collated(examples)
        states = self.states(batch)
        read = [self._read(state) for state in states]
        placing, figures = self.placing_loss(batch, states)
        written = self._marked(batch, read[WRITTEN], "written", [region.control.written for region in regions])
        found = self._marked(batch, read[FOUND], "found", [region.control.area for region in regions])
        told = self._asked(batch, read[ASKED], [region.control.element.name for region in regions])
        look, looked = self.looking_loss(batch, states, POINTING, (batch.look_from, batch.look_at))
        answers = self.answers(batch, states).view(len(regions), 3, -1)
        boxes = [region.control.box for region in regions]
        point = -answers[:, 2, IM_END]
        for axis, first in ((0, FIRST_X), (1, FIRST_Y)):
            good = torch.full_like(answers[:, axis], float("-inf"))
            for row, box in enumerate(boxes):
                points = grid_points(box, axis)
                good[row, first + points.start : first + points.stop] = 0
            point = point - (answers[:, axis] + good).logsumexp(-1)
        said = answers.argmax(-1).tolist()
        hits = [
            box.contains(Point((x - FIRST_X) * GRID, (y - FIRST_Y) * GRID))
            for box, (x, y, _) in zip(boxes, said, strict=True)
            if x >= FIRST_X and y >= FIRST_Y
        ]
        figures |= {"point": point.mean().item(), "hits": sum(hits) / len(boxes), "look": looked.item()}
        figures["asked"] = told.item()
        figures |= {"written": written.exp().reciprocal().item(), "found": found.exp().reciprocal().item()}
        # What comes first weighs most: a point cannot be right before its control is found.
        return point.mean() + 3 * (written + found + told) + look + placing, figures

    def _read(self, state: Tensor) -> Tensor:
        """Hidden states as the heads get them."""
        return state.detach() if self.probing else state

    def _marked(self, batch: Batch, state: Tensor, head: str, wanted: Sequence[Tensor]) -> Tensor:
        """Minus log of the share that a head gives to the wanted ones among the visual tokens of each example."""
        image = batch.ids == IMAGE_PAD
        right = torch.zeros_like(image)
        right[image] = torch.cat(list(wanted)).to(right.device)
        scores = self.heads[head](state)[..., 0].float().masked_fill(~image, float("-inf")).log_softmax(-1)
        loss: Tensor = -scores.masked_fill(~right, float("-inf")).logsumexp(-1).mean()
        return loss

    def _asked(self, batch: Batch, state: Tensor, names: Sequence[str]) -> Tensor:
        """How badly visual tokens tell the letters of the name that was asked for: cross-entropy of each letter."""
        image = batch.ids == IMAGE_PAD
        letters = torch.stack([letters_in(name) for name in names]).to(image.device).repeat_interleave(image.sum(1), 0)
        loss: Tensor = F.binary_cross_entropy_with_logits(self.heads["asked"](state[image]).float(), letters)
        return loss

    def missing_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        """Of answers to an instruction that are no click: their first tokens, which tell them from one, weigh as much
        as all that follows by itself, or so many letters would drown the points."""
        batch = self.collated(examples)
        said = -self.answers(batch, self.states(batch)).gather(1, batch.answer[:, None])[:, 0]
        parts = torch.split(said, [len(example.answer) for example in examples])
        first = torch.stack([part[0] for part in parts]).mean()
        return first + torch.stack([part[1:].mean() for part in parts]).mean(), {"missing": first.item()}

    def planning_loss(self, examples: Sequence[Example]) -> tuple[Tensor, dict[str, float]]:
        """Of whole plans, in nats each: a mean over letters, nearly all of which are copied, would hardly be felt."""
        batch = self.collated(examples)
        states = self.states(batch)
        answers = self.answers(batch, states)
        lengths = [length for example in examples for length in example.lengths]
        loss = F.nll_loss(answers, batch.answer, reduction="sum") / len(lengths)
        figures = {"plan": loss.item(), "copy": 0.0, "pointed": 0.0}
        right = [bool(part.all()) for part in torch.split(answers.argmax(-1) == batch.answer, lengths)]
        figures["plans_right"] = sum(right) / len(right)
        for name, heads, looks in (
            ("copy", COPYING, (batch.look_from, batch.look_at)),
            ("pointed", POINTING, (batch.point_from, batch.point_at)),
        ):
            if len(looks[0]):
                look, looked = self.looking_loss(batch, states, heads, looks)
                loss, figures[name] = loss + look * len(looks[0]) / len(lengths), looked.item()
        return loss, figures

"""A conversation as the network takes it in: tokens, their positions, and where pictures and videos stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from tokenizers import Tokenizer
from torch import Tensor

from action_space.messages import Message
from vlm.backends.reuse import Shown
from vlm.chat import encode
from vlm.config import Config
from vlm.rope import rope_index


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture or video, and the place of its first token in the prompt."""

    shown: Shown
    start: int

    @property
    def end(self) -> int:
        """The place behind its last token."""
        return self.start + self.shown.tokens


@dataclass(frozen=True, slots=True)
class Prompt:
    """ids: `[1, L]`. positions: `[3, 1, L]`. following: the position behind them. visuals: in their order.

    keys: what tells each token from those of other prompts: its id, or its picture's hash.
    """

    ids: Tensor
    positions: Tensor
    following: int
    keys: tuple[int, ...]
    visuals: tuple[Placed, ...]

    @property
    def length(self) -> int:
        return len(self.keys)

    @property
    def images(self) -> list[Placed]:
        return [one for one in self.visuals if one.shown.seconds is None]

    @property
    def videos(self) -> list[Placed]:
        return [one for one in self.visuals if one.shown.seconds is not None]


def read_prompt(messages: Sequence[Message], shown: Sequence[Shown], tokenizer: Tokenizer, config: Config) -> Prompt:
    """shown: how each picture and video of the messages is seen, in order. Raises ModelError.

    Every token stands where it would if all cells were shown.
    """
    whole = torch.tensor([encode(messages, tokenizer, [one.cells for one in shown])])
    positions, deltas = rope_index(
        whole,
        torch.ones_like(whole),
        config,
        [one.grid for one in shown if one.seconds is None],
        [one.grid for one in shown if one.seconds is not None],
        [one.seconds for one in shown if one.seconds is not None],
    )
    following = whole.shape[1] + int(deltas[0])
    pad = (whole[0] == config.image_token_id) | (whole[0] == config.video_token_id)
    taken = torch.ones_like(pad)
    if shown:
        taken[pad] = torch.cat([torch.ones(one.cells).bool() if one.kept is None else one.kept for one in shown])
    ids, pads = whole[:, taken], torch.nonzero(pad[taken]).flatten().tolist()
    firsts = accumulate((one.tokens for one in shown), initial=0)
    visuals = tuple(Placed(one, pads[first]) for one, first in zip(shown, firsts, strict=False))
    keys = ids[0].tolist()
    for one in visuals:
        keys[one.start : one.end] = [one.shown.key] * one.shown.tokens
    return Prompt(ids, positions[:, :, taken], following, tuple(keys), visuals)

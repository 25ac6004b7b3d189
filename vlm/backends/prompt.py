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
    """shown: how each picture and video of the messages is seen, in order. Raises ModelError."""
    ids = encode(messages, tokenizer, [one.tokens for one in shown])
    pads = [place for place, token in enumerate(ids) if token in (config.image_token_id, config.video_token_id)]
    firsts = accumulate((one.tokens for one in shown), initial=0)
    visuals = tuple(Placed(one, pads[first]) for one, first in zip(shown, firsts, strict=False))
    keys = list(ids)
    for one in visuals:
        keys[one.start : one.end] = [one.shown.key] * one.shown.tokens
    whole = torch.tensor([ids])
    positions, deltas = rope_index(
        whole,
        torch.ones_like(whole),
        config,
        [one.grid for one in shown if one.seconds is None],
        [one.grid for one in shown if one.seconds is not None],
        [one.seconds for one in shown if one.seconds is not None],
    )
    return Prompt(whole, positions, len(ids) + int(deltas[0]), tuple(keys), visuals)

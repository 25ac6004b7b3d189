"""How likely a model finds what it says, where numbers that hardly differ say the same."""

import re
from collections import defaultdict

import torch
from tokenizers import Tokenizer
from torch import Tensor

NEAR = 28
"""Pixels; tokens that differ in one number by no more than this mean one place."""
_NUMBER = re.compile(r"\d+")


class Sureness:
    """For vocabularies with whole coordinates as tokens, such as `click(644`: any point inside a control is right, so
    the likelihood of a single one says little."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        families: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for text, token in tokenizer.get_vocab().items():
            numbers = _NUMBER.findall(text)
            if len(numbers) == 1 and numbers[0] != text:
                families[_NUMBER.sub("#", text)].append((int(numbers[0]), token))
        self._near: dict[int, Tensor] = {
            token: torch.tensor([other for near, other in family if abs(near - number) <= NEAR])
            for family in families.values()
            if len(family) > 1
            for number, token in family
        }

    def share(self, logits: Tensor, token: int) -> float:
        """Of the probability `[vocabulary]`, what goes to this token and those that mean the same."""
        shares = logits.float().softmax(-1)
        near = self._near.get(token)
        return float(shares[token] if near is None else shares[near.to(shares.device)].sum())

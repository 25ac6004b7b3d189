"""What a model means by numbers that hardly differ, and how likely it finds what it says."""

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
        families = {form: family for form, family in families.items() if len(family) > 1}
        self._near: dict[int, Tensor] = {
            token: torch.tensor([other for near, other in family if abs(near - number) <= NEAR])
            for family in families.values()
            for number, token in family
        }
        self._number = {token: number for family in families.values() for number, token in family}

    def share(self, logits: Tensor, token: int) -> float:
        """Of the probability `[vocabulary]`, what goes to this token and those that mean the same."""
        shares = logits.float().softmax(-1)
        near = self._near.get(token)
        return float(shares[token] if near is None else shares[near.to(shares.device)].sum())

    def middle(self, logits: Tensor, token: int) -> int:
        """The token in the middle of what those near this one are likely to say; itself where it is no coordinate.

        Training takes any point of a control for right, so which of them is the likeliest is chance, and may be one at
        its edge. What `logits` rule out is not taken.
        """
        near = self._near.get(token)
        if near is None:
            return token
        shares = logits[near.to(logits.device)].float().softmax(-1).cpu()
        numbers = torch.tensor([float(self._number[int(other)]) for other in near])
        away = (numbers - (shares * numbers).sum()).abs()
        return int(near[away.masked_fill(shares == 0, torch.inf).argmin()])

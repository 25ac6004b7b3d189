"""Constrained decoding: a grammar says which tokens may come next, and what must come next is not sampled but fed.

Grammars are in the Lark dialect of llguidance (which also takes `%json {...}` for a JSON schema and `%regex`); dialects
write them (`Dialect.grammar`), `grammar_of_schema` and `grammar_of_regex` make them for servers.
"""

import json
import re
from collections.abc import Mapping

import llguidance.torch
import torch
from llguidance import LLMatcher, LLTokenizer
from tokenizers import Tokenizer
from torch import Tensor

from action_space.errors import ModelError

_SLASH = re.compile(r"\\.|/")
"""A slash, or anything behind a backslash."""
_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


class Guides:
    """Makes guides for one model's tokenizer. vocabulary: how many logits the network has. stop: its end token."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, stop: int) -> None:
        size = max(vocabulary, tokenizer.get_vocab_size())
        self._tokenizer = LLTokenizer(tokenizer.to_str(), n_vocab=size, eos_token=stop)
        added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._tags = [re.escape(token) for token in added if re.fullmatch(r"<[^<>|]+>", token)]

    def guide(self, grammar: str) -> "Guide":
        """A guide at its start. Raises ModelError for a bad grammar."""
        return Guide(self._with_tags(grammar), self._tokenizer)

    def _with_tags(self, grammar: str) -> str:
        """Tokens such as <tool_call> have to stand outside of quotes, where the tokenizer has them as one."""

        def apart(literal: re.Match[str]) -> str:
            parts = re.split(f"({'|'.join(self._tags)})", literal[1])
            return " ".join(part if number % 2 else f'"{part}"' for number, part in enumerate(parts) if part)

        return "\n".join(
            line if "%json" in line else _LITERAL.sub(apart, line) if self._tags else line
            for line in grammar.split("\n")
        )


class Guide:
    """Follows one reply through a grammar."""

    def __init__(self, grammar: str, tokenizer: LLTokenizer) -> None:
        self._matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar))
        self._mask = llguidance.torch.allocate_token_bitmask(1, tokenizer.vocab_size)
        self._check("the grammar cannot be followed")

    def forced(self) -> list[int]:
        """The tokens that have to come next, whatever the model would say; they count as said."""
        tokens: list[int] = self._matcher.compute_ff_tokens()
        if tokens:
            self._matcher.consume_tokens(tokens)
            # What forces text without end, such as a schema that needs itself, ends in a limit of the library.
            self._check("the grammar cannot be followed to its end")
        return tokens

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits `[vocabulary]`, minus infinity for what may not come next. Raises ModelError if nothing may."""
        llguidance.torch.fill_next_token_bitmask(self._matcher, self._mask)
        self._check("no text satisfies the grammar")
        count = min(len(logits), 32 * self._mask.shape[1])
        bits = self._mask[0].unsqueeze(1) >> torch.arange(32, dtype=self._mask.dtype)
        allowed = torch.zeros(len(logits), dtype=torch.bool)
        allowed[:count] = (bits & 1).bool().flatten()[:count]
        if not allowed.any():
            raise ModelError("no text satisfies the grammar: loosen the constraint")
        return logits.masked_fill(~allowed.to(logits.device), float("-inf"))

    def take(self, token: int) -> None:
        """Call with what was chosen."""
        self._matcher.consume_token(token)
        self._check("the grammar was left")

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return bool(self._matcher.is_stopped())

    def _check(self, what: str) -> None:
        error = self._matcher.get_error()
        if error:
            raise ModelError(f"{what}: {' '.join(error.split())[:300]}")


def grammar_of_schema(schema: Mapping[str, object]) -> str:
    """JSON that fits a JSON schema, on one line: where blanks are free, a weak model writes nothing else."""
    spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return f"start: %json {json.dumps({**schema, 'x-guidance': spacing})}"


def grammar_of_regex(pattern: str) -> str:
    """Text that matches a regular expression as a whole."""
    return f"start: /{_SLASH.sub(lambda found: found[0] if len(found[0]) > 1 else chr(92) + '/', pattern)}/"

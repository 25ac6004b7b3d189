"""The Qwen2.5 decoder: grouped-query attention with three-axis rotary positions."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.config import TextConfig
from vlm.layers import RMSNorm, attention
from vlm.rope import apply_rotary, mrope_table


class Cache(Protocol):
    """Where keys and values go, and from where they come."""

    length: int

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]: ...

    def advance(self, tokens: int) -> None: ...


class KVCache:
    """Keys and values of the tokens seen so far, one buffer a layer, grown to what is expected or else by doubling."""

    def __init__(self) -> None:
        self.length = 0
        self._expected = 0
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store `[B, kv_heads, new, head_dim]` behind what is there; returns everything up to and with it."""
        end = self.length + keys.shape[2]
        if layer == len(self._keys):
            self._keys.append(keys.new_empty(*keys.shape[:2], max(64, end, self._expected), keys.shape[3]))
            self._values.append(torch.empty_like(self._keys[layer]))
        if end > (size := self._keys[layer].shape[2]):
            size = self._expected if self._expected >= end else max(end, 2 * size)
            self._keys[layer] = _grown(self._keys[layer], size, self.length)
            self._values[layer] = _grown(self._values[layer], size, self.length)
        self._keys[layer][:, :, self.length : end] = keys
        self._values[layer][:, :, self.length : end] = values
        return self._keys[layer][:, :, :end], self._values[layer][:, :, :end]

    @property
    def buffers(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Keys and values of each layer `[B, kv_heads, room, head_dim]`, of which `length` are filled."""
        return tuple(self._keys), tuple(self._values)

    @property
    def room(self) -> int:
        """For how many tokens there is memory."""
        return self._keys[0].shape[2] if self._keys else 0

    def advance(self, tokens: int) -> None:
        """Call once a forward pass, when every layer has appended."""
        self.length += tokens

    def expect(self, length: int) -> None:
        """There will be so many tokens: room for all of them is made the next time that it is made."""
        self._expected = length

    def truncate(self, length: int) -> None:
        """Forget all tokens from `length` on."""
        self.length = min(self.length, length)


def _grown(buffer: Tensor, size: int, used: int) -> Tensor:
    larger = buffer.new_empty(*buffer.shape[:2], size, buffer.shape[3])
    larger[:, :, :used] = buffer[:, :, :used]
    return larger


class Attention(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.qkv_proj = nn.Linear(config.hidden_size, (self.heads + 2 * self.kv_heads) * self.head_dim)
        self.o_proj = nn.Linear(self.heads * self.head_dim, config.hidden_size, bias=False)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None,
        cache: Cache | None,
        layer: int,
        last_only: bool = False,
    ) -> Tensor:
        batch, length, _ = x.shape
        heads = self.qkv_proj(x).view(batch, length, -1, self.head_dim).transpose(1, 2)
        turned, v = heads.split((self.heads + self.kv_heads, self.kv_heads), dim=1)
        q, k = torch.split(apply_rotary(turned, cos, sin), [self.heads, self.kv_heads], dim=1)
        if cache is not None:
            k, v = cache.append(layer, k, v)
        if last_only:
            q, mask = q[:, :, -1:], None if mask is None else mask[:, :, -1:]
        mixed = attention(q, k, v, mask, causal=mask is None)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, q.shape[2], -1))
        return out


class MLP(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        out: Tensor = self.down_proj(F.silu(gate) * up)
        return out


class DecoderLayer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None,
        cache: Cache | None,
        layer: int,
        last_only: bool = False,
    ) -> Tensor:
        """`[B, L, hidden]` to the same, or to that of the last token, `[B, 1, hidden]`; the cache gets all of them."""
        mixed = self.self_attn(self.input_layernorm(x), cos, sin, mask, cache, layer, last_only)
        x = x[:, -mixed.shape[1] :] + mixed
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class LanguageModel(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        embedding = torch.empty(config.vocab_size, config.hidden_size)
        if not embedding.is_meta:  # there it would import PyTorch's compiler: 70 MB and seconds
            nn.init.normal_(embedding)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, _weight=embedding)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        padding: Tensor | None = None,
        cache: Cache | None = None,
        mask: Tensor | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """Embeddings `[B, L, hidden]` at positions `[3, B, L]` to final hidden states of the same shape.

        padding: `[B, cached + L]`, False where a token is padding; None if there is none. Order of tokens, not
        positions, decides what is causal: positions inside a picture do not grow along the sequence. mask: in the
        place of both, `[B, 1, L, keys of the cache]`, True where a token may look. last_only: the state of the last
        token alone, `[B, 1, hidden]`: behind the last layer's keys and values no other one is needed.
        """
        config = self.config
        cos, sin = mrope_table(positions, config.head_dim, config.rope_theta, config.mrope_section)
        cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
        seen = cache.length if cache is not None else 0
        if mask is None:
            mask = attention_mask(x.shape[1], seen, padding, x.device)
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, cache, index, last_only and index == len(self.layers) - 1)
        if cache is not None:
            cache.advance(positions.shape[-1])
        out: Tensor = self.norm(x)
        return out


def attention_mask(length: int, seen: int, padding: Tensor | None, device: torch.device) -> Tensor | None:
    """`[B, 1, length, seen + length]`, True where a token may look; None where every token may look at those before."""
    if padding is None:
        return None
    causal = torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)
    # A padding token would see nothing and become NaN: let it see itself.
    itself = torch.eye(length, seen + length, dtype=torch.bool, device=device).roll(seen, dims=1)
    return (causal & padding[:, None, None, :].bool()) | itself

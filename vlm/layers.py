"""Parts that the vision tower and the decoder share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QUERIES = 256
"""So many are answered at once on a CPU: their scores stay in its caches, and causal ones meet no key behind them."""
MOST_SCORES = 2**25
"""Or fewer, if these would be more scores: they take 64 MB in bf16, and that twice."""


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in fp32; the weight is applied in the input's dtype."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        # The mean of the squares by way of the norm, which takes no second copy of all values in fp32.
        mean = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square() / x.shape[-1]
        return self.weight * (wide * torch.rsqrt(mean + self.eps)).to(x.dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, causal: bool = False) -> Tensor:
    """Scaled dot-product attention over `[batch, heads, tokens, head_dim]`; k and v may have fewer heads.

    mask: `[batch or 1, 1, queries, keys]`, True where a query may look. causal: each query sees the keys up to its own
    place, which for the last one is the last key.
    """
    # In fp32 torch's kernel for CPUs is the faster one, but for windows; in bf16 it takes two to three times as long.
    if q.device.type != "cpu" or (q.dtype == torch.float32 and q.shape[2] > QUERIES):
        return _by_torch(q, k, v, mask, causal)
    (batch, heads, length, width), kv_heads, keys = q.shape, k.shape[1], k.shape[2]
    # The query heads that share a key head are laid end to end, so that no key is copied.
    queries = q.reshape(batch, kv_heads, heads // kv_heads, length, width)
    if length == 1 and mask is None:
        return F.scaled_dot_product_attention(queries.squeeze(3), k, v).view(q.shape)
    queries, k, v = queries * width**-0.5, k.contiguous(), v.contiguous()
    rows = max(16, min(QUERIES, MOST_SCORES // (batch * heads * keys)))
    mixed = []
    for start in range(0, length, rows):
        end = min(start + rows, length)
        seen = keys - length + end if causal else keys
        bias = _bias(mask[:, :, start:end], q.dtype) if mask is not None else None
        if causal:
            bias = torch.full((end - start, end - start), float("-inf"), dtype=q.dtype).triu(1)
        mixed.append(_mixed(queries[:, :, :, start:end], k[:, :, :seen], v[:, :, :seen], bias))
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=2)


def _by_torch(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    length, keys = q.shape[2], k.shape[2]
    if causal and 1 < length < keys:  # torch's own causal mask would begin at the first key
        mask, causal = torch.ones(length, keys, dtype=torch.bool, device=q.device).tril(keys - length), False
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal and length > 1, enable_gqa=grouped)


def _mixed(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """`[batch, heads, queries, head_dim]` of scaled `[batch, kv_heads, group, queries, head_dim]`.

    bias: added to the scores of the last keys, as many as it has columns.
    """
    (batch, kv_heads, group, length, width), keys = q.shape, k.shape[2]
    flat = q.reshape(batch * kv_heads, group * length, width)
    scores = flat @ k.reshape(-1, keys, width).transpose(1, 2)
    if bias is not None:
        scores.view(batch, kv_heads, group, length, keys)[..., keys - bias.shape[-1] :].add_(bias)
    mixed = scores.softmax(-1) @ v.reshape(-1, keys, width)
    return mixed.view(batch, kv_heads * group, length, width)


def _bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """`[batch or 1, 1, 1, queries, keys]`: 0 where a query may look, minus infinity elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, float("-inf")).unsqueeze(1)

"""Parts that the vision tower and the decoder share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHORT = 1536
"""Up to this many queries, plain products are faster on a CPU than its flash kernel."""
MOST_SCORES = 2**27
"""Above this many scores, plain products take too much memory: 256 MB in bf16, and that three times."""


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in fp32; the weight is applied in the input's dtype."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, causal: bool = False) -> Tensor:
    """Scaled dot-product attention over `[batch, heads, tokens, head_dim]`; k and v may have fewer heads.

    mask: True where a query may look. causal: each query sees the keys up to its own place.
    """
    grouped = q.shape[1] != k.shape[1]
    scores = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2]
    if q.device.type != "cpu" or q.shape[2] > SHORT or scores > MOST_SCORES:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    # The query heads that share a key head are laid end to end, so that no key is copied.
    (batch, heads, length, width), kv_heads, keys = q.shape, k.shape[1], k.shape[2]
    group = heads // kv_heads
    if causal:
        mask = torch.ones(length, keys, dtype=torch.bool).tril()
    queries = (q * width**-0.5).reshape(batch * kv_heads, group * length, width)
    turned = k.reshape(batch * kv_heads, keys, width).transpose(1, 2)
    if mask is None:
        found = queries @ turned
    else:
        found = torch.baddbmm(_bias(mask, q).view(batch * kv_heads, group * length, keys), queries, turned)
    mixed: Tensor = found.softmax(-1) @ v.reshape(batch * kv_heads, keys, width)
    return mixed.view(batch, heads, length, width)


def _bias(mask: Tensor, q: Tensor) -> Tensor:
    """`[batch, heads, queries, keys]`: 0 where a query may look, minus infinity elsewhere."""
    bias = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, float("-inf"))
    return bias.view(-1, 1, *mask.shape[-2:]).expand(*q.shape[:3], mask.shape[-1]).contiguous()

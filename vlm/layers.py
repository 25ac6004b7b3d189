"""Parts that the vision tower and the decoder share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHORT = 512
"""Up to this many queries, plain products are faster on a CPU than its flash kernel."""


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
    if q.device.type != "cpu" or q.shape[2] > SHORT:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    if grouped:
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if causal:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    mixed: Tensor = scores.float().softmax(-1).to(v.dtype) @ v
    return mixed

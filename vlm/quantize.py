"""Weight-only int8 and int4 for the decoder's linear layers: packed weights, a scale for each group of inputs.

On disk the tensor `NAME.weight` `[out, in]` of a checkpoint becomes two, and everything else stays as it is:

* `NAME.qweight`: at 8 bits int8 `[out, in]`; at 4 bits uint8 `[out, in / 2]`, where byte `i` of a group holds its
  values `i` (low half of the byte) and `i + group / 2` (high half), each with 8 added.
* `NAME.scales`: bf16 `[out, in / group]`.

`weight[o, i] = q[o, i] * scales[o, i // group]`, with `q` from -127 to 127 or from -7 to 7. config.json says so in
`"quantization_config": {"quant_method": "clickwright", "bits": 4, "group_size": 32}`, where other programs look for
what they may not know: transformers warns, and names the weights that it misses.
"""

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.config import Quantization

_BLOCK = 2**20
"""Weights that are unpacked at a time: in fp32 they stay in a processor's cache."""

_QUANTIZED = re.compile(r"language_model\.layers\.\d+\.(self_attn|mlp)\.[a-z]+_proj\.weight")


def is_quantized(canonical: str) -> bool:
    """Whether the tensor of this canonical name is one that quantisation packs: a weight of the decoder's layers."""
    return _QUANTIZED.fullmatch(canonical) is not None


def quantize(weight: Tensor, to: Quantization) -> tuple[Tensor, Tensor]:
    """`[out, in]` as (qweight, scales). No weight moves by more than half its scale.

    The group must divide `in`. Raises ValueError for a weight that is not finite.
    """
    groups = weight.float().view(weight.shape[0], -1, to.group_size)
    if not groups.isfinite().all():
        raise ValueError("it holds values that are not finite")
    # Rounded to the scale that is stored, so that its own rounding costs nothing.
    scales = (groups.abs().amax(-1) / to.most).bfloat16()
    steps = scales.float().masked_fill(scales == 0, 1).unsqueeze(-1)
    values = (groups / steps).round().clamp(-to.most, to.most)
    if to.bits == 8:
        return values.to(torch.int8).flatten(1), scales
    low, high = (values + 8).to(torch.uint8).view(*scales.shape, 2, -1).unbind(2)
    return (low | high << 4).flatten(1), scales


def dequantize(qweight: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """`[out, in]` in `dtype`, from what `quantize` gave (or any rows of it)."""
    groups = qweight.view(*scales.shape, -1)
    if qweight.dtype == torch.uint8:
        values = torch.cat((groups & 15, groups >> 4), dim=-1).float().sub_(8)
    else:
        values = groups.float()
    # In fp32 up to here: a CPU has no quick way from integers to bf16.
    return values.mul_(scales.float().unsqueeze(-1)).flatten(1).to(dtype)


class QuantizedLinear(nn.Module):
    """A linear layer whose weight stays packed in memory; it is unpacked a few rows at a time, when it is used."""

    qweight: Tensor
    scales: Tensor

    def __init__(self, inputs: int, outputs: int, *, bias: bool, quantization: Quantization) -> None:
        super().__init__()
        packed, dtype = (inputs, torch.int8) if quantization.bits == 8 else (inputs // 2, torch.uint8)
        self.register_buffer("qweight", torch.zeros(outputs, packed, dtype=dtype))
        self.register_buffer("scales", torch.zeros(outputs, inputs // quantization.group_size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.rows = max(1, _BLOCK // inputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` to `[..., out]`, in the dtype of `x`."""
        rows, scales = torch.split(self.qweight, self.rows), torch.split(self.scales, self.rows)
        blocks = [F.linear(x, dequantize(q, s, x.dtype)) for q, s in zip(rows, scales, strict=True)]
        out = torch.cat(blocks, dim=-1)
        return out if self.bias is None else out + self.bias


def pack_layers(decoder: nn.Module, quantization: Quantization) -> None:
    """Put an empty QuantizedLinear in the place of each linear layer in `decoder`."""
    for module in list(decoder.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                has_bias = layer.bias is not None
                packed = QuantizedLinear(
                    layer.in_features, layer.out_features, bias=has_bias, quantization=quantization
                )
                setattr(module, name, packed)

"""Weights in oneDNN's own layout, for products in bf16 on a CPU.

oneDNN multiplies blocks. A weight whose rows lie one behind the other is read in that order, by a slower kernel, or
copied into blocks at each product; laid out in blocks once, one vector takes 1.3 to 2 times less and a thousand no
longer, with the same result (docs/experiments.md). The operators are private to torch: where they are missing or do not
work, everything stays as it is.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.model import Qwen25VL

TIED_SHARE = 0.1
"""Of all weights. A tied head is a second copy of the embeddings, whose rows cannot be read out of blocks: if it is
more than this share, it stays as it is."""


class BlockedLinear(nn.Module):
    """A linear layer in bf16 for inference, made of an nn.Linear. `state_dict` gives its weight as it was.

    weight: opaque; its dtype, shape and bytes are those of the weight, its values only `weight.to_dense()` gives.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(_in_blocks(layer.weight.detach()), requires_grad=False)
        self.bias = layer.bias
        self.register_state_dict_post_hook(_as_it_was)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` to `[..., out]`."""
        return _product(x, self.weight, self.bias)


def block_weights(model: Qwen25VL) -> bool:
    """Lay out the weights of all linear layers in blocks, if they are bf16 on a CPU that can; whether that was done.

    One layer at a time, and the old weight goes when the new one is there: no memory for a second network is needed.
    """
    if not _is_for(model.lm_head.weight) or not _works():
        return False
    left_out = model.lm_head if _is_costly_copy(model) else None
    # Nothing here holds an old weight when its place is taken: a list of all layers would.
    for module in [module for module in model.modules() if not isinstance(module, nn.Linear)]:
        for name in [name for name, _ in module.named_children()]:
            layer = getattr(module, name)
            if isinstance(layer, nn.Linear) and layer is not left_out:
                setattr(module, name, BlockedLinear(layer))
    return True


def _is_for(weight: Tensor) -> bool:
    return weight.dtype == torch.bfloat16 and weight.device.type == "cpu"


def _is_costly_copy(model: Qwen25VL) -> bool:
    if model.lm_head.weight is not model.language_model.embed_tokens.weight:
        return False
    stored = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    return model.lm_head.weight.nbytes > TIED_SHARE * stored


def _works() -> bool:
    """By a trial: whether torch has the operators, and this processor what they need, no flag of torch says."""
    weight, x = (torch.linspace(-1, 1, rows * 64).view(rows, 64).bfloat16() for rows in (96, 3))
    try:
        found = _product(x, _in_blocks(weight), None)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    return torch.allclose(found, F.linear(x, weight), rtol=0.02, atol=0.1)


def _in_blocks(weight: Tensor) -> Tensor:
    """`[out, in]` in the layout that oneDNN wants for one vector; it takes more vectors as well."""
    blocked: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, 1)  # noqa: SLF001
    return blocked


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # noqa: SLF001
    return out


def _as_it_was(_layer: nn.Module, state: dict[str, Any], prefix: str, _local: Mapping[str, Any]) -> None:
    state[f"{prefix}weight"] = state[f"{prefix}weight"].to_dense()

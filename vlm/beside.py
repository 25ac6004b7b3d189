"""Small networks beside a checkpoint: weights in int8 and a scale for each row, in a compressed file of their own.

The file is neither `.pt` nor `.safetensors`: what loads a checkpoint takes all such files for its weights.
"""

import lzma
from io import BytesIO
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from action_space.errors import ConfigError, ModelError
from vlm.config import Quantization
from vlm.quantize import dequantize, quantize


def load_beside(network: nn.Module, path: Path, lacks: str, remedy: str) -> None:
    """Fill a network with what a file holds. lacks, remedy: what a damaged one does not hold, and what to do then.
    Raises ModelError."""
    try:
        stored = torch.load(BytesIO(lzma.decompress(path.read_bytes())), map_location="cpu", weights_only=True)
        weights = {name: _unpacked(stored, name, weight) for name, weight in network.state_dict().items()}
        network.load_state_dict(weights)
    except (OSError, EOFError, lzma.LZMAError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError) as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{str(path)!r} holds nothing {lacks} ({why}): {remedy}") from error


def save_beside(network: nn.Module, path: Path) -> None:
    """Raises ConfigError where that cannot be written, ValueError for a weight that is not finite."""
    packed = dict(chain.from_iterable(_packed(name, weight.cpu()) for name, weight in network.state_dict().items()))
    written = BytesIO()
    torch.save(packed, written)
    try:
        path.write_bytes(lzma.compress(written.getvalue(), preset=9))
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {' '.join(str(error).split())[:200]}") from error


def _packed(name: str, weight: Tensor) -> tuple[tuple[str, Tensor], ...]:
    """What is stored of a weight, as `vlm.quantize` names it; of a vector all, in bf16."""
    if weight.ndim < 2:
        return ((name, weight.bfloat16()),)
    rows = weight.flatten(1)
    qweight, scales = quantize(rows, Quantization(8, rows.shape[1]))
    return (f"{name}.qweight", qweight), (f"{name}.scales", scales)


def _unpacked(stored: dict[str, Tensor], name: str, weight: Tensor) -> Tensor:
    if name in stored:
        return stored[name]
    rows = dequantize(stored[f"{name}.qweight"], stored[f"{name}.scales"], torch.float32)
    return rows.view_as(weight)

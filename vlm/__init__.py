"""Qwen2.5-VL: the network, its inputs and the ways to run it. Torch lives here and nowhere else."""

from pathlib import Path
from typing import TYPE_CHECKING

from action_space.errors import ModelError

if TYPE_CHECKING:
    from vlm.backends.engine import Engine

BUNDLED = Path(__file__).parent / "bundled"
"""The checkpoint folder of the bundled model."""


def folder_of(spec: str | Path = "bundled") -> Path:
    """The checkpoint folder of `bundled`, or the folder itself. Raises ModelError if it is not there."""
    folder = BUNDLED if str(spec) == "bundled" else Path(spec).expanduser()
    if folder == BUNDLED and not folder.is_dir():
        raise ModelError(
            "the weights of the bundled model are not in this copy: make them with `agent train`, "
            "or give --model the folder of a Qwen2.5-VL checkpoint"
        )
    if not folder.is_dir():
        raise ModelError(f"there is no model {str(spec)!r}: give 'bundled' or the folder of a Qwen2.5-VL checkpoint")
    return folder


def load(
    spec: str | Path = "bundled", *, dtype: str = "auto", device: str = "auto", temperature: float = 1.0
) -> "Engine":
    """The model of `bundled` or of a checkpoint folder, ready to answer, on a GPU if there is one.

    temperature: of answers that are drawn, from attempt 1 on. Raises ModelError.
    """
    folder = folder_of(spec)
    # Here, because importing vlm must not import torch.
    from vlm.backends.engine import Engine

    return Engine(folder, dtype=dtype, device=device, temperature=temperature)

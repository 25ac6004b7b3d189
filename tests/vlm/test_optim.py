"""The optimizer: which weights take steps of which kind."""

import torch
from torch import nn

from vlm.training.optim import MuonAdamW


def step_of(network: nn.Module, rate: float) -> dict[str, torch.Tensor]:
    """How far a step moves each weight, whose gradient is of chance."""
    torch.manual_seed(1)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer = MuonAdamW(network.named_parameters(), matrix_lr=rate, other_lr=0.5, decay=0.0)
    for weight in network.parameters():
        weight.grad = torch.randn_like(weight)
    optimizer.step()
    return {name: weight.detach() - before[name] for name, weight in network.named_parameters()}


def test_a_convolution_moves_as_a_matrix_with_a_row_for_each_channel() -> None:
    moved = step_of(nn.ModuleDict({"eye": nn.Conv2d(3, 8, 5), "where": nn.Conv2d(8, 8, 3, groups=8)}), 0.1)
    rows = moved["eye.weight"].flatten(1)
    assert torch.allclose(torch.linalg.svdvals(rows), torch.full((8,), 0.1), rtol=0.4), "as far in every direction"
    # Of these each row is of one channel alone: AdamW, whose first step is the rate everywhere.
    assert torch.allclose(moved["where.weight"].abs(), torch.full_like(moved["where.weight"], 0.5), rtol=1e-3)
    assert torch.allclose(moved["eye.bias"].abs(), torch.full((8,), 0.5), rtol=1e-3)

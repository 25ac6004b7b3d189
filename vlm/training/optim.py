"""Muon for the matrices, AdamW for everything else; fp32 master weights behind a network of any numbers."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from vlm.training.workers import rank, summed, workers

NO_MATRICES = ("embed_tokens", "lm_head", "heads", "merger.mlp.0", "pairs", "place", "where", "letters", "deeds")
"""Parts of which even weights of two or more dimensions take AdamW steps."""


def orthogonalised(gradient: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix to `gradient`, by Newton-Schulz iteration in its own numbers, for which
    bf16 is enough (Jordan et al., 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient
    wide = x.shape[0] > x.shape[1]
    x = x.T if wide else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.T if wide else x
    return result


def zeros_or_gradient(parameter: Tensor) -> Tensor:
    """The gradient in fp32."""
    return torch.zeros_like(parameter, dtype=torch.float32) if parameter.grad is None else parameter.grad.float()


class MuonAdamW:
    """One optimizer over a network's parameters.

    Weights of two or more dimensions inside blocks take Muon steps of `matrix_lr`, those of a convolution as a matrix
    with a row for each channel; embeddings, heads, readers, biases and norms take AdamW steps of `other_lr`, and so do
    all without a `matrix_lr`. Both are scaled by the `scale` given to `step`, and by what `pace` says of a parameter's
    name.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        *,
        matrix_lr: float | None,
        other_lr: float,
        decay: float = 0.01,
        pace: Callable[[str], float] = lambda _name: 1.0,
    ) -> None:
        self.matrix_lr, self.other_lr, self.decay = matrix_lr, other_lr, decay
        self.count = 0
        self.entries: list[tuple[nn.Parameter, Tensor, Tensor, Tensor | None]] = []
        self.rates: list[float] = []
        for name, parameter in named:
            if parameter.requires_grad:
                inside = not any(part in name for part in NO_MATRICES)
                self.rates.append(pace(name))
                matrix = matrix_lr is not None and parameter.ndim >= 2 and inside
                master = parameter.detach().float().clone()
                self.entries.append(
                    (parameter, master, torch.zeros_like(master), None if matrix else torch.zeros_like(master))
                )

    @torch.no_grad()
    def step(self, scale: float = 1.0) -> None:
        """Apply the gradients, averaged over all workers, and clear them."""
        self.count += 1
        # A part that this step did not use has no gradient in one worker, but may have one in another.
        gradients = summed([zeros_or_gradient(entry[0]) / workers() for entry in self.entries])
        matrices = []
        for (parameter, master, first, second), gradient, rate in zip(self.entries, gradients, self.rates, strict=True):
            if second is None:
                first.lerp_(gradient, 0.05)
                direction = gradient.lerp(first, 0.95).to(parameter.dtype)
                matrices.append((master.flatten(1), direction.flatten(1), scale * rate))
            else:
                self._adamw(master, first, second, gradient, scale * rate)
        self._muon(matrices)
        for parameter, master, _, _ in self.entries:
            parameter.copy_(master)
            parameter.grad = None

    def _muon(self, matrices: list[tuple[Tensor, Tensor, float]]) -> None:
        """Each a matrix, its direction and the scale. Every worker makes its share of the updates orthogonal."""
        mine = [number % workers() == rank() for number in range(len(matrices))]
        shares = [
            orthogonalised(d).float() if own else torch.zeros_like(d, dtype=torch.float32)
            for own, (_, d, _) in zip(mine, matrices, strict=True)
        ]
        for (master, _, scale), update in zip(matrices, summed(shares), strict=True):
            lr = (self.matrix_lr or 0.0) * scale
            # Keeps the update's root mean square independent of the matrix's shape.
            size = max(1, master.shape[0] / master.shape[1]) ** 0.5
            master.mul_(1 - lr * self.decay).add_(update, alpha=-lr * size)

    def _adamw(self, master: Tensor, first: Tensor, second: Tensor, gradient: Tensor, scale: float) -> None:
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.02)
        mean, square = first / (1 - 0.9**self.count), second / (1 - 0.98**self.count)
        master.add_(mean / (square.sqrt() + 1e-8), alpha=-self.other_lr * scale)

    def state(self) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """What `load_state` takes, to go on after a kill."""
        return [(master, first, second) for _, master, first, second in self.entries]

    def load_state(self, state: list[tuple[Tensor, Tensor, Tensor | None]], count: int) -> None:
        self.count = count
        for (parameter, master, *moments), theirs in zip(self.entries, state, strict=True):
            for own, saved in zip((master, *moments), theirs, strict=True):
                if own is not None and saved is not None:
                    own.copy_(saved)
            with torch.no_grad():
                parameter.copy_(master)


def ramp(step: int, progress: float, warmup: int = 30, hold: float = 0.5) -> float:
    """Learning-rate scale: linear warm-up over steps, flat up to `hold` of the way (0 to 1), then linear to zero."""
    return min(1.0, (step + 1) / warmup, max(0.0, 1 - progress) / (1 - hold))

"""Makes a network's decoder narrower: the neurons of its MLPs that matter least go, so that there is room for others.

What each layer's neurons say on training examples is gathered; what is left of them takes over as much as it can of
what those that go said (least squares), as in Hassibi and Stork, "Optimal Brain Surgeon", 1993.
"""

import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from action_space.errors import ConfigError
from vlm.model import Qwen25VL
from vlm.training.data.words import Words
from vlm.training.examples import planning_example
from vlm.training.multimodal import Trainer
from vlm.training.pool import Pool
from vlm.training.stages import cells_at, fill, pointing

SCREENS, STEPS, TOKENS, PLANS = 60, 40, 3000, 24
"""Screens that are encoded, steps on them, and of each step visual tokens of points and plans."""
DAMPING = 1e-4
"""Of the mean of what neurons say, squared."""


def narrow(trainer: Trainer, screens: Path, neurons: int, *, seed: int = 0) -> Trainer:
    """The same with so many neurons in each decoder layer. Raises ConfigError if it has no more than that."""
    model = trainer.model
    width = model.config.text.intermediate_size
    if not 0 < neurons < width:
        raise ConfigError(f"the decoder has {width} neurons in each layer: keep fewer than that, and at least one")
    grams = _gathered(trainer, screens, seed)
    smaller = Qwen25VL(replace(model.config, text=replace(model.config.text, intermediate_size=neurons)))
    state = model.state_dict()
    for number, gram in enumerate(grams):
        name = f"language_model.layers.{number}.mlp"
        gate_up, down = state[f"{name}.gate_up_proj.weight"], state[f"{name}.down_proj.weight"]
        kept, down = without_least(gram, down.double(), width - neurons)
        state[f"{name}.gate_up_proj.weight"] = torch.cat((gate_up[kept], gate_up[width + kept]))
        state[f"{name}.down_proj.weight"] = down.to(gate_up.dtype)
    smaller.load_state_dict(state)
    result = Trainer(smaller.to(model.lm_head.weight.dtype))
    result.heads.load_state_dict(trainer.heads.state_dict())
    return result


def without_least(gram: Tensor, down: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Numbers of the neurons that are kept, and their columns of what follows, without the `count` that are missed
    least, one after the other.

    gram `[n, n]`: mean products of what they say; down `[out, n]`: what follows.
    """
    kept = torch.arange(len(gram))
    inverse = torch.linalg.inv(gram + DAMPING * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype))
    for _ in range(count):
        worth = down.square().sum(0) / inverse.diagonal()
        least = int(worth.argmin())
        rest = torch.arange(len(kept)) != least
        row = inverse[least] / inverse[least, least]
        down = (down - down[:, least, None] * row)[:, rest]
        inverse = (inverse - inverse[:, least, None] * row)[rest][:, rest]
        kept = kept[rest]
    return kept, down


def _gathered(trainer: Trainer, screens: Path, seed: int) -> list[Tensor]:
    """Mean products `[n, n]` of what the neurons of each layer say on points and plans."""
    rng = random.Random(seed)
    pool = Pool(screens, trainer.model.visual, seed)
    fill(pool, SCREENS)
    words = Words(rng, held_out=False)
    layers = trainer.model.language_model.layers
    width = trainer.model.config.text.intermediate_size
    sums, counts = [torch.zeros(width, width, dtype=torch.float64) for _ in layers], [0] * len(layers)

    def gather(number: int, said: Tensor) -> None:
        flat = said.flatten(0, -2).float()
        sums[number] += (flat.T @ flat).double()
        counts[number] += len(flat)

    hooks = []
    for number, layer in enumerate(layers):
        down = layer.get_submodule("mlp.down_proj")
        assert isinstance(down, nn.Linear)
        hooks.append(down.register_forward_pre_hook(lambda _, x, number=number: gather(number, x[0])))
    with torch.no_grad():
        for _ in range(STEPS):
            for example in pointing(pool, cells_at(rng, 1.0), TOKENS):
                trainer.states(trainer.collated([example]))
            for _ in range(PLANS):
                trainer.states(trainer.collated([planning_example(rng, words)]))
    for hook in hooks:
        hook.remove()
    return [total / count for total, count in zip(sums, counts, strict=True)]

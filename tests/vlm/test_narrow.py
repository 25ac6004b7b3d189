"""A decoder made narrower: the neurons that matter least go, and the others take over."""

from pathlib import Path

import pytest
import torch

from action_space.errors import ConfigError
from tests.vlm.tiny_trainer import TINY, draw_screens, tiny_trainer
from vlm.training import narrow as narrowing
from vlm.training.export import export
from vlm.training.narrow import narrow, without_least


def test_neurons_that_others_tell_all_of_are_not_missed() -> None:
    torch.manual_seed(0)
    own = torch.randn(500, 6, dtype=torch.float64)
    said = torch.cat((own, own[:, :1] + own[:, 1:2], torch.zeros(500, 1, dtype=torch.float64)), 1)
    down = torch.randn(3, 8, dtype=torch.float64)
    kept, narrower = without_least(said.T @ said / 500, down, 2)
    assert len(kept) == 6 and 7 not in kept, "what says nothing goes"
    torch.testing.assert_close(said[:, kept] @ narrower.T, said @ down.T, atol=1e-2, rtol=1e-2)


def test_a_narrower_network_says_nearly_the_same_and_can_be_taught_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("SCREENS", 2), ("STEPS", 3), ("TOKENS", 100), ("PLANS", 2)):
        monkeypatch.setattr(narrowing, name, value)
    draw_screens(tmp_path / "screens")
    trainer = tiny_trainer().float()
    smaller = narrow(trainer, tmp_path / "screens", 60)
    assert smaller.model.config.text.intermediate_size == 60
    ids = torch.randint(0, 256, (1, 30))
    ours, theirs = (model(ids).logits for model in (trainer.model, smaller.model))
    assert (ours - theirs).norm() < 0.3 * ours.norm()
    export(smaller, tmp_path / "out")
    with pytest.raises(ConfigError, match="64 neurons"):
        narrow(trainer, tmp_path / "screens", TINY.text.intermediate_size)

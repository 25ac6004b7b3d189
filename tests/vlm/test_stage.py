"""A stage of training: what it leaves on disk is whole, and no later stage is left behind."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from action_space.errors import ConfigError, RecordingError
from vlm.training.optim import MuonAdamW
from vlm.training.run import Stage


def stage(folder: Path, name: str = "teach", minutes: float = 1e9) -> Stage:
    network = nn.ModuleDict({"trainer": nn.Linear(200, 200)})
    return Stage(name, folder, minutes, network, MuonAdamW(network.named_parameters(), matrix_lr=0.1, other_lr=0.1))


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """A real limit of the kernel: a write stops in the middle of a file, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_what_was_saved(tmp_path: Path) -> None:
    training = stage(tmp_path)
    training.step = 3
    training.save()
    training.step = 4
    with room_for(50_000), pytest.raises(RecordingError, match=r"teach\.pt.*too large; what was there before stays"):
        training.save()
    assert [path.name for path in tmp_path.iterdir()] == ["teach.pt"], "half a file was left"
    again = stage(tmp_path)
    assert again.step == 3
    assert torch.equal(again.modules["trainer"].weight, training.modules["trainer"].weight)


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    training = stage(tmp_path)
    training.log.symlink_to("/dev/full")
    with pytest.raises(RecordingError, match=r"teach\.log\.jsonl.*No space left"):
        for _ in range(10):
            training.collect({"hits": 0.5})


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(RecordingError, match="cannot write"):
        stage(tmp_path / "out")


def test_no_later_stage_is_left_behind(tmp_path: Path) -> None:
    """More minutes for an earlier stage would be lost on what a later one was trained from."""
    earlier = stage(tmp_path, "icons", minutes=1)
    assert next(earlier.steps()) > 0, "nothing is behind it yet"
    earlier.end()
    earlier.save()
    later = stage(tmp_path, "refine")
    later.save()
    assert stage(tmp_path, "icons", minutes=1).done
    with pytest.raises(ConfigError, match=r"icons\.pt.*minutes left to train.*delete refine\.pt "):
        stage(tmp_path, "icons", minutes=2)
    later.path.unlink()
    assert not stage(tmp_path, "icons", minutes=2).done

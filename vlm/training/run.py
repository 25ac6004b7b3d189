"""A stage of training: bounded by minutes, resumable after a kill, logged line by line."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TypeVar

import torch
from torch import nn

from action_space.errors import ConfigError
from vlm.backends.settings import named_device, named_dtype
from vlm.training.disk import save, writing
from vlm.training.optim import MuonAdamW, ramp
from vlm.training.workers import rank, said_by_first

SAVE_EVERY_S = 180.0
NOTE_EVERY = 10
ORDER = ("pretrain", "icons", "teach", "refine", "prefer")
"""The stages: each begins with what the one before it left. `naming`, which needs the tower alone, and
`acting`, which needs nothing, stand beside them."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much one step of each stage takes in, for each worker.

    crops: width, height, crops in a step, and how often that kind of step comes. visual: visual tokens in a step, for
    points. plans: examples in a step. looks: screens in a step of `vlm.training.acting`. pool: encoded screens to start
    with; a further one comes every `every` steps.
    """

    crops: tuple[tuple[int, int, int, int], ...] = (
        (112, 112, 64, 8),
        (224, 224, 16, 8),
        (448, 336, 5, 4),
        (1260, 700, 1, 1),
    )
    visual: int = 3000
    plans: int = 8
    looks: int = 16
    pool: int = 30
    every: int = 3


FULL = Amounts()
SMOKE = Amounts(crops=((112, 112, 4, 1),), visual=200, plans=2, looks=2, pool=3)
"""Just enough to see that every part turns."""


_Network = TypeVar("_Network", bound=nn.Module)


def placed(network: _Network) -> _Network:
    """A network where it is trained, in the numbers in which that is fast: on a GPU if there is one, and in bfloat16
    where the device multiplies that natively, else in float32."""
    device = named_device("auto")
    return network.to(device, named_dtype("auto", device))


class Stage:
    """Keeps the clock, the checkpoint and the log of one stage in `folder`.

    The learning rate follows the share of `minutes` that was spent training, over all resumed pieces: it stays up to
    `hold` of them, then falls to zero.

    Raises ConfigError if what is in `folder` cannot be gone on with, or a later stage there would be left behind.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        minutes: float,
        modules: nn.ModuleDict,
        optimizer: MuonAdamW,
        *,
        hold: float = 0.5,
    ) -> None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.path, self.log = folder / f"{name}.pt", folder / f"{name}.log.jsonl"
        self.budget_s, self.spent_s, self.step = minutes * 60, 0.0, 0
        self.modules, self.optimizer, self.hold = modules, optimizer, hold
        self._figures: list[dict[str, float]] = []
        if self.path.is_file():
            self._go_on()
        behind = ORDER[ORDER.index(name) + 1 :] if name in ORDER else ()
        later = [f"{stage}.pt" for stage in behind if (folder / f"{stage}.pt").is_file()]
        if later and not self.done:
            raise ConfigError(
                f"{str(self.path)!r} has minutes left to train, but there is already what was trained behind it: "
                f"delete {' and '.join(later)} to train that again too, or give a new --out"
            )

    def _go_on(self) -> None:
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            self.spent_s, self.step = saved["spent_s"], saved["step"]
            self.modules.load_state_dict(saved["modules"])
            self.optimizer.load_state(saved["optimizer"], self.step)
        except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError) as error:
            why = " ".join(str(error).split())[:150]
            raise ConfigError(
                f"{str(self.path)!r} cannot be gone on with: it was trained with other options, by another version, or "
                f"is damaged. Give a new --out, or delete it to train this stage again ({why})"
            ) from error

    @property
    def done(self) -> bool:
        return self.spent_s >= self.budget_s

    @property
    def share(self) -> float:
        """How much of its minutes is over, 0 to 1."""
        return min(1.0, self.spent_s / self.budget_s)

    def end(self) -> None:
        """There is nothing left to train on: the step that is being taken is the last one."""
        self.spent_s = self.budget_s

    def steps(self) -> Iterator[float]:
        """Yields each step's learning-rate scale until the minutes are spent; saves now and then, and at the end."""
        saved_at = self.spent_s
        while (scale := said_by_first(-1.0 if self.done else ramp(self.step, self.share, hold=self.hold))) >= 0:
            started = time.monotonic()
            yield scale
            self.step += 1
            self.spent_s += time.monotonic() - started
            if rank() == 0 and (self.spent_s - saved_at > SAVE_EVERY_S or self.done):
                saved_at = self.spent_s
                self.save()

    def save(self) -> None:
        """Raises RecordingError; what was saved before stays."""
        state = {
            "spent_s": self.spent_s,
            "step": self.step,
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state(),
        }
        save(self.path, state)

    def collect(self, figures: dict[str, float]) -> None:
        """Keep a step's figures; every ten steps their means are a line of the log, with step and minutes."""
        self._figures.append(figures)
        if len(self._figures) < NOTE_EVERY:
            return
        found = {key: [row[key] for row in self._figures if key in row] for row in self._figures for key in row}
        figures = {key: sum(values) / len(values) for key, values in found.items()}
        self._figures.clear()
        if rank() != 0:
            return
        row = {
            "step": self.step,
            "minutes": round(self.spent_s / 60, 2),
            **{k: round(v, 4) for k, v in figures.items()},
        }
        with writing(self.log), self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

"""Processes that train one network together, a thread each.

On a CPU two processes of one thread get about 1.4 times as much done as one process of two threads
(docs/experiments.md). Every worker draws data of its own; gradients are averaged, and the costly matrix updates are
shared out. Without workers every function here does nothing.
"""

import logging
import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from action_space.errors import ClickwrightError, ConfigError
from vlm.backends.settings import named_device

SAID = ".error"
"""Ends the name of the file in which a worker leaves the error it ended with."""


def run_workers(count: int, work: Callable[..., object], *arguments: object) -> None:
    """Call `work(*arguments)` in `count` processes and wait; arguments are pickled. With 1, and where there is a GPU,
    this process is the only one.

    Raises the error for people that one of them ended with, and ConfigError if one was killed.
    """
    if count == 1 or named_device("auto") != "cpu":
        work(*arguments)
        return
    # That the others are stopped when one ends is said by the error itself.
    logging.getLogger(mp.spawn.__module__).setLevel(logging.ERROR)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory(prefix="clickwright-workers-") as folder:
        try:
            mp.spawn(_worker, (count, Path(folder), work, arguments), nprocs=count)  # type: ignore[attr-defined, no-untyped-call]
        except (ProcessRaisedException, ProcessExitedException) as end:
            for said in Path(folder).glob(f"*{SAID}"):
                raise pickle.loads(said.read_bytes()) from None
            if not isinstance(end, ProcessExitedException):
                raise
            raise ConfigError(
                f"a worker was ended from outside ({end.signal_name or end.exit_code}), most often because memory ran "
                "out: call it again, with --workers 1 if that was so; it goes on from what was saved last"
            ) from end


def _worker(rank: int, count: int, folder: Path, work: Callable[..., object], arguments: Sequence[object]) -> None:
    _end_with_parent()
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=count)
    try:
        work(*arguments)
    except ClickwrightError as error:
        (folder / f"{rank}{SAID}").write_bytes(pickle.dumps(error))
        raise
    finally:
        dist.destroy_process_group()


def _end_with_parent() -> None:
    """However the parent ended: without it nobody would stop the workers."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def rank() -> int:
    """This worker's number; 0 keeps the clock, the log and the checkpoints."""
    return dist.get_rank() if dist.is_initialized() else 0


def workers() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def said_by_first(value: float) -> float:
    """Worker 0's value, in every worker."""
    if not dist.is_initialized():
        return value
    told = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(told, src=0)
    return told.item()


def told_by_first(tensors: Iterable[Tensor]) -> None:
    """Overwrite each tensor with that of worker 0."""
    if dist.is_initialized():
        for tensor in tensors:
            told = tensor.detach().float()
            dist.broadcast(told, src=0)
            tensor.data.copy_(told)


def summed(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor (fp32) summed over all workers, in one message."""
    if not dist.is_initialized() or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    return [
        part.view_as(tensor)
        for part, tensor in zip(torch.split(flat, [t.numel() for t in tensors]), tensors, strict=True)
    ]

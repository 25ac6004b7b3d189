"""Runs of ours in other formats: one JSON line a row, and the pictures that rows name, beside them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from action_space.errors import ConfigError
from agent.trajectory import IMAGES, Trajectory
from evals.benchmarks.reading import Broken

Rows = Iterator[dict[str, object] | Broken]


@dataclass(frozen=True, slots=True)
class Words:
    """How replies are written, where the format leaves it open. dialect: "" for the one that fits the device."""

    dialect: str = ""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format. file: the name of its rows. rows: of one run, its pictures named as `images/<hash>.png`; a step that
    the format has no word for is Broken and left out.

    only_successful: whether runs that did not succeed are left out, because nobody should learn from them. trains:
    whether rows are to train with, and so may not come from pages that are for evaluation only.
    """

    name: str
    file: str
    rows: Callable[[Trajectory, str, Words], Rows]
    only_successful: bool = True
    trains: bool = True


@dataclass(frozen=True, slots=True)
class Exported:
    file: Path
    rows: int
    pictures: int


def export_runs(
    exporter: Exporter, runs: Sequence[tuple[str, Trajectory]], out: Path, words: Words
) -> Iterator[Exported | Broken]:
    """Write all runs into a new folder; last comes what was written. Raises ConfigError.

    runs: name, which has to be theirs alone, and run.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{str(out)!r} exists and is not an empty folder: choose another for --out")
        (out / IMAGES).mkdir(parents=True, exist_ok=True)
        count, copied = 0, set[str]()
        with (out / exporter.file).open("w", encoding="utf-8") as file:
            for name, trajectory in runs:
                for row in exporter.rows(trajectory, name, words):
                    if isinstance(row, Broken):
                        yield row
                        continue
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    count += 1
                copied |= _copy_pictures(trajectory, out, copied)
    except OSError as error:
        raise ConfigError(f"cannot write to --out {str(out)!r}: {error.strerror or error}") from error
    yield Exported(out / exporter.file, count, len(copied))


def _copy_pictures(trajectory: Trajectory, out: Path, copied: set[str]) -> set[str]:
    """Those of a run that are not there yet. A link where the disk is the same: pictures never change."""
    fresh = {step.image for step in trajectory.steps} - copied
    for digest in sorted(fresh):
        source, target = trajectory.image_path(digest), out / IMAGES / f"{digest}.png"
        if not source.is_file():
            continue  # its steps were left out
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    return fresh


def image_name(digest: str) -> str:
    """How rows name a picture, from the folder of the rows."""
    return f"{IMAGES}/{digest}.png"

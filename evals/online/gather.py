"""Screens of a web application of your own, labelled by its pages, to train on and to measure on.

    python -m evals.online.gather --url URL --out DIR [--screens N] [--minutes M] [--test-share S] [--avoid REGEX]
                                  [--storage-state FILE] [--seed N] [--json]

A Chromium of our own goes about in the application: it clicks, types, scrolls, goes back, in windows of several sizes,
and stays on the origin of URL. Every screen that is new is kept with its controls; pages are divided in two, so that
what is measured on was not trained on. What it clicks, it clicks: give it a copy of the data that may be changed.
Stop it at any time; the same command goes on. `agent train --sampled DIR/train` trains on it,
`python -m evals.before_after --data DIR/test` measures. Exit status: 0 if there are screens, otherwise as `agent run`.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from action_space.errors import ClickwrightError, ConfigError, DeviceError, InvalidAction, RecordingError
from agent.cli import exit_code_of
from agent.disk import write_whole
from agent.interrupt import INTERRUPTED_EXIT, StopRequest
from agent.results import results_only
from environments.browser_urls import start_address
from evals.arguments import count
from evals.journal import PLAN, Journal, read_lines, read_plan, start
from evals.online.album import Album, counts_of, remembered
from evals.online.wander import AVOID, LEFT, Memory, Site, avoiding, visit

COUNTS = "counts.json"
GIVE_UP = 3
"""Visits in a row that broke off: it is the application, not the visits."""
STALE = 12
"""Visits in a row without anything new: all was seen that is found by chance."""


class Gathering(BaseModel):
    """What is gathered: a folder holds the screens of one application, divided in one way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    avoid: str
    test_share: float
    seed: int


class Visited(BaseModel):
    """What came of a visit. dropped: screens and controls, by reason. error: why it broke off, "" if it did not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kept: int
    dropped: dict[str, int]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """screens: in all, those that are there already included. minutes: of this call."""

    screens: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Tour:
    """All that a visit needs. stop: whether the person wants it to end."""

    site: Site
    limits: Limits
    album: Album
    stop: StopRequest

    def is_over(self) -> bool:
        return self.stop.requested or self.album.count >= self.limits.screens


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with results_only(options.json) as give, StopRequest(lambda: console.print("stopping after this look")) as stop:
            site, asked = _site(options), _gathering(options)
            counts = gather(site, asked, Limits(options.screens, options.minutes), options.out, stop, console)
            if options.json:
                give(counts)
    except ClickwrightError as error:
        console.print(f"gather: {' '.join(str(error).split())}", markup=False)
        return exit_code_of(error)
    if stop.requested:
        console.print("gather: interrupted; the same command goes on from here")
    return INTERRUPTED_EXIT if stop.requested else 0


def gather(
    site: Site, asked: Gathering, limits: Limits, folder: Path, stop: StopRequest, console: Console
) -> dict[str, Any]:
    """Go about until there are enough screens, write counts.json and show it. Raises ClickwrightError; whatever ends
    it, what was seen is on disk."""
    _begin(asked, folder)
    with Journal(folder) as journal:
        album = Album(folder, asked.test_share)
        tour = Tour(site, limits, album, stop)
        try:
            _go_about(tour, asked.seed, journal, console)
        finally:
            album.close()
        if not album.count and not stop.requested:
            raise ConfigError(f"no control with a name was found at {site.url!r}: there is nothing to train on")
        counts = {**counts_of(folder), "dropped": _dropped(folder)}
        _write_counts(folder, counts)
    _tell(counts, console)
    return counts


def _begin(asked: Gathering, folder: Path) -> None:
    if not (folder / PLAN).is_file():
        start(folder, asked)
    elif (before := read_plan(folder, Gathering)) != asked:
        raise ConfigError(f"{str(folder)!r} holds other screens ({before!r}): give the same options, or another --out")


def _go_about(tour: Tour, seed: int, journal: Journal, console: Console) -> None:
    """Visit after visit. Raises ClickwrightError when it makes no sense to go on."""
    memory, began, stale, broken = remembered(tour.album.folder), time.monotonic(), 0, 0
    number = len(list(read_lines(tour.album.folder, Visited)))
    while not tour.is_over():
        if time.monotonic() - began > 60 * tour.limits.minutes or stale == STALE:
            console.print("nothing new is found any more" if stale == STALE else "the minutes are over")
            return
        before = tour.album.count
        error = _visit(tour, memory, Random(f"{seed}-{number}"))
        kept = tour.album.count - before
        dropped = memory.take_dropped()
        journal.append(Visited(kept=kept, dropped=dropped, error=str(error or "")))
        why = f"; {error}" if error else ""
        console.print(f"visit {number}: {kept} new screens, {tour.album.count} in all{why}", markup=False)
        number, stale, broken = number + 1, 0 if kept else stale + 1, broken + 1 if error else 0
        if error and (broken == GIVE_UP or not memory.addresses):
            raise error
        if LEFT in dropped and not memory.addresses:
            raise ConfigError(f"{tour.site.url!r} leads to another origin: give that one, or log in by --storage-state")


def _visit(tour: Tour, memory: Memory, rng: Random) -> ClickwrightError | None:
    """One visit; gives why it broke off, None if it did not. Raises RecordingError."""
    try:
        with TemporaryDirectory(prefix="clickwright-gather-") as downloads:
            for sight in visit(tour.site, memory, rng, Path(downloads)):
                why = tour.album.add(sight)
                memory.dropped.update([why] if why else [])
                memory.screens[sight.state] += not why
                if tour.is_over():
                    break
    except RecordingError:
        raise
    except (DeviceError, ConfigError) as error:
        return error
    return None


def _dropped(folder: Path) -> dict[str, int]:
    found = Counter[str]()
    for line in read_lines(folder, Visited):
        found.update(line.dropped)
        found["visits that broke off"] += bool(line.error)
    return {reason: count for reason, count in found.most_common() if count}


def _write_counts(folder: Path, counts: dict[str, Any]) -> None:
    try:
        write_whole(folder / COUNTS, json.dumps(counts, indent=1).encode() + b"\n")
    except OSError as error:
        raise RecordingError(
            f"cannot write the counts to {str(folder)!r}: {error.strerror}; the screens are whole"
        ) from error


def _tell(counts: dict[str, Any], console: Console) -> None:
    train, test = counts["train"], counts["test"]
    console.print(f"train: {train['screens']} screens of {train['pages']} pages, {train['records']} records")
    console.print(f"test: {test['screens']} screens of {test['pages']} pages, {test['questions']} questions")
    if test["questions"]:
        console.print(f"of the {test['names']} names that are asked for, training knows {test['names known']}")
    else:
        console.print("no page fell to the test side: take more --screens, or a larger --test-share in a new folder")
    for reason, number in counts["dropped"].items():
        console.print(f"left out: {reason} {number}", markup=False)


def _site(options: argparse.Namespace) -> Site:
    """Raises ConfigError."""
    state = options.storage_state
    if state is not None:
        _require_json(state)
    try:
        return Site(start_address(options.url), avoiding(options.avoid), state)
    except InvalidAction as error:
        raise ConfigError(str(error)) from error
    except re.error as error:
        raise ConfigError(f"--avoid {options.avoid!r} is no regular expression: {error}") from error


def _require_json(path: Path) -> None:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read --storage-state {str(path)!r}: {error}") from error


def _gathering(options: argparse.Namespace) -> Gathering:
    return Gathering(**{name: getattr(options, name) for name in Gathering.model_fields})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gather", description="Gather labelled screens of a web application.")
    parser.add_argument("--url", required=True, help="where the application begins")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where train/ and test/ go")
    parser.add_argument("--screens", type=count, default=250, metavar="N", help="in all (default 250)")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="at most (default 30)")
    parser.add_argument("--test-share", type=_share, default=0.2, metavar="S", help="of all pages (default 0.2)")
    parser.add_argument(
        "--avoid", default=AVOID, metavar="REGEX", help="what names and addresses of used controls must not match"
    )
    parser.add_argument("--storage-state", type=Path, metavar="FILE", help="a session that Playwright saved")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the way through (default 1)")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON object on stdout")
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; valid: from 0 to below 1, as in 0.2")
    return share


if __name__ == "__main__":
    sys.exit(main())

"""Demonstrations of MiniWoB++ for training: an oracle's deeds with the picture before each, as shards of records.

Training tasks and seeds below those of the evaluation only. An episode that the page does not call solved, or nearly
so where it gives points for being close, is dropped and counted.
"""

import io
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Click, Drag, Finish, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.compact import Compact
from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Box, Frame
from action_space.words import find_words
from evals.online.miniwob.oracle import ORACLES, Deed, Eyes, load_oracle
from evals.online.miniwob.tasks import FIRST_EVALUATION_SEED, HELD_OUT, MAX_STEPS, SCALE, train_tasks
from evals.online.miniwob.world import VIEWPORT, World
from vlm.training.data.episodes import Episode, Moment
from vlm.training.data.records import Kind
from vlm.training.data.render import read_labels, screen_of
from vlm.training.data.screens import on_episode, on_screen, write_records
from vlm.training.data.shards import NewShard, new_shard, read_shards
from vlm.training.questions import NOUNS

A_SHARD = 50
"""Episodes."""
KINDS: tuple[Kind, ...] = ("interleaved", "grounding", "agent", "qa", "ocr")
_GOOD = 0.9
"""The reward from which on an episode is learned from: at a place between pixels there is no full one."""
_SETTLE_S = 0.1
"""These pages stand still, but for what an oracle waits for itself."""
_LARGE, _NEAR = 0.25, 3
"""Share of the page from which on an element is a place to point in, no target: then CSS pixels around the point."""
# What lies under a point: the control, or the innermost element; null where there is none, or it has parts of its own.
_UNDER = """([x, y]) => {
  const e = document.elementFromPoint(x, y);
  if (!e) return null;
  const own = e.closest('a, button, input, select, textarea, label, [role=tab], [role=menuitem]') ?? e;
  const box = own.getBoundingClientRect(), type = (own.type ?? '').toLowerCase();
  if (['date', 'time', 'month', 'week', 'datetime-local'].includes(type)) return null;
  const noun = own.tagName === 'BUTTON' || ['submit', 'button'].includes(type) ? 'button'
    : type === 'checkbox' ? 'checkbox'
    : ['TEXTAREA', 'SELECT'].includes(own.tagName) || (own.tagName === 'INPUT' && type !== 'radio') ? 'field' : '';
  return {noun, box: [box.left, box.top, box.right, box.bottom]};
}"""
_BESIDE, _WRITTEN = 28, 2
"""Pixels between a name and what it names, and how often it may be written: there, and in the task."""
_PART = 0.5
"""Of a control's area, so much less is a part of it, which its name does not tell."""
_NAMED = re.compile(r'click "(?:[^"\\]|\\.)+"')


def demonstrate(
    browser: Browser, folder: Path, *, tasks: Sequence[str], episodes: int, seed: int = 0, scale: float = SCALE
) -> Iterator[str]:
    """Write what a set of `episodes` episodes of each task has not yet; yields a line about each.

    Raises ConfigError for a held-out task, one without an oracle, or seeds that are for evaluation; RecordingError;
    DeviceError when the browser is gone.
    """
    _check(tasks, seed + episodes)
    plan = [(task, seed + number) for number in range(episodes) for task in tasks]
    done = {shard.folder.name: shard for shard in read_shards(folder)[0]}
    for first in range(0, len(plan), A_SHARD):
        part, number = plan[first : first + A_SHARD], first // A_SHARD
        there = done.get(f"shard-{number:05d}")
        if there and there.counts["drawn"] == len(part):
            continue
        with new_shard(folder, number) as shard:
            for task, ones in groupby(sorted(part), key=lambda one: one[0]):
                yield from _add_all(browser, shard, task, [episode_seed for _, episode_seed in ones], scale)


def _check(tasks: Sequence[str], end: int) -> None:
    if end > FIRST_EVALUATION_SEED:
        raise ConfigError(f"seeds from {FIRST_EVALUATION_SEED} on are for evaluation: take smaller ones")
    for task in tasks:
        if task in HELD_OUT:
            raise ConfigError(f"{task!r} is held out: no model may be trained on it")
        load_oracle(task)


def demonstrable() -> tuple[str, ...]:
    """The training tasks that have an oracle. Raises ConfigError."""
    return tuple(task for task in train_tasks() if task in ORACLES)


def _add_all(browser: Browser, shard: NewShard, task: str, seeds: Sequence[int], scale: float) -> Iterator[str]:
    """Play episodes of one task into a shard, on one page so long as it works. Yields what to say about each.
    Raises DeviceError when the browser is gone."""
    with ExitStack() as stack:
        world: World | None = None
        for seed in seeds:
            shard.drawn += 1
            try:
                if world is None:
                    world = stack.enter_context(World(task, seed, scale=scale, settle_s=_SETTLE_S, browser=browser))
                else:
                    world.again(seed)
                yield f"{task} {seed}: {_add(world, shard, seed, scale)}"
            except DeviceError as error:
                if not browser.is_connected():  # or all that is left would be dropped
                    raise DeviceError("the browser is gone; call this again: the shards that are done stay") from error
                shard.dropped["page failed"] += 1
                stack.close()
                world = None
                yield f"{task} {seed}: the page failed: {error}"


def _add(world: World, shard: NewShard, seed: int, scale: float) -> str:
    """Play an episode into a shard. Gives what to say about it. Raises DeviceError."""
    task, utterance = world.task, world.utterance
    looks = list(_played(world, task, scale))
    if world.verdict().reward < _GOOD:
        shard.dropped["not solved"] += 1
        return "not solved"
    rng, source, ident = random.Random(f"{task}-{seed}"), f"miniwob/{task}", f"{task}-{seed}"
    named = _named(utterance, looks)
    moments = tuple(
        _moment(shard.add_picture(look.png), number, look, looked=number not in named)
        for number, look in enumerate(looks)
    )
    episode = Episode(utterance, moments)
    write_records(shard, list(on_episode(rng, episode, KINDS)), (), source, ident)
    for number, (look, moment) in enumerate(zip(looks, moments, strict=True)):
        row = {"image": moment.image, "source": source, **look.labels}
        shard.add_screen(row)
        asked = list(on_screen(rng, screen_of(Path(moment.image), row), KINDS))
        write_records(shard, asked, (moment.image,), source, f"{ident}.{number}")
    return f"{len(moments)} steps"


@dataclass(frozen=True, slots=True)
class _Look:
    """The screen before a deed: PNG, labels, and what is about to be done. noun and box: of what the deed points at."""

    png: bytes
    labels: dict[str, Any]
    frame: Frame
    deed: Deed
    noun: str = ""
    box: Box | None = None


def _played(world: World, task: str, scale: float) -> Iterator[_Look]:
    """Every look of an oracle's episode, which goes on while they are taken. Raises DeviceError."""
    deeds = load_oracle(task)(Eyes(world, scale))
    for deed in islice(deeds, MAX_STEPS):
        seen = world.observe()
        png = io.BytesIO()
        seen.image.save(png, "PNG")
        noun, box = _target(world, deed, scale)
        yield _Look(png.getvalue(), _labels(world, scale), seen.frame, deed, noun, box)
        if isinstance(deed.action, Finish):
            continue
        world.execute(deed.action)
        if world.verdict().ended:
            return


def _named(task: str, looks: Sequence[_Look]) -> set[int]:
    """Numbers of the deeds that a plan names: all, or none if one is looked for, since whether more is due behind it is
    seen on the screen only. But what is sought is asked for by its name wherever it may be."""
    said = [number for number, look in enumerate(looks) if is_said(task, look.deed, look.labels, look.box)]
    sought = any(isinstance(look.deed.action, Finish) for look in looks)
    return set(said) if sought or len(said) == len(looks) else set()


def _labels(world: World, scale: float) -> dict[str, Any]:
    """Raises DeviceError."""
    try:
        labels = read_labels(world.page, scale)
    except PlaywrightError as error:
        raise DeviceError(f"reading the labels failed: {error.message.splitlines()[0]}") from error
    known = [element for element in labels["elements"] if element["kind"] in NOUNS]
    return {**labels, "elements": known, "size": [round(scale * VIEWPORT.width), round(scale * VIEWPORT.height)]}


def _target(world: World, deed: Deed, scale: float) -> tuple[str, Box | None]:
    """What is clicked or dragged: the word for it and its box in pixels of the picture. Raises DeviceError."""
    action = deed.action
    if not isinstance(action, Click | Drag):
        return "", None
    point = action.point if isinstance(action, Click) else action.start
    x, y = point.x / scale, point.y / scale
    found = Eyes(world, scale).read(f"({_UNDER})([{x}, {y}])")
    left, top, right, bottom = found["box"] if found else (0, 0, 0, 0)
    on_it = left <= x < right and top <= y < bottom  # a choice of an open list lies outside of the list's own box
    seen = _in_view(left, top, right, bottom)
    # Oracles click in the middle of what is in view, unless it matters where: on a slider, for one.
    away = max(abs(x - (seen[0] + seen[2]) / 2), abs(y - (seen[1] + seen[3]) / 2))
    aside = isinstance(action, Click) and away > 1
    if not on_it or deed.exact or aside or (right - left) * (bottom - top) > _LARGE * VIEWPORT.width * VIEWPORT.height:
        seen = _in_view(x - _NEAR, y - _NEAR, x + _NEAR, y + _NEAR)
    return found["noun"] if on_it else "", Box(*(round(scale * value) for value in seen))


def _in_view(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return max(0.0, left), max(0.0, top), min(right, VIEWPORT.width), min(bottom, VIEWPORT.height)


def is_said(task: str, deed: Deed, labels: Mapping[str, Any], box: Box | None) -> bool:
    """Whether a task's words and a plan's say what a deed is: not if a click's name does not tell its target from the
    others on the screen. Colours and shapes do: the vision tower shows them as if they were written.

    labels: of the screen before the deed, as `labels.js` says them. box: what a click is for.
    """
    names = [str(json.loads(quote)) for quote in re.findall(r'"(?:[^"\\]|\\.)*"', deed.words)]
    action = deed.action
    if not isinstance(action, Click) or box is None or len(names) != 1:
        said = isinstance(action, Type) and all(find_words(task, name, any_case=True) for name in names)
        return said or isinstance(action, Press | Scroll | Wait | Finish)
    name, elements = names[0], labels["elements"]
    if not find_words(task, name, any_case=True) or action.count > 1:
        return False
    if deed.drawn:
        return True
    there = [e for e in elements if any(Box(*e[key]).contains(action.point) for key in ("box", "label") if e.get(key))]
    named = [element for element in elements if element["name"].lower() == name.lower()]
    if any(_area(box) < _PART * _area(Box(*element["box"])) for element in there):
        return False
    if named:
        return len(named) == 1 and named[0] in there
    if there and sum(element["kind"] == there[0]["kind"] for element in elements) == 1:
        return True
    written = [Box(*line["box"]) for line in labels.get("lines", ()) if find_words(line["text"], name, any_case=True)]
    near = [line for line in written if _apart(line, box) <= _BESIDE]
    return len(near) == 1 and len(written) <= _WRITTEN  # once in the task


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)


def _apart(one: Box, other: Box) -> int:
    """How far apart boxes are, across or down."""
    across = max(one.left - other.right, other.left - one.right)
    return max(across, one.top - other.bottom, other.top - one.bottom)


def _moment(image: str, number: int, look: _Look, *, looked: bool) -> Moment:
    dialect, action, words = load_dialect("compact"), look.deed.action, look.deed.words
    assert isinstance(dialect, Compact)
    if look.noun and _NAMED.fullmatch(words):
        words = f"{words} {look.noun}"
    if isinstance(action, Drag):  # how long it takes is not for a model to learn
        action = Drag(start=action.start, end=action.end)
    frame = look.frame.with_model(look.frame.screen)
    act = dialect.render(action, frame)
    if isinstance(action, Finish):
        return Moment(image, float(number), words, act, note=action.text)
    call = "" if dialect.plan_action(words, frame) is not None else act
    box = look.box if call else None
    return Moment(image, float(number), words, call, box, act, dialect.looked(action), looked=looked)

"""Screens of an application on disk: ordinary shards for training, and others, of other pages, to measure on.

OUT/train/shard-*    screens with grounding records (`vlm/training/data/shards.py`); `agent train --sampled OUT/train`
OUT/test/shard-*     screens of other pages: which page goes where is decided by its address and title
OUT/test/questions.jsonl    what is asked about these; `agent eval generated --data OUT/test`
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from action_space.errors import RecordingError
from agent.disk import write_whole
from evals.benchmarks.generated import QUESTIONS, Asked
from evals.drawing import ask_for
from evals.online.sights import Sight, state_of
from evals.online.wander import Memory
from vlm.training.data.kinds.grounding import by_name, by_position
from vlm.training.data.render import Element, Screen, screen_of
from vlm.training.data.screens import write_records
from vlm.training.data.shards import SCREENS, Shard, counted, new_shard, picture_name, read_shards
from vlm.training.data.words import is_held_out
from vlm.training.questions import askable

TRAIN, TEST = "train", "test"
SOURCE = "application"
A_SHARD = 10
"""Screens: what a kill may cost."""
TRAINED, TESTED = 8, 5
"""Controls of a screen that are asked for, at most: those whose names were asked for least come first."""
AGAIN, ALIKE, BARE = "the same picture", "the same controls", "nothing to ask for"


class Album:
    """Takes screens that are new, and puts them on the side that their page belongs to. Raises RecordingError.

    test_share: of pages, not of screens. new: screens that are not on disk yet, by side.
    """

    def __init__(self, folder: Path, test_share: float) -> None:
        self.folder, self._share = folder, test_share
        self.new: dict[str, list[Sight]] = {TRAIN: [], TEST: []}
        self._asked = Counter(names_asked(folder / TRAIN))
        self._known: set[object] = set()
        for row in (*rows(folder / TRAIN), *rows(folder / TEST)):
            self._known |= {row["image"], _likeness(row)}
        self.count = len(list(rows(folder / TRAIN))) + len(list(rows(folder / TEST)))

    def add(self, sight: Sight) -> str:
        """Keep a screen; gives why not, "" if it was kept."""
        image, likeness = picture_name(sight.png), _likeness(sight.labels)
        if image in self._known or likeness in self._known:
            return AGAIN if image in self._known else ALIKE
        if not askable(_screen(sight.labels)):
            return BARE
        self._known |= {image, likeness}
        side = TEST if is_held_out(sight.state, self._share) else TRAIN
        self.new[side].append(sight)
        self.count += 1
        if len(self.new[side]) == A_SHARD:
            self._write(side)
        return ""

    def close(self) -> None:
        """Write what is not on disk yet, and what is asked about the test screens."""
        for side in (TRAIN, TEST):
            self._write(side)
        write_questions(self.folder)

    def _write(self, side: str) -> None:
        sights = self.new[side]
        if not sights:
            return
        numbers = [int(shard.folder.name.rpartition("-")[2]) for shard in read_shards(self.folder / side)[0]]
        with new_shard(self.folder / side, max(numbers, default=-1) + 1) as shard:
            for sight in sights:
                image = shard.add_picture(sight.png)
                row = {"image": image, "source": SOURCE, "url": sight.url, "title": sight.title, **sight.labels}
                shard.drawn += 1
                shard.add_screen(row)
                rng, screen = Random(image), _screen(sight.labels)
                chosen = rarest(rng, screen, self._asked, TRAINED)
                asked = [*(by_name(rng, element) for element in chosen), *by_position(rng, screen, 1)]
                write_records(shard, [("grounding", each) for each in asked], (image,), SOURCE, Path(image).stem)
        self.new[side] = []


def rarest(rng: Random, screen: Screen, asked: Counter[str], most: int) -> list[Element]:
    """Controls to ask for. asked: how often each name was, these included: a menu is on every page.

    Of names that differ by numbers alone ("#12", "#13"; the lines of a file) a screen is asked for one: they would
    always be new, and crowd out all others."""
    found = [screen.elements[number] for number in askable(screen)]
    rng.shuffle(found)
    different = {_numberless(element.name): element for element in found}
    chosen = sorted(different.values(), key=lambda element: asked[_numberless(element.name)])[:most]
    asked.update(_numberless(element.name) for element in chosen)
    return chosen


def _numberless(name: str) -> str:
    return re.sub(r"\d+", "0", name.lower())


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """What is known of every screen of a set of shards."""
    for _, row in placed_rows(folder):
        yield row


def placed_rows(folder: Path) -> Iterator[tuple[Shard, dict[str, Any]]]:
    for shard in read_shards(folder)[0]:
        for line in (shard.folder / SCREENS).read_text(encoding="utf-8").splitlines():
            yield shard, json.loads(line)


def names_asked(folder: Path) -> Iterator[str]:
    for shard in read_shards(folder)[0]:
        yield from (_numberless(text) for record in shard.records() for text in record.truth.texts)


def remembered(folder: Path) -> Memory:
    """What an earlier call saw of an application."""
    memory = Memory()
    for row in (*rows(folder / TRAIN), *rows(folder / TEST)):
        state = state_of(row["url"], row["title"])
        memory.screens[state] += 1
        memory.addresses.setdefault(state, row["url"])
    return memory


def names_on(folder: Path) -> set[str]:
    """The names of all controls of a set of shards, in small letters."""
    return {element["name"].lower() for row in rows(folder) for element in row["elements"]}


def counts_of(folder: Path) -> dict[str, dict[str, int]]:
    """What is on each side."""
    sides = {side: {**counted(folder / side), "pages": _pages(folder / side)} for side in (TRAIN, TEST)}
    asked = read_questions(folder / TEST)
    names = {each.instruction: each.name for each in asked}
    known = sum(name == "known" for name in names.values())
    sides[TEST] |= {"questions": len(asked), "names": len(names), "names known": known}
    return {side: {"screens": 0, "records": 0, **counts} for side, counts in sides.items()}


def _pages(folder: Path) -> int:
    return len({state_of(row["url"], row["title"]) for row in rows(folder)})


def read_questions(folder: Path) -> list[Asked]:
    path = folder / QUESTIONS
    return [Asked.model_validate_json(line) for line in path.read_bytes().splitlines()] if path.is_file() else []


def write_questions(folder: Path) -> None:
    """What is asked about the test screens, all anew: which names training knows may have changed. The same screens ask
    the same. Raises RecordingError."""
    known, asked = names_on(folder / TRAIN), Counter[str]()
    found: list[Asked] = []
    for shard, row in placed_rows(folder / TEST):
        screen, image = _screen(row), f"{shard.folder.name}/{row['image']}"
        for element in rarest(Random(row["image"]), screen, asked, TESTED):
            ident = f"{Path(image).stem}-{screen.elements.index(element)}"
            question = ask_for(element, ident, image, (row["size"][0], row["size"][1]))
            name = "known" if element.name.lower() in known else "new"
            found.append(question.model_copy(update={"name": name}))
    if not found:
        return
    lines = "".join(json.dumps(each.model_dump(mode="json"), ensure_ascii=False) + "\n" for each in found)
    try:
        write_whole(folder / TEST / QUESTIONS, lines.encode())
    except OSError as error:
        raise RecordingError(f"cannot write questions to {str(folder)!r}: {error.strerror or error}") from error


def _screen(labels: dict[str, Any]) -> Screen:
    return screen_of(Path(), labels)


def _likeness(labels: dict[str, Any]) -> tuple[object, ...]:
    """What two screens have in common that differ in typed words or ticks only."""
    return (*labels["size"], frozenset((e["kind"], e["name"].lower()) for e in labels["elements"]))

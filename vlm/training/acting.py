"""Teaches the network that tells what is due on a screen (`vlm.acting`), by behavioural cloning of demonstrations.

What is not said in words is recorded as a `look`: the task, what was done, the screen, and the action. What is said is
a question of where it is, on screens of demonstrations and on drawn pages alike. All weights are its own: neither the
tower nor the language model is needed.
"""

import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from action_space.actions import Action
from action_space.dialects import load_dialect
from action_space.dialects.compact import ANYWHERE
from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box, Size
from vlm.acting import (
    CELL,
    END,
    SQUARE,
    SQUARES,
    WORD,
    Acting,
    asked_of,
    codes_of,
    found_in,
    on_cells,
    places_told,
    whole_cells,
)
from vlm.deeds import DEEDS, LETTERS, PLACED, SEEN, Deed, deed_of
from vlm.gauging import FAR
from vlm.training.answered import is_look
from vlm.training.data.records import Record
from vlm.training.data.render import Screen, Written
from vlm.training.optim import MuonAdamW
from vlm.training.run import FULL, Amounts, Stage, placed
from vlm.training.sampled import Sampled
from vlm.training.workers import rank, told_by_first, workers

RATE = 0.01
KEPT = 6000
"""Pictures in memory, 0.4 megabytes each."""
NEAR = 10
"""Pixels around a place that are right too where no box is known, as of a drag's ends."""
READING, WORDS = 1.0, 24
"""How much it counts to find words where they are written, and of how many on each screen it is asked."""
READ_FIRST = 0.12
"""Of the minutes, in which one that knows nothing learns nothing but to read: a step takes half the time so."""
POINT, BEARING = 20, 20.0
"""A box that is no wider (in pixels) stands for a point, of which the place is learned by how far away it is, too; and
how much that counts: without, what the bearings say is harmful at first, and learned to be worth nothing."""
KNOWN, SWIFT, SWIFTER = 0.2, 0.01, 0.05
"""A source is drawn by the share of its looks that is missed, and this more, so that what is known stays known, and in
it a sort of deeds likewise; and how much one look counts in that share of a source, and of a sort, which has fewer."""
Sort = tuple[str, str, int, int]
"""Of deeds: their source, their kind, and the cell in which they are."""
_LINE = re.compile(r"\d+\. (.+)")


@dataclass(frozen=True, slots=True)
class Shown:
    """What was done on a screen. done: what had been done before; boxes: any place in them is right to click, or to
    begin at. lines: of text on the screen. source: where it comes from. clicked: of what was done before, where else it
    would have been as good."""

    picture: Path
    task: str
    done: tuple[Deed, ...]
    deed: Deed
    boxes: tuple[Box, ...]
    lines: tuple[Written, ...] = ()
    source: str = ""
    clicked: tuple[tuple[Box, ...], ...] = ()


def learn_acts(
    sampled: Sampled, folder: Path, *, minutes: float, seed: int, amounts: Amounts = FULL, before: Acting | None = None
) -> Acting:
    """Train on what was looked at, from `before` on if there is one. Resumes from `folder/acting.pt`. Raises
    ConfigError if nothing was."""
    torch.manual_seed(seed)
    acting = placed(before or Acting()).float().train()
    told_by_first(acting.parameters())
    optimizer = MuonAdamW(acting.named_parameters(), matrix_lr=RATE, other_lr=RATE / 5)
    stage = Stage("acting", folder, minutes, nn.ModuleDict({"acting": acting}), optimizer, hold=0.2)
    if stage.done:
        return acting
    looks = Looks(list(looked_at(sampled))[rank() :: workers()], random.Random(seed + stage.step + 7919 * rank()))
    for scale in stage.steps():
        drawn, pictures = looks.draw(amounts.looks)
        if before is None and stage.share < READ_FIRST:
            written = acting.squares(torch.stack(pictures).to(acting.norm.weight.device))[1]
            loss, figures = reading_loss(acting, written, drawn, _size(pictures), looks.rng)
        else:
            loss, right, figures = acting_loss(acting, drawn, pictures, looks.rng)
            looks.mark(drawn, right)
        if loss.requires_grad:  # not where no screen has a word to read
            torch.autograd.backward(loss)
        optimizer.step(scale)
        stage.collect({"loss": loss.item(), "left_out": float(looks.left_out)} | figures)
    return acting


def looked_at(sampled: Sampled) -> Iterator[Shown]:
    """What each record of a look, or of what is sought, shows; those that it could not do are left out."""
    asked = (one.record for one in sampled.judged if is_look(one.record) or _is_sought(one.record))
    looks = [shown for record in asked if (shown := shown_by(record, sampled.screens[record.images[0]]))]
    places = {_key(look, (*look.done, look.deed)): look.boxes for look in looks}
    for look in looks:
        before = (look.done[: number + 1] for number in range(len(look.done)))
        yield replace(look, clicked=tuple(places.get(_key(look, done), ()) for done in before))


def _key(look: Shown, done: Sequence[Deed]) -> tuple[object, ...]:
    """Tells what has been done in an episode from what was in others."""
    return look.source, look.task, *((deed.kind, *places_told(deed), deed.text) for deed in done)


def _is_sought(record: Record) -> bool:
    """Whether it asks where something is: its prompt is a plan, or only words for it."""
    return len(record.images) == 1 and (record.kind == "grounding" or (record.kind, record.form) == ("agent", "step"))


def shown_by(record: Record, screen: Screen) -> Shown | None:
    """None of a deed that it could not do."""
    words = "".join(part for part in record.prompt if isinstance(part, str))
    task, *lines = words.removeprefix("Task: ").split("\n")
    deed = _deed(record.answer)
    if deed is None:
        return None
    done = [_deed(line[1]) or Deed("wait") for line in map(_LINE.match, lines) if line]
    boxes = record.truth.boxes[:1] or (_around(*map(int, deed.start)),)
    if deed.kind == "click":
        boxes += _labels_at(screen, boxes[0])
    return Shown(screen.image, task, tuple(done), deed, boxes, screen.lines, record.source)


def _labels_at(screen: Screen, box: Box) -> tuple[Box, ...]:
    """Of a checkbox or radio button there: a click on its words ticks it as well."""
    return tuple(each.label for each in screen.elements if each.label and each.box.contains(box.center))


def _deed(call: str) -> Deed | None:
    try:
        action: Action = load_dialect("compact").parse(call, ANYWHERE)
    except InvalidAction:
        return None
    return deed_of(action)


def _around(x: int, y: int) -> Box:
    return Box(x - NEAR, y - NEAR, x + NEAR + 1, y + NEAR + 1)


def _moved(shown: Shown, rng: random.Random) -> Shown:
    """What is dragged can be taken anywhere, and goes as far."""
    if shown.deed.kind != "drag":
        return shown
    (begun_x, begun_y), (end_x, end_y) = shown.deed.start, shown.deed.end
    x, y = _somewhere(shown.boxes[0], rng)
    deed = replace(shown.deed, start=(x, y), end=(end_x + x - begun_x, end_y + y - begun_y))
    return replace(shown, deed=deed)


def _elsewhere(shown: Shown, rng: random.Random) -> Shown:
    """Oracles click in the middle of what they click, a model anywhere on it: earlier clicks are told as if it had."""
    clicks = zip(shown.done, shown.clicked, strict=True)
    done = (_at(deed, _somewhere(rng.choice(boxes), rng)) if boxes else deed for deed, boxes in clicks)
    return replace(shown, done=tuple(done))


def _somewhere(box: Box, rng: random.Random) -> tuple[float, float]:
    return rng.uniform(box.left, box.right - 1), rng.uniform(box.top, box.bottom - 1)


def _at(deed: Deed, place: tuple[float, float]) -> Deed:
    return replace(deed, start=place, end=place) if deed.kind == "click" else deed


class Looks:
    """Looks by where they come from and by what is due, of which `draw` takes some, with their pictures. left_out: how
    many have a picture that is damaged, or larger than what can be told at a look. missed: of each source, and of each
    sort of deeds in it, which share is not done right yet."""

    def __init__(self, looks: Sequence[Shown], rng: random.Random) -> None:
        self.rng, self.left_out = rng, 0
        self.missed: dict[object, float] = defaultdict(lambda: 1.0)
        by: dict[Size, dict[str, dict[Sort, list[Shown]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for shown in looks:
            if size := _whole_size(shown.picture):
                by[size][shown.source][_sort_of(shown)].append(shown)
            else:
                self.left_out += 1
        if not by:
            raise ConfigError(
                f"nothing can be learned from {len(looks)} looks with {self.left_out} pictures that are damaged or too "
                "large: `agent eval miniwob-demonstrations` records some"
            )
        self.by = by
        self._pictures: dict[Path, Tensor] = {}

    def draw(self, count: int) -> tuple[list[Shown], list[Tensor]]:
        """Of pictures of one size. More are drawn of what there is more of, by the square root of how many they are,
        and of what is not done right: of a source first, then of a sort of deeds in it, so that the rare
        ones count."""
        weights = [
            [self._weight(source, sum(map(len, sorts.values()))) for source, sorts in sources.items()]
            for sources in self.by.values()
        ]
        ((sources, shares),) = self.rng.choices(
            list(zip(self.by.values(), weights, strict=True)), list(map(sum, weights))
        )
        looks = []
        for sorts in self.rng.choices(list(sources.values()), shares, k=count):
            (some,) = self.rng.choices(list(sorts.values()), [self._weight(sort, len(sorts[sort])) for sort in sorts])
            looks.append(_moved(_elsewhere(self.rng.choice(some), self.rng), self.rng))
        return looks, [self._picture(shown.picture) for shown in looks]

    def _weight(self, what: object, count: int) -> float:
        return float(count**0.5 * (KNOWN + self.missed[what]))

    def mark(self, looks: Sequence[Shown], right: Tensor) -> None:
        """Say which of some looks were done right."""
        for shown, is_right in zip(looks, right.tolist(), strict=True):
            for what, share in ((shown.source, SWIFT), (_sort_of(shown), SWIFTER)):
                self.missed[what] += share * (1 - is_right - self.missed[what])

    def _picture(self, path: Path) -> Tensor:
        if path in self._pictures:
            return self._pictures[path]
        with Image.open(path) as image:
            picture = on_cells(image)
        assert picture is not None, "larger ones are left out"
        if len(self._pictures) < KEPT:
            self._pictures[path] = picture
        return picture


def _sort_of(shown: Shown) -> Sort:
    middle = shown.boxes[0].center
    return shown.source, shown.deed.kind, middle.x // CELL, middle.y // CELL


def _whole_size(path: Path) -> Size | None:
    """Of whole cells; None for a picture that is damaged, or too large."""
    try:
        with Image.open(path) as image:
            return whole_cells(Size(*image.size))
    except OSError:
        return None


def acting_loss(
    acting: Acting, looks: Sequence[Shown], pictures: Sequence[Tensor], rng: random.Random
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """In nats for each look: of the deed, of where it is, any place in the box being as good, of its text, and of where
    words are; whether all of each look would be chosen, `[looks]`; and figures. Drags go on from where they began."""
    device = acting.norm.weight.device
    deeds = [look.deed for look in looks]
    asked = asked_of(pictures, [look.task for look in looks], [look.done for look in looks]).to(device)
    answers = acting(asked, torch.tensor([deed.start for deed in deeds], device=device))
    kinds = torch.tensor([DEEDS.index(deed.kind) for deed in deeds], device=device)
    size = _size(pictures)
    starts, found = _of_boxes(answers.starts, [look.boxes for look in looks], size)
    ends, reached = _of_boxes(answers.ends, [[_around(*map(int, deed.end))] for deed in deeds], size)
    is_placed = torch.tensor([deed.kind in PLACED for deed in deeds], device=device)
    is_drag = torch.tensor([deed.kind == "drag" for deed in deeds], device=device)
    texts = torch.tensor([_letters(deed.text) for deed in deeds], device=device)
    kind_loss = F.cross_entropy(answers.kinds, kinds, reduction="none")
    text_loss = F.cross_entropy(answers.letters.transpose(1, 2), texts, reduction="none", ignore_index=-1).sum(1)
    loss = (kind_loss + starts * is_placed + ends * is_drag + text_loss).mean()
    written = ((answers.letters.argmax(-1) == texts) | (texts < 0)).all(1)
    right = (answers.kinds.argmax(-1) == kinds) & (found | ~is_placed) & (reached | ~is_drag) & written
    loss = loss + BEARING * _off(answers.places, looks)
    reading, figures = reading_loss(acting, answers.written, looks, size, rng)
    return loss + READING * reading, right, {"right": right.float().mean().item()} | figures


def _off(places: Tensor, looks: Sequence[Shown]) -> Tensor:
    """How far places `[looks, 2]` are from the points that are due, in hundreds of pixels (Huber, from ten on)."""
    boxes = [look.boxes[0] for look in looks]
    points = torch.tensor([(box.center.x, box.center.y) for box in boxes], device=places.device)
    is_point = [
        look.deed.kind == "click" and box.right - box.left <= POINT for look, box in zip(looks, boxes, strict=True)
    ]
    off = F.huber_loss(places / FAR, points / FAR, reduction="none", delta=0.1).mean(1)
    return (off * torch.tensor(is_point, device=places.device)).mean()


def _size(pictures: Sequence[Tensor]) -> Size:
    return Size(pictures[0].shape[2], pictures[0].shape[1])


def reading_loss(
    acting: Acting, written: Tensor, looks: Sequence[Shown], size: Size, rng: random.Random
) -> tuple[Tensor, dict[str, float]]:
    """In nats for each word that is written on a screen: of where it is. `read` is the share of those that are found.

    written: see `vlm.acting.Answers`.
    """
    words = [some_words(look.lines, rng) for look in looks]
    if not any(words):
        return written.new_zeros(()), {}
    spelt = [[codes_of(text) for text in some] + [[0] * LETTERS] * (WORDS - len(some)) for some in words]
    names = torch.tensor(spelt, device=written.device)
    heat = found_in(written, acting.spelled(names))[names[..., 0] > 0]
    away, read = _of_boxes(heat, [boxes for some in words for boxes in some.values()], size)
    return away.mean(), {"read": read.float().mean().item()}


def some_words(lines: Sequence[Written], rng: random.Random) -> dict[str, list[Box]]:
    """Words of lines, and wherever they are, as if all letters were as wide."""
    words = defaultdict[str, list[Box]](list)
    for line in lines:
        wide = (line.box.right - line.box.left) / max(1, len(line.text))
        for word in WORD.finditer(line.text):
            left, right = line.box.left + int(word.start() * wide), line.box.left + math.ceil(word.end() * wide)
            if word.group().isalnum() and right > left:
                words[word.group()[:LETTERS]].append(Box(left, line.box.top, right, line.box.bottom))
    return {word: words[word] for word in rng.sample(sorted(words), min(WORDS, len(words)))}


def _letters(text: str) -> list[int]:
    codes = [*(SEEN.index(char) for char in text), END]
    return [*codes, *[-1] * (LETTERS - len(codes))]


def _of_boxes(logits: Tensor, boxes: Sequence[Sequence[Box]], size: Size) -> tuple[Tensor, Tensor]:
    """Minus the logarithm of the share of each one's boxes, and whether the likeliest place is in one of them.

    logits `[n, cells, squares]` of pictures of a size.
    """
    flat = logits.flatten(1).log_softmax(-1)
    inside = squares_in(boxes, size).to(flat.device)
    share = -flat.masked_fill(~inside, float("-inf")).logsumexp(-1)
    return share, inside.gather(1, flat.argmax(1, keepdim=True))[:, 0]


def squares_in(boxes: Sequence[Sequence[Box]], size: Size) -> Tensor:
    """Whether squares are in any box of each, `[n, cells * squares of a cell]`, as `vlm.acting.places_in` has them."""
    rows, columns = size.height // SQUARE, size.width // SQUARE
    inside = torch.zeros(len(boxes), rows, columns, dtype=torch.bool)
    for each, some in zip(inside.numpy(), boxes, strict=True):
        for box in some:
            each[_span(box.top, box.bottom, rows), _span(box.left, box.right, columns)] = True
    cells = inside.view(len(boxes), rows // SQUARES, SQUARES, columns // SQUARES, SQUARES)
    return cells.transpose(2, 3).flatten(1)


def _span(first: int, last: int, count: int) -> slice:
    """Which of so many squares in a line have their middle between two pixels; the nearest one if none has."""
    half = SQUARE // 2
    begin, end = math.ceil((first - half) / SQUARE), math.ceil((last - half) / SQUARE)
    if begin >= end:
        begin = round(((first + last) / 2 - half) / SQUARE)
    begin = min(max(begin, 0), count - 1)
    return slice(begin, max(begin + 1, end))

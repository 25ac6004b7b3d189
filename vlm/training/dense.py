"""Visual pre-training: every merged visual token tells what stands under it.

Dense targets of a 28 x 28 pixel cell: the character in each of 2 x 5 slots, the kind of control at its centre, and how
far that control's edges are, or those of the control whose label stands there; at last, how often each letter and digit
occurs in the cell. These make text findable: counts can be summed over the cells of a control, and a plain product with
those of a name tells how well it fits. Which letter is in which slot cannot be compared so (docs/experiments.md). The
heads are dropped at export.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Box
from vlm.training.data.render import Element, Screen

CELL, SLOT_ROWS, SLOT_COLUMNS = 28, 2, 5
SLOTS = SLOT_ROWS * SLOT_COLUMNS
EMPTY, FIRST_CHAR, OTHER_CHAR, CHAR_CLASSES = 0, 33, 95, 96
COUNTED = 36
FOLDED = torch.tensor(
    [
        ord(char) - ord("a") if char.isalpha() else 26 + int(char) if char.isdigit() else COUNTED
        for char in (chr(number + FIRST_CHAR - 1).lower() if number else " " for number in range(CHAR_CLASSES))
    ]
)
"""`[96]`: the letter or digit of a class of characters, whatever its case; 36 for all others."""
KINDS = ("none", "button", "link", "field", "select", "checkbox", "radio", "switch", "tab")
IGNORE = -100
FAR = 4.0
"""Cells beyond which it does not matter how far an edge is: where to click is told from what is near."""


@dataclass(frozen=True, slots=True)
class DenseTargets:
    """What stands in each cell.

    chars `[cells, 10]` and kinds `[cells]`: class numbers, -100 unknown. edges `[cells, 4]`: how far from the middle to
    left, top, right and bottom the control's edges are, in cells, NaN where there is no control or its edge is cut off.
    spelled `[cells, 36]`: where an icon is, how often each letter and digit is in its name; NaN where it is cut off,
    there are several, or only a part of one.
    """

    chars: Tensor
    kinds: Tensor
    edges: Tensor
    spelled: Tensor

    def to(self, device: torch.device) -> "DenseTargets":
        """The same where the tokens are."""
        return DenseTargets(*(getattr(self, part.name).to(device) for part in fields(self)))

    @staticmethod
    def joined(parts: "Sequence[DenseTargets]") -> "DenseTargets":
        """Those of several crops, one behind the other."""
        return DenseTargets(*(torch.cat([getattr(t, part.name) for t in parts]) for part in fields(DenseTargets)))

    def counts(self) -> Tensor:
        """`[cells, 36]`: how often each letter and digit occurs in each cell, NaN where not all are known."""
        known = (self.chars != IGNORE).all(1, keepdim=True)
        letters = FOLDED.to(self.chars.device)[self.chars.clamp(min=0)]
        counts = F.one_hot(letters, COUNTED + 1).sum(1)[:, :COUNTED].float()
        return counts.masked_fill(~known, torch.nan)


@dataclass(frozen=True, slots=True)
class ScreenLabels:
    """A screen's labels as arrays: chars `[n, 3]` (x, y, class), boxes `[m, 5]` (left, top, right, bottom, kind).

    named: those of the chars that lie in a box. written: pairs `[k, 2, 4]` of the box of a name's letters and the box
    of the control that it names. icons `[i, 40]`: box of the middle of an icon's button, and the letters of its name.
    """

    chars: np.ndarray
    boxes: np.ndarray
    named: np.ndarray
    written: np.ndarray
    icons: np.ndarray


def labels_of(screen: Screen) -> ScreenLabels:
    chars = [(x, y, _char_class(char)) for x, y, char in screen.chars]
    boxes = [
        (e.box.left, e.box.top, e.box.right, e.box.bottom, KINDS.index(e.kind))
        for e in screen.elements
        if e.kind in KINDS
    ]
    places, controls = (np.array(rows, dtype=np.int64).reshape(-1, size) for rows, size in ((chars, 3), (boxes, 5)))
    x, y = places[:, :1], places[:, 1:2]
    left, top, right, bottom = controls[:, :4].T
    inside = ((left <= x) & (x < right) & (top <= y) & (y < bottom)).any(1)
    letters = letters_of(screen)
    labels = [(label_of(e, screen, letters), e) for e in screen.elements if e.kind in KINDS and e.name]
    written = [(_corners(label), _corners(e.box)) for label, e in labels if label]
    pairs = np.array(written, dtype=np.int64).reshape(-1, 2, 4)
    icons = [(*_corners(_middle(e.box)), *letter_counts(e.icon)) for e in screen.elements if e.icon]
    spelled = np.array(icons, dtype=np.int64).reshape(-1, 4 + COUNTED)
    return ScreenLabels(places, controls, places[inside], pairs, spelled)


def letter_counts(name: str) -> list[int]:
    """How often each of the 36 letters and digits occurs in a name, whatever its case."""
    found = [0] * COUNTED
    for char in name:
        kind = int(FOLDED[_char_class(char)]) if FIRST_CHAR <= ord(char) <= 126 else COUNTED
        if kind < COUNTED:
            found[kind] += 1
    return found


def _middle(box: Box) -> Box:
    """Where the picture in a button is, which has some room around it."""
    dx, dy = (box.right - box.left) // 5, (box.bottom - box.top) // 5
    return Box(box.left + dx, box.top + dy, box.right - dx, box.bottom - dy)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


def letters_of(screen: Screen) -> str:
    """All characters of a screen in lower case, one for one."""
    return "".join(char.lower()[0] for *_, char in screen.chars)


def label_of(element: Element, screen: Screen, letters: str, most: float = 8 * CELL) -> Box | None:
    """Where an element's name is written: in it, else nearest to it. most: pixels that it may be away."""
    found = ((away, box.left, box.top, box) for away, box in places_of(element, screen, letters) if away <= most)
    nearest = min(found, default=None, key=lambda one: one[:3])
    return nearest[-1] if nearest else None


def places_of(element: Element, screen: Screen, letters: str) -> Iterator[tuple[int, Box]]:
    """Wherever an element's name is written on one line, and how many pixels away from it. letters: all of the
    screen's."""
    name, box, at = element.name.replace(" ", "").lower(), element.box, -1
    while (at := letters.find(name, at + 1)) >= 0:
        written = screen.chars[at : at + len(name)]
        xs, ys = [x for x, _, _ in written], [y for _, y, _ in written]
        if max(ys) - min(ys) < CELL:
            away = max(box.left - max(xs), min(xs) - box.right, 0) + max(box.top - max(ys), min(ys) - box.bottom, 0)
            yield away, Box(max(0, min(xs) - 4), max(0, min(ys) - 4), max(xs) + 5, max(ys) + 5)


def _char_class(char: str) -> int:
    code = ord(char)
    if code == 0:
        return IGNORE
    return code - FIRST_CHAR + 1 if FIRST_CHAR <= code <= 126 else OTHER_CHAR


def dense_targets(labels: ScreenLabels, left: int, top: int, width: int, height: int) -> DenseTargets:
    """Targets of the crop at (left, top); width and height are multiples of 28. Cells are row-major."""
    rows, columns = height // CELL, width // CELL
    chars = np.zeros((rows, columns, SLOTS), dtype=np.int64)
    kinds = np.zeros((rows, columns), dtype=np.int64)
    edges = np.full((rows, columns, 4), np.nan, dtype=np.float32)
    spelled = np.zeros((rows, columns, COUNTED), dtype=np.float32)
    offset = np.array([left, top, left, top, 0])
    for l, t, r, b, kind in labels.boxes - offset:  # noqa: E741
        if r <= 0 or b <= 0 or l >= width or t >= height:
            continue
        ys = _covered(t, b, rows)
        xs = _covered(l, r, columns)
        if KINDS[kind] in ("field", "select"):
            # Text inside fields has no labels: not counted against the reader.
            chars[max(0, t // CELL) : (b - 1) // CELL + 1, max(0, l // CELL) : (r - 1) // CELL + 1] = IGNORE
        kinds[ys, xs] = kind
        _set_edges(edges, ys, xs, (l, t, r, b))
    for label, control in labels.written - np.array([left, top, left, top]):
        _set_edges(edges, _covered(label[1], label[3], rows), _covered(label[0], label[2], columns), control)
    place = labels.chars - np.array([left, top, 0])
    place = place[
        (place[:, 0] >= 0) & (place[:, 1] >= 0) & (place[:, 0] < columns * CELL) & (place[:, 1] < rows * CELL)
    ]
    slot = (place[:, 1] % CELL) * SLOT_ROWS // CELL * SLOT_COLUMNS + (place[:, 0] % CELL) * SLOT_COLUMNS // CELL
    chars[place[:, 1] // CELL, place[:, 0] // CELL, slot] = place[:, 2]
    _set_icons(spelled, labels.icons - np.array([left, top, left, top, *[0] * COUNTED]), (chars == EMPTY).all(2))
    return DenseTargets(
        torch.from_numpy(chars).flatten(0, 1),
        torch.from_numpy(kinds).flatten(),
        torch.from_numpy(edges).flatten(0, 1),
        torch.from_numpy(spelled).flatten(0, 1),
    )


def _set_icons(spelled: np.ndarray, icons: np.ndarray, blank: np.ndarray) -> None:
    """In the cells of `spelled` `[rows, columns, 36]` the letters of the icons there, `[i, 40]` as in `ScreenLabels`.

    blank `[rows, columns]`: where no text is. Unknown is what such a cell shows that an icon only reaches into.
    """
    rows, columns = blank.shape
    l, t, r, b = icons[:, :4].T  # noqa: E741
    seen = icons[(r > 0) & (b > 0) & (l < columns * CELL) & (t < rows * CELL)]
    taken = np.zeros((rows, columns, 1), dtype=bool)
    for l, t, r, b in seen[:, :4]:  # noqa: E741
        reached = slice(max(0, t // CELL), (b - 1) // CELL + 1), slice(max(0, l // CELL), (r - 1) // CELL + 1)
        spelled[reached][blank[reached]] = np.nan
    for l, t, r, b, *letters in seen:  # noqa: E741
        whole = l >= 0 and t >= 0 and r <= columns * CELL and b <= rows * CELL
        cells = _covered(t, b, rows), _covered(l, r, columns)
        spelled[cells] = np.where(taken[cells] | (not whole), np.nan, letters)
        taken[cells] = True


def _set_edges(edges: np.ndarray, ys: slice, xs: slice, control: Sequence[int]) -> None:
    """In these cells of `edges` `[rows, columns, 4]`, how far a control's edges are."""
    left, top, right, bottom = control
    high, wide = edges.shape[0] * CELL, edges.shape[1] * CELL
    y, x = np.meshgrid(
        np.arange(ys.start, ys.stop) * CELL + CELL // 2, np.arange(xs.start, xs.stop) * CELL + CELL // 2, indexing="ij"
    )
    seen = np.where([left >= 0, top >= 0, right <= wide, bottom <= high], 1.0, np.nan)
    edges[ys, xs] = np.stack((x - left, y - top, right - x, bottom - y), axis=-1) / CELL * seen


def target_cells(box: Box, rows: int, columns: int) -> Tensor:
    """`[rows, columns]`, 1 for the cells of a grid that a box (pixels from its corner) covers, 0 elsewhere."""
    mask = torch.zeros(rows, columns)
    mask[_covered(box.top, box.bottom, rows), _covered(box.left, box.right, columns)] = 1
    return mask


def _covered(start: int, end: int, cells: int) -> slice:
    """Cells whose centres lie in [start, end), or the one cell in the middle of something smaller."""
    first, last = -((14 - start) // CELL), (end - 15) // CELL
    if last < first:
        first = last = ((start + end) // 2) // CELL
    return slice(max(0, int(first)), max(0, min(cells, int(last) + 1)))


class DenseHeads(nn.Module):
    """Linear readers of the merged visual tokens `[cells, width]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.chars = nn.Linear(width, SLOTS * CHAR_CLASSES)
        self.kinds = nn.Linear(width, len(KINDS))
        self.edges = nn.Linear(width, 4)

    def loss(self, tokens: Tensor, targets: DenseTargets) -> tuple[Tensor, dict[str, float]]:
        """Summed loss and what it is made of, with the share of characters that were read."""
        logits = self.chars(tokens).view(-1, CHAR_CLASSES).float()
        wanted = targets.chars.view(-1)
        weight = torch.ones(CHAR_CLASSES, device=tokens.device)
        weight[EMPTY] = 0.05  # most slots are empty: at full weight nothing else is learned
        chars = F.cross_entropy(logits, wanted, weight=weight, ignore_index=IGNORE)
        kind_weight = torch.tensor([0.1, *[1.0] * (len(KINDS) - 1)], device=tokens.device)
        kinds = F.cross_entropy(self.kinds(tokens).float(), targets.kinds, weight=kind_weight)
        known = ~targets.edges.isnan()
        found = self.edges(tokens).float()[known]
        edges = F.smooth_l1_loss(found, targets.edges[known].clamp(-FAR, FAR), beta=0.25) if known.any() else kinds * 0
        read = wanted > 0
        right = (logits[read].argmax(-1) == wanted[read]).float().mean() if read.any() else torch.tensor(0.0)
        parts = {"chars": chars.item(), "kinds": kinds.item(), "edges": edges.item(), "read": right.item()}
        return chars + 0.3 * kinds + 0.3 * edges, parts


class CountingHead(nn.Linear):
    """A linear reader of letters and digits."""

    def __init__(self, width: int) -> None:
        super().__init__(width, COUNTED)
        nn.init.zeros_(self.weight)  # at random the counts would be far off, and drown all else at first

    def loss(self, tokens: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """Squared error of the counts `[cells, 36]`, NaN where unknown, each in units of its variance, and the share of
        the variance explained."""
        known = ~wanted.isnan().any(1)
        if not known.any():
            return self(tokens).float().sum() * 0, 0.0
        variance = wanted[known].var(0, unbiased=False) + 0.01
        error = (self(tokens)[known].float() - wanted[known]).square().mean(0)
        return (error / variance).mean(), 1 - (error.sum() / variance.sum()).item()


def seeing_loss(heads: nn.ModuleDict, tokens: Tensor, targets: DenseTargets) -> tuple[Tensor, dict[str, float]]:
    """Of both `heads` and `counts`, and their figures."""
    dense, counts = heads["heads"], heads["counts"]
    assert isinstance(dense, DenseHeads) and isinstance(counts, CountingHead)
    read, figures = dense.loss(tokens, targets)
    counted, figures["counted"] = counts.loss(tokens, targets.counts())
    return read + 0.5 * counted, figures

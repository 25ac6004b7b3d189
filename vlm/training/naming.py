"""Teaches the network that tells how well a name fits a place (`vlm.naming`). The tower stays as it is.

Every place of a step is held against every name: that of its own control fits; those of the others on its screen, and
of all other screens, do not. And every name has to fit its own place better than all others of its screen. Beside
screens there are pages packed with icons, of which the tower is not asked: more of them are seen so.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Box
from vlm.naming import CELL, Naming, squares, windows
from vlm.training.data.render import Drawn, Element, Figure, Screen
from vlm.training.optim import MuonAdamW
from vlm.training.pool import Control, EncodedScreen, Pool, entry_words
from vlm.training.pretrain import Crops
from vlm.training.run import FULL, Amounts, Stage, placed
from vlm.training.stages import fill
from vlm.training.workers import rank, told_by_first
from vlm.vision import VisionTower

SCREENS, CONTROLS, ICONS, NOTHING, MENTIONS, SHOWN = 6, 10, 5, 4, 4, 12
"""Of a step of each worker: screens, and of each of them at most so many controls, icons besides, places of nothing
near controls, where the name of one is only mentioned, and anywhere where anything is shown."""
BESIDE, ON_LABEL = 40, 0.5
"""Pixels around a control within which such a place is, and how often it is on the control's label beside it."""
PAGES, PACKED = 4, 64
"""Of a step of each worker: pages of icons, and of each of them so many icons."""
PARTED = 0.5
"""How often an icon in a list's entry is called by what it shows alone, and how often the words there are asked for."""
AS_ICON = 0.15
"""How often the word "icon" is said with the name of one."""
STEPS = 3
"""For each screen that is encoded, which takes longer."""
KEPT = 400
"""Encoded screens in memory, five megabytes each."""
RATE = 0.02
HERE = 4.0
"""How much more a name that is on the screen weighs than one that is not."""


_Place = tuple[int, int, tuple[str, ...]]
"""Across and down in the pixels of a screen, and what is called so there, as `Places` has it."""


@dataclass(frozen=True, slots=True)
class Places:
    """tokens, at and pixels as `Naming.places` takes them; names: of each all that fit, in small letters, of which the
    first is asked for, none of nothing; screens `[n]`: the number of each one's."""

    tokens: Tensor
    at: Tensor
    pixels: Tensor
    names: tuple[tuple[str, ...], ...]
    screens: Tensor


def learn_names(
    tower: VisionTower,
    drawn: Drawn,
    folder: Path,
    *,
    minutes: float,
    seed: int,
    amounts: Amounts = FULL,
    before: Naming | None = None,
) -> Naming:
    """Train on drawn screens and pages of icons, from `before` on if there is one. Resumes from `folder/naming.pt`."""
    torch.manual_seed(seed)
    naming = before or Naming(tower.config.out_hidden_size)
    naming.train().to(placed(tower).patch_embed.weight.device)
    told_by_first(naming.parameters())
    optimizer = MuonAdamW(naming.named_parameters(), matrix_lr=RATE, other_lr=RATE / 5)
    stage = Stage("naming", folder, minutes, nn.ModuleDict({"naming": naming}), optimizer, hold=0.3)
    if stage.done:
        return naming
    number = seed + stage.step + 7919 * rank()
    pool, packed = Pool(drawn.screens, tower, number, pixels=True), Crops(drawn.icons, number, start=PAGES)
    fill(pool, amounts.pool)
    for scale in stage.steps():
        if stage.step % STEPS == 0:
            pool.grow()
            del pool.screens[:-KEPT]
        loss, figures = naming_loss(naming, draw_places(pool.rng, pool.screens, packed))
        torch.autograd.backward(loss)
        optimizer.step(scale)
        stage.collect(figures)
    return naming


def draw_places(rng: random.Random, screens: Sequence[EncodedScreen], packed: Crops) -> Places:
    """Places on some of the screens, then icons of some pages."""
    tokens, at, pixels, names, numbers = [], [], [], [], []
    for number, screen in enumerate(rng.sample(screens, min(SCREENS, len(screens)))):
        found = _on_screen(rng, screen)
        tokens.append(windows(screen.tokens, torch.tensor([(y // CELL, x // CELL) for x, y, _ in found])))
        at += [(x % CELL / CELL, y % CELL / CELL) for x, y, _ in found]
        assert screen.pixels is not None, "the pool keeps them"
        pixels.append(squares(screen.pixels, torch.tensor([(x, y) for x, y, _ in found])))
        names += [called for *_, called in found]
        numbers += [number] * len(found)
    for number in range(SCREENS, SCREENS + PAGES):
        picture, page = packed.screen()
        found = _icons_on(rng, page, *picture.shape[:2])
        pixels.append(squares(torch.tensor(picture).permute(2, 0, 1), torch.tensor([(x, y) for x, y, _ in found])))
        names += [called for *_, called in found]
        numbers += [number] * len(found)
    together = torch.cat(tokens)
    device = together.device
    return Places(
        together, torch.tensor(at, device=device), torch.cat(pixels).to(device), tuple(names), torch.tensor(numbers)
    )


def _icons_on(rng: random.Random, page: Screen, height: int, width: int) -> list[_Place]:
    """Places on icons that are wholly in the picture of a page."""
    there = [
        element
        for element in page.elements
        if element.icon is not None and element.box.right <= width and element.box.bottom <= height
    ]
    return [(*_inside(rng, each.box), _called(rng, each.name)) for each in rng.sample(there, min(PACKED, len(there)))]


def _called(rng: random.Random, icon: str) -> tuple[str, ...]:
    """What an icon is called: "trash", and now and then "trash icon" is asked for."""
    name = icon.lower()
    return (f"{name} icon", name) if rng.random() < AS_ICON else (name, f"{name} icon")


def _on_screen(rng: random.Random, screen: EncodedScreen) -> list[_Place]:
    icons = [control for control in screen.controls if control.element.icon is not None]
    # A figure has more names than the one of its control.
    controls = [] if screen.figures else rng.sample(screen.controls, min(CONTROLS, len(screen.controls)))
    controls += rng.sample(icons, min(ICONS, len(icons)))
    found = [place for control in controls for place in _of_control(rng, control)]
    figures = rng.sample(screen.figures, min(CONTROLS, len(screen.figures)))
    found += [(*_inside(rng, each.box), tuple(rng.sample(each.names, len(each.names)))) for each in figures]
    rows, columns, _ = screen.tokens.shape
    mentions = [place for control in controls for place in control.mentions]
    nothing = [_beside(rng, rng.choice(screen.controls)) for _ in range(NOTHING)]
    nothing += [_inside(rng, place) for place in rng.sample(mentions, min(MENTIONS, len(mentions)))]
    shown = screen.drawn & screen.known
    for control in screen.controls:
        if entry_words(control.element):  # they are asked for as they read
            shown = shown & ~control.written
    cells: list[list[int]] = torch.nonzero(shown).tolist()
    nothing += [_in_cell(rng, cells) for _ in range(SHOWN if cells else 0)]
    there: list[Element | Figure] = [*(control.element for control in screen.controls), *screen.figures]
    for x, y in nothing:
        on_it = 0 <= x < columns * CELL and 0 <= y < rows * CELL
        if on_it and not any(each.hit_by(x, y) for each in there):
            found.append((x, y, ()))
    return found


def _of_control(rng: random.Random, control: Control) -> Iterator[_Place]:
    """A place on it. An icon in a list's entry is also called by what it shows alone, as those of the other entries
    are, and the words beside it are called as they read: both together tell it as well."""
    element, words = control.element, entry_words(control.element)
    names = _called(rng, element.icon) if element.icon else ()
    whole = () if element.icon and not words else (element.name.lower(),)
    yield *_inside(rng, control.box), (*names, *whole) if rng.random() < PARTED else (*whole, *names)
    beside = _written_beside(control)
    if words and beside and rng.random() < PARTED:
        yield *_in_cell(rng, beside), (words.lower(),)


def _written_beside(control: Control) -> list[list[int]]:
    """The cells beside a control in which its name is written."""
    cells: list[list[int]] = torch.nonzero(control.written & ~control.area).tolist()
    return cells


def _in_cell(rng: random.Random, cells: Sequence[Sequence[int]]) -> tuple[int, int]:
    row, column = rng.choice(cells)
    return column * CELL + rng.randrange(CELL), row * CELL + rng.randrange(CELL)


def _beside(rng: random.Random, control: Control) -> tuple[int, int]:
    """Near a control, or on the label beside it, which has its name and is not what is to be clicked."""
    box, label = control.box, [] if entry_words(control.element) else _written_beside(control)
    if label and rng.random() < ON_LABEL:
        return _in_cell(rng, label)
    return rng.randint(box.left - BESIDE, box.right + BESIDE), rng.randint(box.top - BESIDE, box.bottom + BESIDE)


def _inside(rng: random.Random, box: Box) -> tuple[int, int]:
    """Mostly about the middle, where it is pointed at."""
    x, y = rng.triangular(box.left, box.right - 1), rng.triangular(box.top, box.bottom - 1)
    return round(x), round(y)


def naming_loss(naming: Naming, places: Places) -> tuple[Tensor, dict[str, float]]:
    """Whether names fit, in nats for each place, and which place of its screen fits a name best, in nats for each name.

    figures: told: how often a name that fits a place fits it best of all; found: how often a name's place fits it best
    of its screen.
    """
    first = [names[0] for names in places.names if names]
    known = sorted({*first})
    numbers = {name: number for number, name in enumerate(known)}
    device = places.at.device
    right = torch.zeros(len(places.names), len(known), dtype=torch.bool)
    for own, names in zip(right, places.names, strict=True):
        own[[numbers[name] for name in names if name in numbers]] = True
    right, screens = right.to(device), places.screens.to(device)
    asked = torch.tensor([numbers[name] for name in first], device=device)
    named = right.any(1)
    fit = naming(naming.places(places.tokens, places.at, places.pixels), naming.names(known))
    on = torch.zeros(int(screens.max()) + 1, len(known), device=device).index_add_(0, screens, right.float())
    here = on[screens] > 0
    # Where nothing was to be asked for, a control may be that has the name of one on another screen.
    weight = (named[:, None] | here) * (1 + HERE * here)
    wrong = F.binary_cross_entropy_with_logits(fit, right.float(), reduction="none")
    rivals = screens[:, None] == screens[named]
    # Another place that is called so is as good.
    shares = fit[:, asked].masked_fill(~rivals, float("-inf")).log_softmax(0)
    best = -shares.masked_fill(~right[:, asked], float("-inf")).logsumexp(0).mean()
    figures = {
        "fits": (wrong * weight).sum().item() / len(right),
        "best": best.item(),
        "told": right[named].gather(1, fit[named].argmax(1, keepdim=True)).float().mean().item(),
        "found": right[shares.argmax(0), asked].float().mean().item(),
    }
    return (wrong * weight).sum() / len(right) + best, figures

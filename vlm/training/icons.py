"""The vision tower learns icons: it shows one as if its name were written there.

What finds a name that is written then finds an icon as well, and the language model need not change. All else goes on
being shown as before, or the language model would have to learn to see anew: it is held to what the tower showed at
first. Blocks that are put behind it learn to add names, and the rest follows slowly.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.model import Qwen25VL
from vlm.training.dense import DenseTargets
from vlm.training.optim import MuonAdamW
from vlm.training.pretrain import Batch, Crops, batches, crop_sizes, crops_of
from vlm.training.run import FULL, Amounts, Stage
from vlm.training.workers import told_by_first
from vlm.vision import VisionBlock, VisionTower

BLOCKS = 2
"""Put behind those of the tower: they have nothing to forget, and can be led fast."""
FOLLOWING = 0.1
"""How fast the rest of the tower learns, beside them."""
SHARES = (0.4, 0.6)
"""Of a step's crops, how many are of screens and of pages of icons."""
KEEPING = 8.0
"""How much the change of a token that shows text, and that of one that shows nothing, weigh beside the error of one
that shows an icon. Most cells are blank: taken together they would drown what is read."""
TELLING = 1.0
"""How much it weighs beside it which of the names that were asked is nearest to what was added. Without this the tower
learns for long only the mean of all names: that there is an icon."""
SHARPNESS = 10.0
"""Of that comparison, for each unit of a name's own square length."""
MEASURED = 24
"""Batches of which is measured what a letter adds to a token."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How tokens show letters and digits, by least squares.

    adds `[36, width]`: what each of them adds to a token. reads `[width, 36]`, constant `[36]`: how often each is
    there, by a token.
    """

    adds: Tensor
    reads: Tensor
    constant: Tensor

    def without(self, tokens: Tensor) -> Tensor:
        """Tokens `[n, width]` less the letters that are read there: no name is added to what was spelled before."""
        return tokens - (tokens @ self.reads + self.constant) @ self.adds


def deepen(model: Qwen25VL) -> None:
    """Put the blocks that learn icons behind those of a model's vision tower. They change nothing yet."""
    tower = model.visual
    for _ in range(BLOCKS):
        block = VisionBlock(tower.config, full=False)
        for matrix in (block.attn.qkv, block.mlp.gate_up_proj):
            nn.init.kaiming_normal_(matrix.weight, nonlinearity="linear")
        for added in (block.attn.proj, block.mlp.down_proj):
            nn.init.zeros_(added.weight)
            nn.init.zeros_(added.bias)
        told_by_first(block.parameters())
        tower.blocks.append(block.to(tower.patch_embed.weight).requires_grad_(False))
    tower.config = replace(tower.config, depth=len(tower.blocks))
    model.config = replace(model.config, vision=tower.config)


def learn_icons(
    tower: VisionTower,
    screens: Path,
    icons: Path,
    folder: Path,
    *,
    minutes: float,
    seed: int,
    amounts: Amounts = FULL,
) -> None:
    """Train a `tower` that has blocks to learn icons with (`deepen`) on screens and on pages of icons. Resumes from
    `folder/icons.pt`."""
    torch.manual_seed(seed)
    at_first = deepcopy(tower).requires_grad_(False)
    tower.requires_grad_(True)
    new = tuple(f"blocks.{number}." for number in range(len(tower.blocks) - BLOCKS, len(tower.blocks)))
    optimizer = MuonAdamW(
        tower.named_parameters(),
        matrix_lr=0.03,
        other_lr=3e-3,
        pace=lambda name: 1.0 if name.startswith(new) else FOLLOWING,
    )
    stage = Stage("icons", folder, minutes, nn.ModuleDict({"tower": tower}), optimizer, hold=0.4)
    if not stage.done:
        spelling = spelling_of(at_first, Crops(screens, seed, start=amounts.pool), amounts)
        told_by_first([spelling.adds, spelling.reads, spelling.constant])
        sources = crops_of((screens, icons), seed + stage.step, amounts)
        for scale, (patches, grids, targets) in batches(stage, lambda: _mixed(sources, amounts)):
            with torch.no_grad():
                before = at_first(patches, grids)
            tokens = tower(patches, grids)
            loss, figures = icon_loss(tokens, before, targets.to(tokens.device), spelling)
            torch.autograd.backward(loss)
            optimizer.step(scale)
            stage.collect(figures)
    tower.requires_grad_(False)


def _mixed(sources: Sequence[Crops], amounts: Amounts) -> Batch:
    """Crops of every source: a step of icons alone would undo what is kept. None of the smallest: of an icon at a
    crop's edge nothing is learned."""
    width, height, count = crop_sizes(sources[0].rng, amounts.crops[1:] or amounts.crops)
    drawn = zip(sources, SHARES, strict=True)
    patches, grids, targets = zip(
        *(crops.batch(width, height, max(1, round(count * share))) for crops, share in drawn), strict=True
    )
    return torch.cat(patches), list(chain(*grids)), DenseTargets.joined(targets)


@torch.no_grad()
def spelling_of(tower: VisionTower, crops: Crops, amounts: Amounts) -> Spelling:
    """How a tower shows letters, by the cells of some crops."""
    seen: list[Tensor] = []
    there: list[Tensor] = []
    for number in range(MEASURED):
        width, height, count, _ = amounts.crops[number % len(amounts.crops)]
        patches, grids, targets = crops.batch(width, height, count)
        counts = targets.counts()
        known = ~counts.isnan().any(1) & (targets.spelled == 0).all(1)
        shown = tower(patches, grids)
        seen.append(shown[known].float().cpu())
        there.append(counts[known])
    tokens, letters = torch.cat(seen), torch.cat(there)
    token, letter = tokens.mean(0), letters.mean(0)
    adds, reads = (
        torch.linalg.lstsq(of, to, driver="gelsd").solution
        for of, to in ((letters - letter, tokens - token), (tokens - token, letters - letter))
    )
    return Spelling(*(part.to(shown.device) for part in (adds, reads, letter - token @ reads)))


def icon_loss(
    tokens: Tensor, shown: Tensor, targets: DenseTargets, spelling: Spelling
) -> tuple[Tensor, dict[str, float]]:
    """How far tokens `[cells, width]` are from those at first, `shown`, where icons are with the letters of their names
    in place of any that are read there, and how well these can be told from the other names. Figures: the share of the
    letters that is there, the share of icons that are told, how much tokens of text and others changed."""
    spelled, written = targets.spelled, (targets.chars != 0).any(1)
    icon, other = spelled.nan_to_num().sum(1) > 0, (spelled == 0).all(1)
    before, unit = shown.float(), shown.float().square().mean()
    figures, kept = {}, unit.new_zeros(())
    for name, cells in (("changed", other & written), ("blank", other & ~written)):
        if cells.any():
            change = (tokens[cells].float() - before[cells]).square().mean() / unit
            figures[name], kept = change.item(), kept + change
    if not icon.any():
        return KEEPING * kept, figures
    names, which = spelled[icon].unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    added, wanted = tokens[icon].float() - spelling.without(before[icon]), names @ spelling.adds
    far = torch.cdist(added, wanted).square() / wanted.square().sum(1).mean()
    missing = (added - wanted[which]).square().mean() / unit
    told = F.cross_entropy(-SHARPNESS * far, which)
    figures["spelled"] = 1 - (missing * unit / wanted[which].square().mean()).item()
    figures["told"] = (far.argmin(1) == which).float().mean().item()
    return missing + TELLING * told + KEEPING * kept, figures

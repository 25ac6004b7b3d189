"""The stages behind visual pre-training: reading what the tower sees, then planning, resumable."""

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor, nn

from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.rope import mrope_table
from vlm.training.circuits import LOOK_LAYER, Directions, turns
from vlm.training.data.words import Words
from vlm.training.dense import DenseHeads, seeing_loss
from vlm.training.multimodal import (
    FIRST_X,
    FIRST_Y,
    HEAD,
    IM_END,
    IM_START,
    IMAGE_PAD,
    TAIL,
    TOKENS,
    VISION_START,
    Example,
    Trainer,
    asked,
    encode,
    grounding_example,
    padded,
    planning_example,
)
from vlm.training.optim import MuonAdamW
from vlm.training.pool import WHOLE, Pool, Region
from vlm.training.reader import Heads, Reader, View
from vlm.training.run import FULL, Amounts, Stage
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS, token_id
from vlm.training.wiring import (
    Grid,
    Prompt,
    Sample,
    directions,
    letters_of_ids,
    read_state,
    size_of,
    wire_pictures,
    wire_text,
)
from vlm.training.workers import rank, said_by_first, told_by_first

BUNDLED = Config(
    text=TextConfig(
        vocab_size=928,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=14,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        # The published sections and theta turn too slowly along the width to tell columns apart; a small model has to.
        rope_theta=1000.0,
        mrope_section=(1, 5, 26),
        max_position_embeddings=32768,
    ),
    vision=VisionConfig(
        depth=6,
        hidden_size=256,
        intermediate_size=768,
        num_heads=4,
        out_hidden_size=256,
        tokens_per_second=2,
        fullatt_block_indexes=(3,),
    ),
    image_token_id=IMAGE_PAD,
    video_token_id=token_id(TOKENS, "<|video_pad|>"),
    vision_start_token_id=VISION_START,
)
"""The shape of the bundled model."""
PROMPT = Prompt(
    [*HEAD, *encode('click "Example" button'), VISION_START],
    TAIL[-1],
    (IM_START, IM_END),
    Grid(FIRST_X, len(X_TOKENS), GRID),
    Grid(FIRST_Y, len(Y_TOKENS), GRID),
)
"""An instruction, by which the circuits are measured."""
POINTING_LAYERS = LOOK_LAYER + 1
"""So many layers find the point; those behind plan, and let a point pass."""
MOST_CELLS = 1400
"""Of the screens on which points are learned."""
POINT_CELLS, POINTS = (48, 320), 4
"""Of the parts of screens on which points are kept while plans are learned, and how many on each."""
READING_RATES = 0.002, 2e-4
"""Of the tower's matrices, and of all else, when tower and reader learn together."""
TOKEN = 0.3
"""Root mean square of visual tokens: small beside what the circuits write, so that all states are of about one size."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """A network around a trained tower, its circuits of text, and the tower's `heads` and `counts`, which read the
    tokens as they are in this network."""

    model: Qwen25VL
    d: Directions
    heads: nn.ModuleDict


def start(
    seeing: nn.ModuleDict, screens: Path, folder: Path, seed: int, amounts: Amounts, config: Config = BUNDLED
) -> Foundation:
    """A network around a pre-trained tower, which stays as it is.

    Along which directions its circuits write is kept in `folder`: computed again, by another number of threads, these
    are others, and what was trained for the first would be read along the second.

    Visual tokens are brought to a smaller scale than that of the text embeddings, by the merger's last layer: the more
    there is to see in a cell the larger they are, and what stands beside that should not be drowned.
    """
    torch.manual_seed(seed)
    model = Qwen25VL(config)
    model.visual.load_state_dict(seeing["tower"].state_dict())
    model.visual.bfloat16().requires_grad_(False)
    last, heads = model.visual.merger.mlp[2], _heads(seeing)
    assert isinstance(last, nn.Linear)
    path = folder / "start.pt"
    if said_by_first(float(path.is_file())):
        saved = torch.load(path, weights_only=True)
        factor, d = saved["factor"], Directions(**saved["directions"])
    else:
        pool = Pool(screens, model.visual, seed)
        _fill(pool, amounts.pool)
        tokens = torch.cat([screen.tokens[screen.drawn] for screen in pool.screens]).float()
        torch.manual_seed(seed)
        factor, d = TOKEN / tokens.square().mean().sqrt(), directions(tokens, heads.weight)
        parts = {part.name: getattr(d, part.name) for part in fields(d)}
        told_by_first((factor, *parts.values()))
        if rank() == 0:
            torch.save({"factor": factor, "directions": parts}, path)
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)
    _keep_out(last, d)
    torch.manual_seed(seed)
    wire_text(model, d, PROMPT)
    model.requires_grad_(False)
    kept = nn.ModuleDict({name: deepcopy(seeing[name]) for name in ("heads", "counts")})
    with torch.no_grad():
        for name, parameter in kept.named_parameters():
            if name.endswith("weight"):
                parameter.div_(factor)  # these tokens are smaller
    return Foundation(model.bfloat16(), d, kept)


def _heads(seeing: nn.ModuleDict) -> Heads:
    """What the reader begins with."""
    counts, dense = seeing["counts"], seeing["heads"]
    assert isinstance(counts, nn.Linear) and isinstance(dense, DenseHeads)
    parts = []
    for part in ("weight", "bias"):
        kinds = getattr(dense.kinds, part)
        control = kinds[1:].mean(0, keepdim=True) - kinds[:1]
        parts.append(torch.cat((getattr(counts, part), getattr(dense.edges, part), control)).detach().float())
    return Heads(*parts)


def _without(tokens: Tensor, d: Directions) -> Tensor:
    """Visual tokens `[..., width]` without the directions in which circuits write numbers."""
    return tokens.float() - tokens.float() @ d.kept().T @ d.kept()


@torch.no_grad()
def _keep_out(last: nn.Linear, d: Directions) -> None:
    """A layer that writes visual tokens writes nothing there any more."""
    last.weight.copy_(_without(last.weight.T, d).T)
    last.bias.copy_(_without(last.bias, d))


def read(
    foundation: Foundation, screens: Path, folder: Path, *, minutes: float, seed: int = 1, amounts: Amounts = FULL
) -> Qwen25VL:
    """The tower, and how its tokens are read, learn to find controls on whole screens by the circuits, which are wired
    at last."""
    model, d = foundation.model, foundation.d
    # What sizes are measured on is the same for every worker.
    pool = Pool(screens, model.visual, seed, whole=MOST_CELLS)
    _fill(pool, 2)
    samples = [sample_of(pool.region(WHOLE), pool.rng) for _ in range(4)]
    rest = max(size_of(model, sample, LOOK_LAYER) for sample in samples) * BUNDLED.text.hidden_size**0.5
    size = size_of(model, samples[0], 0, attended=True)
    torch.manual_seed(seed)
    hidden, speed = BUNDLED.text.intermediate_size, turns(BUNDLED.text)
    reader = Reader(hidden, d, speed, _heads(foundation.heads), size=size, rest=rest)
    told_by_first(reader.parameters())
    parts = {"reader": reader, "tower": model.visual.requires_grad_(True), "heads": foundation.heads}
    modules = nn.ModuleDict(parts)
    matrix_lr, other_lr = READING_RATES
    optimizer = MuonAdamW(modules.named_parameters(), matrix_lr=matrix_lr, other_lr=other_lr)
    stage = Stage("read", folder, minutes, modules, optimizer)
    pool = Pool(screens, model.visual, seed + stage.step + 7919 * rank(), whole=MOST_CELLS)
    for scale in stage.steps():
        pool.advance()
        region = pool.region(WHOLE, most=amounts.questions)
        screen = pool.screens[0]
        tokens = _without(screen.tokens.flatten(0, 1), d).bfloat16()
        seeing, seen = seeing_loss(foundation.heads, tokens, screen.targets)
        region = replace(region, tokens=_without(region.tokens, d))
        finding, found = reader.loss(view_of(model, region, pool.rng))
        torch.autograd.backward(seeing + finding)
        optimizer.step(scale)
        stage.collect({**found, "read": seen["read"], "counted": seen["counted"]})
    model.visual.requires_grad_(False)
    last = model.visual.merger.mlp[2]
    assert isinstance(last, nn.Linear)
    _keep_out(last, d)
    pool = Pool(screens, model.visual, seed, whole=MOST_CELLS)
    _fill(pool, 1)
    wire_pictures(model, d, PROMPT, reader.told(), sample_of(pool.region(WHOLE), pool.rng))
    return model


def sample_of(region: Region, rng: random.Random) -> Sample:
    """The prompt for a region's first control."""
    example = grounding_example(replace(region, controls=region.controls[:1]), rng)
    ids = torch.tensor(example.ids)
    return Sample(ids[:-3], example.positions[:, :-3], region.tokens, int(torch.nonzero(ids == IMAGE_PAD)[0]))


def view_of(model: Qwen25VL, region: Region, rng: random.Random) -> View:
    """A region with an instruction for each of its controls."""
    sample = sample_of(region, rng)
    text = BUNDLED.text
    parts = sample.positions[:, sample.pictured()], sample.positions[:, -1:]
    tables = [mrope_table(at[:, None], text.head_dim, text.rope_theta, text.mrope_section) for at in parts]
    keys, queries = ((cos[0], sin[0]) for cos, sin in tables)
    return View(
        read_state(model, sample),
        region.places,
        torch.stack([letters_of_ids(torch.tensor(asked(rng, control.element))) for control in region.controls]),
        keys,
        queries,
        torch.stack([control.area for control in region.controls]),
        tuple(control.box for control in region.controls),
        torch.tensor([control.aim for control in region.controls]),
        torch.tensor([control.middle for control in region.controls]),
    )


def plan(
    model: Qwen25VL, screens: Path, folder: Path, *, minutes: float, seed: int = 2, amounts: Amounts = FULL
) -> Trainer:
    """Plans, by the layers behind those that point; points go on through them."""
    for layer in model.language_model.layers[POINTING_LAYERS:]:
        layer.requires_grad_(True)
    model.lm_head.requires_grad_(True)
    trainer = Trainer(model).bfloat16()
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=0.01, other_lr=1e-3)
    # Only what is trained here: the layers before may be taught again.
    planning = nn.ModuleDict({"layers": model.language_model.layers[POINTING_LAYERS:], "head": model.lm_head})
    stage = Stage("plan", folder, minutes, planning, optimizer)
    if stage.done:
        return trainer
    pool = Pool(screens, model.visual, seed + stage.step + 7919 * rank())
    rng = pool.rng
    _fill(pool, amounts.pool)
    words = Words(rng, held_out=False)
    for scale in stage.steps():
        if stage.step % amounts.every == 0:
            pool.grow()
        region = pool.region(rng.uniform(*POINT_CELLS), rng.random(), POINTS)
        figures = _gradients(trainer.grounding_loss, [grounding_example(region, rng)])
        figures |= _gradients(trainer.planning_loss, [planning_example(rng, words) for _ in range(amounts.plans)])
        optimizer.step(scale)
        stage.collect(figures)
    return trainer


def _gradients(
    loss_of: Callable[[Sequence[Example]], tuple[Tensor, dict[str, float]]], examples: Sequence[Example]
) -> dict[str, float]:
    """Gradients of the mean loss; examples of like length go together, so that there is little padding."""
    total: dict[str, float] = {}
    for part in _of_like_length(examples):
        share = len(part) / len(examples)
        loss, figures = loss_of(part)
        torch.autograd.backward(loss * share)
        total = {key: total.get(key, 0.0) + share * value for key, value in figures.items()}
    return total


def _of_like_length(examples: Sequence[Example]) -> list[list[Example]]:
    """Groups of one padded length, in few sizes: the first product of every new shape is slow on a CPU."""
    groups: list[list[Example]] = []
    by_length = sorted(examples, key=lambda example: padded(len(example.ids)))
    for _, same in groupby(by_length, key=lambda example: padded(len(example.ids))):
        rest = list(same)
        while rest:
            size = max(size for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if size <= len(rest))
            groups.append(rest[:size])
            rest = rest[size:]
    return groups


def _fill(pool: Pool, screens: int) -> None:
    while len(pool.screens) < screens:
        pool.grow()

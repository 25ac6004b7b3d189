"""The stages behind visual pre-training: pointing and planning, taught together to a language model, resumable."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from action_space.errors import ModelError
from vlm.beside import load_beside
from vlm.checkpoint import load_checkpoint
from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL
from vlm.training.data.kinds.grounding import MISSING
from vlm.training.data.words import Words
from vlm.training.dense import COUNTED, FIRST_CHAR, FOLDED
from vlm.training.examples import (
    IMAGE_PAD,
    TOKENS,
    VISION_START,
    Example,
    acting_example,
    grounding_example,
    padded,
    planning_example,
)
from vlm.training.export import HEADS
from vlm.training.icons import BLOCKS, deepen
from vlm.training.multimodal import Trainer
from vlm.training.optim import MuonAdamW
from vlm.training.pool import WHOLE, Pool
from vlm.training.questions import instruction
from vlm.training.run import FULL, Amounts, Stage, placed
from vlm.training.tokenizer import token_id
from vlm.training.workers import rank, told_by_first

BUNDLED = Config(
    text=TextConfig(
        vocab_size=928,
        hidden_size=384,
        intermediate_size=768,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        # The published sections and theta turn too slowly along the width to tell columns apart; a small model has to.
        rope_theta=10_000.0,
        mrope_section=(1, 4, 27),
        max_position_embeddings=32768,
    ),
    vision=VisionConfig(
        depth=6,
        hidden_size=256,
        intermediate_size=768,
        num_heads=4,
        out_hidden_size=384,
        tokens_per_second=2,
        fullatt_block_indexes=(3,),
    ),
    image_token_id=IMAGE_PAD,
    video_token_id=token_id(TOKENS, "<|video_pad|>"),
    vision_start_token_id=VISION_START,
)
"""The shape of the bundled model, before blocks are put behind its tower that learn icons."""
Loss = Callable[[Sequence[Example]], tuple[Tensor, dict[str, float]]]
"""Of examples, and figures about it."""
PLACING, WHOLE_FROM = 0.07, 0.5
"""After so much of the training come points, and whole screens."""
WHOLE_OFTEN, WITH_BLANKS = 0.45, 0.3
"""How often a step's points are on whole screens then, and how often small ones keep all cells that show nothing. What
makes whole screens hard is the other names on them, and half of their cells are blank."""
PLANNING = 8.0
"""How much a plan weighs beside a point, whose gradients are ten times as large and hide it otherwise."""
TEXT = 50
"""About as many tokens around a picture."""
ALIKE = 0.85
"""How much of a letter's embedding is what the tower says of that letter; the rest tells cases and bytes apart."""


def start(seeing: nn.ModuleDict, screens: Path, *, seed: int, amounts: Amounts = FULL) -> Trainer:
    """A network around a pre-trained tower, which stays as it is but for the scale of its tokens.

    Visual tokens and embeddings are brought to one scale (root mean square 1), or the larger drown the others. A
    letter's embedding begins as what it adds to a visual token, so that letters read and letters written are alike.
    """
    torch.manual_seed(seed)
    model, counts = Qwen25VL(BUNDLED), seeing["counts"]
    model.visual.load_state_dict(seeing["tower"].state_dict())
    placed(model.visual).requires_grad_(False)
    pool = Pool(screens, model.visual, seed)
    fill(pool, amounts.pool)
    tokens = torch.cat([screen.tokens[screen.drawn] for screen in pool.screens]).float().cpu()
    factor, last = tokens.square().mean().rsqrt(), model.visual.merger.mlp[2]
    assert isinstance(last, nn.Linear) and isinstance(counts, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)
        found = tokens @ counts.weight.float().cpu().T + counts.bias.float().cpu()
        letters = torch.linalg.lstsq(found - found.mean(0), tokens - tokens.mean(0)).solution
        _spell(model.language_model.embed_tokens.weight, letters / letters.square().mean(1, keepdim=True).sqrt())
    trainer = placed(Trainer(model))
    told_by_first(trainer.parameters())
    return trainer


def _spell(embeddings: Tensor, letters: Tensor) -> None:
    """Make the embeddings of letters and digits, upper and lower, mostly those of `letters` `[36, width]`."""
    for number, letter in enumerate(FOLDED.tolist()):
        if number and letter < COUNTED:
            byte = number + FIRST_CHAR - 1
            embeddings[byte] = ALIKE * letters[letter] + (1 - ALIKE**2) ** 0.5 * embeddings[byte]


def resume(path: Path) -> Trainer:
    """What was taught, to be taught on: an exported checkpoint, or the `.pt` of a stage.

    Raises ModelError if it has another shape than the bundled model, or heads of another shape.
    """
    if path.suffix == ".pt":
        return _restored(path)
    model = load_checkpoint(path, dtype=torch.float32)
    depth = BUNDLED.vision.depth
    text = replace(BUNDLED.text, intermediate_size=model.config.text.intermediate_size)  # see `vlm.training.narrow`
    shapes = [(text, replace(BUNDLED.vision, depth=each)) for each in (depth, depth + BLOCKS)]
    if (model.config.text, model.config.vision) not in shapes:
        raise ModelError(f"{str(path)!r} has another shape than the bundled model: only that can be taught on")
    model.language_model.requires_grad_(True)
    model.lm_head.requires_grad_(True)
    trainer = placed(Trainer(model, probing=True))
    if (path / HEADS).is_file():
        lacks = "of the bundled model to be taught on"
        load_beside(trainer.heads, path / HEADS, lacks, "delete it, and the heads begin anew")
    told_by_first(trainer.parameters())  # heads may be new
    return trainer


def _restored(path: Path) -> Trainer:
    """What a stage saved, with the blocks that learn icons if there were any."""
    with _of_training(path):
        saved = torch.load(path, map_location="cpu", weights_only=True)["modules"]
        neurons = saved["trainer.model.language_model.layers.0.mlp.down_proj.weight"].shape[1]
        model = Qwen25VL(replace(BUNDLED, text=replace(BUNDLED.text, intermediate_size=neurons)))
        if f"trainer.model.visual.blocks.{BUNDLED.vision.depth}.norm1.weight" in saved:
            deepen(model)
        trainer = placed(Trainer(model))
        nn.ModuleDict({"trainer": trainer}).load_state_dict(saved)
    trainer.model.visual.requires_grad_(False)
    return trainer


@contextmanager
def _of_training(path: Path) -> Iterator[None]:
    """Raises ModelError in place of what comes of reading something else."""
    try:
        yield
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError) as error:
        text = " ".join(str(error).split())[:200]
        raise ModelError(f"{str(path)!r} holds nothing of the bundled model to be taught on: {text}") from error


def teach(
    trainer: Trainer,
    screens: Path,
    folder: Path,
    *,
    minutes: float,
    seed: int,
    amounts: Amounts = FULL,
    placing: float = PLACING,
) -> Trainer:
    """Pointing and planning: first where on the screen each visual token stands, then points on parts of screens, which
    grow until they are whole; plans all the time.

    placing: the share of the minutes for places alone.
    """
    torch.manual_seed(seed)
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=0.01, other_lr=1.5e-3)
    stage = Stage("teach", folder, minutes, nn.ModuleDict({"trainer": trainer}), optimizer, hold=0.3)
    if stage.done:
        return trainer
    pool = Pool(screens, trainer.model.visual, seed + stage.step + 7919 * rank())
    rng = pool.rng
    fill(pool, amounts.pool)
    words = Words(rng, held_out=False)
    for scale in stage.steps():
        if stage.step % amounts.every == 0:
            pool.grow()
        only_places = stage.share < placing
        cells = rng.uniform(150, 1400) if only_places else cells_at(rng, stage.share)
        examples = pointing(pool, cells, (2 if only_places else 1) * amounts.visual)
        figures = gradients(trainer.placing if only_places else trainer.grounding_loss, examples)
        plans = [planning_example(rng, words) for _ in range(amounts.plans)]
        figures |= gradients(trainer.planning_loss, plans, PLANNING)
        optimizer.step(scale)
        stage.collect(figures)
    return trainer


def cells_at(rng: random.Random, share: float) -> float:
    """How many cells a step's parts of screens have, when `share` of the training is over."""
    if share > WHOLE_FROM and rng.random() < WHOLE_OFTEN:
        return WHOLE
    # Small parts hold more questions: names are learned on them, and the larger ones only teach to look far.
    least, most = 40, 150 + 450 * min(1.0, share / WHOLE_FROM)
    return float(least * (most / least) ** rng.random())


def pointing(pool: Pool, cells: float, tokens: int, missing: float = 0.0) -> list[Example]:
    """Examples on parts of so many cells, `tokens` visual tokens in all or a little more. missing: how often what is
    asked for is not there."""
    examples: list[Example] = []
    blank = 1.0 if cells == WHOLE and pool.rng.random() < WITH_BLANKS else pool.rng.random() ** 3
    while tokens > 0:
        found = pool.missing(cells, blank) if pool.rng.random() < missing else None
        if found:
            region, other = found
            words = instruction(pool.rng, other.kind, other.name)
            examples.append(acting_example(region, words, MISSING))
        else:
            region = pool.region(cells, blank)
            examples.append(grounding_example(region, pool.rng))
        tokens -= len(region.tokens) + TEXT
    return examples


def gradients(
    loss_of: Loss,
    examples: Sequence[Example],
    weight: float = 1.0,
) -> dict[str, float]:
    """Gradients of the mean loss times `weight`; examples of like length go together: there is little padding."""
    total: dict[str, float] = {}
    for part in of_like_length(examples):
        share = len(part) / len(examples)
        loss, figures = loss_of(part)
        torch.autograd.backward(loss * (share * weight))
        total = {key: total.get(key, 0.0) + share * value for key, value in figures.items()}
    return total


def of_like_length(examples: Sequence[Example]) -> list[list[Example]]:
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


def fill(pool: Pool, screens: int) -> None:
    while len(pool.screens) < screens:
        pool.grow()

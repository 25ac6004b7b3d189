"""The whole recipe of the bundled model, in the order of the technical report: vision, language with it, what was
sampled, preferences, export."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from action_space.errors import ConfigError
from vlm.acting import Acting, load_acting
from vlm.backends.engine import Engine
from vlm.naming import Naming, load_naming
from vlm.training.acting import learn_acts
from vlm.training.answered import Questions
from vlm.training.data.render import Drawn, read_screens
from vlm.training.disk import write_whole, writing
from vlm.training.export import export
from vlm.training.filters.sieve import credible, sieve
from vlm.training.icons import deepen, learn_icons
from vlm.training.multimodal import Trainer
from vlm.training.naming import learn_names
from vlm.training.narrow import narrow
from vlm.training.prefer import prefer
from vlm.training.pretrain import pretrain
from vlm.training.quiz import Quiz, ask_plans, ask_points
from vlm.training.refine import MIXES, RATE, Mix, refine
from vlm.training.run import FULL, Amounts
from vlm.training.sampled import RESULTS, append_unit, read_sampled, read_units
from vlm.training.stages import BUNDLED, PLACING, resume, start, teach
from vlm.training.workers import run_workers

FILTERS, KEPT = "filters.json", "kept.json"


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long each stage trains."""

    vision: float
    teach: float
    icons: float = 0.0
    refine: float = 0.0
    prefer: float = 0.0
    naming: float = 0.0
    acting: float = 0.0


@dataclass(frozen=True, slots=True)
class Taught:
    """A network and its heads, and the small ones beside it, if there are any."""

    trainer: Trainer
    naming: Naming | None
    acting: Acting | None

    def export(self, folder: Path) -> None:
        """Raises ConfigError where it cannot be written."""
        export(self.trainer, folder, self.naming, self.acting)


def make(
    drawn: Drawn,
    out: Path,
    minutes: Minutes,
    *,
    seed: int,
    amounts: Amounts = FULL,
    workers: int = 1,
    begin: Path | None = None,
    export_to: Path | None = None,
    neurons: int | None = None,
) -> None:
    """Train every stage that is not done yet; checkpoints and logs (`*.log.jsonl`) go to `out`.

    workers: processes that train together, a thread each. begin: a checkpoint of the bundled model's shape that is
    taught on, in place of one made from nothing. neurons: of the decoder's layers, of which so many are exported.
    Raises ModelError for a checkpoint that is not.
    """
    arguments = drawn, out, minutes, seed, amounts, begin
    run_workers(workers, _train, *arguments)
    if export_to:
        taught = _train(*arguments)
        if neurons:
            taught = replace(taught, trainer=narrow(taught.trainer, drawn.screens, neurons, seed=seed))
        taught.export(export_to)


def _train(drawn: Drawn, out: Path, minutes: Minutes, seed: int, amounts: Amounts, begin: Path | None) -> Taught:
    """All stages in order; those that are done are only loaded."""
    if begin:
        trainer, placing = resume(begin), 0.0
    else:
        seeing = pretrain(
            BUNDLED.vision,
            drawn.screens,
            drawn.specimens,
            out,
            minutes=minutes.vision,
            seed=seed,
            amounts=amounts,
        )
        trainer, placing = start(seeing, drawn.screens, seed=seed + 1, amounts=amounts), PLACING
    _learn_icons(trainer, drawn, out, minutes, seed, amounts)
    teach(trainer, drawn.screens, out, minutes=minutes.teach, seed=seed + 1, amounts=amounts, placing=placing)
    naming = _learn_names(trainer, drawn, out, minutes, seed, amounts, None if minutes.icons else begin)
    return Taught(trainer, naming, _known_acting(begin))


def _learn_icons(trainer: Trainer, drawn: Drawn, out: Path, minutes: Minutes, seed: int, amounts: Amounts) -> None:
    if minutes.icons:
        if trainer.model.config.vision == BUNDLED.vision:
            deepen(trainer.model)
        learn_icons(
            trainer.model.visual, drawn.screens, drawn.icons, out, minutes=minutes.icons, seed=seed, amounts=amounts
        )


def _learn_names(
    trainer: Trainer, drawn: Drawn, out: Path, minutes: Minutes, seed: int, amounts: Amounts, before: Path | None
) -> Naming | None:
    """What tells names of places, or what was there before; that is None if the tower has learned since."""
    tower = trainer.model.visual
    known = load_naming(before, tower.config.out_hidden_size) if before and before.is_dir() else None
    if minutes.naming:
        return learn_names(tower, drawn, out, minutes=minutes.naming, seed=seed, amounts=amounts, before=known)
    return known


def _known_acting(begin: Path | None) -> Acting | None:
    return load_acting(begin) if begin and begin.is_dir() else None


@dataclass(frozen=True, slots=True)
class Further:
    """How to go on behind teaching: fine-tuning on sampled answers, then preferences.

    begin: a checkpoint of the bundled model's shape, or the `.pt` of a stage. sampled: folders of sampled answers, or
    sets of shards. drawn: for icons, and of the usual examples. out: for checkpoints, logs, and what the filters say.
    rate, mix: see `refine`. tower: whether it learns too while the answers are trained on.
    """

    begin: Path
    sampled: Sequence[Path]
    drawn: Drawn
    out: Path
    minutes: Minutes
    seed: int
    amounts: Amounts = FULL
    filters: bool = True
    rate: float = RATE
    mix: Mix = MIXES["acting"]
    tower: bool = False


def further(plan: Further, *, workers: int = 1, export_to: Path | None = None) -> None:
    """Filter, then train the stages that are not done yet. Raises ModelError for another shape, ConfigError."""
    minutes = plan.minutes
    if minutes.refine and next(read_screens(plan.drawn.screens), None) is None:
        raise ConfigError(f"{str(plan.drawn.screens)!r} holds no drawn screens, of which the usual examples are made")
    with writing(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
    if plan.filters and (minutes.refine or minutes.prefer) and not (plan.out / KEPT).is_file():
        _filter(plan)
    run_workers(workers, _train_further, plan)
    if export_to:
        _train_further(plan).export(export_to)


def _filter(plan: Further) -> None:
    """Once, for all workers and resumed pieces: the reasons in filters.json, what stays in kept.json."""
    trainer, sampled = resume(plan.begin), read_sampled(plan.sampled)
    questions = Questions(sampled, trainer.model.visual, random.Random(plan.seed))
    kept, report = sieve(sampled, credible(trainer, questions))
    write_whole(plan.out / FILTERS, json.dumps(report.to_json(), indent=1).encode() + b"\n")
    write_whole(plan.out / KEPT, json.dumps([one.record.id for one in kept.judged]).encode())


def _train_further(plan: Further) -> Taught:
    trainer, sampled = resume(plan.begin), read_sampled(plan.sampled)
    # What is looked at is learned first: the filters are the language model's, which has no part in it.
    acting = _known_acting(plan.begin)
    if plan.minutes.acting:
        acting = learn_acts(
            sampled, plan.out, minutes=plan.minutes.acting, seed=plan.seed, amounts=plan.amounts, before=acting
        )
    if plan.filters and (plan.out / KEPT).is_file():
        ids = set(json.loads((plan.out / KEPT).read_bytes()))
        sampled = replace(sampled, judged=tuple(one for one in sampled.judged if one.record.id in ids))
    _learn_icons(trainer, plan.drawn, plan.out, plan.minutes, plan.seed, plan.amounts)
    if plan.minutes.refine:
        refine(
            trainer,
            sampled,
            plan.drawn.screens,
            plan.out,
            minutes=plan.minutes.refine,
            seed=plan.seed,
            amounts=plan.amounts,
            rate=plan.rate,
            mix=plan.mix,
            tower=plan.tower,
        )
    if plan.minutes.prefer:
        prefer(trainer, sampled, plan.out, minutes=plan.minutes.prefer, seed=plan.seed)
    before = None if plan.minutes.icons or plan.tower else plan.begin
    naming = _learn_names(trainer, plan.drawn, plan.out, plan.minutes, plan.seed, plan.amounts, before)
    return Taught(trainer, naming, acting)


def quiz(checkpoint: Path, screens: Path, folder: Path, *, points: int, plans: int, attempts: int, seed: int) -> None:
    """Put generated questions to a checkpoint; what the truth says of its answers goes to `folder`."""
    engine = Engine(checkpoint)
    asked = Quiz(engine, engine.constrained, folder, seed, attempts)
    done = frozenset(unit.name for unit in read_units(folder)) if (folder / RESULTS).is_file() else frozenset()
    for asking in (ask_points(asked, screens, points, done), ask_plans(asked, plans, done)):
        for unit in asking:
            append_unit(folder, unit)

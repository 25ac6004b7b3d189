"""Recorded runs as questions with right answers: which steps of which runs can be asked again, and why not the rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from action_space.actions import Ask, Wait
from action_space.errors import ConfigError
from agent.trajectory import HEADER, STEPS, Step, Trajectory, read_trajectory
from evals.acts import acts_of
from evals.benchmarks.reading import Broken
from evals.protocols.values import Region
from evals.protocols.values import Step as Scored

BENCHMARK = "recording"
"""What rules call runs of ours."""


@dataclass(frozen=True, slots=True)
class Question:
    """A step that can be asked again. at: its place in `trajectory.steps`. scored: the same step for the rules."""

    at: int
    step: Step
    scored: Scored


@dataclass(frozen=True, slots=True)
class Recording:
    """A run and what can be asked of it, in order."""

    name: str
    trajectory: Trajectory
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Recordings:
    """left_out: why -> steps that hold no right answer. broken: runs and steps that cannot be read."""

    runs: tuple[Recording, ...]
    left_out: dict[str, int]
    broken: tuple[Broken, ...]

    @property
    def questions(self) -> list[Question]:
        return [question for run in self.runs for question in run.questions]


def read_recordings(
    paths: Sequence[Path], *, any_outcome: bool = False, limit: int | None = None, seed: int = 0
) -> Recordings:
    """The runs in these folders, which are runs or hold runs.

    Only what a successful run did counts as right, unless any_outcome. limit: only so many of the runs, drawn by seed.
    Raises ConfigError for a folder without a run, and if nothing at all can be asked.
    """
    left_out: Counter[str] = Counter()
    broken: list[Broken] = []
    read: list[tuple[str, Trajectory]] = []
    for folder in dict.fromkeys(folder for path in paths for folder in run_folders(path)):
        try:
            read.append((folder.as_posix(), read_trajectory(folder)))
        except ConfigError as error:
            broken.append(Broken(folder.as_posix(), str(error)))
    runs = []
    for name, trajectory in drawn(read, limit, seed):
        if trajectory.warning:
            broken.append(Broken(name, trajectory.warning))
        if trajectory.reason != "success" and not any_outcome:
            left_out[f"of a run that ended with {trajectory.reason}"] += len(trajectory.steps)
            continue
        runs.append(_recording(name, trajectory, left_out))
    found = Recordings(tuple(runs), dict(left_out), tuple(broken))
    if not found.questions:
        raise ConfigError(f"nothing can be asked again: {_why_nothing(found)}")
    return found


def drawn(runs: Sequence[tuple[str, Trajectory]], limit: int | None, seed: int) -> Sequence[tuple[str, Trajectory]]:
    """So many of the runs, in their order; the same seed draws the same."""
    if limit is None or limit >= len(runs):
        return runs
    return [runs[at] for at in sorted(Random(seed).sample(range(len(runs)), limit))]


def run_folders(path: Path) -> Iterator[Path]:
    """A run, or the runs in a folder at any depth, by name. Raises ConfigError if there is none."""
    if (path / HEADER).exists():
        yield path
        return
    inside = sorted(folder.parent for folder in path.rglob(HEADER))
    if not inside:
        raise ConfigError(f"{str(path)!r} is neither a run (it has no {HEADER}) nor a folder of runs")
    yield from inside


def _why_nothing(found: Recordings) -> str:
    reasons = [f"{count} steps {why}" for why, count in found.left_out.items()]
    reasons += [f"{each.where}: {each.why}" for each in found.broken[:1]]
    advice = "; --any-outcome takes runs that did not succeed" if any("ended" in why for why in found.left_out) else ""
    return ("; ".join(reasons) or "the runs have no steps") + advice


def _recording(name: str, trajectory: Trajectory, left_out: Counter[str]) -> Recording:
    asked = []
    for at, step in enumerate(trajectory.steps):
        if reason := _no_answer(step):
            left_out[reason] += 1
        else:
            asked.append((at, step))
    questions = tuple(Question(at, step, _scored(name, trajectory, step, len(asked))) for at, step in asked)
    return Recording(name, trajectory, questions)


def _no_answer(step: Step) -> str:
    """Why what was done at a step is no right answer, "" if it is one."""
    if step.action is None or step.error is not None:
        return "not carried out"
    if isinstance(step.action, Ask):
        return "questions to a person"
    if not step.shown:
        return "done without a look at the screen"
    if step.changed_nothing and not isinstance(step.action, Wait):
        return "changed nothing"
    return ""


def _scored(name: str, trajectory: Trajectory, step: Step, steps: int) -> Scored:
    acts = acts_of(step.action, tuple(Region(b.left, b.top, b.right - 1, b.bottom - 1) for b in step.targets))
    screen = step.frame.screen
    return Scored(
        id=f"{name}#{step.number}",
        acts=acts,
        size=(screen.width, screen.height),
        instruction=trajectory.header.task,
        image=str(trajectory.image_path(step.image)),
        episode=name,
        number=step.number,
        steps=steps,
        groups={"action": acts[0].kind, "device": trajectory.header.versions.env},
        row=f"{name}/{STEPS}:{step.number}",
    )

"""Playing episodes: the ordinary run on a page, and the page's word on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser
from pydantic import BaseModel, ConfigDict, Field

from action_space.errors import DeviceError, ModelError
from agent import session
from agent.halt import Halt
from agent.models import SpokenModel
from agent.trajectory import Step, Trajectory
from evals.journal import read_lines
from evals.online.miniwob.tasks import FIRST_EVALUATION_SEED, HELD_OUT, MAX_STEPS, SCALE, address_of
from evals.online.miniwob.world import Verdict, World

Episode = tuple[str, int]
"""A task and a seed."""

Player = Callable[[World], SpokenModel]
"""Gives the model that plays on a page. An oracle looks at the page behind the picture; other models do not."""


class Plan(BaseModel):
    """What is measured. Episode number i of a task has the seed `seed + i`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    tasks: tuple[str, ...]
    episodes: int = Field(default=1, ge=1)
    seed: int = Field(default=FIRST_EVALUATION_SEED, ge=0)
    scale: float = Field(default=SCALE, ge=1, le=4)
    max_steps: int = Field(default=MAX_STEPS, ge=1)

    def episodes_of_all(self) -> Iterator[Episode]:
        """Every task once before any of them comes again: a measurement that is cut short has seen them all."""
        for number in range(self.episodes):
            for task in self.tasks:
                yield task, self.seed + number


class Attempt(BaseModel):
    """One episode. solved: raw reward 1. error: why it could not be played, "" if it was; then nothing else counts.

    stopped: why the run ended. ended: whether the page had ended the episode by itself. run: the folder of its
    recording. pictures: whether its screenshots and report were kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    seed: int
    split: Literal["train", "heldout"]
    utterance: str = ""
    solved: bool = False
    reward: float = 0.0
    why: str = ""
    ended: bool = False
    stopped: str = ""
    steps: int = 0
    seconds: float = 0.0
    run: str = ""
    pictures: bool = True
    error: str = ""


def play(task: str, seed: int, player: Player, folder: Path, plan: Plan, browser: Browser | None = None) -> Attempt:
    """One episode, recorded in `folder`. Raises ModelError, ConfigError; a page that fails is in `error`."""
    known = Attempt(task=task, seed=seed, split=split_of(task))
    try:
        with World(task, seed, scale=plan.scale, browser=browser) as world:
            known = known.model_copy(update={"utterance": world.utterance})
            trajectory = play_on(world, player(world), folder, plan.max_steps, address_of(task, seed))
            return _judged(known, trajectory, world.verdict())
    except DeviceError as error:
        return known.model_copy(update={"error": str(error)})


def play_on(
    world: World, model: SpokenModel, folder: Path, max_steps: int = MAX_STEPS, address: str | None = None
) -> Trajectory:
    """The ordinary run, which ends with the page's episode at the latest. address: is recorded."""

    def watch(_: Step) -> None:
        verdict = world.verdict()
        if verdict.ended:
            raise Halt("success" if verdict.solved else "failure", f"the page ended with reward {verdict.reward:g}")

    return session.run(
        world.utterance,
        model=model,
        env=world,
        out=folder,
        watch=watch,
        url=address,
        max_steps=max_steps,
        max_seconds=None,
        confirm="none",  # the pages are toys: nothing is sold or deleted
    )


def _judged(known: Attempt, trajectory: Trajectory, verdict: Verdict) -> Attempt:
    cause = trajectory.outcome.text if trajectory.outcome else ""
    if trajectory.reason == "model":
        raise ModelError(cause)
    return known.model_copy(
        update={
            "solved": verdict.solved,
            "reward": verdict.reward,
            "why": verdict.reason,
            "ended": verdict.ended,
            "stopped": trajectory.reason,
            "steps": len(trajectory.steps),
            "seconds": round(trajectory.seconds, 3),
            "run": str(trajectory.folder),
            "error": cause if trajectory.reason == "device" else "",
        }
    )


def read_results(folder: Path) -> list[Attempt]:
    """The newest attempt at each episode, in the order of the plan's taking turns. Raises ConfigError."""
    found = {(attempt.task, attempt.seed): attempt for attempt in read_lines(folder, Attempt)}
    return [found[episode] for episode in sorted(found, key=lambda episode: (episode[1], episode[0]))]


def lost(episode: Episode, why: str) -> Attempt:
    """An episode that could not be played."""
    task, seed = episode
    return Attempt(task=task, seed=seed, split=split_of(task), error=why)


def split_of(task: str) -> Literal["train", "heldout"]:
    return "heldout" if task in HELD_OUT else "train"


def free(folder: Path) -> Path:
    """The folder, or with a number behind it when an earlier try left something there."""
    number, name = 1, folder.name
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{name}-{number}")
    return folder

"""The agent that BrowserGym and AgentLab studies make. Importing this needs BrowserGym.

from browsergym.experiments import EnvArgs, ExpArgs
from evals.online.gym.agent import ClickwrightArgs

ExpArgs(agent_args=ClickwrightArgs(), env_args=EnvArgs("miniwob.click-test", task_seed=1_000_000, max_steps=10))
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from browsergym.core.action.highlevel import HighLevelActionSet
from browsergym.experiments import AbstractAgentArgs, Agent

from action_space.errors import ConfigError
from agent.models import SpokenModel, forget, load_model
from agent.session import default_folder
from evals.online.gym.calls import SUBSETS
from evals.online.gym.turns import Turns

KEPT = ("screenshot", "goal", "goal_object", "last_action", "last_action_error", "elapsed_time")
"""Parts of an observation that are recorded by the study; nothing of the page's elements."""


class ClickwrightAgent(Agent):  # type: ignore[misc]  # BrowserGym has no types
    """By pixels only: of what BrowserGym observes, the goal in words, the screenshot, whether the last action failed.

    runs: the folder in which the episode is recorded, None for a new one in `runs`.
    """

    action_set = HighLevelActionSet(subsets=list(SUBSETS), multiaction=True, strict=False)

    def __init__(self, model: SpokenModel, *, max_steps: int, runs: Path | None) -> None:
        self._model, self._max_steps, self._runs = model, max_steps, runs
        self._turns: Turns | None = None

    def obs_preprocessor(self, obs: Mapping[str, Any]) -> dict[str, Any]:
        return {name: obs[name] for name in KEPT if name in obs}

    def get_action(self, obs: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """The next call; None when the agent has said its last word. Raises ConfigError, DeviceError, ModelError."""
        if self._turns is None:
            self._turns = self._begin(goal_of(obs))
        return self._turns.take(obs), {}  # an AgentInfo breaks BrowserGym's own summary of failed episodes

    def _begin(self, goal: str) -> Turns:
        folder = default_folder(goal)
        out = self._runs / folder.name if self._runs else folder
        forget(self._model)
        # Pages of studies are no shops of anybody's: there is nobody to ask, and nothing to protect.
        turns = Turns(goal, self._model, out, {"max_steps": self._max_steps, "confirm": "none", "max_seconds": None})
        weakref.finalize(self, turns.end)
        return turns


def goal_of(obs: Mapping[str, Any]) -> str:
    """The goal in words. Raises ConfigError for a goal with pictures, which our prompts have no place for."""
    parts = obs.get("goal_object") or ({"type": "text", "text": obs.get("goal", "")},)
    if any(part["type"] != "text" for part in parts):
        raise ConfigError("the goal of this task holds a picture: only goals in words can be worked on")
    return "\n".join(str(part["text"]) for part in parts).strip()


@lru_cache(maxsize=1)
def _loaded(spec: str) -> SpokenModel:
    return load_model(spec)


@dataclass
class ClickwrightArgs(AbstractAgentArgs):  # type: ignore[misc]
    """model: a SPEC, loaded once in a process. max_steps: of an episode, if the study has no smaller limit. runs: the
    folder for our own recordings."""

    agent_name: str = "clickwright"
    model: str = "bundled"
    max_steps: int = 100
    runs: str | None = None

    def prepare(self) -> None:
        _loaded(self.model)

    def make_agent(self) -> ClickwrightAgent:
        runs = Path(self.runs) if self.runs else None
        return ClickwrightAgent(_loaded(self.model), max_steps=self.max_steps, runs=runs)

    def set_benchmark(self, benchmark: object, demo_mode: bool) -> None:
        """AgentLab calls this; the agent is the same on every benchmark."""

    def set_reproducibility_mode(self) -> None:
        """AgentLab calls this; answers are greedy in any case."""

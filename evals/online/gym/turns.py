"""The ordinary run, with somebody else's loop around it.

BrowserGym owns the browser and asks for one action at a time; our loop owns the episode and asks for one observation at
a time. So the run goes on in a thread of its own, on an environment that hands over what it is given.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from action_space.actions import Action
from action_space.errors import DeviceError, ModelError, UnsupportedAction
from action_space.geometry import Frame, Size
from agent import session
from agent.halt import Halt
from agent.models import SpokenModel
from agent.trajectory import Trajectory
from environments.base import Observation
from evals.online.gym.calls import KINDS, call_of

Seen = Mapping[str, Any] | None
"""BrowserGym's observation; None when there will be no more."""

Said = str | Trajectory | BaseException
"""A call of BrowserGym's action set, or how the run ended."""


class GymEnvironment:
    """What BrowserGym shows and takes, as an `Environment`. Of an observation only the screenshot and whether the last
    action failed are looked at."""

    name = "browsergym"
    actions = KINDS

    def __init__(self) -> None:
        self.seen: SimpleQueue[Seen] = SimpleQueue()
        self.said: SimpleQueue[Said] = SimpleQueue()
        self._current: Observation | None = None

    def observe(self) -> Observation:
        """What BrowserGym showed after the last action; nothing new comes before the next.

        Raises Halt when BrowserGym has ended the episode, DeviceError for an observation without a picture.
        """
        if self._current is None:
            seen = self.seen.get()
            if seen is None:
                raise Halt("interrupted", "BrowserGym ended the episode")
            self._current = _observation(seen)
        return self._current

    def execute(self, action: Action) -> None:
        """Raises UnsupportedAction, InvalidAction."""
        if action.kind not in self.actions:
            raise UnsupportedAction(f"{action.kind!r} is not possible here: use one of {', '.join(sorted(KINDS))}")
        call = call_of(action)
        self._current = None
        self.said.put(call)

    def release(self) -> None:
        """Every action releases what it pressed."""

    def close(self) -> None:
        """BrowserGym owns the browser."""


def _observation(seen: Mapping[str, Any]) -> Observation:
    """Raises DeviceError."""
    picture = np.asarray(seen["screenshot"])
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or not picture.size:
        raise DeviceError(f"BrowserGym's screenshot has the shape {picture.shape}, not height, width, 3")
    image = Image.fromarray(picture.astype(np.uint8)).convert("RGB")
    size = Size(*image.size)
    failed = " ".join(str(seen.get("last_action_error") or "").split())
    return Observation(image, Frame(size, size), (f"The last action failed: {failed[:300]}",) if failed else ())


class Turns:
    """One episode: an observation in, a call out."""

    def __init__(self, task: str, model: SpokenModel, out: Path | None, options: session.Options) -> None:
        self._env = GymEnvironment()
        self._outcome: Said | None = None
        # A daemon: BrowserGym drops its agents without a word, and a waiting run must not keep the process alive.
        threading.Thread(target=_play, args=(self._env, task, model, out, options), daemon=True).start()

    def take(self, seen: Mapping[str, Any]) -> str | None:
        """The next call; when the run has ended, once how it did, and then None. Raises what ended it otherwise."""
        if self._outcome is not None:
            return None
        self._env.seen.put(seen)
        said = self._env.said.get()
        if isinstance(said, str):
            return said
        self._outcome = said
        if isinstance(said, BaseException):
            raise said
        return _last_word(said)

    def end(self) -> None:
        """There are no more observations; the run writes down that it was ended. Safe to call twice."""
        self._env.seen.put(None)


def _last_word(run: Trajectory) -> str | None:
    """What the model claimed in the end, None if it claimed nothing. Raises DeviceError, ModelError."""
    text = run.outcome.text if run.outcome else ""
    match run.reason:
        case "success":
            return f"send_msg_to_user({(text or 'done')!r})"
        case "failure":
            return f"report_infeasible({(text or 'it cannot be done')!r})"
        case "device":
            raise DeviceError(text)
        case "model":
            raise ModelError(text)
        case _:
            return (
                None  # a limit is no claim, and some benchmarks reward it when it is claimed that nothing can be done
            )


def _play(env: GymEnvironment, task: str, model: SpokenModel, out: Path | None, options: session.Options) -> None:
    try:
        env.said.put(session.run(task, model=model, env=env, out=out, **options))
    except BaseException as error:  # noqa: BLE001 (it is raised where the caller waits, who must not wait for ever)
        env.said.put(error)

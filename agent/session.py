"""A whole run for callers: settings in, trajectory out. What the command line and `from agent import run` use."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

from pydantic import ValidationError

from action_space.dialects import load_dialect
from action_space.dialects.base import Dialect
from action_space.errors import ConfigError
from action_space.geometry import Size
from agent.devices import check_environment, check_options, open_environment
from agent.interrupt import StopRequest
from agent.loop import Episode
from agent.loop import run as run_episode
from agent.models import SpokenModel, load_model
from agent.planner import Planner
from agent.policy import Person, Policy
from agent.recorder import Recorder, claimed
from agent.report import write_report
from agent.trajectory import Confirm, Header, Settings, Step, Trajectory, Versions, first_problem
from environments.base import Environment

RESUMED = "The run was interrupted and goes on here: the screen may not show what earlier steps left."


class Options(TypedDict, total=False):
    """The settings of a run that can be given by keyword; see `Settings` for their defaults."""

    url: str | None
    app: str | None
    device: str | None
    dialect: str | None
    max_steps: int
    max_seconds: float | None
    max_tokens: int | None
    max_mistakes: int
    screenshots: int
    constrained: bool | None
    looks: int | None
    confirm: Confirm
    allow_hosts: tuple[str, ...]
    headed: bool
    viewport: Size
    device_scale: float
    display: str
    monitor: str
    live: bool


Watch = Callable[[Step], None]


def run(
    task: str,
    *,
    model: str | SpokenModel = "bundled",
    env: str | Environment = "browser",
    out: Path | str | None = None,
    person: Person | None = None,
    watch: Watch | None = None,
    stop: StopRequest | None = None,
    **options: Unpack[Options],
) -> Trajectory:
    """Carry out a task and give back what was recorded; look at `.outcome`.

    model: a SPEC, or a model that is loaded already. env: a name, or a device that is open already and stays open.
    out: the folder of the run, by default a new one under `runs`. person: answers questions and confirms risky actions.
    watch: is given every step once it is on disk; a `Halt` that it raises ends the run. stop: its `request` ends the
    run from another thread; Ctrl-C always does.
    Raises ConfigError, DeviceError, ModelError.
    """
    if not task.strip():
        raise ConfigError(f"the task is empty ({task!r}): say in words what shall be done")
    check_options(_name_of(env), options)
    settings = _settings(Settings(), model, env, options)
    with (
        stop or StopRequest() as stop,
        claimed(Path(out) if out else default_folder(task)) as folder,
        _open(settings, model, env, stop) as parts,
    ):
        header = Header(task=task, created=datetime.now(UTC), versions=parts.versions, settings=settings)
        with closing(Recorder.start(folder, header)) as recorder:
            return _play(recorder, parts, stop, person, watch)


def resume(
    folder: Path | str,
    *,
    model: str | SpokenModel | None = None,
    env: str | Environment | None = None,
    person: Person | None = None,
    watch: Watch | None = None,
    stop: StopRequest | None = None,
    **options: Unpack[Options],
) -> Trajectory:
    """Go on with a run that did not finish; what is given replaces what it was started with. Raises as `run` does."""
    with closing(Recorder.resume(Path(folder))) as recorder, stop or StopRequest() as stop:
        before = recorder.trajectory
        model, env = model or before.header.settings.model, env or before.header.settings.env
        check_options(_name_of(env), options)
        settings = _settings(before.header.settings, model, env, options)
        with _open(_where_it_was(settings, before, options), model, env, stop) as parts:
            recorder.change_header(
                before.header.model_copy(update={"settings": settings, "versions": parts.versions, "outcome": None})
            )
            return _play(recorder, parts, stop, person, watch, news=(RESUMED,))


def settings_of(env: str, options: Options) -> Settings:
    """The settings of a run on this kind of device. Raises ConfigError."""
    check_environment(env)
    check_options(env, options)
    return _settings(Settings(), Settings().model, env, options)


def _name_of(env: str | Environment) -> str | None:
    """Of an environment that is still to be opened. Raises ConfigError if there is none of this name."""
    if isinstance(env, str):
        check_environment(env)
        return env
    return None


def default_folder(task: str) -> Path:
    """`runs/DATE-TIME-WORDS`, not used yet."""
    words = "-".join(re.findall(r"[a-z0-9]+", task.lower())[:5])[:40] or "task"
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{words}"
    folder = Path("runs") / name
    number = 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


@dataclass(frozen=True, slots=True)
class _Parts:
    model: SpokenModel
    dialect: Dialect
    env: Environment

    @property
    def versions(self) -> Versions:
        return Versions(clickwright=own_version(), model=self.model.name, dialect=self.dialect.name, env=self.env.name)


@contextmanager
def _open(settings: Settings, model: str | SpokenModel, env: str | Environment, stop: StopRequest) -> Iterator[_Parts]:
    """Load the model and start the device, unless they were given; a device that was started is closed again."""
    # What the operator got wrong is said before the model is loaded, which may take minutes.
    if settings.dialect is not None:
        load_dialect(settings.dialect)
    Policy(settings.confirm, settings.allow_hosts)
    with stop.breakable():
        loaded = load_model(model) if isinstance(model, str) else model
        dialect = load_dialect(settings.dialect or loaded.dialect)
        device = open_environment(settings) if isinstance(env, str) else env
    stop.let_go = device.release
    try:
        yield _Parts(loaded, dialect, device)
    finally:
        if isinstance(env, str):
            device.close()


def _play(
    recorder: Recorder,
    parts: _Parts,
    stop: StopRequest,
    person: Person | None,
    watch: Watch | None,
    news: tuple[str, ...] = (),
) -> Trajectory:
    settings = recorder.trajectory.header.settings
    episode = Episode(
        env=parts.env,
        planner=Planner(
            parts.model,
            parts.dialect,
            settings.screenshots,
            constrained=_constrained(settings, parts.model),
            looks=parts.model.looks if settings.looks is None else settings.looks,
        ),
        policy=Policy(settings.confirm, _allowed_hosts(settings), person),
        recorder=recorder,
        stop=stop,
        person=person,
        watch=watch or (lambda _step: None),
        news=news,
    )
    trajectory = run_episode(episode)
    write_report(trajectory)
    return trajectory


def _settings(base: Settings, model: str | SpokenModel, env: str | Environment, options: Options) -> Settings:
    names = {
        "model": model if isinstance(model, str) else model.name,
        "env": env if isinstance(env, str) else env.name,
    }
    try:
        return Settings.model_validate({**dict(base), **options, **names})
    except ValidationError as error:
        raise ConfigError(first_problem(error)) from error


def _constrained(settings: Settings, model: SpokenModel) -> bool:
    return model.constrained if settings.constrained is None else settings.constrained


def _allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """The start page is allowed when it was named by the same person who named the hosts."""
    if not settings.allow_hosts or settings.url is None:
        return settings.allow_hosts
    start = urlsplit(settings.url).hostname
    return (*settings.allow_hosts, start) if start else settings.allow_hosts


def _where_it_was(settings: Settings, before: Trajectory, options: Options) -> Settings:
    """Start on the page that was seen last, unless another was asked for."""
    url = before.steps[-1].details.get("url") if before.steps else None
    return settings if "url" in options or not url else settings.model_copy(update={"url": url})


def own_version() -> str:
    """Of this program, as runs record it."""
    try:
        return metadata.version("clickwright")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "source"

"""What a run leaves on disk, and how it is read back.

RUN/run.json             the header: task, versions, settings and, at the end, the outcome
RUN/steps.jsonl          one step per line
RUN/images/<sha256>.png  the screenshots, each named by the hash of its file
RUN/report.html          made from the above by `agent show`
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from action_space.actions import Action, Effect
from action_space.errors import ConfigError
from action_space.geometry import Box, Frame, Size

HEADER = "run.json"
STEPS = "steps.jsonl"
IMAGES = "images"
REPORT = "report.html"

Confirm = Literal["none", "risky", "all"]
StopReason = Literal[
    "success", "failure", "steps", "seconds", "tokens", "loop", "mistakes", "refused", "interrupted", "device", "model"
]
ErrorKind = Literal["InvalidAction", "UnsupportedAction", "PolicyRefusal", "DeviceError"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Record):
    """Everything that shapes a run and can be chosen by the operator. None as a limit: no limit."""

    env: str = "browser"
    url: str | None = None
    app: str | None = None
    device: str | None = None
    model: str = "bundled"
    dialect: str | None = None
    max_steps: int = Field(default=30, ge=1)
    max_seconds: float | None = Field(default=3600.0, gt=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_mistakes: int = Field(default=5, ge=1, description="replies in a row that cannot be carried out")
    screenshots: int = Field(default=1, ge=1, description="how many of the newest screenshots a prompt holds")
    constrained: bool | None = Field(
        default=None,
        description="whether replies follow the dialect's grammar, where it has one; None: as the model likes",
    )
    looks: int | None = Field(
        default=None,
        ge=0,
        le=4,
        description="how often a screen is looked at for one place, moved a little or from closer, until the model is "
        "sure; None: as the model likes",
    )
    confirm: Confirm = "risky"
    allow_hosts: tuple[str, ...] = ()
    headed: bool = False
    viewport: Size = Size(1280, 720)
    device_scale: float = Field(default=1.0, gt=0, le=4)
    display: str = Field(default="", description="of a desktop: virtual, virtual:WxH, :N, or the person's own screen")
    monitor: str = Field(default="", description="of a desktop: a number from 1, or all")
    live: bool = Field(default=False, description="whether the person's own mouse and keyboard may be used")


class Versions(_Record):
    """What took part in a run."""

    clickwright: str
    model: str
    dialect: str
    env: str


class Outcome(_Record):
    """How a run ended. `text` is the model's answer or the cause, in one line."""

    reason: StopReason
    text: str = ""
    ended: AwareDatetime


class Header(_Record):
    """The first thing a run writes; the outcome is added when it ends."""

    format: Literal[1] = 1
    task: str
    created: AwareDatetime
    versions: Versions
    settings: Settings
    outcome: Outcome | None = None


class Timings(_Record):
    """Seconds: until the picture was quiet, until the first token, until the last one, in the device."""

    settle_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    act_s: float = 0.0


class StepError(_Record):
    """Why a step was not carried out."""

    kind: ErrorKind
    text: str


class Step(_Record):
    """One look, one reply, one action.

    image: sha256 of the screenshot before the action. frame: its geometry, with the size the model saw.
    reply: verbatim, its coordinates those of the picture that the model saw, which `agent.looks` may have moved or
    shrunk, or cut from it and enlarged. action: in screenshot pixels, None if the reply held none. effect: where the
    next picture differs, or that it does not (`environments.effect`), None if nothing was done.
    note: what the model is told about this step afterwards.
    cached_tokens: how many of those that went in were known already; forced_tokens: how many of those that came out a
    grammar left no choice about.
    seconds: of the whole step.
    targets: where on the screenshot the action's point may lie to be right, where somebody knows it (imported runs).
    shown: False if the action followed another one on the same look, so that nobody saw the screen it was done on.
    """

    number: int = Field(ge=1)
    started: AwareDatetime
    image: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    frame: Frame
    context: tuple[str, ...] = ()
    details: dict[str, str] = Field(default_factory=dict)
    settled: bool = True
    plan: str = ""
    reply: str = ""
    action: Action | None = None
    effect: Effect | None = None
    note: str = ""
    error: StepError | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    timings: Timings = Timings()
    seconds: float = 0.0
    targets: tuple[Box, ...] = ()
    shown: bool = True

    @property
    def changed_nothing(self) -> bool:
        """Whether the screen looked as before, which also a click on what was so already leaves it."""
        return self.effect in {"none", "reached"}


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A run as it lies in `folder`. warning: what was ignored while reading, "" if nothing."""

    folder: Path
    header: Header
    steps: tuple[Step, ...] = ()
    warning: str = ""

    @property
    def outcome(self) -> Outcome | None:
        return self.header.outcome

    @property
    def reason(self) -> StopReason:
        """Why it ended; a run that was killed before it could say counts as interrupted."""
        return self.header.outcome.reason if self.header.outcome else "interrupted"

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    @property
    def tokens(self) -> int:
        return sum(step.tokens_in + step.tokens_out for step in self.steps)

    @property
    def tokens_out(self) -> int:
        return sum(step.tokens_out for step in self.steps)

    @property
    def forced_tokens(self) -> int:
        return sum(step.forced_tokens for step in self.steps)

    def image_path(self, digest: str) -> Path:
        return image_path(self.folder, digest)


def image_path(folder: Path, digest: str) -> Path:
    """Where the screenshot with this hash lies."""
    return folder / IMAGES / f"{digest}.png"


def read_trajectory(folder: Path | str) -> Trajectory:
    """Read a run. A last line that a crash cut short is ignored and named in `warning`.

    Raises ConfigError naming the file and line of anything else that is malformed.
    """
    folder = Path(folder)
    header = _read_header(folder)
    steps, whole_bytes, total_bytes = read_steps(folder)
    cut = total_bytes - whole_bytes
    warning = (
        f"{folder / STEPS}:{len(steps) + 1}: the last line is cut short and was ignored ({cut} bytes)" if cut else ""
    )
    return Trajectory(folder, header, steps, warning)


def _read_header(folder: Path) -> Header:
    path = folder / HEADER
    try:
        return Header.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{str(folder)!r} is not a run: it has no {HEADER}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from error


def read_steps(folder: Path) -> tuple[tuple[Step, ...], int, int]:
    """The steps of a run, the number of bytes that hold them, and the size of the file. Raises ConfigError."""
    path = folder / STEPS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return (), 0, 0  # killed between the header and the first step
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    # Only a newline makes a line complete: what stands after the last one was being written when the run was killed.
    whole, _, _ = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    steps = tuple(_parse_step(path, number, line) for number, line in enumerate(lines, start=1))
    return steps, len(whole) + 1 if lines else 0, len(data)


def _parse_step(path: Path, number: int, line: bytes) -> Step:
    try:
        step = Step.model_validate_json(line)
    except ValidationError as error:
        raise ConfigError(f"{path}:{number}: {first_problem(error)}") from error
    if step.number != number:
        raise ConfigError(
            f"{path}:{number}: the step is numbered {step.number}, not {number}: a line is missing or doubled"
        )
    return step


def first_problem(error: ValidationError) -> str:
    """The first complaint of a validation in one line: where, what is wrong, and the value."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    value = "" if problem["type"] in {"missing", "json_invalid"} else f", not {problem['input']!r:.60}"
    return f"{where}: {problem['msg']}{value}" if where else f"{problem['msg']}{value}"

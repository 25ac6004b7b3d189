"""From a trajectory to one HTML file: every picture embedded once, every text escaped."""

import base64
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from action_space.dialects.compact import LOOK
from action_space.errors import RecordingError
from agent.describe import describe
from agent.report.marks import marks
from agent.trajectory import REPORT, Step, StopReason, Timings, Trajectory

LOSSLESS_BYTES = 24_000_000
"""Above this much of PNG the pictures are embedded as WebP, so that a long run still opens quickly."""

_TONES: dict[StopReason, str] = {"success": "good", "failure": "bad", "device": "bad", "model": "bad"}
_EFFECTS = {
    "near": ("good", "changed at the target"),
    "elsewhere": ("calm", "changed elsewhere"),
    "reached": ("calm", "was so already"),
    "none": ("warn", "nothing changed"),
}
_PHASES = {"settle_s": "settle", "prefill_s": "prefill", "decode_s": "decode", "act_s": "act"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot as it is embedded. uri: "" when its file cannot be read."""

    key: str
    uri: str


@dataclass(frozen=True, slots=True)
class Span:
    """One part of a timings bar. share: per mille of the whole."""

    name: str
    seconds: float
    start: int
    share: int


def write_report(trajectory: Trajectory, path: Path | None = None) -> Path:
    """Write the report into the run, or to `path`, and give back where it is. Raises RecordingError."""
    path = path or trajectory.folder / REPORT
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(render(trajectory), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RecordingError(f"cannot write the report {str(path)!r}: {error.strerror or error}") from error
    return path


def render(trajectory: Trajectory) -> str:
    """The whole HTML document."""
    style, script = _own_file("style.css"), _own_file("script.js")
    # All texts go through autoescape; only our own style, script and numbers do not.
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"seconds": _seconds, "describe": describe}
    return page.from_string(_own_file("page.html.jinja")).render(
        trajectory=trajectory,
        header=trajectory.header,
        reason=trajectory.reason,
        tone=_TONES.get(trajectory.reason, "warn"),
        steps=[_view(step) for step in trajectory.steps],
        pictures=embedded(trajectory),
        total=_spans(_sum(step.timings for step in trajectory.steps), trajectory.seconds),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def embedded(trajectory: Trajectory, lossless_bytes: int = LOSSLESS_BYTES) -> list[Picture]:
    """Every screenshot once, as a data URI."""
    digests = dict.fromkeys(step.image for step in trajectory.steps)
    files = {digest: _read(trajectory.image_path(digest)) for digest in digests}
    lossless = sum(len(data) for data in files.values()) <= lossless_bytes
    return [Picture(digest[:16], _data_uri(data, lossless)) for digest, data in files.items()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the report says so in the picture's place


def _data_uri(png: bytes, lossless: bool) -> str:
    if not png:
        return ""
    if lossless:
        return "data:image/png;base64," + base64.b64encode(png).decode()
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.save(buffer, format="WEBP", quality=82, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _view(step: Step) -> dict[str, object]:
    tone, effect = _EFFECTS[step.effect] if step.effect else ("", "")
    if step.error is not None:
        tone, effect = "bad", _in_words(step.error.kind)
    elif step.action is not None and step.action.kind == "finish":
        tone, effect = ("good" if step.action.status == "success" else "bad"), "claimed by the model"
    carried_out = step.error is None or step.error.kind == "DeviceError"
    title = describe(step.action) if step.action is not None else "no action"
    return {
        "step": step,
        "title": title,
        # To look is no more than that; what came of it tells the steps of a list apart.
        "what": f"{LOOK}: {title}" if step.plan == LOOK else step.plan or title,
        "key": step.image[:16],
        "marks": marks(step.action, step.frame.screen, carried_out=carried_out),
        "tone": tone,
        "effect": effect,
        "spans": _spans(step.timings, step.seconds),
    }


def _in_words(kind: str) -> str:
    return {
        "InvalidAction": "not an action",
        "UnsupportedAction": "cannot be done here",
        "PolicyRefusal": "refused",
        "DeviceError": "the device failed",
    }[kind]


def _sum(timings: Iterable[Timings]) -> Timings:
    rows = list(timings)
    return Timings(**{name: sum(row.model_dump()[name] for row in rows) for name in _PHASES})


def _spans(timings: Timings, seconds: float) -> list[Span]:
    """The phases in order and what is left of the whole; their shares sum to at most 1000."""
    parts = {name: timings.model_dump()[field] for field, name in _PHASES.items()}
    parts["other"] = max(0.0, seconds - sum(parts.values()))
    whole = sum(parts.values()) or 1.0
    spans, start = [], 0
    for name, value in parts.items():
        share = int(1000 * value / whole)
        spans.append(Span(name, value, start, share))
        start += share
    return spans


def _seconds(value: float) -> str:
    """12 ms, 3.4 s, 2 min 05 s."""
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60):02d} s"


def _own_file(name: str) -> str:
    return (resources.files("agent.report") / name).read_text(encoding="utf-8")

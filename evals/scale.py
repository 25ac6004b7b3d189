"""`agent bench scoring`: what scoring a benchmark as large as AndroidControl costs, on a made-up one of its format."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from action_space.errors import ConfigError
from evals.outcome import score_predictions

STEPS = 8_444
"""Of AndroidControl's evaluation file."""
MOST_S, MOST_MB = 5.0, 500
"""What it may take, on one core."""
MISSED = 1
"""Exit status if it takes more."""

SCREEN = (1080, 2400)
KINDS = {"click": 65, "swipe": 14, "type": 12, "wait": 9}
"""Kind -> how often, in a hundred."""


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu_s: of all threads. peak_mb: of memory that was in use at most, Python itself included."""

    steps: int
    rules: int
    seconds: float
    cpu_s: float
    peak_mb: float


def draw_android_control(folder: Path, steps: int) -> Path:
    """An evaluation file of so many steps, and predictions for all of them, whose file is given. Always the same."""
    rng = Random(0)
    lines, predicted, left = list[str](), list[str](), steps
    while left:
        count = min(rng.randint(3, 8), left)
        actions = [_action(rng) for _ in range(count)]
        name = len(lines)
        rows = [
            {"action_content": each, "screenshot": f"{name}_{at}.png", "check_options": each}
            for at, each in enumerate(actions)
        ]
        lines.append(json.dumps({"goal": "g", "steps": rows}))
        predicted += [_predicted(f"{name}_{at}", rng) for at in range(count)]
        left -= count
    (folder / "std.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "predictions.txt").write_text("\n".join(predicted) + "\n", encoding="utf-8")
    return folder / "predictions.txt"


def _action(rng: Random) -> dict[str, object]:
    x, y = rng.random() * SCREEN[0], rng.random() * SCREEN[1]
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    boxes = [[x - side, y - side, x + side, y + side] for side in rng.choices(range(10, 600), k=rng.randint(0, 12))]
    words = {"text": "hello world", "direction": rng.choice(("up", "down"))}
    return {"action": kind, "coordinate": [x, y], "candidate_bbox": boxes, **words}


def _predicted(name: str, rng: Random) -> str:
    """A click somewhere, whatever was asked for."""
    point = [rng.random() * SCREEN[0], rng.random() * SCREEN[1]]
    return json.dumps({"id": name, "action": {"kind": "click", "point": point}})


def scored(folder: Path, predictions: Path) -> Cost:
    """Score in this process, under all rules with all baselines."""
    started, worked = time.perf_counter(), time.process_time()
    outcome = score_predictions("androidcontrol", folder, predictions)
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    return Cost(outcome.steps, len(outcome.comparisons), round(took, 3), round(cpu, 3), round(_peak_mb(), 1))


def _peak_mb() -> float:
    """Not by getrusage where that can be avoided: what it says begins with the parent's memory."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def measure(steps: int) -> Cost:
    """Score in a process of its own, so that nothing that is loaded here counts."""
    with tempfile.TemporaryDirectory(prefix="clickwright-scoring-") as name:
        predictions = draw_android_control(Path(name), steps)
        command = [sys.executable, "-m", "evals.scale", name, str(predictions)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Cost(**json.loads(said))


def scoring(
    steps: Annotated[
        int, typer.Option(min=1, help="Of the made-up benchmark; default as many as AndroidControl's.")
    ] = STEPS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file.")] = None,
) -> None:
    """Measure what scoring costs, without pictures or a model; ends with 1 above 5 s of one core or 500 MB."""
    cost = measure(steps)
    Console(highlight=False, soft_wrap=True).print(
        f"{cost.steps:,} steps under {cost.rules} rules with 4 baselines: {cost.seconds:.2f} s, "
        f"{cost.cpu_s:.2f} s of one core (at most {MOST_S:g}), {cost.peak_mb:.0f} MB (at most {MOST_MB})"
    )
    if json_file:
        try:
            json_file.write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write --json {str(json_file)!r}: {error.strerror}") from error
    if cost.cpu_s > MOST_S or cost.peak_mb > MOST_MB:
        raise typer.Exit(MISSED)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(scored(Path(sys.argv[1]), Path(sys.argv[2])))))

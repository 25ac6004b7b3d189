"""`agent doctor`: what works on this machine. A check is a function and a line in CHECKS."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from action_space.errors import ClickwrightError, ConfigError
from agent.cli import Json, read_viewport
from agent.results import results_only
from agent.session import Options, settings_of

app = typer.Typer(name="doctor", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says. ok: None for what is only told."""

    what: str
    ok: bool | None
    text: str


@app.command()
def doctor(
    coords: Annotated[
        bool, typer.Option("--coords", help="Draw targets, click them, print the error in pixels.")
    ] = False,
    env: Annotated[str, typer.Option(help="With --coords: browser (default), desktop or android.")] = "",
    device: Annotated[str, typer.Option(metavar="SERIAL", help="Which Android device.")] = "",
    viewport: Annotated[str, typer.Option(metavar="WxH", help="Size of the browser's page, default 1280x720.")] = "",
    device_scale: Annotated[float | None, typer.Option(help="Screenshot pixels per CSS pixel, default 1.")] = None,
    display: Annotated[str, typer.Option(metavar="virtual[:WxH]|:N", help="Which desktop; else your screen.")] = "",
    monitor: Annotated[str, typer.Option(metavar="N|all", help="Which monitor of a desktop.")] = "",
    live: Annotated[bool, typer.Option("--live", help="Allow the use of your own mouse.")] = False,
    as_json: Json = False,
) -> None:
    """Say what works on this machine, and with --coords whether clicks land where they should."""
    options: Options = {"device": device, "display": display, "monitor": monitor, "live": live}
    if viewport:
        options["viewport"] = read_viewport(viewport)
    if device_scale is not None:
        options["device_scale"] = device_scale
    if not coords and (env or any(options.values())):
        raise ConfigError("which device it is only matters for clicks: add --coords")
    with results_only(as_json) as give:
        findings = list(_coordinates(env or "browser", options) if coords else _examine())
        code = 1 if any(finding.ok is False for finding in findings) else 0
        if as_json:
            give({"findings": [asdict(finding) for finding in findings], "exit_code": code})
        else:
            _print(findings)
    raise typer.Exit(code)


def _examine() -> Iterable[Finding]:
    for check in CHECKS:
        yield from check()


def _coordinates(env: str, options: Options) -> Iterable[Finding]:
    from agent.doctor_coords import measure_clicks

    landings = measure_clicks(settings_of(env, options))
    for landing in landings:
        yield Finding(landing.name, landing.error_px == 0, str(landing))
    largest = max(landing.error_px for landing in landings)
    yield Finding("largest error", largest == 0, f"{largest:g} px")


def _python() -> Iterable[Finding]:
    yield Finding("python", None, f"{sys.version.split()[0]} on {sys.platform}")


def _bundled_model() -> Iterable[Finding]:
    from vlm import BUNDLED

    weights = BUNDLED / "model.safetensors"
    there = weights.is_file()
    yield Finding("bundled model", there, str(weights) if there else f"{weights} is missing: install clickwright again")


def _processor() -> Iterable[Finding]:
    from vlm.backends.settings import what_runs_models

    yield Finding("models run on", None, what_runs_models())


def _browser() -> Iterable[Finding]:
    from environments.chromium import own_browser

    try:
        with own_browser() as browser:
            yield Finding("browser", True, f"Chromium {browser.version}")
    except ClickwrightError as error:
        yield Finding("browser", False, str(error))


def _desktop() -> Iterable[Finding]:
    missing = [name for name in ("mss", "pyautogui") if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("desktop", None, f"lacks {', '.join(missing)}: pip install 'clickwright[desktop]'")
        return
    if sys.platform in ("win32", "darwin"):
        yield Finding("desktop", True, "your own screen, with --live")
        return
    shown = os.environ.get("DISPLAY")
    yield Finding(
        "desktop", None, f"your own screen is {shown}, with --live" if shown else "no screen of your own here"
    )
    lacking = [name for name in ("Xvfb", "openbox") if shutil.which(name) is None]
    hint = f"lacks {', '.join(lacking)}: apt-get install xvfb openbox"
    yield Finding("virtual display", None if lacking else True, hint if lacking else "works: --display virtual")


def _android() -> Iterable[Finding]:
    from agent.doctor_android import android_findings

    yield from (Finding(*found) for found in android_findings())


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    _python,
    _bundled_model,
    _processor,
    _browser,
    _desktop,
    _android,
)
"""In the order in which they are told."""


def _print(findings: Iterable[Finding]) -> None:
    marks = {True: "ok", False: "BAD", None: "--"}
    for finding in findings:
        typer.echo(f"{marks[finding.ok]:4}{finding.what:18}{finding.text}")

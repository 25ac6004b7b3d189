"""The command line: `agent run`, `agent ground`, `agent show`. Nothing heavy is imported before a command needs it."""

import os
import re
import sys
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, NoReturn

import typer

from action_space.errors import ClickwrightError, ConfigError, DeviceError, ModelError
from action_space.geometry import Size
from agent.interrupt import INTERRUPTED_EXIT, StopRequest
from agent.results import give_result, results_only, summary

LATER: dict[str, tuple[str, str]] = {
    "ask": ("agent.ask:app", "Ask about a picture, a video or a run: text, points, boxes, documents, times."),
    "model": ("agent.model:app", "List, inspect, convert and quantize models."),
    "train": ("agent.train:app", "Make the bundled model: draw screens, train, export."),
    "eval": ("evals.cli:app", "Measure a model on a benchmark."),
    "device": ("agent.device:app", "List Android devices, or start a simulated one."),
    "replay": ("evals.replay_cli:app", "Ask a model again on recorded runs, without a device."),
    "import": ("evals.exchange.cli:import_app", "Turn runs of other programs into runs of this one."),
    "export": ("evals.exchange.cli:export_app", "Write runs as rows to train or score with."),
    "serve": ("agent.serve:app", "Serve a model behind an OpenAI-compatible address."),
    "doctor": ("agent.doctor:app", "Say what works on this machine, and whether clicks land where they should."),
    "bench": ("evals.bench:app", "Measure speed and memory, against transformers or a server."),
}
"""Command -> (module:attr of a typer app, its help). Imported only when it is called."""

EXIT_CODES = {
    "success": 0,
    "failure": 1,
    "loop": 1,
    "mistakes": 1,
    "device": 3,
    "model": 4,
    "refused": 5,
    "steps": 6,
    "seconds": 6,
    "tokens": 6,
    "interrupted": INTERRUPTED_EXIT,
}
"""Stop reason -> exit status."""

USAGE = 2
"""Exit status for what the operator has to change."""

app = typer.Typer(
    name="agent",
    help="Looks at a screen, thinks with a Qwen2.5-VL model, and acts with mouse and keyboard.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Spec = Annotated[
    str,
    typer.Option(
        "--model", metavar="SPEC", help="bundled (default), a checkpoint folder, openai:NAME@URL, or scripted:FILE."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Console script `agent`. Errors become one line on stderr and the exit status of the table above."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments and arguments[0] in LATER:
            sub_app: typer.Typer = resolve_name(LATER[arguments[0]][0])
            sub_app(args=arguments[1:], prog_name=f"agent {arguments[0]}")
        else:
            _list_later_commands()
            app(args=arguments, prog_name="agent")
    except ClickwrightError as error:
        _end(arguments, type(error).__name__, " ".join(str(error).split()), exit_code_of(error))
    except KeyboardInterrupt:
        _end(arguments, "Interrupted", "interrupted", INTERRUPTED_EXIT)
    except SystemExit as end:
        # A run never ends with 2, only a wrong command line does; what is wrong with it was said on stderr.
        if end.code == USAGE and "--json" in arguments:
            give_result({"error": {"kind": "UsageError", "text": "see stderr"}, "exit_code": USAGE})
        raise
    except BrokenPipeError:
        # Whoever read stdout has enough, as in `agent show RUN | head`; Python must not complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def _end(arguments: Sequence[str], kind: str, text: str, code: int) -> NoReturn:
    print(f"agent: {text}", file=sys.stderr)
    if "--json" in arguments:
        give_result({"error": {"kind": kind, "text": text}, "exit_code": code})
    sys.exit(code)


def exit_code_of(error: ClickwrightError) -> int:
    """By who must act: 2 the operator, 3 the device, 4 the model's side; 1 a model that could not do it."""
    match error:
        case ConfigError():
            return USAGE
        case DeviceError():
            return 3
        case ModelError():
            return 4
        case _:
            return 1


@app.command()
def run(
    task: Annotated[str, typer.Option(help="What shall be done, in words.")] = "",
    env: Annotated[str, typer.Option(help="The kind of device: browser (default), desktop or android.")] = "",
    url: Annotated[str, typer.Option(help="The page to start on.")] = "",
    app_name: Annotated[str, typer.Option("--app", metavar="NAME", help="The app to open at the start.")] = "",
    device: Annotated[
        str, typer.Option(metavar="SERIAL", help="Which Android device, or HOST:PORT of a wireless one.")
    ] = "",
    model: Spec = "",
    dialect: Annotated[str, typer.Option(help="How the model is asked, if not as it prefers.")] = "",
    max_steps: Annotated[int | None, typer.Option(min=1, help="Default 30.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Default 3600; 0 is no limit.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Default 0, no limit.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; by default a new one under runs.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with the run in this folder.")] = None,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser's window.")] = False,
    viewport: Annotated[str, typer.Option(metavar="WxH", help="Size of the page, default 1280x720.")] = "",
    device_scale: Annotated[float | None, typer.Option(help="Screenshot pixels per CSS pixel, default 1.")] = None,
    display: Annotated[
        str, typer.Option(metavar="virtual[:WxH]|:N", help="A desktop of its own, or an X11 display; else your screen.")
    ] = "",
    monitor: Annotated[
        str, typer.Option(metavar="N|all", help="Which monitor of a desktop, default the main one.")
    ] = "",
    live: Annotated[bool, typer.Option("--live", help="Allow the use of your own mouse and keyboard.")] = False,
    confirm: Annotated[
        str, typer.Option(metavar="none|risky|all", help="When to ask before acting, default risky.")
    ] = "",
    allow_host: Annotated[list[str] | None, typer.Option(metavar="HOST", help="Stay on these hosts.")] = None,
    screenshots: Annotated[int | None, typer.Option(min=1, help="Pictures in a prompt, default 1.")] = None,
    constrained: Annotated[
        bool | None,
        typer.Option(
            "--constrained/--free",
            help="Whether the model may say nothing but a valid action inside the screen; default: as it likes best.",
        ),
    ] = None,
    looks: Annotated[
        int | None,
        typer.Option(min=0, max=4, help="Looks at a screen for one place, at most; default: as the model likes."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Carry out a task on a device, step by step, and record it."""
    given: dict[str, object] = {
        "url": url,
        "app": app_name,
        "device": device,
        "dialect": dialect,
        "max_steps": max_steps,
        "headed": headed,
        "viewport": read_viewport(viewport) if viewport else None,
        "device_scale": device_scale,
        "display": display,
        "monitor": monitor,
        "live": live,
        "confirm": confirm,
        "allow_hosts": tuple(allow_host or ()),
        "screenshots": screenshots,
    }
    options = {name: value for name, value in given.items() if value not in (None, "", (), False)}
    options |= {} if constrained is None else {"constrained": constrained}
    options |= {} if looks is None else {"looks": looks}
    # 0 stands for "no limit", which is None in the settings.
    options |= {name: value or None for name, value in _limits(max_seconds, max_tokens)}
    with results_only(as_json) as give:
        _run(task, resume, out, model, env, options, give if as_json else None)


def _run(
    task: str,
    resume: Path | None,
    out: Path | None,
    model: str,
    env: str,
    options: dict[str, Any],
    give: Callable[[dict[str, object]], None] | None,
) -> None:
    from agent import session
    from agent.terminal import Terminal, person_at_terminal

    terminal, person = Terminal(), person_at_terminal()
    stop = StopRequest(terminal.stopping)
    if resume is None:
        folder = out or session.default_folder(task)
        trajectory = session.run(
            task,
            model=model or "bundled",
            env=env or "browser",
            out=folder,
            person=person,
            watch=terminal.step,
            stop=stop,
            **options,
        )
    else:
        if task or out:
            raise ConfigError("--resume goes on with its own task in its own folder: leave out --task and --out")
        trajectory = session.resume(
            resume,
            model=model or None,
            env=env or None,
            person=person,
            watch=terminal.step,
            stop=stop,
            **options,
        )
    terminal.end(trajectory)
    code = EXIT_CODES[trajectory.reason]
    if give is not None:
        give(summary(trajectory) | {"exit_code": code})
    raise typer.Exit(code)


@app.command()
def ground(
    image: Annotated[Path, typer.Argument(help="A picture of a screen.")],
    instruction: Annotated[str, typer.Argument(help="What to point at, in words.")],
    model: Spec = "",
    dialect: Annotated[str, typer.Option(help="How the model is asked, if not as it prefers.")] = "",
    as_json: Json = False,
) -> None:
    """Point at one thing on a picture; pixels of the picture as a viewer shows it."""
    from agent.ground import locate
    from agent.models import load_model
    from agent.pictures import open_picture

    with results_only(as_json) as give:
        picture = open_picture(image)
        loaded = load_model(model or "bundled")
        found = locate(
            loaded, dialect or loaded.dialect, picture, instruction, constrained=loaded.constrained, looks=loaded.looks
        )
        point, box = found.point, found.box
        if not as_json:
            print(f"{point.x} {point.y}" + (f" in {box.left} {box.top} {box.right} {box.bottom}" if box else ""))
            return
        give(
            {
                "point": [point.x, point.y],
                "box": [box.left, box.top, box.right, box.bottom] if box else None,
                "size": [found.size.width, found.size.height],
                "reply": found.reply,
                "model": loaded.name,
                "seconds": round(found.seconds, 3),
                "exit_code": 0,
            }
        )


@app.command()
def show(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path | None, typer.Option(help="Write the report here instead of into the run.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report of a run, a single HTML file, and print where it is."""
    from agent.report import write_report
    from agent.trajectory import read_trajectory

    trajectory = read_trajectory(run)
    if trajectory.warning:
        print(f"agent: {trajectory.warning}", file=sys.stderr)
    path = write_report(trajectory, out)
    print(path)
    if open_it and not webbrowser.open(path.absolute().as_uri()):
        raise ConfigError(f"no browser was found to open {str(path)!r}: open it by hand")


def read_viewport(text: str) -> Size:
    """The size that `--viewport` names. Raises ConfigError."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if match is None or "0" in match.groups():
        raise ConfigError(f"--viewport {text!r} is not a size: give WIDTHxHEIGHT, such as 1280x720")
    return Size(int(match[1]), int(match[2]))


def _limits(seconds: float | None, tokens: int | None) -> list[tuple[str, float | int]]:
    limits = (("max_seconds", seconds), ("max_tokens", tokens))
    return [(name, value) for name, value in limits if value is not None]


def _list_later_commands() -> None:
    """So that --help names the commands whose packages are not imported."""
    for name, (_, text) in LATER.items():
        app.command(name, help=text)(lambda: None)


if __name__ == "__main__":
    main()

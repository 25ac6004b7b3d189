"""`agent device`: the Android devices that there are, and one to try things on."""

import signal
import threading
from typing import Annotated

import typer

from action_space.errors import ClickwrightError
from agent.cli import Json
from agent.results import results_only
from environments.adb_devices import AdbDevice, connect, devices, explain, forget, is_ready

app = typer.Typer(
    name="device", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.command("list")
def list_devices(as_json: Json = False) -> None:
    """Print the serial and the state of every Android device that adb knows."""
    with results_only(as_json) as give:
        found = devices()
        if as_json:
            listed = [{"serial": each.serial, "state": each.state, "model": each.model} for each in found]
            give({"devices": listed, "exit_code": 0})
        elif not found:
            typer.echo("agent: no Android device is connected; `agent device simulate` starts one", err=True)
        else:
            for each in found:
                typer.echo(f"{each.serial}  {about(each)}")


def about(device: AdbDevice) -> str:
    """A device in a few words: its model if it can be used, else why not."""
    return f"ready  {device.model}".rstrip() if is_ready(device) else explain(device.state)


@app.command()
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes a free port.")] = 0,
    headed: Annotated[bool, typer.Option("--headed", help="Show its screen in a window.")] = False,
) -> None:
    """Start a simulated device with a few apps, connect adb to it, print its serial, and keep it until Ctrl-C."""
    from environments.simulated_android.device import simulated_android

    with simulated_android(port=port, headless=not headed) as device:
        try:
            connect(device.serial)
        except ClickwrightError as error:
            typer.echo(f"agent: adb does not know it yet: {error}", err=True)
        typer.echo(device.serial)
        typer.echo(
            f"agent: try `agent run --env android --device {device.serial} --task ...`; Ctrl-C ends it", err=True
        )
        try:
            _wait_for_end()
        finally:
            forget(device.serial)
    raise KeyboardInterrupt


def _wait_for_end() -> None:
    """Until Ctrl-C or SIGTERM, also where a shell started this in the background and ignores the former."""
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    end.wait()

"""`agent serve`: a model behind an OpenAI-compatible address."""

import socket
from typing import Annotated

import typer

from action_space.errors import ConfigError
from agent.cli import Spec
from agent.models import load_model

app = typer.Typer(name="serve", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_GRACE_S = 5
"""How long requests may go on after Ctrl-C."""


@app.command()
def serve(
    model: Spec = "",
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 is every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    key: Annotated[
        str, typer.Option(envvar="CLICKWRIGHT_API_KEY", help="What clients have to send as their key.")
    ] = "",
    queue: Annotated[int, typer.Option(min=0, help="How many requests may wait; the next are told to come later.")] = 8,
) -> None:
    """Serve a model at /v1/chat/completions, until Ctrl-C."""
    try:
        import uvicorn

        from vlm.serving.app import build_app
    except ModuleNotFoundError as error:
        raise ConfigError(f"agent serve needs {error.name}: pip install fastapi uvicorn") from None
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("--key holds characters that no key can have: use letters and digits")
    with _listening(host, port) as listening:
        loaded = load_model(model or "bundled")
        served = build_app(loaded, loaded.dialect, key=key, places=queue)
        _say(host, listening.getsockname()[1], loaded.name, key)
        config = uvicorn.Config(
            served, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=_GRACE_S
        )
        uvicorn.Server(config).run(sockets=[listening])
        # It ends by a signal only. Where SIGINT was ignored from the start, as in a background job of a shell, uvicorn
        # gives it back to nobody.
        raise KeyboardInterrupt


def _listening(host: str, port: int) -> socket.socket:
    """Taken before the model is loaded: a taken port should be told at once. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        # Python adds the address once more, in brackets.
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise ConfigError(f"cannot listen on {host!r}, port {port} ({reason}): give another --host or --port") from None


def _say(host: str, port: int, name: str, key: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"agent: serving {name!r} at http://{shown}:{port}/v1", err=True)
    if not key and host not in ("127.0.0.1", "::1", "localhost"):
        typer.echo("agent: anybody who reaches this address can use the model: --key asks for a key", err=True)

"""A server of ours on a free port, in a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from vlm.backends.base import Model
from vlm.serving.app import build_app


@contextmanager
def serving(model: Model, dialect: str = "computer_use", **options: object) -> Iterator[str]:
    """Gives its address, up to the port. options: of `build_app`."""
    app = build_app(model, dialect, **options)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not end"

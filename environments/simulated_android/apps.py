"""The apps: HTML files of this package, served on a loopback port, and the state that they keep on the device."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

PACKAGE = "org.clickwright."
LABELS = {
    f"{PACKAGE}settings": "Settings",
    f"{PACKAGE}contacts": "Contacts",
    f"{PACKAGE}notes": "Notes",
    f"{PACKAGE}library": "Library",
    f"{PACKAGE}bank": "Bank",
}
"""Package -> the name under its icon. Each is apps/NAME.html."""

LAUNCHER = f"{PACKAGE}launcher"
LOCK_SCREEN = f"{PACKAGE}lockscreen"
LARGEST_STATE = 1_000_000
"""Bytes."""

_SHARED = {"device.css": "text/css", "device.js": "text/javascript"}


class Store:
    """What every app has saved: the device's truth. Threads: the server's write, tests read."""

    def __init__(self) -> None:
        self._states: dict[str, object] = {}
        self._lock = threading.Lock()

    def get(self, package: str) -> object:
        """An app's state as it saved it; {} before it has been opened."""
        with self._lock:
            return self._states.get(package, {})

    def put(self, package: str, state: object) -> None:
        with self._lock:
            self._states[package] = state

    def clear(self) -> None:
        with self._lock:
            self._states.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # A browser that goes on to the next page drops what it was loading.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serve_apps(store: Store) -> Iterator[str]:
    """Serve the pages until the block ends; gives the address in front of `PACKAGE/`."""
    server = _Server(("127.0.0.1", 0), _handler(store))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            package, rest = self._place()
            if package in _SHARED:
                _answer(self, HTTPStatus.OK, _read(package), _SHARED[package])
            elif package not in (*LABELS, LAUNCHER, LOCK_SCREEN) or rest not in ("", "state"):
                _answer(self, HTTPStatus.NOT_FOUND)
            elif rest == "state":
                _answer(self, HTTPStatus.OK, json.dumps(store.get(package)).encode(), "application/json")
            else:
                _answer(self, HTTPStatus.OK, _read(f"{package.removeprefix(PACKAGE)}.html"), "text/html; charset=utf-8")

        def do_PUT(self) -> None:
            package, rest = self._place()
            length = self.headers.get("Content-Length", "")
            if package not in LABELS or rest != "state" or not length.isdecimal() or int(length) > LARGEST_STATE:
                _answer(self, HTTPStatus.BAD_REQUEST)
                return
            store.put(package, json.loads(self.rfile.read(int(length))))
            _answer(self, HTTPStatus.NO_CONTENT)

        def _place(self) -> tuple[str, str]:
            package, _, rest = self.path.lstrip("/").partition("/")
            return package, rest

        def log_message(self, *_: object) -> None:
            """The console belongs to whoever started the device."""

    return Handler


def _answer(
    handler: BaseHTTPRequestHandler, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain"
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.send_header("Cache-Control", "no-store")
    handler.end_headers()
    handler.wfile.write(content)


def _read(name: str) -> bytes:
    return files("environments.simulated_android").joinpath("apps", name).read_bytes()

"""The apps: HTML files of this package, served on a loopback port, and the state that they keep on the device."""

import json
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


@contextmanager
def serve_apps(store: Store) -> Iterator[str]:
    """Serve the pages until the block ends; gives the address in front of `PACKAGE/`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    server.daemon_threads = True
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
            package, _, rest = self.path.lstrip("/").partition("/")
            if package in _SHARED:
                self._answer(HTTPStatus.OK, _read(package), _SHARED[package])
            elif package not in (*LABELS, LAUNCHER, LOCK_SCREEN) or rest not in ("", "state"):
                self._answer(HTTPStatus.NOT_FOUND)
            elif rest == "state":
                self._answer(HTTPStatus.OK, json.dumps(store.get(package)).encode(), "application/json")
            else:
                self._answer(HTTPStatus.OK, _read(f"{package.removeprefix(PACKAGE)}.html"), "text/html; charset=utf-8")

        def do_PUT(self) -> None:
            package, _, rest = self.path.lstrip("/").partition("/")
            length = self.headers.get("Content-Length", "")
            if package not in LABELS or rest != "state" or not length.isdecimal() or int(length) > LARGEST_STATE:
                self._answer(HTTPStatus.BAD_REQUEST)
                return
            store.put(package, json.loads(self.rfile.read(int(length))))
            self._answer(HTTPStatus.NO_CONTENT)

        def _answer(self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The console belongs to whoever started the device."""

    return Handler


def _read(name: str) -> bytes:
    return files("environments.simulated_android").joinpath("apps", name).read_bytes()

"""One real Chromium for each test module, environments on it, a small web server; a simulated phone behind real adb."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser

from action_space.geometry import Size
from environments.adb_server import own_server
from environments.android import AndroidEnvironment
from environments.browser import BrowserEnvironment
from environments.chromium import own_browser
from environments.desktop_virtual import VirtualDisplay
from environments.simulated_android.device import SimulatedAndroid, simulated_android
from tests.desktop_for_tests import Listener, own_display

MakeAndroid = Callable[..., AndroidEnvironment]
MakeBrowser = Callable[..., BrowserEnvironment]


@pytest.fixture(scope="module")
def running_browser() -> Iterator[Callable[[], Browser]]:
    """Gives the module's browser, and another one when a test has stopped it."""
    with ExitStack() as stack:
        started: list[Browser] = []

        def running() -> Browser:
            if not started or not started[-1].is_connected():
                started.append(stack.enter_context(own_browser()))
            return started[-1]

        yield running


@pytest.fixture
def chromium(running_browser: Callable[[], Browser]) -> Browser:
    return running_browser()


@pytest.fixture
def make_browser(chromium: Browser) -> Iterator[MakeBrowser]:
    """Makes environments on the module's browser: `make_browser("<p>html</p>")` or `make_browser(url=...)`."""
    made: list[BrowserEnvironment] = []

    # The options are BrowserEnvironment's own, and it checks them.
    def make(html: str = "", *, url: str = "", **options: Any) -> BrowserEnvironment:  # noqa: ANN401
        # Small, for speed. Settling ends when the page is quiet; the high cap is for machines that are busy otherwise.
        defaults: dict[str, Any] = {"settle_s": 15.0, "viewport": Size(640, 400)}
        made.append(BrowserEnvironment(url or page(html), browser=chromium, **(defaults | options)))
        if not url:
            made[-1].page.wait_for_load_state()
        return made[-1]

    yield make
    for environment in made:
        environment.close()


def page(html: str) -> str:
    return "data:text/html;charset=utf-8," + quote(f"<!doctype html><body style='margin:0'>{html}")


class _Handler(BaseHTTPRequestHandler):
    """`/slow?S` answers after S seconds, `/silent` never, `/endless` sends half a page, `/NAME` what is in `pages`."""

    server: "PageServer"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.asked.append(parts.path)
        if parts.path == "/silent":
            self.server.stopped.wait(60)
            return
        if parts.path in self.server.slow:
            time.sleep(float(parts.query))
        kind, headers, body = self.server.pages.get(parts.path, ("text/html", {}, b"<body>page " + parts.path.encode()))
        self.send_response(204 if parts.path == "/nothing" else 200)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if parts.path == "/nothing" else body)
        if parts.path == "/endless":
            self.wfile.flush()
            self.server.stopped.wait(60)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Tests print nothing."""


class PageServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[str, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        self.slow = {"/slow"}
        self.stopped = threading.Event()

    def add(self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.pages[path] = (kind, {name.replace("_", "-"): value for name, value in headers.items()}, data)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture
def server() -> Iterator[PageServer]:
    web = PageServer()
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield web
    web.stopped.set()
    web.shutdown()
    web.server_close()


@pytest.fixture(scope="module")
def adb_port() -> Iterator[int]:
    """A real adb server that knows only what a test connects to it."""
    with own_server() as port:
        yield port


@pytest.fixture(scope="module")
def one_phone() -> Iterator[SimulatedAndroid]:
    with simulated_android() as device:
        yield device


@pytest.fixture
def phone(one_phone: SimulatedAndroid) -> Iterator[SimulatedAndroid]:
    """A simulated phone, as new."""
    one_phone.renew()
    yield one_phone
    assert one_phone.alarms == [], "something reached the shell unquoted"


@pytest.fixture
def make_android(phone: SimulatedAndroid, adb_port: int) -> Iterator[MakeAndroid]:
    """Makes environments on the phone: `make_android(app="notes")`."""
    made: list[AndroidEnvironment] = []

    def make(serial: str = "", **options: Any) -> AndroidEnvironment:  # noqa: ANN401
        # Settling ends when the picture is quiet; the high cap is for machines that are busy otherwise.
        defaults: dict[str, Any] = {"adb_port": adb_port, "settle_s": 15.0, "reconnect_s": 60.0}
        made.append(AndroidEnvironment(serial or phone.serial, **(defaults | options)))
        return made[-1]

    yield make
    for environment in made:
        environment.close()


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualDisplay]:
    """A virtual display for a whole module, 800x600."""
    with own_display(tmp_path_factory.mktemp("home")) as display:
        yield display


@pytest.fixture
def listener(display: VirtualDisplay) -> Iterator[Listener]:
    listener = Listener(display.name)
    yield listener
    listener.close()

"""Targets on a phone's screen, for `agent doctor --coords`: a page that its own browser shows. Nothing is installed.

The page comes from this computer through `adb reverse`, and says to it where it was touched. Above and below it there
may be bars of the browser and of the system: the outermost targets lie at the edges of the page.
"""

import json
import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue

from action_space.actions import Open, Press
from action_space.errors import ClickwrightError, DeviceError, InvalidAction
from environments.android import AndroidEnvironment
from environments.targets import SIDE, Target, spread

_OPENS_S = 30.0
_ARRIVAL_S = 10.0
_LONGEST_POST = 200
_FRACTION = 0.01
"""What a size in whole pixels may lack after it was a number of CSS pixels."""

_PAGE = b"""<!doctype html><html><meta charset="utf-8"><title>Targets</title>
<meta name="viewport" content="width=device-width, initial-scale=1, user-scalable=no">
<body style="margin: 0; background: #fff; touch-action: none"><script>
const scale = devicePixelRatio;
const tell = (what, pair) => fetch(what, { method: "POST", body: JSON.stringify(pair) });
// Other than those of a click, its coordinates are not rounded.
addEventListener("pointerdown", event => tell("touch", [event.clientX * scale, event.clientY * scale]));
(async () => {
  const answer = await tell("size", [visualViewport.width * scale, visualViewport.height * scale]);
  const { width, height, squares } = await answer.json();
  // A canvas has pixels of its own: boxes would be moved to whole CSS pixels.
  const canvas = document.body.appendChild(document.createElement("canvas"));
  Object.assign(canvas, { width, height });
  canvas.style.cssText = `position: fixed; left: 0; top: 0; width: ${width / scale}px; height: ${height / scale}px`;
  const pen = canvas.getContext("2d");
  for (const [left, top, side, colour] of squares) {
    pen.fillStyle = colour;
    pen.fillRect(left, top, side, side);
  }
  await tell("drawn", [0, 0]);
})();
</script>"""


class AndroidTargets:
    """Implements `Targets` in touch pixels, counted from the page's corner. May be drawn anew when the phone turned."""

    def __init__(self, environment: AndroidEnvironment) -> None:
        self._environment = environment
        self._page = _Page()
        self._port: int | None = None

    def draw(self) -> tuple[Target, ...]:
        link = self._environment.link
        if self._port is None:
            self._port = link.reach_back(self._page.port)
        try:
            self._environment.execute(Open(target=f"http://127.0.0.1:{self._port}/"))
        except InvalidAction as error:
            raise DeviceError(f"{link.serial!r} has no browser to draw the targets with: {error}") from error
        if not self._page.comes(_OPENS_S):
            raise DeviceError(
                f"the browser of {link.serial!r} shows no targets: open it once by hand and answer its questions"
            )
        return self._page.targets

    def arrived(self) -> tuple[float, float] | None:
        return self._page.touched(_ARRIVAL_S)

    def close(self) -> None:
        with suppress(ClickwrightError):
            self._environment.execute(Press(keys=("device_home",)))
        if self._port is not None:
            self._environment.link.reach_no_more(self._port)
        self._page.close()


class _Page:
    """The page's side on this computer, until `close`. port: where it is served."""

    def __init__(self) -> None:
        self.targets: tuple[Target, ...] = ()
        self._drawn: Queue[None] = Queue()
        self._touches: Queue[tuple[float, float]] = Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def comes(self, within_s: float) -> bool:
        """Wait until the page has drawn the targets."""
        try:
            self._drawn.get(timeout=within_s)
        except Empty:
            return False
        return True

    def touched(self, within_s: float) -> tuple[float, float] | None:
        """Where the page was touched since the last call; None if it was not."""
        try:
            return self._touches.get(timeout=within_s)
        except Empty:
            return None

    def hear(self, what: str, pair: Sequence[float]) -> dict[str, object]:
        """What the page says; to its size, what it shall draw: squares of left, top, side, colour; touch pixels."""
        first, second = float(pair[0]), float(pair[1])
        if what == "/touch":
            # A whole pixel comes back as a product of fractions.
            self._touches.put((round(first, 2), round(second, 2)))
        elif what == "/drawn":
            self._drawn.put(None)
        elif what == "/size":
            width, height = math.floor(first + _FRACTION), math.floor(second + _FRACTION)
            self.targets = spread(0, 0, width, height)
            half = SIDE // 2
            squares = [(target.x - half, target.y - half, SIDE, target.hex) for target in self.targets]
            return {"width": width, "height": height, "squares": squares}
        return {}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(page: _Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(HTTPStatus.OK, _PAGE, "text/html")

        def do_POST(self) -> None:
            try:
                length = min(int(self.headers.get("Content-Length", "")), _LONGEST_POST)
                said = page.hear(self.path, json.loads(self.rfile.read(length)))
            except (ValueError, TypeError, LookupError, OverflowError):
                self._answer(HTTPStatus.BAD_REQUEST, b"", "text/plain")
            else:
                self._answer(HTTPStatus.OK, json.dumps(said).encode(), "application/json")

        def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The console is for the measurement."""

    return Handler

"""Serves one form on this machine and takes the page's own verdict."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.online.forms import Form, render

LARGEST_VERDICT = 65536
"""Bytes."""


class Verdict(BaseModel):
    """What the page says after a button was pressed. mistakes: one line for each difference from the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    done: bool
    mistakes: tuple[str, ...] = ()


class FormPage:
    """A form that is being served. Threads: the server's write, the caller's read."""

    def __init__(self, form: Form, url: str) -> None:
        self.form = form
        self.url = url
        self._verdicts: list[Verdict] = []
        self._news = threading.Condition()

    def add(self, verdict: Verdict) -> None:
        with self._news:
            self._verdicts.append(verdict)
            self._news.notify_all()

    def verdict(self, wait_s: float = 0.5) -> Verdict:
        """The newest verdict: a form may be sent again after a mistake. Waits for the first one."""
        with self._news:
            self._news.wait_for(lambda: self._verdicts, timeout=wait_s)
            return self._verdicts[-1] if self._verdicts else Verdict(done=False, mistakes=("no button was pressed",))


@contextmanager
def serve(form: Form) -> Iterator[FormPage]:
    """Serve `form` on a free loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    page = FormPage(form, f"http://127.0.0.1:{server.server_port}/")
    server.RequestHandlerClass = _handler(page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield page
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(page: FormPage) -> type[BaseHTTPRequestHandler]:
    body = render(page.form).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(HTTPStatus.OK, body)
            else:
                self._answer(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != "/verdict" or not length.isdecimal() or int(length) > LARGEST_VERDICT:
                self._answer(HTTPStatus.BAD_REQUEST)
                return
            try:
                page.add(Verdict.model_validate_json(self.rfile.read(int(length))))
            except ValidationError:
                self._answer(HTTPStatus.BAD_REQUEST)
                return
            self._answer(HTTPStatus.NO_CONTENT)

        def _answer(self, status: HTTPStatus, content: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The console belongs to the demo."""

    return Handler

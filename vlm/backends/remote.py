"""A server that is asked over HTTP, and asked again when that may help. Whatever fails is one line."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from action_space.errors import ModelError

KEYS = ("CLICKWRIGHT_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the server's key; the first one that is set counts."""

BLIND = re.compile(
    r"(image|vision|picture|multi-?modal|mmproj).{0,60}(not (be )?(support|enabled|available|allow)|unsupported)"
    r"|(not|n't) (support|accept|allow|take|handle|a|process) ?(image|vision|picture|multi-?modal)"
    r"|at most 0 (image|multi)|(text|string)[- ]only|only supported by certain models|should be a valid string",
    re.IGNORECASE,
)
TOO_LONG = re.compile(
    r"context (size|length|window)|maximum (context|model|input|sequence)|max_model_len|context is \d"
    r"|(prompt|input|request) .{0,40}(too long|too many tokens|longer than|exceeds)",
    re.IGNORECASE,
)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How a server is waited for. timeout_s: for one question with all its tries."""

    tries: int = 5
    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0
    timeout_s: float = 600.0

    def pauses(self) -> Iterator[float]:
        """Between the tries: twice as long each time, and never the same for two clients that began together."""
        for number in range(self.tries - 1):
            yield min(self.longest_pause_s, self.first_pause_s * 2**number) * random.uniform(0.5, 1.0)


class StatusError(ModelError):
    """The server answered with an error. status: of HTTP. said: its own words, in one line."""

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status, self.said = status, said


class Server:
    """One address, asked again when it may help. url: up to /v1. pause: waits so many seconds."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        patience: Patience = Patience(),
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        self._pause = pause
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            transport=transport,
            # A proxy of the environment would be asked for its own loopback.
            trust_env=httpx.URL(url).host not in _LOOPBACK,
        )

    def ask(self, path: str, body: object = None, patience: Patience | None = None) -> object:
        """The JSON value that a GET, or with a body a POST, is answered with.

        Raises ModelError; StatusError for a status of 400 or more that stayed.
        """
        patience = patience or self.patience
        response = self._send(path, body, patience)
        if response.status_code >= 400:
            said = _words(response)
            if response.status_code in (401, 403):
                raise ModelError(f"{self.url} refuses the key ({said}): set {' or '.join(KEYS)} to the server's key")
            raise StatusError(f"{self.url} answered {response.status_code}: {said}", response.status_code, said)
        if response.is_redirect:
            raise ModelError(f"{self.url} sends on to {response.headers['location']!r}: give that address")
        try:
            return response.json()
        except ValueError:
            raise ModelError(
                f"{self.url} answered with {one_line(response.text)[:80]!r}, which is not JSON: is it an "
                "OpenAI-compatible server, and does the address end in /v1?"
            ) from None

    def _send(self, path: str, body: object, patience: Patience) -> httpx.Response:
        """The last answer: the first one that another try would not change, or the one of the last try."""
        ends = time.monotonic() + patience.timeout_s
        pauses = patience.pauses()
        while True:
            response, trouble = self._try(path, body, ends - time.monotonic())
            if response is not None and not _is_passing(response):
                return response
            wait_s = next(pauses, None)
            if wait_s is not None and response is not None:
                wait_s = max(wait_s, _retry_after_s(response))
            if wait_s is None or time.monotonic() + wait_s >= ends:
                if response is not None:
                    return response
                raise ModelError(trouble)
            self._pause(wait_s)

    def _try(self, path: str, body: object, left_s: float) -> tuple[httpx.Response | None, str]:
        """An answer, or what went wrong on the way."""
        timeout = httpx.Timeout(max(left_s, 0.01), connect=min(_CONNECT_S, max(left_s, 0.01)))
        method = "GET" if body is None else "POST"
        try:
            return self._http.request(method, self.url + path, json=body, timeout=timeout), ""
        except httpx.ConnectError as error:
            return None, f"no server answers at {self.url} ({one_line(str(error))}): start it, or correct the address"
        except httpx.TimeoutException:
            return None, f"{self.url} did not answer in time: it may be busy, or too slow for so long a prompt"
        except httpx.RequestError as error:
            return None, f"the connection to {self.url} broke ({one_line(str(error))}): look at the server's log"


def _is_passing(response: httpx.Response) -> bool:
    """Whether another try may help. Some servers answer 500 to what will never work, a picture or a long prompt."""
    if response.status_code in (408, 409, 425, 429):
        return True
    said = _words(response) if response.status_code >= 500 else ""
    return response.status_code >= 500 and not (BLIND.search(said) or TOO_LONG.search(said))


def _retry_after_s(response: httpx.Response) -> float:
    """What the server asks for, in seconds or as a date; 0 if nothing that can be read."""
    given = response.headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _words(response: httpx.Response) -> str:
    """The message of an error, wherever the server puts it, in one line."""
    try:
        found: Any = response.json()
    except ValueError:
        found = response.text
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    text = found if isinstance(found, str) else json.dumps(found)
    return one_line(text)[:300] or response.reason_phrase or "no reason given"


def one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

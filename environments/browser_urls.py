"""Which addresses the browser opens, and what a failed attempt means in plain words."""

import re
from pathlib import Path

from action_space.errors import InvalidAction

_SCHEMES = ("http", "https", "file", "data")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_PORT = re.compile(r"[^/:?#]+:\d{1,5}(?:[/?#]|$)")
_HOST = re.compile(r"(?:[^\s/:?#@]+\.[^\s/:?#@]+|localhost|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:[/?#]\S*)?")
_LOOPBACK = re.compile(r"(?:localhost|127\.|\[::1\]|0\.0\.0\.0)")
_NET_ERROR = re.compile(r"net::(ERR_\w+)")
_REASONS = {
    "ERR_NAME_NOT_RESOLVED": "no such host",
    "ERR_FILE_NOT_FOUND": "no such file",
    "ERR_INVALID_URL": "it is no valid URL",
    "ERR_CONNECTION_REFUSED": "the server refuses the connection",
    "ERR_INTERNET_DISCONNECTED": "there is no network",
    "ERR_CONNECTION_TIMED_OUT": "the server does not answer",
    "ERR_EMPTY_RESPONSE": "the server sent nothing",
    "ERR_TOO_MANY_REDIRECTS": "it redirects for ever",
}
OPERATOR_REASONS = tuple(_REASONS[code] for code in ("ERR_NAME_NOT_RESOLVED", "ERR_FILE_NOT_FOUND", "ERR_INVALID_URL"))
"""Reasons that lie in the address itself."""


def address(text: str) -> str:
    """The URL that `text` means: a bare host gets https:// (http:// on this machine). Raises InvalidAction."""
    target = text.strip()
    if target.lower() == "about:blank":
        return "about:blank"
    scheme = None if _PORT.match(target) else _SCHEME.match(target)
    if scheme:
        if scheme[1].lower() in _SCHEMES and len(target) > scheme.end():
            return target
        raise _refused(text)
    if not _HOST.fullmatch(target):
        raise _refused(text)
    return f"{'http' if _LOOPBACK.match(target) else 'https'}://{target}"


def start_address(text: str) -> str:
    """Like `address`, and the path of a file on this machine is an address too."""
    # A long data: URL is no path, and asking the file system about it is an error on some.
    if len(text) < 1024 and "\0" not in text and Path(text).is_file():
        return Path(text).resolve().as_uri()
    return address(text)


def why_not(message: str, timeout_s: float) -> str:
    """What the driver's error text about a page that did not open means, in a few words."""
    found = _NET_ERROR.search(message)
    if found:
        return _REASONS.get(found[1], found[1])
    if "Timeout" in message:
        return f"the server did not answer within {timeout_s:g} s"
    return message.partition("\n")[0].strip()


def _refused(text: str) -> InvalidAction:
    return InvalidAction(
        f"cannot open {text[:100]!r}: give a host such as 'example.org', or a URL that begins with "
        "http://, https://, file:// or data:"
    )

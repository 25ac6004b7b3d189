"""What counts as an address."""

from pathlib import Path

import pytest

from action_space.errors import InvalidAction
from environments.browser_urls import address, start_address, why_not


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("HTTP://EXAMPLE.org", "HTTP://EXAMPLE.org"),
        (" example.org ", "https://example.org"),
        ("example.org/path?q=a:b", "https://example.org/path?q=a:b"),
        ("example.org:8443/x", "https://example.org:8443/x"),
        ("localhost", "http://localhost"),
        ("localhost:8000/app", "http://localhost:8000/app"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("münchen.de", "https://münchen.de"),
        ("about:blank", "about:blank"),
        ("About:Blank", "about:blank"),
        ("data:text/html,<p>x y", "data:text/html,<p>x y"),
        ("file:///etc/hostname", "file:///etc/hostname"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert address(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "chrome://settings",
        "about:config",
        "view-source:https://example.org",
        "ftp://example.org",
        "mailto:a@b.c",
        "firefox",
        "how to cook rice",
        "two words.org",
        "https:",
        "",
        "a@b.org",
    ],
)
def test_refused_addresses(text: str) -> None:
    with pytest.raises(InvalidAction, match=r"^cannot open .*https://") as caught:
        address(text)
    assert "\n" not in str(caught.value)


def test_a_file_is_an_address_to_start_at(tmp_path: Path) -> None:
    page = tmp_path / "my page.html"
    page.write_text("<p>x")
    assert start_address(str(page)) == page.as_uri()
    assert start_address("example.org") == "https://example.org"
    with pytest.raises(InvalidAction):
        start_address(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Page.goto: net::ERR_NAME_NOT_RESOLVED at https://x.invalid/\nCall log:", "no such host"),
        ("Page.goto: net::ERR_SOMETHING_NEW at https://x/", "ERR_SOMETHING_NEW"),
        ("Page.goto: Timeout 27000ms exceeded.\nCall log:", "the server did not answer within 27 s"),
        ("Page.goto: quite different\nmore", "Page.goto: quite different"),
    ],
)
def test_reasons(message: str, reason: str) -> None:
    assert why_not(message, 27.0) == reason

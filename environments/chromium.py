"""Finding and starting a Chromium, and one Playwright for all browsers of a thread."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from action_space.errors import ConfigError, DeviceError
from environments.browser_watchdog import time_limit

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LAUNCH_S = 60.0
"""For all that is tried together."""
_CLOSE_S = 30.0
"""What has not closed by then is killed."""
_INSTALL = "install one with `playwright install chromium`, or `apt-get install chromium`"


def launch_chromium(playwright: Playwright, *, headless: bool = True) -> Browser:
    """Start Playwright's own Chromium, else an installed Chrome, else a Chromium on the PATH.

    Raises ConfigError when there is none (or no display for a visible one), DeviceError when none of them starts.
    """
    if (
        not headless
        and sys.platform == "linux"
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    ):
        raise ConfigError("a visible browser needs a display: leave the browser headless, or run under xvfb-run")
    failures = []
    started = time.monotonic()
    for candidate in _candidates():
        left = _LAUNCH_S - (time.monotonic() - started)
        if left <= 0:
            break
        try:
            return playwright.chromium.launch(headless=headless, timeout=1000 * left, **(_options() | candidate))
        except PlaywrightError as error:
            if not _is_missing(error):
                failures.append(f"{next(iter(candidate.values()), 'chromium')}: {_reason(error)}")
    if failures:
        raise DeviceError(f"no browser starts ({'; '.join(failures)}); {_INSTALL}")
    raise ConfigError(f"no Chromium was found; {_INSTALL}")


def _candidates() -> list[dict[str, str]]:
    # The full Chromium comes before the headless shell: it draws like the one that people see.
    paths = dict.fromkeys(path for name in _NAMES if (path := shutil.which(name)))
    return [{"channel": "chromium"}, {}, {"channel": "chrome"}, *({"executable_path": path} for path in paths)]


def _options() -> dict[str, Any]:
    # Chromium's sandbox does not work for root, as in most containers.
    is_root = sys.platform != "win32" and os.geteuid() == 0
    return {
        "args": [*_FLAGS, *(["--no-sandbox"] if is_root else [])],
        # Scroll bars tell the model that there is more to see.
        "ignore_default_args": ["--hide-scrollbars"],
        # Ctrl-C belongs to the program: it releases what is held down, and then closes the browser.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
    }


def _is_missing(error: PlaywrightError) -> bool:
    return "Executable doesn't exist" in error.message or "is not found at" in error.message


def _reason(error: PlaywrightError) -> str:
    """The line of Playwright's long text that says why."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    telling = [line for line in lines if "error while loading" in line or "ERROR:" in line or "Failed to" in line]
    return (telling or lines or ["unknown reason"])[0][:200]


class _Shared(threading.local):
    """Playwright can be started only once in a thread, so all browsers of a thread share it."""

    playwright: Playwright | None = None
    users: int = 0


_shared = _Shared()


def borrow_playwright() -> Playwright:
    """This thread's Playwright, started if need be. Give it back with `return_playwright`. Raises ConfigError."""
    if _shared.playwright is not None and not _is_alive(_shared.playwright):
        # A watchdog has ended its driver, and with it every browser that others still hold.
        _shared.playwright.stop()
        _shared.playwright = None
    if _shared.playwright is None:
        try:
            _shared.playwright = sync_playwright().start()
        except PlaywrightError as error:
            raise ConfigError(
                "the browser cannot be driven from this thread, where an asyncio loop or another Playwright runs: "
                f"pass its `browser`, or use a thread of its own ({_reason(error)})"
            ) from error
    _shared.users += 1
    return _shared.playwright


def _is_alive(playwright: Playwright) -> bool:
    try:
        playwright.request.new_context().dispose()
    except PlaywrightError:
        return False
    return True


def return_playwright() -> None:
    """Undo one `borrow_playwright`; the last one stops it."""
    _shared.users -= 1
    if _shared.users == 0 and _shared.playwright is not None:
        playwright, _shared.playwright = _shared.playwright, None
        with time_limit(_CLOSE_S, list):
            playwright.stop()


@contextmanager
def own_browser() -> Iterator[Browser]:
    """A headless Chromium for several environments. Raises as `launch_chromium`."""
    playwright = borrow_playwright()
    try:
        browser = launch_chromium(playwright)
        process = process_of(browser)
        try:
            yield browser
        finally:
            with time_limit(_CLOSE_S, lambda: [process]), suppress(PlaywrightError):
                browser.close()
    finally:
        return_playwright()


@contextmanager
def drawing_tab() -> Iterator[Page]:
    """A tab of a headless Chromium of its own, to draw pages in. Raises as `launch_chromium`."""
    with own_browser() as browser:
        yield browser.new_page()


def process_of(browser: Browser) -> int:
    """The process id of a browser. Raises PlaywrightError when it is gone."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next(int(process["id"]) for process in processes if process["type"] == "browser")

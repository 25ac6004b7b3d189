"""A web page in a real Chromium, driven by Playwright's synchronous API. Use an environment from one thread only."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, assert_never

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
    points_of,
)
from action_space.errors import ClickwrightError, ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Size
from environments.base import Observation
from environments.browser_input import BrowserCommand, Hands, browser_command
from environments.browser_select import SELECT_SCRIPT
from environments.browser_tabs import DialogAnswer, Tabs, one_line
from environments.browser_urls import OPERATOR_REASONS, address, start_address, why_not
from environments.browser_view import NO_PAGE, View
from environments.browser_watchdog import time_limit
from environments.chromium import borrow_playwright, launch_chromium, process_of, return_playwright
from environments.settle import Settled, wait_until_quiet
from environments.typed import typed_parts

_MOST_SWITCHES = 3
_AGAIN = "start again, or go on with --resume"


class BrowserEnvironment:
    """One browser context and its tabs; see `Environment` for the contract.

    url: where to start; a bare host gets https://. viewport: in CSS pixels; screenshots are `device_scale` times as
    large. timeout_s: the longest that one call may take, beside the seconds that an action itself asks for; after it
    the browser is stopped and a DeviceError raised. settle_s: the longest wait for a quiet picture. dialogs: how
    questions of a page (confirm, prompt, leave?) are answered. downloads: a folder for files; a temporary one if None.
    storage_state: what Playwright saved of a session (cookies, local storage), to begin logged in. browser: a browser
    that is already running and stays so.

    Raises ConfigError for an address that cannot be opened, DeviceError when the browser or the page does not start.
    """

    name = "browser"
    actions = frozenset({"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait"})

    def __init__(
        self,
        url: str = "about:blank",
        *,
        viewport: Size = Size(1280, 720),  # noqa: B008 - frozen
        device_scale: float = 1.0,
        headless: bool = True,
        timeout_s: float = 30.0,
        settle_s: float = 3.0,
        dialogs: DialogAnswer = "accept",
        downloads: Path | None = None,
        storage_state: Path | None = None,
        browser: Browser | None = None,
    ) -> None:
        self._viewport = viewport
        self._device_scale = device_scale
        self._timeout_s = timeout_s
        self._settle_s = settle_s
        self._storage_state = storage_state
        self._hands = Hands()
        self._closed = False
        self._stuck = False
        self._process: int | None = None
        self._cleanup = ExitStack()
        size = Size(round(viewport.width * device_scale), round(viewport.height * device_scale))
        self._frame = Frame(size, size, device_scale)
        start = _start_address(url)
        try:
            self._browser = browser or self._own_browser(headless)
            with self._device("opening a tab"):
                self._process = process_of(self._browser)
                self._context = self._new_context()
                self._view = View(self._context, viewport, device_scale)
                self._tabs = Tabs(self._context, dialogs=dialogs, downloads=downloads)
                self._context.new_page()
            self._start(start)
        except BaseException:
            self._shut()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def page(self) -> Page:
        """Playwright's page of the shown tab, for tests and benchmarks that read the state of the page."""
        return self._tabs.current()

    def observe(self) -> Observation:
        self._require_alive()
        with self._device("looking at the page", self._settle_s * _MOST_SWITCHES):
            for _ in range(_MOST_SWITCHES):
                observation = self._look()
                if observation is not None:
                    return observation
        raise DeviceError(f"tabs or pages come and go faster than they can be looked at: {_AGAIN}")

    def execute(self, action: Action) -> None:
        if action.kind not in self.actions:
            raise UnsupportedAction(f"a browser cannot {action.kind!r}: use one of {', '.join(sorted(self.actions))}")
        for point in points_of(action):
            self._frame.to_device(point)
        self._require_alive()
        with self._device(f"carrying out {action.kind!r}", _own_seconds(action)):
            page = self._show()
            try:
                self._perform(page, action)
            except PlaywrightError:
                # A click on "close this window" takes the page away before the click has returned.
                if not self._tabs.has_lost(page):
                    raise

    def release(self) -> None:
        try:
            if not self._closed and self._tabs.count():
                with self._device("releasing keys and buttons"):
                    self._hands.release(self._tabs.current())
        except (ClickwrightError, RuntimeError):
            # Nothing that is gone holds anything down.
            return

    def close(self) -> None:
        if not self._closed:
            self._tabs.stop()
            self._shut()

    def _require_alive(self) -> None:
        if self._closed:
            raise DeviceError(f"the browser was closed: {_AGAIN}")
        if not self._browser.is_connected():
            raise DeviceError(f"the browser crashed or was closed: {_AGAIN}")

    def _look(self) -> Observation | None:
        """The current tab once it is quiet, or None when another one is shown by then."""
        page = self._tabs.current()
        try:
            self._view.show(page)
            settled = wait_until_quiet(
                self._view.cheap_picture,
                busy=self._tabs.busy,
                cap_s=self._settle_s,
                pause=lambda seconds: page.wait_for_timeout(1000 * seconds),
            )
            image = self._view.picture()
            return self._observation(page, image, settled) if page is self._tabs.current() else None
        except PlaywrightError as error:
            # A tab that closes while it is looked at is no fault as long as another one can be shown. A page that is
            # just being replaced by the next one can be looked at a moment later.
            if not self._tabs.has_lost(page) and NO_PAGE not in error.message:
                raise
            self._view.forget()
            return None

    def _perform(self, page: Page, action: Action) -> None:
        match action:
            case Click() | Move() | Drag() | Scroll() | LongPress():
                self._hands.point(page, action, self._frame)
            case Type():
                self._hands.type_text(page, typed_parts(action.text))
            case Press():
                self._press(page, action)
            case Open():
                self._open(page, action.target)
            case Wait():
                page.wait_for_timeout(1000 * action.seconds)
            case Ask() | Finish():
                raise UnsupportedAction(f"a browser cannot {action.kind!r}")
            case _:
                assert_never(action)

    def _press(self, page: Page, action: Press) -> None:
        command = browser_command(action.keys)
        if command is None:
            self._hands.press(page, action)
        else:
            self._command(page, command)

    def _command(self, page: Page, command: BrowserCommand) -> None:
        match command:
            case "back" | "forward":
                self._travel(-1 if command == "back" else 1)
            case "reload":
                self._tell(self._navigate(page, None), page.url)
            case "new_tab":
                self._context.new_page()
            case "next_tab":
                self._tabs.turn()
            case "close_tab":
                if self._tabs.count() == 1:
                    raise UnsupportedAction("this is the only tab: open another page instead of closing it")
                page.close()

    def _travel(self, by: int) -> None:
        history = self._view.ask("Page.getNavigationHistory")
        target, entries = history["currentIndex"] + by, history["entries"]
        # Every tab begins with a blank page that nobody has seen.
        if not 0 <= target < len(entries) or (target == 0 and entries[0]["url"] == "about:blank"):
            self._tabs.note(f"There is no {'earlier' if by < 0 else 'later'} page in this tab.")
        else:
            self._view.ask("Page.navigateToHistoryEntry", entryId=entries[target]["id"])

    def _open(self, page: Page, target: str) -> None:
        self._tell(self._navigate(page, address(target)), target)

    def _tell(self, reason: str | None, target: str) -> None:
        if reason is not None:
            self._view.stop_loading()
            raise InvalidAction(f"{one_line(target)!r} did not open: {reason}; open another address or go back")

    def _start(self, url: str) -> None:
        with self._device(f"opening {one_line(url)!r}"):
            reason = self._navigate(self._tabs.current(), url)
        if reason in OPERATOR_REASONS:
            raise ConfigError(f"{one_line(url)!r} cannot be opened: {reason}")
        if reason is not None:
            raise DeviceError(f"{one_line(url)!r} did not open: {reason}; check the address and the network")

    def _navigate(self, page: Page, url: str | None) -> str | None:
        """Open a URL, or the same page again. Returns why it did not work; None when it did."""
        # The page counts as open when its first bytes are there; `observe` waits for the picture.
        limit_ms = 1000 * self._timeout_s * 0.9
        try:
            if url is None:
                page.reload(wait_until="commit", timeout=limit_ms)
            else:
                page.goto(url, wait_until="commit", timeout=limit_ms)
        except PlaywrightError as error:
            if page.is_closed() or not self._browser.is_connected():
                raise
            # A download, an answer without content, or a page that went on to another by itself.
            if any(text in error.message for text in ("ERR_ABORTED", "Download is starting", "interrupted by")):
                return None
            return why_not(error.message, limit_ms / 1000)
        return None

    def _show(self) -> Page:
        page = self._tabs.current()
        self._view.show(page)
        return page

    def _observation(self, page: Page, image: Image.Image, settled: Settled) -> Observation:
        size = Size(*image.size)
        self._frame = Frame(size, size, self._device_scale)
        details = {"url": page.url, "title": one_line(self._view.title()), **self._view.focus()}
        lines = [f"URL: {one_line(page.url)}", f"Title: {details['title']}", *self._tabs.take_notes()]
        if self._tabs.busy():
            lines.append("The page is still loading.")
        return Observation(image, self._frame, tuple(lines), settled.seconds, settled.quiet, details)

    def _own_browser(self, headless: bool) -> Browser:
        playwright = borrow_playwright()
        self._cleanup.callback(return_playwright)
        browser = launch_chromium(playwright, headless=headless)
        self._cleanup.callback(browser.close)
        return browser

    def _new_context(self) -> BrowserContext:
        context = self._browser.new_context(
            viewport={"width": self._viewport.width, "height": self._viewport.height},
            device_scale_factor=self._device_scale,
            accept_downloads=True,
            storage_state=self._storage_state,
        )
        self._cleanup.callback(context.close)
        context.set_default_timeout(1000 * self._timeout_s)
        context.add_init_script(SELECT_SCRIPT)
        return context

    @contextmanager
    def _device(self, doing: str, extra_s: float = 0.0) -> Iterator[None]:
        """Talk to the browser: every failure becomes a DeviceError, and a browser that hangs is stopped."""
        limit_s = self._timeout_s + extra_s
        with time_limit(limit_s, self._processes) as is_over:
            try:
                yield
            except (PlaywrightError, DeviceError) as error:
                self._stuck = self._stuck or is_over()
                if isinstance(error, DeviceError) and not self._stuck:
                    raise
                raise self._failure(error, doing, limit_s) from error

    def _processes(self) -> list[int]:
        return [] if self._process is None else [self._process]

    def _failure(self, error: PlaywrightError | DeviceError, doing: str, limit_s: float) -> DeviceError:
        if self._stuck:
            return DeviceError(f"the page did not react for {limit_s:g} s while {doing}, and was stopped: {_AGAIN}")
        if not self._browser.is_connected():
            return DeviceError(f"the browser crashed or was closed while {doing}: {_AGAIN}")
        return DeviceError(f"{doing} failed: {one_line(str(error))}: {_AGAIN}")

    def _shut(self) -> None:
        try:
            with self._device("closing"):
                self._cleanup.close()
        except DeviceError:
            # It is gone already, which is what was wanted.
            pass
        self._closed = True


def _start_address(url: str) -> str:
    try:
        return start_address(url)
    except InvalidAction as error:
        raise ConfigError(str(error)) from error


def _own_seconds(action: Action) -> float:
    match action:
        case Wait() | LongPress() | Drag():
            return action.seconds
        case _:
            return 0.0

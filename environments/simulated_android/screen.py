"""The screen: a mobile page in a real Chromium, which one thread of its own drives.

Positions are pixels of the screen as it is held; the page has a third as many CSS pixels.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from action_space.geometry import Size
from environments.browser_watchdog import time_limit
from environments.chromium import borrow_playwright, launch_chromium, process_of, return_playwright

SCALE = 3
"""Pixels per CSS pixel, as on a phone with 480 dots per inch."""
_LOAD_MS = 15_000
_START_S = 90.0
_ANSWER_S = 30.0
"""The longest that the browser may take for one call: Playwright has no limit for most of them."""
_MOVES_PER_S = 60
_FEWEST_MOVES = 8
_SWAP_TRIES = 60
_SWAP_S = 0.05

T = TypeVar("T")


class Screen:
    """Its methods may be called from any thread; each waits for the ones before it.

    answer_s: a browser that takes longer for one call is stopped for good, so that nobody waits for ever.
    Raises PlaywrightError.
    """

    def __init__(self, home: str, size: Size, *, headless: bool, answer_s: float = _ANSWER_S) -> None:
        self._home = home
        self._size = size
        self._headless = headless
        self._answer_s = answer_s
        self._process: int | None = None
        self._cleanup = ExitStack()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="screen")
        self._closing = threading.Lock()
        self._closed = False
        try:
            self._do(self._start, _START_S)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Safe to call twice."""
        with self._closing:
            if not self._closed:
                self._closed = True
                with suppress(PlaywrightError):  # it is gone already, which is what was wanted
                    self._do(self._cleanup.close)
                self._thread.shutdown()

    def show(self, path: str) -> None:
        """Show one of the device's pages."""
        self._do(lambda: self._page.goto(self._home + path, timeout=_LOAD_MS))

    def path(self) -> str:
        """Which page is shown: the apps' own links are followed too."""
        # Asked of the browser: a page that is just being replaced could not answer.
        history = self._do(lambda: self._send("Page.getNavigationHistory"))
        return urlsplit(str(history["entries"][history["currentIndex"]]["url"])).path.lstrip("/")

    def ask(self, expression: str) -> Any:  # noqa: ANN401 (whatever the page's own expression gives)
        """What an expression of the page's script gives."""
        return self._do(lambda: self._page.evaluate(expression))

    def call(self, function: str) -> None:
        """Call a function of the page, by its name, if the page has it."""
        self._do(lambda: self._page.evaluate("name => window[name] && window[name]()", function))

    def picture(self) -> bytes:
        """The screen as PNG."""
        return self._do(lambda: self._page.screenshot(animations="allow", caret="initial"))

    def resize(self, size: Size) -> None:
        """Another resolution, or the same turned."""
        self._do(lambda: self._resize(size))

    def tap(self, x: float, y: float) -> None:
        self._do(lambda: self._stroke([(x, y)], 0, 0))

    def swipe(self, start: tuple[float, float], end: tuple[float, float], seconds: float, hold_s: float = 0) -> None:
        """A finger from start to end. hold_s: how long it rests at the start."""
        moves = max(_FEWEST_MOVES, math.ceil(seconds * _MOVES_PER_S))
        parts = [step / moves for step in range(moves + 1)]
        points = [(start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part) for part in parts]
        self._do(lambda: self._stroke(points, seconds / moves, hold_s), seconds + hold_s)

    def insert(self, text: str) -> None:
        """Text at the caret, in whatever has the focus."""
        self._do(lambda: self._page.keyboard.insert_text(text))

    def press(self, *keys: str) -> None:
        """Keys together, by Playwright's names."""
        self._do(lambda: self._page.keyboard.press("+".join(keys)))

    def _do(self, work: Callable[[], T], extra_s: float = 0.0) -> T:
        done: Future[T] = self._thread.submit(self._within, self._answer_s + extra_s, work)
        return done.result()

    def _within(self, seconds: float, work: Callable[[], T]) -> T:
        with time_limit(seconds, self._processes) as is_over:
            try:
                return work()
            except PlaywrightError as error:
                if is_over():
                    raise PlaywrightError(f"its browser did not react for {seconds:g} s and was stopped") from error
                raise

    def _processes(self) -> list[int]:
        return [] if self._process is None else [self._process]

    def _start(self) -> None:
        playwright = borrow_playwright()
        self._cleanup.callback(return_playwright)
        browser = launch_chromium(playwright, headless=self._headless)
        self._cleanup.callback(browser.close)
        self._process = process_of(browser)
        context = browser.new_context(
            viewport={"width": self._size.width // SCALE, "height": self._size.height // SCALE},
            device_scale_factor=SCALE,
            is_mobile=True,
            has_touch=True,
        )
        self._page: Page = context.new_page()
        self._session: CDPSession = context.new_cdp_session(self._page)

    def _resize(self, size: Size) -> None:
        self._page.set_viewport_size({"width": size.width // SCALE, "height": size.height // SCALE})

    def _stroke(self, points: list[tuple[float, float]], pause_s: float, hold_s: float) -> None:
        self._touch("touchStart", points[0])
        time.sleep(hold_s)
        for point in points[1:]:
            time.sleep(pause_s)
            self._touch("touchMove", point)
        self._touch("touchEnd", None)

    def _touch(self, kind: str, point: tuple[float, float] | None) -> None:
        places = [] if point is None else [{"x": point[0] / SCALE, "y": point[1] / SCALE}]
        self._send("Input.dispatchTouchEvent", type=kind, touchPoints=places)

    def _send(self, method: str, **parameters: object) -> dict[str, Any]:
        tries = _SWAP_TRIES
        while True:
            try:
                answer: dict[str, Any] = self._session.send(method, parameters)
                return answer
            except PlaywrightError as error:
                # For a moment one page is gone and the next is not there yet.
                tries -= 1
                if not tries or "Not attached to an active page" not in error.message:
                    raise
                time.sleep(_SWAP_S)

"""Pictures of the tab that is shown."""

import base64
import io
import time
from contextlib import suppress
from typing import Any, Literal
from weakref import WeakSet

from PIL import Image, UnidentifiedImageError
from playwright.sync_api import BrowserContext, CDPSession, Frame, Page, ViewportSize
from playwright.sync_api import Error as PlaywrightError

from action_space.errors import DeviceError
from action_space.geometry import Size

NO_PAGE = "Not attached to an active page"
_FOR_A_MOMENT = (NO_PAGE, "Unable to capture screenshot")
"""What Chromium says while one page is gone and the next is not there, or not drawn yet."""
_CHEAP_WIDTH = 320
_FOCUSED = """(() => {
    let element = document.activeElement, left = 0, top = 0;
    for (let inner; element; element = inner) {
        try { inner = element.shadowRoot?.activeElement ?? element.contentDocument?.activeElement; } catch { break; }
        if (!inner) break;
        if (inner.ownerDocument === element.ownerDocument) continue;
        const frame = element.getBoundingClientRect();
        left += frame.left + element.clientLeft;
        top += frame.top + element.clientTop;
    }
    if (!element) return { kind: "", box: "" };
    const kind = String(element.type || element.localName);
    if (!element.matches("input, select, textarea")) return { kind, box: "" };
    const own = element.getBoundingClientRect();
    const sides = [left + own.left, top + own.top, left + own.right, top + own.bottom];
    return { kind, box: sides.map((side) => Math.round(side) | 0).join() };
})()"""


class View:
    """Looks at one tab at a time, always at the same size. Raises PlaywrightError when the tab is gone."""

    def __init__(self, context: BrowserContext, viewport: Size, device_scale: float) -> None:
        self._context = context
        self._viewport = viewport
        self._device_scale = device_scale
        self._shown: Page | None = None
        self._session: CDPSession | None = None
        self._waiting = False
        self._watched: WeakSet[Page] = WeakSet()

    def show(self, page: Page) -> None:
        """Bring a tab to the front, in the size of every other one: pop-ups choose their own."""
        if page is not self._shown:
            size: ViewportSize = {"width": self._viewport.width, "height": self._viewport.height}
            page.bring_to_front()
            if page.viewport_size != size:
                page.set_viewport_size(size)
            self._session = self._context.new_cdp_session(page)
            self._shown = page
            if page not in self._watched:
                page.on("framenavigated", self._arrived)
                self._watched.add(page)

    def picture(self) -> Image.Image:
        """RGB, device_scale pixels for each CSS pixel. Raises DeviceError when the browser sends no picture."""
        return self._capture(self._device_scale, "png")

    def cheap_picture(self) -> Image.Image:
        """RGB, about 320 pixels wide, at a fifth of the cost."""
        return self._capture(min(1.0, _CHEAP_WIDTH / self._viewport.width), "jpeg")

    def title(self) -> str:
        # The browser knows it: a page that is busy need not be asked.
        history = self.ask("Page.getNavigationHistory")
        return str(history["entries"][history["currentIndex"]]["title"])

    def focus(self) -> dict[str, str]:
        """What has the keyboard, as `Observation.details`: `focus` is an input's type ("password"), an element's name
        ("body"), or "" if unknown; `focus_box` is where a field, list or box to tick is in the window, in CSS pixels:
        "left,top,right,bottom"."""
        answer = self.ask("Runtime.evaluate", expression=_FOCUSED, returnByValue=True, timeout=500)
        found = answer["result"].get("value") if "exceptionDetails" not in answer else None
        if not found:
            return {"focus": ""}
        return {"focus": found["kind"]} | ({"focus_box": found["box"]} if found["box"] else {})

    def stop_loading(self) -> None:
        """Give up what is still being loaded."""
        try:
            self.ask("Page.stopLoading")
        except PlaywrightError:
            # The tab is just being given to its error page: nothing is loading. A browser that died is noticed next.
            return

    def forget(self) -> None:
        """Connect anew with the next `show`."""
        self._shown = None

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """One call of the DevTools protocol on the shown tab."""
        tries = 20
        while True:
            try:
                return self._asked(method, parameters)
            except PlaywrightError as error:
                tries -= 1
                if not tries or not any(text in error.message for text in _FOR_A_MOMENT):
                    raise
                time.sleep(0.1)

    def _asked(self, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        if self._shown is None:
            raise DeviceError("no tab is shown yet")
        if self._session is None:
            self._session = self._context.new_cdp_session(self._shown)
        self._waiting = True
        try:
            answer: dict[str, Any] = self._session.send(method, parameters)
        except PlaywrightError as error:
            if self._session is None:
                raise PlaywrightError(NO_PAGE) from error
            raise
        finally:
            self._waiting = False
        return answer

    def _arrived(self, frame: Frame) -> None:
        """Another page has taken the place of the one that is being asked, and that one may never answer: Chromium
        forgets pictures that it was drawing then. Only without its session the call ends."""
        if self._waiting and self._session is not None and frame.parent_frame is None and frame.page is self._shown:
            session, self._session = self._session, None
            with suppress(PlaywrightError):
                session.detach()

    def _capture(self, scale: float, kind: Literal["png", "jpeg"]) -> Image.Image:
        # A picture without a clip has one pixel for each CSS pixel, whatever the device scale is. The clip counts
        # from the corner of the document, and its size is the window's: scroll bars belong to the picture.
        visible = self.ask("Page.getLayoutMetrics")["cssVisualViewport"]
        clip = {"x": visible["pageX"], "y": visible["pageY"], "scale": scale}
        clip |= {"width": self._viewport.width, "height": self._viewport.height}
        quality = {"quality": 50} if kind == "jpeg" else {}
        answer = self.ask("Page.captureScreenshot", format=kind, clip=clip, optimizeForSpeed=True, **quality)
        try:
            return Image.open(io.BytesIO(base64.b64decode(answer["data"]))).convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise DeviceError(f"the browser sent a screenshot that is no picture: {error}") from error

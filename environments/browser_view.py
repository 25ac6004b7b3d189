"""Pictures of the tab that is shown."""

import base64
import io
import time
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError
from playwright.sync_api import BrowserContext, CDPSession, Page, ViewportSize
from playwright.sync_api import Error as PlaywrightError

from action_space.errors import DeviceError
from action_space.geometry import Size

_CHEAP_WIDTH = 320
_FOCUSED = """(() => {
    let element = document.activeElement;
    for (let inner; element; element = inner) {
        try { inner = element.shadowRoot?.activeElement ?? element.contentDocument?.activeElement; } catch { break; }
        if (!inner) break;
    }
    return element ? element.type || element.localName : "";
})()"""


class View:
    """Looks at one tab at a time, always at the same size. Raises PlaywrightError when the tab is gone."""

    def __init__(self, context: BrowserContext, viewport: Size, device_scale: float) -> None:
        self._context = context
        self._viewport = viewport
        self._device_scale = device_scale
        self._shown: Page | None = None
        self._session: CDPSession | None = None

    def show(self, page: Page) -> None:
        """Bring a tab to the front, in the size of every other one: pop-ups choose their own."""
        if page is not self._shown:
            size: ViewportSize = {"width": self._viewport.width, "height": self._viewport.height}
            page.bring_to_front()
            if page.viewport_size != size:
                page.set_viewport_size(size)
            self._session = self._context.new_cdp_session(page)
            self._shown = page

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

    def focus(self) -> str:
        """What has the keyboard: an input's type ("password"), an element's name ("body"), or "" if unknown."""
        answer = self.ask("Runtime.evaluate", expression=_FOCUSED, returnByValue=True, timeout=500)
        return str(answer["result"].get("value", "")) if "exceptionDetails" not in answer else ""

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
        if self._session is None:
            raise DeviceError("no tab is shown yet")
        answer: dict[str, Any] = self._session.send(method, parameters)
        return answer

    def _capture(self, scale: float, kind: Literal["png", "jpeg"]) -> Image.Image:
        tries = 20
        while True:
            try:
                return self._captured(scale, kind)
            except PlaywrightError as error:
                # One page is gone and the next has not been drawn yet, for a moment.
                tries -= 1
                if not tries or "Unable to capture screenshot" not in error.message:
                    raise
                time.sleep(0.1)

    def _captured(self, scale: float, kind: Literal["png", "jpeg"]) -> Image.Image:
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

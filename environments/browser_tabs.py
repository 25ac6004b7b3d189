"""The tabs of one browser context: which one is shown, and everything that happens beside the picture."""

import re
import tempfile
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import BrowserContext, Dialog, Download, FileChooser, Page, Request
from playwright.sync_api import Error as PlaywrightError

from action_space.errors import DeviceError

DialogAnswer = Literal["accept", "dismiss"]

_LONGEST_NOTE = 200
_COUNTED = frozenset({"document", "stylesheet", "script", "image", "font", "fetch", "xhr"})
_DOCUMENT_PATIENCE_S = 10.0
_REQUEST_PATIENCE_S = 2.5
"""How long an unanswered request counts as activity: long polls and dead servers must not hold up every look."""


def one_line(text: str, limit: int = _LONGEST_NOTE) -> str:
    """Text of a page as one short line: what a page says must not look like lines of ours."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Tabs:
    """Follows new tabs, comes back from closed ones, answers dialogs, saves downloads, and takes note of it all."""

    def __init__(self, context: BrowserContext, *, dialogs: DialogAnswer, downloads: Path | None) -> None:
        self._context = context
        self._dialogs = dialogs
        self._downloads = downloads
        self._pages: list[Page] = []
        self._crashed = False
        self._notes: list[str] = []
        self._pending: dict[Request, tuple[Page | None, float]] = {}
        self._saving = 0
        self._closing = False
        context.on("page", self._opened)
        context.on("request", self._requested)
        context.on("requestfinished", self._answered)
        context.on("requestfailed", self._answered)

    def current(self) -> Page:
        """The tab that is shown. Raises DeviceError when the last one crashed or was closed."""
        if self._pages:
            return self._pages[-1]
        if self._crashed:
            raise DeviceError("the page crashed, perhaps for want of memory: start again, or go on with --resume")
        raise DeviceError("the last tab was closed, or the browser with it: start again, or go on with --resume")

    def has_lost(self, page: Page) -> bool:
        """Whether a tab is closed while there still is another one to show. Raises as `current`."""
        if page in self._pages and not page.is_closed():
            return False
        return self.current() is not page

    def count(self) -> int:
        return len(self._pages)

    def turn(self) -> None:
        """Show the tab that was not shown for the longest time."""
        self._pages.append(self._pages.pop(0))

    def note(self, text: str) -> None:
        self._notes.append(text)

    def take_notes(self) -> tuple[str, ...]:
        """What happened since the last call, in lines for the model."""
        notes, self._notes = tuple(self._notes), []
        return notes

    def busy(self) -> bool:
        """Whether the shown tab waits for an answer of the network, or a file is being saved."""
        now = time.monotonic()
        shown = self._pages[-1] if self._pages else None
        pending = self._pending.items()
        waiting = (page in (None, shown) and self._is_fresh(request, now - since) for request, (page, since) in pending)
        return self._saving > 0 or any(waiting)

    def stop(self) -> None:
        """From now on tabs close because we close them."""
        self._closing = True

    @staticmethod
    def _is_fresh(request: Request, age_s: float) -> bool:
        return age_s < (_DOCUMENT_PATIENCE_S if request.resource_type == "document" else _REQUEST_PATIENCE_S)

    def _opened(self, page: Page) -> None:
        if self._pages:
            self.note("A new tab was opened; it is shown now.")
        self._pages.append(page)
        page.on("close", self._closed)
        page.on("crash", self._broke)
        page.on("dialog", self._asked)
        page.on("download", self._downloaded)
        page.on("filechooser", self._wants_file)

    def _broke(self, page: Page) -> None:
        self._crashed = True
        self.note("The page crashed.")
        self._closed(page)
        try:
            # It answers no call any more, not even the one that waits for it now: closing it ends that call.
            page.close()
        except PlaywrightError:
            # The browser went with it.
            return

    def _closed(self, page: Page) -> None:
        was_shown = bool(self._pages) and self._pages[-1] is page
        if page in self._pages:
            self._pages.remove(page)
        self._pending = {request: entry for request, entry in self._pending.items() if entry[0] is not page}
        if was_shown and self._pages and not self._closing:
            self.note("The tab was closed; the tab before it is shown now.")

    def _requested(self, request: Request) -> None:
        if request.resource_type in _COUNTED:
            self._pending[request] = (_page_of(request), time.monotonic())

    def _answered(self, request: Request) -> None:
        self._pending.pop(request, None)

    def _asked(self, dialog: Dialog) -> None:
        accept = dialog.type == "alert" or self._dialogs == "accept"
        try:
            if accept:
                dialog.accept(dialog.default_value)
            else:
                dialog.dismiss()
        except PlaywrightError:
            # The page went away together with its question.
            return
        self.note(_dialog_note(dialog, accept=accept))

    def _wants_file(self, _chooser: FileChooser) -> None:
        self.note("The page asked for a file to upload; no file was chosen.")

    def _downloaded(self, download: Download) -> None:
        self._saving += 1
        name = one_line(download.suggested_filename, 100)
        try:
            path = self._free_path(download.suggested_filename)
            download.save_as(path)
        except (PlaywrightError, OSError) as error:
            if not self._closing:
                self.note(f"The download of {name!r} failed: {one_line(str(error))}")
        else:
            self.note(f"The file {name!r} was downloaded to {path}.")
        finally:
            self._saving -= 1

    def _free_path(self, suggested: str) -> Path:
        if self._downloads is None:
            self._downloads = Path(tempfile.mkdtemp(prefix="clickwright-downloads-"))
        self._downloads.mkdir(parents=True, exist_ok=True)
        # The name comes from the page: never let it lead out of the folder.
        name = re.sub(r"[^\w.() -]", "_", Path(suggested).name).lstrip(".") or "download"
        path = self._downloads / name
        number = 1
        while path.exists():
            path = self._downloads / f"{Path(name).stem} ({number}){Path(name).suffix}"
            number += 1
        return path


def _page_of(request: Request) -> Page | None:
    try:
        return request.frame.page
    except PlaywrightError:
        # Requests of service workers, and the first one of a new tab, have no page yet.
        return None


def _dialog_note(dialog: Dialog, *, accept: bool) -> str:
    message = one_line(dialog.message)
    match dialog.type:
        case "alert":
            return f"The page showed a message, which was closed: {message!r}"
        case "beforeunload":
            return f"The page asked whether to leave it; the answer was {'Leave' if accept else 'Stay'}."
        case "prompt" if accept:
            return f"The page asked {message!r}; the answer was its own suggestion {one_line(dialog.default_value)!r}."
        case _:
            return f"The page asked {message!r}; the answer was {'OK' if accept else 'Cancel'}."

"""The phone itself: what is shown, how it is held, what it is set to. Commands and tests act on it."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from action_space.geometry import Size
from environments.simulated_android.apps import BROWSER, LABELS, LAUNCHER, LOCK_SCREEN, Store
from environments.simulated_android.screen import SCALE, Screen

PHYSICAL = Size(1080, 2400)
USUAL_KEYBOARD = "com.android.inputmethod.latin/.LatinIME"
ADB_KEYBOARD = "com.android.adbkeyboard/.AdbIME"
_BLACK = (0, 0, 0)


@dataclass(slots=True)
class Phone:
    """keyboards: input methods that are installed. clipboard: None when no command can set it, as on most devices.

    size: upright. rotation: quarter turns to the left. secure: the app in front forbids screenshots.
    """

    screen: Screen
    store: Store
    size: Size = PHYSICAL
    rotation: int = 0
    awake: bool = True
    wakes: bool = True
    secure: bool = False
    keyboards: tuple[str, ...] = (USUAL_KEYBOARD, ADB_KEYBOARD)
    keyboard: str = USUAL_KEYBOARD
    clipboard: str | None = None
    volume: int = 7
    settings: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def shown(self) -> Size:
        """The screen as it is held."""
        return Size(self.size.height, self.size.width) if self.rotation % 2 else self.size

    @property
    def foreground(self) -> str:
        """The package in front."""
        path = self.screen.path()
        return BROWSER if path is None else path.split("/")[0]

    @property
    def locked(self) -> bool:
        return self.foreground == LOCK_SCREEN

    def rotate(self, quarter_turns: int) -> None:
        self.rotation = quarter_turns % 4
        self.screen.resize(self.shown)

    def resize(self, size: Size) -> None:
        """Raises ValueError for a size that this screen cannot have."""
        if size.width % SCALE or size.height % SCALE:
            raise ValueError(f"this simulated screen takes multiples of {SCALE}, not {size}")
        self.size = size
        self.screen.resize(self.shown)

    def wake(self) -> None:
        self.awake = self.awake or self.wakes

    def sleep(self, *, lock: bool = False) -> None:
        self.awake = False
        if lock:
            self.lock()

    def lock(self) -> None:
        self.screen.show(f"{LOCK_SCREEN}/")

    def start(self, package: str) -> bool:
        """Show an app; whether there is one."""
        if package not in (*LABELS, LAUNCHER):
            return False
        self.screen.show(f"{package}/")
        return True

    def browse(self, url: str) -> None:
        """Show an address."""
        self.screen.open(url)

    def renew(self) -> None:
        """As it was at first, with the home screen shown."""
        first = Phone(self.screen, self.store)
        for name in ("awake", "wakes", "secure", "keyboards", "keyboard", "clipboard", "volume", "settings"):
            setattr(self, name, getattr(first, name))
        if (self.size, self.rotation) != (first.size, first.rotation):
            self.rotation = first.rotation
            self.resize(first.size)
        self.store.clear()
        self.start(LAUNCHER)

    def picture(self) -> bytes:
        """A screenshot as PNG: black where a real one would be."""
        if self.awake and not self.secure:
            return self.screen.picture()
        black = io.BytesIO()
        Image.new("RGB", (self.shown.width, self.shown.height), _BLACK).save(black, "PNG")
        return black.getvalue()

    def touch(self, act: Callable[[Screen], None]) -> None:
        """A screen that is off feels nothing."""
        if self.awake:
            act(self.screen)


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def raw_picture(png: bytes) -> bytes:
    """What `screencap` without -p writes: width, height, format RGBA, colour space, then the pixels."""
    image = opened(png).convert("RGBA")
    return struct.pack("<4I", *image.size, 1, 0) + image.tobytes()

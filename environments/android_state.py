"""What the device says about itself: its screen, its lock, the app in front, its apps."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from action_space.errors import InvalidAction
from action_space.geometry import Size

STATUS = (("dumpsys", "power"), ("dumpsys", "window"))
"""The commands whose output `read_status` reads."""
APPS = (
    "cmd",
    "package",
    "query-activities",
    "-a",
    "android.intent.action.MAIN",
    "-c",
    "android.intent.category.LAUNCHER",
)
PACKAGES = ("pm", "list", "packages")

_AWAKE = re.compile(r"mWakefulness=(\w+)")
_SIZE = re.compile(r"\bcur=(\d{1,5})x(\d{1,5})\b")
_FOCUS = re.compile(r"(?:mCurrentFocus|mFocusedApp)=\S*\{[^{}\n]*?\s([\w.]+)/([\w.$]+)")
_LOCKED = re.compile(
    r"\b(?:mDreamingLockscreen|mShowingLockscreen|isStatusBarKeyguard|isKeyguardShowing|mKeyguardShowing)=true\b"
)
_NAME = re.compile(r"^\s*name=(\S+)", re.MULTILINE)
_PACKAGE = re.compile(r"^\s*packageName=([\w.]+)", re.MULTILINE)
_LABEL = re.compile(r"\bnonLocalizedLabel=(.*?) icon=")
_LISTED = re.compile(r"^package:([\w.]+)\s*$", re.MULTILINE)
_MOST_NAMED = 15

_USUAL = {
    "calculator": "com.google.android.calculator com.android.calculator2",
    "calendar": "com.google.android.calendar com.android.calendar",
    "camera": "com.google.android.GoogleCamera com.android.camera2",
    "chrome": "com.android.chrome",
    "clock": "com.google.android.deskclock com.android.deskclock",
    "contacts": "com.google.android.contacts com.android.contacts",
    "drive": "com.google.android.apps.docs",
    "files": "com.google.android.documentsui com.android.documentsui com.google.android.apps.nbu.files",
    "gmail": "com.google.android.gm",
    "maps": "com.google.android.apps.maps",
    "messages": "com.google.android.apps.messaging com.android.mms",
    "phone": "com.google.android.dialer com.android.dialer",
    "photos": "com.google.android.apps.photos",
    "play store": "com.android.vending",
    "settings": "com.android.settings",
    "youtube": "com.google.android.youtube",
}
"""What people call apps whose labels a shell cannot read, because they are translated resources."""


@dataclass(frozen=True, slots=True)
class Status:
    """size: the screen as it is held, in the pixels of taps; None if the device does not say. app: the package in
    front, "" if unknown."""

    size: Size | None
    awake: bool
    locked: bool
    app: str = ""
    activity: str = ""


def read_status(text: str) -> Status:
    """From the output of `STATUS`. What is missing counts as usual: awake, unlocked, unknown."""
    awake = _AWAKE.search(text)
    size = next((match for match in _SIZE.finditer(text) if int(match[1]) and int(match[2])), None)
    focus = _FOCUS.search(text)
    return Status(
        size=Size(int(size[1]), int(size[2])) if size else None,
        awake=awake is None or awake[1] in ("Awake", "Dreaming"),
        locked=_LOCKED.search(text) is not None,
        app=focus[1] if focus else "",
        activity=focus[2] if focus else "",
    )


@dataclass(frozen=True, slots=True)
class App:
    """activity: what starts it, "" if unknown. label: what is under its icon, "" if the shell cannot read it."""

    package: str
    activity: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.package


def read_apps(text: str) -> list[App]:
    """From the output of `APPS`."""
    apps = []
    for block in re.split(r"^\s*Activity #\d+:", text, flags=re.MULTILINE)[1:]:
        name, package = _NAME.search(block), _PACKAGE.search(block)
        labels = [label for label in _LABEL.findall(block) if label != "null"]
        if package is not None:
            apps.append(App(package[1], name[1] if name else "", labels[0].strip() if labels else ""))
    return apps


def read_packages(text: str) -> list[App]:
    """From the output of `PACKAGES`, for devices that know no `APPS`."""
    return [App(package) for package in _LISTED.findall(text)]


def find_app(target: str, apps: Sequence[App]) -> App:
    """The app of a package name or a label. Raises InvalidAction, which says what there is."""
    wanted = target.strip()
    usual = _USUAL.get(wanted.casefold(), "").split()
    for matches in (
        [app for app in apps if app.package == wanted],
        [app for app in apps if app.label and app.label.casefold() == wanted.casefold()],
        [app for app in apps if app.package in usual][:1],
        [app for app in apps if _plain(app.package.rpartition(".")[2]) == _plain(wanted)],
        [app for app in apps if _plain(wanted) and _plain(wanted) in _plain(app.label)],
    ):
        different = {app.package: app for app in reversed(matches)}
        if len(different) == 1:
            return next(iter(different.values()))
        if different:
            names = ", ".join(sorted(different))
            raise InvalidAction(f"{wanted[:100]!r} may be one of {names}: give the package name")
    raise InvalidAction(f"no app {wanted[:100]!r} is installed; there are {_some(wanted, apps)}")


def _some(wanted: str, apps: Sequence[App]) -> str:
    """The names of some apps, those that are most like `wanted` first."""
    names = sorted({app.name for app in apps})
    close = difflib.get_close_matches(wanted[:100], names, _MOST_NAMED, 0.5)
    shown = [*close, *(name for name in names if name not in close)][:_MOST_NAMED]
    return ", ".join(shown) + (" and others" if len(names) > len(shown) else "") if names else "none"


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())

"""The commands of the device's shell. Each is a function of the phone and its arguments; a missing one is exit 127."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import pairwise

from playwright.sync_api import Error as PlaywrightError

from action_space.geometry import Size
from environments.simulated_android.apps import BROWSER, LABELS, LAUNCHER
from environments.simulated_android.dumps import DUMPS, activities, hierarchy
from environments.simulated_android.files import Files
from environments.simulated_android.fingers import run_input
from environments.simulated_android.phone import ADB_KEYBOARD, PHYSICAL, Phone, raw_picture
from environments.simulated_android.shell import Result

Words = tuple[str, ...]
_PROPERTIES = {
    "ro.product.model": "Simulated phone",
    "ro.product.name": "simulated",
    "ro.product.device": "simulated",
    "ro.product.manufacturer": "Clickwright",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.serialno": "SIMULATED",
    "sys.boot_completed": "1",
}


def said(text: str) -> Result:
    return Result(out=text.encode())


def refused(text: str, code: int = 1) -> Result:
    return Result(err=f"{text}\n".encode(), code=code)


class Commands:
    """Runs the commands of one phone. leads: whether a port of its own leads somewhere; it has no other network."""

    def __init__(self, phone: Phone, files: Files, leads: Callable[[int], bool]) -> None:
        self._phone = phone
        self._files = files
        self._leads = leads
        self._table: dict[str, Callable[[Words], Result]] = {
            "echo": lambda words: said(" ".join(words) + "\n"),
            "true": lambda _: Result(),
            "getprop": _getprop,
            "wm": self._wm,
            "screencap": self._screencap,
            "input": lambda words: run_input(phone, words),
            "am": self._am,
            "monkey": self._monkey,
            "pm": self._pm,
            "cmd": self._cmd,
            "ime": self._ime,
            "settings": self._settings,
            "dumpsys": self._dumpsys,
            "uiautomator": self._uiautomator,
        }

    def run(self, words: Words) -> Result:
        """One command of a line. A page that is gone is an error of the command."""
        name, *arguments = words
        if name not in self._table:
            return refused(f"/system/bin/sh: {name}: inaccessible or not found", 127)
        try:
            return self._table[name](tuple(arguments))
        except PlaywrightError as error:
            return refused(f"{name}: the screen does not answer: {error.message.splitlines()[0]}", 255)

    def _wm(self, words: Words) -> Result:
        match words:
            case ("size",):
                override = f"Override size: {self._phone.size}\n" if self._phone.size != PHYSICAL else ""
                return said(f"Physical size: {PHYSICAL}\n{override}")
            case ("size", "reset"):
                return self._resize(PHYSICAL)
            case ("size", text) if match := re.fullmatch(r"([1-9]\d{2,3})x([1-9]\d{2,3})", text):
                return self._resize(Size(int(match[1]), int(match[2])))
            case ("density",):
                return said("Physical density: 480\n")
            case _:
                return refused(f"wm: unknown arguments {words}")

    def _resize(self, size: Size) -> Result:
        try:
            self._phone.resize(size)
        except ValueError as error:
            return refused(f"wm: {error}")
        return Result()

    def _screencap(self, words: Words) -> Result:
        png = self._phone.picture()
        match words:
            case ("-p",):
                return Result(out=png)
            case ():
                return Result(out=raw_picture(png))
            case ("-p", path) | (path,) if not path.startswith("-"):
                self._files.write(path, png)
                return Result()
            case _:
                return refused(f"screencap: unknown arguments {words}")

    def _am(self, words: Words) -> Result:
        match words:
            case ("start", *rest):
                return self._start(_option(rest, "-n"), _option(rest, "-d"))
            case ("force-stop", package):
                if self._phone.foreground == package:
                    self._phone.start(LAUNCHER)
                return Result()
            case ("broadcast", *rest):
                return self._broadcast(_option(rest, "-a") or "", _extra(rest))
            case _:
                return refused(f"am: unknown arguments {words}")

    def _start(self, component: str | None, url: str | None) -> Result:
        package = (component or "").split("/")[0]
        if component is None and self._is_reachable(url or ""):
            self._phone.browse(url or "")
            return said(f"Starting: Intent {{ dat={url} cmp={BROWSER}/.Main }}\n")
        if component is None:
            return refused(f"Error: Activity not started, unable to resolve Intent {{ dat={url} }}")
        if not self._phone.start(package):
            return refused(f"Error type 3\nError: Activity class {{{component}}} does not exist.")
        return said(f"Starting: Intent {{ cmp={component} }}\n")

    def _is_reachable(self, url: str) -> bool:
        match = re.match(r"http://127\.0\.0\.1:(\d{1,5})/", url)
        return match is not None and self._leads(int(match[1]))

    def _broadcast(self, action: str, extras: dict[str, str]) -> Result:
        # Without a receiver nothing happens, and nothing is said about it.
        if self._phone.keyboard == ADB_KEYBOARD and action == "ADB_INPUT_B64":
            try:
                text = base64.b64decode(extras.get("msg", ""), validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                text = ""
            self._phone.touch(lambda screen: screen.insert(text))
        return said(f"Broadcasting: Intent {{ act={action} flg=0x400000 }}\nBroadcast completed: result=0\n")

    def _monkey(self, words: Words) -> Result:
        package = _option(words, "-p") or ""
        if not self._phone.start(package):
            return refused("** No activities found to run, monkey aborted.", 252)
        return said("Events injected: 1\n")

    def _pm(self, words: Words) -> Result:
        match words:
            case ("list", "packages", *_):
                return said("".join(f"package:{package}\n" for package in (*LABELS, LAUNCHER)))
            case ("path", package) if package in LABELS:
                return said(f"package:/data/app/{package}/base.apk\n")
            case _:
                return refused("")

    def _cmd(self, words: Words) -> Result:
        match words:
            case ("package", "query-activities", *_):
                return said(activities(self._phone))
            case ("package", "resolve-activity", *rest) if rest and rest[-1] in LABELS:
                return said(f"priority=0 preferredOrder=0\n{rest[-1]}/{rest[-1]}.Main\n")
            case ("clipboard", *rest):
                return self._clipboard(tuple(rest))
            case _:
                return refused(f"cmd: unknown arguments {words}", 255)

    def _clipboard(self, words: Words) -> Result:
        match words:
            case _ if self._phone.clipboard is None:
                # As stock Android says it: no failure by its exit status.
                return Result(err=b"No shell command implementation.\n")
            case ("set", text):
                self._phone.clipboard = text
                return Result()
            case ("get",):
                return said(self._phone.clipboard + "\n")
            case _:
                return refused(f"clipboard: unknown arguments {words}", 255)

    def _ime(self, words: Words) -> Result:
        match words:
            case ("list", *_):
                return said("".join(f"{name}\n" for name in self._phone.keyboards))
            case ("enable" | "set" as what, name) if name in self._phone.keyboards:
                self._phone.keyboard = name if what == "set" else self._phone.keyboard
                return said(f"Input method {name}: now {'selected' if what == 'set' else 'enabled'}\n")
            case _:
                return refused(f"Unknown input method {words[-1] if words else ''} cannot be selected")

    def _settings(self, words: Words) -> Result:
        match words:
            case ("get", "secure", "default_input_method"):
                return said(f"{self._phone.keyboard}\n")
            case ("get", space, name):
                return said(self._phone.settings.get((space, name), "null") + "\n")
            case ("put", space, name, value):
                self._phone.settings[space, name] = value
                if (space, name) == ("system", "user_rotation") and value in ("0", "1", "2", "3"):
                    self._phone.rotate(int(value))
                return Result()
            case _:
                return refused(f"settings: unknown arguments {words}")

    def _dumpsys(self, words: Words) -> Result:
        name = words[0] if words else ""
        if name not in DUMPS:
            return refused(f"Can't find service: {name}")
        return said(DUMPS[name](self._phone))

    def _uiautomator(self, words: Words) -> Result:
        if not words or words[0] != "dump":
            return refused(f"uiautomator: unknown arguments {words}")
        path = words[1] if len(words) > 1 else "/sdcard/window_dump.xml"
        dump = hierarchy(self._phone)
        if path == "/dev/tty":
            return said(f"{dump}UI hierchary dumped to: {path}\n")
        self._files.write(path, dump.encode())
        return said(f"UI hierchary dumped to: {path}\n")


def _getprop(words: Words) -> Result:
    if words:
        return said(_PROPERTIES.get(words[0], "") + "\n")
    return said("".join(f"[{name}]: [{value}]\n" for name, value in _PROPERTIES.items()))


def _option(words: list[str] | Words, name: str) -> str | None:
    """The word after `name`."""
    return next((after for word, after in pairwise(words) if word == name), None)


def _extra(words: list[str]) -> dict[str, str]:
    """Every `--es NAME VALUE`."""
    found = [index for index, word in enumerate(words[:-2]) if word in ("--es", "-e")]
    return {words[index + 1]: words[index + 2] for index in found}

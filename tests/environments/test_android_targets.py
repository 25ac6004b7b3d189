"""Clicks on a phone are measured: a page in the phone's own browser, through `adb reverse` and real adb."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from action_space.actions import Press
from action_space.errors import DeviceError
from action_space.geometry import Size
from agent.doctor_coords import Landing, measure_drawn
from environments.adb_server import adb_program
from environments.android import AndroidEnvironment
from environments.android_targets import AndroidTargets, _Page
from environments.simulated_android.apps import BROWSER, LAUNCHER
from environments.simulated_android.device import SimulatedAndroid
from environments.targets import targets_on
from tests.environments.conftest import MakeAndroid


@contextmanager
def drawn_on(environment: AndroidEnvironment) -> Iterator[AndroidTargets]:
    targets = targets_on("android", environment)
    assert isinstance(targets, AndroidTargets)
    with closing(targets):
        yield targets


def errors(landings: list[Landing]) -> list[float]:
    return [landing.error_px for landing in landings]


@pytest.mark.timeout(300)
def test_touches_are_exact_and_still_are_when_the_phone_has_turned(
    make_android: MakeAndroid, phone: SimulatedAndroid
) -> None:
    environment = make_android()
    with drawn_on(environment) as targets:
        upright = measure_drawn(environment, targets)
        assert phone.phone.foreground == BROWSER
        assert errors(upright) == [0.0] * 9 and upright[-1].wanted == (1075, 2395)
        phone.phone.rotate(1)
        turned = measure_drawn(environment, targets)
        assert errors(turned) == [0.0] * 9 and turned[-1].wanted == (2395, 1075)
    assert phone.phone.foreground == LAUNCHER, "what was there before is not left hidden behind a dead page"


@pytest.mark.timeout(300)
def test_a_touch_that_goes_astray_is_measured(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    """The phone's screen is made to feel everything 2 pixels further right and 1 further down."""
    environment, screen = make_android(), phone.phone.screen
    tap = screen.tap
    with drawn_on(environment) as targets:
        screen.tap = lambda x, y: tap(x + 2, y + 1)  # type: ignore[method-assign]
        try:
            assert errors(measure_drawn(environment, targets)[:1]) == [2.2]
        finally:
            del screen.tap  # type: ignore[attr-defined]


def test_a_phone_that_shows_no_page(
    make_android: MakeAndroid, phone: SimulatedAndroid, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make_android()
    monkeypatch.setattr("environments.android_targets._OPENS_S", 0.1)
    with drawn_on(environment) as targets, monkeypatch.context() as patch:
        patch.setattr(type(phone.phone), "browse", lambda *_: None)
        with pytest.raises(DeviceError, match="shows no targets: open it once by hand and answer its questions"):
            targets.draw()
    with drawn_on(environment) as targets, monkeypatch.context() as patch:
        patch.setattr(phone._reverse, "leads", lambda _: False)
        patch.setattr("environments.simulated_android.commands.Commands._is_reachable", lambda *_: False)
        with pytest.raises(DeviceError, match=r"has no browser to draw the targets with: .*did not open"):
            targets.draw()


def test_what_the_page_says_is_checked() -> None:
    page = _Page()
    try:
        for body in (b"", b"[]", b"null", b'["a", "b"]', b"[1e999, 1]", b"{}", b"\xff", b"[" * 500):
            request = urllib.request.Request(f"http://127.0.0.1:{page.port}/size", data=body)
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(request, timeout=20)
        good = urllib.request.Request(f"http://127.0.0.1:{page.port}/size", data=b"[411.9999999, 800.4]")
        with urllib.request.urlopen(good, timeout=20) as answer:
            told = json.load(answer)
        assert (told["width"], told["height"], len(told["squares"])) == (412, 800, 9)
        assert page.touched(0) is None
        page.hear("/touch", [540.0000001, 3.9999999])
        assert page.touched(0) == (540.0, 4.0)
    finally:
        page.close()


class Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the computer " * 20_000)

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


def test_adb_reverse(make_android: MakeAndroid, adb_port: int) -> None:
    """By the real adb program: a port of the device leads to one of this computer until it is taken back."""
    environment = make_android()

    def adb(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [adb_program(), "-P", str(adb_port), "-s", environment.serial, "reverse", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    with HTTPServer(("127.0.0.1", 0), Greeting) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        there = int(adb("tcp:0", f"tcp:{server.server_port}").stdout)
        with urllib.request.urlopen(f"http://127.0.0.1:{there}/", timeout=60) as answer:
            assert answer.read() == b"from the computer " * 20_000
        assert adb("--list").stdout.split() == ["host", f"tcp:{there}", f"tcp:{server.server_port}"]
        assert adb("tcp:99999", "tcp:1").returncode != 0
        assert adb("--remove", "tcp:1").returncode != 0
        assert adb("--remove", f"tcp:{there}").returncode == 0
        assert adb("--list").stdout.strip() == ""
        server.shutdown()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{there}/", timeout=5)


def test_the_browser_shows_what_is_reversed_only(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(url=None)
    page = _Page()
    try:
        port = environment.link.reach_back(page.port)
        other = make_android(url=f"http://127.0.0.1:{port}/")
        assert other.observe().details["app"] == BROWSER and other.observe().frame.screen == Size(1080, 2400)
        other.execute(Press(keys=("back",)))
        assert phone.phone.foreground == LAUNCHER
        phone.unplug()
        assert not phone._reverse.leads(port), "it goes with the cable"
        phone.plug()
    finally:
        page.close()

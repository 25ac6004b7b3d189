"""What goes wrong: each ends in one line, and nothing hangs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Ask, Click, Open, Press, Type, Wait
from action_space.errors import ConfigError, DeviceError, InvalidAction, UnsupportedAction
from action_space.geometry import Point
from environments.browser import BrowserEnvironment
from environments.chromium import own_browser, process_of
from tests.environments.conftest import MakeBrowser, PageServer, page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("url", "kind", "text"),
    [
        ("javascript:alert(1)", ConfigError, "cannot open 'javascript:alert(1)': give a host"),
        ("what is this", ConfigError, "cannot open 'what is this'"),
        ("file:///no/such/file.html", ConfigError, "no such file"),
        ("http://no-such-host.invalid/", ConfigError, "no such host"),
        ("http://127.0.0.1:9/", DeviceError, "ERR_UNSAFE_PORT"),
    ],
)
def test_a_start_that_cannot_be_opened(chromium: Browser, url: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        BrowserEnvironment(url, browser=chromium)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_start_that_never_answers(chromium: Browser, server: PageServer) -> None:
    contexts = len(chromium.contexts)
    with pytest.raises(DeviceError, match=r"did not open: the server did not answer within 2\.7 s"):
        BrowserEnvironment(server.url("/silent"), browser=chromium, timeout_s=3)
    assert len(chromium.contexts) == contexts, "a failed start leaves no tab behind"


def test_addresses_of_the_model_that_do_not_open(make_browser: MakeBrowser, server: PageServer) -> None:
    environment = make_browser("<p>hello", timeout_s=3)
    for target in (
        "javascript:alert(1)",
        "http://no-such-host.invalid/",
        "file:///no/such/file",
        server.url("/silent"),
    ):
        with pytest.raises(InvalidAction) as caught:
            environment.execute(Open(target=target))
        assert "\n" not in str(caught.value)
    environment.execute(Open(target=server.url("/fine")))
    assert environment.observe().details["url"] == server.url("/fine")


def test_an_answer_without_a_page_changes_nothing(make_browser: MakeBrowser, server: PageServer) -> None:
    environment = make_browser(url=server.url("/here"))
    environment.execute(Open(target=server.url("/nothing")))
    assert environment.observe().details["url"] == server.url("/here")


def test_other_kinds_of_actions(make_browser: MakeBrowser) -> None:
    with pytest.raises(UnsupportedAction, match="a browser cannot 'ask': use one of click, drag"):
        make_browser("<p>").execute(Ask(question="Which one?"))


def test_the_last_tab_is_closed(make_browser: MakeBrowser) -> None:
    environment = make_browser("<p>hello")
    environment.observe()
    environment.page.close()
    for use in (environment.observe, lambda: environment.execute(Wait(seconds=0))):
        with pytest.raises(DeviceError, match=r"the last tab was closed.*: start again, or go on with --resume"):
            use()
    environment.release()


def crash(environment: BrowserEnvironment) -> None:
    with pytest.raises(PlaywrightError):
        environment.page.goto("chrome://crash", timeout=20_000)


def test_a_page_that_crashes(make_browser: MakeBrowser) -> None:
    environment = make_browser("<p>hello")
    environment.observe()
    crash(environment)
    for use in (environment.observe, lambda: environment.execute(Wait(seconds=0))):
        with pytest.raises(DeviceError, match=r"the page crashed.*--resume"):
            use()


def test_a_crashed_tab_is_left_for_the_one_before(make_browser: MakeBrowser) -> None:
    environment = make_browser("<title>first</title>")
    environment.execute(Press(keys=("ctrl", "t")))
    environment.observe()
    crash(environment)
    observation = environment.observe()
    assert observation.details["title"] == "first"
    assert "The page crashed." in observation.context


LOOP = "<button style='width:100px;height:50px' onclick='for(;;);'>hang</button>"

ALONE = """
import os, signal, sys
from environments.browser import BrowserEnvironment
from action_space.actions import Click
from action_space.geometry import Point
from action_space.errors import DeviceError
"""


def alone(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: these tests end a whole browser."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", ALONE + code],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=root,
        env=os.environ | env,
    )


def test_a_killed_browser_and_a_hanging_page() -> None:
    result = alone(f"""
environment = BrowserEnvironment({page("<p>hello")!r})
environment.observe()
os.kill(environment._process, signal.SIGKILL)
for use in (environment.observe, lambda: environment.execute(Click(point=Point(0, 0)))):
    try:
        use()
    except DeviceError as error:
        print(error)
environment.release()
environment.close()
environment = BrowserEnvironment({page(LOOP)!r}, timeout_s=5)
environment.observe()
try:
    environment.execute(Click(point=Point(20, 20)))
    environment.observe()
except DeviceError as error:
    print(error)
environment.release()
environment.close()
environment.close()
with BrowserEnvironment({page("<p>again")!r}) as environment:
    print(environment.observe().image.size)
""")
    assert result.stderr == ""
    *gone, hung, again = result.stdout.splitlines()
    assert len(gone) == 2
    assert all("browser" in line and "--resume" in line for line in gone), gone
    assert "did not react for" in hung
    assert again == "(1280, 720)"
    assert result.returncode == 0


def test_a_browser_that_does_not_close_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.chromium._CLOSE_S", 1.0)
    with own_browser() as browser:
        process = process_of(browser)
        os.kill(process, signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(0.02)


@pytest.mark.skipif(Path("/opt/google/chrome/chrome").exists(), reason="a Chrome is installed where it is always found")
def test_no_browser_at_all(tmp_path: Path) -> None:
    result = alone("BrowserEnvironment('about:blank')", PATH="", PLAYWRIGHT_BROWSERS_PATH=str(tmp_path))
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("action_space.errors.ConfigError: no Chromium was found; install one with `playwright")


def test_a_browser_that_does_not_start(tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries: libnss3.so' >&2\nexit 127\n")
    broken.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/bin", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    if Path("/opt/google/chrome/chrome").exists() or Path("/bin/chromium").exists():
        env["PATH"] = str(tmp_path)
    result = alone("BrowserEnvironment('about:blank')", **env)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("action_space.errors.DeviceError: no browser starts (")
    assert "libnss3.so" in last


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_a_visible_browser_without_a_display() -> None:
    result = alone("BrowserEnvironment('about:blank', headless=False)", DISPLAY="", WAYLAND_DISPLAY="")
    assert "ConfigError: a visible browser needs a display" in result.stderr.splitlines()[-1]


def test_a_thread_with_an_event_loop() -> None:
    result = alone("""
import asyncio
async def main():
    BrowserEnvironment('about:blank')
asyncio.run(main())
""")
    assert "ConfigError: the browser cannot be driven from this thread" in result.stderr


def test_two_environments_share_a_driver_that_survives_ctrl_c() -> None:
    result = alone(f"""
first = BrowserEnvironment({page("<title>1</title>")!r})
second = BrowserEnvironment({page("<title>2</title>")!r})
print(first.observe().details['title'], second.observe().details['title'])
first.close()
os.setpgrp() if os.getpgrp() != os.getpid() else None
signal.signal(signal.SIGINT, lambda *_: print('stopping', flush=True))
os.killpg(os.getpgrp(), signal.SIGINT)
second.release()
print(second.observe().details['title'])
second.close()
""")
    assert result.stdout.splitlines() == ["1 2", "stopping", "2"], result.stderr


def test_a_driver_that_has_died_is_replaced() -> None:
    result = alone(f"""
from environments.browser_watchdog import _drivers
first = BrowserEnvironment({page("<p>hello")!r})
for driver in _drivers():
    os.kill(driver, signal.SIGKILL)
second = BrowserEnvironment({page("<title>again</title>")!r})
first.close()
print(second.observe().details['title'])
second.close()
""")
    assert result.stdout == "again\n", result.stderr


def test_typing_goes_on_after_a_failure(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input id=a autofocus style='width:200px;height:30px'>")
    with pytest.raises(InvalidAction):
        environment.execute(Click(point=Point(5000, 1)))
    environment.execute(Click(point=Point(20, 10)))
    environment.execute(Type(text="fine"))
    assert environment.page.input_value("#a") == "fine"
    environment.release()


def test_pages_that_replace_each_other_are_looked_at(make_browser: MakeBrowser, server: PageServer) -> None:
    # Chromium never answers the call for a picture that it was drawing when the next page came.
    server.add(
        "/leaving",
        "<h1>Leaving</h1><script>setTimeout(() => location.href = '/leaving?' + Math.random(), 120)</script>",
    )
    environment = make_browser(url=server.url("/leaving"), settle_s=2.0)
    for _ in range(3):
        assert environment.observe().image.size == (640, 400)
    assert server.asked.count("/leaving") > 3

"""What happens beside the picture: tabs, dialogs, lists, files."""

import re
from pathlib import Path

import pytest

from action_space.actions import Click, Press
from action_space.geometry import Point, Size
from environments.browser import BrowserEnvironment
from environments.browser_tabs import DialogAnswer, one_line
from tests.environments.conftest import MakeBrowser, PageServer

pytestmark = pytest.mark.browser

HERE = Click(point=Point(40, 20))


def button(script: str) -> str:
    return f'<title>opener</title><button style="width:100px;height:40px" onclick="{script}">go</button>'


def test_a_new_tab_is_followed_and_a_closed_one_left(make_browser: MakeBrowser, server: PageServer) -> None:
    server.add("/child", button("window.close()").replace("opener", "child"))
    environment = make_browser(button(f"window.open('{server.url('/child')}')"))
    environment.execute(HERE)
    child = environment.observe()
    assert child.details["title"] == "child"
    assert child.details["url"] == server.url("/child")
    assert "A new tab was opened; it is shown now." in child.context
    environment.execute(HERE)
    opener = environment.observe()
    assert opener.details["url"].startswith("data:")
    assert "The tab was closed; the tab before it is shown now." in opener.context
    assert len(environment.observe().context) == 2, "a note is told once"


def test_a_pop_up_window_has_the_size_of_every_other_tab(make_browser: MakeBrowser, server: PageServer) -> None:
    server.add("/small", "<body bgcolor=lime>")
    html = button(f"window.open('{server.url('/small')}','_blank','width=300,height=200')")
    environment = make_browser(html, viewport=Size(640, 480), device_scale=1.5)
    environment.execute(HERE)
    observation = environment.observe()
    assert observation.frame.screen == Size(960, 720)
    assert observation.image.size == (960, 720)
    assert observation.image.getpixel((959, 719)) == (0, 255, 0)


def test_a_link_that_opens_a_tab(make_browser: MakeBrowser, server: PageServer) -> None:
    environment = make_browser(f"<a target=_blank href='{server.url('/there')}'>a link to click</a>")
    environment.execute(Click(point=Point(20, 8)))
    assert environment.observe().details["url"] == server.url("/there")


@pytest.mark.parametrize(
    ("script", "answer", "told", "result"),
    [
        ("alert('Saved.')", "accept", "The page showed a message, which was closed: 'Saved.'", "undefined"),
        ("alert('Saved.')", "dismiss", "The page showed a message, which was closed: 'Saved.'", "undefined"),
        ("confirm('Sure?')", "accept", "The page asked 'Sure?'; the answer was OK.", "true"),
        ("confirm('Sure?')", "dismiss", "The page asked 'Sure?'; the answer was Cancel.", "false"),
        ("prompt('Name?','Ada')", "accept", "The page asked 'Name?'; the answer was its own suggestion 'Ada'.", "Ada"),
        ("prompt('Name?','Ada')", "dismiss", "The page asked 'Name?'; the answer was Cancel.", "null"),
    ],
)
def test_dialogs_are_answered_and_told(
    make_browser: MakeBrowser, script: str, answer: DialogAnswer, told: str, result: str
) -> None:
    environment = make_browser(button(f"window.r = String({script})"), dialogs=answer)
    environment.execute(HERE)
    assert told in environment.observe().context
    assert environment.page.evaluate("r") == result


def test_a_dialog_while_the_page_loads_does_not_hang(make_browser: MakeBrowser) -> None:
    environment = make_browser("<script>alert('first\\nsecond')</script>hello")
    assert "The page showed a message, which was closed: 'first second'" in environment.observe().context


@pytest.mark.parametrize(("answer", "leaves"), [("accept", True), ("dismiss", False)])
def test_a_page_that_asks_before_it_is_left(
    make_browser: MakeBrowser, server: PageServer, answer: DialogAnswer, leaves: bool
) -> None:
    html = button(f"location='{server.url('/next')}'") + "<script>onbeforeunload = e => e.preventDefault()</script>"
    environment = make_browser(html, dialogs=answer)
    environment.execute(HERE)
    observation = environment.observe()
    word = "Leave" if leaves else "Stay"
    assert f"The page asked whether to leave it; the answer was {word}." in observation.context
    assert (observation.details["url"] == server.url("/next")) is leaves


SELECTS = """<style>select { position: absolute; left: 100px; width: 200px; height: 30px }
.own { appearance: none; background: #def; border: 3px solid #00f; font: 20px serif }</style>
<select id=s style='top:50px'><option>Alpha<option>Beta<option>Gamma<option>Delta</select>
<select id=own class=own style='top:200px'><option>Alpha<option>Beta<option>Gamma</select><div id=host></div>
<script>host.attachShadow({mode:'open'}).innerHTML = `<select style='position:absolute;left:600px;top:50px;width:200px'>
<option>Alpha<option>Beta<option>Gamma</select>`; window.changes = [];
addEventListener('change', e => changes.push(e.composedPath()[0].value), true)</script>"""
VALUES = "[s.value, own.value, host.shadowRoot.querySelector('select').value]"


def looks_open(environment: BrowserEnvironment, scale: float, at: Point) -> bool:
    """Whether the list, which has a border and texts, is on the screenshot below a select at `at` (CSS pixels)."""
    image = environment.observe().image.convert("L")
    box = (at.x * scale, (at.y + 30) * scale, (at.x + 100) * scale, (at.y + 90) * scale)
    low, _high = image.crop(tuple(round(edge) for edge in box)).getextrema()
    return isinstance(low, int) and low < 100


AT = (Point(110, 65), Point(110, 215), Point(610, 58))


@pytest.mark.parametrize(("index", "scale"), [(0, 1.0), (0, 1.5), (0, 2.0), (1, 1.0), (1, 2.0), (2, 1.5)])
def test_a_native_list_is_seen_and_clicked(make_browser: MakeBrowser, index: int, scale: float) -> None:
    at = AT[index]
    environment = make_browser(SELECTS, viewport=Size(900, 500), device_scale=scale)
    before = environment.page.evaluate(VALUES)
    assert not looks_open(environment, scale, at)
    environment.execute(Click(point=Point(round(at.x * scale), round(at.y * scale))))
    assert looks_open(environment, scale, at)
    second = environment.page.evaluate(
        "i => { const e = [s, own, host.shadowRoot.querySelector('select')][i].options[1].getBoundingClientRect();"
        "return [e.x + e.width / 2, e.y + e.height / 2] }",
        index,
    )
    environment.execute(Click(point=Point(round(second[0] * scale), round(second[1] * scale))))
    before[index] = "Beta"
    assert environment.page.evaluate(VALUES) == before
    # A change inside a shadow root is not heard outside of it.
    assert environment.page.evaluate("changes") == ([] if index == 2 else ["Beta"])
    assert not looks_open(environment, scale, at)


def test_a_select_keeps_its_look_and_its_own_style(make_browser: MakeBrowser) -> None:
    html = SELECTS.replace("id=s style='top:50px'", "id=s style='top: 51px'")
    environment = make_browser(html, viewport=Size(900, 500))
    box = "[s, own].map(e => JSON.stringify(e.getBoundingClientRect())).join()"
    before = environment.page.evaluate(box)
    for at in (Point(110, 65), Point(110, 215)):
        environment.execute(Click(point=at))
        assert environment.page.evaluate(box) == before
        environment.execute(Press(keys=("escape",)))
    environment.execute(Click(point=Point(850, 450)))
    environment.execute(Press(keys=("tab",)))
    environment.page.evaluate("document.activeElement.blur()")
    assert environment.page.evaluate("[s.getAttribute('style'), own.getAttribute('style')]") == [
        "top: 51px",
        "top:200px",
    ]


def test_a_list_by_keyboard(make_browser: MakeBrowser) -> None:
    environment = make_browser(SELECTS, viewport=Size(900, 500))
    environment.execute(Click(point=Point(110, 65)))
    for key in ("down", "down", "enter"):
        environment.execute(Press(keys=(key,)))
    assert environment.page.evaluate("s.value") == "Gamma"
    environment.page.evaluate("own.focus()")
    environment.execute(Press(keys=("space",)))
    assert looks_open(environment, 1.0, Point(110, 215))
    environment.execute(Press(keys=("down",)))
    environment.execute(Press(keys=("enter",)))
    assert environment.page.evaluate("own.value") == "Beta"


def test_a_long_list_near_the_lower_edge_stays_on_the_screen(make_browser: MakeBrowser) -> None:
    options = "".join(f"<option>number {i}" for i in range(60))
    environment = make_browser(f"<select id=s style='position:absolute;top:360px;left:10px'>{options}</select>")
    environment.execute(Click(point=Point(30, 368)))
    environment.observe()
    environment.execute(Press(keys=("end",)))
    x, y = environment.page.evaluate(
        "(() => { const r = s.options[59].getBoundingClientRect(); return [r.x + 5, r.y + 5] })()"
    )
    environment.execute(Click(point=Point(round(x), round(y))))
    assert environment.page.evaluate("s.value") == "number 59"


def test_a_file_chooser_is_told_and_does_not_hang(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input type=file style='width:200px;height:40px'>")
    environment.execute(HERE)
    told = "The page asked for a file to upload; no file was chosen."
    # A busy browser says so later: then the observation after the next one tells it.
    assert any(told in environment.observe().context for _ in range(30))


def test_downloads_are_saved_and_told(make_browser: MakeBrowser, server: PageServer, tmp_path: Path) -> None:
    server.add("/f", b"1,2\n", "text/csv", Content_Disposition='attachment; filename="../a b.csv"')
    environment = make_browser(f"<a href='{server.url('/f')}'>download this file now</a>", downloads=tmp_path / "files")
    for _ in range(2):
        environment.execute(Click(point=Point(30, 8)))
        observation = environment.observe()
        assert any(re.fullmatch(r"The file '.*a b\.csv' was downloaded to .*\.", line) for line in observation.context)
    saved = sorted((tmp_path / "files").iterdir())
    assert [path.read_bytes() for path in saved] == [b"1,2\n"] * 2
    assert [path.suffix for path in saved] == [".csv", ".csv"]
    assert observation.details["url"].startswith("data:")


def test_what_has_the_keyboard_is_told(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input type=password style='width:100px;height:40px'>")
    assert environment.observe().details["focus"] == "body"
    environment.execute(HERE)
    assert environment.observe().details["focus"] == "password"


def test_the_first_context_lines_say_where_we_are(make_browser: MakeBrowser, server: PageServer) -> None:
    server.add("/x", "<title>A\n title   with [breaks]</title>")
    observation = make_browser(url=server.url("/x")).observe()
    assert observation.context == (f"URL: {server.url('/x')}", "Title: A title with [breaks]")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\n\tb  c", "a b c"), ("x" * 300, "x" * 199 + "…"), ("zero\u200bwidth\u202e", "zero width"), ("", "")],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line

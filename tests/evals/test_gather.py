"""Going about in an application of one's own: what is kept, what is left alone, and what is wrong with some pages."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from action_space.errors import RecordingError
from action_space.geometry import Box
from environments.browser import BrowserEnvironment
from evals.benchmarks import load_source
from evals.online import sights, wander
from evals.online.album import A_SHARD, AGAIN, ALIKE, BARE, TEST, TRAIN, Album, counts_of, names_on, rarest, rows
from evals.online.gather import COUNTS, main
from evals.online.sights import FLAT, OTHERWISE, SIZE, TWICE, UNNAMED, Sight, look, state_of
from evals.online.wander import AVOID, Site, avoiding
from evals.outcome import read_steps
from vlm.training.data.render import Element, Screen
from vlm.training.data.shards import PARTIAL, read_shards
from vlm.training.sampled import read_sampled

WORDS = "amber birch cedar dune ember fjord grove heron inlet jetty kelp larch maple north olive pearl quarry reed"


def page(number: int) -> str:
    words = WORDS.split()
    name = words[number].capitalize()
    links = "".join(
        f"<p><a href=/p/{(number * 5 + k) % 18}>Go to {words[(number * 5 + k) % 18]}</a>" for k in range(1, 4)
    )
    return f"""<title>{name}</title><h1>{name}</h1>{links}<p><a href=/delete/{number}>Everything goes</a>
<p><button onclick="fetch('/gone')">Delete all</button> <a href=http://127.0.0.1:%OTHER%/>Our other site</a>
<p><label>Note for {name} <input></label> <label>Search {name} <input></label>
<p><label><input type=checkbox> Keep {name}</label> <select aria-label="Hue of {name}"><option>red<option>blue</select>
<p><a href=/file download>Save as file</a> <a href=/p/{number} target=_blank>New window</a>
<p><button onclick="confirm('Sure?') && fetch('/gone')">Ask me</button>
<p><button onclick="document.body.innerHTML='<button>Only '+this.id+'</button>'" id={name}>Clear {name}</button>"""


class Served(ThreadingHTTPServer):
    """A small application. asked: paths in order. on: what happens when a path is asked for."""

    def __init__(self, pages: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.asked = pages, list[str]()
        self.interrupt_at = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if len(self.server.asked) == self.server.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        body = self.server.pages.get(self.path.partition("?")[0])
        cookie = "sesame" in self.headers.get("Cookie", "")
        moved = (body or "").startswith("http://")
        self.send_response(404 if body is None else 302 if moved else 200)
        if moved:
            self.send_header("Location", str(body))
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if self.path == "/file":
            self.send_header("Content-Disposition", "attachment; filename=f.bin")
        self.end_headers()
        self.wfile.write((body or "nothing").replace("%WHO%", "Member" if cookie else "Guest").encode())

    def log_message(self, *_: object) -> None:
        """The console belongs to the tests."""


@contextmanager
def serving(pages: dict[str, str]) -> Iterator[Served]:
    with Served(pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def gather(url: str, out: Path, *options: object) -> int:
    return main(["--url", url, "--out", str(out), "--minutes", "20", *map(str, options)])


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served, Path]]:
    out = tmp_path_factory.mktemp("gathered") / "app"
    with serving({"/": "<title>Other</title><button>Stranger</button>"}) as other:
        pages = {f"/p/{n}": page(n).replace("%OTHER%", str(other.server_port)) for n in range(18)}
        with serving({**pages, "/": pages["/p/0"], "/file": "x"}) as site:
            assert gather(site.url, out, "--screens", 11, "--test-share", 0.3) == 0
            yield site, other, out


@pytest.mark.timeout(600)
def test_screens_become_shards_and_pages_are_divided(gathered: tuple[Served, Served, Path]) -> None:
    _, _, out = gathered
    counts = counts_of(out)
    assert counts[TRAIN]["screens"] + counts[TEST]["screens"] == 11 and min(c["screens"] for c in counts.values()) > 0
    states = [{state_of(row["url"], row["title"]) for row in rows(out / side)} for side in (TRAIN, TEST)]
    assert not states[0] & states[1] and len(states[0] | states[1]) >= 4
    for one in (sampled := read_sampled([out / TRAIN])).judged:
        assert one.record.kind == "grounding" and set(one.record.images) <= sampled.screens.keys()
        x, y = map(int, one.record.answer.removeprefix("click(").removesuffix(")").split(", "))
        assert any(box.left <= x < box.right and box.top <= y < box.bottom for box in one.record.truth.boxes)
    assert json.loads((out / COUNTS).read_bytes())[TEST] == counts[TEST]


@pytest.mark.timeout(600)
def test_what_is_asked_about_the_test_pages(gathered: tuple[Served, Served, Path]) -> None:
    out = gathered[2]
    steps, broken = read_steps(load_source("generated"), out / TEST)
    assert not broken and {step.groups["name"] for step in steps} == {"known", "new"}
    known, names = names_on(out / TRAIN), names_on(out / TEST)
    for step in steps:
        name = json.loads(step.instruction.removeprefix("click ").rpartition('"')[0] + '"').lower()
        assert name in names and (name in known) == (step.groups["name"] == "known")
        assert step.size == Image.open(out / TEST / step.image).size


def test_names_that_differ_by_numbers_alone_are_asked_for_once_a_screen() -> None:
    def screen(first: int) -> Screen:
        names = [*(str(first + i) for i in range(9)), *(f"#{first + i}" for i in range(9)), "Blame", "History"]
        links = (Element("link", name, Box(0, 20 * i, 90, 20 * i + 9)) for i, name in enumerate(names))
        return Screen(Path(), tuple(links), ())

    asked = Counter[str]()
    both = [{element.name for element in rarest(Random(1), screen(first), asked, 3)} for first in (10, 40)]
    assert all(len(names) == 3 and sum(name.isdigit() for name in names) <= 1 for names in both)
    assert {"Blame", "History"} <= both[0] | both[1] and set(asked) == {"0", "#0", "blame", "history"}


@pytest.mark.timeout(600)
def test_what_shall_be_left_alone_is_left_alone(gathered: tuple[Served, Served, Path]) -> None:
    site, other, out = gathered
    assert not other.asked and "/gone" not in site.asked and not [p for p in site.asked if p.startswith("/delete")]
    assert {"delete all", "everything goes", "our other site"} <= names_on(out / TRAIN), "they can be pointed at"
    assert "/file" not in {row["url"].removeprefix(site.url[:-1]) for row in rows(out / TRAIN)}


@pytest.mark.timeout(600)
def test_the_same_command_goes_on_and_another_does_not(
    gathered: tuple[Served, Served, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    site, _, out = gathered
    before = [row["image"] for row in rows(out / TRAIN)]
    (out / TRAIN / f"shard-00099{PARTIAL}").mkdir()
    assert gather(site.url, out, "--screens", 13, "--test-share", 0.3) == 0
    assert [row["image"] for row in rows(out / TRAIN)][: len(before)] == before
    assert sum(c["screens"] for c in counts_of(out).values()) == 13
    assert gather(site.url, out, "--screens", 13, "--test-share", 0.5) == 2
    assert "holds other screens" in capsys.readouterr().err


@pytest.mark.timeout(600)
def test_ctrl_c_loses_nothing(gathered: tuple[Served, Served, Path], tmp_path: Path) -> None:
    site = gathered[0]
    site.interrupt_at = len(site.asked) + 4
    assert gather(site.url, tmp_path / "app", "--screens", 20) == 130
    found = counts_of(tmp_path / "app")
    assert 2 <= sum(c["screens"] for c in found.values()) < 20, "less than a shard, and on disk"
    assert not list((tmp_path / "app").rglob(f"*{PARTIAL}"))


BUSY = """<title>Busy</title><button>Busy button</button><i id=i></i><script>alert('Hello');
setInterval(() => { i.textContent = Math.random(); fetch('/x'); }, 20)</script>"""
HANGS = "<title>Hang</title><button>Stuck button</button><script>setTimeout(() => { for (;;); }, 300)</script>"


@pytest.mark.timeout(600)
def test_a_page_that_never_rests_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wander, "SETTLE_S", 1.0)
    with serving({"/": BUSY}) as site:
        assert gather(site.url, tmp_path / "app", "--screens", 1, "--test-share", 0) == 0
    assert [row["title"] for row in rows(tmp_path / "app" / TRAIN)] == ["Busy"]


@pytest.mark.timeout(600)
def test_a_page_that_hangs_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wander, "TIMEOUT_S", 4.0)
    monkeypatch.setattr(wander, "SETTLE_S", 1.0)
    monkeypatch.setattr(sights, "READ_S", 4.0)
    start = "<title>Start</title><p><a href=/hang>Hang here</a>"
    with serving({"/": start, "/hang": HANGS}) as site:
        code = gather(site.url, tmp_path / "app", "--screens", 4, "--test-share", 0)
    said = capsys.readouterr().err
    assert "Start" in {row["title"] for row in rows(tmp_path / "app" / TRAIN)}
    assert "did not react" in said and "Traceback" not in said and code in (0, 3)


@pytest.mark.timeout(600)
def test_what_cannot_be_gathered_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wander, "STEPS", 2)
    (tmp_path / "file").write_text("no session")
    (tmp_path / "bare.html").write_text("<p>Nothing to press")
    closed = f"http://127.0.0.1:{free_port()}/"
    wrong: list[tuple[str, list[object], int, str]] = [
        (closed, [], 3, "refuses the connection"),
        ("ftp://x", [], 2, "cannot open"),
        (closed, ["--avoid", "(" * 3], 2, "no regular expression"),
        (closed, ["--storage-state", tmp_path / "file"], 2, "cannot read --storage-state"),
        ((tmp_path / "bare.html").as_uri(), ["--minutes", "0.05"], 2, "no control"),
    ]
    for number, (url, options, code, words) in enumerate(wrong):
        assert gather(url, tmp_path / f"out{number}", *options) == code, words
        said = capsys.readouterr().err.splitlines()
        assert words in said[-1] and said[-1].startswith("gather: ") and not any("Traceback" in line for line in said)
    for options in (["--screens", "0"], ["--test-share", "1"]):
        with pytest.raises(SystemExit):
            gather(closed, tmp_path / "out", *options)


@pytest.mark.timeout(600)
def test_an_application_that_is_elsewhere_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = {"/": "<button>Log in here</button>"}
    with serving(pages) as other, serving({"/": other.url}) as site:
        assert gather(site.url, tmp_path / "out") == 2
    assert "leads to another origin" in capsys.readouterr().err.splitlines()[-1]
    assert not list(rows(tmp_path / "out" / TRAIN))


def free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_port


def sight(number: int, *names: str, title: str = "") -> Sight:
    """A screen that is no other's."""
    png = BytesIO()
    Image.new("RGB", (100, 80), (number, 0, 0)).save(png, "PNG")
    elements = [{"kind": "button", "name": n, "box": [10 * i, 10, 10 * i + 9, 30]} for i, n in enumerate(names)]
    labels = {"elements": elements, "chars": [], "lines": [], "blocks": [], "hidden": {}, "size": [100, 80]}
    return Sight(png.getvalue(), "http://x/", title, labels)


def test_near_duplicates_are_dropped_and_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    album = Album(tmp_path, 0.0)
    assert album.add(sight(0, "Save", "Open")) == ""
    assert album.add(sight(0, "Other")) == AGAIN and album.add(sight(1, "open", "save")) == ALIKE
    assert album.add(sight(2)) == BARE and album.add(sight(3, "Twin", "twin")) == BARE
    for number in range(1, A_SHARD):
        assert album.add(sight(10 + number, f"Name {number}")) == ""
    (tmp_path / TRAIN / "shard-00001").write_text("in the way of the next one")  # what a full disk does to it
    (tmp_path / TRAIN / f"shard-00001{PARTIAL}").write_text("and this")
    album.add(sight(99, "Late"))
    with pytest.raises(RecordingError, match="shards before it are whole"):
        album.close()
    assert len(list(rows(tmp_path / TRAIN))) == A_SHARD and len(read_shards(tmp_path / TRAIN)[0]) == 1
    assert Album(tmp_path, 0.0).add(sight(50, "Save", "Open")) == ALIKE, "what is on disk is known"


TRICKY = """<meta charset=utf-8><title>t</title><body style="margin:0;font:16px sans-serif"><style>p{margin:8px}</style>
<p><input type=submit value="Apply now"> <input type=reset value="Start over">
<p><button aria-label="Settings" style="width:40px"><svg width=16 height=16><rect width=9 height=9 /></svg></button>
<button title="Empty one" style="width:40px;height:24px"></button>
<p><button aria-label="Something else">Written words</button> <button>Wi\u200bdth</button>
<p><a href=/logo><img alt="Our logo" src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='120'
 height='60'><rect width='50' height='60'/></svg>"></a>
<p><input type=checkbox style="opacity:0" aria-label="See-through"> <a name=x>Anchor only</a>
<ul><li role=menuitem style="width:200px;padding:6px"><a href=/a>Inner entry</a></ul>
<p style="width:90px"><a href=/b>A link that goes over several lines</a>
<p><button style="width:5px;height:5px;padding:0;border:0;background:red" aria-label="Tiny thing"></button>
<p><button aria-label="\u00d7">\u00d7</button> <details><summary>Details here</summary>x</details>
<div style="position:fixed;left:900px;top:0"><button style="margin:50px">Lies below</button></div>
<div style="position:fixed;left:930px;top:40px;width:60px;height:80px;background:#fff;border:1px solid"></div>
<a href=/c style="position:fixed;left:1200px;top:200px;width:300px">Over the edge</a>"""


@pytest.mark.timeout(600)
def test_labels_are_what_can_be_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "tricky.html").write_text(TRICKY)
    left_out = Counter[str]()
    with BrowserEnvironment((tmp_path / "tricky.html").as_uri()) as world:
        found = look(world, [], left_out)
    assert found is not None
    names = {row["name"]: row for row in found.labels["elements"]}
    assert set(names) == {"Apply now", "Start over", "Settings", "Width", "Our logo", "Inner entry", "Details here"}
    assert names["Settings"]["icon"] == "Settings" and "icon" not in names["Apply now"]
    left, top, right, bottom = names["Our logo"]["box"]
    assert (right - left, bottom - top) == (120, 60) and names["Our logo"]["icon"] == "Our logo"
    assert names["Inner entry"]["href"].endswith("/a") and names["Inner entry"]["kind"] == "link"
    assert {OTHERWISE, UNNAMED, SIZE, FLAT, TWICE, "covered", "outside"} <= {name for name, n in left_out.items() if n}


@pytest.mark.timeout(600)
def test_a_session_can_be_brought_along(tmp_path: Path) -> None:
    cookie = {"name": "key", "value": "sesame", "domain": "127.0.0.1", "path": "/", "expires": -1}
    more = {"httpOnly": False, "secure": False, "sameSite": "Lax"}
    (tmp_path / "state.json").write_text(json.dumps({"cookies": [cookie | more], "origins": []}))
    with (
        serving({"/": "<title>%WHO%</title>"}) as site,
        BrowserEnvironment(site.url, storage_state=tmp_path / "state.json") as world,
    ):
        assert world.observe().details["title"] == "Member"


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_address_has_a_state_and_is_ours_or_not(url: str, title: str) -> None:
    site = Site("http://127.0.0.1:8000/", avoiding(AVOID))
    assert isinstance(state_of(url, title), str)
    assert isinstance(site.allows({"name": title, "href": url}), bool)
    assert site.owns(url) == url.lower().startswith(
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000?")
    ) or not site.owns(url)


def test_pages_are_told_apart_by_path_title_and_route() -> None:
    assert state_of("http://x/a?q=1#part", "T") == state_of("http://x/a?q=2", "T") != state_of("http://x/b", "T")
    assert (
        state_of("http://x/#/inbox?p=2", "T") == state_of("http://x/#/inbox", "T") != state_of("http://x/#/sent", "T")
    )


@pytest.mark.parametrize(
    ("name", "href", "may"),
    [
        ("Save", "", True),
        ("Delete all", "", False),
        ("LOG OUT", "", False),
        ("Undeleted things", "", True),
        ("Yes", "http://x/delete_user?id=1", False),
        ("Bin", "http://x/wiki/dropdown", True),
        ("Mail us", "mailto:a@b.c", False),
        ("Run", "javascript:void(0)", True),
        ("Elsewhere", "http://y/", False),
    ],
)
def test_what_may_be_used(name: str, href: str, may: bool) -> None:
    assert Site("http://x/", avoiding(AVOID)).allows({"name": name, "href": href}) is may

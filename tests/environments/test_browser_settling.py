"""Settling on real pages."""

import io

import pytest
from PIL import Image, ImageDraw

from action_space.actions import Click
from action_space.geometry import Point
from tests.environments.conftest import MakeBrowser, PageServer

pytestmark = pytest.mark.browser

CAP_S = 8.0
"""Far above what is needed, so that a busy machine does not reach it."""


def gif() -> bytes:
    frames = [Image.new("RGB", (200, 200), "white") for _ in range(12)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).pieslice((10, 10, 190, 190), 30 * number, 30 * number + 60, fill="black")
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=60, loop=0)
    return data.getvalue()


CSS_SPINNER = """<style>@keyframes turn { to { transform: rotate(360deg) } } div { width: 160px; height: 160px;
margin: 100px; border: 20px solid #ccc; border-top-color: #06c; border-radius: 50%; animation: turn 1s linear infinite }
</style><div></div>"""
CANVAS = """<canvas id=c width=400 height=300></canvas><script>const g = c.getContext('2d'); let n = 0;
(function draw() { n += 7; g.fillStyle = `hsl(${n % 360} 90% 50%)`; g.fillRect(0, 0, 400, 300);
requestAnimationFrame(draw) })()</script>"""


@pytest.mark.parametrize("html", [CSS_SPINNER, CANVAS, "<img src='/anim.gif'>"], ids=["css", "canvas", "gif"])
def test_what_moves_for_ever_does_not_block(make_browser: MakeBrowser, server: PageServer, html: str) -> None:
    server.add("/anim.gif", gif(), "image/gif")
    server.add("/page", html)
    observation = make_browser(url=server.url("/page"), settle_s=CAP_S).observe()
    assert observation.settled
    assert observation.settle_s < CAP_S


def test_a_blinking_caret_does_not_block(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input style='font-size:40px'>", settle_s=CAP_S)
    environment.execute(Click(point=Point(20, 20)))
    for _ in range(3):
        assert environment.observe().settled


@pytest.mark.parametrize(
    "html",
    [
        "<div id=d></div><script>fetch('/slow?0.8').then(r => r.text()).then(t => d.innerHTML = t)</script>",
        "<iframe src='/slow?0.8' style='width:100vw;height:100vh;border:0'></iframe>",
        "<script src='/slow.js?0.8' async></script>",
    ],
    ids=["fetch", "frame", "script"],
)
def test_content_that_comes_late_is_on_the_picture(make_browser: MakeBrowser, server: PageServer, html: str) -> None:
    block = "<body style='margin:0'><div style='width:400px;height:400px;background:#0f0'></div>"
    server.add("/slow", block)
    server.add("/slow.js", "document.body.innerHTML = `" + block + "`", "text/javascript")
    server.slow.add("/slow.js")
    server.add("/page", "<body style='margin:0'>" + html)
    observation = make_browser(url=server.url("/page"), settle_s=CAP_S).observe()
    assert observation.image.getpixel((100, 100)) == (0, 255, 0)
    assert observation.settled
    assert "The page is still loading." not in observation.context


def test_a_click_that_loads_slowly_is_waited_for(make_browser: MakeBrowser, server: PageServer) -> None:
    environment = make_browser(f"<a href='{server.url('/slow?0.8')}'>the next page</a>", settle_s=CAP_S)
    environment.execute(Click(point=Point(20, 8)))
    observation = environment.observe()
    assert observation.details["url"] == server.url("/slow?0.8")


def test_a_page_that_never_ends_is_seen_and_told(make_browser: MakeBrowser, server: PageServer) -> None:
    observation = make_browser(url=server.url("/endless"), settle_s=1.0).observe()
    assert not observation.settled
    assert "The page is still loading." in observation.context
    assert observation.image.convert("L").getextrema() != (255, 255)

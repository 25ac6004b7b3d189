"""The mouse in a real Chromium: what the page's own listeners say."""

from typing import Any

import numpy as np
import pytest

from action_space.actions import Action, Button, Click, Direction, Drag, Effect, LongPress, Modifier, Move, Scroll
from action_space.errors import InvalidAction
from action_space.geometry import Point, Size
from environments.browser import BrowserEnvironment
from environments.effect import effect_of
from tests.environments.conftest import MakeBrowser, PageServer

pytestmark = pytest.mark.browser

LISTEN = """<div style='height:100vh'></div><script>
window.seen = [];
for (const type of ['mousedown', 'mouseup', 'click', 'dblclick', 'contextmenu', 'auxclick', 'mousemove'])
  addEventListener(type, e => seen.push({type, x: e.clientX, y: e.clientY, button: e.button, detail: e.detail,
    at: performance.now(), keys: [e.ctrlKey, e.shiftKey, e.altKey, e.metaKey]}));
addEventListener('contextmenu', e => e.preventDefault());
</script>"""


def seen(environment: BrowserEnvironment, *types: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = environment.page.evaluate("window.seen.splice(0)")
    return [event for event in events if event["type"] in types]


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_clicks_land_on_the_css_pixel_under_the_screenshot_pixel(make_browser: MakeBrowser, scale: float) -> None:
    environment = make_browser(LISTEN, viewport=Size(400, 300), device_scale=scale)
    observation = environment.observe()
    size = observation.frame.screen
    assert size == Size(round(400 * scale), round(300 * scale))
    assert observation.image.size == (size.width, size.height)
    grid = [
        Point(x, y)
        for x in (0, 1, 3, size.width // 2, size.width - 1)
        for y in (0, 7, size.height // 3, size.height - 1)
    ]
    for point in grid:
        environment.execute(Click(point=point))
    clicks = [(event["x"], event["y"]) for event in seen(environment, "click")]
    assert clicks == [(int(point.x / scale), int(point.y / scale)) for point in grid]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_what_is_seen_is_what_is_clicked(make_browser: MakeBrowser, scale: float) -> None:
    """The pixel of a coloured button, found in the screenshot, hits the button: on a scrolled page too."""
    environment = make_browser(
        "<div style='height:3000px'></div><button style='position:absolute;left:431px;top:1700px;width:9px;height:7px;"
        "border:0;padding:0;background:#f0f' onclick='document.title=1'></button><script>scrollTo(0,1500)</script>",
        device_scale=scale,
    )
    image = environment.observe().image
    rows, columns = np.nonzero((np.asarray(image) == (255, 0, 255)).all(axis=2))
    assert len(rows) == 63 * scale**2
    for x, y in ((int(columns[0]), int(rows[0])), (int(columns[-1]), int(rows[-1]))):
        environment.page.evaluate("document.title = 0")
        environment.execute(Click(point=Point(x, y)))
        assert environment.page.title() == "1"


PRESSES: list[tuple[Button, int, list[str]]] = [
    ("left", 1, ["mousedown1", "mouseup1", "click1"]),
    ("left", 2, ["mousedown1", "mouseup1", "click1", "mousedown2", "mouseup2", "click2", "dblclick2"]),
    ("right", 1, ["mousedown1", "contextmenu0", "mouseup1", "auxclick1"]),
    ("middle", 1, ["mousedown1", "mouseup1", "auxclick1"]),
]


def test_buttons_and_counts(make_browser: MakeBrowser) -> None:
    environment = make_browser(LISTEN)
    for button, count, expected in PRESSES:
        environment.execute(Click(point=Point(50, 60), button=button, count=count))
        events = seen(environment, "mousedown", "mouseup", "click", "dblclick", "contextmenu", "auxclick")
        assert [f"{event['type']}{event['detail']}" for event in events] == expected
        assert {event["button"] for event in events} == {{"left": 0, "middle": 1, "right": 2}[button]}


def test_a_triple_click_selects_the_paragraph(make_browser: MakeBrowser) -> None:
    environment = make_browser("<p style='margin:20px'>one two three</p><p>four</p>")
    environment.execute(Click(point=Point(28, 28), count=2))
    assert environment.page.evaluate("getSelection().toString().trim()") == "one"
    environment.execute(Click(point=Point(28, 28), count=3))
    assert environment.page.evaluate("getSelection().toString().trim()") == "one two three"


def test_modifiers_are_held_and_released(make_browser: MakeBrowser) -> None:
    environment = make_browser(LISTEN)
    held: list[tuple[Modifier, ...]] = [(), ("ctrl",), ("shift", "alt"), ("ctrl", "shift", "alt", "meta"), ()]
    for modifiers in held:
        environment.execute(Click(point=Point(5, 5), modifiers=modifiers))
        (click,) = seen(environment, "click")
        assert click["keys"] == [name in modifiers for name in ("ctrl", "shift", "alt", "meta")]


def test_modifiers_are_released_when_the_click_closes_the_page(make_browser: MakeBrowser, server: PageServer) -> None:
    server.add("/child", "<title>child</title><body onmousedown='window.close()'>click to close")
    environment = make_browser(
        f"""<button style='width:100px;height:50px' onclick="window.open('{server.url("/child")}')">x</button>
        <script>addEventListener('click', e => window.shift = e.shiftKey)</script>"""
    )
    environment.execute(Click(point=Point(10, 10)))
    assert environment.observe().details["title"] == "child"
    environment.execute(Click(point=Point(100, 100), modifiers=("shift",)))
    assert environment.observe().details["title"] == ""
    environment.execute(Click(point=Point(300, 300)))
    assert environment.page.evaluate("window.shift") is False


def test_moving_hovers(make_browser: MakeBrowser) -> None:
    environment = make_browser(LISTEN + "<style>div:hover{background:#0f0}</style>")
    environment.execute(Move(point=Point(30, 40)))
    assert (30, 40) in [(event["x"], event["y"]) for event in seen(environment, "mousemove")]
    assert environment.observe().image.getpixel((300, 300)) == (0, 255, 0)


def test_a_long_press_holds_the_button(make_browser: MakeBrowser) -> None:
    environment = make_browser(LISTEN)
    environment.execute(LongPress(point=Point(9, 9), seconds=0.4))
    down, up = seen(environment, "mousedown", "mouseup")
    assert up["at"] - down["at"] >= 390


def test_a_slider_follows_a_drag(make_browser: MakeBrowser) -> None:
    environment = make_browser(
        "<input type=range min=0 max=100 value=0 style='position:absolute;left:0;top:0;width:416px'>"
    )
    environment.execute(Drag(start=Point(8, 8), end=Point(208, 8), seconds=0.2))
    assert 48 <= int(environment.page.input_value("input")) <= 52
    environment.execute(Drag(start=Point(208, 8), end=Point(0, 8), seconds=0))
    assert environment.page.input_value("input") == "0"


def test_html5_drag_and_drop(make_browser: MakeBrowser) -> None:
    environment = make_browser("""<style>div{position:absolute;width:80px;height:80px;top:20px}</style>
        <div draggable=true style='left:20px;background:red'
        ondragstart="event.dataTransfer.setData('text','card')"></div>
        <div style='left:400px;background:#ccc' ondragover='event.preventDefault()'
        ondrop="document.title=event.dataTransfer.getData('text')"></div>""")
    environment.execute(Drag(start=Point(50, 50), end=Point(440, 60)))
    assert environment.page.title() == "card"


@pytest.mark.parametrize(
    ("scale", "direction", "amount", "moved"),
    [
        (1.0, "down", 3, (0, 300)),
        (2.0, "down", 1, (0, 100)),
        (1.5, "up", 2, (0, -200)),
        (1.0, "right", 1, (100, 0)),
        (1.0, "left", 4, (-400, 0)),
    ],
)
def test_scrolling_shows_what_is_further_in_that_direction(
    make_browser: MakeBrowser, scale: float, direction: Direction, amount: int, moved: tuple[int, int]
) -> None:
    environment = make_browser(
        "<div style='width:5000px;height:5000px'></div><p style='position:absolute;left:1300px;top:1300px'>Landmark</p>"
        "<script>scrollTo(1000, 1000)</script>",
        device_scale=scale,
    )
    before = environment.observe().image
    environment.execute(Scroll(point=Point(300, 300), direction=direction, amount=amount))
    observation = environment.observe()
    assert observation.settled
    assert environment.page.evaluate("[scrollX - 1000, scrollY - 1000]") == list(moved)
    assert observation.image.tobytes() != before.tobytes(), "the scroll had not landed when the picture was taken"


def test_scrolling_scrolls_what_is_under_the_point(make_browser: MakeBrowser) -> None:
    inner = "<div id=d style='width:200px;height:200px;overflow:auto'><div style='height:2000px'></div></div>"
    environment = make_browser(inner + "<div style='height:3000px'></div>")
    environment.execute(Scroll(point=Point(100, 100), direction="down", amount=2))
    environment.observe()
    assert environment.page.evaluate("[d.scrollTop, scrollY]") == [200, 0]


def test_points_outside_are_told_to_the_model(make_browser: MakeBrowser) -> None:
    environment = make_browser(LISTEN, viewport=Size(400, 300))
    actions: list[Action] = [
        Click(point=Point(400, 0)),
        Click(point=Point(0, -1)),
        Move(point=Point(0, 300)),
        Drag(start=Point(0, 0), end=Point(400, 300)),
        Scroll(point=Point(-1, 5), direction="up"),
    ]
    for action in actions:
        with pytest.raises(InvalidAction, match=r"outside the screen: x must be 0 to 399, y 0 to 299"):
            environment.execute(action)
    assert seen(environment, "mousedown", "mousemove") == []


FORM = (
    "<style>body{margin:0}input:focus{outline:3px solid red;outline-offset:2px}input{position:absolute}</style>"
    "<input style='left:40px;top:30px;width:120px;height:20px'><input type=checkbox style='left:42px;top:90px'>"
)


@pytest.mark.parametrize(
    ("scale", "at", "frame"), [(1.0, (100, 40), False), (2.0, (50, 98), False), (1.0, (100, 40), True)]
)
def test_a_click_beside_everything_has_no_effect_though_the_focus_goes(
    make_browser: MakeBrowser, scale: float, at: tuple[int, int], *, frame: bool
) -> None:
    """The ring around a field, and the colour of a box that the pointer is on, are gone behind it."""
    framed = f'<iframe style="position:absolute;left:30px;top:20px;border:4px solid" srcdoc="{FORM}"></iframe>'
    html = (framed if frame else FORM) + "<button style='position:absolute;left:400px;top:30px'>Clear</button>"
    environment = make_browser(html, device_scale=scale)
    if frame:
        at = at[0] + 34, at[1] + 24
    environment.observe()
    field, nowhere, button = (Point(round(x * scale), round(y * scale)) for x, y in (at, (400, 300), (420, 40)))

    def effect(point: Point) -> Effect:
        before = environment.observe()
        environment.execute(click := Click(point=point))
        return effect_of(before, environment.observe(), click)

    assert [effect(field), effect(nowhere), effect(nowhere)] == ["near", "none", "none"]
    assert effect(field) == "near"
    assert effect(button) != "none"


def test_a_click_on_what_is_chosen_already_reaches_it(make_browser: MakeBrowser) -> None:
    """Nothing changes, but it is no click beside everything: another try would choose something else."""
    environment = make_browser(
        "<style>body{margin:0;font:16px sans-serif}label,[type=text]{position:absolute;left:40px}"
        "[type=text]{caret-color:transparent}</style>"  # its blinking is a change, if there is time for it
        "<label style='top:30px'><input type=radio name=a checked>Morning</label>"
        "<label style='top:60px'><input type=radio name=a>Evening</label>"
        "<input type=text style='top:100px'><script>document.querySelector('[type=text]').focus()</script>"
    )
    environment.observe()

    def effect(x: int, y: int) -> Effect:
        before = environment.observe()
        environment.execute(click := Click(point=Point(x, y)))
        return effect_of(before, environment.observe(), click)

    assert effect(50, 110) == "reached"
    assert effect(90, 70) == "near"
    assert effect(90, 70) == "reached"
    assert effect(300, 250) == "none"

"""The rules of AndroidControl, AITW and GUI-Odyssey, on cases worked out by hand, holes included."""

import pytest

from evals.protocols import load_rule
from evals.protocols.values import Act, Direction, Node, Place, Region, Step

SIZE = (1000.0, 2000.0)
BOX = Region(100, 200, 200, 300)
"""Grown to 1.2 times: 90 to 210, 190 to 310."""
CORNER = Region(0, 0, 100, 100)
"""At the left top; grown with its corner held at 0, it reaches to 120."""


def step(act: Act, nodes: tuple[Node, ...] = ()) -> Step:
    return Step("s", (act,), SIZE, nodes=nodes, groups={"benchmark": "androidcontrol"})


def click(x: float, y: float, *targets: Region) -> Act:
    return Act("click", (x, y), targets=targets)


def text(words: str) -> Act:
    return Act("type", text=words)


def scroll(direction: Direction) -> Act:
    return Act("scroll", direction=direction)


def swipe(x: float, y: float, end_x: float, end_y: float) -> Act:
    return Act("drag", (x, y), (end_x, end_y))


def press(*keys: str) -> Act:
    return Act("press", keys=keys)


def app(name: str, *icons: Region, point: Place | None = None) -> Act:
    return Act("open", point, text=name, targets=icons)


Case = tuple[Act, Act, int]

QWEN: list[Case] = [
    (click(150, 250, BOX), click(90, 190), 1),  # the corner of the grown box
    (click(150, 250, BOX), click(89, 250), 0),  # 0.061 away and outside
    (click(150, 250, BOX), click(210.5, 250), 0),
    (click(500, 1000), click(539.9, 1000), 1),  # 0.0399 away, across
    (click(500, 1000), click(500, 1079.9), 1),  # the same along
    (click(500, 1000), click(530, 1080), 0),  # 0.05 away
    (click(500, 1000, BOX), click(150, 250), 1),  # any candidate box, even where the right point is not
    (click(150, 250, Region(0, 0, 1000, 2000)), click(500, 1000), 1),  # hole: a container as large as the screen
    (click(150, 250, BOX), Act("long_press", (150, 250)), 0),
    (Act("long_press", (150, 250), targets=(BOX,)), Act("long_press", (150, 250)), 1),
    (text("Hello world"), text("hello WORLD "), 1),
    (text("Hello world"), text("world"), 1),
    (text("world"), text("hello world again"), 1),
    (text("Hello world"), text(""), 1),  # hole: empty text
    (text("Hello world"), text("e"), 1),  # hole: one letter
    (text("Hello world"), text("help"), 0),
    (scroll("down"), scroll("left"), 1),  # hole: any swipe
    (scroll("down"), swipe(1, 1, 9, 9), 1),
    (swipe(500, 1800, 500, 600), scroll("up"), 1),
    (scroll("down"), click(500, 1000), 0),
    (app("RtistiQ"), app("rtistiq "), 1),
    (app("RtistiQ"), app(""), 1),  # hole: opening nothing
    (app("RtistiQ"), app("Chrome"), 0),
    (app("RtistiQ", BOX), click(205, 305), 1),  # a click inside the grown icon
    (app("RtistiQ", CORNER, BOX), click(89, 50), 1),  # near the first icon's centre, 50, 50
    (app("RtistiQ", BOX), click(500, 1000), 0),
    (app("RtistiQ"), click(150, 250), 0),  # no icon on the screen
    (press("back"), press("Back"), 1),
    (press("back"), press("home"), 0),
    (Act("wait"), Act("wait"), 1),
    (Act("wait"), Act("finish"), 0),
]


@pytest.mark.parametrize(("want", "did", "right"), QWEN)
def test_qwen_androidcontrol(want: Act, did: Act, right: int) -> None:
    assert load_rule("qwen-androidcontrol").score(step(want), [did]).value == right


def test_qwen_androidcontrol_skips_what_its_source_cannot_score() -> None:
    rule = load_rule("qwen-androidcontrol")
    assert rule.skips(step(Act("finish"))) == "the source raises NotImplementedError for finish"
    assert rule.skips(step(click(1, 1))) == ""
    assert rule.score(step(Act("wait")), []).value == 0


def test_qwen_androidcontrol_calls_a_click_on_an_icon_the_right_kind() -> None:
    rule = load_rule("qwen-androidcontrol")
    assert rule.score(step(app("x", BOX)), [click(900, 900)]).parts == {"type": 1}
    assert rule.score(step(app("x")), [click(900, 900)]).parts == {"type": 0}


FAR = [Region(left, 1500, left + 10, 1510) for left in (900, 910, 920, 930, 940)]

AGENTCPM: list[Case] = [
    (click(150, 250, BOX), click(90.1, 190.1), 1),
    (click(150, 250, BOX), click(89, 250), 0),
    (click(500, 1000), click(539.9, 1000), 1),  # 0.04 on AndroidControl
    (click(500, 1000), click(541, 1000), 0),
    (click(50, 50, CORNER), click(119, 119), 1),  # hole: at the edge it grows to one side, by both sides' worth
    (click(50, 50, CORNER), click(121, 50), 0),
    (click(925, 1505, *FAR, BOX), click(150, 250), 0),  # the sixth nearest does not count
    (click(925, 1505, *FAR[:4], BOX), click(150, 250), 1),  # the fifth does
    (text("Hello"), text("hel"), 1),
    (text("Hello"), text(""), 1),  # hole
    (text("Hello"), text("x"), 0),
    (scroll("down"), scroll("down"), 1),
    (scroll("down"), scroll("up"), 0),
    (scroll("down"), swipe(500, 1800, 500, 600), 1),  # a finger going up scrolls down
    (scroll("left"), swipe(200, 1000, 800, 1000), 1),  # and one going right scrolls left
    (scroll("down"), swipe(500, 1800, 790, 1200), 1),  # 0.29 across, 0.3 along: mainly along
    (scroll("down"), swipe(500, 1800, 810, 1200), 0),  # 0.31 across
    (scroll("down"), swipe(500, 500, 500, 500), 0),  # no direction
    (press("back"), press("back"), 1),
    (press("back"), press("home"), 0),
    (Act("finish"), Act("finish", status="failure"), 1),
    (Act("wait"), Act("finish"), 1),  # hole: a wait is a stop
    (Act("finish"), Act("wait"), 1),
    (Act("wait"), click(1, 1), 0),
]


@pytest.mark.parametrize(("want", "did", "right"), AGENTCPM)
def test_agentcpm(want: Act, did: Act, right: int) -> None:
    assert load_rule("agentcpm").score(step(want), [did]).value == right


@pytest.mark.parametrize(
    ("want", "did", "right"),
    [
        (click(500, 1000), click(640, 1000), 1),  # 0.14
        (click(500, 1000), click(641, 1000), 0),
        (click(925, 1505, BOX), click(150, 250), 0),  # only boxes that hold the right point
        (click(95, 250, BOX), click(205, 250), 1),  # it does once it has grown
    ],
)
def test_agentcpm_elsewhere(want: Act, did: Act, right: int) -> None:
    assert load_rule("agentcpm").score(Step("s", (want,), SIZE), [did]).value == right


def test_agentcpm_parts() -> None:
    rule = load_rule("agentcpm")
    assert rule.score(step(text("abcd")), [text("abxd")]).parts == {"type_acc": 1, "hit_rate": 1, "text_ratio": 0.75}
    assert rule.score(step(text("abcd")), [click(1, 1)]).parts == {"type_acc": 0, "hit_rate": 1}
    assert rule.score(step(text("abcd")), []).parts == {"type_acc": 0, "hit_rate": 0}
    assert rule.skips(step(app("x"))) == "the source has no rule for open"


OSATLAS: list[Case] = [
    (click(500, 1000), click(640, 1000), 1),
    (click(500, 1000), click(641, 1000), 0),
    (click(500, 1000), click(500, 1280), 1),
    (click(500, 1000, Region(0, 0, 1000, 2000)), click(900, 1000), 0),  # boxes do not count
    (text("Hello"), text(" hello"), 1),
    (text("Hello"), text("hell"), 0),
    (text("Hello"), text(""), 0),
    (scroll("down"), scroll("down"), 1),
    (scroll("down"), scroll("up"), 0),
    (app("Chrome"), app("chrome"), 1),
    (app("Chrome"), app("Chrom"), 0),
    (app("Chrome", BOX), click(150, 250), 0),
    (press("back"), press("back"), 1),
    (press("back"), press("home"), 0),
    (Act("wait"), Act("wait"), 1),
    (Act("finish"), Act("finish"), 1),
]


@pytest.mark.parametrize(("want", "did", "right"), OSATLAS)
def test_osatlas_14(want: Act, did: Act, right: int) -> None:
    assert load_rule("osatlas-14").score(step(want), [did]).value == right


def test_osatlas_14_reports_f1_beside() -> None:
    parts = load_rule("osatlas-14").score(step(text("a b c")), [text("a b")]).parts
    assert parts == {"type": 1, "text_f1": 0.8}


ROOM, BUTTON = Region(0, 0, 1000, 2000), Region(100, 200, 200, 300)
TREE = (
    Node(ROOM),
    Node(BUTTON, "", "Go BACK"),
    Node(Region(400, 400, 500, 500), "Google Chrome"),
    Node(Region(600, 600, 700, 700)),
)

UGROUND: list[Case] = [
    (click(150, 250), click(200, 300), 1),
    (click(150, 250), click(201, 300), 0),
    (click(10, 10), click(990, 1990), 1),  # only the whole screen holds it
    (Act("long_press", (150, 250)), Act("long_press", (160, 260)), 1),
    (click(150, 250), Act("long_press", (150, 250)), 0),
    (text("Hello"), text("Hello"), 1),
    (text("Hello"), text("hello"), 0),
    (text("Hello"), text(""), 0),
    (Act("type", (150, 250), text="Hello"), Act("type", (110, 210), text="Hello"), 1),
    (Act("type", (150, 250), text="Hello"), Act("type", (10, 10), text="Hello"), 0),
    (scroll("down"), scroll("down"), 1),
    (scroll("down"), scroll("up"), 0),
    (app("Chrome"), app("Chrome"), 1),
    (app("Chrome"), app("chrome"), 0),  # every argument equal
    (app("chrome"), click(450, 450), 1),  # its text contains the name
    (app("Maps"), click(450, 450), 0),
    (app("Chrome"), click(650, 650), 0),  # it says nothing
    (press("back"), click(150, 250), 1),  # its description contains "back"
    (press("back"), click(450, 450), 0),
    (press("device_home"), click(150, 250), 0),
    (click(150, 250), Act("press", (150, 250), keys=("back",)), 1),
    (
        click(150, 250),
        app("Nonsense", point=(450, 450)),
        1,
    ),  # hole: the name comes from the right answer, which has none
    (click(150, 250), app("Nonsense", point=(650, 650)), 0),
    (click(150, 250), app("Nonsense"), 0),
    (Act("wait"), Act("wait"), 1),
]


@pytest.mark.parametrize(("want", "did", "right"), UGROUND)
def test_uground_androidcontrol(want: Act, did: Act, right: int) -> None:
    assert load_rule("uground-androidcontrol").score(step(want, nodes=TREE), [did]).value == right


@pytest.mark.parametrize(
    ("want", "did", "right"),
    [
        (click(150, 250, ROOM, BOX), click(110, 210), 1),
        (click(150, 250, ROOM, BOX), click(300, 210), 0),  # in the larger one only
        (click(500, 500, BOX), click(500, 500), 0),  # hole: no box holds the right point
        (app("Chrome", BOX), click(150, 250), 0),
    ],
)
def test_uground_androidcontrol_without_a_tree(want: Act, did: Act, right: int) -> None:
    assert load_rule("uground-androidcontrol").score(step(want), [did]).value == right


UNIT = (1.0, 1.0)
SMALL = Region(0.4, 0.4, 0.5, 0.5)
"""Grown by 1.4 times its size: 0.33 to 0.57."""
EDGE = Region(0.0, 0.0, 0.1, 0.1)
"""Grown: 0 to 0.24, where 0.17 would be meant."""

AITW: list[Case] = [
    (click(0.34, 0.34, SMALL), click(0.56, 0.56), 1),  # x 2.4, not x 1.4
    (click(0.34, 0.34, SMALL), click(0.58, 0.58), 0),
    (click(0.05, 0.05, EDGE), click(0.23, 0.23), 1),  # hole: moved to 0 without being made smaller
    (click(0.05, 0.05, EDGE), click(0.25, 0.25), 0),
    (click(0.8, 0.8), click(0.8, 0.939), 1),
    (click(0.8, 0.8), click(0.8, 0.941), 0),
    (click(0.8, 0.8, SMALL), click(0.45, 0.45), 0),  # both have to be in it
    (click(0.8, 0.8), swipe(0.8, 0.8, 0.8, 0.839), 1),  # a short drag is a tap
    (click(0.8, 0.8), swipe(0.8, 0.8, 0.8, 0.85), 0),  # one tap, one drag
    (click(0.8, 0.8), Act("long_press", (0.8, 0.8)), 1),
    (scroll("down"), scroll("up"), 1),  # hole: the sign of a drag
    (scroll("down"), scroll("left"), 0),
    (swipe(0.5, 0.8, 0.6, 0.2), scroll("up"), 1),
    (swipe(0.1, 0.5, 0.9, 0.6), scroll("right"), 1),
    (text("hello"), text("anything"), 1),  # hole: typed text
    (text("hello"), click(0.5, 0.5), 0),
    (press("back"), press("back"), 1),
    (press("back"), press("home"), 0),
    (Act("finish"), Act("finish"), 1),
    (Act("finish"), Act("finish", status="failure"), 0),
    (Act("finish", status="failure"), Act("refuse"), 1),
]


@pytest.mark.parametrize(("want", "did", "right"), AITW)
def test_aitw(want: Act, did: Act, right: int) -> None:
    assert load_rule("aitw").score(Step("s", (want,), UNIT), [did]).value == right


def test_aitw_compares_texts_beside() -> None:
    rule = load_rule("aitw")
    assert rule.score(Step("s", (text("New York"),), UNIT), [text("york")]).parts == {"text_equal": 0, "text_part": 1}
    assert rule.score(Step("s", (text("York"),), UNIT), [text(" york")]).parts == {"text_equal": 1, "text_part": 1}
    assert rule.score(Step("s", (text("York"),), UNIT), [Act("wait")]).parts == {"text_equal": 0, "text_part": 0}


THOUSAND = (1000.0, 1000.0)

ODYSSEY: list[Case] = [
    (click(500, 500, Region(400, 400, 900, 900)), click(900, 900), 1),
    (click(500, 500, Region(400, 400, 900, 900)), click(901, 901), 0),  # not grown
    (click(500, 500), click(640, 500), 1),
    (click(500, 500), click(600, 600), 0),  # 0.1414 away
    (Act("long_press", (500, 500)), Act("long_press", (500, 500)), 1),
    (Act("long_press", (500, 500)), click(500, 500), 0),
    (text("New York"), text("York"), 1),
    (text("abcd"), text("abxy"), 1),  # 2 of 4: exactly 0.5
    (text("abcd"), text("axyz"), 0),
    (text("abcd"), text("ABCD"), 0),  # case counts
    (text("abcd"), text(""), 1),  # hole
    (scroll("down"), scroll("down"), 1),
    (scroll("down"), scroll("up"), 0),
    (swipe(500, 800, 500, 200), scroll("down"), 1),
    (press("back"), press("back"), 1),
    (press("back"), press("device_home"), 0),
    (Act("finish"), Act("finish"), 1),
    (Act("finish"), Act("finish", status="failure"), 0),
]


@pytest.mark.parametrize(("want", "did", "right"), ODYSSEY)
def test_gui_odyssey(want: Act, did: Act, right: int) -> None:
    assert load_rule("gui-odyssey").score(Step("s", (want,), THOUSAND), [did]).value == right


@pytest.mark.parametrize(
    "name", ["qwen-androidcontrol", "agentcpm", "osatlas-14", "uground-androidcontrol", "aitw", "gui-odyssey"]
)
def test_a_reply_that_could_not_be_read_is_a_miss(name: str) -> None:
    assert load_rule(name).score(step(click(1, 1)), []).value == 0

"""The rules of Mind2Web, AgentNet and OmniACT, on cases worked out by hand, dead rules included."""

import math

import pytest

from evals.protocols import load_rule
from evals.protocols.agentnet import NEAR
from evals.protocols.values import Act, Region, Score, Step

SIZE = (1000.0, 1000.0)
BOX, OTHER = Region(100, 100, 200, 200), Region(400, 400, 500, 500)
INSIDE, OUTSIDE = (150.0, 150.0), (900.0, 900.0)


def score(rule: str, step: Step, *acts: Act) -> Score:
    return load_rule(rule).score(step, acts)


def web(act: Act) -> Step:
    return Step("s", (act,), SIZE, episode="e")


def typed(words: str, *targets: Region) -> Act:
    return Act("type", INSIDE, text=words, targets=targets or (BOX,))


CLICK = Act("click", INSIDE, targets=(BOX,))


@pytest.mark.parametrize(
    ("want", "did", "element", "f1", "value"),
    [
        (CLICK, Act("click", (200, 200)), 1, 1, 1),
        (CLICK, Act("click", (200.4, 200)), 0, 1, 0),
        (CLICK, Act("move", INSIDE), 1, 1, 1),  # HOVER is CLICK
        (CLICK, Act("type", INSIDE, text="x"), 1, 0, 0),
        (typed("New York"), Act("type", INSIDE, text="york new"), 1, 1, 1),  # hole: a set has no order
        (typed("a b"), Act("type", INSIDE, text="b a a"), 1, 1, 1),  # and no repetition
        (typed("New York"), Act("type", INSIDE, text="york"), 1, 0.8, 0),  # {type, york} of {type, new, york}
        (typed("New York"), Act("type", OUTSIDE, text="New York"), 0, 1, 0),
        (Act("select", INSIDE, text="One", targets=(BOX,)), Act("type", INSIDE, text="One"), 1, 0.5, 0),
        (typed("x", BOX, OTHER), Act("type", (450, 450), text="x"), 0, 1, 0),  # only the first box
        (typed("x"), Act("type", text="x"), 0, 0, 0),  # no point: no F1 either
    ],
)
def test_seeclick_mind2web(want: Act, did: Act, element: float, f1: float, value: float) -> None:
    found = score("seeclick-mind2web", web(want), did)
    assert found.parts == pytest.approx({"element": element, "op_f1": f1}) and found.value == value


def test_seeclick_mind2web_rounds_the_box_to_three_decimals() -> None:
    """200 of 1280 is 0.15625: its own right edge, rounded to 0.156, is outside."""
    step = Step("s", (Act("click", targets=(Region(100, 100, 200, 200),)),), (1280, 1000))
    assert score("seeclick-mind2web", step, Act("click", (200, 150))).value == 0
    assert score("seeclick-mind2web", step, Act("click", (199.6, 150))).value == 1


def test_seeclick_mind2web_skips_a_step_without_a_box() -> None:
    rule = load_rule("seeclick-mind2web")
    assert rule.skips(web(Act("click", INSIDE))) == "no box of the right element"
    assert rule.skips(web(CLICK)) == "" and rule.per_episode


@pytest.mark.parametrize(
    ("want", "did", "element", "f1", "value"),
    [
        (typed("x", BOX, OTHER), Act("type", (450, 450), text="x"), 1, 1, 1),  # any box
        (typed("yes , please"), Act("type", INSIDE, text="Yes please"), 1, 1, 1),  # a lone comma is dropped
        (typed("yes, please"), Act("type", INSIDE, text="yes please"), 1, 2 / 3, 0),  # one that sticks to a word is not
        (typed("a"), Act("type", INSIDE, text="a ()"), 1, 1, 1),  # hole: "()" is part of Python's list
        (CLICK, Act("click", INSIDE, text="None"), 1, 1, 1),  # "none" is no value
        (typed("x"), Act("type", text="x"), 0, 1, 0),  # no point: the operation has its F1 still
        (Act("click", targets=(Region(0, 0, 10, 10),)), Act("click"), 1, 1, 1),  # hole: no point is 0, 0
    ],
)
def test_uground_mind2web(want: Act, did: Act, element: float, f1: float, value: float) -> None:
    found = score("uground-mind2web", web(want), did)
    assert found.parts == pytest.approx({"element": element, "op_f1": f1}) and found.value == value


# ----------------------------------------------------------------------------------------------------------- AgentNet


UNIT = (1.0, 1.0)
HERE = (0.5, 0.5)


def write(words: str) -> Act:
    return Act("type", text=words)


ENTER = Act("press", keys=("enter",))
POINT = Act("click", HERE)
BOXED = Act("click", HERE, targets=(Region(0.4, 0.4, 0.9, 0.9),))


def decayed(distance: float) -> float:
    return math.exp(-120 * (distance - NEAR))


@pytest.mark.parametrize(
    ("want", "did", "value"),
    [
        ([BOXED], [Act("click", (0.9, 0.9))], 1),
        ([BOXED], [Act("click", (0.91, 0.9))], decayed(math.hypot(0.41, 0.4))),
        ([POINT], [Act("click", (0.514, 0.5))], 1),  # within 0.01414
        ([POINT], [Act("click", (0.524, 0.5))], decayed(0.024)),
        ([POINT], [Act("click", HERE, count=2)], 0),  # doubleClick is another type
        ([POINT], [Act("click", HERE, button="right")], 0),
        ([Act("click", HERE, count=3)], [Act("click", HERE, count=3)], 1),
        ([Act("move", HERE)], [Act("move", HERE)], 1),
        ([Act("drag", end=HERE)], [Act("drag", (0.1, 0.1), HERE)], 1),
        ([write("hello")], [write("HELLO ")], 1),
        ([write("abcde")], [write("abcdX")], 1),  # 0.8
        ([write("abcd")], [write("abXY")], 0.5 / 0.8),
        ([write("")], [write("")], 1),
        ([write("hello\n")], [write("hello")], 1),  # dead rule: the newline penalty
        ([write("hello"), ENTER], [write("hello")], 1),  # merged, and the newline is stripped
        ([write("hello"), ENTER], [write("hello"), ENTER], 1),
        ([write("hello"), Act("hotkey", keys=("return",))], [write("hello"), ENTER], 1),
        ([Act("press", keys=("a",))], [Act("press", keys=("A",))], 1),
        ([Act("hotkey", keys=("ctrl", "c"))], [Act("hotkey", keys=("c", "ctrl"))], 1),  # hole: a set has no order
        ([Act("hotkey", keys=("ctrl", "c"))], [Act("hotkey", keys=("ctrl", "v"))], 0),
        ([Act("press", keys=("c",))], [Act("hotkey", keys=("c",))], 0),
        ([Act("scroll", direction="down")], [Act("scroll", direction="up")], 1),  # hole: the type alone
        ([Act("finish")], [Act("finish")], 1),
        ([Act("finish")], [Act("finish", status="failure")], 0),
        ([Act("finish", status="failure")], [Act("refuse")], 1),
        ([POINT], [Act("wait"), POINT], 0),  # dead rule: not 0.2 but 0, the first type decides
        ([POINT], [POINT, Act("wait"), Act("wait")], 1),  # extra predictions cost nothing
        ([POINT, write("abc")], [write("abc"), POINT], 0),  # by index: both of another type
        ([POINT, write("abc")], [POINT], 0.5),
        ([POINT, POINT, write("abc")], [POINT], 0.25),  # the mean over types: (1/2 + 0) / 2
        ([POINT, Act("wait")], [POINT, Act("wait")], 1),  # a type without a rule does not count
        ([POINT, Act("wait")], [POINT], 0.5),  # but where it is missed
        ([POINT], [], 0),
    ],
)
def test_agentnet(want: list[Act], did: list[Act], value: float) -> None:
    assert score("agentnet", Step("s", tuple(want), UNIT), *did).value == pytest.approx(value)


def test_agentnet_takes_the_best_alternative() -> None:
    step = Step("s", (POINT,), UNIT, alternatives=((write("abc"),), (ENTER,)))
    assert score("agentnet", step, ENTER).value == 1
    assert score("agentnet", step, write("abc")).value == 1
    assert score("agentnet", step, Act("scroll", direction="up")).value == 0


# ------------------------------------------------------------------------------------------------------------ OmniACT


TARGET = Region(0, 0, 30, 40)
"""Its diagonal is 50, its centre 15, 20."""
AIMED = Act("click", (15, 20), targets=(TARGET,))


@pytest.mark.parametrize(
    ("want", "did", "value"),
    [
        ([AIMED], [Act("click", (30, 40))], 1),
        ([AIMED], [Act("click", (80, 40))], 0.5),  # 50 outside: 1 - 50 / 100 is lost
        ([AIMED], [Act("click", (60, 80))], 0.5),  # 30 across, 40 down
        ([AIMED], [Act("click")], 1),  # 0, 0 is in this box
        ([Act("click", (16, 20), targets=(TARGET,))], [Act("click", (900, 900))], 1),  # hole: no box has that centre
        (
            [Act("click", (15, 20), button="right", targets=(TARGET,))],
            [Act("click", (900, 900), button="right")],
            1,
        ),  # hole
        ([Act("move", (15, 20), targets=(TARGET,))], [Act("move", (900, 900))], 1),  # hole: all but click are free
        ([AIMED], [Act("click", (15, 20), count=2)], 0),  # another name
        ([AIMED, ENTER], [AIMED], 0),  # another length
        ([AIMED, ENTER], [Act("click", (80, 40)), ENTER], 0.75),
        ([AIMED, ENTER], [AIMED, Act("press", keys=("tab",))], 0.5),
        ([Act("hotkey", keys=("ctrl", "c"))], [Act("hotkey", keys=("c", "ctrl"))], 1),
        ([Act("hotkey", keys=("ctrl", "c"))], [Act("hotkey", keys=("ctrl", "v"))], 0),
        ([write("abc")], [write("abc")], 1),
        ([write("ABC")], [write("ABC")], 0),  # hole: only the right text is lower-cased
        ([write("ABC")], [write("abc")], 1),
        ([write("a")], [write("a")], 0),  # hole: one character has no pairs
        ([write("abcd")], [write("abc")], math.exp(1 - 4 / 3)),  # brevity
        ([write("abcd")], [write("abxd")], math.sqrt(3 / 4 * 1 / 3)),
        ([Act("scroll", direction="down")], [Act("scroll", direction="up")], 1),
        ([Act("scroll", direction="down")], [Act("scroll", direction="left")], 0),
    ],
)
def test_omniact(want: list[Act], did: list[Act], value: float) -> None:
    found = score("omniact", Step("s", tuple(want)), *did)
    assert found.value == pytest.approx(value)
    assert found.weight == pytest.approx(len(want) - 0.9)

"""The rules of ScreenSpot, ScreenSpot-Pro and OSWorld-G, on cases worked out by hand."""

import pytest

from action_space.errors import ConfigError
from evals.protocols import PROTOCOLS, load_rule, rules_of
from evals.protocols.values import Act, Place, Region, Step

BOX = Region(10, 20, 110, 60)
L_SHAPE: tuple[Place, ...] = ((0, 0), (100, 0), (100, 40), (40, 40), (40, 100), (0, 100))


def target(kind: str = "text") -> Step:
    return Step("s", (Act("click", targets=(BOX,)),), (1000, 500), groups={"type": kind})


def click(x: float, y: float) -> Act:
    return Act("click", (x, y))


def value(rule: str, step: Step, *acts: Act) -> float:
    return load_rule(rule).score(step, acts).value


@pytest.mark.parametrize("rule", ["screenspot", "screenspot-pro", "osworld-g"])
@pytest.mark.parametrize(
    ("place", "right"),
    [
        ((10, 20), 1),  # every edge is inside
        ((110, 60), 1),
        ((9.999, 20), 0),
        ((110.001, 60), 0),
        ((60, 60.5), 0),
        ((60, 40), 1),
    ],
)
def test_a_point_in_the_box_edges_inside(rule: str, place: tuple[float, float], right: int) -> None:
    assert value(rule, target(), click(*place)) == right


def test_screenspot_takes_the_first_point_however_it_points() -> None:
    assert value("screenspot", target(), Act("wait"), Act("move", (60, 40)), click(500, 400)) == 1
    assert value("screenspot", target(), click(500, 400), click(60, 40)) == 0


@pytest.mark.parametrize(
    ("acts", "verdict"),
    [([click(60, 40)], "correct"), ([click(0, 0)], "wrong"), ([], "wrong_format"), ([Act("wait")], "wrong_format")],
)
def test_screenspot_pro_has_three_verdicts(acts: list[Act], verdict: str) -> None:
    score = load_rule("screenspot-pro").score(target("icon"), acts)
    assert score.why == verdict
    assert score.parts == {"wrong_format": float(verdict == "wrong_format"), "icon_acc": float(verdict == "correct")}


@pytest.mark.parametrize(
    ("place", "right"),
    [
        ((20, 80), 1),
        ((80, 20), 1),
        ((80, 80), 0),  # in the notch of the L
        ((0, 50), 1),  # a left edge is inside
        ((100, 20), 0),  # a right edge is not
        ((50, 0), 1),  # a top edge is
        ((20, 100), 0),  # a bottom edge is not
    ],
)
def test_osworld_g_polygons_by_ray_casting(place: tuple[float, float], right: int) -> None:
    step = Step("s", (), (200, 200), polygon=L_SHAPE)
    assert value("osworld-g", step, click(*place)) == right


@pytest.mark.parametrize(
    ("acts", "right"),
    [
        ([Act("refuse")], 1),
        ([Act("refuse"), click(60, 40)], 0),  # a refusal that points as well
        ([click(60, 40)], 0),
        ([], 0),  # saying nothing is no refusal
    ],
)
def test_osworld_g_refusals(acts: list[Act], right: int) -> None:
    assert value("osworld-g", Step("s", (), (200, 200), refusal=True), *acts) == right


@pytest.mark.parametrize(
    ("acts", "right"),
    [
        ([click(60, 40)], 1),
        ([click(60, 40), click(60, 40)], 0),
        ([Act("refuse")], 0),
        ([], 0),
        ([Act("refuse"), click(60, 40)], 1),
    ],
)
def test_osworld_g_wants_exactly_one_point(acts: list[Act], right: int) -> None:
    assert value("osworld-g", target(), *acts) == right


@pytest.mark.parametrize("rule", ["screenspot", "screenspot-pro", "osworld-g"])
def test_a_step_without_a_target_is_skipped(rule: str) -> None:
    assert load_rule(rule).skips(Step("s", ())) in {"no target box", "no target"}
    assert load_rule(rule).skips(target()) == ""


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_rule_bears_its_name_and_says_its_holes(name: str) -> None:
    rule = load_rule(name)
    assert rule.name == name and rule.version and rule.benchmarks
    module = __import__(PROTOCOLS[name].partition(":")[0], fromlist=["RULE"])
    assert "Holes:" in module.__doc__


def test_unknown_and_unfitting_protocols_are_said() -> None:
    with pytest.raises(ConfigError, match="screenspot-pro"):
        load_rule("sreenspot")
    with pytest.raises(ConfigError, match="does not score 'aitw': choose one of agentcpm, aitw"):
        rules_of("aitw", ("screenspot",))
    assert [rule.name for rule in rules_of("androidcontrol")] == [
        "qwen-androidcontrol",
        "agentcpm",
        "osatlas-14",
        "uground-androidcontrol",
    ]

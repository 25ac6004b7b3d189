"""Averages, intervals, baselines and what is left out, on numbers worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from evals.baselines import baselines
from evals.intervals import bootstrap
from evals.protocols.values import Act, Region, Rule, Score, Step
from evals.scoring import compare, evaluate

RULE = Rule(
    name="r", version="1", benchmarks=frozenset(), score=lambda step, acts: Score(float(step.id in acts[0].text), "")
)


def steps(**episodes: int) -> list[Step]:
    return [
        Step(f"{name}{number}", (), episode=name, number=number)
        for name, count in episodes.items()
        for number in range(count)
    ]


def right(names: str) -> Sequence[Act]:
    return [Act("type", text=names)]


def test_the_mean_over_steps_and_over_episodes() -> None:
    found = evaluate(RULE, steps(a=3, b=1), lambda _: right("a0 a1"))
    assert found.value == 0.5 and found.n == 4
    assert found.parts == {"macro": pytest.approx(1 / 3)}  # (2/3 + 0) / 2
    assert evaluate(replace(RULE, per_episode=True), steps(a=3, b=1), lambda _: right("a0 a1")).value == pytest.approx(
        1 / 3
    )


def test_the_mean_of_strata() -> None:
    rule = replace(RULE, strata=lambda step: step.id[0])
    assert evaluate(rule, steps(a=4, b=1), lambda _: right("a0 b0")).value == pytest.approx(0.625)  # (1/4 + 1) / 2


def test_weights() -> None:
    rule = replace(
        RULE, score=lambda step, _: Score(float(step.number == 0), "", {"p": 1.0 * step.number}, weight=step.number + 1)
    )
    found = evaluate(rule, steps(a=2), lambda _: right(""))
    assert found.value == pytest.approx(1 / 3) and found.parts["p"] == pytest.approx(2 / 3)


def test_success_and_progress_up_to_the_first_miss() -> None:
    found = evaluate(replace(RULE, episodes=True), steps(a=4, b=2), lambda _: right("a0 a1 a3 b0 b1"))
    assert found.parts["success_rate"] == 0.5
    assert found.parts["goal_progress"] == pytest.approx((2 / 4 + 1) / 2)


def test_a_step_without_a_prediction_is_left_out_and_counted() -> None:
    found = evaluate(RULE, steps(a=3), lambda step: None if step.id == "a2" else right("a0"))
    assert (found.value, found.n, found.skipped) == (0.5, 2, {"no prediction": 1})


def test_a_padded_rule_counts_it_as_a_miss_and_fills_episodes_up() -> None:
    rule = replace(RULE, padded=True, score=lambda _step, _acts: Score(1, "", {"p": 1.0}))
    some = [replace(step, steps=5) for step in steps(a=3)]
    found = evaluate(rule, some, lambda step: None if step.id == "a2" else right(""))
    assert (found.value, found.n, found.skipped) == (0.4, 5, {})
    assert found.parts["p"] == pytest.approx(0.4)


def test_what_a_rule_skips_is_said() -> None:
    rule = replace(RULE, skips=lambda step: "odd" if step.number % 2 else "")
    found = evaluate(rule, steps(a=5), lambda _: right("a0"))
    assert (found.n, found.skipped) == (3, {"odd": 2})


def test_nothing_to_score() -> None:
    found = evaluate(RULE, steps(a=2), lambda _: None)
    assert (found.value, found.low, found.high, found.n, found.skipped) == (None, None, None, 0, {"no prediction": 2})


def test_breakdowns() -> None:
    some = [replace(step, groups={"type": "icon" if step.number else "text"}) for step in steps(a=3)]
    assert evaluate(RULE, some, lambda _: right("a1")).groups == {"type: icon": (0.5, 2), "type: text": (0, 1)}


def test_the_six_accuracies_of_screenspot() -> None:
    from evals.protocols import load_rule

    some = [
        replace(step, groups={"platform": "web" if n < 3 else "mobile", "type": "icon" if n % 2 else "text"})
        for n, step in enumerate(CLICKS)
    ]
    found = evaluate(load_rule("screenspot"), some, lambda step: [Act("click", (5 if step.id < "s3" else 35, 5))])
    assert found.groups["web text"] == found.groups["platform: web, text"] == (0.5, 2)
    assert found.groups["web icon"] == (0, 1) and found.groups["mobile icon"] == (1, 1)
    assert found.value == pytest.approx((0.5 + 0 + 1 + 0) / 4)


def test_bootstrap_of_single_steps_is_near_the_binomial() -> None:
    values = np.array([1.0] * 50 + [0.0] * 50)
    low, high = bootstrap([(values, np.ones(100))])
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02) and high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)
    assert bootstrap([(values, np.ones(100))]) == (low, high), "the same seed draws the same"


def test_bootstrap_draws_episodes_not_steps() -> None:
    """Ten episodes of ten steps that succeed or fail together know as much as ten steps."""
    totals = np.array([10.0] * 5 + [0.0] * 5)
    low, high = bootstrap([(totals, np.full(10, 10.0))])
    assert low <= 0.25 and high >= 0.75


def test_bootstrap_without_doubt_and_without_data() -> None:
    assert bootstrap([(np.ones(3), np.ones(3))]) == (1, 1)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])


CLICKS = [Step(f"s{n}", (Act("click", targets=(Region(10 * n, 0, 10 * n + 10, 50),)),), (100, 50)) for n in range(5)]


def test_baselines_look_at_no_screen() -> None:
    blind = baselines(CLICKS)
    assert list(blind) == ["constant", "centre", "random", "empty text"]
    assert blind["centre"](CLICKS[0]) == [Act("click", (50, 25))]
    assert blind["constant"](CLICKS[0]) == [Act("click", (25, 25))]  # the median of 5, 15, 25, 35, 45
    assert blind["empty text"](CLICKS[0]) == [Act("type", text="")]
    once, again = blind["random"](CLICKS[0]), baselines(CLICKS)["random"](CLICKS[0])
    assert once == again and once != blind["random"](CLICKS[1])
    unsized = replace(CLICKS[0], size=None)
    assert blind["centre"](unsized) is None and blind["random"](unsized) is None and blind["constant"](unsized) is None


def test_the_constant_is_the_most_frequent_kind_with_its_most_frequent_words() -> None:
    some = [Step(f"s{n}", (Act("scroll", direction="down"),)) for n in range(3)]
    assert baselines([*some, *CLICKS[:2]])["constant"](CLICKS[0]) == [Act("scroll", direction="down")]
    assert baselines([])["constant"](CLICKS[0]) is None
    assert baselines([replace(step, size=None) for step in CLICKS])["constant"](CLICKS[0]) is None


def test_the_model_and_the_baselines_side_by_side() -> None:
    from evals.protocols import load_rule

    (found,) = compare([load_rule("screenspot")], CLICKS, lambda step: [Act("click", step.act.targets[0].center)])
    assert found.model.value == 1 and (found.model.low, found.model.high) == (1, 1)
    assert {name: each.value for name, each in found.baselines.items()} | {"random": 0} == {
        "constant": 0.2,
        "centre": 0.2,  # 50, 25 lies on the right edge of the fifth box
        "random": 0,
        "empty text": 0,
    }

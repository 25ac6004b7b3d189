"""What the rules compare with: texts, headings, boxes."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.protocols import PROTOCOLS, load_rule
from evals.protocols.comparing import bleu2, heading, indel_ratio, levenshtein, set_f1, similarity
from evals.protocols.values import Act, Direction, Kind, Node, Region, Step

TEXT = st.text(alphabet="abcä ", max_size=12)


def slow_levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for number, left in enumerate(one, start=1):
        above, row[0] = row[0], number
        for place, right in enumerate(other, start=1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (left != right))
    return row[-1]


def slow_indel(one: str, other: str) -> float:
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            rows[i + 1][j + 1] = rows[i][j] + 1 if left == right else max(rows[i][j + 1], rows[i + 1][j])
    both = len(one) + len(other)
    return 2 * rows[-1][-1] / both if both else 1.0


@given(TEXT, TEXT)
def test_edits_are_those_of_the_table(one: str, other: str) -> None:
    assert levenshtein(one, other) == slow_levenshtein(one, other)
    assert indel_ratio(one, other) == slow_indel(one, other)


def test_similarity_of_nothing() -> None:
    assert similarity("", "") == 1 and indel_ratio("", "") == 1 and set_f1(set(), set()) == 1
    assert similarity("", "abc") == 0 and set_f1(set(), {"a"}) == 0


@pytest.mark.parametrize(
    ("reference", "candidate", "value"),
    [
        ("abab", "abab", 1),
        ("abc", "", 0),
        ("", "abc", 0),
        ("abc", "xyz", 0),
        ("ab", "ba", 0),
        ("aa", "aaaa", (1 / 2 * 1 / 3) ** 0.5),
    ],
)
def test_bleu_of_characters(reference: str, candidate: str, value: float) -> None:
    assert bleu2(reference, candidate) == pytest.approx(value)


@pytest.mark.parametrize(
    ("start", "end", "direction"),
    [
        ((50, 80), (50, 20), "down"),
        ((50, 20), (50, 80), "up"),
        ((80, 50), (20, 50), "right"),
        ((20, 50), (80, 50), "left"),
        ((0, 0), (10, 20), "up"),  # on a screen of 100 x 200 a diagonal, which is vertical
        ((0, 0), (11, 20), "left"),
        ((5, 5), (5, 5), None),
    ],
)
def test_heading(start: tuple[float, float], end: tuple[float, float], direction: Direction | None) -> None:
    assert heading(Act("drag", start, end), (100, 200)) == direction


def test_a_box_grows_about_its_centre() -> None:
    assert Region(10, 10, 30, 50).grown(1.5) == Region(5, 0, 35, 60)


NUMBER = st.floats(-1e9, 1e9)
PLACE = st.none() | st.tuples(NUMBER, NUMBER)
REGION = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER).map(lambda sides: Region(*sides))


def acts() -> st.SearchStrategy[Act]:
    return st.builds(
        Act,
        kind=st.sampled_from(get_args(Kind)),
        point=PLACE,
        end=PLACE,
        text=st.text(max_size=4),
        direction=st.sampled_from([None, "up", "left"]),
        keys=st.sampled_from([(), ("back",), ("ctrl", "c"), ("enter",)]),
        targets=st.lists(REGION, max_size=3).map(tuple),
    )


@settings(max_examples=40)
@given(want=acts(), done=st.lists(acts(), max_size=2))
def test_no_rule_stumbles_over_what_was_done(want: Act, done: list[Act]) -> None:
    step = Step("s", (want,), (1000, 2000), nodes=(Node(Region(0, 0, 9, 9), "Back"),))
    for rule in map(load_rule, PROTOCOLS):
        if rule.skips(step) or (rule.name == "seeclick-mind2web" and want.kind not in {"click", "type", "select"}):
            continue
        score = rule.score(step, done)
        assert 0 <= score.value <= 1 and score.why and all(0 <= part <= 1 for part in score.parts.values())

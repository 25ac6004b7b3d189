"""Predictions from a file: what cannot be used is named with its line, whatever the file holds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.errors import ConfigError
from evals.predictions import Predictions, likely_scale, read_predictions
from evals.protocols import PROTOCOLS, load_rule
from evals.protocols.values import Act, Region, Step

STEPS = [
    Step(f"s{number}", (Act("click", (50, 50), targets=(Region(0, 0, 100, 100),)),), (1000, 2000))
    for number in range(9)
]
CLICK = {"kind": "click", "point": [10, 20]}


def read_lines(tmp_path: Path, *lines: object) -> Predictions:
    path = tmp_path / "p.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return read_predictions(path, STEPS)


def test_what_is_right_is_read(tmp_path: Path) -> None:
    found = read_lines(
        tmp_path,
        {"id": "s0", "action": CLICK},
        "",
        {"id": "s1", "action": None},
        {"id": "s2", "actions": [CLICK, {"kind": "hotkey", "keys": ["Ctrl", "C"]}]},
        {"id": "s3", "action": {"kind": "click", "box": [10, 10, 30, 50]}},
        {"id": "s4", "action": {"kind": "drag", "point": [0.5, 0.5], "end": [0.5, 0.25]}, "size": [1, 1]},
        {"id": "s5", "action": {"kind": "press", "keys": ["device_home"]}},
        {"id": "s6", "action": {"kind": "finish", "status": "failure", "text": "no"}},
    )
    assert found.problems == []
    assert found.acts == {
        "s0": (Act("click", (10, 20)),),
        "s1": (),
        "s2": (Act("click", (10, 20)), Act("hotkey", keys=("ctrl", "c"))),
        "s3": (Act("click", (20, 30)),),
        "s4": (Act("drag", (500, 1000), (500, 500)),),
        "s5": (Act("press", keys=("home",)),),
        "s6": (Act("finish", text="no", status="failure"),),
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ({"action": CLICK}, "id: Field required"),
        ({"id": 7, "action": CLICK}, "id: Input should be a valid string, not 7"),
        ({"id": "x", "action": CLICK}, "the id 'x' is none of the benchmark's"),
        ({"id": "s1"}, "give action"),
        ({"id": "s1", "action": CLICK, "actions": []}, "give action"),
        ({"id": "s1", "action": CLICK, "note": 1}, "note: Extra inputs are not permitted"),
        ({"id": "s1", "action": {"kind": "tap", "point": [1, 2]}}, "action.kind: Input should be 'click'"),
        ({"id": "s1", "action": {"kind": "click"}}, "click needs point or box"),
        ({"id": "s1", "action": {"kind": "click", "point": [1, 2], "box": [1, 2, 3, 4]}}, "a point and a box"),
        ({"id": "s1", "action": {"kind": "wait", "text": "x"}}, "wait takes no text"),
        ({"id": "s1", "action": {"kind": "drag", "point": [1, 2]}}, "drag needs end"),
        ({"id": "s1", "action": {"kind": "click", "point": [1]}}, "action.point"),
        ({"id": "s1", "action": {"kind": "click", "point": ["1", 2]}}, "valid number, not '1'"),
        ({"id": "s1", "action": {"kind": "click", "point": [True, 2]}}, "valid number, not True"),
        ('{"id": "s1", "action": {"kind": "click", "point": [NaN, 2]}}', "finite number, not nan"),
        ('{"id": "s1", "action": {"kind": "click", "point": [1e999, 2]}}', "finite number, not inf"),
        ({"id": "s1", "action": {"kind": "click", "point": [1e300, 2]}}, "less than or equal to 1000000000"),
        ({"id": "s1", "action": {"kind": "press", "keys": []}}, "action.keys"),
        ({"id": "s1", "action": CLICK, "size": [0, 5]}, "size.0: Input should be greater than 0"),
        ({"id": "s0", "action": CLICK}, "the id 's0' was predicted on line 1 already: that one counts"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: object, words: str) -> None:
    found = read_lines(tmp_path, {"id": "s0", "action": CLICK}, line, {"id": "s8", "action": CLICK})
    (only,) = found.problems
    assert only.where == "p.jsonl:2" and words in only.why and "\n" not in only.why
    assert set(found.acts) == {"s0", "s8"}, "the rest is still read"


def test_a_size_needs_a_screen(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": "s", "action": CLICK, "size": [1, 1]}))
    found = read_predictions(path, [Step("s", ())])
    assert "does not say how large" in found.problems[0].why


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the predictions"):
        read_predictions(tmp_path / "nothing.jsonl", STEPS)


@pytest.mark.parametrize(
    ("points", "size", "words"),
    [
        ([(0.1 * n, 0.1) for n in range(8)], (1000, 2000), "look like 0 to 1, not like pixels"),
        ([(0.1 * n, 0.1) for n in range(8)], (0, 0), "look like 0 to 1, not like pixels"),
        ([(0.1 * n, 0.1) for n in range(8)], (1, 1), ""),
        ([(0.1 * n, 0.1) for n in range(4)], (1000, 2000), ""),  # too few
        ([(100 * n, 990) for n in range(8)], (1080, 2400), "look like 0 to 1000"),
        ([(100 * n, 990) for n in range(8)], (1280, 720), "look like 0 to 1000"),  # below the screen's end
        ([(100 * n, 700) for n in range(8)], (1280, 720), ""),
        ([(20 * n, 700) for n in range(40)] + [(5, 999)], (1280, 720), ""),
        ([(100 * n, 1990) for n in range(8)], (1080, 2400), ""),
        ([(100 * n, 990) for n in range(8)], (1000, 1000), ""),
        ([(100 * n, 990) for n in range(8)], (1, 1), "this benchmark's are 0 to 1"),
    ],
)
def test_a_wrong_scale_is_noticed(points: list[tuple[float, float]], size: tuple[float, float], words: str) -> None:
    said = likely_scale([(size, point) for point in points])
    assert (words in said) if words else said == ""


def test_points_outside_are_counted(tmp_path: Path) -> None:
    found = read_lines(
        tmp_path, *({"id": f"s{n}", "action": {"kind": "click", "point": [n, 1999 + n]}} for n in range(4))
    )
    assert found.warnings == [
        "2 of 4 points lie outside their screens, the first on line 3: they are scored as they are"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from(["click", "type", "drag", "press", "scroll", "finish", "nonsense"])
NUMBERS = st.floats() | st.integers()
ACTION = st.fixed_dictionaries(
    {"kind": KINDS},
    optional={
        "point": st.lists(NUMBERS, min_size=2, max_size=2),
        "end": st.lists(NUMBERS, min_size=2, max_size=2),
        "text": st.text(max_size=5),
        "keys": st.lists(st.text(max_size=3), max_size=2),
        "direction": st.sampled_from(["up", "left", "sideways"]),
    },
)
LINE = st.fixed_dictionaries(
    {"id": st.sampled_from(["s0", "s1", "s2", "zzz"])},
    optional={"action": ACTION | JSON, "actions": st.lists(ACTION, max_size=2), "size": st.lists(NUMBERS, max_size=3)},
)


@given(
    st.lists(
        st.binary(max_size=40)
        | LINE.map(lambda x: json.dumps(x).encode())
        | JSON.map(lambda x: json.dumps(x).encode()),
        max_size=6,
    )
)
def test_any_file_gives_named_problems_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = read_predictions(path, STEPS)
    content = path.read_bytes().split(b"\n")
    for each in found.problems:
        name, _, number = each.where.partition(":")
        assert name == "fuzz.jsonl" and content[int(number) - 1].strip() and each.why and "\n" not in each.why
    # A byte order mark at the start is no text.
    used = sum(bool(line.removeprefix(b"\xef\xbb\xbf" if not at else b"").strip()) for at, line in enumerate(content))
    assert len(found.acts) + len(found.problems) == used
    # What got through can be scored by every rule.
    for rule in map(load_rule, PROTOCOLS):
        for step in STEPS[:3]:
            assert 0 <= rule.score(step, found.acts.get(step.id, ())).value <= 1

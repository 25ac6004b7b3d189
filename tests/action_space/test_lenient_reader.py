"""The reader of values as models write them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.dialects.lenient import NotAValue, Reader, Value

READ: list[tuple[str, object]] = [
    ('{"a": [1, -2, 3.5]}', {"a": [1, -2, 3.5]}),
    ('{"a": 1,}', {"a": 1}),
    ("[1, 2, ]", [1, 2]),
    ("{'a': 'it is \"so\"'}", {"a": 'it is "so"'}),
    ("{'a': True, 'b': None, \"c\": false}", {"a": True, "b": None, "c": False}),
    ("(532, 120)", [532, 120]),
    (r'"C:\Users \q"', r"C:\Users \q"),
    (r'"caf\u00e9 \ud83c\udf52 \x41"', "café 🍒 A"),
    ('"two\nlines"', "two\nlines"),
    ('{"a": {"b": [{"c": "d"}]}} and more', {"a": {"b": [{"c": "d"}]}}),
    ("+5", 5),
    ("1e3", 1000.0),
    ("{}", {}),
    ("[]", []),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_read(text: str, value: object) -> None:
    found = Reader(text).value()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[", '"', "{a: 1}", '{"a" 1}', '{"a": }', "[1 2]", "[1, 2)", "nan", "Infinity", "-", "__import__"),
        *('{"a": 1', '{"a": 1,', '{"a": [1, 2', '{"a": "b', "[" * 100_000, '{"a":' * 100_000, "9" * 50, "0x10", "1_0 "),
    ],
)
def test_not_read(text: str) -> None:
    reader = Reader(text)
    with pytest.raises(NotAValue):
        reader.value()
        if not reader.at_end():
            raise NotAValue("left over")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": {"b": "c"}', {"a": {"b": "c"}}),
        ('{"a": {"b": [1, 2]\n</tool_call>', {"a": {"b": [1, 2]}}),
        ('{"a": {"b": true', {"a": {"b": True}}),
        ('{"a": "b"\n```', {"a": "b"}),
    ],
)
def test_lost_braces(text: str, value: object) -> None:
    assert Reader(text, close_braces=True).value() == value


@pytest.mark.parametrize("text", ['{"a": 12', '{"a": [1, 2', '{"a": "b', '{"a": "b",', '{"a": "b", "c"', '{"a":'])
def test_what_may_have_lost_more_than_braces_is_not_completed(text: str) -> None:
    reader = Reader(text, close_braces=True)
    with pytest.raises(NotAValue):
        reader.value()
    assert reader.keys_read


def test_words_in_braces_are_no_object() -> None:
    reader = Reader("{this} is prose")
    with pytest.raises(NotAValue):
        reader.value()
    assert not reader.keys_read


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=10
)


def _depth(value: object) -> int:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, items), default=0)
    return 0


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_json_is_read_as_json_does(value: Value, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if _depth(value) <= 10:
        assert Reader(text).value() == json.loads(text)


@given(VALUES)
def test_python_literals_are_read(value: Value) -> None:
    text = repr(value)
    if _depth(value) <= 10 and "\\U" not in text:
        found = Reader(text).value()
        assert found == value or any(escape in text for escape in ("\\x", "\\u"))


@given(st.text(alphabet="{}[]()\"'\\,:-+.0123456789eaunxtrueTF \n", max_size=200), st.booleans())
def test_it_reads_or_says_that_it_cannot(text: str, close: bool) -> None:
    try:
        value = Reader(text, close_braces=close).value()
    except NotAValue as error:
        assert "\n" not in str(error)
        return
    if isinstance(value, float):
        assert not math.isnan(value)

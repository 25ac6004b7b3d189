"""No reply breaks a parser: whatever a model writes is read, or is the one error."""

import json
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Point, Size
from vlm.markdown import to_markdown
from vlm.qwen_html import parse_document, plain_html
from vlm.spans import parse_spans
from vlm.tasks import Count, parse_boxes, parse_count, parse_key_values, parse_points, parse_text

SIZE = Size(280, 140)
SAME = Frame(SIZE, SIZE)
PARSERS: list[Callable[[str], object]] = [
    lambda reply: parse_boxes(reply, SAME),
    lambda reply: parse_points(reply, SAME),
    lambda reply: parse_count(reply, SAME),
    lambda reply: parse_key_values(reply, ["label"]),
    lambda reply: parse_document(reply, SAME),
    parse_spans,
    parse_text,
]
JSON = ('{"bbox_2d": [', '"label": "', "point_2d", *"{}[],:\"'\\", "-1", "1e999", "9" * 45, "```", "<think>", "[]")
HTML = (
    *(
        "<p>",
        "</p>",
        '<div class="formula" data-bbox="1 2 3 4">',
        "<table><tr><td rowspan=3>",
        "<li>",
        "<!",
        "<![",
        "<?",
    ),
    *("<points x1='1' y1='2'", "</", "&#x110000;", "&lt", "<style>", "<script>", "<plaintext>", "<ol start=x>"),
    *("<img src='", "<b>", "<br/>", "<html>", "<iframe>"),
)
TIMES = ("00:01", " - ", " seconds", '"start": ', " to ")
ODD = ("\ud800", "\x00", "٣", "\n", "\u2028")
PIECES = st.sampled_from((*JSON, *HTML, *TIMES, *ODD))
REPLIES = st.lists(PIECES | st.text(max_size=4) | st.integers().map(str), max_size=30).map("".join) | st.text()


@given(REPLIES)
@example("{" * 3000)
@example('{"a":' * 3000)
@example("<body " * 5000)
@example("<div>" * 3000 + "x")
@example("<ul><li>" * 2000 + "x")
@example("[" * 30000)
@example('"' + "'\\" * 9000)
@example('{"label": ' * 2000)
@example("<![x" + "<!doctype" * 50)
def test_no_reply_breaks_a_parser(reply: str) -> None:
    for parse in PARSERS:
        try:
            str(parse(reply)).encode()
        except InvalidAction as error:
            assert "\n" not in str(error)
    to_markdown(reply).encode()
    plain_html(reply).encode()


NUMBERS = st.integers(-500, 500) | st.floats(-500, 500) | st.integers()
SIZES = st.builds(Size, st.integers(1, 4000), st.integers(1, 4000))


@given(st.lists(st.lists(NUMBERS, min_size=2, max_size=5), max_size=5), SIZES, SIZES)
def test_places_lie_in_the_picture(rows: list[list[float]], model: Size, screen: Size) -> None:
    frame = Frame(model, screen)
    reply = json.dumps([{"bbox_2d": row, "point_2d": row, "label": "x"} for row in rows])
    for parse in (parse_boxes, parse_points, parse_count):
        try:
            found = parse(reply, frame)
        except InvalidAction:
            continue
        for mark in found.places if isinstance(found, Count) else found:
            place = mark.place
            if isinstance(place, Point):
                assert screen.contains(place)
            else:
                assert 0 <= place.left < place.right <= screen.width and 0 <= place.top < place.bottom <= screen.height


BOX = st.tuples(st.integers(0, 278), st.integers(0, 138)).flatmap(
    lambda first: st.tuples(
        st.just(first[0]), st.just(first[1]), st.integers(first[0] + 1, 279), st.integers(first[1] + 1, 139)
    )
)
LABELS = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(BOX, LABELS), min_size=1, max_size=6), st.data())
def test_every_complete_item_survives_a_cut(items: list[tuple[tuple[int, ...], str]], data: st.DataObject) -> None:
    written = [json.dumps({"bbox_2d": box, "label": label}) for box, label in items]
    whole = "[" + ", ".join(written) + "]"
    cut = data.draw(st.integers(len(written[0]) + 1, len(whole)))
    complete = sum(1 + sum(len(one) + 2 for one in written[:n]) - 2 <= cut for n in range(1, len(written) + 1))
    found = [(mark.place, mark.label) for mark in parse_boxes(whole[:cut], SAME)]
    expected = [(Box(*box), label) for box, label in items]
    assert found[:complete] == expected[:complete]
    # One more where the cut fell behind its box, before the label, or before the closing brace.
    more = expected[complete : complete + 1]
    assert found[complete:] in ([], more, [(box, "") for box, _ in more])

"""What is read from replies in the exact forms, and in the forms that models make of them."""

import json

import pytest

from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Size
from vlm.spans import Span, parse_spans, seconds_of
from vlm.tasks import parse_boxes, parse_count, parse_key_values, parse_points, parse_text

SIZE = Size(280, 140)
SAME = Frame(SIZE, SIZE)
CAT, DOG = Box(10, 20, 30, 40), Box(50, 60, 70, 80)
TWO = '[{"bbox_2d": [10, 20, 30, 40], "label": "cat"}, {"bbox_2d": [50, 60, 70, 80], "label": "dog"}]'
BOTH = [(CAT, "cat"), (DOG, "dog")]


def boxes_of(reply: str, frame: Frame = SAME) -> list[tuple[Box, str]]:
    return [(found.place, found.label) for found in parse_boxes(reply, frame)]


def points_of(reply: str, frame: Frame = SAME) -> list[tuple[int, int, str]]:
    return [(found.place.x, found.place.y, found.label) for found in parse_points(reply, frame)]


BOXES: list[tuple[str, list[tuple[Box, str]]]] = [
    (TWO, BOTH),
    (f"```json\n{TWO}\n```", BOTH),
    (f"<think>[{{}}]</think>Here they are:\n{TWO}\nThat is all {{of them}}.", BOTH),
    (f'{{"objects": {TWO}}}', BOTH),
    (TWO.replace('"', "'"), BOTH),
    (TWO.replace("]", ",]").replace("}", ",}"), BOTH),
    (TWO.strip("[]").replace("}, {", "}\n{"), BOTH),
    (TWO[:-1], BOTH),
    (TWO[:-2], BOTH),
    (TWO[:-3], BOTH[:1]),  # inside the label
    (TWO[:70], BOTH[:1]),  # inside the second box
    (TWO[:48], BOTH[:1]),
    ('{"objects": ' + TWO[:60], BOTH[:1]),
    ('[{"bbox_2d": [10, 20, 30, 40]}]', [(CAT, "")]),
    ('[{"bbox_2d": [30, 40, 10, 20], "label": "cat"}]', [(CAT, "cat")]),
    ('[{"bbox_2d": [10, 40, 30, 20], "label": "cat"}]', [(CAT, "cat")]),
    ('[{"bbox_2d": "10 20 30 40", "label": "cat"}]', [(CAT, "cat")]),
    ('[{"bbox_2d": ["10", "20", 30.0, 39.5], "label": 7}]', [(CAT, "7")]),
    ('[{"bbox_2d": [[10, 20], [30, 40]], "label": "cat"}]', [(CAT, "cat")]),
    ('[{"bbox_2d": [10, 20, 30, 20, 30, 40, 10, 40], "label": "cat"}]', [(CAT, "cat")]),
    ('[{"bbox_2d": [[10, 20, 30, 40], [50, 60, 70, 80]], "label": "x"}]', [(CAT, "x"), (DOG, "x")]),
    ("[[10, 20, 30, 40], [50, 60, 70, 80]]", [(CAT, ""), (DOG, "")]),
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "a 5" disk"}, {"bbox_2d": [50, 60, 70, 80], "label": "dog"}]',
     [(CAT, 'a 5" disk'), (DOG, "dog")]),
    ('[{"bbox_2d": [10, 20, "x", 40], "label": "?"}, {"bbox_2d": [50, 60, 70, 80], "label": "dog"}]', BOTH[1:]),
    ('[{"bbox_2d": [0.1, 0.2, 0.5, 0.6], "label": "?"}, {"bbox_2d": [50, 60, 70, 80], "label": "dog"}]', BOTH[1:]),
    ('[{"bbox_2d": [-9, -9, 900, 900], "label": "all"}]', [(Box(0, 0, 280, 140), "all")]),
    ('[{"bbox_2d": [10, 20, 10, 20], "label": "speck"}]', [(Box(10, 20, 11, 21), "speck")]),
    ('[{"bbox_2d": [280, 140, 280, 140], "label": "corner"}]', [(Box(279, 139, 280, 140), "corner")]),
    (r'[{"bbox_2d": [10, 20, 30, 40], "label": "\ud800!"}]', [(CAT, "?!")]),
    ("[]", []),
    ("```json\n[ ]\n```", []),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "found"), BOXES)
def test_boxes(reply: str, found: list[tuple[Box, str]]) -> None:
    assert boxes_of(reply) == found


@pytest.mark.parametrize(
    "reply",
    ["", "There is no cat.", "{", '[{"bbox_2d": [1, 2', '{"bbox_2d": null}', '[{"bbox_2d": [400, 9, 500, 99]}]', "[1]"],
)
def test_no_boxes_is_the_models_mistake(reply: str) -> None:
    with pytest.raises(InvalidAction):
        parse_boxes(reply, SAME)


def test_a_long_list_that_was_cut_off_keeps_its_complete_items() -> None:
    items = [{"bbox_2d": [i % 200, 1, i % 200 + 9, 9], "text_content": f"line {i}"} for i in range(3000)]
    text = "```json\n" + json.dumps(items)
    assert len(parse_boxes(text[:-12], SAME)) == 2999


POINTS: list[tuple[str, list[tuple[int, int, str]]]] = [
    ('[{"point_2d": [10, 20], "label": "pin"}]', [(10, 20, "pin")]),
    ("{'point_2d': (10, 20), 'label': 'it's'}", [(10, 20, "it's")]),
    ('[{"point_2d": [10, 20]}, {"point_2d": [30, 4', [(10, 20, "")]),
    ('[{"point_2d": "10, 20", "label": "pin"}]', [(10, 20, "pin")]),
    ('[{"point_2d": [[10, 20], [30, 40]], "label": "pin"}]', [(10, 20, "pin"), (30, 40, "pin")]),
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "pin"}]', [(20, 30, "pin")]),
    ('<points x1="10" y1="20" x2="30.5" y2="40" alt="pins">pins</points>', [(10, 20, "pins"), (30, 40, "pins")]),
    ('<point x="10" y="20">a pin</point>', [(10, 20, "a pin")]),
    ('<points x1="10" y1="20" x2="30" y2="4', [(10, 20, "")]),
    ("[10, 20]", [(10, 20, "")]),
    ('{"point_2d": [-5, 999]}', [(0, 139, "")]),
    ('{"point_2d": [0, 0]}', [(0, 0, "")]),
    ("[]", []),
]


@pytest.mark.parametrize(("reply", "found"), POINTS)
def test_points(reply: str, found: list[tuple[int, int, str]]) -> None:
    assert points_of(reply) == found


WIDER = Frame(SIZE, Size(1120, 280))


@pytest.mark.parametrize(
    ("box", "scaled"),
    [
        ([10, 20, 30, 40], Box(40, 40, 120, 80)),
        ([0, 0, 280, 140], Box(0, 0, 1120, 280)),
        ([279, 139, 280, 140], Box(1116, 278, 1120, 280)),
        ([-50, -50, 400, 30], Box(0, 0, 1120, 60)),
    ],
)
def test_boxes_are_in_pixels_of_the_picture(box: list[int], scaled: Box) -> None:
    assert boxes_of(json.dumps({"bbox_2d": box}), WIDER) == [(scaled, "")]


@pytest.mark.parametrize(
    ("point", "scaled"),
    [([10, 20], (42, 41)), ([0, 0], (2, 1)), ([279, 139], (1118, 279)), ([280, 140], (1118, 279))],
)
def test_points_are_in_pixels_of_the_picture(point: list[int], scaled: tuple[int, int]) -> None:
    """A point is the pixel under the middle of the model's pixel, as in actions."""
    assert points_of(json.dumps({"point_2d": point}), WIDER) == [(*scaled, "")]


def test_a_picture_that_was_enlarged_for_the_model() -> None:
    assert boxes_of(TWO, Frame(SIZE, Size(28, 14))) == [(Box(1, 2, 3, 4), "cat"), (Box(5, 6, 7, 8), "dog")]
    assert boxes_of('{"bbox_2d": [10, 10, 12, 12]}', Frame(SIZE, Size(28, 14))) == [(Box(1, 1, 2, 2), "")]


COUNTS = [
    (f"```json\n{TWO}\n```\nThere are 2 animals in the image.", 2, 2),
    (f"{TWO}\nThere are three animals.", 2, 3),
    (TWO, 2, None),
    (TWO[:60], 1, None),
    (TWO[:70], 1, None),  # 60 is a coordinate
    ("[[10, 20, 30, 40], [50, 60, 70, 80]] There are 2.", 2, 2),
    ("There are 12 cups [roughly].", 12, 12),
    ('{"point_2d": [1, 2]} so 1', 1, 1),
    ("There are 12 cups on the 2 tables.", 12, 12),
    ("Two on the left and one on the right, so four in total", 4, 4),
    ("There are no cups.", 0, 0),
    ("```json\n[]\n```\nThere are none.", 0, 0),
    ("[]", 0, None),
]


@pytest.mark.parametrize(("reply", "count", "stated"), COUNTS)
def test_count(reply: str, count: int, stated: int | None) -> None:
    found = parse_count(reply, SAME)
    assert (found.count, found.stated) == (count, stated)
    assert len(found.places) in (count, 0)


def test_no_count() -> None:
    with pytest.raises(InvalidAction, match="neither"):
        parse_count("I cannot tell", SAME)


def test_ocr() -> None:
    reply = (
        '```json\n[\n{"bbox_2d": [10, 20, 30, 40], "text_content": "17" wide"},\n'
        '{"bbox_2d": [50, 60, 70, 80], "text_content": "Größe 漢字"},]'
    )
    assert boxes_of(reply) == [(CAT, '17" wide'), (DOG, "Größe 漢字")]


VALUES: list[tuple[str, dict[str, str | None]]] = [
    ('{"company": "ACME", "total": 12.50}', {"company": "ACME", "total": "12.50"}),
    ('```json\n{"Company ": "ACME", "TOTAL": null,}\n```', {"company": "ACME", "total": None}),
    ("{'company': 'ACME', 'address': 'x'}", {"company": "ACME", "total": None}),
    ('{"company": "ACME", "total": 12', {"company": "ACME", "total": None}),
    ('{"company": "ACME", "total": "12', {"company": "ACME", "total": None}),
    ('[{"company": "ACME"}, {"total": "9"}]', {"company": "ACME", "total": "9"}),
    ('{"fields": {"company": "ACME", "total": "9"}', {"company": "ACME", "total": "9"}),
    ('{"company": ["A", "B"], "total": true}', {"company": '["A", "B"]', "total": "true"}),
    ('{"fields": {"company": "ACME", "total": "9"}}', {"company": "ACME", "total": "9"}),
    ('{"company": "ACME", "total": null} {"total": "9"}', {"company": "ACME", "total": "9"}),
    ('{"company": "17" disk", "total": "9"}', {"company": None, "total": "9"}),
    ('{"company": "say \'total\': 5", "total": "9"}', {"company": "say 'total': 5", "total": "9"}),
    ('{"company": "ACME"', {"company": "ACME", "total": None}),
    ('{oh} {"company": "", "total": ""}', {"company": "", "total": ""}),
]


@pytest.mark.parametrize(("reply", "values"), VALUES)
def test_key_values(reply: str, values: dict[str, str | None]) -> None:
    assert parse_key_values(reply, ["company", "total"]) == values


@pytest.mark.parametrize("reply", ["", "ACME, 12.50", "{}", '{"date": "1"}', '{"company'])
def test_no_key_values(reply: str) -> None:
    with pytest.raises(InvalidAction, match="company"):
        parse_key_values(reply, ["company", "total"])


SPANS = [
    ("The given query happens in 64.0 - 72.0 seconds.", [Span(64, 72)]),
    ("From 01:04.00 to 01:12.50, and from 1:00:00 to 1:00:01.", [Span(64, 72.5), Span(3600, 3601)]),
    ("Between 2010 and 2015 it is at 3s to 5s", [Span(3, 5)]),
    ("in 64 - 72", [Span(64, 72)]),
    ('```json\n[{"start_time": "00:00.00", "end_time": "00:21.80", "description": "a pan"},', [Span(0, 21.8, "a pan")]),
    ('[{"start_time": "00:21.80", "end_time": "00:00.00"}, {"start_time": "00:3', [Span(0, 21.8)]),
    ('{"start": 1.5, "end": "3 seconds", "event": "x"}', [Span(1.5, 3, "x")]),
    ('{"timestamp": "00:01 - 00:02"}', [Span(1, 2)]),
    ('{"span": [1, 2]}', [Span(1, 2)]),
    ("[[1, 2.5], [3, 4]]", [Span(1, 2.5), Span(3, 4)]),
    ("[]", []),
]


@pytest.mark.parametrize(("reply", "found"), SPANS)
def test_spans(reply: str, found: list[Span]) -> None:
    assert parse_spans(reply) == tuple(found)


@pytest.mark.parametrize(
    "reply", ["", "It does not occur.", '{"start": true, "end": 1e400}', '{"start": -1, "end": 2}']
)
def test_no_spans(reply: str) -> None:
    with pytest.raises(InvalidAction):
        parse_spans(reply)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(64, 64.0), ("64.5s", 64.5), ("01:04.50", 64.5), ("01:01:04", 3664.0), ("soon", None), (True, None), (-1, None)],
)
def test_seconds(value: int | str, seconds: float | None) -> None:
    assert seconds_of(value) == seconds


def test_text() -> None:
    assert parse_text("<think>hm</think>\n It is red.\n") == "It is red."
    for reply in ("", " \n", "<think>It is red."):
        with pytest.raises(InvalidAction, match="empty"):
            parse_text(reply)

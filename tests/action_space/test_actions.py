"""Actions as data: validation, JSON and its schema."""

import json

import pytest
from pydantic import ValidationError

from action_space.actions import (
    ACTION,
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
    points_of,
)
from action_space.geometry import Point

HERE, THERE = Point(0, 7), Point(640, 0)
ONE_OF_EACH: list[Action] = [
    Click(point=HERE, button="right", count=2, modifiers=("ctrl", "shift")),
    Move(point=HERE),
    Drag(start=HERE, end=THERE, seconds=1.25),
    Scroll(point=HERE, direction="left", amount=7),
    Type(text="Schwarzwälder 🍒\n"),
    Press(keys=("ctrl", "a")),
    LongPress(point=HERE, seconds=2),
    Open(target="https://example.org/"),
    Wait(seconds=0),
    Ask(question="Which one?"),
    Finish(status="failure", text="no such page"),
]


@pytest.mark.parametrize("action", ONE_OF_EACH, ids=lambda action: action.kind)
def test_actions_survive_json(action: Action) -> None:
    assert ACTION.validate_json(ACTION.dump_json(action)) == action


def test_there_is_one_of_each() -> None:
    assert {action.kind for action in ONE_OF_EACH} == set(ACTION.json_schema()["discriminator"]["mapping"])


def test_the_schema_describes_every_action_and_nothing_else() -> None:
    schema = ACTION.json_schema()
    json.dumps(schema)
    assert schema["discriminator"]["propertyName"] == "kind"
    assert len(schema["oneOf"]) == len(ONE_OF_EACH) == 11
    for kind, reference in schema["discriminator"]["mapping"].items():
        definition = schema["$defs"][reference.removeprefix("#/$defs/")]
        assert definition["additionalProperties"] is False
        assert definition["properties"]["kind"]["const"] == kind
        assert definition["description"]
    click = schema["$defs"]["Click"]
    assert click["required"] == ["point"]
    assert click["properties"]["button"]["enum"] == ["left", "right", "middle"]
    assert schema["$defs"]["Point"]["required"] == ["x", "y"]
    assert schema["$defs"]["Scroll"]["properties"]["amount"]["maximum"] == 100


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "explode"},
        {"kind": "click"},
        {"kind": "click", "point": {"x": 1, "y": 2}, "speed": 3},
        {"kind": "click", "point": {"x": 1, "y": 2}, "count": 4},
        {"kind": "click", "point": {"x": 1.5, "y": 2}},
        {"kind": "click", "point": {"x": 1, "y": 2}, "button": "fourth"},
        {"kind": "scroll", "point": {"x": 1, "y": 2}, "direction": "down", "amount": 0},
        {"kind": "press", "keys": []},
        {"kind": "press", "keys": ["hyper_key"]},
        {"kind": "wait", "seconds": float("nan")},
        {"kind": "wait", "seconds": 61},
        {"kind": "open", "target": ""},
        {"kind": "finish", "status": "done"},
        {},
    ],
)
def test_what_is_no_action_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ACTION.validate_python(fields)


def test_keys_become_canonical() -> None:
    assert Press(keys=("Control_L", "A", "Return")).keys == ("ctrl", "a", "enter")


def test_actions_are_values() -> None:
    assert Move(point=HERE) == Move(point=Point(0, 7))
    assert len({Move(point=HERE), Move(point=Point(0, 7))}) == 1
    with pytest.raises(ValidationError):
        Move(point=HERE).point = THERE  # type: ignore[misc]


def test_points_of() -> None:
    touched = {action.kind: points_of(action) for action in ONE_OF_EACH}
    assert touched["drag"] == (HERE, THERE)
    assert {kind for kind, points in touched.items() if points == (HERE,)} == {"click", "move", "scroll", "long_press"}
    assert {kind for kind, points in touched.items() if not points} == {
        *("type", "press", "open", "wait", "ask", "finish")
    }

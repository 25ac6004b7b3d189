"""What holds for every dialect in the table: exact round trips, and InvalidAction as the only answer to nonsense."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
from action_space.dialects import DIALECTS, load_dialect
from action_space.errors import ConfigError, InvalidAction, UnsupportedAction
from action_space.geometry import Frame, Point, Size
from action_space.keys import KEYS

SCREEN = Size(1092, 728)
SAME = Frame(SCREEN, SCREEN)
NAMES = st.sampled_from(sorted(DIALECTS))

POINTS = st.builds(Point, st.integers(0, SCREEN.width - 1), st.integers(0, SCREEN.height - 1))
TEXTS = st.text(st.characters(codec="utf-8"))
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1)
KEY = st.sampled_from(KEYS) | st.sampled_from(list("a1+-.,/'\"\\éß"))
UP_TO_30 = st.floats(0, 30)
MODIFIERS = st.permutations(["ctrl", "shift", "alt", "meta"]).flatmap(
    lambda order: st.integers(0, 4).map(lambda count: tuple(order[:count]))
)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        Click,
        point=POINTS,
        button=st.sampled_from(["left", "right", "middle"]),
        count=st.integers(1, 3),
        modifiers=MODIFIERS,
    ),
    st.builds(Move, point=POINTS),
    st.builds(Drag, start=POINTS, end=POINTS, seconds=UP_TO_30),
    st.builds(
        Scroll,
        point=POINTS,
        direction=st.sampled_from(["up", "down", "left", "right"]),
        amount=st.integers(1, 100),
    ),
    st.builds(Type, text=TEXTS),
    st.builds(Press, keys=st.lists(KEY, min_size=1, max_size=5).map(tuple)),
    st.builds(LongPress, point=POINTS, seconds=UP_TO_30),
    st.builds(Open, target=SOME_TEXT),
    st.builds(Wait, seconds=st.floats(0, 60)),
    st.builds(Ask, question=SOME_TEXT),
    st.builds(Finish, status=st.sampled_from(["success", "failure"]), text=TEXTS),
)
_GROUNDERS = ("gta1", "holo1", "holo1_5", "ui_venus_ground", "infigui", "point_2d", "bbox_2d")
SPEAKS = {
    "computer_use": {"click", "move", "drag", "scroll", "type", "press", "wait", "finish"},
    "mobile_use": {"click", "drag", "type", "press", "long_press", "open", "wait", "finish"},
    "compact": {"click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait", "ask", "finish"},
    "ui_tars": {"click", "drag", "scroll", "type", "press", "wait", "ask", "finish"},
    "ui_tars_mobile": {"click", "drag", "scroll", "type", "press", "long_press", "open", "wait", "ask", "finish"},
    "gui_owl": {"click", "move", "drag", "scroll", "type", "press", "wait", "finish"},
    "gui_owl_mobile": {"click", "drag", "type", "press", "long_press", "open", "wait", "finish"},
    "ui_venus_navi": {"click", "drag", "scroll", "type", "press", "long_press", "open", "wait", "finish"},
    "fara": {"click", "move", "scroll", "type", "press", "open", "wait", "finish"},
    **{name: {"click"} for name in _GROUNDERS},
}
PARTLY = {"ui_venus_navi": {"click", "press"}, "fara": {"click", "scroll"}}
"""Kinds of which a family says some forms only. Without an entry: clicks."""

each_dialect = pytest.mark.parametrize("name", sorted(DIALECTS))


@each_dialect
def test_the_table_leads_to_dialects_of_that_name(name: str) -> None:
    dialect = load_dialect(name)
    assert dialect.name == name
    assert 0 < dialect.min_pixels < dialect.max_pixels
    assert set(SPEAKS) == set(DIALECTS)


def test_an_unknown_dialect_names_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="unknown dialect 'klingon': choose one of compact, computer_use, mobile_use"):
        load_dialect("klingon")


@each_dialect
@settings(max_examples=25)
@given(action=ACTIONS)
@example(action=Click(point=Point(SCREEN.width - 1, SCREEN.height - 1)))
@example(action=Press(keys=("ctrl", "+")))
@example(action=Press(keys=("ctrl", "+", "l")))
@example(action=Press(keys=("ctrl", "l")))
@example(action=Press(keys=("-", "-")))
@example(action=Press(keys=("-", "ctrl")))
@example(action=Press(keys=("delete", "home", "backspace")))
@example(action=Drag(start=Point(0, 0), end=Point(0, 0), seconds=0))
@example(action=Scroll(point=Point(0, 0), direction="up", amount=100))
@example(action=Type(text="<tool_call>{'a': 1}</tool_call>"))
@example(action=Type(text='\\")\nclick(1, 2)'))
@example(action=Type(text="it's done')\n\nAction: finished()\n"))
@example(action=Type(text="</think></action><action>Finished(content='')</action>"))
def test_what_is_rendered_is_read_back_exactly(name: str, action: Action) -> None:
    dialect = load_dialect(name)
    try:
        reply = dialect.render(action, SAME)
    except UnsupportedAction:
        assert action.kind not in SPEAKS[name] or action.kind in PARTLY.get(name, {"click"})
        return
    assert action.kind in SPEAKS[name]
    assert dialect.parse(reply, SAME) == action
    assert dialect.parse(f"I shall act.\n{reply}\n{reply}", SAME) == action


@given(NAMES, ACTIONS, st.sampled_from([Size(1288, 728), Size(560, 364), Size(28, 28), Size(2184, 1456)]))
def test_points_come_back_within_one_cell(name: str, action: Action, model: Size) -> None:
    dialect, frame = load_dialect(name), Frame(model, SCREEN)
    try:
        back = dialect.parse(dialect.render(action, frame), frame)
    except UnsupportedAction:
        return
    assert back.kind == action.kind
    for before, after in zip(points_of(action), points_of(back), strict=True):
        assert abs(before.x - after.x) <= max(1, SCREEN.width / model.width)
        assert abs(before.y - after.y) <= max(1, SCREEN.height / model.height)


def _only_invalid_action(name: str, reply: str) -> None:
    frame = Frame(Size(1092, 728), Size(1100, 720))
    try:
        action = load_dialect(name).parse(reply, frame, Point(3, 4))
    except InvalidAction as error:
        assert str(error)
        assert "\n" not in str(error)
        return
    assert ACTION.validate_python(ACTION.dump_python(action)) == action
    assert all(frame.screen.contains(point) for point in points_of(action))


@each_dialect
@settings(max_examples=25)
@given(reply=st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_any_text_is_an_action_or_invalid(name: str, reply: str) -> None:
    _only_invalid_action(name, reply)
    _only_invalid_action(name, f"<tool_call>\n{reply}")
    _only_invalid_action(name, f"click({reply})")
    _only_invalid_action(name, f"Action: type(content='{reply}')")
    _only_invalid_action(name, f"<action>Click(box={reply}")
    _only_invalid_action(name, f'[{{"point_2d": {reply}')


_ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 1100)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["left_click", "click", "ctrl", "(5, 6)", 10**400, -(10**30), float("nan"), "success", "down"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["x", "y", "action"]), inner),
    max_leaves=4,
)
_ARGUMENTS = [
    *("coordinate", "coordinate2", "start_coordinate", "keys", "text", "pixels", "time", "status", "button"),
    *("clear", "enter", "press_enter", "delete_existing_text", "url", "query", "fact"),
]
_WORDS = [
    *("key", "type", "mouse_move", "left_click", "left_click_drag", "double_click", "scroll", "hscroll", "wait"),
    *("terminate", "answer", "click", "long_press", "swipe", "system_button", "open", "drag", "fly"),
    *("visit_url", "web_search", "history_back", "refresh", "pause_and_memorize_fact"),
]
_FUNCTIONS = {
    "computer_use": "computer_use",
    "mobile_use": "mobile_use",
    "gui_owl": "computer_use",
    "gui_owl_mobile": "mobile_use",
    "fara": "computer_use",
}


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(_FUNCTIONS)),
    st.sampled_from(_WORDS),
    st.dictionaries(st.sampled_from(_ARGUMENTS), _ODD, max_size=4),
    st.sampled_from([repr, lambda value: repr(value).replace("'", '"')]),
)
def test_odd_arguments(name: str, word: str, arguments: dict[str, object], write: Callable[[object], str]) -> None:
    _only_invalid_action(name, write({"name": _FUNCTIONS[name], "arguments": {"action": word, **arguments}}))


_CALLS = ["click", "move", "drag", "scroll", "type", "press", "long_press", "open", "wait", "ask", "finish"]


@settings(max_examples=100)
@given(st.sampled_from(_CALLS), st.lists(_ODD, max_size=7))
def test_odd_values_in_compact_calls(name: str, values: list[object]) -> None:
    _only_invalid_action("compact", f"{name}({', '.join(map(repr, values))})")


_KEYWORD_CALLS = [
    *("click", "left_double", "drag", "scroll", "hotkey", "type", "wait", "finished", "call_user", "open_app"),
    *("long_press", "press_back", "Click", "LongPress", "Launch", "CallUser", "PressEnter", "fly"),
]
_KEYWORDS = [
    *("start_box", "end_box", "point", "direction", "key", "content", "app_name", "amount", "time", "status"),
    *("box", "start", "end", "app", "url"),
]


@settings(max_examples=100)
@given(
    st.sampled_from([("ui_tars", "Action: "), ("ui_tars_mobile", ""), ("ui_venus_navi", "<action>")]),
    st.sampled_from(_KEYWORD_CALLS),
    st.dictionaries(st.sampled_from(_KEYWORDS), _ODD, max_size=4),
)
def test_odd_values_in_calls_with_names(family: tuple[str, str], call: str, arguments: dict[str, object]) -> None:
    written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    _only_invalid_action(family[0], f"{family[1]}{call}({written})")


@settings(max_examples=30)
@given(
    st.sampled_from(_GROUNDERS),
    st.dictionaries(st.sampled_from(["x", "y", "action", "point_2d", "bbox_2d"]), _ODD),
    _ODD,
)
def test_odd_places(name: str, found: dict[str, object], place: object) -> None:
    _only_invalid_action(name, repr(found))
    _only_invalid_action(name, repr(place))


@each_dialect
@settings(max_examples=25)
@given(action=ACTIONS, data=st.data())
def test_damaged_replies(name: str, action: Action, data: st.DataObject) -> None:
    try:
        reply = load_dialect(name).render(action, SAME)
    except UnsupportedAction:
        reply = load_dialect(name).render(Click(point=Point(532, 120)), SAME)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(reply)))
        end = data.draw(st.integers(start, min(len(reply), start + 10)))
        patch = data.draw(st.text(st.sampled_from("{}[]()\"'\\,:-. 0159eNa\n\ud800"), max_size=5))
        reply = reply[:start] + patch + reply[end:]
    _only_invalid_action(name, reply)


@each_dialect
@settings(max_examples=25)
@given(action=ACTIONS, data=st.data())
def test_a_reply_that_was_cut_off_never_becomes_another_action(name: str, action: Action, data: st.DataObject) -> None:
    dialect = load_dialect(name)
    try:
        reply = dialect.render(action, SAME)
    except UnsupportedAction:
        return
    length = data.draw(st.integers(0, len(reply)))
    try:
        cut = dialect.parse(reply[:length], SAME)
    except InvalidAction:
        return
    # Only what an optional argument at the end said may be lost with it.
    assert cut.kind == action.kind
    assert points_of(cut) == points_of(action)


@given(st.text(st.characters()) | st.builds(" ".join, st.lists(st.sampled_from([*_CALLS, "done", '"a', '"a"', "1"]))))
def test_any_plan_is_an_action_none_or_invalid(plan: str) -> None:
    for name in DIALECTS:
        try:
            action = load_dialect(name).plan_action(plan, SAME)
        except InvalidAction as error:
            assert "\n" not in str(error)
            continue
        assert action is None or action.kind == "scroll" or not points_of(action)

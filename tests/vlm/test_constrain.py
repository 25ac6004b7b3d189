"""Whatever a model would say, what it does say under a grammar is an action of the dialect, inside the screen."""

import json
import random
import re
import string
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from action_space.actions import Click, points_of
from action_space.dialects import DIALECTS, load_dialect
from action_space.dialects.base import PastStep, SaysNames, Turn
from action_space.errors import ModelError
from action_space.geometry import Frame, Point, Size
from vlm.constrain import Guides, grammar_of_regex, grammar_of_schema
from vlm.training.tokenizer import byte_tokenizer

TOKENS = byte_tokenizer()
STOP = TOKENS.token_to_id("<|im_end|>")
GUIDES = Guides(TOKENS, 928, STOP)
SIZE = Size(1288, 728)
FRAME = Frame(SIZE, SIZE)


def said(grammar: str, rng: random.Random, most: int = 400) -> str:
    """A random text that a grammar allows, chosen by a model that has no idea."""
    guide, ids = GUIDES.guide(grammar), []
    while len(ids) < most:
        new = guide.forced()
        if not new:
            if guide.ended:
                break
            # Letters long before others, and an end as soon as there may be one: otherwise strings hardly ever close.
            logits = torch.tensor([rng.random() - 3 * (i >= 128 and i not in (STOP,)) for i in range(928)])
            logits[[STOP, ord('"'), ord(")")]] += torch.tensor([2.0, 0.3, 0.3])
            token = int(guide.allowed(logits).argmax())
            if token == STOP:
                break
            guide.take(token)
            new = [token]
        ids += new
    return str(TOKENS.decode(ids))


@pytest.mark.parametrize("name", [n for n in DIALECTS if load_dialect(n).grammar(FRAME)])
def test_all_that_a_grammar_allows_is_an_action_inside_the_screen(name: str) -> None:
    dialect, rng = load_dialect(name), random.Random(name)
    grammar = dialect.grammar(FRAME)
    assert grammar
    for _ in range(25):
        reply = said(grammar, rng)
        action = dialect.parse(reply, FRAME, None)
        assert all(0 <= p.x < SIZE.width and 0 <= p.y < SIZE.height for p in points_of(action)), reply


TASKS = (
    'Type "Tom Becker" into "Größe in m", then press "File ticket".',
    'Say "C:\\new" and\nленты; {x} </y> \t ' + "'one' " * 40,
    "x",
    "7",
    "press the button",
)


@pytest.mark.parametrize("task", TASKS)
def test_a_plan_quotes_the_task_word_by_word(task: str) -> None:
    dialect, rng = load_dialect("compact"), random.Random(task)
    grammar = dialect.plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME))
    assert grammar
    for _ in range(40):
        plan = said(grammar, rng)
        action = dialect.plan_action(plan, FRAME)
        quoted = re.fullmatch(r'(click|type|open) (".*")( button| field| checkbox)?', plan, re.DOTALL)
        if quoted is None:
            assert re.fullmatch(r"(press|scroll|wait|look|done|failed)\b.*", plan), plan
        else:
            text = json.loads(quoted[2])
            ends = [r"\b" if re.match(r"\w", char) else "" for char in (text[0], text[-1])]
            assert re.search(ends[0] + re.escape(text) + ends[1], task), plan
            assert text == text.strip(" "), plan
        assert (action is None) == plan.startswith(("click", "look")), plan


def quoted_in(grammar: str, rng: random.Random, plans: int) -> set[str]:
    """What is clicked, typed and opened in so many plans."""
    found = (re.match(r'(?:click|type|open) (".*")', said(grammar, rng)) for _ in range(plans))
    return {json.loads(match[1]) for match in found if match}


def test_what_a_task_has_in_quotes_is_said_whole() -> None:
    dialect, rng = load_dialect("compact"), random.Random(3)
    task = """Type "Elm Street 4" into "Street", press «Don't Save» and close the window."""
    grammar = dialect.plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME))
    assert grammar
    heard = quoted_in(grammar, rng, 300)
    assert {"Elm Street 4", "Street"} <= heard
    # "Type", "into" and "press" alone name nothing; "and close the window" may.
    assert all(text in "and close the window." for text in heard - {"Elm Street 4", "Street", "Don't Save"})


@pytest.mark.parametrize(
    ("task", "plan"),
    [
        ('Drag "Report" to "Archive"', 'drag "Report" to "Archive"'),
        ("Please drag the file 'a\\b' onto the folder “ленты”, then click 'Empty'", 'drag "a\\\\b" to "ленты"'),
        ('Drag "Report" to the left, then click "Archive"', None),
        ('Click "Drag" and type "x" into "Archive"', None),
        ('Drag "Report"', None),
        ('Drag the knob and click "Report" in "Archive"', None),
        ('Do not drag "Report" to "Archive"', None),
        ('Click "Archive", then drag "Report" to "Archive"', None),
    ],
)
def test_what_is_dragged_from_name_to_name_is_one_plan(task: str, plan: str | None) -> None:
    dialect, rng = load_dialect("compact"), random.Random(5)

    def plans(*past: PastStep) -> set[str]:
        grammar = dialect.plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, past))
        assert grammar
        return {said(grammar, rng) for _ in range(30)}

    if plan is None:
        assert not any(each.startswith("drag") for each in plans())
        return
    vain = PastStep(None, "", plan, "nothing changed")
    assert plans() == plans(vain) == {plan}
    assert plan not in plans(PastStep(None, "", plan)) | plans(vain, vain, vain)
    assert isinstance(dialect, SaysNames)
    assert dialect.drag_ends(plan) == tuple(f"click {end}" for end in plan.removeprefix("drag ").split(" to "))


def test_what_is_dragged_may_have_been_named_before() -> None:
    done = [PastStep(None, "", 'click "Report"')]
    for task, plan in (
        ('Click "Report", then drag "Report" to "Archive"', 'drag "Report" to "Archive"'),
        ('Click "Report" and drag "Plan" to "Report"', 'drag "Plan" to "Report"'),
    ):
        grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, tuple(done)))
        assert grammar and said(grammar, random.Random(1)) == plan


def test_words_that_lead_to_a_quoted_name_are_no_name() -> None:
    task = 'Click the button in the dialog box labeled "Cancel".'
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME))
    assert grammar
    assert quoted_in(grammar, random.Random(7), 60) == {"Cancel"}


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ('Write "aB c" in lower case into "Name" and press "Go"', {"ab c", "Name", "Go"}),
        ('Type "Straße 5b" in all upper-case letters and then click "Go"', {"STRASSE 5B", "Go"}),
        ('Type "aB" into the field and press "Capitals" in lower case', {"aB", "Capitals"}),
        ('Click "Upper case", then type "aB" and press "Go"', {"Upper case", "aB", "Go"}),
    ],
)
def test_what_is_typed_is_in_the_case_that_is_asked_for(task: str, names: set[str]) -> None:
    heard, past = set[str](), list[PastStep]()
    for _ in names:
        grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, tuple(past)))
        assert grammar
        heard |= quoted_in(grammar, random.Random(11), 60)
        past = [PastStep(None, "", f"click {json.dumps(name)}") for name in heard]
    assert heard & {text for name in names for text in (name, name.lower(), name.upper(), "aB", "aB c")} == names


@pytest.mark.parametrize(
    ("task", "across", "name"),
    [
        ("Select xK3 and click Submit.", "xK3 and", "xK3"),
        ("Enter 02/05/2014 as the date, then press send", "date, then", "02/05/2014"),
        ("Choose Red. Click Save and close", "Red. Click", "Save and close"),
    ],
)
def test_no_name_runs_on_into_the_next_deed(task: str, across: str, name: str) -> None:
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME))
    assert grammar
    heard = quoted_in(grammar, random.Random(5), 300)
    assert name in heard and not any(across in text for text in heard)


@pytest.mark.parametrize(
    ("task", "done", "due"),
    [
        ('Type "3" into "Nights", choose "Suite" and press "Confirm".', (), {"3", "Nights"}),
        ('Type "3" into "Nights", choose "Suite" and press "Confirm".', ("Nights",), {"3"}),
        ('Type "3" into "Nights", choose "Suite" and press "Confirm".', ("Nights", "3"), {"Suite"}),
        ('Tick "a", "b" and "c".', ("a", "c"), {"b"}),
        ('Tick "a", "b" and "c".', ("a", "b", "c"), set()),
        ('Press "a" and "b", then "a".', ("a",), {"a", "b"}),
        ('Press "a" and "b", twice each.', ("a",), {"a", "b"}),
        ('Open the sections to click on "a".', ("a",), {"a"}),
        ('Before you press "Go", tick "Agree".', (), {"Go", "Agree"}),
    ],
)
def test_what_is_in_quotes_is_named_in_its_order(task: str, done: tuple[str, ...], due: set[str]) -> None:
    past = tuple(PastStep(None, "", f'click "{name}"') for name in done)
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, past))
    assert grammar
    assert quoted_in(grammar, random.Random(8), 60) & {"3", "Nights", "Suite", "Confirm", *"abc", "Go", "Agree"} == due


@pytest.mark.parametrize(
    ("plan", "note", "times", "due", "done"),
    [
        ('click "Suite"', "", 1, {"Confirm"}, False),
        ('click "Suite"', "nothing changed", 1, {"Suite"}, False),
        ('click "Suite"', "nothing changed", 2, {"Suite", "Confirm"}, False),
        ('click "Suite"', "not on the screen", 1, {"Suite"}, False),
        ('click "Suite"', "a person refused click (1, 1)", 1, {"Suite", "Confirm"}, False),
        ('click "Confirm" button', "nothing changed", 1, {"Confirm"}, False),
        ('click "Confirm" button', "nothing changed", 2, {"Confirm"}, True),
    ],
)
def test_no_plan_goes_on_after_the_first_step_in_vain(
    plan: str, note: str, times: int, due: set[str], done: bool
) -> None:
    past = [PastStep(None, "", 'click "Suite"')] if "Confirm" in plan else []
    action = None if note == "not on the screen" else Click(point=Point(1, 1))
    past += times * [PastStep(action, "", plan, note)]
    task = 'Choose "Suite" and press "Confirm".'
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, tuple(past)))
    assert grammar
    assert quoted_in(grammar, random.Random(6), 60) == due
    assert ("done" in {said(grammar, random.Random(number)) for number in range(80)}) is done


def test_after_steps_in_vain_what_was_not_named_is_due() -> None:
    dialect, rng = load_dialect("compact"), random.Random(4)
    task = 'Choose "Suite", tick "Late" and press "Confirm".'
    done = [PastStep(None, "", 'click "Late" checkbox')]
    again = [PastStep(None, "", 'click "Confirm" button', "nothing changed")]
    for times, due in ((2, False), (3, True)):
        turn = Turn(task, Image.new("RGB", (28, 28)), FRAME, tuple(done + again * times))
        grammar = dialect.plan_grammar(turn)
        assert grammar
        heard = quoted_in(grammar, rng, 40)
        assert (heard == {"Suite"}) is due, heard


@pytest.mark.parametrize("task", ['Switch between the tabs to find and click on the link "Amet".', "Click on Amet"])
def test_what_was_clicked_in_vain_is_looked_for(task: str) -> None:
    again = PastStep(None, "", 'click "Amet"', "nothing changed")
    other = PastStep(None, "", "look")
    for past, may in ((2 * [again], True), (3 * [again], False), ([again, again, again, other], True)):
        grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, tuple(past)))
        assert grammar
        assert any("Amet" in text for text in quoted_in(grammar, random.Random(9), 60)) is may
        assert {"look", "done"} <= {said(grammar, random.Random(number)) for number in range(80)}


@pytest.mark.parametrize(
    ("task", "may"),
    [
        ("Select aB1, c2 and click Submit", False),
        ("Select c2, aB1, aB1 and click Submit", True),
        ("Press aB1 twice, then press Submit", True),
    ],
)
def test_what_had_an_effect_is_named_as_often_as_it_is_said(task: str, may: bool) -> None:
    past = (PastStep(None, "", 'click "aB1" checkbox'), PastStep(None, "", 'click "c2"', "nothing changed"))
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, past))
    assert grammar
    heard = quoted_in(grammar, random.Random(10), 200)
    assert any("aB1" in text for text in heard) is may
    assert "Submit" in heard and ("c2" not in task or any("c2" in text for text in heard))


@pytest.mark.parametrize(
    ("task", "named", "due"),
    [
        ("Select Milk, Rye bread, Eggs and click Submit.", (), {"Milk", "Rye bread", "Eggs", "Submit", "done"}),
        ("Select Milk, Rye bread, Eggs and click Submit.", ("Milk",), {"Rye bread", "Eggs", "Submit", "done"}),
        ("Select Milk, Rye bread, Eggs and click Submit.", ("Rye bread",), {"Eggs"}),
        ("Select Milk, Rye bread, Eggs and click Submit.", ("Eggs", "Rye bread"), {"Milk", "Submit", "done"}),
        ("Tick Milk, Rye bread, and Eggs, then press Submit", ("Eggs",), {"Rye bread"}),
        ("Tick Milk, Rye bread, Eggs2, Eggs, then press Submit", ("Eggs2",), {"Rye bread", "Eggs"}),
        ('Tick Milk, Rye bread and Eggs, then press "Submit"', ("Eggs",), {"Rye bread", "Submit"}),
        ("Unless Milk, Eggs and Rye bread are there, press Submit", ("Eggs",), {"Milk", "Rye bread", "Submit", "done"}),
        ("Fly from Milk, Eggs to Rye bread, Submit", ("Submit",), {"Milk", "Eggs", "Rye bread", "done"}),
    ],
)
def test_of_a_list_all_is_named_before_anything_else(task: str, named: tuple[str, ...], due: set[str]) -> None:
    past = tuple(PastStep(None, "", f'click "{name}" checkbox') for name in named)
    grammar = load_dialect("compact").plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, past))
    assert grammar
    heard = quoted_in(grammar, random.Random(11), 200) | {said(grammar, random.Random(number)) for number in range(80)}
    assert heard & {"Milk", "Rye bread", "Eggs", "Submit", "done"} == due


def test_a_plan_is_done_when_all_that_was_quoted_was_named() -> None:
    dialect = load_dialect("compact")
    task = """Type "Ann \\\\ Bo" into 'Name', don't worry, and press «Send»"""
    named = ['click "Name" field', 'type "Ann \\\\\\\\ Bo"', 'click "Send" button']
    for count in range(4):
        past = tuple(PastStep(None, "", plan) for plan in named[:count])
        grammar = dialect.plan_grammar(Turn(task, Image.new("RGB", (28, 28)), FRAME, past))
        assert grammar
        allowed = GUIDES.guide(grammar).allowed(torch.zeros(928))
        assert bool(allowed[ord("d")] == 0) is (count == 3)


def test_numbers_end_where_the_screen_does() -> None:
    grammar = load_dialect("gta1").grammar(FRAME)
    assert grammar
    for inside, text in ((True, "(1287,727)"), (False, "(1288,727)"), (False, "(1287,728)"), (False, "(-1,0)")):
        guide = GUIDES.guide(grammar)
        allowed = True
        for token in TOKENS.encode(text).ids:
            allowed = allowed and bool(guide.allowed(torch.zeros(928))[token] == 0)
            if not allowed:
                break
            guide.take(token)
        assert allowed is inside, text


def test_what_must_come_is_not_asked() -> None:
    guide = GUIDES.guide('start: "<tool_call>" /[01]/ "</tool_call>"')
    assert guide.forced() == [TOKENS.token_to_id("<tool_call>")], "the token that models write, not its letters"
    assert guide.forced() == [] and not guide.ended


def test_schemas_and_patterns_are_grammars_too() -> None:
    rng = random.Random(1)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 5}}, "required": ["n"]}
    for _ in range(5):
        text = said(grammar_of_schema({**schema, "additionalProperties": False}), rng)
        assert text.strip()[-1] == "}" and any(digit in text for digit in "345")
    for pattern in ("[ab]{3}/c", r"[ab]{3}\/c"):
        assert said(grammar_of_regex(pattern), rng)[3:] == "/c"


@pytest.mark.parametrize("grammar", ["start: (", "", "start: nothing", "".join(string.printable)])
def test_a_grammar_that_is_none_is_one_line(grammar: str) -> None:
    with pytest.raises(ModelError) as caught:
        GUIDES.guide(grammar)
    assert "\n" not in str(caught.value)


IMPOSSIBLE: dict[str, dict[str, object]] = {
    "numbers": {"type": "integer", "minimum": 5, "maximum": 3},
    "two types": {"allOf": [{"type": "string"}, {"type": "integer"}]},
    "a short pattern": {"type": "string", "pattern": "^a$", "minLength": 5},
    "no value": {"enum": []},
    "a key that must be and must not": {"type": "object", "properties": {"a": False}, "required": ["a"]},
    "lengths": {"type": "array", "minItems": 5, "maxItems": 2},
    "itself in itself": {
        "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}},
        "$ref": "#/$defs/a",
    },
}


@pytest.mark.parametrize("schema", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_schema_that_nothing_fits_is_said(schema: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="the grammar cannot be followed") as refused:
        GUIDES.guide(grammar_of_schema(schema)).forced()
    assert "\n" not in str(refused.value)


def test_a_pattern_that_is_too_large_is_said() -> None:
    with pytest.raises(ModelError, match="too many"):
        GUIDES.guide(grammar_of_regex("((a{1000}){1000}){1000}")).forced()


def test_no_click_is_near_a_place_that_led_nowhere() -> None:
    rng, size = random.Random(4), Size(120, 60)
    frame = Frame(size, size)
    spent = [Point(30, 12), Point(34, 40), Point(119, 0), Point(0, 59)]
    grammar = load_dialect("compact").grammar(frame, spent)
    assert grammar
    places = set()
    for _ in range(400):
        action = load_dialect("compact").parse(said(grammar, rng), frame)
        if isinstance(action, Click):
            places.add(action.point)
            assert all(abs(action.point.x - p.x) > 28 or abs(action.point.y - p.y) > 10 for p in spent), action
    assert len(places) > 20
    assert any(point.x in range(2, 59) for point in places), "between the spent rows there is room"


def test_where_every_place_led_nowhere_any_may_be_tried_again() -> None:
    size = Size(40, 20)
    grammar = load_dialect("compact").grammar(Frame(size, size), [Point(20, 10)])
    assert grammar
    kinds = {type(load_dialect("compact").parse(said(grammar, random.Random(seed)), FRAME)) for seed in range(60)}
    assert Click in kinds

"""The prompt is a pure function of the trajectory; every reply becomes an action or a mistake."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from PIL import Image

from action_space.actions import Action, Click, Drag, Finish, Type
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.errors import DeviceError, InvalidAction
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message
from agent.planner import Planner, build_turn, model_frame, other_places, pointer_after, spent_places
from agent.trajectory import Step, StepError
from environments.base import Observation
from vlm.backends.scripted import ScriptedModel, ScriptLine

SIZE = Size(640, 360)
TASK = "send the form"


def seen(size: Size = SIZE) -> Observation:
    return Observation(Image.new("RGB", (size.width, size.height), "white"), Frame(size, size), ("URL: x",))


def picture(digest: str) -> Image.Image:
    return Image.new("RGB", (SIZE.width, SIZE.height), f"#{digest[:6]}")


def step(number: int, action: Action | None = None, note: str = "", error: StepError | None = None) -> Step:
    return Step(
        number=number,
        started=datetime.now(UTC),
        image=f"{number:064x}",
        frame=Frame(Size(644, 364), SIZE),
        plan=f"plan {number}",
        reply=f"reply {number}",
        action=action,
        note=note,
        error=error,
    )


class TwoStages:
    """A family that says first and points then: `type X` says it all."""

    name = "two_stages"
    min_pixels = 3136
    max_pixels = 300_000

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def plan_prompt(self, turn: Turn) -> list[Message]:
        self.turns.append(turn)
        return [Message("user", ("plan?", turn.screenshot))]

    def plan_grammar(self, turn: Turn) -> str:
        return f"start: {turn.task}"

    def plan_action(self, plan: str, frame: Frame) -> Action | None:  # noqa: ARG002
        if plan == "type":
            raise InvalidAction("type what?")
        return Type(text=plan[5:]) if plan.startswith("type ") else None

    def prompt(self, turn: Turn, plan: str = "") -> list[Message]:
        return [Message("user", (f"point at: {plan}", turn.screenshot))]

    def parse(self, reply: str, frame: Frame, pointer: Point | None = None) -> Action:
        return load_dialect("computer_use").parse(reply, frame, pointer)

    def grammar(self, frame: Frame, spent: Sequence[Point] = ()) -> str:
        return f"start: {frame.model}" + "".join(f" not at {point.x}" for point in spent)

    def render(self, action: Action, frame: Frame) -> str:
        return load_dialect("computer_use").render(action, frame)


def test_one_question_for_a_family_that_answers_at_once(say: Callable[..., str]) -> None:
    line = ScriptLine(text=say(Click(point=Point(0, 359))), tokens_in=9, tokens_out=4, forced_tokens=3, decode_s=0.5)
    model = ScriptedModel([line])
    proposal = Planner(model, load_dialect("computer_use")).propose(TASK, (), seen(), picture)
    assert proposal.action == Click(point=Point(0, 359))
    assert proposal.frame.screen == SIZE and proposal.frame.model != SIZE
    assert (proposal.plan, proposal.cost.tokens_in, proposal.cost.decode_s) == ("", 9, 0.5)
    assert proposal.cost.forced_tokens == 3
    assert isinstance(model.asked[0][-1].content[-1], Image.Image), "the newest screenshot comes last"


def test_plan_then_point(say: Callable[..., str]) -> None:
    reply = say(Click(point=Point(8, 8)))
    model = ScriptedModel(
        [ScriptLine(text=" press Send \nand more<|im_end|>", tokens_out=3), ScriptLine(text=reply, tokens_out=4)]
    )
    proposal = Planner(model, TwoStages()).propose(TASK, (), seen(), picture)
    assert (proposal.plan, proposal.reply, proposal.cost.tokens_out) == ("press Send", reply, 7)
    assert model.asked[1][0].content[0] == "point at: press Send"
    assert proposal.frame.model.width * proposal.frame.model.height <= TwoStages.max_pixels


def test_a_plan_that_says_it_all_needs_no_second_question() -> None:
    model = ScriptedModel(["type Ada<|im_end|>"])
    proposal = Planner(model, TwoStages()).propose(TASK, (), seen(), picture)
    assert (proposal.plan, proposal.reply, proposal.require_action()) == ("type Ada", "", Type(text="Ada"))


def test_a_target_that_is_not_there_is_told_and_ends_nothing() -> None:
    away = 'finish("failure", "not on the screen")'
    planner = Planner(ScriptedModel(['click "Red"', away, "failed"]), load_dialect("compact"))
    proposal = planner.propose("x", [], seen(), picture)
    assert proposal.action is None and str(proposal.mistake) == "not on the screen" and proposal.reply == away
    assert planner.propose("x", [], seen(), picture).action == Finish(status="failure")


@pytest.mark.parametrize(("plan", "complaint"), [("type", "type what"), ("<|im_end|>", "empty"), (" \n click", None)])
def test_plans_that_lead_nowhere(plan: str, complaint: str | None) -> None:
    proposal = Planner(ScriptedModel([plan, "?"]), TwoStages()).propose(TASK, (), seen(), picture)
    with pytest.raises(InvalidAction, match=complaint):
        proposal.require_action()


def test_a_reply_that_was_cut_off_says_so() -> None:
    model = ScriptedModel([ScriptLine(text="I think, therefore", finished=False)])
    proposal = Planner(model, load_dialect("computer_use"), action_tokens=3).propose(TASK, (), seen(), picture)
    assert proposal.reply == "I think, therefore"
    with pytest.raises(InvalidAction, match="cut off after 3 tokens"):
        proposal.require_action()


def test_a_point_outside_is_a_mistake(say: Callable[..., str]) -> None:
    reply = say(Click(point=Point(600, 300))).replace("60", "960")
    proposal = Planner(ScriptedModel([reply]), load_dialect("computer_use")).propose(TASK, (), seen(), picture)
    with pytest.raises(InvalidAction, match="outside"):
        proposal.require_action()


def test_history_is_told_with_notes_and_the_newest_pictures() -> None:
    steps = [
        step(1, Click(point=Point(1, 1)), note="nothing changed"),
        step(2, None, note="no call", error=StepError(kind="InvalidAction", text="no call")),
        step(3, Type(text="Ada")),
    ]
    turn = build_turn(TASK, steps, seen(), Frame(SIZE, SIZE), picture, screenshots=2)
    assert [past.screenshot is not None for past in turn.history] == [False, False, True]
    assert turn.history[0] == PastStep(
        Click(point=Point(1, 1)), "reply 1", "plan 1", "nothing changed", None, steps[0].frame
    )
    assert turn.history[1].action is None and turn.history[1].note == "no call"
    assert (turn.task, turn.context) == (TASK, ("URL: x",))
    again = build_turn(TASK, steps, seen(), Frame(SIZE, SIZE), picture, screenshots=2)
    assert [past.note for past in again.history] == [past.note for past in turn.history]


@pytest.mark.parametrize("name", ["computer_use", "mobile_use", "compact"])
def test_every_dialect_tells_the_model_that_nothing_changed(name: str) -> None:
    dialect, steps = load_dialect(name), [step(1, Click(point=Point(1, 1)), note="nothing changed")]
    turn = build_turn(TASK, steps, seen(), Frame(SIZE, SIZE), picture)
    messages = dialect.plan_prompt(turn) or dialect.prompt(turn)
    told = "\n".join(part for message in messages for part in message.content if isinstance(part, str))
    assert "nothing changed" in told


def test_a_screen_of_impossible_shape() -> None:
    with pytest.raises(DeviceError, match="aspect ratio"):
        Planner(ScriptedModel([]), load_dialect("computer_use")).propose(TASK, (), seen(Size(1, 400)), picture)


def test_finish_is_an_action(say: Callable[..., str]) -> None:
    model = ScriptedModel([say(Finish(status="failure"))])
    proposal = Planner(model, load_dialect("computer_use")).propose(TASK, (), seen(), picture)
    assert proposal.require_action().kind == "finish"


def test_the_pointer_is_where_the_last_action_left_it() -> None:
    refused = StepError(kind="PolicyRefusal", text="no")
    steps = [step(1, Drag(start=Point(1, 1), end=Point(0, 9))), step(2, Type(text="x"))]
    assert pointer_after(steps) == Point(0, 9)
    assert pointer_after([*steps, step(3, Click(point=Point(5, 5)), error=refused)]) == Point(0, 9)
    assert pointer_after([]) is None


def test_what_led_nowhere_is_asked_again_for_another_answer() -> None:
    model = ScriptedModel(["plan 2", "click", "plan 3", "click"])
    planner = Planner(model, TwoStages())
    vain = step(2).model_copy(update={"effect": "none"})
    refused = step(3, error=StepError(kind="PolicyRefusal", text="tried before")).model_copy(update={"plan": "plan 2"})
    for _ in range(2):
        planner.propose(TASK, [step(1), vain, refused], seen(), picture)
    assert model.attempts == [0, 2, 0, 0]


def test_the_places_that_changed_nothing_on_this_screen() -> None:
    def click(number: int, x: int, effect: str | None) -> Step:
        return step(number, Click(point=Point(x, 9))).model_copy(update={"effect": effect})

    refused = step(5, Click(point=Point(30, 9)), error=StepError(kind="PolicyRefusal", text="no"))
    assert spent_places([]) == ()
    vain = [click(2, 20, "none"), click(3, 30, "none"), step(4, Type(text="x")), refused]
    assert spent_places([click(1, 10, "near"), *vain]) == (), "typing was not seen to change nothing"
    typed = step(4, Type(text="x")).model_copy(update={"effect": "none"})
    steps = [click(1, 10, "near"), *vain[:2], typed, refused]
    assert spent_places(steps) == (Point(30, 9), Point(20, 9))
    assert spent_places([*steps, click(6, 50, "elsewhere")]) == ()
    model = ScriptedModel(["over there", load_dialect("computer_use").render(Click(point=Point(3, 4)), steps[0].frame)])
    Planner(model, TwoStages(), constrained=True).propose(TASK, steps, seen(), picture)
    assert (model.constraints[1] or "").endswith(" not at 30 not at 20")


def test_where_another_box_was_ticked_is_no_place_for_this_one() -> None:
    def tick(number: int, name: str, x: int, effect: str = "near") -> Step:
        done = step(number, Click(point=Point(x, 9)))
        return done.model_copy(update={"plan": f'click "{name}" checkbox', "effect": effect})

    compact, ix = load_dialect("compact"), 'click "ix" checkbox'
    ticked = [tick(1, "xt", 40), tick(2, "aL", 80, "elsewhere")]
    assert other_places(ticked, ix, compact) == (Point(80, 9), Point(40, 9))
    assert other_places([*ticked, tick(3, "ix", 120, "none")], ix, compact) == (Point(80, 9), Point(40, 9))
    assert other_places([*ticked, tick(3, "ox", 120, "none")], ix, compact) == (Point(80, 9), Point(40, 9))
    scrolled = step(3).model_copy(update={"plan": "scroll down"})
    assert other_places([*ticked, scrolled], ix, compact) == (), "the boxes are elsewhere now"
    assert other_places(ticked, 'click "ix"', compact) == other_places(ticked, ix, TwoStages()) == ()
    model = ScriptedModel([ix, "click(300, 9)"])
    proposal = Planner(model, compact, constrained=True, looks=0).propose(TASK, ticked, seen(), picture)
    assert proposal.action is not None and model.constraints[1] == compact.grammar(
        proposal.frame, (Point(80, 9), Point(40, 9))
    )


def test_a_drag_from_name_to_name_is_asked_for_end_by_end() -> None:
    plan, compact = 'drag "Report" to "Archive"', load_dialect("compact")
    model = ScriptedModel([ScriptLine(text=plan, tokens_out=9), "click(40, 60)", ScriptLine(text="click(300, 200)")])
    proposal = Planner(model, compact, constrained=True).propose(TASK, (), seen(), picture)
    frame = proposal.frame
    assert proposal.action == Drag(start=frame.to_screen(Point(40, 60)), end=frame.to_screen(Point(300, 200)))
    assert proposal.plan == plan and proposal.reply == "drag click(40, 60) click(300, 200)"
    assert [asked[-1].content[0] for asked in model.asked[1:]] == ['click "Report"', 'click "Archive"']
    missing = ScriptedModel([plan, "click(40, 60)", 'finish("failure", "not on the screen")'])
    proposal = Planner(missing, compact).propose(TASK, (), seen(), picture)
    assert proposal.action is None and proposal.plan == plan
    assert str(proposal.mistake) == "not on the screen"


def test_only_a_constrained_planner_holds_the_model_to_the_grammar() -> None:
    dialect, frame = load_dialect("computer_use"), Frame(Size(644, 364), SIZE)
    model = ScriptedModel([dialect.render(Click(point=Point(3, 4)), frame)] * 2)
    for constrained in (False, True):
        Planner(model, dialect, constrained=constrained).propose(TASK, (), seen(), picture)
    assert model.constraints == [None, dialect.grammar(frame)]


def test_plan_and_action_have_a_grammar_each() -> None:
    dialect, frame = TwoStages(), Frame(Size(644, 364), SIZE)
    model = ScriptedModel(["over there", load_dialect("computer_use").render(Click(point=Point(3, 4)), frame)])
    Planner(model, dialect, constrained=True).propose(TASK, (), seen(), picture)
    seen_by_model = model_frame(seen().frame, dialect)
    assert model.constraints == [f"start: {TASK}", dialect.grammar(seen_by_model)]

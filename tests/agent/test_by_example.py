"""What is due on a screen that has to be looked at, by a model that learned it from demonstrations."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from action_space.actions import Action, Click, Drag, Type
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.geometry import Frame, Point, Size
from agent.by_example import LEAST, TRIES, place_by_example
from agent.planner import Planner, model_frame
from environments.base import Observation
from vlm.backends.base import Acts, Due, Model
from vlm.backends.scripted import ScriptedModel

COMPACT = load_dialect("compact")
SCREEN = Size(320, 420)


class Shown(ScriptedModel):
    """Knows one answer. `asked_on`, `told`: the pictures and the rest of each question."""

    dialect = "compact"

    def __init__(self, due: Due | None, *, knows: bool = True, replies: Sequence[str] = ()) -> None:
        super().__init__(replies)
        self.due, self.knows_acts = due, knows
        self.asked_on: list[Image.Image] = []
        self.told: list[tuple[str, tuple[Action | None, ...], tuple[Point, ...]]] = []

    def due_on(
        self, picture: Image.Image, task: str, done: Sequence[Action | None], spent: Sequence[Point] = ()
    ) -> Due | None:
        self.asked_on.append(picture)
        self.told.append((task, tuple(done), tuple(spent)))
        return self.due


def turn_of(screen: Size = SCREEN) -> Turn:
    return Turn("Drag it", Image.new("RGB", (screen.width, screen.height)), model_frame(Frame(screen, screen), COMPACT))


DUE = Due(Drag(start=Point(10, 20), end=Point(300, 400)), 0.7)


def test_the_model_is_asked_on_the_whole_screen_with_what_was_seen_there() -> None:
    model = Shown(DUE)
    assert isinstance(model, Acts)
    looked, named = Click(point=Point(5, 6)), Click(point=Point(7, 8))
    history = (PastStep(looked, "click(7, 7)", "look"), PastStep(named, "click(7, 7)", 'click "Save"'))
    turn = replace(turn_of(), history=history, spent=(Point(5, 6),))
    placed = place_by_example(model, turn, "look", COMPACT, 0)
    assert placed is not None and placed.action == DUE.action and placed.reply.sure == 0.7
    assert placed.reply.text == "drag click(10, 20) click(300, 400)" and placed.asked == (placed.reply,)
    assert model.asked_on[0].size == (336, 420), "whole cells"
    assert model.told == [("Drag it", (looked, None), (Point(5, 6),))]


def test_of_a_dense_screen_points_are_moved_to_what_is_shown_and_back() -> None:
    model = Shown(Due(Click(point=Point(10, 20)), 0.7))
    turn = turn_of(Size(640, 840))
    turn = replace(
        turn, frame=replace(turn.frame, device_scale=2.0), history=(PastStep(Click(point=Point(50, 60)), "", "look"),)
    )
    placed = place_by_example(model, turn, "look", COMPACT, 0)
    assert placed is not None and placed.action == Click(point=Point(21, 41))
    assert model.told[0][1] == (Click(point=Point(25, 30)),)


def test_any_other_plan_and_what_has_no_answer_is_left_to_the_language_model() -> None:
    turn = turn_of()
    assert place_by_example(Shown(DUE), turn, 'type "7"', COMPACT, 0) is None
    assert place_by_example(Shown(Due(Click(point=Point(50, 60)), 0.99)), turn, 'click "Save"', COMPACT, 0) is None
    assert place_by_example(Shown(DUE), turn, "look", load_dialect("computer_use"), 0) is None
    assert place_by_example(Shown(DUE, knows=False), turn, "look", COMPACT, 0) is None
    assert place_by_example(ScriptedModel(()), turn, "look", COMPACT, 0) is None
    assert place_by_example(Shown(None), turn, "look", COMPACT, 0) is None
    assert place_by_example(Shown(Due(Click(point=Point(9, 9)), LEAST - 0.01)), turn, "look", COMPACT, 0) is None
    unlikely = place_by_example(Shown(replace(DUE, sure=LEAST - 0.01)), turn, "look", COMPACT, 0)
    assert unlikely is not None, "a drag, which the language model never learned"
    beside = Due(Click(point=Point(330, 20)), 0.9)
    assert place_by_example(Shown(beside), turn, "look", COMPACT, 0) is None, "in the last cells, beside the screen"
    assert place_by_example(Shown(DUE), turn, "look", COMPACT, TRIES - 1) is not None
    assert place_by_example(Shown(DUE), turn, "look", COMPACT, TRIES) is None


def proposed(model: Model) -> Action | None:
    seen = Observation(Image.new("RGB", (SCREEN.width, SCREEN.height)), Frame(SCREEN, SCREEN), ())
    return Planner(model, COMPACT, looks=1).propose("Drag it", (), seen, lambda _: seen.image).action


def test_the_planner_takes_the_answer_and_else_looks_itself() -> None:
    assert proposed(Shown(DUE, replies=["look"])) == DUE.action
    assert proposed(Shown(None, replies=["look", "click(7, 14)"])) == Click(point=Point(7, 14))
    assert proposed(Shown(DUE, replies=['type "7"'])) == Type(text="7")

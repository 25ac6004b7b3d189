"""Looking again at a screen while the model is not sure: from closer, or moved a little."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from PIL import Image

from action_space.actions import Click, Drag, Finish
from action_space.dialects import load_dialect
from action_space.dialects.base import NOT_THERE, Turn
from action_space.dialects.compact import Compact
from action_space.geometry import Frame, Point, Size
from agent.by_name import ABSENT, SEARCHED
from agent.look import Placed
from agent.looks import OFFSETS, place
from agent.planner import model_frame
from vlm.backends.base import Model, Names, Reply
from vlm.backends.scripted import ScriptedModel

COMPACT = load_dialect("compact")


def turn_of(width: int, height: int) -> Turn:
    screen = Size(width, height)
    picture = Image.new("RGB", (width, height), "white")
    picture.putpixel((100, 50), (255, 0, 0))
    return Turn("task", picture, model_frame(Frame(screen, screen), COMPACT))


def placed(
    turn: Turn,
    replies: Sequence[tuple[str, float | None]],
    looks: int = 4,
    attempt: int = 0,
    model: Model | None = None,
) -> Placed:
    """What comes of it when the model says these things one after the other, each so sure."""
    said = iter(replies)

    def ask(look: Turn, plan: str) -> Reply:
        asked.append(look)
        plans.append(plan)
        text, sure = next(said)
        return Reply(text, sure=sure)

    asked.clear()
    plans.clear()
    return place(ask, turn, PLAN, COMPACT, looks=looks, attempt=attempt, model=model)


asked: list[Turn] = []
plans: list[str] = []
PLAN = 'click "Delete Smith" button'


def red(look: Turn) -> Point:
    """Where the picture's red pixel is."""
    data = look.screenshot.tobytes()
    at = next(i for i in range(0, len(data), 3) if data[i : i + 3] == b"\xff\x00\x00") // 3
    return Point(at % look.screenshot.width, at // look.screenshot.width)


def test_a_sure_answer_is_taken_at_once() -> None:
    found = placed(turn_of(1280, 720), [("click(100, 50)", 0.97)])
    assert found.action == Click(point=Point(100, 50))
    assert len(found.asked) == 1
    # Whole cells around the screen as it is: nothing is resized.
    assert asked[0].screenshot.size == (1288, 728)
    assert red(asked[0]) == Point(100, 50)


def test_the_surest_of_all_looks_counts_and_is_moved_back() -> None:
    replies = [("click(600, 70)", 0.3), ("click(114, 64)", 0.6), ("click(5, 300)", 0.5), ("click(9, 9)", 0.1)]
    found = placed(turn_of(640, 360), replies)
    assert found.action == Click(point=Point(100, 50))
    assert [reply.sure for reply in found.asked] == [0.3, 0.6, 0.5, 0.1]
    assert [red(look) for look in asked] == [Point(100 + dx, 50 + dy) for dx, dy in OFFSETS]
    assert all(look.screenshot.width % 28 == look.screenshot.height % 28 == 0 for look in asked)


def test_looking_ends_with_the_first_sure_answer() -> None:
    found = placed(turn_of(640, 360), [("click(7, 7)", 0.2), ("drag(14, 14, 114, 64)", 0.95)])
    assert found.action == Drag(start=Point(0, 0), end=Point(100, 50))
    assert len(found.asked) == 2


def test_a_point_beside_the_screen_is_worse_than_any_other() -> None:
    replies = [("click(7, 7)", 0.2), ("click(3, 300)", 0.99), ("nothing", 0.99), ("click(21, 7)", 0.3)]
    found = placed(turn_of(640, 360), replies)
    assert found.action == Click(point=Point(7, 7))
    alone = placed(turn_of(1280, 720), [("click(1284, 7)", 0.9)], looks=1)
    assert alone.action is None
    assert "beside the screen" in str(alone.mistake)


AWAY = 'finish("failure", "not on the screen")'


def test_that_something_is_not_there_is_believed_after_all_looks_only() -> None:
    gone = placed(turn_of(1280, 720), [(AWAY, 0.96), ("click(7, 7)", 0.3), (AWAY, 0.97), ("click(21, 7)", 0.6)])
    assert gone.action == Finish(status="failure", text="not on the screen") and len(gone.asked) == 4
    assert placed(turn_of(1280, 720), [(AWAY, 0.99), ("click(21, 21)", 0.95)]).action == Click(point=Point(7, 7))
    unsure = placed(turn_of(1280, 720), [(AWAY, 0.5), ("click(21, 21)", 0.2), (AWAY, 0.7), ("?", 0.9)])
    assert unsure.action == Click(point=Point(7, 7))
    alone = placed(turn_of(1280, 720), [(AWAY, 0.5), ("?", 0.9), ("?", 0.9), ("?", 0.9)])
    assert isinstance(alone.action, Finish), "better than nothing that can be read"


def test_a_question_asked_in_vain_gets_one_other_look() -> None:
    for attempt in range(1, 6):
        found = placed(turn_of(1280, 720), [("click(100, 50)", 0.1)], attempt=attempt)
        dx, dy = OFFSETS[attempt % len(OFFSETS)]
        assert found.action == Click(point=Point(100 - dx, 50 - dy))


@pytest.mark.parametrize(("looks", "size"), [(0, (1280, 720)), (4, (4000, 3000))])
def test_a_screen_that_has_to_be_resized_is_shown_as_it_is(looks: int, size: tuple[int, int]) -> None:
    turn = turn_of(*size)
    found = placed(turn, [("click(0, 0)", 0.1)], looks=looks)
    assert found.action == Click(point=Point(0, 0))
    assert asked == [turn]


def test_a_dense_screen_is_shrunk_to_a_pixel_for_each_of_css() -> None:
    screen = Size(1080, 2400)
    frame = Frame(screen, screen, density=2.7)
    turn = Turn("task", Image.new("RGB", (1080, 2400), "white"), frame)
    found = placed(turn, [("click(14, 14)", 0.3), ("click(7, 7)", 0.1), ("click(213, 463)", 0.97)])
    assert [look.screenshot.size for look in asked] == [(420, 896), (616, 588), (420, 924)]
    # Its middle: the small picture's pixel (199, 449) stands for 2.7 x 2.7 of the screen's.
    assert found.action == Click(point=Point(538, 1213))
    assert placed(turn, [("click(405, 3)", 0.9)], looks=1).action is None


def test_every_second_look_is_at_the_surest_place_from_closer() -> None:
    replies = [("click(100, 50)", 0.4), ("click(150, 75)", 0.3), ("click(1014, 614)", 0.5), ("click(15, 15)", 0.6)]
    found = placed(turn_of(1280, 720), replies)
    assert [look.screenshot.size for look in asked] == [(1288, 728), (1008, 588), (1316, 756), (1008, 588)]
    assert all(look.frame == Frame(Size(*look.screenshot.size), Size(*look.screenshot.size)) for look in asked)
    assert least_green(asked[1]) == Point(150, 75)
    # The part at the last place at which one can begin, and in its picture the middle of the pixel.
    assert found.action == Click(point=Point(1280 - 672 + 10, 720 - 392 + 10)) and len(found.asked) == 4


@pytest.mark.parametrize(
    ("close", "point"),
    [
        ((150, 75), Point(100, 50)),  # the middle of the same pixel
        ((187, 96), Point(125, 64)),
        ((193, 75), Point(100, 50)),  # 29 pixels to the right: something else
        ((150, 99), Point(100, 50)),
    ],
)
def test_the_surest_place_is_taken_from_where_it_was_seen_from_closer(close: tuple[int, int], point: Point) -> None:
    replies = [
        ('click(100, 50, "right")', 0.9),
        (f"click{close}", 0.3),
        ("click(814, 614)", 0.5),
        ("click(15, 15)", 0.2),
    ]
    found = placed(turn_of(1280, 720), replies)
    assert found.action == Click(point=point, button="right") and found.reply.sure == 0.9


def test_a_part_that_was_seen_from_closer_is_not_shown_again() -> None:
    placed(turn_of(1280, 720), [("click(100, 50)", 0.4), *[("click(150, 75)", 0.3)] * 3])
    assert [look.screenshot.size for look in asked] == [(1288, 728), (1008, 588), (1316, 756), (1288, 756)]


@pytest.mark.parametrize("said", [AWAY, "drag(7, 7, 70, 70)", "nothing"])
def test_from_closer_only_clicks_count(said: str) -> None:
    found = placed(turn_of(1280, 720), [("click(900, 600)", 0.4), (said, 0.99), *[("click(50, 50)", 0.1)] * 2])
    assert found.action == Click(point=Point(900, 600)) and len(found.asked) == 4


def test_the_last_pixel_of_a_part_is_on_the_screen() -> None:
    found = placed(turn_of(1280, 720), [("click(900, 600)", 0.4), ("click(1007, 587)", 0.99)])
    assert found.action == Click(point=Point(1235, 719)) and len(found.asked) == 2


@pytest.mark.parametrize("said", [AWAY, "drag(7, 7, 70, 70)", "nothing"])
def test_what_is_no_click_is_not_looked_at_from_closer(said: str) -> None:
    placed(turn_of(1280, 720), [(said, 0.5)] * 4)
    assert [red(look) for look in asked] == [Point(100 + dx, 50 + dy) for dx, dy in OFFSETS]


@pytest.mark.parametrize("size", [(320, 420), (672, 392), (700, 500)])
def test_a_small_screen_is_not_looked_at_from_closer(size: tuple[int, int]) -> None:
    placed(turn_of(*size), [("click(100, 50)", 0.1)] * 4)
    assert [red(look) for look in asked] == [Point(100 + dx, 50 + dy) for dx, dy in OFFSETS]


def test_of_a_narrow_screen_a_part_is_as_wide_as_that() -> None:
    placed(turn_of(300, 720), [("click(100, 50)", 0.1)] * 4)
    assert asked[1].screenshot.size == (476, 588), "450 and what fills the last cell"


def test_a_dense_screen_is_looked_at_from_closer_in_its_own_pixels() -> None:
    screen = Size(2560, 1440)
    picture = Image.new("RGB", (2560, 1440), "white")
    picture.paste("red", (200, 100, 202, 102))
    turn = Turn("task", picture, Frame(screen, screen, density=2.0))
    found = placed(turn, [("click(100, 50)", 0.4), ("click(150, 75)", 0.97)])
    assert found.action == Click(point=Point(200, 100))
    assert asked[1].screenshot.size == (1008, 588) and least_green(asked[1]) == Point(150, 75)


def test_places_that_were_tried_are_left_out_beside_the_part() -> None:
    turn = replace(turn_of(1280, 720), spent=(Point(100, 50), Point(1270, 700)))
    placed(turn, [("click(7, 7)", 0.1)] * 4)
    assert asked[1].spent == (Point(150, 75),) and len(asked[0].spent) == 2


def least_green(look: Turn) -> Point:
    """Where a picture is least green."""
    green = look.screenshot.getchannel("G").tobytes()
    at = green.index(min(green))
    return Point(at % look.screenshot.width, at // look.screenshot.width)


def test_a_model_that_does_not_say_how_sure_it_is_is_asked_once() -> None:
    found = placed(turn_of(1280, 720), [("click(100, 50)", None)])
    assert found.action == Click(point=Point(100, 50))
    assert len(asked) == 1


def test_spent_places_move_with_the_screen() -> None:
    turn = replace(turn_of(640, 360), spent=(Point(100, 50),))
    placed(turn, [("click(100, 50)", 0.1)] * 4)
    assert [red(look) for look in asked] == [look.spent[0] for look in asked]
    assert len({look.spent for look in asked}) == 4


@dataclass(frozen=True)
class Picture:
    """Implements `NamesOn`: what is asked for is at the picture's red pixel."""

    picture: Image.Image
    model: "Knowing"

    def red(self) -> Point:
        at = self.picture.tobytes().index(b"\xff\x00\x00") // 3
        return Point(at % self.picture.width, at // self.picture.width)

    def fits(self, name: str, points: Sequence[Point]) -> list[float]:
        if name == "Delete":
            return [5.0 if point.x == self.red().x else self.model.on_words for point in points]
        assert name == "Delete Smith"
        self.model.held.append((self.picture.size, tuple(points)))
        x, y = self.red().x, self.red().y
        near = (abs(point.x - x) <= NEAR_BY and abs(point.y - y) <= NEAR_BY for point in points)
        return [5.0 if here and self.model.fits else ABSENT - 1 for here in near]

    def search(self, name: str, most: int) -> list[Point]:
        assert (name, most) == ("Delete Smith", SEARCHED)
        corner = Point(self.picture.width - 1, self.picture.height - 1)
        return [self.red(), corner] if self.model.finds else []

    def parted(self, name: str) -> tuple[str, str] | None:
        assert name == "Delete Smith"
        return ("Delete", "Smith") if self.model.parts else None

    def along(self, name: str, y: int) -> Point | None:
        assert name == "Delete"
        return Point(self.red().x, y) if y < self.picture.height // 2 else None


NEAR_BY = 20
"""Pixels."""


class Knowing(ScriptedModel):
    """A model that knows names. held: the size of each picture that was held against one, and where. on_words: how well
    "Delete" fits on "Smith"."""

    def __init__(self, *, fits: bool = True, finds: bool = False, parts: bool = False, knows: bool = True) -> None:
        super().__init__([])
        self.fits, self.finds, self.parts, self.knows_names = fits, finds, parts, knows
        self.held: list[tuple[tuple[int, int], tuple[Point, ...]]] = []
        self.on_words = -5.0

    def names_on(
        self, picture: Image.Image, *, min_pixels: int | None = None, max_pixels: int | None = None
    ) -> Picture:
        assert (min_pixels, max_pixels) == (COMPACT.min_pixels, COMPACT.max_pixels)
        return Picture(picture, self)


def test_where_a_name_fits_counts_when_no_look_was_sure() -> None:
    assert isinstance(Knowing(), Names)
    looked = [("click(700, 350)", 0.6), ("click(7, 7)", 0.1), ("click(114, 64)", 0.05), ("click(21, 21)", 0.1)]
    found = placed(turn_of(1280, 720), looked, model=Knowing())
    assert found.action == Click(point=Point(100, 50)), "moved back"
    assert len(found.asked) == len(looked)


def test_a_name_is_held_against_every_look_at_the_whole_screen() -> None:
    looked = [("click(700, 350)", 0.5), ("click(7, 7)", 0.1), ("click(114, 64)", 0.2), ("click(21, 21)", 0.1)]
    model = Knowing()
    found = placed(turn_of(1280, 720), looked, model=model)
    assert found.action == Click(point=Point(100, 50))
    # Without the one from closer; then around the best place.
    assert [size for size, _ in model.held] == [(1288, 728), (1316, 756), (1288, 756), (1288, 728)]
    assert Point(100, 50) in model.held[0][1] and Point(114, 64) in model.held[1][1]


def test_a_place_at_the_edge_of_what_is_called_so_is_moved_inwards() -> None:
    found = placed(turn_of(640, 360), [("click(120, 30)", 0.6)], looks=1, model=Knowing())
    assert found.action == Click(point=Point(114, 36))
    found = placed(turn_of(640, 360), [("click(100, 50)", 0.6)], looks=1, model=Knowing())
    assert found.action == Click(point=Point(100, 50)), "the middle itself is not moved"


def test_how_it_is_clicked_stays_as_it_was_said() -> None:
    found = placed(turn_of(640, 360), [('click(100, 50, "right")', 0.6)], looks=1, model=Knowing())
    assert found.action == Click(point=Point(100, 50), button="right")


def test_at_the_edge_a_name_is_held_against_nothing_beside_the_screen() -> None:
    model = Knowing()
    screen = Size(28, 28)
    turn = Turn("task", turn_of(640, 360).screenshot.crop((90, 45, 118, 73)), Frame(screen, screen))
    found = placed(turn, [("click(0, 0)", 0.6)], looks=1, model=model)
    assert isinstance(found.action, Click) and screen.contains(found.action.point)
    assert all(0 <= point.x < 56 and 0 <= point.y < 56 for _, points in model.held for point in points)


@pytest.mark.parametrize("sure", [0.97, None])
def test_a_sure_answer_and_one_of_unknown_sureness_are_not_weighed(sure: float | None) -> None:
    found = placed(turn_of(640, 360), [("click(300, 200)", sure)], model=Knowing())
    assert found.action == Click(point=Point(300, 200))
    assert len(asked) == 1


def test_that_something_is_not_there_is_not_weighed() -> None:
    gone = 'finish("failure", "not on the screen")'
    found = placed(turn_of(640, 360), [(gone, 0.97), *[("click(300, 200)", 0.1)] * 3], model=Knowing())
    assert isinstance(found.action, Finish)


def test_where_a_name_is_found_counts_though_no_look_was_drawn_there() -> None:
    found = placed(turn_of(640, 360), [("click(300, 200)", 0.6)], looks=1, model=Knowing(finds=True))
    assert found.action == Click(point=Point(100, 50))
    assert COMPACT.parse(found.reply.text, turn_of(644, 364).frame) == found.action, "as if it had been said"
    assert [reply.text for reply in found.asked] == ["click(300, 200)"], "and that costs no token"


def test_what_stands_on_the_line_of_the_other_words_is_as_sure_as_these() -> None:
    said = [("click(300, 200)", 0.6), ("click(500, 50)", 0.9)]
    found = placed(turn_of(640, 360), said, looks=1, model=Knowing(parts=True))
    assert found.action == Click(point=Point(100, 50))
    assert (found.reply.text, found.reply.sure) == ("click(100, 50)", 0.9)
    assert plans == [PLAN, 'click "Smith"']
    assert [reply.text for reply in found.asked] == ["click(300, 200)", "click(500, 50)"], "both count as asked"


def test_words_of_one_control_are_not_parted() -> None:
    said = [("click(300, 200)", 0.6), ("click(500, 50)", 0.9)]
    model = Knowing(parts=True)
    model.on_words = 1.0
    found = placed(turn_of(640, 360), said, looks=1, attempt=1, model=model)
    assert isinstance(found.action, Click) and found.action.point.x > 250


@pytest.mark.parametrize("words", ["click(500, 300)", 'finish("failure", "not on the screen")'])
def test_words_that_are_nowhere_and_lines_without_anything_change_nothing(words: str) -> None:
    said = [("click(100, 50)", 0.6), (words, 0.9)]
    found = placed(turn_of(640, 360), said, looks=1, model=Knowing(parts=True))
    assert found.action == Click(point=Point(100, 50))
    assert found.reply.text == "click(100, 50)"
    assert len(found.asked) == 2


@pytest.mark.parametrize("parts", [False, True])
def test_places_that_were_tried_are_not_found_by_name(*, parts: bool) -> None:
    def ask(_look: Turn, plan: str) -> Reply:
        return Reply("click(300, 200)" if plan == PLAN else "click(500, 50)", sure=0.6)

    turn, model = turn_of(640, 360), Knowing(finds=not parts, parts=parts)
    for spent, point in (((), Point(100, 50)), ((Point(90, 55),), Point(300, 200))):
        found = place(ask, replace(turn, spent=spent), PLAN, COMPACT, looks=1, attempt=1, model=model)
        assert isinstance(found.action, Click) and found.action.point == point


def test_what_fits_nowhere_is_not_there() -> None:
    replies = [("click(300, 200)", 0.6)]
    found = placed(turn_of(640, 360), replies, looks=1, model=Knowing(fits=False))
    assert found.action == Finish(status="failure", text=NOT_THERE)


def test_after_a_place_in_vain_what_fits_nowhere_may_still_be_there() -> None:
    replies = [("click(300, 200)", 0.6)]
    found = placed(turn_of(640, 360), replies, attempt=1, model=Knowing(fits=False))
    assert isinstance(found.action, Click)


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        ('click "Save \\"it\\"" button', 'Save "it"'),
        ('click "Your town" field', None),
        ("click the first link", None),
        ('click "A" or "B"', None),
        ('click "', None),
        ('click "\\x"', None),
    ],
)
def test_what_a_plan_calls_a_control(plan: str, name: str | None) -> None:
    assert Compact().named(plan) == name


def test_only_a_model_that_knows_names_is_asked_for_them() -> None:
    model = Knowing(knows=False)
    found = placed(turn_of(640, 360), [("click(300, 200)", 0.6)], looks=1, model=model)
    assert found.action == Click(point=Point(300, 200))
    assert not model.held


def test_of_a_plan_that_names_nothing_no_name_is_asked() -> None:
    model = Knowing()
    place(lambda *_: Reply("click(300, 200)", sure=0.6), turn_of(640, 360), "look", COMPACT, looks=1, model=model)
    assert not model.held


def test_a_plan_is_made_of_words() -> None:
    assert Compact().named(Compact().naming('Öl "rot"')) == 'Öl "rot"'

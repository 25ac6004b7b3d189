"""What is due on a screen, learned from demonstrations: the network, how it is taught, and where a model brings it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file
from torch import Tensor

from action_space.actions import Action, Click, Drag, Finish, LongPress, Move, Press, Scroll, Type, Wait
from action_space.dialects.base import NOT_THERE
from action_space.errors import ConfigError, InvalidAction, ModelError
from action_space.geometry import Box, Point, Size
from tests.vlm.tiny_trainer import tiny_trainer
from vlm import BUNDLED
from vlm.acting import AROUND, CELL, DONE, FILE, Acting, asked_of, load_acting, on_cells, place_of, places_in, waves
from vlm.backends.base import Acts
from vlm.backends.engine import Engine
from vlm.beside import save_beside
from vlm.deeds import DEEDS, LETTERS, Deed, action_of, deed_of
from vlm.naming import FILE as NAMING
from vlm.training.acting import (
    Looks,
    Shown,
    acting_loss,
    learn_acts,
    looked_at,
    shown_by,
    some_words,
    squares_in,
)
from vlm.training.data.records import Record, Truth
from vlm.training.data.render import Drawn, Element, Screen, Written
from vlm.training.export import export
from vlm.training.optim import MuonAdamW
from vlm.training.recipe import Further, Minutes, further
from vlm.training.run import SMOKE
from vlm.training.sampled import SCREENS, Judged, Sampled, SeenScreen, Unit, append_unit


def boxes_on(rng: random.Random) -> tuple[Tensor, dict[str, Box]]:
    """A picture with a red and a blue box."""
    picture = Image.new("RGB", (140, 112), "white")
    lefts = rng.sample(range(4, 120, 28), 2)
    found = {}
    for colour, left in zip(("red", "blue"), lefts, strict=True):
        top = rng.randrange(4, 84)
        found[colour] = Box(left, top, left + 20, top + 20)
        ImageDraw.Draw(picture).rectangle((left, top, left + 19, top + 19), fill=colour)
    seen = on_cells(picture)
    assert seen is not None
    return seen, found


def example_of(rng: random.Random) -> tuple[Shown, Tensor]:
    """Click the box of a colour, drag it to the other one, or type its colour, as the task says."""
    picture, boxes = boxes_on(rng)
    colour, other = rng.sample(["red", "blue"], 2)
    box, verb = boxes[colour], rng.choice(("Click", "Drag", "Name"))
    start, end = box.center, boxes[other if verb == "Drag" else colour].center
    places = (float(start.x), float(start.y)), (float(end.x), float(end.y))
    deed = {"Click": Deed("click", *places), "Drag": Deed("drag", *places), "Name": Deed("type", text=colour)}[verb]
    return Shown(Path(), f"{verb} the {colour} box.", (), deed, (box,)), picture


def test_it_learns_what_was_shown_and_does_it_on_other_screens() -> None:
    torch.manual_seed(1)
    rng, acting = random.Random(1), Acting().train()
    optimizer = MuonAdamW(acting.named_parameters(), matrix_lr=0.02, other_lr=0.004)
    before = after = 0.0
    for step in range(90):
        looks, pictures = zip(*(example_of(rng) for _ in range(24)), strict=True)
        loss, right, _ = acting_loss(acting, looks, pictures, rng)
        loss.backward()
        optimizer.step(min(1.0, (90 - step) / 40))
        after = float(right.float().mean())
        before = before if step else after
    assert before < 0.2 and after > 0.7
    acting.eval()
    done = 0
    for _ in range(40):
        look, picture = example_of(rng)
        deed, sure = acting.act(picture, look.task, look.done)
        assert 0 <= sure <= 1
        done += deed.kind == look.deed.kind and deed.text == look.deed.text
        if deed.kind == look.deed.kind == "click":
            done -= not look.boxes[0].contains(Point(*map(int, deed.start)))
    assert done >= 28


WORDS = ("apple", "grape", "melon", "peach", "lemon", "olive")


def written_of(rng: random.Random) -> tuple[Shown, Tensor]:
    """Click one of three words, the mark beside it, or a word that is not there, or type some letters of the task."""
    picture, words = Image.new("RGB", (196, 84), "white"), rng.sample(WORDS, 4)
    lines, marks, draw = [], {}, ImageDraw.Draw(picture)
    for number, word in enumerate(words[:3]):
        left, top = rng.randrange(4, 90), 28 * number + rng.randrange(6)
        draw.text((left, top), word, "black", ImageFont.load_default(20))
        lines.append(Written(word, Box(left, top, left + 11 * len(word), top + 24)))
        marks[word] = Box(176, top + 5, 190, top + 19)
        draw.rectangle((176, top + 5, 189, top + 18), fill="red")
    seen = on_cells(picture)
    assert seen is not None
    verb, sought = rng.choice(("click", "mark", "miss", "Type")), rng.choice(lines)
    if verb == "Type":
        letters = "".join(rng.choice("aeiou2468") for _ in range(4))
        return Shown(Path(), f'Type "{letters}" there', (), Deed("type", text=letters), (Box(0, 0, 1, 1),)), seen
    if verb == "miss":
        return Shown(Path(), f'click "{words[3]}"', (), Deed("absent"), (Box(0, 0, 1, 1),), tuple(lines)), seen
    box = marks[sought.text] if verb == "mark" else sought.box
    place = float(box.center.x), float(box.center.y)
    return Shown(Path(), f'{verb} "{sought.text}"', (), Deed("click", place, place), (box,), tuple(lines)), seen


def test_it_learns_to_find_words_and_to_copy_them() -> None:
    torch.manual_seed(2)
    rng, acting = random.Random(2), Acting().train()
    optimizer = MuonAdamW(acting.named_parameters(), matrix_lr=0.02, other_lr=0.004)
    steps = 160
    for step in range(steps):
        looks, pictures = zip(*(written_of(rng) for _ in range(24)), strict=True)
        loss, _, _ = acting_loss(acting, looks, pictures, rng)
        loss.backward()
        optimizer.step(min(1.0, (steps - step) / 60))
    acting.eval()
    asked, right = dict[str, int](), dict[str, int]()
    for _ in range(120):
        look, picture = written_of(rng)
        deed, _ = acting.act(picture, look.task, look.done)
        kind = look.deed.kind
        sort = f"{look.task.split()[0]} {kind}"
        asked[sort] = asked.get(sort, 0) + 1
        found = look.boxes[0].contains(Point(*map(int, deed.start))) or kind != "click"
        right[sort] = right.get(sort, 0) + (deed.kind == kind and deed.text == look.deed.text and found)
    assert asked.keys() == {"click click", "mark click", "Type type", "click absent"}
    assert all(right[sort] > 0.7 * count for sort, count in asked.items()), (asked, right)


def test_a_place_that_was_tried_in_vain_is_not_clicked_again() -> None:
    torch.manual_seed(0)
    acting, picture = Acting().eval(), torch.zeros(3, 112, 140, dtype=torch.uint8)
    with torch.no_grad():
        acting.heads["kinds"].bias[DEEDS.index("click")] += 100
    first, _ = acting.act(picture, "Click it", ())
    spent = Point(*map(int, first.start))
    other, _ = acting.act(picture, "Click it", (), [spent])
    assert max(abs(other.start[0] - spent.x), abs(other.start[1] - spent.y)) >= AROUND
    everywhere = [Point(x, y) for x in range(0, 140, 50) for y in range(0, 112, 50)]
    assert acting.act(picture, "Click it", (), everywhere)[0] == first, "it has to be somewhere"


def test_a_drag_ends_elsewhere_than_it_starts() -> None:
    torch.manual_seed(1)
    acting, picture = Acting().eval(), torch.zeros(3, 112, 140, dtype=torch.uint8)
    with torch.no_grad():
        acting.heads["kinds"].bias[DEEDS.index("drag")] += 100
        acting.away.weight.zero_()
        acting.away.bias.copy_(100 * waves(torch.zeros(2)))
    deed, _ = acting.act(picture, "Drag it", ())
    assert deed.kind == "drag"
    assert max(abs(deed.end[0] - deed.start[0]), abs(deed.end[1] - deed.start[1])) >= CELL / 2


def test_a_point_is_learned_also_where_bearings_are_worth_nothing_yet() -> None:
    torch.manual_seed(0)
    acting, picture = Acting().train(), torch.randint(0, 255, (3, 112, 112), dtype=torch.uint8)
    with torch.no_grad():
        acting.bearings.worth.weight.zero_()
        acting.bearings.worth.bias.fill_(-100)

    def taught(*boxes: Box) -> float:
        acting.zero_grad()
        shown = [Shown(Path(), "Click it", (), Deed("click", (50, 50), (50, 50)), (box,)) for box in boxes]
        acting_loss(acting, shown, [picture] * len(boxes), random.Random(0))[0].backward()
        ways = acting.bearings.ways.grad
        assert ways is not None
        return float(ways.abs().max())

    point, button = Box(44, 44, 57, 57), Box(10, 40, 90, 60)
    assert taught(point, button) > 1e-6 > taught(button, button)


DOABLE: Sequence[Action] = (
    Click(point=Point(3, 80)),
    Click(point=Point(3, 80), count=2),
    Drag(start=Point(1, 2), end=Point(3, 4)),
    Type(text="4:30 PM"),
    Press(keys=("ctrl", "a")),
    Scroll(point=Point(5, 6), direction="down"),
    Wait(),
    Finish(status="success", text="12"),
    Finish(status="failure", text=NOT_THERE),
)


@pytest.mark.parametrize("action", DOABLE, ids=lambda action: action.kind)
def test_what_it_can_do_goes_there_and_back(action: Action) -> None:
    deed = deed_of(action)
    assert deed is not None and action_of(deed) == action


@pytest.mark.parametrize(
    "action",
    [
        Click(point=Point(1, 1), button="right"),
        Click(point=Point(1, 1), modifiers=("ctrl",)),
        Move(point=Point(1, 1)),
        LongPress(point=Point(1, 1)),
        Type(text="longer than that"),
        Type(text="Grüße"),
        Type(text="two\nlines"),
        Finish(status="failure"),
    ],
    ids=lambda action: action.kind,
)
def test_what_it_cannot_do_is_no_deed(action: Action) -> None:
    assert deed_of(action) is None


@pytest.mark.parametrize(
    "deed", [Deed("press", text="no key"), Deed("scroll", text="over"), Deed("type"), Deed("click", text="x")]
)
def test_a_deed_of_nonsense_is_said_to_be_none(deed: Deed) -> None:
    with pytest.raises(InvalidAction):
        action_of(deed)


def test_questions_have_the_newest_deeds_in_front() -> None:
    done = [Deed("click", (9.0, float(number)), (9.0, float(number))) for number in range(DONE + 3)]
    picture = torch.zeros(3, 28, 28, dtype=torch.uint8)
    asked = asked_of([picture] * 3, ["Click it, now", "", "Tippe „Grüße“ " * 50], [done, [], done[:1]])
    assert asked.at[0, :, 1].tolist() == [round(number / 7) * 7 for number in range(DONE + 2, 2, -1)]
    assert asked.done[1].tolist() == [len(DEEDS)] * DONE and asked.done[2].tolist()[1:] == [len(DEEDS)] * (DONE - 1)
    assert asked.words.shape[::2] == (3, LETTERS) and asked.words.max() <= 127
    assert (asked.words[0, :, 0] > 0).sum() == 4, "words and the comma"
    assert all(torch.isfinite(part).all() for part in Acting().eval()(asked))


def test_squares_are_counted_cell_by_cell() -> None:
    assert [place_of(number, 2) for number in (0, 1, 4, 16, 32)] == [(3, 3), (10, 3), (3, 10), (31, 3), (3, 31)]


def test_pictures_stand_on_whole_cells_and_large_ones_do_not() -> None:
    seen = on_cells(Image.new("L", (30, 57), 7))
    assert seen is not None and seen.shape == (3, 84, 56) and seen.float().std() == 0
    assert on_cells(Image.new("RGB", (1280, 720))) is None


def record_of(prompt: str, answer: str, *boxes: Box, form: str = "look") -> Record:
    truth = Truth(boxes=boxes, texts=(answer,))
    return Record(
        id="a-task-7-1", kind="agent", form=form, images=("a.png",), prompt=(prompt, {"image": 0}), answer=answer,
        source="miniwob/a-task", truth=truth,
    )  # fmt: skip


def test_a_record_of_a_look_says_what_was_done_there(tmp_path: Path) -> None:
    prompt = 'Task: Drag it\n1. click(126, 42)\n2. type "7" (nothing changed)\n3. click "Save" button\nLook.'
    screen = Screen(tmp_path, (), (), lines=(Written("Save", Box(0, 0, 40, 20)),))
    shown = shown_by(record_of(prompt, "drag click(50, 40) click(100, 80)"), screen)
    assert shown == Shown(
        tmp_path,
        "Drag it",
        (Deed("click", (126, 42), (126, 42)), Deed("wait"), Deed("wait")),
        Deed("drag", (50, 40), (100, 80)),
        (Box(40, 30, 61, 51),),
        screen.lines,
        "miniwob/a-task",
    )
    box = Box(1, 2, 30, 40)
    clicked = shown_by(record_of("Task: It\nLook.", "click(5, 6)", box), screen)
    assert clicked is not None and clicked.boxes == (box,) and clicked.done == ()
    label = Box(0, 0, 90, 42)
    ticked = replace(screen, elements=(Element("checkbox", "Save", box, label), Element("button", "No", label)))
    shown = shown_by(record_of("Task: It\nLook.", "click(5, 6)", box), ticked)
    assert shown is not None and shown.boxes == (box, label), "its words tick it as well"
    assert shown_by(record_of("Task: It\nLook.", "long_press(5, 6)"), screen) is None
    assert shown_by(record_of("Task: It\nLook.", "no call at all"), screen) is None
    gone = shown_by(record_of('click "Send"', 'finish("failure", "not on the screen")', form="step"), screen)
    assert gone is not None and (gone.task, gone.deed) == ('click "Send"', Deed("absent"))


def sampled_in(folder: Path, count: int = 6) -> Sampled:
    judged, screens = [], {}
    for number in range(count):
        image = folder / f"{number}.png"
        Image.new("RGB", (140, 112) if number % 2 else (112, 112), "white").save(image)
        screens[image.name] = Screen(image, (), ())
        record = record_of(f"Task: Do {number}\nLook.", f"click({number + 20}, 30)")
        judged.append(Judged(record=record.model_copy(update={"images": (image.name,)})))
    other = record_of('click "It"', "click(5, 6)", form="step").model_copy(update={"images": ("0.png",)})
    planned = record_of("Task: It\nNext?", "look", form="plan").model_copy(update={"images": ()})
    return Sampled((*judged, Judged(record=other), Judged(record=planned)), screens)


def test_looks_are_drawn_with_pictures_of_one_size(tmp_path: Path) -> None:
    looks = list(looked_at(sampled_in(tmp_path)))
    assert len(looks) == 7, "looks, and what is sought by its name, but no plan"
    drawn = Looks(looks, random.Random(0))
    for _ in range(8):
        shown, pictures = drawn.draw(5)
        assert len(shown) == len(pictures) == 5 and len({picture.shape for picture in pictures}) == 1
    assert drawn.left_out == 0


def test_what_is_missed_is_drawn_more_often(tmp_path: Path) -> None:
    looks = [replace(look, source=f"from {n % 2}") for n, look in enumerate(looked_at(sampled_in(tmp_path)))]
    drawn = Looks([look for look in looks if look.picture == looks[0].picture] * 2 + looks, random.Random(0))
    for _ in range(300):
        drawn.mark(looks, torch.tensor([look.source == "from 0" for look in looks]))
    assert drawn.missed["from 0"] < 0.05 < 0.95 < drawn.missed["from 1"]
    shown = [look for _ in range(40) for look in drawn.draw(6)[0]]
    assert sum(look.source == "from 1" for look in shown) > 2 * sum(look.source == "from 0" for look in shown)


def test_earlier_clicks_and_drags_may_have_been_elsewhere_on_their_targets(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.new("RGB", (280, 112)).save(image)
    clicked, box = Deed("click", (140.0, 50.0), (140.0, 50.0)), Box(20, 10, 60, 40)
    dragged, before = Deed("drag", (40.0, 25.0), (90.0, 85.0)), (Box(100, 45, 180, 55),)
    look = Shown(
        image, "It", (clicked, clicked, dragged), dragged, (box,), source="drags", clicked=(before, (), (box,))
    )
    looks = Looks([look], random.Random(0))
    drawn = [look for _ in range(40) for look in looks.draw(5)[0]]
    for look in drawn:
        (x, y), (start, end) = look.done[0].start, (look.deed.start, look.deed.end)
        assert look.done[0].end == (x, y) and before[0].contains(Point(int(x), int(y)))
        assert look.done[1] == clicked, "it is not known where else it could have been"
        assert look.done[2] == dragged, "where it is dragged from is where it was"
        assert box.contains(Point(*map(int, start))), "but it can be taken anywhere"
        assert (end[0] - start[0], end[1] - start[1]) == pytest.approx((50, 60)), "and goes as far"
    assert min(len({look.deed.start for look in drawn}), len({look.done[0] for look in drawn})) > 100


def test_where_earlier_clicks_could_have_been_is_what_their_looks_say(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.new("RGB", (112, 112)).save(image)
    box, other = Box(3, 20, 50, 40), Box(60, 60, 90, 80)
    records = [
        record_of("Task: It\nLook.", "click(26, 30)", box),
        record_of("Task: It\n1. click(28, 28)\nLook.", 'type("7")'),
        record_of('Task: It\n1. click(28, 28)\n2. type "7"\nLook.', "click(75, 70)", other),
        record_of("Task: That\n1. click(28, 28)\nLook.", "click(75, 70)", other),
    ]
    looks = list(looked_at(Sampled(tuple(Judged(record=one) for one in records), {"a.png": Screen(image, (), ())})))
    assert [look.clicked for look in looks] == [(), ((box,),), ((box,), ()), ((),)], "of another task it is not known"


def test_rare_deeds_of_a_source_are_drawn_too(tmp_path: Path) -> None:
    often, *_ = looked_at(sampled_in(tmp_path))
    rare = replace(often, boxes=(Box(90, 90, 100, 100),))
    drawn = Looks([often] * 99 + [rare], random.Random(0))
    shown = [look for _ in range(40) for look in drawn.draw(10)[0]]
    assert 16 < sum(look.boxes == rare.boxes for look in shown) < 60, "one of eleven"
    for _ in range(200):
        drawn.mark([often, rare], torch.tensor([True, False]))
    shown = [look for _ in range(40) for look in drawn.draw(10)[0]]
    assert 100 < sum(look.boxes == rare.boxes for look in shown) < 200, "it is missed"


def test_of_a_word_all_places_count() -> None:
    lines = (Written("Ann Annabel, Ann!", Box(14, 7, 82, 28)), Written("Ann", Box(70, 70, 84, 84)))
    words = some_words(lines, random.Random(0))
    assert words.keys() == {"Ann", "Annabel"}
    assert words["Ann"] == [Box(14, 7, 26, 28), Box(66, 7, 78, 28), Box(70, 70, 84, 84)]


def test_squares_that_are_in_boxes() -> None:
    places = [Point(*map(int, place)) for place in places_in(3, 2).tolist()]

    def found(*boxes: Box) -> set[Point]:
        inside = squares_in([boxes], Size(56, 84))[0].tolist()
        return {place for place, is_in in zip(places, inside, strict=True) if is_in}

    rng = random.Random(3)
    for _ in range(200):
        corners = [(rng.randrange(49), rng.randrange(77)) for _ in range(rng.randrange(1, 4))]
        boxes = [Box(x, y, x + rng.randrange(7, 30), y + rng.randrange(7, 30)) for x, y in corners]
        assert found(*boxes) == {place for place in places if any(box.contains(place) for box in boxes)}
    assert found(Box(5, 5, 6, 26)) == {Point(3, 10), Point(3, 17), Point(3, 24)}, "the nearest ones"
    assert found(Box(-30, 200, -20, 210)) == {Point(3, 80)}


def test_pictures_that_are_damaged_or_too_large_are_left_out_and_counted(tmp_path: Path) -> None:
    looks = list(looked_at(sampled_in(tmp_path)))
    Image.new("RGB", (1280, 720)).save(looks[0].picture)
    looks[1].picture.write_bytes(b"no picture")
    drawn = Looks(looks, random.Random(0))
    assert drawn.left_out == 3 and len(drawn.draw(9)[0]) == 9, "two of them are of one picture"
    with pytest.raises(ConfigError, match="2 looks with 2 pictures that are damaged or too large"):
        Looks(looks[:2], random.Random(0))


def test_a_training_is_gone_on_with_and_begins_with_what_there_was(tmp_path: Path) -> None:
    sampled = sampled_in(tmp_path)
    acting = learn_acts(sampled, tmp_path / "work", minutes=0.001, seed=1, amounts=SMOKE)
    again = learn_acts(sampled, tmp_path / "work", minutes=0.001, seed=1, amounts=SMOKE)
    assert all(torch.equal(a, b) for a, b in zip(acting.parameters(), again.parameters(), strict=True))
    known = Acting()
    on = learn_acts(sampled, tmp_path / "other", minutes=0.0, seed=1, amounts=SMOKE, before=known)
    assert on is known


def test_it_is_stored_beside_a_checkpoint_and_damage_is_said(tmp_path: Path) -> None:
    assert load_acting(tmp_path) is None
    acting = Acting().eval()
    save_beside(acting, tmp_path / FILE)
    stored = load_acting(tmp_path)
    assert stored is not None and not stored.training
    picture = torch.randint(0, 255, (3, 84, 84), dtype=torch.uint8)
    for ours, theirs in zip(
        acting(asked_of([picture], ["Go"], [()])), stored(asked_of([picture], ["Go"], [()])), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=0.15, rtol=0.1)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"acting\.weights' holds nothing that tells what is due .*--act-minutes"):
        load_acting(tmp_path)


def exported(folder: Path, acting: Acting | None) -> Engine:
    folder.mkdir()
    export(tiny_trainer(), folder, acting=acting)
    return Engine(folder, dtype="float32")


def test_a_checkpoint_that_brings_it_is_asked(tmp_path: Path) -> None:
    picture = Image.new("RGB", (84, 84))
    engine = exported(tmp_path / "without", None)
    assert not engine.knows_acts
    with pytest.raises(ModelError, match="--act-minutes"):
        engine.due_on(picture, "Go", ())
    torch.manual_seed(0)
    acting = Acting()
    with torch.no_grad():
        acting.heads["kinds"].bias[DEEDS.index("wait")] += 100
    engine = exported(tmp_path / "with", acting)
    assert isinstance(engine, Acts) and engine.knows_acts
    due = engine.due_on(picture, "Go", (None, Click(point=Point(1, 1)), Move(point=Point(1, 1))))
    assert due is not None and due.action == Wait()
    assert engine.due_on(Image.new("RGB", (1280, 720)), "Go", ()) is None, "too large"
    with torch.no_grad():
        acting.heads["kinds"].bias[DEEDS.index("press")] += 1000
    assert exported(tmp_path / "pressing", acting).due_on(picture, "Go", ()) is None, "no such keys"


def test_a_checkpoint_is_exported_with_what_was_learned_and_all_else_as_it_was(tmp_path: Path) -> None:
    sampled = sampled_in(tmp_path)
    (tmp_path / "answers" / SCREENS).mkdir(parents=True)
    for name, screen in sampled.screens.items():
        screen.image.rename(tmp_path / "answers" / SCREENS / name)
    seen = tuple(SeenScreen(image=name, elements=(), chars=()) for name in sampled.screens)
    append_unit(tmp_path / "answers", Unit(name="a", judged=sampled.judged, screens=seen))
    nothing_drawn = Drawn(tmp_path, tmp_path, tmp_path)
    minutes = Minutes(0, 0, acting=0.03)
    plan = Further(BUNDLED, [tmp_path / "answers"], nothing_drawn, tmp_path / "work", minutes, 1, SMOKE)
    further(plan, export_to=tmp_path / "out")
    acting, before = load_acting(tmp_path / "out"), load_acting(BUNDLED)
    assert acting is not None and before is not None
    told = zip(acting.parameters(), before.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in told), "it is taught on"
    assert (tmp_path / "out" / NAMING).read_bytes() == (BUNDLED / NAMING).read_bytes()
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "out", BUNDLED))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)

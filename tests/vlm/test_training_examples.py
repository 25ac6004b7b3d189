"""What the model is trained on is what it is asked later: same tokens and positions, answers the dialect reads."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.geometry import Box, Frame, Point, Size
from tests.vlm.tiny_trainer import tiny_trainer
from vlm.chat import encode
from vlm.images import normalised, patches_of
from vlm.rope import rope_index
from vlm.training.data.render import Element, Screen
from vlm.training.data.words import Words, is_held_out
from vlm.training.dense import target_cells
from vlm.training.examples import (
    IMAGE_PAD,
    TOKENS,
    collate,
    grid_points,
    grounding_example,
    places_in,
    planning_example,
)
from vlm.training.pool import WHOLE, Control, EncodedScreen, Region, encode_screen, part_of
from vlm.training.questions import NOTHING, NOUNS, instruction, plan_question
from vlm.training.stages import BUNDLED
from vlm.training.tokenizer import GRID, PHRASES

ROWS, COLUMNS = 5, 7
SIZE = Size(COLUMNS * 28, ROWS * 28)
FRAME = Frame(SIZE, SIZE)
TARGET = Box(30, 60, 90, 80)


def screen(rows: slice = slice(0, ROWS), columns: slice = slice(0, COLUMNS)) -> Region:
    """The cells of the small screen that lie in `rows` and `columns`."""
    kept = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    kept[rows, columns] = True
    places = torch.nonzero(kept)
    area = target_cells(TARGET, ROWS, COLUMNS).bool()[kept]
    control = Control(Element("button", "Send it", TARGET), TARGET, area, area)
    return Region(torch.zeros(len(places), 8), places, (ROWS, COLUMNS), control)


def test_a_grounding_example_is_the_prompt_of_the_dialect() -> None:
    region = screen()
    example = grounding_example(region, random.Random(0))
    words = instruction(random.Random(0), "button", "Send it")
    dialect = load_dialect("compact")
    picture = Image.new("RGB", (SIZE.width, SIZE.height))
    prompt = encode(dialect.prompt(Turn(words, picture, FRAME), words), TOKENS, [ROWS * COLUMNS])
    assert example.ids[: -len(example.answer)] == prompt
    positions, _ = rope_index(
        torch.tensor([example.ids]), torch.ones(1, len(example.ids)), BUNDLED, [(1, 2 * ROWS, 2 * COLUMNS)]
    )
    assert torch.equal(positions[:, 0], example.positions)


def test_the_answer_is_a_click_in_the_box() -> None:
    region = screen()
    example = grounding_example(region, random.Random(1))
    answer = TOKENS.decode(example.ids[-len(example.answer) :], skip_special_tokens=True)
    action = load_dialect("compact").parse(answer, FRAME)
    assert action.kind == "click" and TARGET.contains(action.point)


def test_a_region_keeps_the_positions_of_the_whole_screen() -> None:
    whole = grounding_example(screen(), random.Random(2))
    example = grounding_example(screen(slice(1, 3), slice(1, 4)), random.Random(2))
    table = {tuple(p) for p in whole.positions[:, torch.tensor(whole.ids) == IMAGE_PAD].T.tolist()}
    assert {tuple(p) for p in example.positions[:, torch.tensor(example.ids) == IMAGE_PAD].T.tolist()} < table
    assert torch.equal(whole.positions[:, -1], example.positions[:, -1])


def test_what_is_shown_does_not_tell_what_is_asked_for() -> None:
    """Cells of one colour are left out, also those of the target."""
    drawn = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    drawn[2, ::2] = drawn[4, 0] = True
    tokens = torch.zeros(ROWS, COLUMNS, 8)
    encoded = EncodedScreen(tokens, drawn, (), known=torch.ones_like(drawn), said="")

    def shown(box: Box) -> Region:
        area = target_cells(box, ROWS, COLUMNS).bool()
        return part_of(random.Random(1), encoded, Control(Element("button", "Send it", box), box, area, area), WHOLE, 0)

    one, other, blank = (shown(box) for box in (TARGET, Box(2, 114, 90, 138), Box(30, 2, 80, 26)))
    assert torch.equal(one.places, other.places) and torch.equal(one.places, torch.nonzero(drawn))
    assert one.control.area.sum() == other.control.area.sum() == 1
    assert len(blank.places) == ROWS * COLUMNS, "or nothing of it would be seen"
    encoded = EncodedScreen(tokens, drawn, (), known=drawn, said="")
    assert torch.equal(shown(Box(30, 2, 80, 26)).places, torch.nonzero(drawn)), "there is nothing else to show"


def test_a_large_screen_is_encoded_as_in_use() -> None:
    tower, button = tiny_trainer().model.visual, Element("button", "Send it", TARGET)
    page = np.full((20 * 28, 21 * 28, 3), 255, np.uint8)
    page[60:80, 30:90:7] = 0
    encoded = encode_screen(
        tower, page, Screen(Path(), (button, replace(button, name="Blank", box=Box(280, 280, 300, 300))), ())
    )
    assert encoded is not None and [control.element for control in encoded.controls] == [button]
    kept = tower.kept(encoded.drawn.flatten(), (1, 40, 42)).view(20, 21)
    assert torch.equal(encoded.known, kept) and encoded.known.sum() < 20 and encoded.drawn.any()
    frames = torch.from_numpy(normalised(page)).permute(2, 0, 1)[None]
    shown, _ = tower.look(patches_of(frames.expand(2, -1, -1, -1)), (1, 40, 42), kept=kept.flatten())
    assert torch.equal(encoded.tokens[kept], shown)
    small = encode_screen(tower, page[: 5 * 28, : 7 * 28], Screen(Path(), (button,), ()))
    assert small is not None and small.known.all()


def test_the_answer_looks_at_the_target() -> None:
    example = grounding_example(screen(), random.Random(3))
    first = example.ids.index(IMAGE_PAD)
    cells = [2 * COLUMNS + column for column in (1, 2)]
    assert [look.start for look in example.looks] == [len(example.ids) - 4, len(example.ids) - 3]
    assert all((look.at - first).tolist() == cells for look in example.looks)


@pytest.mark.parametrize("seed", range(20))
def test_a_copied_letter_looks_at_its_source(seed: int) -> None:
    example = planning_example(random.Random(seed), Words(random.Random(seed), held_out=False))
    asks = set(example.asks.tolist())
    closing = {TOKENS.encode(end).ids[0] for end in ('"', '" button', '" field', '" checkbox')}
    for look in example.looks:
        assert look.start in asks and int(look.at.max()) < look.start
        if example.ids[look.start + 1] not in closing:
            assert {example.ids[at] for at in look.at.tolist()} == {example.ids[look.start + 1]}


def test_target_cells_are_those_under_the_box() -> None:
    assert target_cells(Box(28, 56, 84, 84), ROWS, COLUMNS).nonzero().tolist() == [[2, 1], [2, 2]]
    assert target_cells(Box(30, 60, 40, 70), ROWS, COLUMNS).nonzero().tolist() == [[2, 1]], (
        "something smaller than a cell has one"
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_planning_example_is_the_prompt_of_the_dialect(seed: int) -> None:
    question = plan_question(random.Random(seed), Words(random.Random(seed), held_out=False))
    example = planning_example(random.Random(seed), Words(random.Random(seed), held_out=False))
    dialect = load_dialect("compact")
    steps = tuple(PastStep(None, "", plan, note.strip(" ()")) for plan, note in question.behind)
    turn = Turn(question.task.removeprefix("Task: ").strip(), Image.new("RGB", (28, 28)), FRAME, steps)
    messages = dialect.plan_prompt(turn)
    assert messages is not None
    assert example.ids[: -example.lengths[-1]] == encode(messages, TOKENS, [])
    asked = torch.split(torch.tensor(example.ids)[example.asks + 1], example.lengths)
    said = [TOKENS.decode(part.tolist(), skip_special_tokens=True) for part in asked]
    assert said == [plan for plan, _ in question.behind] + [question.answer]
    action = dialect.plan_action(question.answer, FRAME)
    assert (action is None) == (question.answer == "look" or question.answer.startswith("click"))


def test_a_list_that_does_not_open_is_not_tried_for_ever() -> None:
    """What is to be chosen may lie open already, as radio buttons under a heading do."""
    rng = random.Random(3)
    words, seen = Words(rng, held_out=False), []
    while len(seen) < 20:
        question = plan_question(rng, words)
        *_, before, last = [("", ""), ("", ""), *question.behind]
        plan, note = last
        if note != NOTHING or plan == "scroll down":
            continue
        if before != last:
            assert question.answer == plan, "it is tried again"
        elif question.answer != plan:
            assert plan.endswith(" field") and question.answer.startswith("click")
            seen.append(question)


def test_phrases_are_what_the_dialect_says() -> None:
    """A phrase that no prompt and no reply holds would never be learned."""
    rng = random.Random(6)
    examples = [planning_example(rng, Words(rng, held_out=False)) for _ in range(60)]
    examples += [grounding_example(screen(), rng) for _ in range(20)]
    said = {number for example in examples for number in example.ids}
    for phrase in PHRASES:
        assert TOKENS.encode(phrase).ids == [TOKENS.token_to_id(phrase)]
        assert TOKENS.decode(TOKENS.encode(f"a{phrase}b").ids) == f"a{phrase}b"
        assert TOKENS.token_to_id(phrase) in said


def test_what_follows_the_asking_tokens_is_the_answer() -> None:
    examples = [
        grounding_example(screen(), random.Random(3)),
        planning_example(random.Random(3), Words(random.Random(3), held_out=False)),
    ]
    batch = collate(examples)
    for row, example in enumerate(examples):
        asked = batch.asks[batch.asks[:, 0] == row, 1]
        assert torch.equal(batch.ids[row, asked + 1], example.answer)
    assert batch.features is not None and len(batch.features) == ROWS * COLUMNS
    assert len(batch.look_at) == sum(len(example.looks) for example in examples)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (644, 364), (1932, 2408)])
def test_points_on_the_grid_are_two_tokens(x: int, y: int) -> None:
    assert len(TOKENS.encode(f"click({x}, {y})").ids) == 2


@pytest.mark.parametrize("said", ["click(645, 364)", "click(3840, 2161)", 'click(7, 9, "right")', "click(0.5, 14)"])
def test_any_other_point_is_spelled(said: str) -> None:
    assert TOKENS.decode(TOKENS.encode(said).ids) == said


def test_held_out_words_and_fonts_never_meet_the_others() -> None:
    seen = Words(random.Random(4), held_out=True)
    words = [seen.word() for _ in range(300)]
    assert all(is_held_out(word) for word in words)
    assert 0.1 < sum(is_held_out(f"w{i}") for i in range(1000)) / 1000 < 0.3


@pytest.mark.parametrize("held_out", [False, True])
def test_labels_are_now_and_then_alike_in_training_alone(held_out: bool) -> None:
    words = Words(random.Random(6), held_out=held_out)
    labels = [words.label().lower() for _ in range(200)]
    begun = sum(later.startswith(f"{label} ") for i, label in enumerate(labels) for later in labels[i : i + 13])
    assert begun == 0 if held_out else begun > 2


@pytest.mark.parametrize("kind", NOUNS)
def test_instructions_name_their_control(kind: str) -> None:
    rng = random.Random(5)
    assert all("send it" in instruction(rng, kind, "Send it").lower() for _ in range(50))


@pytest.mark.parametrize(
    "box", [Box(100, 30, 700, 60), Box(3, 3, 16, 16), Box(0, 0, 5, 4), Box(1900, 2395, 1932, 2408)]
)
def test_every_point_that_is_taught_lies_in_the_control(box: Box) -> None:
    across, down = grid_points(box, 0), grid_points(box, 1)
    assert len(across) and len(down)
    if min(box.right - box.left, box.bottom - box.top) >= GRID:
        assert all(box.contains(Point(x * GRID, y * GRID)) for x in across for y in down)


def test_visual_tokens_are_told_where_they_stand() -> None:
    """Rows and columns are counted from the picture's corner, however long the instruction is."""
    batch = collate([grounding_example(screen(slice(1, 3), slice(2, 5)), random.Random(seed)) for seed in range(3)])
    rows, columns = places_in(batch)
    assert rows.tolist() == [1, 1, 1, 2, 2, 2] * 3
    assert columns.tolist() == [2, 3, 4] * 6

"""Behind teaching: what was sampled is asked as it will be asked later, trained on, preferred, and resumed."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from action_space.actions import Click
from action_space.dialects import load_dialect
from action_space.dialects.base import PastStep, Turn
from action_space.dialects.compact import LOOK
from action_space.errors import ConfigError, ModelError
from action_space.geometry import Box, Frame, Point, Size
from tests.vlm.tiny_trainer import NAMES, draw_screens, judged_plans, judged_point, sampled_of, tiny_trainer
from vlm.chat import encode
from vlm.model import Qwen25VL
from vlm.training import answered, live
from vlm.training.answered import Questions, said_example
from vlm.training.data.kinds.grounding import MISSING
from vlm.training.data.records import Picture, Record, Truth
from vlm.training.data.render import Element, Screen, Written
from vlm.training.dense import CELL
from vlm.training.examples import FIRST_X, FIRST_Y, TOKENS, Example
from vlm.training.export import HEADS, export
from vlm.training.icons import BLOCKS, deepen
from vlm.training.live import LiveTower, pointing_live
from vlm.training.multimodal import Trainer
from vlm.training.optim import MuonAdamW
from vlm.training.pool import WHOLE, Pool
from vlm.training.prefer import pairs, prefer, preference_loss, preferring
from vlm.training.pretrain import Crops, View, as_model_sees, draw_part, draw_view
from vlm.training.refine import refine
from vlm.training.run import SMOKE
from vlm.training.sampled import Judged, Sampled
from vlm.training.stages import BUNDLED, fill, pointing, resume
from vlm.training.tokenizer import GRID

SMALL = replace(SMOKE, pool=2)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Screen]]:
    folder = tmp_path_factory.mktemp("refining") / "screens"
    return folder, draw_screens(folder)


def questions_of(sampled: Sampled) -> Questions:
    return Questions(sampled, tiny_trainer().model.visual, random.Random(0))


def test_a_sampled_plan_is_the_prompt_of_the_dialect() -> None:
    dialect = load_dialect("compact")
    for one in judged_plans(12):
        text = one.record.prompt[0]
        assert isinstance(text, str)
        task, *lines = text.splitlines()
        steps = [line.partition(". ")[2].rpartition(" (nothing changed)") for line in lines[:-1]]
        history = tuple(PastStep(None, "", told or plan, "nothing changed" if told else "") for told, _, plan in steps)
        turn = Turn(task.removeprefix("Task: "), Image.new("RGB", (28, 28)), Frame(Size(28, 28), Size(28, 28)), history)
        messages = dialect.plan_prompt(turn)
        assert messages is not None
        example = said_example(text, one.record.answer)
        assert example.ids[: -len(example.answer)] == encode(messages, TOKENS, [])
        assert TOKENS.decode(example.answer.tolist(), skip_special_tokens=True) == one.record.answer
        assert [example.ids[at + 1] for at in example.asks.tolist()] == example.answer.tolist()


@pytest.mark.parametrize("view", [View(Size(280, 168)), View(Size(308, 196), offset=(9, 20))])
def test_a_sampled_point_is_the_whole_screen_and_lies_in_the_control(
    drawn: tuple[Path, list[Screen]], view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlm.training.answered.draw_view", lambda *_: view)
    screen, (dx, dy) = drawn[1][0], view.offset
    one = judged_point(screen, screen.elements[3])
    questions = questions_of(Sampled((one,), {screen.image.name: screen}))
    example = questions.point(one)
    assert example is not None and example.region is not None
    assert example.region.screen == (view.size.height // CELL, view.size.width // CELL)
    x, y = ((int(example.answer[axis]) - first) * GRID for axis, first in ((0, FIRST_X), (1, FIRST_Y)))
    assert screen.elements[3].hit_by(x - dx, y - dy)
    wrong = questions.answered(one, f"click({21 - dx}, {147 - dy})")
    assert wrong is not None and wrong.answer.tolist()[:2] == [FIRST_X + 3, FIRST_Y + 21]
    assert wrong.ids[: -len(wrong.answer)] == example.ids[: -len(example.answer)]
    assert questions.answered(one, "I do not know") is None


def test_screens_are_shown_as_they_are_looked_at(drawn: tuple[Path, list[Screen]]) -> None:
    rng, screen = random.Random(3), drawn[1][0]
    with Image.open(screen.image) as image:
        picture = image.convert("RGB")
    views = [draw_view(rng, *picture.size) for _ in range(40)]
    assert {view.offset[0] for view in views} - {0} and all(max(view.offset) < CELL for view in views)
    for view in views:
        shown, moved = as_model_sees(picture, screen, view)
        assert shown.size == (view.size.width, view.size.height) and not shown.width % CELL and not shown.height % CELL
        for before, after in zip(screen.elements, moved.elements, strict=True):
            assert (after.box.left, after.box.top) == view.of(before.box.left, before.box.top)
            if view.scale == (1.0, 1.0):
                part = (after.box.left, after.box.top, after.box.right, after.box.bottom)
                old = (before.box.left, before.box.top, before.box.right, before.box.bottom)
                assert shown.crop(part).tobytes() == picture.crop(old).tobytes()


def test_a_large_screen_is_looked_at_from_closer_too() -> None:
    rng, picture = random.Random(1), Image.new("RGB", (1280, 720), "white")
    box = Box(600, 300, 660, 330)
    picture.paste((200, 0, 0), (box.left, box.top, box.right, box.bottom))
    lines = Written("Ok", box), Written("x", Box(0, 0, 10, 10))
    screen = Screen(Path("a.png"), (Element("button", "Ok", box),), ((630, 315, "O"), (5, 5, "x")), lines=lines)
    inside = 0
    for _ in range(20):
        view = draw_part(rng, *picture.size)
        shown, moved = as_model_sees(picture, screen, view)
        assert shown.size == (1008, 588)
        center = moved.elements[0].box.center
        if 0 <= center.x < 1008 and 0 <= center.y < 588:
            inside += 1
            assert shown.getpixel((center.x, center.y)) == (200, 0, 0)
        assert all(0 <= x < 1008 and 0 <= y < 588 for x, y, _ in moved.chars)
        assert ("x" in moved.said) == any(char == "x" for *_, char in moved.chars), "what is not shown may be missing"
        assert [line.box for line in moved.lines if line.text == "Ok"] == [
            element.box for element in moved.elements if view.size.contains(element.box.center)
        ]
    assert inside > 5
    assert draw_part(rng, 700, 300).size == Size(1008, 448), "all of it, down"


def agent_on(screen: Screen, form: str, words: str, answer: str, *boxes: Box) -> Judged:
    return Judged(
        record=Record(
            id=f"agent-{answer}",
            kind="agent",
            form=form,
            images=(screen.image.name,),
            prompt=(words, Picture(image=0)),
            answer=answer,
            source="miniwob/click-color",
            truth=Truth(boxes=boxes),
        )
    )


def step_on(screen: Screen, name: str, box: Box) -> Judged:
    return agent_on(screen, "step", f'click "{name}"', f"click({box.center.x}, {box.center.y})", box)


def test_what_a_step_clicks_is_a_point_whatever_the_page_calls_it(drawn: tuple[Path, list[Screen]]) -> None:
    screen = drawn[1][0]
    known, box = screen.elements[0], Box(100, 60, 160, 100)
    steps = step_on(screen, "cyan", box), step_on(screen, known.name.upper(), known.box)
    beside = step_on(screen, known.name, box)
    questions = questions_of(Sampled((*steps, beside), {screen.image.name: screen}))
    examples = [questions.point(one) for one in steps]
    assert all(example is not None for example in examples)
    assert questions.point(beside) is None, "the page has another control of that name"
    assert {len(example.ids) for example in questions.pointing(4000, 6)} == {
        len(example.ids) for example in examples if example
    }, "a small screen is shown whole"


def look_at(screen: Screen, behind: str, answer: str, *boxes: Box) -> Judged:
    return agent_on(screen, LOOK, f"Task: Drag it\n{behind}Look.", answer, *boxes)


def test_what_is_due_on_a_screen_is_the_prompt_of_the_dialect(
    drawn: tuple[Path, list[Screen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View(Size(308, 196), offset=(9, 20))
    monkeypatch.setattr("vlm.training.answered.draw_view", lambda *_: view)
    monkeypatch.setattr("vlm.training.answered.WITH_BLANKS", 1.0)
    screen, dialect = drawn[1][0], load_dialect("compact")
    behind = "1. click(140, 21)\n"
    looks = [
        look_at(screen, behind, "click(50, 40)", Box(40, 30, 60, 50)),
        look_at(screen, behind, "drag click(50, 40) click(100, 80)"),
        look_at(screen, behind, 'type("Drag it")'),
    ]
    questions = questions_of(Sampled(tuple(looks), {screen.image.name: screen}))
    examples = [questions._looked(one.record, shown) for one in looks if (shown := questions._show(screen.image.name))]
    history = (PastStep(Click(point=Point(141, 20)), "click(150, 40)", LOOK),)
    turn = Turn("Drag it", Image.new("RGB", (308, 196)), Frame(view.size, view.size), history)
    prompt = encode(dialect.prompt(turn, LOOK), TOKENS, [7 * 11])
    said = [TOKENS.decode(example.answer.tolist(), skip_special_tokens=True) for example in examples]
    for example in examples:
        assert example.ids[: -len(example.answer)] == prompt
        assert [example.ids[at + 1] for at in example.asks.tolist()] == example.answer.tolist()
    point = dialect.parse(said[0], turn.frame)
    assert isinstance(point, Click) and Box(49, 50, 69, 70).contains(point.point)
    assert said[1:] == ["drag click(56, 63) click(112, 98)", 'type("Drag it")']
    assert not examples[0].lengths and all(example.lengths for example in examples[1:])
    assert [len(example.looks) for example in examples[1:]] == [0, len("Drag it") + 1], "what is typed is copied"
    for look in examples[2].looks[:-1]:
        assert {examples[2].ids[at] for at in look.at.tolist()} == {examples[2].ids[look.start + 1]}
    assert [len(example.points) for example in examples] == [0, 4, 0]
    seen, first = examples[1].points, examples[1].ids.index(TOKENS.token_to_id("<|image_pad|>"))
    assert [examples[1].ids[look.start + 1] for look in seen] == [
        t for t in examples[1].answer.tolist() if t >= FIRST_X
    ]
    assert [(int(look.at) - first) // 11 for look in seen] == [2, 2, 3, 3], "the rows of both places"
    assert len(questions.looking(500)) >= 3 and questions.pointing(500, WHOLE) == []


def test_that_something_is_not_there_is_taught_on_any_screen(drawn: tuple[Path, list[Screen]]) -> None:
    screen = drawn[1][0]
    asked = agent_on(screen, "step", 'click "Nowhere"', MISSING)
    questions = questions_of(Sampled((asked,), {screen.image.name: screen}))
    (example, *_) = questions.pointing(1, WHOLE)
    assert example.lengths == (len(example.answer),) and not questions.left_out
    assert TOKENS.decode(example.answer.tolist(), skip_special_tokens=True) == MISSING
    assert questions.answered(asked, "click(1, 1)") is None, "it has no place to compare with"
    trainer = tiny_trainer()
    batch = trainer.collated([example, example])
    nats = -trainer.answers(batch, trainer.states(batch)).gather(1, batch.answer[:, None])[:, 0].view(2, -1)[0]
    loss, _ = trainer.missing_loss([example, example])
    assert loss.item() == pytest.approx((nats[0] + nats[1:].mean()).item(), rel=1e-2), "letters do not drown points"

    pool = Pool(drawn[0], tiny_trainer().model.visual, 0)
    fill(pool, len(drawn[1]))
    assert pool.missing(WHOLE) is None, "all screens have the same names here"
    assert not any(e.lengths for e in pointing(pool, WHOLE, 2000, missing=1.0)), "so what is there is asked for"
    pool.screens[:] = [replace(one, said="nothing") for one in pool.screens]
    assert pool.missing(WHOLE) is not None


def test_looking_is_trained_with_the_rest(
    drawn: tuple[Path, list[Screen]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlm.training.run.NOTE_EVERY", 1)
    screen = drawn[1][0]
    looks = look_at(screen, "", "click(50, 40)", Box(40, 30, 60, 50)), look_at(screen, "", 'type("it")')
    sampled = sampled_of(drawn[1])
    sampled = replace(sampled, judged=(*sampled.judged, *looks))
    refine(tiny_trainer(), sampled, drawn[0], tmp_path, minutes=0.0001, seed=1, amounts=SMALL)
    row = json.loads((tmp_path / "refine.log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {"hits", "look_hits", "look_plan", "plan"} <= row.keys() and row["left_out"] == 0


def test_a_source_of_many_screens_does_not_crowd_out_the_others(drawn: tuple[Path, list[Screen]]) -> None:
    screens = drawn[1]
    points = [judged_point(screen, screen.elements[0]) for screen in screens]
    records = [one.record.model_copy(update={"source": f"s/{number and 1}"}) for number, one in enumerate(points)]
    judged = tuple(one.model_copy(update={"record": record}) for one, record in zip(points, records, strict=True))
    questions = questions_of(replace(sampled_of(screens), judged=judged))
    drawn_names = Counter(questions.points.draw(questions.rng) for _ in range(3000))
    alone = records[0].images[0]
    assert abs(drawn_names[alone] / 3000 - 1 / (1 + 2**0.5)) < 0.05, "one of three screens, by the square root"
    questions.points.drop(judged[0])
    assert alone not in {questions.points.draw(questions.rng) for _ in range(100)}


def test_what_cannot_be_asked_is_counted(drawn: tuple[Path, list[Screen]]) -> None:
    screen = drawn[1][0]
    one = judged_point(screen, replace(screen.elements[0], name="Gone"))
    film = one.model_copy(update={"record": one.record.model_copy(update={"kind": "video_caption"})})
    questions = questions_of(Sampled((one, film), {screen.image.name: screen}))
    assert questions.pointing(100, 60) == []
    assert sum(questions.left_out.values()) == 2


def test_refining_trains_and_goes_on_after_a_kill(drawn: tuple[Path, list[Screen]], tmp_path: Path) -> None:
    sampled, folder = sampled_of(drawn[1]), drawn[0]
    before = tiny_trainer()
    trained = refine(tiny_trainer(), sampled, folder, tmp_path, minutes=0.0001, seed=1, amounts=SMALL)
    first = torch.load(tmp_path / "refine.pt", weights_only=True)
    assert first["step"] >= 1
    names = [n for n, p in before.named_parameters() if not torch.equal(p, trained.get_parameter(n))]
    assert names and not any("visual" in name for name in names)
    (tmp_path / "refine.pt.partial").write_bytes(b"cut off by a kill")
    longer = first["spent_s"] / 60 + 0.0001
    refine(tiny_trainer(), sampled, folder, tmp_path, minutes=longer, seed=1, amounts=SMALL)
    assert torch.load(tmp_path / "refine.pt", weights_only=True)["step"] > first["step"]
    with pytest.raises(ConfigError, match="trained with other options"):
        refine(tiny_trainer(), sampled, folder, tmp_path, minutes=1, seed=1, amounts=SMALL, tower=True)


def test_what_was_trained_in_bf16_goes_on_in_float32(
    drawn: tuple[Path, list[Screen]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor that has no bf16, which would be a hundred times slower there."""
    sampled, folder, spent = sampled_of(drawn[1]), drawn[0], 0.0
    for number, native in enumerate((True, False), start=1):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native, raising=False)
        trainer = refine(tiny_trainer(), sampled, folder, tmp_path, minutes=spent + 0.0001, seed=1, amounts=SMALL)
        assert {p.dtype for p in trainer.parameters()} == {torch.bfloat16 if native else torch.float32}
        saved = torch.load(tmp_path / "refine.pt", weights_only=True)
        assert saved["step"] >= number
        spent = saved["spent_s"] / 60


def test_a_tower_that_learns_is_frozen_again_and_sees_anew_for_every_step(
    drawn: tuple[Path, list[Screen]], tmp_path: Path
) -> None:
    sampled, folder = sampled_of(drawn[1]), drawn[0]
    before = tiny_trainer()
    trained = refine(tiny_trainer(), sampled, folder, tmp_path, minutes=0.0001, seed=1, amounts=SMALL, tower=True)
    matrices = {n: p for n, p in before.model.visual.named_parameters() if p.ndim == 2}
    assert not any(torch.equal(p, trained.model.visual.get_parameter(n)) for n, p in matrices.items())
    assert not any(p.requires_grad for p in trained.model.visual.parameters())
    tower = trained.model.visual.requires_grad_(True)
    seeing = LiveTower(tower)
    questions = Questions(sampled, tower, random.Random(1), seeing)
    regions = [e.region for _ in range(2) for e in (*questions.pointing(80, WHOLE), *crop_examples(folder, seeing))]
    assert len({region.tokens.data_ptr() for region in regions if region}) > 2
    torch.stack([region.tokens.float().sum() for region in regions if region]).sum().backward()
    assert all(p.grad is None for p in tower.parameters())
    seeing.learn()
    assert all(p.grad is not None for p in tower.parameters())


def test_a_part_of_a_larger_screen_is_asked_about_where_it_is(
    drawn: tuple[Path, list[Screen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered, "SMALL", 10)
    monkeypatch.setattr(answered, "CLOSE", 1.0)
    monkeypatch.setattr(live, "CROPS", ((224, 112),))
    tower = tiny_trainer().model.visual.requires_grad_(True)
    questions = Questions(sampled_of(drawn[1]), tower, random.Random(1), LiveTower(tower))
    regions = [example.region for example in questions.pointing(1500, WHOLE)]
    parts = [region for region in regions if region and region.screen == (4, 8)]
    # Where the control is cut off, the whole is shown.
    assert len(parts) > len(regions) / 2 and not questions.left_out
    for region in parts:
        assert region.tokens.requires_grad and region.control.area.any() and region.control.element.name in NAMES


def test_screens_without_controls_are_said(drawn: tuple[Path, list[Screen]], tmp_path: Path) -> None:
    for line in (drawn[0] / "screens.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line) | {"elements": []}
        Image.open(drawn[0] / row["image"]).save(tmp_path / row["image"])
        with (tmp_path / "screens.jsonl").open("a", encoding="utf-8") as index:
            index.write(json.dumps(row) + "\n")
    with pytest.raises(ConfigError, match="draw others"):
        refine(tiny_trainer(), sampled_of(drawn[1]), tmp_path, tmp_path / "out", minutes=1, seed=1, amounts=SMALL)


def crop_examples(folder: Path, tower: LiveTower) -> list[Example]:
    examples = pointing_live(Crops(folder, 1, start=2, grow=1), tower, 80)
    assert all(e.region and e.region.control.element.name in NAMES for e in examples)
    return examples


def test_nothing_to_train_on_is_said(drawn: tuple[Path, list[Screen]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sample more"):
        refine(tiny_trainer(), Sampled((), {}), drawn[0], tmp_path, minutes=1, seed=1, amounts=SMALL)


def test_preferring_makes_right_answers_likelier_than_wrong_ones(drawn: tuple[Path, list[Screen]]) -> None:
    screen = drawn[1][0]
    judged = (*judged_plans(2), judged_point(screen, screen.elements[0]))
    sampled = Sampled(judged, {screen.image.name: screen})
    trainer, start = tiny_trainer(), tiny_trainer().requires_grad_(False)
    found = list(pairs(questions_of(sampled), [(one, one.rejected[0]) for one in judged if one.rejected]))
    assert len(found) >= 2
    loss, figures = preference_loss(trainer, start, found)
    assert figures["margin"] == pytest.approx(0, abs=1e-3)
    optimizer = MuonAdamW(trainer.named_parameters(), matrix_lr=None, other_lr=1e-3)
    for _ in range(6):
        preferring(trainer, start, found)
        optimizer.step()
    after, gained = preference_loss(trainer, start, found)
    assert after < loss and gained["margin"] > 1


def test_every_pair_is_used_once(tmp_path: Path) -> None:
    sampled = Sampled(judged_plans(5), {})
    prefer(tiny_trainer(), sampled, tmp_path, minutes=60, seed=1)
    assert torch.load(tmp_path / "prefer.pt", weights_only=True)["step"] == 1
    again = prefer(tiny_trainer(), sampled, tmp_path, minutes=60, seed=1)
    saved = torch.load(tmp_path / "prefer.pt", weights_only=True)["modules"]
    assert all(torch.equal(value, saved[f"trainer.{name}"]) for name, value in again.state_dict().items())


def test_without_any_rejected_answer_there_is_nothing_to_prefer(tmp_path: Path) -> None:
    before = tiny_trainer()
    after = prefer(tiny_trainer(), Sampled(judged_plans(2, wrong=()), {}), tmp_path, minutes=60, seed=1)
    assert all(torch.equal(p, after.get_parameter(name)) for name, p in before.named_parameters())


@pytest.mark.parametrize("content", [b"", b"cut off", json.dumps({"modules": 1}).encode()])
def test_what_is_no_stage_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "teach.pt").write_bytes(content)
    with pytest.raises(ModelError, match="nothing of the bundled model"):
        resume(tmp_path / "teach.pt")


def test_a_tower_that_has_learned_icons_goes_on(tmp_path: Path) -> None:
    trainer = Trainer(Qwen25VL(BUNDLED)).bfloat16()
    deepen(trainer.model)
    torch.nn.init.normal_(trainer.model.visual.blocks[-1].mlp.down_proj.weight)
    torch.save({"modules": torch.nn.ModuleDict({"trainer": trainer}).state_dict()}, tmp_path / "refine.pt")
    saved = trainer.model.visual.state_dict()
    export(trainer, tmp_path / "model")
    for path in (tmp_path / "refine.pt", tmp_path / "model"):
        tower = resume(path).model.visual
        assert tower.config.depth == BUNDLED.vision.depth + BLOCKS
        assert all(torch.equal(value.float(), tower.get_parameter(name).float()) for name, value in saved.items())
    config = json.loads((tmp_path / "model" / "config.json").read_bytes())
    config["vision_config"]["depth"] -= 1
    (tmp_path / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError):
        resume(tmp_path / "model")


def test_heads_that_were_exported_go_on_and_others_are_said(tmp_path: Path) -> None:
    trainer = Trainer(Qwen25VL(BUNDLED)).bfloat16()
    export(trainer, tmp_path)
    again = resume(tmp_path)
    for name, value in again.heads.named_parameters():
        exported = trainer.heads.get_parameter(name)
        torch.testing.assert_close(value.float(), exported.float(), atol=0.003, rtol=0.01)
    (tmp_path / HEADS).write_bytes((tmp_path / HEADS).read_bytes()[:9000])
    with pytest.raises(ModelError, match=r"heads\.training' holds nothing of the bundled model"):
        resume(tmp_path)
    (tmp_path / HEADS).unlink()
    assert resume(tmp_path).probing, "heads that are new only read at first"


def test_a_stage_of_another_shape_is_said(tmp_path: Path) -> None:
    torch.save({"modules": {f"trainer.{k}": v for k, v in tiny_trainer().state_dict().items()}}, tmp_path / "t.pt")
    with pytest.raises(ModelError, match="nothing of the bundled model"):
        resume(tmp_path / "t.pt")

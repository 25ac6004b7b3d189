"""The engine on a tiny random checkpoint: what it says, when it stops, and what it refuses."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from random_checkpoint import CONFIG, IM_END, PAD, TOKENS, id_of, write
from tiny import transformers

import vlm
from action_space.errors import ModelError
from action_space.messages import Clip, Message
from vlm.backends.engine import Engine, Speech
from vlm.backends.prompt import read_prompt
from vlm.chat import encode
from vlm.images import preprocess
from vlm.model import Qwen25VL
from vlm.rope import Grid
from vlm.vision import Glance, VisionTower


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return vlm.load(folder, dtype="float32")


def picture(width: int = 140, height: int = 84) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def asking(*content: str | Image.Image) -> list[Message]:
    return [Message("system", ("GUI",)), Message("user", content)]


def test_name_and_dialect_come_from_the_checkpoint(engine: Engine, folder: Path) -> None:
    assert engine.name == folder.name
    assert engine.dialect == "compact"
    assert (engine.min_pixels, engine.max_pixels) == (3136, 12845056)


@pytest.mark.parametrize(("name", "dialect"), [("UI-TARS-1.5-7B", "ui_tars"), ("my-model", "computer_use")])
def test_a_published_name_chooses_the_dialect(folder: Path, tmp_path: Path, name: str, dialect: str) -> None:
    copy = shutil.copytree(folder, tmp_path / name)
    config = json.loads((copy / "config.json").read_text())
    del config["clickwright"]
    (copy / "config.json").write_text(json.dumps(config))
    assert vlm.load(copy, dtype="float32").dialect == dialect


def test_further_attempts_are_drawn_and_the_same_one_says_the_same(engine: Engine) -> None:
    messages = asking("Click OK", picture(84, 84))
    said = [engine.generate(messages, max_new_tokens=16, attempt=attempt).text for attempt in (0, 1, 2, 1)]
    assert len(set(said)) == 3
    assert said[1] == said[3]


def test_cold_answers_are_the_greedy_one_and_hot_ones_are_not(folder: Path) -> None:
    messages = asking("Click OK", picture(84, 84))
    cold, hot = (vlm.load(folder, dtype="float32", temperature=heat) for heat in (1e-4, 5.0))
    greedy = cold.generate(messages, max_new_tokens=16).text
    assert all(cold.generate(messages, max_new_tokens=16, attempt=attempt).text == greedy for attempt in (1, 2))
    assert hot.generate(messages, max_new_tokens=16, attempt=1).text != greedy


def test_the_same_question_has_the_same_answer(engine: Engine) -> None:
    messages = asking("Click OK", picture())
    first, second = (engine.generate(messages, max_new_tokens=16) for _ in range(2))
    assert first.text == second.text
    assert len(set(first.text)) > 3, "the model says one thing only: the test shows nothing"
    assert first.text != engine.generate(asking("Click OK", picture(84, 140)), max_new_tokens=16).text


def test_what_was_computed_is_not_computed_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, shown = vlm.load(folder, dtype="float32"), [picture(), picture(84, 140), picture(112, 112)]
    encoded: list[object] = []
    look = engine.model.visual.look

    def counted(patches: torch.Tensor, grid: Grid, *others: object) -> tuple[torch.Tensor, Glance]:
        encoded.append(grid)
        return look(patches, grid, *others)

    monkeypatch.setattr(engine.model.visual, "look", counted)
    turns = [*asking("Step one, on this screen, in the words of the page: ", shown[0])]
    first = engine.generate(turns, max_new_tokens=16)
    turns += [Message("assistant", (first.text,)), Message("user", ("And now? ", shown[1]))]
    second = engine.generate(turns, max_new_tokens=16)
    other = engine.generate([turns[0], Message("user", ("Step one, ", shown[2]))], max_new_tokens=16)
    assert (first.cached_tokens, other.cached_tokens) == (0, 0)
    assert second.cached_tokens >= first.tokens_in
    assert len(encoded) == 3, "each picture once, though the first was seen twice"
    assert second.text == vlm.load(folder, dtype="float32").generate(turns, max_new_tokens=16).text


def test_two_conversations_are_gone_on_with_in_turns(folder: Path) -> None:
    """As a step does that asks for a plan and for a place."""
    engine = vlm.load(folder, dtype="float32")
    plan, place = ("Task: click the button that says OK, then wait for the page " * 2, "Where is " + "the button? " * 9)
    first = [engine.generate(asking(text), max_new_tokens=4).text for text in (plan, place)]
    for text, said in zip((plan, place), first, strict=True):
        again = engine.generate(asking(text), max_new_tokens=4)
        assert (again.cached_tokens, again.text) == (again.tokens_in - 1, said)
    third = engine.generate(asking("Something else"), max_new_tokens=4)
    kept = [engine.generate(asking(text), max_new_tokens=4).cached_tokens > 0 for text in (place, plan)]
    assert (third.cached_tokens, kept) == (0, [True, False]), "the oldest made room"


def test_a_long_conversation_is_kept_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, short, long = vlm.load(folder, dtype="float32"), asking("word " * 30), asking("other words " * 30)
    engine.generate(short, max_new_tokens=4)
    monkeypatch.setattr("vlm.backends.reuse.KEPT_TALK", 500)
    engine.generate(long, max_new_tokens=4)
    assert engine.generate(short, max_new_tokens=4).cached_tokens == 0


@torch.inference_mode()
@pytest.mark.parametrize("where", [(), (0,), (900,), (5, 300, 901), tuple(range(6, 34 * 54, 60))])
def test_windows_that_did_not_change_are_not_computed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[int, ...]
) -> None:
    """And the result is that of the whole picture, wherever it changed."""
    visual, grid = vlm.load(folder, dtype="float32").model.visual, (1, 34, 54)
    old = torch.randn(34 * 54, 1176)
    new = old.clone()
    new[list(where)] += 1
    _, glance = visual.look(old, grid)
    taken: list[int] = []
    block = visual.blocks[0]
    forward = block.forward
    monkeypatch.setattr(block, "forward", lambda x, *rest: (taken.append(len(x)), forward(x, *rest))[1])
    tokens, then = visual.look(new, grid, glance)
    assert sum(taken) <= 64 * len(where) and bool(taken) == bool(where)
    torch.testing.assert_close(tokens, visual(new, [grid]))
    torch.testing.assert_close(then.states, visual.look(new, grid)[1].states)
    other = torch.randn(54 * 34, 1176)
    torch.testing.assert_close(visual.look(other, (1, 54, 34), glance)[0], visual(other, [(1, 54, 34)]))


@torch.inference_mode()
def test_cells_that_are_left_out_are_not_seen_by_the_others(folder: Path) -> None:
    visual, grid = vlm.load(folder, dtype="float32").model.visual, (1, 34, 54)
    pixels = torch.randn(34 * 54, 1176)
    kept = torch.rand(17 * 27) < 0.5
    tokens, _ = visual.look(pixels, grid, None, kept)
    assert len(tokens) == kept.sum()
    other = torch.where(kept.repeat_interleave(4)[:, None], pixels, torch.randn(34 * 54, 1176))
    torch.testing.assert_close(visual.look(other, grid, None, kept)[0], tokens)
    everything = torch.ones(17 * 27, dtype=torch.bool)
    torch.testing.assert_close(visual.look(pixels, grid, None, everything)[0], visual(pixels, [grid]))
    assert not torch.allclose(visual(pixels, [grid])[kept], tokens)


@torch.inference_mode()
def test_a_corner_alone_is_like_a_picture_of_that_corner(folder: Path) -> None:
    visual = vlm.load(folder, dtype="float32").model.visual
    pixels = torch.randn(8 * 8, 1176)
    corner = torch.tensor([row < 2 and column < 2 for row in range(4) for column in range(4)])
    tokens, _ = visual.look(pixels, (1, 8, 8), None, corner)
    torch.testing.assert_close(tokens, visual(pixels[corner.repeat_interleave(4)], [(1, 4, 4)]))


@torch.inference_mode()
def test_what_is_left_out_may_change_from_picture_to_picture(folder: Path) -> None:
    """As a page that is filled: windows come and go, and no state of one that was never computed is used."""
    visual, grid = vlm.load(folder, dtype="float32").model.visual, (1, 34, 54)
    pixels, glance = torch.zeros(17 * 27, 4 * 1176), None
    for seed in range(6):
        torch.manual_seed(seed)
        blank, full = torch.rand(17 * 27) < 0.3, torch.rand(17 * 27) < 0.2
        pixels = torch.where(full[:, None], torch.randn(17 * 27, 4 * 1176), pixels).masked_fill(blank[:, None], 0)
        kept = visual.kept(pixels.any(-1), grid) if seed != 4 else None
        patches = pixels.view(-1, 1176)
        tokens, glance = visual.look(patches, grid, glance, kept)
        torch.testing.assert_close(tokens, visual.look(patches, grid, None, kept)[0])


@pytest.mark.parametrize(("rows", "columns"), [(17, 27), (4, 4), (1, 9), (9, 1), (6, 3)])
def test_of_each_window_a_multiple_of_four_tokens_is_kept(rows: int, columns: int) -> None:
    tower, grid = VisionTower(CONFIG.vision), (1, 2 * rows, 2 * columns)
    for share in (0.0, 0.05, 0.5, 1.0):
        drawn = torch.rand(rows, columns) < share
        kept = tower.kept(drawn.flatten(), grid).view(rows, columns)
        assert not (drawn & ~kept).any()
        for y, x in ((y, x) for y in range(0, rows, 4) for x in range(0, columns, 4)):
            window, shown = kept[y : y + 4, x : x + 4], int(drawn[y : y + 4, x : x + 4].sum())
            assert window.sum() == min(-(-shown // 4) * 4, window.numel())


def blank_but_for(boxes: Sequence[tuple[int, int]], size: tuple[int, int] = (616, 420)) -> Image.Image:
    page = Image.new("RGB", size, (250, 250, 250))
    for x, y in boxes:
        page.paste(picture(50, 20), (x, y))
    return page


def test_cells_of_one_colour_are_left_out_by_a_network_that_was_trained_so(folder: Path, tmp_path: Path) -> None:
    trained = shutil.copytree(folder, tmp_path / "trained")
    config = json.loads((trained / "config.json").read_text())
    (trained / "config.json").write_text(json.dumps({**config, "clickwright": {"whole_cells": 300}}))
    engines = [vlm.load(folder, dtype="float32"), Engine(trained, dtype="float32", whole=True)]
    without = vlm.load(trained, dtype="float32")

    def taken(page: Image.Image) -> tuple[int, int]:
        replies = [each.generate(asking("Click ", page), max_new_tokens=16) for each in (*engines, without)]
        assert replies[0].text == replies[1].text
        return replies[0].tokens_in, replies[2].tokens_in

    whole, some = taken(blank_but_for([(30, 30), (300, 200)]))
    assert whole - 22 * 15 + 8 <= some <= whole - 22 * 15 + 24
    assert taken(blank_but_for([])) == (whole, whole), "a page that shows nothing is shown whole"
    small, same = taken(blank_but_for([(30, 30)], (560, 420)))
    assert small == same
    page = blank_but_for([(30, 30), (300, 200)])
    shown = without.shown(page, 3136, 12845056)
    prompts = [read_prompt(asking("Click ", page), [one], TOKENS, CONFIG) for one in (shown, replace(shown, kept=None))]
    assert shown.kept is not None and prompts[0].following == prompts[1].following
    start = prompts[1].images[0].start
    places = [prompt.positions[:, 0, start : one.end] for prompt in prompts for one in prompt.images]
    assert torch.equal(places[0], places[1][:, shown.kept]), "what is shown stands where it stood"


def test_a_video_is_seen_in_its_time(engine: Engine) -> None:
    frames = tuple(picture(308, 308).rotate(90 * n) for n in range(4))
    said = [
        engine.generate(asking("When?", Clip(frames, seconds)), max_new_tokens=16)
        for seconds in (0.5, 2.0, 5.0, 9.0, 0.5)
    ]
    still = engine.generate(asking("When?", frames[0]), max_new_tokens=16)
    assert said[0].tokens_in - still.tokens_in == 2 * 12 * 12 - 11 * 11  # each frame is enlarged to 128 tokens
    assert said[0].text == said[-1].text
    assert len({reply.text for reply in said}) > 1, "time is a position"
    with pytest.raises(ModelError, match="no frames"):
        engine.generate(asking("When?", Clip(())))


def sizes_taken_in(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with how many tokens the decoder is given at a time."""
    sizes: list[int] = []
    forward = engine.model.language_model.forward

    def counted(x: torch.Tensor, *rest: object, **more: object) -> torch.Tensor:
        sizes.append(x.shape[1])
        return forward(x, *rest, **more)

    monkeypatch.setattr(engine.model.language_model, "forward", counted)
    return sizes


def test_a_long_prompt_is_taken_in_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, text=replace(CONFIG.text, max_position_embeddings=8192))
    messages = asking("x" * 1500, picture(840, 840), "y" * 1500, picture(308, 308), "?")
    engine = vlm.load(write(tmp_path, config), dtype="float32")
    sizes = sizes_taken_in(engine, monkeypatch)
    reply = engine.generate(messages, max_new_tokens=8)
    assert sizes == [2048, reply.tokens_in - 2048, *[1] * 7]
    assert len(set(reply.text)) > 2, "the model says one thing only: the test shows nothing"
    for most in (10**9, 700):  # the second cuts both pictures
        engine.forget()
        with monkeypatch.context() as patch:
            patch.setattr("vlm.backends.engine.PIECE_TOKENS", most)
            assert engine.generate(messages, max_new_tokens=8).text == reply.text
    engine.forget()
    sizes.clear()
    with pytest.raises(TimeoutError):
        engine.generate(messages, heard=after(5))
    again = engine.generate(messages, max_new_tokens=8)
    assert (again.cached_tokens, again.text) == (2048, reply.text), "a whole piece that was taken in is kept"


def after(count: int) -> Callable[[str], None]:
    """Ends the work at the call behind so many."""
    left = iter(range(count))

    def heard(_piece: str) -> None:
        if next(left, None) is None:
            raise TimeoutError

    return heard


def test_a_long_video_is_encoded_piece_by_piece(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = vlm.load(folder, dtype="float32")
    frames = tuple(picture(308, 308).rotate(37 * n) for n in range(7))
    (shown,) = (engine.shown(Clip(frames), 3136, 10**6),)
    assert shown.grid == (4, 24, 24)
    grids: list[object] = []
    tower = engine.model.visual.forward
    monkeypatch.setattr(engine.model.visual, "forward", lambda x, g: (grids.extend(g), tower(x, g))[1])
    with torch.inference_mode():
        whole = engine._encode(shown)
        monkeypatch.setattr("vlm.backends.engine.ENCODED_PATCHES", 3 * 24 * 24)
        torch.testing.assert_close(engine._encode(shown), whole)
        monkeypatch.setattr("vlm.backends.engine.ENCODED_PATCHES", 1)
        torch.testing.assert_close(engine._encode(shown), whole)
    assert grids == [(4, 24, 24), (3, 24, 24), (1, 24, 24), *[(1, 24, 24)] * 4]


def test_an_interruption_leaves_the_memory_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, messages = vlm.load(folder, dtype="float32"), asking("Click the button that is called OK " * 4, picture())
    said = engine.generate(messages, max_new_tokens=16).text
    last = engine.model.language_model.layers[1]
    with monkeypatch.context() as patch:
        patch.setattr(last, "forward", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            engine.generate([*messages, Message("assistant", ("x",)), Message("user", ("And?",))])
    again = engine.generate(messages, max_new_tokens=16)
    assert again.cached_tokens > 0
    assert again.text == said


def test_a_reply_is_heard_while_it_is_said(engine: Engine) -> None:
    messages, pieces = asking("Click OK", picture()), list[str]()
    reply = engine.generate(messages, max_new_tokens=16, heard=pieces.append)
    assert "".join(pieces) == reply.text == engine.generate(messages, max_new_tokens=16).text
    assert len([piece for piece in pieces if piece]) > 8
    assert pieces[:2] == ["", ""], "both layers are entered before the first word"


def test_characters_are_told_whole() -> None:
    told: list[str] = []
    speech = Speech(TOKENS, told.append)
    for byte in "aé€".encode() + b"\xe2\x82":
        speech.add([byte])
    speech.end()
    assert told == ["a", "é", "€", "\ufffd"]


@pytest.mark.parametrize("after", [0, 2, 5, 9])
def test_who_hears_may_end_it(folder: Path, after: int) -> None:
    engine, messages = vlm.load(folder, dtype="float32"), asking("Click the button called OK " * 4, picture())
    calls = 0

    def enough(_piece: str) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        engine.generate(messages, max_new_tokens=16, heard=enough)
    assert calls == after + 1
    again, fresh = engine.generate(messages, max_new_tokens=16), vlm.load(folder, dtype="float32")
    assert again.text == fresh.generate(messages, max_new_tokens=16).text
    assert calls == after + 1, "nobody listens any more"


def test_greedy_answers_equal_transformers(engine: Engine, folder: Path) -> None:
    theirs = transformers().Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    messages = asking("Compare ", picture(), " with ", picture(60, 200), ".")
    inputs = [
        preprocess(part, min_pixels=3136, max_pixels=12845056)
        for part in messages[1].content
        if not isinstance(part, str)
    ]
    ids = torch.tensor([encode(messages, TOKENS, [t * h * w // 4 for _, (t, h, w) in inputs])])
    with torch.no_grad():
        said = theirs.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == PAD).long(),
            pixel_values=torch.cat([patches for patches, _ in inputs]),
            image_grid_thw=torch.tensor([grid for _, grid in inputs]),
            max_new_tokens=24,
            do_sample=False,
            pad_token_id=0,
        )[0, ids.shape[1] :]
    reply = engine.generate(messages, max_new_tokens=24)
    assert reply.text == TOKENS.decode(said.tolist())
    assert (reply.tokens_in, reply.tokens_out) == (ids.shape[1], 24)
    assert len(set(reply.text)) > 3, "the model says one thing only: the test shows nothing"


def test_an_answer_is_cut_and_says_so(engine: Engine) -> None:
    messages = asking("Click OK")
    long = engine.generate(messages, max_new_tokens=12)
    for most in (1, 5):
        reply = engine.generate(messages, max_new_tokens=most)
        assert (reply.finished, reply.tokens_out, reply.text) == (False, most, long.text[:most])


def later_byte(text: str) -> tuple[int, int]:
    """A place after the second character at which a character comes up for the first time, and its token."""
    place = next(i for i in range(2, len(text)) if text[i] not in text[:i])
    return place, ord(text[place])


@pytest.mark.parametrize("stop", ["<|im_end|>", "<|endoftext|>"])
def test_an_answer_ends_at_a_stop_token(engine: Engine, tmp_path: Path, stop: str) -> None:
    messages = asking("Click OK", picture())
    long = engine.generate(messages, max_new_tokens=24)
    place, byte = later_byte(long.text)

    def say_stop_instead(model: Qwen25VL) -> None:
        model.lm_head.weight[id_of(stop)] = model.lm_head.weight[byte]
        model.lm_head.weight[byte] = 0

    stopping = vlm.load(write(tmp_path, change=say_stop_instead), dtype="float32")
    reply = stopping.generate(messages, max_new_tokens=24)
    assert (reply.finished, reply.text, reply.tokens_out) == (True, long.text[:place], place)
    assert stopping.generate(messages, max_new_tokens=place).finished is False


@pytest.mark.parametrize("as_list", [False, True])
def test_stop_tokens_of_the_generation_config(engine: Engine, tmp_path: Path, as_list: bool) -> None:
    messages = asking("Click OK")
    long = engine.generate(messages, max_new_tokens=24)
    place, byte = later_byte(long.text)
    write(tmp_path)
    settings = {"eos_token_id": [byte, IM_END] if as_list else byte, "do_sample": False}
    (tmp_path / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    reply = vlm.load(tmp_path, dtype="float32").generate(messages, max_new_tokens=24)
    assert (reply.finished, reply.text) == (True, long.text[:place])


def test_counts_and_times(engine: Engine) -> None:
    reply = engine.generate(asking("Click OK", picture()), max_new_tokens=4)
    control = 3 * 1 + 2 * 1  # three turns that open, two that close
    text = len("system\nGUI\nuser\nClick OK\nassistant\n")
    visual = 5 * 3 + 2  # 140 x 84 pixels, and where they start and end
    assert reply.tokens_in == control + text + visual
    assert reply.tokens_out == 4
    assert reply.prefill_s > 0 and reply.decode_s > 0
    assert reply.cached_tokens == 0


def test_the_dialects_pixel_limits_go_before_the_checkpoints(engine: Engine) -> None:
    messages = asking(picture(280, 280))
    native, small, large = (
        engine.generate(messages, max_new_tokens=1, min_pixels=least, max_pixels=most).tokens_in
        for least, most in ((None, None), (None, 16 * 784), (400 * 784, None))
    )
    assert native - small == 100 - 16
    assert large - native == 400 - 100


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ({"min_pixels": 784, "max_pixels": 7840}, (784, 7840)),
        ({"size": {"shortest_edge": 784, "longest_edge": 7840}}, (784, 7840)),
        ({"min_pixels": None, "max_pixels": None, "size": {"shortest_edge": 784, "longest_edge": 7840}}, (784, 7840)),
        ({"size": None}, (3136, 12845056)),
    ],
)
def test_pixel_limits_in_every_layout(tmp_path: Path, settings: dict[str, object], limits: tuple[int, int]) -> None:
    write(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    engine = vlm.load(tmp_path, dtype="float32")
    assert (engine.min_pixels, engine.max_pixels) == limits


# What is refused


def refusal(folder: Path | str, dtype: str = "float32") -> str:
    with pytest.raises(ModelError) as caught:
        vlm.load(folder, dtype=dtype)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "there is no model" in refusal(tmp_path / "nowhere")
    assert "there is no model 'no-such-model'" in refusal("no-such-model")
    assert "has no config.json" in refusal(tmp_path)


def test_bundled_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlm, "BUNDLED", tmp_path / "bundled")
    assert "weights of the bundled model are not in this copy" in refusal("bundled")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot run on 'cuda' here \(.*\): leave it on the cpu"):
        vlm.load(folder, device="cuda")
    with pytest.raises(ModelError, match="cannot run on 'toaster' here"):
        vlm.load(folder, device="toaster")


def test_an_unknown_dtype(folder: Path) -> None:
    assert "dtype 'int3' is unknown: choose auto, float32" in refusal(folder, dtype="int3")


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_other_dtypes_answer_too(folder: Path, dtype: str) -> None:
    assert vlm.load(folder, dtype=dtype).generate(asking("x", picture()), max_new_tokens=2).tokens_out == 2


@pytest.mark.parametrize("name", ["preprocessor_config.json", "generation_config.json"])
@pytest.mark.parametrize("text", ["{", "[1]"])
def test_malformed_settings(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert name in refusal(tmp_path)


def test_malformed_pixel_limits(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"max_pixels": "many"}', encoding="utf-8")
    assert "max_pixels is 'many'" in refusal(tmp_path)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    other = write(tmp_path / "pad", replace(CONFIG, image_token_id=5))
    assert "image_token_id is 5 in the config" in refusal(other)
    small = write(tmp_path / "small", replace(CONFIG, text=replace(CONFIG.text, vocab_size=270)))
    assert "the tokenizer has 272 tokens, the network 270" in refusal(small)
    (small / "tokenizer.json").unlink()
    assert "has no tokenizer.json" in refusal(small)


def test_a_prompt_beyond_the_context(engine: Engine) -> None:
    fits = "x" * 1900
    assert engine.generate(asking(fits), max_new_tokens=1).tokens_out == 1
    with pytest.raises(ModelError, match=r"the prompt has \d+ tokens .* the model's context is 2048"):
        engine.generate(asking(fits), max_new_tokens=256)
    with pytest.raises(ModelError, match="show fewer screenshots"):
        engine.generate(asking(picture(1400, 1400)), max_new_tokens=1)


def test_a_picture_of_impossible_shape(engine: Engine) -> None:
    with pytest.raises(ModelError, match="aspect ratio"):
        engine.generate(asking(Image.new("RGB", (1000, 2))))
    assert engine.generate(asking(Image.new("RGB", (1, 1))), max_new_tokens=1).tokens_out == 1


def test_a_grammar_is_followed_and_what_it_forces_is_fed_in_one_piece(engine: Engine) -> None:
    """The reply cannot be anything else, and the next one is free again."""
    free = engine.generate(asking("go", picture()), max_new_tokens=12)
    grammar = 'start: "<call>" /[abc]{4}/ "</call>"'
    reply = engine.generate(asking("go", picture()), constraint=grammar, max_new_tokens=40)
    assert re.fullmatch(r"<call>[abc]{4}</call>", reply.text) and reply.finished
    assert reply.tokens_out == 17 and reply.forced_tokens >= 12 and free.forced_tokens == 0
    assert engine.generate(asking("go", picture()), max_new_tokens=12).text == free.text
    cut = engine.generate(asking("go", picture()), constraint=grammar, max_new_tokens=8)
    assert cut.tokens_out == 8 and not cut.finished and cut.forced_tokens <= 8
    cut = engine.generate(asking("go", picture()), constraint='start: "abcdefgh"', max_new_tokens=3)
    assert (cut.text, cut.finished, cut.forced_tokens) == ("abc", False, 3), "the grammar has ended, the reply has not"
    with pytest.raises(ModelError, match="grammar"):
        engine.generate(asking("go", picture()), constraint="start: (")


def test_one_token_at_a_time_and_all_at_once_lead_to_the_same(engine: Engine) -> None:
    """Feeding forced tokens in one piece changes nothing about what is chosen behind them."""
    grammar = 'start: "ab" /[a-z]/ "cdef" /[a-z]{3}/'
    reply = engine.generate(asking("go", picture()), constraint=grammar, max_new_tokens=40)
    slowly = ""
    for pattern in ("ab", "ab[a-z]", "ab[a-z]cdef", "ab[a-z]cdef[a-z]{3}"):
        slowly = engine.generate(asking("go", picture()), constraint=f"start: /{pattern}/", max_new_tokens=40).text
        assert re.fullmatch(pattern, slowly)
    assert reply.text == slowly

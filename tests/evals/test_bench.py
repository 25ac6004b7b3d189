"""The benchmark measures what it says: the same prompts and lengths for both, nothing left from the last episode."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from action_space.dialects import load_dialect
from action_space.errors import ConfigError
from evals import bench
from vlm import speed
from vlm.backends.engine import Engine
from vlm.config import Config, TextConfig, VisionConfig
from vlm.shapes import SHAPES, write_random

TINY = Config(
    TextConfig(
        vocab_size=288,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        rms_norm_eps=1e-6,
        mrope_section=(4, 6, 6),
        max_position_embeddings=32768,
    ),
    VisionConfig(
        depth=2,
        hidden_size=32,
        intermediate_size=48,
        num_heads=2,
        out_hidden_size=64,
        tokens_per_second=2,
        fullatt_block_indexes=(1,),
    ),
    image_token_id=SHAPES["3b"].image_token_id,
    video_token_id=SHAPES["3b"].video_token_id,
    vision_start_token_id=SHAPES["3b"].vision_start_token_id,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHAPES, "tiny", TINY)
        write_random(folder, "tiny")
    return folder


def test_an_episode_asks_about_one_screen_more_each_step() -> None:
    asked = bench.episode(load_dialect("computer_use"), bench.screens(3))
    pictures = [sum(not isinstance(part, str) for m in one.messages for part in m.content) for one in asked]
    assert pictures == [1, 2, 3]


def test_a_step_is_all_that_the_planner_asks() -> None:
    """The bundled model's dialect asks for a plan first; held to a grammar, both are."""
    held = bench.episode(load_dialect("compact"), bench.screens(2), constrained=True)
    pictures = [sum(not isinstance(part, str) for m in one.messages for part in m.content) for one in held]
    assert pictures == [0, 1, 0, 1]
    assert all(one.grammar for one in held)
    assert not any(one.grammar for one in bench.episode(load_dialect("compact"), bench.screens(2)))


def test_no_two_screens_are_the_same() -> None:
    """A picture that was seen before is not encoded again: an episode of equal ones would measure next to nothing."""
    shown = bench.screens(bench.STEPS)
    assert len({picture.tobytes() for picture in shown}) == bench.STEPS


@pytest.mark.slow
def test_ours_and_transformers_are_measured_on_the_same(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    asked = ["--model", str(checkpoint), "--pairs", "1", "--threads", "1", "--dtype", "float32", "--json", str(out)]
    result = CliRunner().invoke(bench.app, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert [pair["name"] for pair in found["seconds"]] == ["vision encode", "prefill", "decode a token", "whole step"]
    assert all(pair["ours_s"] > 0 and pair["theirs_s"] > 0 and pair["ratio"] > 0 for pair in found["seconds"])
    assert found["limits"]["prefill_share"] > 0 and found["limits"]["decode_share"] > 0
    assert found["tokens_out"] == {"ours": 5 * 24, "theirs": 5 * 24}
    grammar = found["grammar"]
    assert 5 < grammar["forced"] < grammar["tokens"] and grammar["held_s"] > 0 and grammar["free_s"] > 0
    assert found["peak_bytes"]["ours"] > 50e6 and found["dtype"] == "float32"


def test_ours_is_measured_against_itself_with_weights_as_they_lie_on_disk(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, plain = speed.load_pair(checkpoint, "bfloat16", "plain")
    assert isinstance(plain, Engine) and not plain.blocks
    told: list[str] = []
    found = list(speed.measure_parts(ours, plain, Image.new("RGB", (112, 84), "white"), 1, told.append))
    assert [pair.name for pair in found] == told == ["vision encode", "prefill", "decode a token"]
    assert all(pair.ours_s > 0 and pair.theirs_s for pair in found[:2])
    # Bytes and operations of a token are counted alike, wherever the weights lie.
    monkeypatch.setattr(speed, "_product_rate", lambda _dtype: 1e12)
    monkeypatch.setattr(speed, "_reading_rate", lambda: 1e10)
    assert speed.limits(ours, found) == speed.limits(plain, found)


def test_ours_is_measured_against_itself_shown_whole_screens(checkpoint: Path, tmp_path: Path) -> None:
    trained = shutil.copytree(checkpoint, tmp_path / "trained")
    config = json.loads((trained / "config.json").read_text())
    (trained / "config.json").write_text(json.dumps({**config, "clickwright": {"whole_cells": 20}}))
    ours, whole = speed.load_pair(trained, "float32", "whole")
    assert isinstance(whole, Engine)
    picture, seen = bench.screens(1)[0], dict[str, int]()
    for name, engine in (("ours", ours), ("whole", whole)):
        engine.model.visual.merger.register_forward_hook(lambda *found, name=name: seen.update({name: len(found[2])}))
    list(speed.measure_parts(ours, whole, picture, 1, lambda _: None))
    shown = ours.shown(picture, ours.min_pixels, ours.max_pixels)
    assert seen == {"ours": shown.tokens, "whole": shown.cells} and shown.tokens < shown.cells == 46 * 26


def test_every_reply_is_as_long_and_every_episode_begins_anew(checkpoint: Path) -> None:
    ours, _ = speed.load_pair(checkpoint, "float32", "none")
    dialect = load_dialect(ours.dialect)
    prompt = bench.episode(dialect, bench.screens(1))[0].messages
    first = ours.generate(prompt, max_new_tokens=7)
    again = ours.generate(prompt, max_new_tokens=7)
    ours.forget()
    anew = ours.generate(prompt, max_new_tokens=7)
    assert first.tokens_out == again.tokens_out == 7
    assert again.cached_tokens > 0 and anew.cached_tokens == 0


def test_an_unknown_shape_is_said() -> None:
    with pytest.raises(ConfigError, match="3b, 7b"):
        CliRunner().invoke(bench.app, ["--shape", "5b"], catch_exceptions=False)


@pytest.mark.parametrize(("shape", "billions"), [("3b", 3.75), ("7b", 8.29)])
def test_the_shapes_are_those_of_the_published_checkpoints(shape: str, billions: float) -> None:
    import torch

    from vlm.model import Qwen25VL

    with torch.device("meta"):
        model = Qwen25VL(SHAPES[shape])
    assert abs(sum(p.numel() for p in set(model.parameters())) / 1e9 - billions) < 0.01

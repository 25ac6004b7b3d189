"""The whole recipe in the small: draw, train every stage for a step, train together, go on, export, load, answer."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import vlm
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.errors import ConfigError, ModelError
from action_space.geometry import Frame, Size
from agent.train import app
from environments.chromium import drawing_tab
from vlm.naming import load_naming
from vlm.training import pretrain
from vlm.training.data.pages import Page
from vlm.training.data.render import Drawn, draw, element_of, read_screens, render_screens, writers
from vlm.training.icons import BLOCKS
from vlm.training.recipe import Minutes, make
from vlm.training.run import SMOKE
from vlm.training.sampled import read_sampled
from vlm.training.stages import BUNDLED

MOMENT = Minutes(0.001, 0.001)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    writer = writers(held_out=False)
    with drawing_tab() as tab:
        pages = render_screens(tab, folder / "screens", lambda rng: writer(rng).page((640, 480)), count=6, seed=1)
        assert list(pages) == [1, 2, 3, 4, 5, 6]
        list(render_screens(tab, folder / "specimens", lambda rng: writer(rng).specimen(), count=2, seed=1))
    return folder


def test_labels_come_from_what_is_seen(drawn: Path) -> None:
    for screen in read_screens(drawn / "screens"):
        with Image.open(screen.image) as image:
            assert image.size == (640, 480)
        assert all(
            0 <= e.box.left < e.box.right <= 640 and 0 <= e.box.top < e.box.bottom <= 480 for e in screen.elements
        )
        assert all(0 <= x <= 640 and 0 <= y <= 480 for x, y, _ in screen.chars)
        written = "".join(char for *_, char in screen.chars).lower()
        buttons = [e.name.replace(" ", "").lower() for e in screen.elements if e.kind == "button"]
        assert all(name in written for name in buttons), "a button's name stands on the screen"


def test_a_folder_cut_off_in_a_line_is_read_up_to_there(drawn: Path, tmp_path: Path) -> None:
    text = (drawn / "screens" / "screens.jsonl").read_text(encoding="utf-8")
    (tmp_path / "screens.jsonl").write_text(text[: len(text) - 40], encoding="utf-8")
    assert len(list(read_screens(tmp_path))) == 5


def test_few_screens_are_kept_in_memory_and_all_come_round(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "KEPT", 3)
    crops, seen = pretrain.Crops(drawn / "screens", 1, start=2, grow=1), set()
    for _ in range(24):
        crops.batch(112, 112, 6)
        assert len(crops._decoded) <= 3
        seen |= crops._decoded.keys()
    assert len(seen) == 6


@pytest.mark.timeout(400)  # two trainings, of which one in two processes, on a machine that may be busy
def test_every_stage_trains_goes_on_and_is_exported(drawn: Path, tmp_path: Path) -> None:
    arguments = ["--smoke", "--out", str(tmp_path / "work")]
    result = CliRunner().invoke(app, [*arguments, "--workers", "2"])
    assert result.exit_code == 0, (result.output, result.exception)
    stages = ("pretrain", "icons", "teach", "refine", "prefer", "naming")
    before = {name: (tmp_path / "work" / f"{name}.pt").stat().st_mtime_ns for name in stages}
    dropped = json.loads((tmp_path / "work" / "filters.json").read_bytes())
    assert dropped["seen"] == len(read_sampled([tmp_path / "work" / "answers"]).judged) > 2
    result = CliRunner().invoke(app, [*arguments, "--workers", "1", "--export", str(tmp_path / "model")])
    assert result.exit_code == 0, result.output
    after = {name: (tmp_path / "work" / f"{name}.pt").stat().st_mtime_ns for name in before}
    assert after == before, "a stage that is done is not trained again"
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["model_type"] == "qwen2_5_vl"
    assert config["vision_config"]["depth"] == BUNDLED.vision.depth + BLOCKS, "icons were learned"
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < 40e6
    engine = vlm.load(tmp_path / "model")
    assert engine.dialect == "compact"
    dialect, size = load_dialect("compact"), Size(200, 120)
    turn = Turn("x", Image.new("RGB", (200, 120), "white"), Frame(size, size))
    reply = engine.generate(dialect.prompt(turn, 'click "Save"'), max_new_tokens=4)
    assert reply.tokens_in > 28 and reply.tokens_out <= 4
    taught = tmp_path / "taught"
    make(
        Drawn(drawn / "screens", drawn / "specimens", drawn / "icons"),
        tmp_path / "more",
        MOMENT,
        seed=2,
        amounts=SMOKE,
        begin=tmp_path / "model",
        export_to=taught,
    )
    assert not (tmp_path / "more" / "pretrain.pt").exists(), "the tower is that of the checkpoint"
    before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path / "model", taught))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any(name.startswith("visual.") for name in changed)
    naming = [load_naming(folder, BUNDLED.text.hidden_size) for folder in (tmp_path / "model", taught)]
    assert naming[0] and naming[1], "what tells names of places needs the tower alone"
    told = zip(naming[0].parameters(), naming[1].parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in told)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sampled", "answers"], "--from"),
        (["--act-minutes", "1"], "--sampled"),
        (["--neurons", "700"], "--export"),
        (["--neurons", "700", "--export", "out", "--from", "bundled", "--sampled", "answers"], "without --sampled"),
    ],
)
def test_what_an_option_needs_has_to_be_given(options: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        CliRunner().invoke(app, ["--out", str(tmp_path), *options], catch_exceptions=False)


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        vlm.load(tmp_path)


def test_a_click_on_the_label_of_a_checkbox_reaches_it() -> None:
    html = (
        "<body style='margin:20px'><input type=checkbox id=a><label for=a style='margin-left:60px'>Send it</label>"
        "<p><label for=b>Name</label><input id=b></p></body>"
    )
    with drawing_tab() as tab:
        _, labels = draw(tab, Page(html, 400, 200, 1.0))
    checkbox, field = map(element_of, labels["elements"])
    assert checkbox.label and not field.label, "a field is clicked itself"
    for box in (checkbox.box, checkbox.label):
        assert checkbox.hit_by(box.left, box.top) and checkbox.hit_by(box.right, box.bottom)
    assert not checkbox.hit_by((checkbox.box.right + checkbox.label.left) // 2, checkbox.box.top), "between them"

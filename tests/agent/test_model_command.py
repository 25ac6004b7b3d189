"""`agent model`: what it says about models and checkpoints, in words and as JSON."""

import json
import re
from pathlib import Path

import pytest
import torch

from agent.cli import main
from vlm.checkpoint import load_checkpoint, save_checkpoint
from vlm.config import Config, TextConfig, VisionConfig
from vlm.model import Qwen25VL

CONFIG = Config(
    TextConfig(96, 32, 64, 2, 4, 2, 1e-6, 10000.0, (1, 1, 2), 4096),
    VisionConfig(depth=1, hidden_size=16, intermediate_size=24, num_heads=2, out_hidden_size=32),
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "UI-TARS-1.5-tiny"
    save_checkpoint(Qwen25VL(CONFIG), folder)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def model(*arguments: object) -> int:
    """`agent model ...`; gives the exit status."""
    with pytest.raises(SystemExit) as end:
        main(["model", *map(str, arguments)])
    return int(end.value.code or 0)


def said(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capfd.readouterr()
    return captured.out, captured.err


def test_list_names_every_way_to_give_a_model(capfd: pytest.CaptureFixture[str]) -> None:
    assert model("list") == 0
    out, _ = said(capfd)
    assert all(re.search(rf"^{re.escape(form)} +\S", out, re.MULTILINE) for form in ("bundled", "DIR", "scripted:..."))
    assert model("list", "--json") == 0
    assert {"bundled", "DIR", "scripted:..."} <= {entry["spec"] for entry in json.loads(said(capfd)[0])["models"]}


def test_info(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert model("info", checkpoint) == 0
    out, _ = said(capfd)
    total = sum(p.numel() for p in Qwen25VL(CONFIG).parameters())
    assert f"{total:,} (vision " in out and "2 layers of 32 and 64, 4 heads (2 for keys)" in out
    assert "legacy; config flat" in out and "ui_tars" in out and "F32" in out
    assert model("info", checkpoint, "--json") == 0
    facts = json.loads(said(capfd)[0])
    assert facts["parameters"] == total == sum(facts["parameters_by_part"].values())
    assert (facts["layers"], facts["heads"], facts["names"], facts["dialect"]) == (2, 4, "legacy", "ui_tars")
    assert facts["values_by_dtype"] == {"F32": total} and facts["problems"] == [] and facts["quantization"] is None


def test_info_tells_what_a_network_is_not_shown(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "clickwright": {"whole_cells": 1400}}))
    assert model("info", checkpoint) == 0
    assert "of more than 1,400 cells it is shown none of one colour" in said(capfd)[0]
    assert model("info", checkpoint, "--json") == 0
    assert json.loads(said(capfd)[0])["whole_cells"] == 1400


def test_info_tells_every_problem(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = checkpoint / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    (checkpoint / "tokenizer.json").unlink()
    assert model("info", checkpoint) == 4
    _, err = said(capfd)
    assert "has no tokenizer.json" in err and "lacks model.layers.2.input_layernorm.weight" in err
    assert model("info", checkpoint, "--json") == 4
    result = json.loads(said(capfd)[0])
    assert (len(result["problems"]), result["exit_code"]) == (2, 4)


def test_convert_and_quantize(checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    half, packed = tmp_path / "half", tmp_path / "packed"
    assert model("convert", checkpoint, half, "--dtype", "bfloat16", "--names", "new", "--shard-size", "20KB") == 0
    assert "KB" in said(capfd)[0]
    assert model("info", half, "--json") == 0
    facts = json.loads(said(capfd)[0])
    assert facts["names"] == "new" and list(facts["values_by_dtype"]) == ["BF16"] and facts["files"] > 1
    assert model("quantize", half, packed, "--bits", 4, "--group", 16) == 0
    assert re.search(
        r"before, .* after \(\d+%\)\n[\d,]+ weights are off by \d+\.\d\d% .*_proj\.weight by", said(capfd)[0]
    )
    assert model("info", packed) == 0
    assert "4 bits in groups of 16" in said(capfd)[0]
    loaded = load_checkpoint(packed, dtype=torch.float32)
    with torch.no_grad():
        assert loaded(torch.arange(9)[None]).logits.isfinite().all()


def test_quantize_reports_in_numbers(checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert model("quantize", checkpoint, tmp_path / "packed", "--json") == 0
    result = json.loads(said(capfd)[0])
    assert result["bytes_after"] < result["bytes_before"] and 0 < result["relative_error"] < 0.01
    assert result["worst"]["relative_error"] >= result["relative_error"]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["info", "nowhere"], 2, "there is no folder 'nowhere'"),
        (["info", "."], 4, "it has no config.json"),
        (["convert", "DIR"], 2, "give either a folder to write to or --gguf OUT.gguf"),
        (["convert", "DIR", "out", "--gguf", "out.gguf"], 2, "give either"),
        (["convert", "DIR", "out", "--shard-size", "big"], 2, "--shard-size 'big' is not a size"),
        (["convert", "DIR", "DIR"], 2, "is not empty: give a new folder"),
        (["quantize", "DIR", "out", "--bits", "3"], 2, "--bits is 3, it must be 8 or 4"),
        (["quantize", "DIR", "out", "--group", "48"], 2, "groups of 48 weights do not divide the 32 inputs"),
    ],
)
def test_mistakes_are_one_line(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model(*(str(checkpoint) if word == "DIR" else word for word in arguments)) == status
    out, err = said(capfd)
    assert out == "" and text in err and err.startswith("agent: ") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()

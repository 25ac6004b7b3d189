"""How much memory the engine's loading takes, measured from outside: the highest resident size of a process."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vlm.checkpoint import config_json, empty_network, layout
from vlm.config import Config, TextConfig, VisionConfig
from vlm.names import published_name

TEXT = TextConfig(
    vocab_size=8192,
    hidden_size=1024,
    intermediate_size=4096,
    num_hidden_layers=3,
    num_attention_heads=8,
    num_key_value_heads=2,
    mrope_section=(16, 24, 24),
)
VISION = VisionConfig(depth=2, hidden_size=64, intermediate_size=96, num_heads=2, out_hidden_size=1024)
CONFIG = Config(TEXT, VISION)

LOADER = """
import sys
from pathlib import Path
import torch
from vlm.checkpoint import load_checkpoint
from vlm.onednn import block_weights

def megabytes(key):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[key].split()[0]) / 1024

for dtype in (torch.float32, torch.bfloat16):
    block_weights(load_checkpoint(Path(sys.argv[1]), dtype=dtype))
for folder, dtype in (case.split(":") for case in sys.argv[2:]):
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    model = load_checkpoint(Path(folder), dtype=getattr(torch, dtype))
    block_weights(model)
    print(megabytes("VmHWM") - before, sum(p.nbytes for p in model.parameters()) / 2**20)
    del model
"""


def write(folder: Path, config: Config, dtype: torch.dtype) -> Path:
    folder.mkdir()
    parts = [part for whole in layout(empty_network(config)).values() for part in whole]
    ones = torch.ones(max(prod(part.shape) for part in parts), dtype=dtype)
    tensors = {published_name(part.name, "legacy"): ones[: prod(part.shape)].view(part.shape).clone() for part in parts}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config_json(config)))
    return folder


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's accounts of memory")
def test_loading_takes_the_memory_of_the_weights_in_blocks_or_not(tmp_path: Path, repository: Path) -> None:
    small = replace(CONFIG, text=replace(TEXT, vocab_size=64, intermediate_size=64, num_hidden_layers=1))
    warm = write(tmp_path / "small", small, torch.float32)
    half, full = (write(tmp_path / str(dtype), CONFIG, dtype) for dtype in (torch.bfloat16, torch.float32))
    cases = [f"{half}:bfloat16", f"{full}:bfloat16", f"{half}:float32"]
    command = [sys.executable, "-c", LOADER, str(warm), *cases]
    # So that what is freed goes back to the system, and each load starts from nothing.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=True)
    for case, line in zip(cases, done.stdout.splitlines(), strict=True):
        peak, weights = map(float, line.split())
        print(f"{case.rpartition('/')[2]}: {peak:.1f} of {weights:.1f} MB, {peak / weights:.3f}")
        assert weights > 100
        assert 0.9 < peak / weights < 1.15

"""What an ablation measures of a model: points on held-out pages and held-out plans, once and not again."""

from pathlib import Path

import pytest

from evals import journal
from evals.ablation import measured
from vlm import BUNDLED


@pytest.mark.slow
def test_points_and_plans_are_measured_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "points"
    found = measured(BUNDLED, 1, 2, folder)
    for part in ("points", "plans"):
        low, high = found[part]["interval_95"]
        assert 0 <= found[part]["right"] <= found[part]["of"]
        assert 0 <= low <= high <= 1
    assert found["plans"]["of"] == 2
    answered = (folder / journal.RESULTS).read_bytes()
    assert measured(BUNDLED, 1, 2, folder) == found
    assert (folder / journal.RESULTS).read_bytes() == answered

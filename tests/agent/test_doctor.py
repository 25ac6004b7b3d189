"""`agent doctor`: what works here, and clicks that are measured on real devices."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Box, Size
from agent.doctor_coords import find_colour, measure_clicks
from agent.session import settings_of
from environments.targets import SIDE, spread, targets_on
from tests.desktop_for_tests import needs, own_display, two_monitors
from vlm.backends.settings import what_runs_models

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_it_says_what_works(agent_command: Command) -> None:
    result = agent_command("doctor", "--json")
    given = json.loads(result.stdout)
    assert (result.returncode, given["exit_code"]) == (0, 0)
    found = {finding["what"]: finding for finding in given["findings"]}
    assert found["browser"]["ok"] and found["browser"]["text"].startswith("Chromium ")
    assert found["bundled model"]["ok"]
    assert "desktop" in found
    assert found["models run on"]["ok"] is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="models run on the GPU here")
@pytest.mark.parametrize(("native", "numbers"), [(True, "in bfloat16"), (False, "in float32: this processor does not")])
def test_it_says_in_which_numbers_models_run(monkeypatch: pytest.MonkeyPatch, native: bool, numbers: str) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert f"threads of the processor, {numbers}" in what_runs_models()


def test_without_a_display_or_a_browser(agent_command: Command) -> None:
    result = agent_command("doctor", "--coords", "--env", "desktop", env={"PATH": "/nowhere"})
    assert result.returncode == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("agent: there is no display here")


@pytest.mark.browser
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_clicks_on_a_page_are_exact(scale: float) -> None:
    landings = measure_clicks(settings_of("browser", {"viewport": Size(400, 300), "device_scale": scale}))
    assert [landing.error_px for landing in landings] == [0.0] * 9
    assert landings[-1].wanted == (395, 295)


@needs()
@pytest.mark.parametrize("display", ["virtual:640x480"])
def test_clicks_on_a_desktop_are_exact(agent_command: Command, display: str) -> None:
    result = agent_command("doctor", "--coords", "--env", "desktop", "--display", display)
    assert result.returncode == 0, result.stderr
    *landings, last = result.stdout.splitlines()
    assert len(landings) == 9 and last.split() == ["ok", "largest", "error", "0", "px"]
    assert "bottom right" in landings[-1] and "the target is at (635, 475): 0 px off" in landings[-1]


@needs("xrandr")
def test_clicks_on_each_monitor_of_a_display_that_is_joined(agent_command: Command, tmp_path: Path) -> None:
    """In processes of their own, as above: Tk ends its process when a display that it was on is gone."""
    with own_display(tmp_path) as display:
        two_monitors(display)
        for monitor, last in (("2", "(795, 545)"), ("all", "(795, 595)")):
            given = ("doctor", "--coords", "--env", "desktop", "--display", display.name, "--monitor", monitor)
            result = agent_command(*given)
            assert result.returncode == 0, result.stderr
            lines = result.stdout.splitlines()
            assert f"the target is at {last}: 0 px off" in lines[8], "in the units of the whole desktop"
            assert lines[9].split() == ["ok", "largest", "error", "0", "px"]


def test_a_target_that_is_hidden() -> None:
    with pytest.raises(DeviceError, match="the top left target is not on the screenshot"):
        find_colour(Image.new("RGB", (20, 20)), (200, 0, 255), "top left")


def test_the_middle_of_a_target_is_found() -> None:
    image = Image.new("RGB", (60, 50), "white")
    target = spread(0, 0, 60, 50)[4]
    image.paste(target.colour, (30 - SIDE // 2, 25 - SIDE // 2, 30 + SIDE // 2 + 1, 25 + SIDE // 2 + 1))
    box = find_colour(image, target.colour, "")
    assert (box, box.center.x, box.center.y) == (Box(26, 21, 35, 30), target.x, target.y)


def test_an_environment_without_targets() -> None:
    with pytest.raises(ConfigError, match="the environment 'toaster' draws no targets"):
        targets_on("toaster", None)  # type: ignore[arg-type]

"""Options of one kind of device that are given with another: said in one line, never ignored."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from action_space.errors import ConfigError
from action_space.geometry import Size
from agent.devices import ARGUMENTS, OPTIONS, check_options
from agent.session import resume, run, settings_of
from agent.trajectory import Settings
from environments.registry import ENVIRONMENTS

OTHERS = {
    "app": "Notes",
    "device": "x:1",
    "url": "http://a/",
    "viewport": Size(9, 9),
    "headed": True,
    "device_scale": 2.0,
    "display": "virtual",
    "live": True,
    "monitor": "2",
    "allow_hosts": ("a.b",),
}
"""A value other than the usual one for each setting that belongs to some device."""


def test_the_tables_agree() -> None:
    """What an environment is given is what belongs to it, and nothing else."""
    assert OPTIONS.keys() == ARGUMENTS.keys() == ENVIRONMENTS.keys()
    for env, names in OPTIONS.items():
        for name, value in OTHERS.items():
            changed = ARGUMENTS[env](Settings.model_validate({"env": env, name: value}))
            is_used = changed != ARGUMENTS[env](Settings(env=env))
            # Hosts are the policy's.
            assert is_used == (name in names - {"allow_hosts"}), (env, name)


@pytest.mark.parametrize("env", sorted(OPTIONS))
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_each_option_with_each_environment(env: str, name: str) -> None:
    if name in OPTIONS[env]:
        check_options(env, {name: OTHERS[name]})
        return
    with pytest.raises(
        ConfigError, match=rf"^--{name.replace('_', '-')[:9]}.* is for --env .*this is '{env}': leave it"
    ):
        check_options(env, {name: OTHERS[name]})


def test_what_was_not_given_is_not_said() -> None:
    check_options("browser", {"app": None, "display": "", "live": False, "max_steps": 3, "model": "bundled"})
    with pytest.raises(ConfigError, match=r"--live is for --env desktop, and this device is open already"):
        check_options(None, {"live": True, "url": "http://a/"})


def test_from_python(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--monitor is for --env desktop, and this is 'browser'"):
        run("x", model="scripted:/dev/null", out=tmp_path / "run", monitor="2")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="--device is for --env android"):
        settings_of("desktop", {"device": "x"})
    with pytest.raises(ConfigError, match="--app and --url cannot both come first"):
        run("x", model="scripted:/dev/null", env="android", app="Notes", url="http://a/", out=tmp_path / "run")
    with pytest.raises(ConfigError):
        resume(tmp_path / "nothing", live=True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--app", "Notes"), "--app is for --env android or desktop, and this is 'browser': leave it out, or choose"),
        (("--env", "desktop", "--url", "http://a"), "--url is for --env android or browser, and this is 'desktop'"),
        (("--env", "android", "--allow-host", "a.b"), "--allow-host is for --env browser, and this is 'android'"),
    ],
)
def test_on_the_command_line(
    agent_command: Callable[..., "subprocess.CompletedProcess[str]"],
    tmp_path: Path,
    arguments: tuple[str, ...],
    text: str,
) -> None:
    given = ["--task", "x", "--model", "scripted:/dev/null", "--out", str(tmp_path / "run")]
    result = agent_command("run", *given, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"agent: {text}")
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--env", "desktop"), "which device it is only matters for clicks: add --coords"),
        (("--coords", "--monitor", "2"), "--monitor is for --env desktop, and this is 'browser'"),
    ],
)
def test_of_the_doctor(
    agent_command: Callable[..., "subprocess.CompletedProcess[str]"], arguments: tuple[str, ...], text: str
) -> None:
    result = agent_command("doctor", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"agent: {text}")

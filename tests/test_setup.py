"""The set-up script: what is wrong is said in one line, and no GPU package comes by surprise."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = spec_from_file_location("clickwright_setup", ROOT / "scripts" / "setup.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ([], False),
        (["filelock", 'triton>=3; extra == "gpu"'], False),
        (["filelock", "nvidia-cublas==13.1"], True),
        (["cuda-bindings<14,>=13.0.3"], True),
        ([f"triton==3.4; sys_platform == {sys.platform!r}"], True),
        (['nvidia-cublas==13.1; sys_platform == "plan9"'], False),
    ],
)
def test_gpu_packages_are_seen_in_a_report(setup: ModuleType, needs: list[str], expected: bool) -> None:
    report = [{"metadata": {"name": "torch", "version": "2.9", "requires_dist": needs}}]
    assert setup.brings_cuda(report) is expected


def test_torch_build_is_read_off_its_files(setup: ModuleType) -> None:
    """Against the torch that the tests run with."""
    import torch

    if not Path(torch.__file__).is_relative_to(setup.VENV):
        pytest.skip("these tests do not run in .venv")
    assert setup.installed_torch() == ("cpu" if torch.version.cuda is None else "cuda")


def test_requirements_of_the_project_are_met(setup: ModuleType) -> None:
    from importlib import metadata

    from packaging.requirements import Requirement

    lines = setup.read_project()["dependencies"]
    assert all(Requirement(line).specifier.contains(metadata.version(Requirement(line).name)) for line in lines)
    assert not any("==" in line for line in lines), "floors, no pins"


@pytest.mark.parametrize(
    ("setting", "words"),
    [({"TORCH": "rocm"}, "valid: TORCH=cpu, TORCH=cuda"), ({"PYTHON": "/nowhere/python3"}, "Python 3.11 or newer")],
)
def test_what_is_wrong_is_one_line(setting: dict[str, str], words: str) -> None:
    command = [str(ROOT / "scripts" / "setup")]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **setting})
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1 and words in result.stderr


def test_no_index_and_no_machine_is_named() -> None:
    """Addresses of package indexes would break every mirror; paths of one machine every other."""
    text = "".join(
        (ROOT / name).read_text() for name in ("scripts/setup", "scripts/setup.py", "Makefile", "pyproject.toml")
    )
    assert "://" not in text and "/home/" not in text and "/root" not in text


def test_a_desktop_that_cannot_be_installed_does_not_stop_the_setup(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "DESKTOP", {"sh": "dash", "no-such-program": "some-package"})
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(setup, "apt_get", lambda *packages: asked.append(packages) or False)
    setup.install_desktop()
    (packages,) = asked
    assert "some-package" in packages and "dash" not in packages
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("setup: no virtual display without some-package")


def test_only_what_the_tests_need_is_asked_for(setup: ModuleType) -> None:
    """Peers of several GB are extras that nobody gets by surprise, and no set-up looks for them in the network."""
    lines = setup.extra(setup.read_project(), "dev")
    names = {line.split(">")[0].split("[")[0] for line in lines}
    assert {"pytest", "mypy", "fastapi", "adbutils", "pyarrow"} <= names
    assert not {"clickwright", "ray", "lmms-eval"} & names

"""Who may import whom, and what an import may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ALLOWED = {
    "action_space": set[str](),
    "environments": {"action_space"},
    "vlm": {"action_space"},
    "agent": {"action_space", "environments", "vlm"},
    "evals": {"action_space", "environments", "vlm", "agent"},
}

HEAVY = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "playwright",
    "pyautogui",
    "mss",
    "adbutils",
    "ray",
    "scipy",
    "httpx",
    "jinja2",
    "typer",
)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import in a file: inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import never leaves its own package.
            top = path.relative_to(ROOT).parts[0] if node.level else (node.module or "")
            yield node.lineno, top.partition(".")[0]


def test_each_package_imports_only_what_is_below_it() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for package, allowed in ALLOWED.items()
        for path in modules(package)
        for line, name in imports(path)
        if name in ALLOWED and name != package and name not in allowed
    ]
    assert not wrong, wrong


def test_product_imports_no_tests_and_no_scripts() -> None:
    wrong = [
        str(p) for package in ALLOWED for p in modules(package) for _, n in imports(p) if n in ("tests", "scripts")
    ]
    assert not wrong, wrong


COMMANDS = {
    "evals.cli:app",
    "evals.bench:app",
    "evals.replay_cli:app",
    "evals.exchange.cli:import_app",
    "evals.exchange.cli:export_app",
}
"""Sub-commands of the one console script: the command line is the door to every package, and loads them when called."""


def test_names_in_lookup_tables_point_only_downwards() -> None:
    """`"vlm.backends.engine:Engine"` in a table is an import too, a late one."""
    wrong = []
    for package, allowed in ALLOWED.items():
        for path in modules(package):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    module, colon, name = node.value.partition(":")
                    top = module.partition(".")[0]
                    is_target = colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))
                    if node.value in COMMANDS and path.name == "cli.py":
                        continue
                    if is_target and top in ALLOWED and top != package and top not in allowed:
                        wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} names {node.value}")
    assert not wrong, wrong


def test_torch_lives_in_vlm_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in ALLOWED
        if package != "vlm"
        for path in modules(package)
        for line, name in imports(path)
        if name in ("torch", "torchvision", "transformers")
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("package", ALLOWED)
def test_importing_a_package_is_light_and_silent(package: str, tmp_path: Path) -> None:
    code = f"import sys, {package}; print('\\n'.join(sys.modules), file=sys.stderr)"
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stderr.split())
    assert not loaded.intersection(HEAVY)
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == [], "importing a package created files"


@pytest.mark.parametrize("module", ["agent.cli", "agent.session", "evals.online.demo"])
def test_commands_start_without_what_they_may_not_need(module: str) -> None:
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert not set(result.stdout.split()).intersection({"torch", "transformers", "tokenizers", "playwright", "scipy"})


def test_tests_are_no_packages() -> None:
    """A `tests/agent/__init__.py` would make `import agent` load the test folder."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_files_have_unique_names() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted(names)

"""Set up .venv: packages, torch as a CPU build unless asked otherwise, and a Chromium. Standard library only.

Runs twice: under any Python it creates .venv, then under .venv's own Python it installs. A stamp in .venv makes
the next run quick, and it needs no network. What cannot be had is one line on stderr, and exit status 2.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pip._vendor.packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "clickwright-setup.json"
LOG = VENV / "setup.log"
FREE_BYTES = 2_500_000_000
GPU_PACKAGES = ("nvidia-", "cuda-", "triton")
DESKTOP = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xrandr": "x11-xserver-utils",
    "setxkbmap": "x11-xkb-utils",
    "xclip": "xclip",
    "dbus-daemon": "dbus",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
    "galculator": "galculator",
    "mousepad": "mousepad",
}
"""Program -> the distribution's package that has it."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    torch = wanted_torch()
    if is_set_up(torch):
        return
    if not (VENV.exists() and VENV.samefile(sys.prefix)):
        create_venv()
        os.execv(PYTHON, [str(PYTHON), __file__])
    LOG.write_text("")
    install_packages(torch)
    browser = install_browser()
    require_fonts()
    install_desktop()
    STAMP.write_text(json.dumps({"inputs": inputs_hash(), "torch": installed_torch(), "browser": str(browser)}))
    say(f"ready: torch {installed_torch()} build, browser {browser}")


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def stop(text: str) -> NoReturn:
    say(text)
    sys.exit(2)


def wanted_torch() -> str:
    """cpu, cuda, or "" for: keep what is there, else cpu."""
    choice = os.environ.get("TORCH", "")
    if choice not in ("", "cpu", "cuda"):
        stop(f"TORCH={choice!r} is not known; valid: TORCH=cpu, TORCH=cuda")
    return choice


def inputs_hash() -> str:
    """Changes when the set-up has to be looked at again."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_set_up(torch: str) -> bool:
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    fresh = stamp["inputs"] == inputs_hash() and torch in ("", stamp["torch"])
    return fresh and PYTHON.exists() and Path(stamp["browser"]).exists()


# ---------------------------------------------------------------------------------------------------------- running


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run quietly; what it says goes to the log."""
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    if VENV.exists():
        with LOG.open("a") as log:
            log.write(f"$ {' '.join(str(part) for part in command)}\n{result.stdout}{result.stderr}\n")
    return result


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run([PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments])


def pip_install(what: str, *arguments: str) -> None:
    result = pip("install", "--quiet", *arguments)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "pip gave no reason"
        stop(f"{what} could not be installed: {reason} (is there a network? details: {LOG})")


def apt_get(*packages: str) -> bool:
    """Install distribution packages, where that is possible without asking: as root, on Debian and its kin."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"installing the distribution's {' '.join(packages)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], env=env)
    return run(["apt-get", "install", "-y", "--no-install-recommends", *packages], env=env).returncode == 0


# --------------------------------------------------------------------------------------------------------- packages


def create_venv() -> None:
    if PYTHON.exists() and run([PYTHON, "-m", "pip", "--version"]).returncode == 0:
        return
    package = f"python3.{sys.version_info.minor}-venv"
    if run([sys.executable, "-c", "import ensurepip, venv"]).returncode != 0 and not apt_get(package):
        stop(f"the Python module venv is missing; as root: apt-get install {package} (or python3-venv), then again")
    say(f"creating {VENV}")
    result = run([sys.executable, "-m", "venv", "--clear", VENV])
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip().splitlines()
        stop(f"the virtual environment could not be created: {reason[-1] if reason else 'no reason given'}")


def install_packages(torch: str) -> None:
    if not missing_requirements() and torch in ("", installed_torch()):
        return
    if shutil.disk_usage(VENV).free < FREE_BYTES:
        stop(f"about {FREE_BYTES / 1e9:.1f} GB of free disk space are needed at {VENV}")
    pip_install("pip and setuptools", "pip>=23.3", "setuptools>=77")
    install_torch(torch)
    say("installing the other packages")
    # No build isolation: with setuptools in .venv this step needs no network when nothing else is missing.
    pip_install("the packages", "--no-build-isolation", "--editable", ".[dev]")
    # Of it only the pages are used, not the Selenium driver that it would bring along.
    pip_install("the benchmarks", "--no-deps", *read_project()["optional-dependencies"]["miniwob"])


def read_project() -> dict[str, Any]:
    import tomllib

    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def missing_requirements() -> list[str]:
    """The requirements of the program, of its tests and of their tools that .venv does not meet."""
    # pip's own copy: .venv has nothing else yet.
    from pip._vendor.packaging.requirements import Requirement

    project = read_project()
    extras = [line for name in ("dev", "miniwob") for line in extra(project, name)]
    wanted = [*project["dependencies"], *extras, f"{project['name']}=={project['version']}"]
    return [line for line in wanted if not is_met(Requirement(line))]


def extra(project: Mapping[str, Any], name: str) -> list[str]:
    """What an extra asks for, with what the project's other extras that it names ask for in place of these."""
    found: list[str] = []
    for line in project["optional-dependencies"][name]:
        inner = line.removeprefix(f"{project['name']}[").removesuffix("]")
        found += [line] if inner == line else extra(project, inner)
    return found


def is_met(requirement: "Requirement") -> bool:
    import importlib.metadata  # here, because it is slow and seldom needed

    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def installed_torch() -> str:
    """cpu, cuda, or "" if there is none. Read off its version file: importing torch takes seconds."""
    for place in VENV.glob("lib/python*/site-packages/torch/version.py"):
        text = place.read_text()
        return "cpu" if "cuda: Optional[str] = None" in text or "cuda = None" in text else "cuda"
    return ""


def install_torch(choice: str) -> None:
    floor = next(line for line in read_project()["dependencies"] if line.startswith("torch"))
    if installed_torch() and choice in ("", installed_torch()):
        return
    if installed_torch():
        pip("uninstall", "--yes", "torch")
    if choice == "cuda":
        say("installing torch, GPU build (several GB)")
        pip_install("torch", floor)
        if installed_torch() != "cuda":
            stop("the torch that pip finds for this machine is a CPU build; use TORCH=cpu")
        return
    say("installing torch, CPU build (about 200 MB)")
    if not (torch_from_disk(floor) or torch_by_uv(floor) or torch_by_pip(floor)):
        stop(
            "no CPU build of torch can be had here (is there a network?); install one into .venv and run this again, "
            f"or take the GPU build, several GB: make setup TORCH=cuda (details: {LOG})"
        )


def torch_from_disk(floor: str) -> bool:
    """A wheel in a folder that pip is told to look into (PIP_FIND_LINKS): no index is asked."""
    report = pip_report("--no-index", "--no-deps", floor)
    if not report or brings_cuda(report):
        return False
    return pip("install", "--quiet", "--no-index", "--no-deps", floor).returncode == 0


def torch_by_uv(floor: str) -> bool:
    """uv knows where the CPU builds of torch are. A trial run first: it must never fall back to a CUDA build."""
    if pip("install", "--quiet", "uv").returncode != 0:
        return False
    command = ["uv", "pip", "install", "--python", str(PYTHON), "--torch-backend=cpu", floor]
    trial = run([PYTHON, "-m", *command, "--dry-run"])
    if trial.returncode != 0 or any(word in trial.stderr for word in GPU_PACKAGES):
        return False
    return run([PYTHON, "-m", *command]).returncode == 0


def torch_by_pip(floor: str) -> bool:
    """What pip would take from its index, if that is a CPU build (as on macOS). The report reads only metadata."""
    report = pip_report("--no-deps", floor)
    if not report or brings_cuda(report):
        return False
    return pip("install", "--quiet", floor).returncode == 0


def pip_report(*arguments: str) -> list[dict[str, Any]]:
    """What `pip install` would install, or [] if it would fail."""
    result = pip("install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", *arguments)
    if result.returncode != 0:
        return []
    items: list[dict[str, Any]] = json.loads(result.stdout)["install"]
    return items


def brings_cuda(report: list[dict[str, Any]]) -> bool:
    """Whether a torch in a report asks for GPU packages on this machine."""
    from pip._vendor.packaging.requirements import Requirement

    needs = [Requirement(line) for item in report for line in item["metadata"].get("requires_dist", ())]
    needed = [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return any(name.startswith(GPU_PACKAGES) for name in needed)


# ---------------------------------------------------------------------------------------------------------- browser


def install_browser() -> Path:
    """Playwright's own Chromium, there or downloaded; else one of the machine; else the distribution's."""
    own = playwright_chromium()
    if not own.exists():
        say("downloading Chromium (about 170 MB)")
        run([PYTHON, "-m", "playwright", "install", "chromium"])
    if own.exists():
        if not starts(own) and os.geteuid() == 0:
            run([PYTHON, "-m", "playwright", "install-deps", "chromium"])
        if starts(own):
            return own
    found = machine_browser()
    if found is None:
        found = machine_browser() if apt_get("chromium") or apt_get("chromium-browser") else None
    if found is not None:
        return found
    if own.exists():
        stop(f"Chromium lacks system libraries; as root: {PYTHON} -m playwright install-deps chromium, then again")
    stop("a Chromium is missing and cannot be downloaded; as root: apt-get install chromium, then again")


def playwright_chromium() -> Path:
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    return Path(run([PYTHON, "-c", code]).stdout.strip() or "/nowhere")


def machine_browser() -> Path | None:
    found = (shutil.which(name) for name in BROWSERS)
    return next((Path(path) for path in found if path and starts(Path(path))), None)


def starts(browser: Path) -> bool:
    """Whether its libraries are there, and it is no placeholder for a snap."""
    return run([browser, "--version"]).returncode == 0


def require_fonts() -> None:
    places = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
    if sys.platform != "linux" or any(any(Path(place).expanduser().glob("**/*.[ot]t[fc]")) for place in places):
        return
    if not apt_get("fonts-dejavu-core"):
        stop("no fonts are installed, pages would show no text; as root: apt-get install fonts-dejavu-core, then again")


# ---------------------------------------------------------------------------------------------------------- desktop


def install_desktop() -> None:
    """What a virtual display and its demo and tests need. They are skipped without it, so it never stops the set-up."""
    if sys.platform != "linux":
        return
    missing = [package for program, package in DESKTOP.items() if shutil.which(program) is None]
    if run([PYTHON, "-c", "import tkinter"]).returncode != 0:
        missing.append("python3-tk")
    if missing and not apt_get(*missing):
        say(f"no virtual display without {' '.join(missing)}; as root: apt-get install {' '.join(missing)}")


if __name__ == "__main__":
    main()

"""The runner: workers that hang, die or err, results that survive a kill, and where work runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from pickle import PicklingError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action_space.errors import ClickwrightError, ConfigError, DeviceError, ModelError
from evals import journal, runner
from evals.engines import engine_of, here, on_ray, processes
from evals.processes import descendants, kill_tree
from evals.work import Done, Item, Work
from tests.evals import sample_work
from tests.evals.sample_work import Line

ENGINES = [pytest.param(here, id="here"), pytest.param(processes, id="processes")]


def work(folder: Path, opens: str = "opened") -> Work:
    return Work(f"tests.evals.sample_work:{opens}", folder)


def items(*data: object) -> list[Item]:
    return [Item(str(each), each) for each in data]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


# ------------------------------------------------------------------------------------------------------- engines


@pytest.mark.parametrize("engine", ENGINES)
def test_every_item_is_done_once(engine: Callable[..., object], tmp_path: Path) -> None:
    done = list(engine(work(tmp_path), items(*range(7)), workers=2, limit_s=60))  # type: ignore[call-overload]
    assert sorted((each.item.data, each.result, each.error) for each in done) == [(n, n * n, "") for n in range(7)]
    assert len(list(tmp_path.glob("closed-*"))) == len(list(tmp_path.glob("opened-*"))) > 0, "what opens is closed"


def test_work_is_opened_once_a_worker(tmp_path: Path) -> None:
    list(processes(work(tmp_path), items(*range(20)), workers=2, limit_s=60))
    assert 1 <= len(list(tmp_path.glob("opened-*"))) <= 2


def test_a_hung_worker_is_killed_with_its_children(tmp_path: Path) -> None:
    hung, square = sorted(
        processes(work(tmp_path), items("hang", 3), workers=1, limit_s=2), key=lambda done: done.result or 0
    )
    assert hung.error == "no end after 2 s: killed" and hung.result is None
    assert square.result == 9, "another worker took its place"
    worker, child = map(int, (tmp_path / "hung").read_text().split())
    assert not is_running(worker) and not is_running(child)


@pytest.mark.browser
def test_a_hung_chromium_is_killed(tmp_path: Path) -> None:
    (done,) = processes(work(tmp_path, "hung_browser"), items(1), workers=1, limit_s=4)
    assert done.error == "no end after 4 s: killed"
    chromium = int((tmp_path / "chromium").read_text())
    wait_until(lambda: not is_running(chromium) and not descendants(chromium))


def test_what_goes_wrong_costs_its_item_only(tmp_path: Path) -> None:
    asked = items("die", "bug", "device", "model", 4, "print")
    found = {done.item.key: done for done in processes(work(tmp_path), asked, workers=1, limit_s=60)}
    assert found["die"].error == "the worker ended with status 7"
    assert found["bug"].error.startswith("ZeroDivisionError: integer division or modulo by zero (")
    assert "sample_work.py:" in found["bug"].error
    assert found["device"].error == "the page is gone" and found["model"].error == "no answer"
    assert found["4"].result == 16 and not found["4"].error
    assert len(list(tmp_path.glob("opened-*"))) == 3, "after a crash and a bug in a new worker"


def test_workers_print_nothing_on_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    list(processes(work(tmp_path), items("print"), workers=1, limit_s=60))
    assert capfd.readouterr().out == ""


def test_workers_share_the_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (done,) = processes(work(tmp_path), items("threads"), workers=1, limit_s=60)
    assert done.result == str(os.cpu_count())


@pytest.mark.parametrize(
    ("opens", "kind", "words"),
    [
        ("unloadable", ModelError, "no such checkpoint"),
        ("killed_while_opening", DeviceError, "was killed by signal 9 before it was ready"),
    ],
)
def test_work_that_does_not_open_ends_it_all(
    opens: str, kind: type[ClickwrightError], words: str, tmp_path: Path
) -> None:
    (done,) = processes(work(tmp_path, opens), items(1), workers=1, limit_s=60)
    assert done.hopeless and isinstance(done.cause, kind) and words in done.error
    with pytest.raises(kind, match=words):
        run(tmp_path, 1, opens=opens)


def test_a_folder_called_evals_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    (done,) = processes(work(tmp_path), items(2), workers=1, limit_s=60)
    assert done.result == 4


def test_giving_up_ends_the_workers(tmp_path: Path) -> None:
    results = processes(work(tmp_path), items(1, "hang", "hang"), workers=1, limit_s=600)
    assert next(results).result == 1
    wait_until((tmp_path / "hung").exists)
    wait_until(lambda: " " in (tmp_path / "hung").read_text())
    worker, child = map(int, (tmp_path / "hung").read_text().split())
    results.close()
    assert not is_running(worker) and not is_running(child)


def test_a_bug_of_the_runner_itself_comes_out(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, TypeError, PicklingError), match=r"lambda|pickle"):
        list(processes(work(tmp_path), items(lambda: 0), workers=1, limit_s=60))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(ConfigError, match="--engine 'slurm' is unknown: choose local or ray"):
        engine_of("slurm", 1)
    assert engine_of("local", 0) is here and engine_of("local", 3) is processes


def test_a_tree_of_processes_is_found_and_killed() -> None:
    shell = subprocess.Popen(["sh", "-c", "setsid sleep 1000 & setsid sh -c 'sleep 1000; true'"])
    wait_until(lambda: len(descendants(shell.pid)) == 3)
    below = descendants(shell.pid)
    kill_tree(shell.pid)
    shell.wait()
    wait_until(lambda: not any(map(is_running, below)))


@pytest.mark.peers
@pytest.mark.timeout(400)  # a cluster starts in seconds, on a busy machine in minutes
def test_the_same_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    asked = items(*range(6), "die", "hang", "bug")
    found = {done.item.key: done for done in on_ray(work(tmp_path), asked, workers=2, limit_s=5)}
    assert {key: done.result for key, done in found.items() if not done.error} == {str(n): n * n for n in range(6)}
    assert found["die"].error == "the worker ended with status 7"
    assert found["hang"].error == "no end after 5 s: killed"
    assert found["bug"].error.startswith("ZeroDivisionError")
    worker, child = map(int, (tmp_path / "hung").read_text().split())
    assert not is_running(worker) and not is_running(child)


def test_ray_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.engines.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install \"clickwright\[ray\]\""):
        list(on_ray(work(tmp_path), items(1), workers=1, limit_s=60))


# -------------------------------------------------------------------------------------------------------- runner


def run(folder: Path, *data: object, opens: str = "opened", workers: int = 1) -> bool:
    def tell(done: Done) -> runner.Told | None:
        number = done.item.data if isinstance(done.item.data, int) else -1
        return None if done.result == 36 else runner.Told(Line(number=number, error=done.error), f"[b]{number}")

    return runner.run(work(folder, opens), items(*data), runner.Crew(workers=workers, limit_s=60), folder, tell)


def lines(folder: Path) -> list[Line]:
    return list(journal.read_lines(folder, Line))


def test_results_are_appended_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, 1, 2) and run(tmp_path, 3, workers=0)
    assert [line.number for line in lines(tmp_path)] == [1, 2, 3]
    assert capsys.readouterr().err.split() == ["[b]1", "[b]2", "[b]3"]


def test_what_the_person_interrupted_is_not_recorded(tmp_path: Path) -> None:
    assert not run(tmp_path, 1, 6, 2)
    assert [line.number for line in lines(tmp_path)] == [1]


def test_a_model_that_keeps_failing_ends_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no answer"):
        run(tmp_path, 1, "model", "model", 2, "model", "model", "model", 3)
    assert [bool(line.error) for line in lines(tmp_path)] == [False, True, True, False, True, True]


def test_what_the_operator_has_to_change_ends_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a wrong option"):
        run(tmp_path, 1, "operator", 2)
    assert len(lines(tmp_path)) == 1


def test_one_runner_a_folder(tmp_path: Path) -> None:
    with journal.Journal(tmp_path), pytest.raises(ConfigError, match="another process is recording in"):
        run(tmp_path, 1)


def test_ctrl_c_ends_the_workers_and_keeps_the_results(tmp_path: Path) -> None:
    code = (
        "from tests.evals.test_runner import run; from pathlib import Path; import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # behind `nohup ... &` it is ignored
        "sys.exit(0 if run(Path(sys.argv[1]), 1, 'hang') else 130)"
    )
    runner_process = start(["-c", code, str(tmp_path)])
    wait_until((tmp_path / "hung").exists)
    wait_until(lambda: " " in (tmp_path / "hung").read_text() and len(lines(tmp_path)) == 1)
    runner_process.send_signal(signal.SIGINT)
    assert runner_process.wait() == 130
    assert not any(map(is_running, map(int, (tmp_path / "hung").read_text().split())))
    assert [line.number for line in lines(tmp_path)] == [1]


# ------------------------------------------------------------------------------------------------------- the kill


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, *arguments], env=env, stdin=subprocess.DEVNULL)


def kill_when(folder: Path, holds: Callable[[], bool]) -> None:
    """Start or go on with the measurement, and kill the runner at a moment; its workers end by themselves."""
    process = start([sample_work.__file__, str(folder)])
    wait_until(lambda: holds() or process.poll() is not None)
    below = descendants(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_running, below)))


@pytest.mark.slow
def test_a_runner_killed_at_any_moment_goes_on_to_the_same_table(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    sample_work.measure(whole)

    def lines_reach(count: int) -> Callable[[], bool]:
        results = cut / journal.RESULTS
        return lambda: results.exists() and results.read_bytes().count(b"\n") >= count

    kill_when(cut, cut.exists)
    kill_when(cut, (cut / journal.PLAN).exists)
    for count in (1, 6, 17):
        kill_when(cut, lines_reach(count))
        with (cut / journal.RESULTS).open("ab") as file:
            file.write(b'{"number": 3, "squ')  # as if it had been killed in the middle of a line
    sample_work.measure(cut)
    assert sample_work.table(cut) == sample_work.table(whole)
    errors = {line.number: line.error for line in sample_work.table(whole) if line.error}
    assert errors == {5: "the worker ended with status 7", 9: "no end after 1 s: killed"}
    assert [line.square for line in sample_work.table(cut) if not line.error] == [
        n * n for n in range(24) if n not in errors
    ]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / journal.RESULTS).write_text('{"number": 1}\n{"number": "x"}\n')
    with pytest.raises(ConfigError, match=r"results\.jsonl:2: number: "):
        lines(tmp_path)


@given(
    st.binary() | st.lists(st.sampled_from([b'{"number": 1}', b'{"number": 2, "square"', b"", b"\xff"])).map(b"\n".join)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_file_of_results_is_lines_or_one_complaint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / journal.RESULTS).write_bytes(content)
    try:
        assert all(line.number in (1, 2) for line in lines(tmp_path))
    except ConfigError as error:
        assert "results.jsonl:" in str(error)

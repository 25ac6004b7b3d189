"""Screenshots of many runs: each once, and no more than fit."""

from pathlib import Path

import pytest

from evals.pictures import Pictures

SIZE = 1000


def run_of(folder: Path, name: str, *pictures: str, report: int = 0) -> Path:
    run = folder / name
    (run / "images").mkdir(parents=True)
    for picture in pictures:
        (run / "images" / f"{picture}.png").write_bytes(picture.encode() * SIZE)
    if report:
        (run / "report.html").write_bytes(b"r" * report)
    return run


def files(folder: Path) -> set[int]:
    """How many different files of pictures there are."""
    return {path.stat().st_ino for path in folder.rglob("*.png")}


def test_a_picture_of_several_runs_is_one_file(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, 1)
    for name in ("one", "two", "three"):
        assert pictures.keep(run_of(tmp_path, name, "a", name[0]))
    assert len(files(tmp_path)) == 3, "a, o, and the t of two and three"


def test_each_run_stays_whole(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, 1)
    first, second = (run_of(tmp_path, name, "a") for name in ("one", "two"))
    assert pictures.keep(first) and pictures.keep(second)
    assert (second / "images" / "a.png").read_bytes() == b"a" * SIZE
    (first / "images" / "a.png").unlink()
    assert (second / "images" / "a.png").exists(), "a run can be deleted without the others"


def test_what_does_not_fit_is_dropped(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, 0.0031)
    assert pictures.keep(run_of(tmp_path, "one", "a", "b", report=500))
    too_large = run_of(tmp_path, "two", "c", report=900)
    (too_large / "steps.jsonl").write_text("kept")
    assert not pictures.keep(too_large)
    assert sorted(path.name for path in too_large.iterdir()) == ["steps.jsonl"]
    assert pictures.keep(run_of(tmp_path, "three", "a", report=500)), "what is there already takes no room"
    assert not pictures.keep(run_of(tmp_path, "four", "d"))


def test_earlier_sittings_count(tmp_path: Path) -> None:
    assert Pictures(tmp_path, 0.0031).keep(run_of(tmp_path, "one", "a", "b", report=500))
    later = Pictures(tmp_path, 0.0031)
    assert later.keep(run_of(tmp_path, "two", "b", report=500))
    assert not later.keep(run_of(tmp_path, "three", "c"))


def test_a_file_system_without_links_keeps_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr("os.link", no_links)
    pictures = Pictures(tmp_path, 1)
    for name in ("one", "two"):
        assert pictures.keep(run_of(tmp_path, name, "a"))
    assert len(files(tmp_path)) == 2


def test_a_run_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert Pictures(tmp_path, 0).keep(tmp_path / "run")

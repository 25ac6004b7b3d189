"""A run on disk: written, cut short, damaged, read back."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.actions import Click
from action_space.errors import ConfigError, RecordingError
from action_space.geometry import Frame, Point, Size
from agent.recorder import Recorder, claimed
from agent.trajectory import Header, Outcome, Settings, Step, Versions, image_path, read_trajectory

ROOT = Path(__file__).parent.parent.parent
SIZE = Size(320, 200)
HEADER = Header(
    task="tick the box",
    created=datetime(2026, 1, 2, tzinfo=UTC),
    versions=Versions(clickwright="0", model="m", dialect="d", env="e"),
    settings=Settings(),
)


def step(number: int, image: str = "0" * 64) -> Step:
    return Step(
        number=number,
        started=datetime(2026, 1, 2, tzinfo=UTC),
        image=image,
        frame=Frame(SIZE, SIZE),
        reply="un clic\u2028 «là» \U0001f600",
        action=Click(point=Point(0, 7)),
    )


def start(folder: Path) -> Recorder:
    with claimed(folder):
        return Recorder.start(folder, HEADER)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = start(tmp_path / "run")
    yield recorder
    recorder.close()


def test_round_trip(recorder: Recorder) -> None:
    digest = recorder.save_image(Image.new("RGB", (320, 200), "red"))
    again = recorder.save_image(Image.new("RGB", (320, 200), "red"))
    recorder.write(step(1, digest))
    recorder.write(step(2, again))
    recorder.finish(Outcome(reason="success", text="done", ended=datetime.now(UTC)))
    read = read_trajectory(recorder.trajectory.folder)
    assert read == recorder.trajectory
    assert read.warning == ""
    files = list((read.folder / "images").iterdir())
    assert [file.name for file in files] == [f"{digest}.png"]
    assert hashlib.sha256(files[0].read_bytes()).hexdigest() == digest
    assert recorder.load_image(digest).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_line_cut_short_is_ignored_and_named(recorder: Recorder, cut: int) -> None:
    folder = recorder.trajectory.folder
    recorder.write(step(1))
    recorder.write(step(2))
    recorder.close()
    path = folder / "steps.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    read = read_trajectory(folder)
    assert [step.number for step in read.steps] == [1]
    assert "steps.jsonl:2" in read.warning
    resumed = Recorder.resume(folder)
    resumed.write(step(2))
    resumed.close()
    read = read_trajectory(folder)
    assert ([step.number for step in read.steps], read.warning) == ([1, 2], "")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_killed_anywhere_in_a_line_nothing_earlier_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut") / "run"
    recorder = start(folder)
    for number in (1, 2, 3):
        recorder.write(step(number))
    recorder.close()
    whole = (folder / "steps.jsonl").read_bytes()
    length = data.draw(st.integers(0, len(whole)))
    (folder / "steps.jsonl").write_bytes(whole[:length])
    complete = whole[:length].count(b"\n")
    assert len(read_trajectory(folder).steps) == complete
    resumed = Recorder.resume(folder)
    resumed.write(step(complete + 1))
    resumed.close()
    assert len(read_trajectory(folder).steps) == complete + 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"not json\n", "steps.jsonl:2"),
        (b'{"number": 2}\n', "started: Field required"),
        (b"\xff\xfe\n", "steps.jsonl:2"),
        (b"\n", "steps.jsonl:2"),
        (step(3).model_dump_json().encode() + b"\n", "numbered 3, not 2"),
        (step(2).model_dump_json()[:-1].encode() + b', "extra": 1}\n', "extra"),
    ],
)
def test_a_malformed_line_is_named(recorder: Recorder, line: bytes, complaint: str) -> None:
    recorder.write(step(1))
    path = recorder.trajectory.folder / "steps.jsonl"
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ConfigError, match=complaint) as error:
        read_trajectory(recorder.trajectory.folder)
    assert "\n" not in str(error.value)


def test_a_broken_header_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run: it has no run\.json"):
        read_trajectory(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 1, "task": 3}')
    with pytest.raises(ConfigError, match=r"run\.json: task"):
        read_trajectory(tmp_path)


def test_a_finished_run_is_not_resumed(recorder: Recorder) -> None:
    recorder.finish(Outcome(reason="failure", ended=datetime.now(UTC)))
    recorder.close()
    with pytest.raises(ConfigError, match="finished"):
        Recorder.resume(recorder.trajectory.folder)


def test_an_interrupted_run_is_open_again_once_resumed(recorder: Recorder) -> None:
    recorder.finish(Outcome(reason="interrupted", ended=datetime.now(UTC)))
    recorder.close()
    resumed = Recorder.resume(recorder.trajectory.folder)
    assert read_trajectory(resumed.trajectory.folder).outcome is None
    resumed.close()


def test_two_processes_cannot_record_the_same_run(recorder: Recorder) -> None:
    with pytest.raises(ConfigError, match="another process"):
        Recorder.resume(recorder.trajectory.folder)


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(ConfigError, match="not an empty folder"):
        start(tmp_path)
    with pytest.raises(ConfigError, match="not an empty folder"):
        start(tmp_path / "precious")
    with pytest.raises(RecordingError, match="cannot write"):
        start(tmp_path / "precious" / "below")


def test_a_claimed_folder_goes_when_the_run_never_begins(tmp_path: Path) -> None:
    with pytest.raises(KeyError), claimed(tmp_path / "run"):
        raise KeyError
    assert not (tmp_path / "run").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from test_run_files import start, step
from action_space.errors import RecordingError
from PIL import Image
recorder = start(Path({folder!r}))
digest = recorder.save_image(Image.new("RGB", (320, 200), "red"))
recorder.write(step(1, digest))
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    {what}
except RecordingError as error:
    print(error)
else:
    sys.exit("nothing was noticed")
"""


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("for number in range(2, 1000): recorder.write(step(number, digest))", 3000),
        ("recorder.save_image(Image.effect_noise((320, 200), 90).convert('RGB'))", 3000),
        ("recorder.change_header(recorder.trajectory.header)", 100),
    ],
    ids=["line", "image", "header"],
)
def test_a_full_disk_leaves_everything_before_intact(tmp_path: Path, what: str, limit: int) -> None:
    """A real limit of the kernel: a write stops in the middle, as on a full disk."""
    folder = tmp_path / "run"
    code = FULL_DISK.format(
        tests=str(Path(__file__).parent), root=str(ROOT), folder=str(folder), what=what, limit=limit
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot write the run" in done.stdout and done.stdout.count("\n") == 1
    read = read_trajectory(folder)
    assert read.warning == "" and read.header == HEADER
    assert [step.number for step in read.steps] == list(range(1, len(read.steps) + 1))
    assert len(read.steps) >= 1
    for image in (folder / "images").iterdir():
        assert hashlib.sha256(image.read_bytes()).hexdigest() == image.stem, "half a picture was left"


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/bin/mount").exists(), reason="needs root for a small file system")
def test_a_really_full_file_system(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this container may not mount")
    try:
        recorder = start(mount / "run")
        recorder.write(step(1))
        with pytest.raises(RecordingError, match="No space left on device"):
            for number in range(2, 10_000):
                recorder.write(step(number))
        kept = len(recorder.trajectory.steps)
        recorder.close()
        read = read_trajectory(mount / "run")
        assert (len(read.steps), read.warning) == (kept, "")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_settings_refuse_what_they_do_not_know() -> None:
    text = HEADER.model_dump_json()
    assert Header.model_validate_json(text) == HEADER
    broken = json.loads(text)
    broken["settings"]["max_stepz"] = 3
    with pytest.raises(ValueError, match="max_stepz"):
        Header.model_validate(broken)


def test_images_are_named_by_their_hash(recorder: Recorder) -> None:
    digest = recorder.save_image(Image.new("RGB", (3, 3)))
    assert image_path(recorder.trajectory.folder, digest).is_file()
    assert not list((recorder.trajectory.folder / "images").glob(".*"))

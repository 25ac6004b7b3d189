"""Shards are there whole or not at all; what was cut off is skipped, counted and written again."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.errors import RecordingError
from action_space.geometry import Box
from vlm.training.data.records import KINDS, Picture, Record, Truth, read_records
from vlm.training.data.shards import INDEX, RECORDS, new_shard, read_shards

RECORD = Record(
    id="grounding-000001-0",
    kind="grounding",
    form="text",
    images=("a.png",),
    prompt=('click "Save"', Picture(image=0, seconds=1.5)),
    answer="click(3, 4)",
    source="phone",
    truth=Truth(boxes=(Box(1, 2, 5, 6),), texts=("Save",), spans=((0.5, 1.0),), count=1),
)


def write(folder: Path, number: int) -> None:
    with new_shard(folder, number) as shard:
        name = shard.add_picture(b"png %d" % number)
        assert shard.add_picture(b"png %d" % number) == name, "the same picture is stored once"
        shard.add_screen({"image": name, "elements": [], "chars": []})
        shard.add_record(RECORD)
        shard.dropped["covered"] += 2


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, 0)
    (shard,), cut = read_shards(tmp_path)
    assert cut == 0 and list(shard.records()) == [RECORD] and len(shard.pictures()) == 1
    assert shard.counts == {"drawn": 0, "screens": 1, "records": 1, "dropped: covered": 2}
    assert len(KINDS) == 10


@pytest.mark.parametrize("cut", [INDEX, RECORDS, "picture", "missing"])
def test_a_shard_cut_off_is_skipped_counted_and_written_again(tmp_path: Path, cut: str) -> None:
    write(tmp_path, 0)
    write(tmp_path, 1)
    picture = next((tmp_path / "shard-00001").glob("*.png"))
    path = tmp_path / "shard-00001" / cut if cut in (INDEX, RECORDS) else picture
    if cut == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3])
    shards, skipped = read_shards(tmp_path)
    assert [shard.folder.name for shard in shards] == ["shard-00000"] and skipped == 1
    write(tmp_path, 1)
    assert len(read_shards(tmp_path)[0]) == 2


def test_a_shard_whose_writing_failed_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_shard(tmp_path, 0) as shard:
        shard.add_picture(b"png")
        raise KeyboardInterrupt
    assert read_shards(tmp_path) == ([], 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="shards before it are whole"), new_shard(tmp_path / "file", 0):
        pass


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_is_read_as_records_or_nothing(text: str) -> None:
    assert all(record is None or isinstance(record, Record) for record in read_records(text))


@given(st.integers(0, 300))
def test_a_record_cut_off_anywhere_is_none(length: int) -> None:
    line = RECORD.model_dump_json(exclude_defaults=True)
    (found,) = read_records(line[: min(length, len(line) - 1)]) if length else (None,)
    assert found is None
    assert list(read_records(line)) == [RECORD] and json.loads(line)["kind"] == "grounding"

"""What sampling leaves on disk: read up to where it was cut off, and only what the truth confirms is kept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from action_space.errors import ConfigError
from tests.vlm.tiny_trainer import judged_plans, judged_point
from vlm.training.data.records import Record
from vlm.training.data.render import Screen, element_of
from vlm.training.data.shards import new_shard
from vlm.training.judging import Answers, Behind, plan_record, why_wrong
from vlm.training.sampled import (
    RESULTS,
    SCREENS,
    SeenScreen,
    Unit,
    append_unit,
    counts_of,
    keep_picture,
    read_sampled,
    read_units,
)

ROW = {"kind": "button", "name": "Save", "box": [10, 10, 60, 40]}


def unit(folder: Path, name: str) -> Unit:
    image = keep_picture(folder, Image.new("RGB", (100, 80), name))
    screen = Screen(folder / SCREENS / image, (element_of(ROW),), ())
    return Unit(
        name=name,
        asked=5,
        right=3,
        judged=(*judged_plans(2), judged_point(screen, screen.elements[0])),
        screens=(SeenScreen(image=image, elements=(ROW,), chars=(3, 4, 65)),),
        dropped={"ends too early": 2},
    )


def test_what_was_kept_is_read(tmp_path: Path) -> None:
    units = [unit(tmp_path, "red"), unit(tmp_path, "blue")]
    for one in units:
        append_unit(tmp_path, one)
    assert list(read_units(tmp_path)) == units
    sampled = read_sampled([tmp_path])
    assert len(sampled.judged) == 6 and len(sampled.screens) == 2
    assert all(screen.elements[0].name == "Save" and screen.chars for screen in sampled.screens.values())
    counts = counts_of(units)
    assert counts["answers"] == 10 and counts["dropped"] == {"ends too early": 4}
    assert counts["kept"] == {"agent/plan by the model": 4, "grounding/button by the truth": 2}


def test_a_line_cut_off_by_a_kill_is_left_out_and_written_over(tmp_path: Path) -> None:
    append_unit(tmp_path, unit(tmp_path, "red"))
    with (tmp_path / RESULTS).open("ab") as file:
        file.write(b'{"name": "half a li')
    assert [one.name for one in read_units(tmp_path)] == ["red"]
    append_unit(tmp_path, unit(tmp_path, "blue"))
    assert [one.name for one in read_units(tmp_path)] == ["red", "blue"]


def test_a_record_whose_picture_is_gone_is_left_out(tmp_path: Path) -> None:
    append_unit(tmp_path, unit(tmp_path, "red"))
    next((tmp_path / SCREENS).glob("*.png")).unlink()
    assert {one.record.kind for one in read_sampled([tmp_path]).judged} == {"agent"}


def test_a_line_that_is_no_unit_is_named(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text('{"name": "x", "asked": -1}\n')
    with pytest.raises(ConfigError, match=r"results\.jsonl:1: asked"):
        list(read_units(tmp_path))


def test_a_folder_without_answers_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither sampled answers"):
        read_sampled([tmp_path])


def test_shards_are_read_too(tmp_path: Path) -> None:
    record = judged_plans(1)[0].record
    with new_shard(tmp_path, 0) as shard:
        shard.add_record(record)
        shard.add_record(Record(**{**dict(record), "images": ("gone.png",)}))
    assert [one.record for one in read_sampled([tmp_path]).judged] == [record]


def test_an_answer_of_the_model_that_is_right_makes_it_the_models_own() -> None:
    record = plan_record("a", "Press x", (), 'click "x"', "quiz")
    answers = Answers(right=1)
    answers.wrong.update(["done", "wait", "done", "failed", "scroll up"])
    judged = answers.judged(record)
    assert judged.by == "model" and judged.share == pytest.approx(1 / 6, abs=1e-4)
    assert judged.rejected[0] == "done" and len(judged.rejected) == 3
    answers.right = 0
    assert answers.judged(record).by == "truth"


BEHIND: Behind = (('click "A" field', ""), ('type "b"', ""))


@pytest.mark.parametrize(
    ("said", "due", "why"),
    [
        ("done", "done", ""),
        ("", "done", "an empty plan"),
        ("done", 'click "C"', "ends too early"),
        ('click "C"', "done", "goes on after the end"),
        ('type "b"', 'click "C" button', "repeats an earlier step"),
        ('type "C"', 'click "C" button', "another kind of step"),
        ('click "C"', 'click "C" button', "another word for the control"),
        ('click "D" button', 'click "C" button', "another name or text"),
        ('click "C', 'click "C" button', "a plan that is cut off"),
        ('type "' + "x" * 200 + '"', 'type "x"', "a plan that is too long"),
    ],
)
def test_why_a_plan_is_wrong(said: str, due: str, why: str) -> None:
    assert why_wrong(said, due, BEHIND) == why


@given(st.text(), st.text())
def test_only_the_plan_that_is_due_is_right(said: str, due: str) -> None:
    assert (why_wrong(said, due, BEHIND) == "") == (said == due)

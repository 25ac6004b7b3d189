"""Screens of all kinds of pages and what is asked about them: every answer is checked against the screen's labels."""

import io
import json
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Click, Finish
from action_space.dialects import load_dialect
from action_space.errors import ConfigError
from action_space.geometry import Box, Frame, Point, Size
from agent.train import choose_kinds
from environments.chromium import own_browser
from vlm.qwen_html import parse_document
from vlm.spans import parse_spans
from vlm.tasks import parse_boxes
from vlm.training.data import screens as drawing
from vlm.training.data.kinds import makers
from vlm.training.data.kinds.grounding import MISSING, by_position
from vlm.training.data.pages_document import document_page
from vlm.training.data.pages_figures import COLOURS, LARGE, SMALL, figures_page
from vlm.training.data.pages_lists import list_page
from vlm.training.data.pages_phone import phone_page
from vlm.training.data.pages_text import text_page
from vlm.training.data.records import KINDS, Picture, Record
from vlm.training.data.render import Element, Screen, draw, installed_fonts, read_screens, screen_of
from vlm.training.data.screens import draw_shards, open_studio
from vlm.training.data.shards import read_shards
from vlm.training.dense import CELL
from vlm.training.pool import controls_of, entry_words
from vlm.training.questions import NOUNS

SCREENS, A_SHARD = 10, 6


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with own_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def drawn(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "WORKED_ON", 1.0)
        assert list(draw_shards(open_studio(chromium), folder, screens=SCREENS, seed=4, a_shard=A_SHARD))[-1] == SCREENS
    return folder


@pytest.fixture(scope="module")
def records(drawn: Path) -> list[tuple[Record, Screen | None, Path]]:
    """Each record, the screen it asks about if it is a drawn one, and its shard."""
    found = []
    screens = {screen.image: screen for screen in read_screens(drawn)}
    for shard in read_shards(drawn)[0]:
        for record in shard.records():
            screen = screens.get(shard.folder / record.images[-1]) if record.images else None
            found.append((record, screen, shard.folder))
    return found


def test_all_kinds_are_there_and_whole(records: list[tuple[Record, Screen | None, Path]]) -> None:
    assert {record.kind for record, *_ in records} >= set(KINDS) - {"document"}
    assert len({record.id for record, *_ in records}) == len(records)
    for record, _, folder in records:
        pictures = [part.image for part in record.prompt if isinstance(part, Picture)]
        assert pictures == list(range(len(record.images))), "every picture is shown once, in order"
        assert all((folder / image).is_file() for image in record.images)
        assert record.answer.strip()


def test_what_is_not_whole_on_the_screen_has_no_label(drawn: Path) -> None:
    for screen in read_screens(drawn):
        with Image.open(screen.image) as image:
            assert screen.size == Size(*image.size)
        assert all(
            0 <= e.box.left < e.box.right <= screen.size.width and 0 <= e.box.top < e.box.bottom <= screen.size.height
            for e in screen.elements
        )
        assert all(e.kind in NOUNS for e in screen.elements)


def test_points_lie_in_what_was_asked_for(records: list[tuple[Record, Screen | None, Path]]) -> None:
    dialect = load_dialect("compact")
    asked = [(r, s) for r, s, _ in records if r.kind == "grounding" and s is not None]
    assert {"missing", "position", "text"} <= {record.form for record, _ in asked}
    for record, screen in asked:
        assert screen is not None and screen.size is not None
        action = dialect.parse(record.answer, Frame(screen.size, screen.size))
        shown = " ".join([*(e.name for e in screen.elements), *(line.text for line in screen.lines)]).lower()
        words = str(record.prompt[0])
        if record.form == "missing":
            assert action == Finish(status="failure", text="not on the screen") and record.answer == MISSING
            name = re.search(r'"(.+)"', words)
            assert not record.truth.boxes and (name is None or name[1].lower() not in shown)
            continue
        assert isinstance(action, Click)
        hit = [e for e in screen.elements if e.hit_by(action.point.x, action.point.y)]
        assert any(e.name == record.truth.texts[0] for e in hit)
        assert any(box.contains(action.point) for box in record.truth.boxes)
        if record.form != "position":
            assert record.truth.texts[0] in words


def test_answers_are_those_of_the_labels(records: list[tuple[Record, Screen | None, Path]]) -> None:
    seen = set()
    for record, screen, _ in records:
        if record.kind != "qa" or screen is None:
            continue
        seen.add(record.form)
        words = str(record.prompt[0])
        named = re.search(r'"(.+)"', words)
        about = [e for e in screen.elements if named and e.name == named[1]]
        match record.form:
            case "state":
                assert record.answer == ("yes" if about[0].checked else "no")
            case "value":
                assert record.answer == (about[0].value or "nothing")
            case "count":
                assert int(record.answer) == record.truth.count == len(record.truth.boxes)
            case "presence":
                assert (record.answer == "yes") == bool(record.truth.boxes)
                assert all(any(e.box == box for e in about) for box in record.truth.boxes)
    assert seen >= {"value", "presence"}


def test_texts_and_icons_are_where_they_are_said_to_be(records: list[tuple[Record, Screen | None, Path]]) -> None:
    for record, screen, _ in records:
        if record.kind == "ocr" and screen is not None and screen.size is not None:
            if record.form == "read":
                assert str(record.truth.boxes[0].left) in str(record.prompt[0])
                assert any(line.text == record.answer for line in screen.lines)
            else:
                found = parse_boxes(record.answer, Frame(screen.size, screen.size))
                assert [part.label for part in found] == list(record.truth.texts)
        if record.kind == "knowledge" and screen is not None:
            icons = {(e.box, e.icon) for e in screen.elements}
            assert all(pair in icons for pair in zip(record.truth.boxes, record.truth.texts, strict=True))
        if record.kind == "caption" and screen is not None:
            assert all(name in [e.name for e in screen.elements] for name in record.truth.texts)


def test_videos_tell_the_times_of_their_frames(records: list[tuple[Record, Screen | None, Path]]) -> None:
    videos = [record for record, *_ in records if record.kind.startswith("video")]
    assert videos
    for record in videos:
        times = [part.seconds for part in record.prompt if isinstance(part, Picture)]
        assert all(a is not None and b is not None and a < b for a, b in pairwise(times))
        assert all(start in times and end in times for start, end in record.truth.spans)
        if record.kind == "video_grounding":
            (span,) = parse_spans(record.answer)
            assert (span.start_s, span.end_s) == record.truth.spans[0]


def test_trajectories_are_plans_that_the_dialect_reads(records: list[tuple[Record, Screen | None, Path]]) -> None:
    dialect, frame = load_dialect("compact"), Frame(Size(28, 28), Size(28, 28))
    steps = [(record, folder) for record, _, folder in records if record.kind == "agent"]
    assert {record.form for record, _ in steps} == {"plan", "step"}
    for record, folder in steps:
        if record.form == "plan":
            assert record.prompt[0].endswith("\nNext?")  # type: ignore[union-attr]
            assert record.answer.startswith("click") or dialect.plan_action(record.answer, frame) is not None
            continue
        with Image.open(folder / record.images[0]) as image:
            size = Size(*image.size)
        action = dialect.parse(record.answer, Frame(size, size))
        assert isinstance(action, Click) and record.truth.boxes
    plans = [record for record, _ in steps if record.form == "plan" and record.answer == "done"]
    assert plans and all(re.search(r"^\d+\. ", str(record.prompt[0]), re.MULTILINE) for record in plans)


def test_a_document_is_written_as_qwen_html(chromium: Browser) -> None:
    studio = open_studio(chromium)
    page = document_page(studio.sheet(random.Random(2)))
    _, labels = draw(studio.tab(page.device_scale), page)
    size = [round(page.width * page.device_scale), round(page.height * page.device_scale)]
    screen = screen_of(Path("a.png"), {"image": "a.png", "size": size, **labels})
    (question,) = makers.STILL["document"](random.Random(0), screen)
    found = parse_document(question.answer, Frame(Size(*size), Size(*size)))
    assert [block.box for block in found.blocks] == list(question.truth.boxes) and len(found.blocks) > 3
    assert {block.kind for block in found.blocks} >= {"h1", "p", "li"}


def test_a_figure_is_named_by_what_tells_it_from_the_others(chromium: Browser) -> None:
    studio = open_studio(chromium)
    seen = 0
    for seed in range(12):
        page = figures_page(studio.sheet(random.Random(seed)))
        png, labels = draw(studio.tab(page.device_scale), page)
        names = [element["name"] for element in labels["elements"]]
        called = {tuple(figure["box"]): figure["names"] for figure in labels["figures"]}
        assert all(e["name"] in called[tuple(e["box"])] for e in labels["elements"]) and len(called) >= len(names)
        assert len(set(names)) == len(names) and labels["hidden"] == {"outside": 0, "covered": 0}
        with Image.open(io.BytesIO(png)) as image:
            picture = image.convert("RGB")
        for name, box in ((element["name"], element["box"]) for element in labels["elements"]):
            colour = next((COLOURS[word] for word in name.split() if word in COLOURS), None)
            part = picture.crop(box)
            pixels = [pixel for _, pixel in part.getcolors(part.width * part.height) or ()]
            if colour:
                # Thin letters may have no pixel that is all ink.
                far = min(max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) for pixel in pixels)
                assert far < 90, (seed, name)
            size = max(part.size)
            assert "small" not in name or SMALL[0] <= size <= SMALL[1]
            assert "large" not in name or LARGE[0] <= size <= LARGE[1]
            seen += colour is not None
    assert seen > 20


def test_an_icon_of_a_list_is_found_by_the_words_of_its_entry(chromium: Browser) -> None:
    studio = open_studio(chromium)
    seen = 0
    for seed in range(10):
        page = list_page(studio.sheet(random.Random(seed)))
        png, labels = draw(studio.tab(page.device_scale), page)
        size = [int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")]
        screen = screen_of(Path("a.png"), {"image": "a.png", "size": size, **labels})
        icons = [element for element in screen.elements if element.icon]
        assert icons and all(entry_words(element) for element in icons)
        for control in controls_of(screen, size[1] // CELL, size[0] // CELL):
            if control.element.icon:
                seen += 1
                assert (control.area & ~control.written).sum() == 0 and control.written.sum() > control.area.sum()
    assert seen > 60


def test_links_stand_in_running_text_and_their_names_in_a_strip_that_is_none(chromium: Browser) -> None:
    studio = open_studio(chromium)
    kinds, mentioned, within = set[str](), 0, 0
    wanted = {"link", "button", "checkbox", "radio", "tab"}
    for seed in range(64):  # which pages are drawn depends on the machine's fonts
        if kinds >= wanted and mentioned > 5 and within > 15:
            break
        page = text_page(studio.sheet(random.Random(seed)))
        png, labels = draw(studio.tab(page.device_scale), page)
        size = [int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")]
        screen = screen_of(Path("a.png"), {"image": "a.png", "size": size, **labels})
        assert size == [round(page.width * page.device_scale), round(page.height * page.device_scale)]
        kinds |= {element.kind for element in screen.elements}
        for control in controls_of(screen, size[1] // CELL, size[0] // CELL):
            for place in control.mentions:
                mentioned += 1
                at = place.center
                assert not any(element.hit_by(at.x, at.y) for element in screen.elements)
                letters = [char.lower() for x, y, char in screen.chars if place.contains(Point(x, y))]
                assert control.element.name[0].lower() in letters, (seed, control.element.name)
        links = [element for element in screen.elements if element.kind == "link"]
        within += sum(
            any(
                line.box.top <= link.box.center.y < line.box.bottom and link.name not in line.text
                for line in screen.lines
            )
            for link in links
        )
    assert kinds >= wanted
    assert mentioned > 5 and within > 15


def test_the_words_of_an_entry_may_be_far_from_its_icon_but_have_to_be_there() -> None:
    delete, other = (
        Element("button", name, Box(900, 40, 930, 70), icon="Delete") for name in ("Delete Smith", "Delete")
    )
    words = tuple((30 + 8 * at, 54, char) for at, char in enumerate("Smith"))
    (control,) = controls_of(Screen(Path("a.png"), (delete,), words), 6, 40)
    assert torch.nonzero(control.written).tolist() == [[1, 1], [1, 32]]
    assert controls_of(Screen(Path("a.png"), (delete,), words[:-1]), 6, 40) == ()
    assert entry_words(other) == "" and controls_of(Screen(Path("a.png"), (other,), ()), 6, 40)


def test_position_words_count_from_the_side_they_name() -> None:
    rows = [Element("switch", name, Box(10, 40 * i, 60, 40 * i + 30)) for i, name in enumerate(("A", "B", "C", "D"))]
    screen = Screen(Path("a.png"), tuple(rows), ())
    order = {"first": 0, "second": 1, "third": 2, "fourth": 3}
    asked = [q for seed in range(40) for q in by_position(random.Random(seed), screen, 2)]
    counted = [(q, re.search(r"the (\w+) switch from the (top|bottom)", str(q.prompt[0]))) for q in asked]
    assert {match[2] for _, match in counted if match} == {"top", "bottom"}
    for question, match in counted:
        if match:
            index = order[match[1]] if match[2] == "top" else 3 - order[match[1]]
            assert question.truth.boxes == (rows[index].box,)


def test_the_same_seed_draws_the_same_and_goes_on_where_it_stopped(
    drawn: Path, chromium: Browser, tmp_path: Path
) -> None:
    studio = open_studio(chromium)
    before = {shard.folder: (shard.folder / "index.json").stat().st_mtime_ns for shard in read_shards(drawn)[0]}
    list(draw_shards(studio, drawn, screens=SCREENS, seed=4, a_shard=A_SHARD))
    assert before == {shard.folder: (shard.folder / "index.json").stat().st_mtime_ns for shard in read_shards(drawn)[0]}
    list(draw_shards(studio, tmp_path, screens=3, seed=4, kinds=("ocr",), a_shard=A_SHARD))
    first = [screen.image.name for screen in read_screens(drawn)][:3]
    assert [screen.image.name for screen in read_screens(tmp_path)] == first
    assert {record.kind for shard in read_shards(tmp_path)[0] for record in shard.records()} == {"ocr"}


def test_a_page_that_fails_and_one_drawn_before_are_counted(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, calls = open_studio(chromium), []

    def write(sheet: object) -> object:
        calls.append(sheet)
        if len(calls) == 1:
            raise PlaywrightError("it crashed")
        return phone_page(studio.sheet(random.Random(1)))

    monkeypatch.setattr(drawing, "PAGES", {"phone": (write, 1)})
    monkeypatch.setattr(drawing, "WORKED_ON", 0.0)
    list(draw_shards(studio, tmp_path, screens=3, seed=1))
    (shard,), _ = read_shards(tmp_path)
    assert shard.counts["screens"] == 1 and shard.counts["drawn"] == 3
    assert shard.counts["dropped: page failed"] == shard.counts["dropped: drawn before"] == 1


def test_a_covered_control_is_left_out_and_counted(chromium: Browser) -> None:
    studio = open_studio(chromium)
    button = "<button style='position:absolute;left:{}px;top:10px;width:80px'>{}</button>"
    body = button.format(10, "Free") + button.format(150, "Half") + button.format(360, "Outside")
    cover = "<div style='position:absolute;left:200px;top:0;width:90px;height:90px;background:red'></div>"
    page = drawing.Page(f"<html data-strict><body>{body}{cover}</body></html>", 400, 100, 1.0)
    _, labels = draw(studio.tab(1.0), page)
    assert [e["name"] for e in labels["elements"]] == ["Free"]
    assert labels["hidden"] == {"outside": 1, "covered": 1}


def test_kinds_are_chosen_by_name() -> None:
    assert choose_kinds("all") == KINDS and choose_kinds("qa, ocr") == ("ocr", "qa")
    with pytest.raises(ConfigError, match=r"'icons'.*grounding"):
        choose_kinds("icons")


def test_a_truth_is_small_json(records: list[tuple[Record, Screen | None, Path]]) -> None:
    for record, *_ in records[:50]:
        assert Record.model_validate(json.loads(record.model_dump_json())) == record


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "echo 'DejaVu Sans:fontformat=TrueType'; echo 'DejaVu Serif:fontformat=Type 1'",
            "no font of the training share",
        ),
        ("exit 3", "install fontconfig"),
        ("", "install fontconfig"),
    ],
)
def test_without_fonts_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str) -> None:
    if program:
        (tmp_path / "fc-list").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "fc-list").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=said):
        installed_fonts(held_out=False)


def test_a_family_that_chromium_may_not_draw_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "P052:fontformat=CFF\nP052:fontformat=Type 1\nDejaVu Serif,DejaVu Serif Condensed:fontformat=TrueType"
    (tmp_path / "fc-list").write_text(f"#!/bin/sh\necho '{lines}'\n")
    (tmp_path / "fc-list").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed_fonts(held_out=False) == ("DejaVu Serif",)

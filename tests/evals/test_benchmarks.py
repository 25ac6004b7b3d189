"""Every loader on samples in its benchmark's own format, made here; broken rows cost themselves only."""

import gzip
import importlib.util
import io
import json
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from action_space.errors import ConfigError
from evals.asking import Plan
from evals.benchmarks import BENCHMARKS, load_source
from evals.benchmarks.android_control_tfrecord import read_tree
from evals.benchmarks.protobuf import fields, varints
from evals.benchmarks.reading import Broken, Row, read
from evals.benchmarks.tfrecord import example, masked_crc
from evals.measuring import Exam, prepare
from evals.protocols.values import Act, Node, Region, Step


def load(name: str, folder: Path, after: str = "") -> tuple[list[Step], list[Broken]]:
    found = list(read(load_source(name), folder, after))
    return [each for each in found if isinstance(each, Step)], [each for each in found if isinstance(each, Broken)]


def put(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


# ---------------------------------------------------------------------------------------------------- grounding


def question(box: Sequence[float], **more: object) -> dict[str, object]:
    return {
        "img_filename": "a.png",
        "bbox": box,
        "instruction": "the box",
        "data_type": "icon",
        "data_source": "ios",
    } | more


def test_screenspot(tmp_path: Path) -> None:
    put(tmp_path / "screenspot_mobile.json", [question([10, 20, 30, 40]), question([1, 2, -3, 4]), question([1, 2, 3])])
    put(tmp_path / "screenspot_web.json", [question([0, 0, 5, 5])])
    put(tmp_path / "screenspot_desktop.json", "{")
    steps, broken = load("screenspot", tmp_path)
    assert [step.id for step in steps] == ["screenspot_mobile-0", "screenspot_web-0"]
    assert steps[0].act.targets == (Region(10, 20, 40, 60),) and steps[0].size is None
    assert steps[0].groups == {"platform": "mobile", "type": "icon", "source": "ios"}
    assert [each.where for each in broken] == [
        "screenspot_desktop.json",
        "screenspot_mobile.json:1",
        "screenspot_mobile.json:2",
    ]
    assert "no JSON" in broken[0].why and "no extent" in broken[1].why and broken[2].why.startswith("bbox")


def test_screenspot_v2_knows_both_conventions_of_boxes(tmp_path: Path) -> None:
    rows = [
        question([10, 20, 30, 40]),
        question([0.1, 0.2, 0.3, 0.4]),
        question([0.1, 0.2, 0.3, 0.4], img_filename="no.png"),
    ]
    put(tmp_path / "screenspot_web_v2.json", rows)
    picture(tmp_path / "screenspotv2_image" / "a.png", 200, 100)
    steps, broken = load("screenspot-v2", tmp_path)
    assert broken == [] and [step.id for step in steps] == [f"screenspot_web_v2-{n}" for n in range(3)]
    assert [step.size for step in steps] == [(200, 100), (200, 100), (1, 1)]
    assert steps[0].act.targets[0] == Region(10, 20, 40, 60)
    assert steps[1].act.targets[0] == pytest.approx(Region(20, 20, 60, 40))
    assert steps[2].act.targets[0] == Region(0.1, 0.2, 0.3, 0.4)


def test_screenspot_pro(tmp_path: Path) -> None:
    row = {
        "id": "vscode_windows_0",
        "img_filename": "vscode/0.png",
        "bbox": [10, 20, 30, 40],
        "instruction": "run",
        "instruction_cn": "x",
        "application": "vscode",
        "platform": "windows",
        "img_size": [3840, 2160],
        "ui_type": "icon",
        "group": "Dev",
    }
    put(tmp_path / "annotations" / "vscode_windows.json", [row, row, row | {"id": "b", "img_size": [0, 1]}])
    (step,), broken = load("screenspot-pro", tmp_path)
    assert step.act.targets == (Region(10, 20, 30, 40),) and step.size == (3840, 2160)
    assert step.groups == {"type": "icon", "group": "Dev", "application": "vscode", "platform": "windows"}
    assert "the id 'vscode_windows_0' is there a second time" in broken[0].why
    assert broken[1].why.startswith("img_size.0")


def test_osworld_g(tmp_path: Path) -> None:
    row = {"image_path": "a.png", "image_size": [200, 100], "instruction": "i", "GUI_types": ["Text"]}
    rows = [
        row | {"id": "b", "box_type": "bbox", "box_coordinates": [10, 20, 30, 40]},
        row | {"id": "p", "box_type": "polygon", "box_coordinates": [0, 0, 10, 0, 10, 10]},
        row | {"id": "r", "box_type": "refusal", "box_coordinates": [-1, -1, -1, -1]},
        row | {"id": "x", "box_type": "polygon", "box_coordinates": [0, 0, 10]},
        row | {"id": "y", "box_type": "circle", "box_coordinates": []},
    ]
    put(tmp_path / "OSWorld-G.json", rows)
    (box, polygon, refusal), broken = load("osworld-g", tmp_path)
    assert box.act.targets == (Region(10, 20, 40, 60),)
    assert polygon.polygon == ((0, 0), (10, 0), (10, 10)) and polygon.acts == ()
    assert refusal.refusal and refusal.acts == ()
    assert [each.where for each in broken] == ["OSWorld-G.json:3", "OSWorld-G.json:4"]


# ------------------------------------------------------------------------------------------------ AndroidControl


def recorded(action: dict[str, object], name: str, **more: object) -> dict[str, object]:
    return {"action_content": action, "screenshot": f"/data/images/{name}.png"} | more


CHECKED = {"action": "click", "coordinate": [540, 1200], "candidate_bbox": [[500, 1100, 600, 1300]]}
EPISODE = {
    "goal": "Buy a painting",
    "is_successful": True,
    "steps": [
        recorded({"action": "open", "text": "RtistiQ"}, "240_0"),
        recorded({"action": "wait", "time": 2}, "240_1"),
        recorded({"action": "swipe", "coordinate": [540, 1800], "coordinate2": [540, 600]}, "240_2"),
        recorded({"action": "click", "coordinate": [540, 1200]}, "240_3", check_options=CHECKED),
        recorded({"action": "long_press", "coordinate": [5, 6]}, "240_4", bbox=[[0, 0, 10, 10]]),
        recorded({"action": "type", "text": "hi"}, "240_5"),
        recorded({"action": "system_button", "button": "Back"}, "240_6"),
        recorded({"action": "swipe", "direction": "up"}, "240_7"),
        recorded({"action": "fly"}, "240_8"),
        recorded({"action": "click"}, "240_9"),
        recorded({"action": "terminate", "status": "success"}, "240_10"),
    ],
}


def test_android_control_jsonl(tmp_path: Path) -> None:
    put(tmp_path / "std.jsonl", json.dumps(EPISODE) + '\n\n{"goal": "cut\n')
    steps, broken = load("androidcontrol", tmp_path)
    assert [step.id for step in steps] == [f"240_{n}" for n in (0, 1, 2, 3, 4, 5, 6, 7, 10)]
    assert [step.act for step in steps] == [
        Act("open", text="RtistiQ"),
        Act("wait"),
        Act("drag", (540, 1800), (540, 600)),
        Act("click", (540, 1200), targets=(Region(500, 1100, 600, 1300),)),
        Act("long_press", (5, 6), targets=(Region(0, 0, 10, 10),)),
        Act("type", text="hi"),
        Act("press", keys=("back",)),
        Act("scroll", direction="up"),
        Act("finish"),
    ]
    assert {(step.episode, step.steps, step.size) for step in steps} == {("240", 11, (1080, 2400))}
    assert [step.number for step in steps] == [0, 1, 2, 3, 4, 5, 6, 7, 10]
    assert [each.where for each in broken] == ["std.jsonl:1 step 8", "std.jsonl:1 step 9", "std.jsonl:3"]


@pytest.mark.parametrize(
    ("places", "size"),
    [
        ([[1080, 2400]], (1080, 2400)),
        ([[1081, 1000]], (2400, 1080)),
        ([[1440, 3120], [10, 10]], (1440, 3120)),
        ([], (1080, 2400)),
    ],
)
def test_android_control_screens_are_guessed_per_episode(
    tmp_path: Path, places: list[list[int]], size: tuple[int, int]
) -> None:
    clicks = [recorded({"action": "click", "coordinate": place}, f"1_{n}") for n, place in enumerate(places)]
    put(tmp_path / "std.jsonl", json.dumps({"goal": "", "steps": [*clicks, recorded({"action": "wait"}, "1_99")]}))
    steps, _ = load("androidcontrol", tmp_path)
    assert {step.size for step in steps} == {size}


def test_android_control_screens_that_are_known_are_not_guessed(tmp_path: Path) -> None:
    two = [recorded({"action": "wait"}, "1_0", width=720, height=1280), recorded({"action": "wait"}, "1_1")]
    put(tmp_path / "std.jsonl", json.dumps({"goal": "", "steps": two}))
    picture(tmp_path / "images" / "1_1.png", 540, 960)
    steps, _ = load("androidcontrol", tmp_path)
    assert [step.size for step in steps] == [(720, 1280), (540, 960)]


# ------------------------------------------------------------------------------------------------------ TFRecord


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(**features: Sequence[bytes] | Sequence[int] | Sequence[float]) -> bytes:
    """A tf.train.Example; `__` stands for a slash in a name."""
    entries = b""
    for name, values in features.items():
        if all(isinstance(value, bytes) for value in values):
            feature = field(1, b"".join(field(1, value) for value in values if isinstance(value, bytes)))
        elif any(isinstance(value, float) for value in values):
            feature = field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
        else:
            feature = field(3, field(1, b"".join(varint(value) for value in values if isinstance(value, int))))
        entries += field(1, field(1, name.replace("__", "/").encode()) + field(2, feature))
    return field(1, entries)


def write_records(path: Path, *records: bytes, compress: bool = True) -> None:
    data = b""
    for record in records:
        head = struct.pack("<Q", len(record))
        data += head + struct.pack("<I", masked_crc(head)) + record + struct.pack("<I", masked_crc(record))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if compress else data)


def node(
    left: int, top: int, right: int, bottom: int, text: str = "", description: str = "", visible: int = 1
) -> bytes:
    bounds = b"".join(field(number, value) for number, value in enumerate((left, top, right, bottom), 1) if value)
    return (
        field(1, 7) + field(2, bounds) + field(4, description.encode()) + field(7, text.encode()) + field(23, visible)
    )


def forest(*nodes: bytes) -> bytes:
    return field(1, field(1, b"") + field(11, b"".join(field(1, each) for each in nodes)))


def android_episode(number: int = 240, **more: Sequence[bytes] | Sequence[int]) -> bytes:
    actions = [
        {"action_type": "click", "x": 5, "y": 6},
        {"action_type": "scroll", "direction": "down"},
        {"action_type": "open_app", "app_name": "Chrome"},
        {"action_type": "input_text", "text": "hi"},
        {"action_type": "navigate_back"},
        {"action_type": "navigate_home"},
        {"action_type": "wait"},
        {"action_type": "long_press", "x": 1, "y": 2},
        {"action_type": "dance"},
    ]
    count = len(actions) + 1
    features: dict[str, Sequence[bytes] | Sequence[int]] = {
        "episode_id": [number],
        "goal": [b"Buy"],
        "screenshots": [b"png"] * count,
        "accessibility_trees": [forest(node(0, 0, 10, 10, "OK"), node(1, 1, 2, 2))] * count,
        "screenshot_widths": [1080] * count,
        "screenshot_heights": [2400] * count,
        "actions": [json.dumps(action).encode() for action in actions],
        "step_instructions": [b"do"] * len(actions),
    }
    return encode(**(features | more))


@pytest.mark.parametrize("compress", [True, False])
def test_android_control_tfrecord(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "android_control-00000-of-00020"
    write_records(
        path, android_episode(), b"\x07nonsense", android_episode(3, screenshot_widths=[1]), compress=compress
    )
    steps, broken = load("androidcontrol-tfrecord", tmp_path)
    assert [step.id for step in steps] == [f"240_{n}" for n in range(8)]
    assert [step.act for step in steps] == [
        Act("click", (5, 6)),
        Act("scroll", direction="down"),
        Act("open", text="Chrome"),
        Act("type", text="hi"),
        Act("press", keys=("back",)),
        Act("press", keys=("home",)),
        Act("wait"),
        Act("long_press", (1, 2)),
    ]
    assert steps[0].nodes == (Node(Region(0, 0, 10, 10), "OK", ""),) and steps[0].size == (1080, 2400)
    assert [each.where for each in broken] == [f"{path.name}:0 step 8", f"{path.name}:1", f"{path.name}:2"]


def test_elements_that_count() -> None:
    tree = forest(
        node(-5, 0, 10, 10, "left"),
        node(0, 0, 10, 10, "", "described"),
        node(0, 0, 10, 10),
        node(0, 0, 10, 10, "hidden", visible=0),
        node(5, 5, 5, 9, "thin"),
    )
    assert read_tree(tree) == (Node(Region(-5, 0, 10, 10), "left"), Node(Region(0, 0, 10, 10), "", "described"))


@pytest.mark.parametrize("cut", [1, 40, 400])
@pytest.mark.parametrize("compress", [True, False])
def test_a_tfrecord_that_is_cut_short_keeps_what_came_before(tmp_path: Path, cut: int, compress: bool) -> None:
    path = tmp_path / "android_control-0"
    write_records(path, android_episode(), compress=compress)
    whole = path.read_bytes()
    more = tmp_path / "more"
    write_records(more, android_episode(241), compress=compress)
    path.write_bytes(whole + more.read_bytes()[:-cut])
    steps, broken = load("androidcontrol-tfrecord", tmp_path)
    assert {step.episode for step in steps} >= {"240"}
    assert "the rest of the file is lost" in broken[-1].why


def test_a_damaged_length_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "android_control-0"
    write_records(path, android_episode(), compress=False)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    _, broken = load("androidcontrol-tfrecord", tmp_path)
    assert "does not fit its checksum" in broken[0].why


def test_the_checksum_is_crc_32c() -> None:
    """123456789 has the CRC-32C e3069283; turned by 15 and shifted, it is this."""
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    for reader in (
        lambda: list(fields(data)),
        lambda: list(varints(data)),
        lambda: example(data),
        lambda: read_tree(data),
    ):
        try:
            reader()
        except ValueError:
            continue


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_varints_there_and_back(value: int) -> None:
    ((number, found),) = fields(field(3, value))
    assert number == 3 and found == value & (2**64 - 1)


def aitw_step(number: int, **more: Sequence[bytes] | Sequence[int] | Sequence[float]) -> bytes:
    features: dict[str, Sequence[bytes] | Sequence[int] | Sequence[float]] = {
        "episode_id": [b"7"],
        "episode_length": [4],
        "step_id": [number],
        "goal_info": [b"open settings"],
        "image__ui_annotations_positions": [0.25, 0.5, 0.125, 0.0625],
        "results__action_type": [4],
        "results__type_action": [b""],
        "results__yx_touch": [0.5, 0.25],
        "results__yx_lift": [0.5, 0.25],
    }
    return encode(**(features | more))


def test_aitw(tmp_path: Path) -> None:
    write_records(
        tmp_path / "google_apps" / "google_apps-00000-of-00010",
        aitw_step(0),
        aitw_step(6, results__yx_lift=[0.75, 0.25], image__ui_annotations_positions=[]),
        aitw_step(1, results__action_type=[3], results__type_action=[b"hello"]),
        aitw_step(2, results__action_type=[6]),
        aitw_step(3, results__action_type=[11]),
        aitw_step(4, results__action_type=[99]),
        aitw_step(5, image__ui_annotations_positions=[0.5]),
    )
    steps, broken = load("aitw", tmp_path)
    assert [step.id for step in steps] == ["7-0", "7-6", "7-1", "7-2", "7-3"]
    assert [step.act for step in steps] == [
        Act("click", (0.25, 0.5), targets=(Region(0.5, 0.25, 0.5625, 0.375),)),
        Act("drag", (0.25, 0.5), (0.25, 0.75)),
        Act("type", text="hello"),
        Act("press", keys=("home",)),
        Act("finish", status="failure"),
    ]
    assert steps[0].groups == {"subset": "google_apps"} and steps[0].size == (1, 1) and steps[0].steps == 4
    assert "99 is none of" in broken[0].why and "no list of boxes" in broken[1].why


# --------------------------------------------------------------------------------------------- pictures inside


def encoded(width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(file, kind)
    return file.getvalue()


def prepared(name: str, folder: Path, limit: int | None = None) -> Exam:
    return prepare(Plan(benchmark=name, data=str(folder / "data"), model="m", limit=limit), folder / "out")


def test_pictures_of_records_are_written_once_and_only_if_they_are_asked_about(tmp_path: Path) -> None:
    shots = [encoded(1080, 2400)] * 9 + [encoded(9, 9)]
    write_records(tmp_path / "data" / "android_control-00000-of-00020", android_episode(screenshots=shots))
    exam = prepared("androidcontrol-tfrecord", tmp_path, limit=3)
    (picture,) = (tmp_path / "out" / "pictures").iterdir()
    assert len(exam.questions) == 3 and {question.image for question in exam.questions} == {picture}
    assert Image.open(picture).size == (1080, 2400) and picture.suffix == ".png"
    written = picture.stat().st_mtime_ns
    assert prepared("androidcontrol-tfrecord", tmp_path).pictures == picture.parent
    assert picture.stat().st_mtime_ns == written and len(list(picture.parent.iterdir())) == 1


def test_a_picture_of_a_record_that_is_none_or_of_another_size_is_named(tmp_path: Path) -> None:
    shots = [b"png", encoded(9, 9), *[encoded(1080, 2400)] * 8]
    write_records(tmp_path / "data" / "android_control-00000-of-00020", android_episode(screenshots=shots))
    exam = prepared("androidcontrol-tfrecord", tmp_path)
    assert [question.id for question in exam.questions] == [f"240_{n}" for n in range(2, 8)]
    first, second = (each.why for each in exam.broken if "picture" in each.why)
    assert "cannot be read" in first and "is 9x9, but the data says 1080x2400" in second


def test_aitw_has_pixels_and_no_picture_files(tmp_path: Path) -> None:
    pixels = bytes(range(18))
    seen = {"image__encoded": [pixels], "image__height": [2], "image__width": [3]}
    write_records(
        tmp_path / "data" / "general-00000-of-00010",
        aitw_step(0, **seen),
        aitw_step(1, **(seen | {"image__encoded": [b"short"]})),
        aitw_step(2),
    )
    exam = prepared("aitw", tmp_path)
    (question,) = exam.questions
    picture = Image.open(question.image)
    assert question.id == "7-0" and picture.size == (3, 2) and picture.tobytes() == pixels
    assert [each.why for each in exam.broken] == ["the data names no picture file of this step"] * 2


# --------------------------------------------------------------------------------------------------- the others


def test_gui_odyssey(tmp_path: Path) -> None:
    actions = [
        ("CLICK", [[500, 250]], {"sam2_bbox": [400, 200, 600, 300]}),
        ("CLICK", "KEY_APPSELECT", {}),
        ("LONG_PRESS", [500, 250], {}),
        ("SCROLL", [[500, 800], [500, 200]], {}),
        ("SCROLL", "UP", {}),
        ("TEXT", "hello", {}),
        ("COMPLETE", "", {}),
        ("INCOMPLETE", "", {}),
        ("BACK", "", {}),
        ("SCROLL", [[1, 2]], {}),
        ("CLICK", "nowhere", {}),
    ]
    steps_data = [
        {"step": n, "screenshot": f"{n}.png", "action": action, "info": info, "ps": ""} | more
        for n, (action, info, more) in enumerate(actions)
    ]
    episode = {
        "episode_id": "42.json",
        "task_info": {"category": "Web_Shopping", "instruction": "i"},
        "step_length": 11,
    }
    put(tmp_path / "annotations" / "42.json", episode | {"steps": steps_data})
    steps, broken = load("gui-odyssey", tmp_path)
    assert [step.id for step in steps] == [f"42_{n}" for n in range(9)]
    assert [step.act for step in steps] == [
        Act("click", (500, 250), targets=(Region(400, 200, 600, 300),)),
        Act("press", keys=("recent",)),
        Act("long_press", (500, 250)),
        Act("drag", (500, 800), (500, 200)),
        Act("scroll", direction="down"),  # the finger goes up
        Act("type", text="hello"),
        Act("finish"),
        Act("finish", status="failure"),
        Act("press", keys=("back",)),
    ]
    assert [each.where for each in broken] == ["annotations/42.json:0 step 9", "annotations/42.json:0 step 10"]


def test_agentnet(tmp_path: Path) -> None:
    spot = {"position": {"x": 0.5, "y": 0.25}}
    boxed = {"bboxes": [{"rel_bbox": [0.5, 0.25, 0.125, 0.125], "abs_bbox": [1, 2, 3, 4]}]}
    truths: list[list[dict[str, object]]] = [
        [{"type": "doubleClick", "params": spot, "metadata": boxed}],
        [{"type": "write", "params": {"text": "hi"}}, {"type": "press", "params": {"keys": ["Enter"]}}],
        [{"type": "terminate", "params": {"status": "failure"}}],
        [{"type": "click", "params": {}}],
        [{"type": "juggle", "params": {}}],
    ]
    rows = [{"step_num": n, "image": f"{n}.png", "ground_truth_actions": truth} for n, truth in enumerate(truths)]
    rows[2]["alternative_options"] = [[{"type": "hotkey", "params": {"keys": ["ctrl", "w"]}}], {"note": "?"}]
    put(tmp_path / "one.json", {"task_id": "t", "high_level_task_description": "do it", "steps": rows, "meta_info": {}})
    steps, broken = load("agentnet", tmp_path)
    assert [step.id for step in steps] == ["t-0", "t-1", "t-2"]
    assert steps[0].act == Act("click", (0.5, 0.25), count=2, targets=(Region(0.5, 0.25, 0.625, 0.375),))
    assert steps[1].acts == (Act("type", text="hi"), Act("press", keys=("enter",)))
    assert steps[2].alternatives == ((Act("hotkey", keys=("ctrl", "w")),),)
    assert "params.position" in broken[0].why and "juggle" in broken[1].why


SCRIPT = """Task: Copy the text
Output Script:
pyautogui.click(20.0,30.0)
pyautogui.hotkey("ctrl","c")
pyautogui.write("Hello, World")
pyautogui.press("enter")
pyautogui.scroll(-10)
pyautogui.rightClick(x=1, y=2)
a comment
"""


def test_omniact(tmp_path: Path) -> None:
    put(tmp_path / "tasks" / "desktop" / "task_1.txt", SCRIPT)
    put(tmp_path / "tasks" / "task_2.txt", 'Task: x\nOutput Script:\npyautogui.click(__import__("os").getpid(), 2)')
    put(tmp_path / "box.json", {"ok": {"top_left": [10, 20], "bottom_right": [30, 40], "label": "x"}})
    index = {
        "1": {"task": "tasks/desktop/task_1.txt", "image": "none.png", "box": "box.json"},
        "2": {"task": "tasks/task_2.txt", "image": "", "box": "box.json"},
        "3": {"task": "tasks/missing.txt", "image": "", "box": "box.json"},
        "4": {"task": "../secret.txt", "image": "", "box": "box.json"},
    }
    put(tmp_path / "test.json", index)
    (step,), broken = load("omniact", tmp_path)
    box = (Region(10, 20, 30, 40),)
    assert step.id == "1" and step.instruction == "Copy the text"
    assert step.acts == (
        Act("click", (20, 30), targets=box),
        Act("hotkey", keys=("ctrl", "c")),
        Act("type", text="Hello, World"),
        Act("press", keys=("enter",)),
        Act("scroll", direction="down"),
        Act("click", (1, 2), button="right", targets=box),
    )
    assert "no call with literal arguments" in broken[0].why and "tasks/missing.txt" in broken[1].why
    assert "outside the data's folder" in broken[2].why


def test_mind2web(tmp_path: Path) -> None:
    box = {"x": 10, "y": 20, "width": 30, "height": 40}
    actions = [
        {"action_uid": "u1", "operation": {"original_op": "TYPE", "value": "New York", "op": "TYPE"}, "bbox": box},
        {"action_uid": "u2", "operation": {"original_op": "HOVER", "value": "", "op": "CLICK"}},
        {"action_uid": "u3", "operation": {"original_op": "SING", "value": ""}},
    ]
    put(
        tmp_path / "mind2web_data_test_domain.json",
        [{"annotation_id": "a", "confirmed_task": "fly", "website": "w", "domain": "d", "actions": actions}],
    )
    picture(tmp_path / "mind2web_images" / "a-u1.jpg", 1280, 720)
    (typed, hover), broken = load("mind2web", tmp_path)
    assert typed.act == Act("type", (25, 40), text="New York", targets=(Region(10, 20, 40, 60),))
    assert (typed.id, typed.size, typed.steps) == ("a_u1", (1280, 720), 3)
    assert hover.act == Act("click") and hover.size is None
    assert broken[0].where == "mind2web_data_test_domain.json:0 action 2"


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is an extra")
def test_multimodal_mind2web(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    encoded = io.BytesIO()
    Image.new("RGB", (1280, 900)).save(encoded, "JPEG")
    attributes = json.dumps({"backend_node_id": "1", "bounding_box_rect": "10.5,20,30,40"})
    row = {
        "action_uid": "u1",
        "raw_html": "<html>",
        "operation": json.dumps({"op": "SELECT", "original_op": "SELECT", "value": "One"}),
        "pos_candidates": [json.dumps({"tag": "a", "attributes": attributes})] * 2,
        "annotation_id": "a",
        "confirmed_task": "fly",
        "domain": "d",
        "screenshot": {"bytes": encoded.getvalue(), "path": None},
        "action_reprs": ["x", "y", "z"],
        "target_action_index": "1",
    }
    rows = [
        row,
        row | {"action_uid": "u2", "operation": "{}"},
        row | {"action_uid": "u3", "pos_candidates": [], "screenshot": None},
    ]
    (tmp_path / "data").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data" / "test_task-00000-of-00001.parquet")
    (tmp_path / "data" / "test_website-0.parquet").write_bytes(b"PAR1 nonsense")
    (first, third), broken = load("multimodal-mind2web", tmp_path)
    box = Region(10.5, 20, 40.5, 60)
    assert first.act == Act("select", box.center, text="One", targets=(box, box))
    exam = prepare(Plan(benchmark="multimodal-mind2web", data=str(tmp_path), model="m"), tmp_path / "out")
    (question,) = exam.questions
    assert question.id == "a_u1" and question.image.suffix == ".jpg" and Image.open(question.image).size == (1280, 900)
    assert (first.size, first.number, first.steps, first.groups["split"]) == ((1280, 900), 1, 3, "test_task")
    assert third.act.targets == () and third.size is None
    assert broken[0].why == "operation: has no op" and "the rest of the file is lost" in broken[1].why


def test_parquet_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "x.parquet").touch()
    with pytest.raises(ConfigError, match=r'needs pyarrow: pip install "clickwright\[benchmarks\]"'):
        load("multimodal-mind2web", tmp_path)


# ------------------------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_without_data_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no data of"):
        load(name, tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        load(name, tmp_path / "missing")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_source_has_rules_and_says_how_its_steps_are_named(name: str) -> None:
    from evals.protocols import rules_of

    source = load_source(name)
    assert source.name == name and source.ids and source.units and rules_of(name)


def test_reading_goes_on_after_a_row(tmp_path: Path) -> None:
    put(tmp_path / "screenspot_web.json", [question([n, 0, 5, 5]) for n in range(4)])
    steps, _ = load("screenspot", tmp_path)
    rest, _ = load("screenspot", tmp_path, after=steps[1].row)
    assert [step.id for step in rest] == ["screenspot_web-2", "screenspot_web-3"]
    with pytest.raises(ConfigError, match=r"no row 'screenspot_web\.json:9'"):
        load("screenspot", tmp_path, after="screenspot_web.json:9")


def test_an_unknown_benchmark_is_said() -> None:
    with pytest.raises(ConfigError, match="choose one of screenspot"):
        load_source("screenspott")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

BOX_ROW = {"id": "x", "image_path": "a", "image_size": [9, 9], "instruction": "i", "box_type": "bbox"}
TRUTH = {
    "type": "click",
    "params": {"position": {"x": 0, "y": 1}},
    "metadata": {"bboxes": [{"rel_bbox": [0, 0, 1, 1]}]},
}
DEED = {"op": "TYPE", "value": "v"}
SAMPLES: dict[str, object] = {
    "screenspot": question([1, 2, 3, 4]),
    "screenspot-pro": question([1, 2, 3, 4]) | {"id": "x", "img_size": [9, 9]},
    "osworld-g": BOX_ROW | {"box_coordinates": [1, 2, 3, 4]},
    "androidcontrol": EPISODE,
    "gui-odyssey": {
        "episode_id": "1",
        "task_info": {"category": "c"},
        "steps": [{"step": 0, "action": "CLICK", "info": [[1, 2]], "sam2_bbox": [1, 2, 3, 4]}],
    },
    "agentnet": {"task_id": "t", "steps": [{"ground_truth_actions": [TRUTH], "alternative_options": [[TRUTH]]}]},
    "mind2web": {"annotation_id": "a", "actions": [{"action_uid": "u", "operation": DEED}]},
    "multimodal-mind2web": {
        "action_uid": "u",
        "annotation_id": "a",
        "operation": json.dumps(DEED),
        "pos_candidates": [{"attributes": json.dumps({"bounding_box_rect": "1,2,3,4"})}],
        "screenshot": {"bytes": None},
    },
}


def spoil(value: object, rng: random.Random, spoilt: object) -> object:
    """The same with something in it replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        return value | {key: spoil(value[key], rng, spoilt)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], spoil(value[at], rng, spoilt), *value[at + 1 :]]
    return spoilt


@settings(max_examples=25)
@given(spoilt=JSON_VALUES, seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", SAMPLES)
def test_a_spoilt_row_gives_steps_or_is_named(
    name: str, spoilt: object, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    row = spoil(SAMPLES[name], random.Random(seed), spoilt)
    data = json.dumps(row).encode() if name == "androidcontrol" else row
    if name == "multimodal-mind2web" and not isinstance(row, dict):
        return  # parquet has columns
    try:
        found = list(load_source(name).steps(Row("file.json:0", data), tmp_path_factory.getbasetemp()))
    except ValueError:
        return
    assert all(isinstance(each, Step | Broken) for each in found)

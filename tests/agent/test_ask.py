"""`agent ask` as scripts and people see it: every format, what is drawn, and one line for what is wrong."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest
from PIL import Image, ImageFont

from action_space.geometry import Frame, Size
from agent.cli import main
from agent.recorder import Recorder, claimed
from agent.trajectory import Header, Settings, Step, Versions

WHITE = (255, 255, 255)
BOXES = '```json\n[{"bbox_2d": [56, 28, 112, 84], "label": "cat"}, {"bbox_2d": [0, 0, 280, 140], "label": "all"}]\n```'
POINTS = '<points x1="56" y1="28" x2="279" y2="139" alt="ear">ear</points>'
LINES = '[{"bbox_2d": [0, 0, 896, 448], "text_content": "Hello"}]'
PAGE = '<html><body><h1 data-bbox="0 0 896 224">Hello</h1><p data-bbox="0 224 896 448">A <b>page</b></p></body></html>'
EVENTS = '[{"start_time": "00:01.50", "end_time": "01:02.00", "description": "a cat"}]'

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """280 x 140, which the model sees as it is; but 896 x 448 where it is to read."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (280, 140), WHITE).save(path)
    return path


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Run `agent ask` with a model that gives one reply: its exit status, stdout and stderr."""

    def run(reply: str | dict[str, object] | None, *arguments: object) -> tuple[int, str, str]:
        script = tmp_path / "replies.jsonl"
        script.write_text(json.dumps(reply) + "\n" if reply is not None else "", encoding="utf-8")
        with pytest.raises(SystemExit) as end:
            main(["ask", *map(str, arguments), "--model", f"scripted:{script}"])
        assert isinstance(end.value.code, int)
        return end.value.code, *capfd.readouterr()

    return run


def cells(table: str) -> list[list[str]]:
    """The rows of a drawn table, without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if line[0] == "│"]


@pytest.mark.parametrize(
    ("task_format", "prompt", "reply", "rows"),
    [
        ("box", "cats", BOXES, [["56", "28", "112", "84", "cat"], ["0", "0", "280", "140", "all"]]),
        ("point", "ears", POINTS, [["56", "28", "ear"], ["279", "139", "ear"]]),
        ("ocr", "", LINES, [["0", "0", "280", "140", "Hello"]]),
        ("span", "a cat", EVENTS, [["1.50", "62.00", "a cat"]]),
    ],
)
def test_tables(ask: Ask, picture: Path, task_format: str, prompt: str, reply: str, rows: list[list[str]]) -> None:
    code, said, notes = ask(reply, picture, prompt, "--task-format", task_format)
    assert (code, cells(said), notes) == (0, rows, "")


@pytest.mark.parametrize(
    ("arguments", "reply", "text"),
    [
        (("Is it red?",), "<think>hm</think>\nNo, \x1b[31mwhite.", "No, �[31mwhite.\n"),
        (("date, total", "--task-format", "keys"), '{"total": 12.50}', "date: -\ntotal: 12.50\n"),
        (("cup", "--task-format", "count"), "There are 3 cups.", "3\n"),
        (("cup", "--task-format", "box"), "[]", "nothing found\n"),
        (("--task-format", "markdown"), PAGE, "# Hello\n\nA **page**\n"),
        (
            ("--task-format", "html"),
            PAGE,
            "<html><body>\n<h1>Hello</h1>\n<p>A <b>page</b></p>\n</body></html>\n",
        ),
    ],
)
def test_texts(ask: Ask, picture: Path, arguments: tuple[str, ...], reply: str, text: str) -> None:
    assert ask(reply, picture, *arguments) == (0, text, "")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A screen recording of a minute."""
    path = tmp_path / "recording.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 280, 140, "yuv420p"
        for number in range(300):
            shade = Image.new("RGB", (280, 140), (number % 256, 0, 0))
            container.mux(stream.encode(av.VideoFrame.from_image(shade)))
        container.mux(stream.encode())
    return path


def test_a_video_is_asked_about_in_its_own_time(ask: Ask, recording: Path) -> None:
    options = ("--task-format", "span", "--from", 20, "--to", 30, "--fps", 1, "--json")
    code, said, _ = ask("The given query happens in 2.0 - 4.5 seconds.", recording, "it turns red", *options)
    result = json.loads(said)
    assert code == 0
    assert result["answer"] == [{"start_s": 22.0, "end_s": 24.5, "label": ""}]
    assert (result["frames"], result["from_s"]) == (10, 20.0)
    assert ask("A red screen.", recording, "What is it?")[:2] == (0, "A red screen.\n")
    code, _, complained = ask("x", recording, "cats", "--task-format", "box")
    assert code == 2 and "is for pictures" in complained


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A recorded run: five screenshots, four seconds apart."""
    versions = Versions(clickwright="1", model="m", dialect="compact", env="browser")
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    with claimed(tmp_path / "run") as folder:
        recorder = Recorder.start(folder, Header(task="t", created=begun, versions=versions, settings=Settings()))
    for number in range(5):
        image = recorder.save_image(Image.new("RGB", (280, 140), (40 * number, 0, 0)))
        started = begun + timedelta(seconds=4 * number)
        frame = Frame(Size(280, 140), Size(280, 140))
        recorder.write(Step(number=number + 1, started=started, image=image, frame=frame))
    recorder.close()
    return folder


def test_a_run_is_asked_about_in_its_own_time(ask: Ask, run: Path) -> None:
    options = ("--task-format", "span", "--from", 4, "--to", 12, "--json")
    code, said, _ = ask("The given query happens in 0.0 - 4.0 seconds.", run, "it turns red", *options)
    result = json.loads(said)
    assert code == 0
    assert result["answer"] == [{"start_s": 4.0, "end_s": 8.0, "label": ""}]
    assert (result["frames"], result["from_s"]) == (4, 4.0)
    assert ask("It turned red.", run, "What happened?")[:2] == (0, "It turned red.\n")
    code, _, complained = ask("x", run, "What?", "--from", 99)
    assert code == 2 and "fewer than two pictures" in complained and complained.count("\n") == 1
    (run / "images" / next(iter(path.name for path in (run / "images").iterdir()))).write_bytes(b"")
    code, _, complained = ask("x", run, "What?")
    assert code == 2 and "not a picture that can be read" in complained


def test_a_count_that_contradicts_itself_says_so(ask: Ask, picture: Path) -> None:
    code, said, _ = ask(BOXES + "\nThere are 3.", picture, "cat", "--task-format", "count")
    assert code == 0 and said.startswith("2 (but the model says 3)\n") and len(cells(said)) == 2


CAT, ALL = {"box": [56, 28, 112, 84], "label": "cat"}, {"box": [0, 0, 280, 140], "label": "all"}


@pytest.mark.parametrize(
    ("task_format", "prompt", "reply", "answer"),
    [
        ("text", "What?", "A cat.", "A cat."),
        ("box", "cats", BOXES, [CAT, ALL]),
        ("box", "cats", "[]", []),
        ("point", "ears", POINTS, [{"point": [56, 28], "label": "ear"}, {"point": [279, 139], "label": "ear"}]),
        ("count", "cat", BOXES + "\nThere are 3.", {"count": 2, "stated": 3, "places": [CAT, ALL]}),
        ("ocr", "", LINES, [{"box": [0, 0, 280, 140], "text": "Hello"}]),
        ("keys", "date, total", '{"total": 12.50}', {"date": None, "total": "12.50"}),
        ("span", "a cat", EVENTS, [{"start_s": 1.5, "end_s": 62.0, "label": "a cat"}]),
    ],
)
def test_json(ask: Ask, picture: Path, task_format: str, prompt: str, reply: str, answer: object) -> None:
    code, said, notes = ask(reply, picture, prompt, "--task-format", task_format, "--json")
    assert (code, said.count("\n"), notes) == (0, 1, "")
    result = json.loads(said)
    assert result["answer"] == answer
    assert (result["task_format"], result["reply"], result["size"]) == (task_format, reply, [280, 140])
    assert (result["finished"], result["model"], result["drawing"], result["exit_code"]) == (True, "scripted", None, 0)


@pytest.mark.parametrize(("task_format", "text"), [("html", "<h1>Hello</h1>"), ("markdown", "# Hello\n\nA **page**\n")])
def test_json_of_documents(ask: Ask, picture: Path, task_format: str, text: str) -> None:
    answer = json.loads(ask(PAGE, picture, "--task-format", task_format, "--json")[1])["answer"]
    assert text in answer[task_format] and 'data-bbox="0 0 280 70"' in answer["qwen_html"]
    assert answer["blocks"][0] == {"kind": "h1", "box": [0, 0, 280, 70], "text": "Hello"}


def test_a_reply_that_was_cut_off_is_noted(ask: Ask, picture: Path) -> None:
    reply = {"text": BOXES[:70], "finished": False, "tokens_out": 40}
    code, said, notes = ask(reply, picture, "cats", "--task-format", "box", "--json")
    assert (code, json.loads(said)["answer"], json.loads(said)["finished"]) == (0, [CAT], False)
    assert notes.count("\n") == 1 and "after 40 tokens: --max-tokens" in notes


def test_a_prompt_that_is_not_used_is_noted(ask: Ask, picture: Path) -> None:
    code, _, notes = ask(LINES, picture, "read it", "--task-format", "ocr")
    assert code == 0 and notes.count("\n") == 1 and "the prompt is not used" in notes


def coloured(path: Path) -> tuple[int, int, int, int] | None:
    """The box around everything that is not white."""
    with Image.open(path) as drawn:
        return drawn.convert("L").point(lambda grey: 255 if grey < 250 else 0).getbbox()


def test_boxes_are_drawn_where_they_are(ask: Ask, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    reply = '[{"bbox_2d": [56, 28, 112, 84]}]'
    code, said, _ = ask(reply, picture, "cats", "--task-format", "box", "--draw", out, "--json")
    assert (code, json.loads(said)["drawing"]) == (0, str(out))
    assert coloured(out) == (56, 28, 112, 84)
    assert coloured(picture) is None, "the picture itself is untouched"
    with Image.open(out) as drawn:
        assert (drawn.size, drawn.getpixel((80, 50))) == ((280, 140), WHITE)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (279, 0), (0, 139), (279, 139), (140, 70)])
def test_a_point_is_not_covered_by_its_label(ask: Ask, picture: Path, tmp_path: Path, x: int, y: int) -> None:
    out = tmp_path / "out.png"
    reply = json.dumps({"point_2d": [x, y], "label": "a label of some length"})
    assert ask(reply, picture, "it", "--task-format", "point", "--draw", out)[0] == 0
    with Image.open(out) as drawn:
        assert drawn.getpixel((x, y)) == WHITE, "the middle of the mark"
        assert drawn.getpixel((abs(x - 3), y)) != WHITE, "its ring"
    left, top, right, bottom = coloured(out) or (0, 0, 0, 0)
    assert right - left > 120 and 0 <= left < right <= 280 and 0 <= top < bottom <= 140, "the whole label is there"


def has_font(name: str) -> bool:
    try:
        return bool(ImageFont.truetype(name, 12))
    except OSError:
        return False


@pytest.mark.parametrize(("label", "font"), [("Größe", "DejaVuSans.ttf"), ("漢字", "NotoSansCJK-Regular.ttc")])
def test_labels_in_other_letters_can_be_read(ask: Ask, picture: Path, tmp_path: Path, label: str, font: str) -> None:
    if not has_font(font):
        pytest.skip("no font of this machine has these letters")
    drawn = []
    for text in (label, "".join(letter if letter.isascii() else "\U0010fffe" for letter in label)):
        reply = json.dumps({"point_2d": [40, 70], "label": text})
        assert ask(reply, picture, "x", "--task-format", "point", "--draw", tmp_path / "out.png")[0] == 0
        drawn.append((tmp_path / "out.png").read_bytes())
    assert drawn[0] != drawn[1], "not the box that stands for a letter that is not there"


@pytest.mark.parametrize("name", ["out.jpg", "out.webp"])
@pytest.mark.parametrize(
    ("task_format", "reply"), [("count", BOXES), ("ocr", LINES), ("html", PAGE), ("markdown", PAGE), ("box", "[]")]
)
def test_what_else_can_be_drawn(
    ask: Ask, picture: Path, tmp_path: Path, task_format: str, reply: str, name: str
) -> None:
    prompt = ["cats"] if task_format in ("count", "box") else []
    assert ask(reply, picture, *prompt, "--task-format", task_format, "--draw", tmp_path / name)[0] == 0
    assert (coloured(tmp_path / name) is None) == (reply == "[]")


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "RGBA", "LA", "P", "1"])
def test_pictures_of_every_kind(ask: Ask, tmp_path: Path, mode: str) -> None:
    grey = Image.new("L", (280, 140), 128)
    kind = Image.new(mode, (280, 140), 128 * 257) if mode == "I;16" else grey.convert(mode)
    kind.save(path := tmp_path / "picture.tiff")
    assert ask("Grey.", path, "What?") == (0, "Grey.\n", "")


def test_a_picture_of_one_pixel(ask: Ask, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    boxes = '[{"bbox_2d": [0, 0, 56, 56], "label": "all"}]'
    code, said, _ = ask(boxes, tmp_path / "dot.png", "it", "--task-format", "box", "--json")
    assert (code, json.loads(said)["answer"]) == (0, [{"box": [0, 0, 1, 1], "label": "all"}])


def test_a_photo_is_asked_about_upright(ask: Ask, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    Image.new("RGB", (140, 280), WHITE).save(tmp_path / "photo.jpg", exif=exif)
    out = tmp_path / "out.png"
    code, said, _ = ask(BOXES, tmp_path / "photo.jpg", "x", "--task-format", "box", "--draw", out, "--json")
    assert (code, json.loads(said)["size"]) == (0, [280, 140])
    with Image.open(out) as drawn:
        assert drawn.size == (280, 140)


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("none.png", "x"), "No such file"),
    (("text.png", "x"), "no video in it"),
    (("clip.mp4", "x"), "not a picture"),
    (("folder", "x"), "is not a run: it has no run.json"),
    (("strip.png", "x"), "aspect ratio"),
    (("cut.png", "x"), "cannot read the picture 'cut.png'"),
    (("cut.jpg", "x"), "cannot read the picture 'cut.jpg'"),
    (("cut.gif", "x"), "cannot read the picture 'cut.gif'"),
    (("empty.png", "x"), "not a picture"),
    (("none.mkv", "x"), "ends before its first frame"),
    (("picture.png",), "prompt is empty"),
    (("picture.png", " ", "--task-format", "box"), "prompt is empty"),
    (("picture.png", " , ", "--task-format", "keys"), "keys"),
    (("picture.png", "x", "--task-format", "box", "--draw", "none/out.png"), "no folder"),
    (("picture.png", "x", "--task-format", "box", "--draw", "folder"), "folder"),
    (("picture.png", "x", "--task-format", "box", "--draw", "out.txt"), ".png"),
    (("picture.png", "x", "--task-format", "box", "--draw", "out"), ".png"),
    (("picture.png", "x", "--task-format", "box", "--draw", "picture.png"), "the picture itself"),
    (("picture.png", "x", "--draw", "out.png"), "nothing to draw for 'text'"),
    (("picture.png", "x", "--task-format", "span", "--draw", "out.png"), "nothing to draw for 'span'"),
]


@pytest.mark.parametrize(("arguments", "complaint"), WRONG)
def test_wrong_usage_is_one_line_and_2(
    ask: Ask,
    picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    monkeypatch.chdir(picture.parent)
    Path("text.png").write_text("hello")
    Path("clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99))
    Path("folder").mkdir()
    Image.new("RGB", (1, 900)).save("strip.png")
    Path("empty.png").touch()
    for name in ("cut.png", "cut.jpg", "cut.gif"):
        Image.effect_noise((90, 90), 80).convert("RGB").save(name)
        Path(name).write_bytes(Path(name).read_bytes()[:-900])
    with av.open("none.mkv", "w") as container:
        container.add_stream("mpeg4", rate=5).width = 280
        container.start_encoding()
    code, said, complained = ask(None, *arguments, "--json")
    assert code == 2, complained
    assert complained.startswith("agent: ") and complained.count("\n") == 1 and complaint in complained
    error = {"kind": "ConfigError", "text": complained.removeprefix("agent: ").strip()}
    assert json.loads(said) == {"error": error, "exit_code": 2}


def test_a_disk_that_takes_nothing(ask: Ask, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    out.symlink_to("/dev/full")
    code, said, complained = ask(BOXES, picture, "x", "--task-format", "box", "--draw", out)
    assert (code, said, complained.count("\n")) == (2, "", 1)
    assert "cannot write the picture" in complained and "No space left" in complained


@pytest.mark.parametrize(
    ("task_format", "complaint"),
    [
        ("box", "no box that can be read"),
        ("point", "no point that can be read"),
        ("count", "neither a place nor a number"),
        ("ocr", "no box that can be read"),
        ("keys", "none of the keys 'x'"),
        ("html", "no HTML document"),
        ("markdown", "no HTML document"),
        ("span", "no span of time"),
    ],
)
def test_a_reply_that_cannot_be_read_is_one_line_and_1(
    ask: Ask, picture: Path, tmp_path: Path, task_format: str, complaint: str
) -> None:
    prompt = ["x"] if task_format not in ("ocr", "html", "markdown") else []
    out = ["--draw", tmp_path / "out.png"] if task_format not in ("keys", "span") else []
    code, said, complained = ask("I am\nsorry", picture, *prompt, "--task-format", task_format, *out, "--json")
    assert code == 1 and json.loads(said)["error"]["kind"] == "InvalidAction"
    assert complained.count("\n") == 1 and complaint in complained and r"replied 'I am\nsorry'" in complained
    assert not (tmp_path / "out.png").exists()


def test_no_words_are_no_answer(ask: Ask, picture: Path) -> None:
    code, said, complained = ask("<think>well", picture, "What?")
    assert (code, said) == (1, "") and "empty" in complained and complained.count("\n") == 1


def test_a_model_that_says_nothing_is_4(ask: Ask, picture: Path) -> None:
    code, said, complained = ask(None, picture, "What?", "--json")
    assert (code, json.loads(said)["exit_code"], complained.count("\n")) == (4, 4, 1)


def test_in_a_process_of_its_own(
    agent_command: Callable[..., "subprocess.CompletedProcess[str]"], picture: Path, tmp_path: Path
) -> None:
    script = tmp_path / "replies.jsonl"
    script.write_text(json.dumps("Größe 漢字") + "\n", encoding="utf-8")
    done = agent_command("ask", str(picture), "What?", "--model", f"scripted:{script}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Größe 漢字\n", "")
    done = agent_command("ask", str(picture), "What?", "--task-format", "smell", "--json")
    assert done.returncode == 2 and "smell" in done.stderr and json.loads(done.stdout)["exit_code"] == 2

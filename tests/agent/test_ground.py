"""`locate`: one question, one point, in pixels of the picture."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from action_space.actions import Click, Wait
from action_space.dialects import load_dialect
from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box, Frame, Point, Size, smart_resize
from agent.ground import locate
from agent.pictures import open_picture
from vlm.backends.scripted import ScriptedModel

SIZE = Size(1000, 700)
PICTURE = Image.new("RGB", (1000, 700), "white")


def test_a_point_in_pixels_of_the_picture(say: Callable[..., str]) -> None:
    model = ScriptedModel([say(Click(point=Point(400, 80)), SIZE)])
    found = locate(model, "computer_use", PICTURE, "the Save button")
    assert abs(found.point.x - 400) <= 1 and abs(found.point.y - 80) <= 1
    assert (found.size, found.box) == (SIZE, None)
    assert "the Save button" in str(model.asked[0][-1].content)


def test_a_box_when_the_model_gives_one() -> None:
    dialect = load_dialect("computer_use")
    model_size = smart_resize(SIZE, min_pixels=dialect.min_pixels, max_pixels=dialect.max_pixels)
    frame = Frame(model_size, SIZE)
    call = {"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [100, 200, 140, 240]}}
    found = locate(ScriptedModel([f"<tool_call>{json.dumps(call)}</tool_call>"]), "computer_use", PICTURE, "the icon")
    first, last = frame.to_screen(Point(100, 200)), frame.to_screen(Point(139, 239))
    assert found.box == Box(first.x, first.y, last.x + 1, last.y + 1)
    assert found.point == frame.to_screen(Point(120, 220))


def test_replies_that_point_nowhere(say: Callable[..., str]) -> None:
    for reply in ("I cannot see it", say(Wait())):
        with pytest.raises(InvalidAction):
            locate(ScriptedModel([reply]), "computer_use", PICTURE, "the icon")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.png", None, "No such file"),
        ("text.png", b"hello", "not a picture"),
        ("empty.png", b"", "not a picture"),
        ("cut.png", "cut", "cannot read the picture"),
        ("folder", "folder", "Is a directory"),
    ],
)
def test_a_bad_picture(tmp_path: Path, name: str, content: bytes | str | None, complaint: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cut":
        Image.effect_noise((200, 200), 80).save(path)
        path.write_bytes(path.read_bytes()[:900])
    elif content == "folder":
        path.mkdir()
    with pytest.raises(ConfigError, match=complaint) as error:
        open_picture(path)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_photo_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    photo = Image.new("RGB", (40, 20), "white")
    photo.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    photo.save(tmp_path / "photo.png", exif=exif)
    picture = open_picture(tmp_path / "photo.png")
    assert picture.size == (20, 40)
    assert picture.getpixel((19, 0)) == (255, 0, 0)


def test_bad_questions() -> None:
    with pytest.raises(ConfigError, match="empty"):
        locate(ScriptedModel([]), "computer_use", PICTURE, " ")
    with pytest.raises(ConfigError, match="aspect ratio"):
        locate(ScriptedModel([]), "computer_use", Image.new("RGB", (1, 900)), "x")


def test_what_is_not_on_the_picture() -> None:
    model = ScriptedModel(('finish("failure", "not on the screen")',))
    with pytest.raises(InvalidAction, match="does not find 'the moon' on the picture"):
        locate(model, "compact", Image.new("RGB", (280, 280)), "the moon")


@pytest.mark.parametrize("constrained", [True, False])
def test_a_reply_that_is_held_to_the_grammar(constrained: bool) -> None:
    model = ScriptedModel(["click(100, 60)"])
    locate(model, "compact", Image.new("RGB", (280, 280)), "Save", constrained=constrained)
    size = Size(280, 280)
    assert model.constraints == [load_dialect("compact").grammar(Frame(size, size)) if constrained else None]

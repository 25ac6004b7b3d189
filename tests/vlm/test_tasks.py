"""Tasks: what is asked, and how a model's answer comes back."""

import pytest
from PIL import Image

from action_space.errors import ConfigError, InvalidAction
from action_space.geometry import Box, Size
from vlm import tasks
from vlm.backends.scripted import ScriptedModel, ScriptLine


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (tasks.plain("Is it red?"), "Is it red?"),
        (tasks.boxes("each cake"), "Outline the position of each cake and output all the coordinates in JSON format."),
        (
            tasks.points("the pin"),
            "point to the pin, output its coordinates in XML format <points x y>object</points>",
        ),
        (tasks.counting("cake"), "and then answer how many cake are there in the image."),
        (tasks.ocr("word"), "Spotting all the text in the image with word-level, and output in JSON format."),
        (tasks.key_values(["date", 'a "b"']), r'in the format:{"date": "", "a \"b\"": ""}'),
        (tasks.document(), "QwenVL HTML "),
        (tasks.spans("a cat"), "Give the query: 'a cat', when does the described content occur in the video?"),
    ],
)
def test_prompts(task: tasks.Task[object], words: str) -> None:
    image = Image.new("RGB", (280, 140))
    messages = task.prompt(image)
    question, shown = messages[-1].content
    assert isinstance(question, str) and words in question and shown is image
    assert [message.role for message in messages] == (["system", "user"] if task.system else ["user"])


def test_ask_gives_pixels_of_the_picture() -> None:
    """1000 x 500 is shown as 1008 x 504."""
    reply = '[{"bbox_2d": [504, 126, 1008, 504], "label": "half"}]'
    answer = tasks.ask(ScriptedModel([reply]), tasks.boxes("halves"), Image.new("RGB", (1000, 500)))
    assert [(mark.place, mark.label) for mark in answer.value] == [(Box(500, 125, 1000, 500), "half")]
    assert answer.reply.text == reply


def test_small_print_is_enlarged() -> None:
    shown = tasks.ocr().frame(Size(100, 100)).model
    assert shown.width * shown.height >= tasks.READING_MIN_PIXELS


def test_ask_says_what_the_model_said() -> None:
    model = ScriptedModel([ScriptLine(text="I am\nsorry", tokens_out=3, finished=False)])
    with pytest.raises(InvalidAction, match=r"no box .*'I am\\nsorry' \(cut off after 3 tokens\)"):
        tasks.ask(model, tasks.boxes("x"), Image.new("RGB", (50, 50)))


def test_bad_questions_are_the_operators() -> None:
    with pytest.raises(ConfigError, match="aspect ratio"):
        tasks.ask(ScriptedModel([]), tasks.boxes("x"), Image.new("RGB", (1, 900)))
    for keys in ([], ["a", " "]):
        with pytest.raises(ConfigError, match="keys"):
            tasks.key_values(keys)

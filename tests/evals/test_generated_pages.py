"""The grounding benchmark: an oracle that knows the pages scores all, a constant point scores next to nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from action_space.geometry import Size
from action_space.messages import Message
from agent.cli import main
from evals.benchmarks.generated import _draw, ask_about_pages, choose, summary
from vlm.backends.base import Reply
from vlm.training.data.render import Screen, read_screens

SIZE = Size(700, 560)


class Knowing:
    """Answers with the centre of the control that the instruction names, looked up in the page's own labels."""

    name, dialect = "knowing", "compact"

    def __init__(self, screens: Sequence[Screen]) -> None:
        self.elements = [element for screen in screens for element in screen.elements]

    def generate(self, messages: Sequence[Message], **_: object) -> Reply:
        words = next(part for part in messages[-1].content if isinstance(part, str))
        center = next(e.box.center for e in self.elements if f"click {json.dumps(e.name)}" in words)
        picture = next(part for part in messages[-1].content if isinstance(part, Image.Image))
        assert picture.size == (SIZE.width, SIZE.height)
        return Reply(f"click({center.x}, {center.y})")


class Constant(Knowing):
    def generate(self, messages: Sequence[Message], **_: object) -> Reply:  # noqa: ARG002
        return Reply(self.reply)

    reply = "click(1, 1)"


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> list[Screen]:
    folder = tmp_path_factory.mktemp("pages")
    _draw(folder, 3, 5, SIZE)
    return list(read_screens(folder))


def test_the_oracle_hits_and_a_constant_misses(screens: list[Screen]) -> None:
    answers = list(ask_about_pages(Knowing(screens), pages=3, seed=5, size=SIZE))
    assert len(answers) >= 6
    assert all(answer.hit for answer in answers)
    result = summary(answers, SIZE, 5)
    assert result["groups"]["all"]["rate"] == 1.0  # type: ignore[index]
    missed = list(ask_about_pages(Constant(screens), pages=3, seed=5, size=SIZE))
    assert [a.instruction for a in missed] == [a.instruction for a in answers], "the same seed asks the same"
    assert sum(answer.hit for answer in missed) < 0.2 * len(missed)


def test_a_reply_without_a_point_is_a_miss(screens: list[Screen]) -> None:
    model = Constant(screens)
    model.reply = "I cannot see it"
    answers = list(ask_about_pages(model, pages=1, seed=5, size=SIZE))
    assert answers and all(answer.point is None and not answer.hit for answer in answers)


def test_only_names_that_are_unique_are_asked_for(screens: list[Screen]) -> None:
    for screen in screens:
        names = [element.name.lower() for element in screen.elements]
        assert all(names.count(element.name.lower()) == 1 for element in choose(screen, Random(0), 99))


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments, words in ((["--size", "wide"], "1280x720"), (["--model", str(tmp_path / "none")], "neither")):
        with pytest.raises(SystemExit) as end:
            main(["eval", "generated", *arguments])
        assert end.value.code == 2
        assert words in capsys.readouterr().err

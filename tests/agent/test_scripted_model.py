"""The scripted model: from a list, from plain lines, from JSON lines."""

from pathlib import Path

import pytest
from PIL import Image

from action_space.errors import ConfigError, ModelError
from action_space.messages import Message
from agent.models import load_model
from vlm.backends.scripted import ScriptedModel, ScriptLine, load_script

QUESTION = [Message("user", ("what now?", Image.new("RGB", (28, 28))))]


def test_replies_in_order_then_an_error() -> None:
    model = ScriptedModel(["one", ScriptLine(text="two", tokens_in=5, tokens_out=2, finished=False)])
    assert model.generate(QUESTION).text == "one"
    second = model.generate(QUESTION, max_new_tokens=2)
    assert (second.text, second.tokens_in, second.tokens_out, second.finished) == ("two", 5, 2, False)
    assert model.asked == [tuple(QUESTION)] * 2
    with pytest.raises(ModelError, match="no reply left after 2"):
        model.generate(QUESTION)


def test_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "script.txt").write_text(
        'first\r\n\n{"not": "parsed"}\nwith \u2028 inside\n', encoding="utf-8", newline=""
    )
    model = load_script(tmp_path / "script.txt")
    assert [model.generate(QUESTION).text for _ in range(3)] == ["first", '{"not": "parsed"}', "with \u2028 inside"]


def test_json_lines_through_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('"two\\nlines"\n\n{"text": "x", "tokens_out": 3}\n', encoding="utf-8")
    model = load_model(f"scripted:{path}")
    assert model.dialect == "computer_use"
    assert model.generate(QUESTION).text == "two\nlines"
    assert model.generate(QUESTION).tokens_out == 3


@pytest.mark.parametrize("line", ["oops", "3", '{"reply": "x"}', '{"text": "x", "tokens_out": -1}'])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text(f'"fine"\n{line}\n')
    with pytest.raises(ConfigError, match=r"script\.jsonl:2: "):
        load_script(path)


def test_a_missing_script(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the script"):
        load_model(f"scripted:{tmp_path / 'none.txt'}")


@pytest.mark.parametrize("spec", ["scripted:", "nothing", "no/such/folder", "magic:x", ""])
def test_specs_that_name_nothing(spec: str) -> None:
    with pytest.raises(ConfigError, match="scripted") as error:
        load_model(spec)
    assert repr(spec) in str(error.value)

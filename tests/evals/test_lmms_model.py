"""Our models under the real lmms-eval, on a task of our own: runs by `-m peers` where lmms-eval is installed."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.peers

TASK = """
task: toy
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_visual: !function toy.pictures
doc_to_text: !function toy.question
doc_to_target: answer
generation_kwargs: {max_new_tokens: 16, until: ["\\n"]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
FUNCTIONS = """
from PIL import Image
def pictures(doc):
    return [Image.open(doc["image"])]
def question(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]
"""


@pytest.fixture
def evaluator() -> Any:  # noqa: ANN401 (lmms-eval has no types)
    return pytest.importorskip("lmms_eval.evaluator")


def toy_task(folder: Path) -> None:
    rows = []
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (84, 56), colour).save(folder / f"{colour}.png")
        question = f"Question {number}: which colour is this?"
        rows.append({"image": str(folder / f"{colour}.png"), "question": question, "answer": colour})
    (folder / "data.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "toy.py").write_text(FUNCTIONS)
    (folder / "toy.yaml").write_text(TASK.replace("DATA", str(folder / "data.json")))


def test_a_task_of_lmms_eval(evaluator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """Two questions, one right: what the task gets is what the model said, cut at the task's stop word."""
    from lmms_eval.models import MODEL_REGISTRY_V2, get_model
    from lmms_eval.tasks import TaskManager

    from evals.lmms_model import Clickwright, manifest

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    MODEL_REGISTRY_V2.register_manifest(manifest(), overwrite=True)
    assert get_model("clickwright") is Clickwright
    (tmp_path / "task").mkdir()
    toy_task(tmp_path / "task")
    script = tmp_path / "script.jsonl"
    script.write_text('"red\\nas I see it"\n"green"\n')
    found = evaluator.simple_evaluate(
        model="clickwright",
        model_args=f"model=scripted:{script}",
        tasks=["toy"],
        task_manager=TaskManager("ERROR", include_path=str(tmp_path / "task"), include_defaults=False),
        batch_size=1,
    )
    assert found["results"]["toy"]["exact_match,none"] == 0.5


def test_pictures_go_where_the_words_have_a_place_for_them(evaluator: Any) -> None:  # noqa: ANN401, ARG001
    from evals.lmms_model import arranged, cut

    one, two = Image.new("RGB", (9, 9)), Image.new("RGB", (8, 8))
    assert arranged("what is it?", [one, two]) == (one, two, "what is it?")
    assert arranged("<image> and <image>?", [one, two]) == (one, " and ", two, "?")
    assert arranged("<image> what?", [one, two]) == (one, two, "what?")
    assert cut("a\nb", ["\n"]) == "a" and cut("a b", "\n") == "a b" and cut("xyz", ["z", "y"]) == "x"
    assert cut("abc", [""]) == "abc"


def test_the_bundled_model_answers(evaluator: Any, tmp_path: Path) -> None:  # noqa: ANN401, ARG001
    from evals.lmms_model import Clickwright

    class Request:
        args = ("What is this?", {"max_new_tokens": 4}, lambda _doc: [Image.new("RGB", (84, 56))], 0, "t", "test")

    model = Clickwright()
    model.task_dict = {"t": {"test": [{}]}}
    (text,) = model.generate_until([Request()])
    assert isinstance(text, str)

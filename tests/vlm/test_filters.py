"""The filters: every category has its records, every rule its reason, nothing else is dropped, and all is counted."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from action_space.geometry import Box
from tests.vlm.tiny_trainer import draw_screens, judged_plans, sampled_of, tiny_trainer
from vlm.training.answered import Questions
from vlm.training.data.records import KINDS, Kind, Picture, Record, Truth
from vlm.training.filters.__main__ import main
from vlm.training.filters.domains import DOMAINS, Category, classify
from vlm.training.filters.rules import Case, first_reason
from vlm.training.filters.sieve import REPEAT, SCORE, credible, sieve
from vlm.training.sampled import RESULTS, Judged, Sampled, Unit, append_unit

BOX = Box(10, 10, 60, 40)


def record(kind: Kind, words: str, answer: str, form: str = "", truth: Truth | None = None) -> Record:
    """On one picture, but for plans."""
    images = () if kind == "agent" else ("a.png",)
    prompt = (words, *(Picture(image=number) for number in range(len(images))))
    return Record(
        id="x", kind=kind, form=form, images=images, prompt=prompt, answer=answer, source="web", truth=truth or Truth()
    )


def plan(answer: str, words: str = 'Task: Type "b" into "A" and press "C"\nNext?') -> Record:
    return record("agent", words, answer, "plan")


def point(form: str = "button", words: str = 'click "Save"', answer: str = "click(20, 20)") -> Record:
    return record("grounding", words, answer, form, Truth(boxes=(BOX,), texts=("Save",)))


CATEGORIES = [
    *((point(form), "pointing", form) for form in ("button", "link", "field", "tab", "icon")),
    (point("select"), "pointing", "list"),
    (point("checkbox"), "pointing", "toggle"),
    (point("radio"), "pointing", "option"),
    (record("grounding", "click x", "not there"), "pointing", "absent"),
    (plan('click "A" field'), "planning", "first step"),
    (plan('type "b"', 'Task: x\n1. click "A" field\nNext?'), "planning", "next step"),
    (plan('click "A"', 'Task: x\n1. click "A" (nothing changed)\nNext?'), "planning", "after no effect"),
    (plan("done", "Task: x\n1. wait\nNext?"), "planning", "end of the task"),
    (record("ocr", "What does it say?", "Save"), "reading", "words"),
    (record("ocr", "Read all", "one two three four five six seven eight nine"), "reading", "region"),
    (record("knowledge", "What is this icon called?", "gear"), "knowledge", "icon name"),
    (record("knowledge", "What is it for?", "settings"), "knowledge", "purpose"),
    (
        record("caption", "Describe the screen", "A form with " + ", ".join(f"field {n}" for n in range(9))),
        "description",
        "screen",
    ),
    (record("caption", "Describe it", "A blue button"), "description", "element"),
    (
        record("interleaved", "Compare", "a").model_copy(update={"images": ("a.png", "b.png")}),
        "description",
        "several pictures",
    ),
    (record("qa", "Is there a button?", "Yes."), "questions", "yes or no"),
    (record("qa", "How many?", "4"), "questions", "number"),
    (record("qa", "What is left of Save?", "Cancel"), "questions", "place"),
    (record("qa", "What does the field hold?", "Ada"), "questions", "value"),
    (record("document", "Parse", "<p>a</p>"), "documents", "page"),
    (record("document", "Parse", "<table><tr></tr></table>"), "documents", "table"),
    (record("document", "Parse", "<form></form>"), "documents", "form"),
    (record("video_caption", "What happens?", "A list opens"), "video", "description"),
    (record("video_caption", "What changed?", "A list opened"), "video", "change"),
    (record("video_grounding", "When?", "1 to 2", truth=Truth(spans=((1.0, 2.0),))), "video", "moment"),
]


@pytest.mark.parametrize(("found", "domain", "sub"), CATEGORIES)
def test_what_a_record_is_about(found: Record, domain: str, sub: str) -> None:
    assert classify(found) == Category(domain, sub)


def test_there_are_eight_domains_and_thirty_categories_and_each_has_a_record() -> None:
    assert len(DOMAINS) == 8
    everything = {(domain, sub) for domain, subs in DOMAINS.items() for sub in subs}
    assert len(everything) == 30
    assert {(domain, sub) for _, domain, sub in CATEGORIES} == everything


@pytest.mark.parametrize("found", [found for found, _, _ in CATEGORIES])
def test_good_records_stay(found: Record) -> None:
    if found.prompt[0] not in ("click x",) and not str(found.prompt[0]).startswith("Task: x"):
        assert first_reason(Case(found, classify(found).domain)) == ""


def button(answer: str = "Save") -> Image.Image:
    picture = Image.new("RGB", (100, 80), "white")
    ImageDraw.Draw(picture).text((15, 15), answer, fill="black")
    return picture


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (point(answer="click(90, 20)"), "a point beside the box"),
        (point(answer="click(20"), "cut off"),
        (point(words=" "), "nothing is asked"),
        (point(words='click "Cancel"'), "another control"),
        (point().model_copy(update={"truth": Truth(boxes=(BOX,), texts=("",))}), "a name without a letter"),
        (record("grounding", "click x", "click(1, 1)"), "a point of what is not there"),
        (point().model_copy(update={"truth": Truth(boxes=(Box(10, 10, 13, 40),))}), "a point beside"),
        (point(answer="click(11, 20)").model_copy(update={"truth": Truth(boxes=(Box(10, 10, 13, 40),))}), "too small"),
        (point().model_copy(update={"truth": Truth(boxes=(Box(10, 10, 160, 40),))}), "beyond the picture"),
        (point().model_copy(update={"truth": Truth(boxes=(Box(0, 0, 100, 80),))}), "most of the picture"),
        (point().model_copy(update={"prompt": ("Save", Picture(image=3))}), "does not have"),
        (point().model_copy(update={"prompt": ("Save\ufffd", Picture(image=0))}), "characters that are none"),
        (plan('click "D" button'), "what the task does not name"),
        (plan('click "A'), "cut off"),
        (plan("wait", "Do something"), "no planning prompt"),
        (plan("wait", "Task: x\n1. wait\n2. wait\n3. wait\nNext?"), "for the fourth time"),
        (plan('type "b"', 'Task: Delete my account, type "b"\nNext?'), "must not be asked for"),
        (plan('type "4111 1111 1111 1111"', 'Task: type "4111 1111 1111 1111"\nNext?'), "a card number"),
        (record("ocr", "Read", "Cancel", truth=Truth(texts=("Save",))), "nothing of what is to be seen"),
        (record("caption", "Describe", "a blue line " * 5), "repetition"),
        (record("caption", "Describe", "x" * 40), "repetition"),
        (record("qa", "Why?", "because " + "y z " * 200), "too long"),
        (record("document", "Parse", "<table><tr><td>a"), "cut off"),
        (record("video_grounding", "When?", "2 to 1", truth=Truth(spans=((2.0, 1.0),))), "ends before it begins"),
    ],
)
def test_bad_records_go_and_the_reason_is_said(found: Record, why: str) -> None:
    picture = button() if found.images else None
    assert why in first_reason(Case(found, classify(found).domain, picture))


def test_a_key_of_a_calculator_stays() -> None:
    key = point(words='click "7" button').model_copy(update={"truth": Truth(boxes=(BOX,), texts=("7",))})
    assert first_reason(Case(key, classify(key).domain, button("7"))) == ""


def test_a_control_that_cannot_be_seen_goes() -> None:
    assert first_reason(Case(point(), "pointing", button())) == ""
    assert "nothing to be seen" in first_reason(Case(point(), "pointing", Image.new("RGB", (100, 80), "white")))


@given(st.sampled_from(KINDS), st.text(), st.text(), st.text(), st.lists(st.text(), max_size=2))
def test_no_record_breaks_the_filters(kind: Kind, words: str, answer: str, form: str, texts: list[str]) -> None:
    found = record(kind, words, answer, form, Truth(texts=tuple(texts), boxes=(BOX,) if form else ()))
    category = classify(found)
    assert category.sub in DOMAINS[category.domain]
    assert isinstance(first_reason(Case(found, category.domain, button())), str)


def test_everything_is_counted(tmp_path: Path) -> None:
    good = judged_plans(3)
    sampled = Sampled((*good, good[0], Judged(record=plan("done", "no prompt"))), {})
    kept, report = sieve(sampled)
    assert kept.judged == good
    assert report.seen.total() == 5 and report.kept.total() == 3
    assert report.dropped["planning", REPEAT] == 1 and report.dropped.total() == 2
    told = report.to_json()
    assert told["seen"] == 5 and json.loads(json.dumps(told)) == told
    append_unit(tmp_path, Unit(name="a", judged=sampled.judged))
    assert main(["--sampled", str(tmp_path), "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_bytes()) == told
    (tmp_path / RESULTS).unlink()
    assert main(["--sampled", str(tmp_path)]) == 2


def test_the_models_word_is_the_last_filter(tmp_path: Path) -> None:
    """A model that knows nothing finds all answers about as likely as any others, and drops none."""
    screens = draw_screens(tmp_path / "screens", 1)
    sampled = sampled_of(screens)
    assert sieve(sampled)[1].dropped.total() == 0
    trainer = tiny_trainer()
    score = credible(trainer, Questions(sampled, trainer.model.visual, random.Random(0)))
    assert sieve(sampled, score)[1].dropped.total() == 0
    with_doubt, report = sieve(sampled, lambda one: one.by == "model")
    assert {one.by for one in with_doubt.judged} == {"model"}
    assert report.dropped["pointing", SCORE] == len(screens[0].elements)

"""A trainer of the bundled model's shape in the small, screens drawn without a browser, and answers about them."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from vlm.backends.settings import named_dtype
from vlm.model import Qwen25VL
from vlm.training.data.render import Element, Screen, read_screens
from vlm.training.data.words import Words
from vlm.training.judging import Answers, plan_record, point_record
from vlm.training.multimodal import Trainer
from vlm.training.questions import plan_question
from vlm.training.sampled import Judged, Sampled
from vlm.training.stages import BUNDLED

NAMES = ("Save it", "Next page", "Delete", "Your town")
TINY = replace(
    BUNDLED,
    text=replace(BUNDLED.text, hidden_size=128, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2),
    vision=replace(
        BUNDLED.vision,
        depth=1,
        hidden_size=32,
        intermediate_size=32,
        num_heads=2,
        out_hidden_size=128,
        fullatt_block_indexes=(),
    ),
)


def tiny_trainer(seed: int = 0) -> Trainer:
    """With the tower frozen, as after visual pre-training."""
    torch.manual_seed(seed)
    trainer = Trainer(Qwen25VL(TINY)).to(named_dtype("auto"))
    trainer.model.visual.requires_grad_(False)
    return trainer


def draw_screens(folder: Path, count: int = 3) -> list[Screen]:
    """Pictures of four buttons each, with their labels, as `render_screens` stores them."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        picture = Image.new("RGB", (280, 168), "white")
        pen, rows = ImageDraw.Draw(picture), []
        for place, name in enumerate(NAMES):
            left, top = 20 + 130 * (place % 2), 20 + 70 * (place // 2) + 4 * number
            pen.rectangle((left, top, left + 100, top + 30), outline="black")
            pen.text((left + 8, top + 8), name, fill="black")
            rows.append({"kind": "button", "name": name, "box": [left, top, left + 100, top + 30]})
        picture.save(folder / f"{number:06d}.png")
        lines.append(json.dumps({"image": f"{number:06d}.png", "elements": rows, "chars": []}))
    (folder / "screens.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(read_screens(folder))


def judged_plans(count: int, wrong: Sequence[str] = ("done",)) -> tuple[Judged, ...]:
    """Planning records that the model got wrong once and right once."""
    rng = random.Random(3)
    words, found = Words(rng, held_out=False), []
    while len(found) < count:
        question = plan_question(rng, words, 2)
        answers = Answers(right=1)
        answers.wrong.update(answer for answer in wrong if answer != question.answer)
        task = question.task.removeprefix("Task: ")
        record = plan_record(f"plan {len(found)}", task, question.behind, question.answer, "quiz")
        found.append(answers.judged(record))
    return tuple(found)


def judged_point(screen: Screen, element: Element, wrong: str = "click(7, 7)") -> Judged:
    """A control that the model missed."""
    answers = Answers()
    answers.wrong[wrong] += 1
    words = f'click "{element.name}" button'
    return answers.judged(
        point_record(f"{screen.image.name} {element.name}", screen.image.name, words, element, "quiz")
    )


def sampled_of(screens: Sequence[Screen], plans: int = 4) -> Sampled:
    points = [judged_point(screen, element) for screen in screens for element in screen.elements]
    return Sampled((*judged_plans(plans), *points), {screen.image.name: screen for screen in screens})

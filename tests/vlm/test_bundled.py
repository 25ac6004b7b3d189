"""The bundled weights: the same network in transformers, small enough to ship, and able to find a button."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from tiny import transformers

import vlm
from action_space.actions import points_of
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.geometry import Frame, Point, Size
from action_space.messages import Message
from agent.planner import model_frame
from environments.chromium import drawing_tab
from vlm.backends.engine import Engine
from vlm.images import preprocess

NAMES = ("Save draft", "Open folder", "Delete", "Print page", "Quit", "Help")
PAGE = (
    "<body style='margin:40px;font:18px sans-serif;background:#fafafa'><h1>Documents</h1>"
    + "".join(f"<p><button style='font:18px sans-serif;padding:8px 20px'>{name}</button></p>" for name in NAMES)
    + "</body>"
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image.Image, dict[str, Any]]:
    """A page of buttons, and where they are."""
    path = tmp_path_factory.mktemp("bundled") / "page.png"
    with drawing_tab() as tab:
        tab.set_viewport_size({"width": 800, "height": 600})
        tab.set_content(PAGE)
        boxes = {b.inner_text(): b.bounding_box() for b in tab.locator("button").all()}
        tab.screenshot(path=path)
    with Image.open(path) as image:
        return image.convert("RGB"), boxes


def prompt(picture: Image.Image, instruction: str) -> list[Message]:
    size, dialect = Size(*picture.size), load_dialect("compact")
    return dialect.prompt(Turn(instruction, picture, model_frame(Frame(size, size), dialect)), instruction)


def test_weights_are_small() -> None:
    assert sum(path.stat().st_size for path in vlm.BUNDLED.iterdir()) < 40e6


@pytest.mark.slow
def test_transformers_gives_the_same_logits_and_tokens(drawn: tuple[Image.Image, dict[str, Any]]) -> None:
    library = transformers()
    oracle = library.Qwen2_5_VLForConditionalGeneration.from_pretrained(vlm.BUNDLED, dtype=torch.float32).eval()
    tokenizer = library.AutoTokenizer.from_pretrained(vlm.BUNDLED)
    engine = Engine(vlm.BUNDLED, dtype="float32", whole=True)
    picture = drawn[0].resize((784, 588))
    assert engine.model.config.whole_cells == 400 < 28 * 21, "of such a screen it would not be shown all"
    messages = prompt(picture, 'click "Delete" button')
    chat = [
        {
            "role": m.role,
            "content": [{"type": "text", "text": c} if isinstance(c, str) else {"type": "image"} for c in m.content],
        }
        for m in messages
    ]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    patches, grid = preprocess(picture, min_pixels=3136, max_pixels=4014080)
    text = text.replace("<|image_pad|>", "<|image_pad|>" * (grid[1] * grid[2] // 4))
    ids = tokenizer(text, return_tensors="pt").input_ids
    inputs = {"pixel_values": patches, "image_grid_thw": torch.tensor([grid])}
    kinds = (ids == engine.model.config.image_token_id).long()
    with torch.no_grad():
        wanted = oracle(input_ids=ids, mm_token_type_ids=kinds, **inputs).logits
        got = engine.model(ids, **inputs).logits
        tokens = oracle.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=kinds,
            max_new_tokens=8,
            do_sample=False,
            **inputs,
        )
    torch.testing.assert_close(got[:, -1], wanted[:, -1], rtol=1e-3, atol=2e-3)
    said = tokenizer.decode(tokens[0, ids.shape[1] :], skip_special_tokens=True)
    reply = engine.generate(messages)
    assert (reply.text, reply.tokens_in) == (said, ids.shape[1]), "prompt, picture and greedy answer are the same"


@pytest.mark.slow
def test_named_buttons_are_found(drawn: tuple[Image.Image, dict[str, Any]]) -> None:
    picture, boxes = drawn
    engine, dialect = vlm.load("bundled"), load_dialect("compact")
    size = Size(*picture.size)
    frame = model_frame(Frame(size, size), dialect)
    hits = 0
    for name, box in boxes.items():
        reply = engine.generate(prompt(picture, f'click "{name}" button'))
        for point in points_of(dialect.parse(reply.text, frame)):
            hits += 0 <= point.x - box["x"] <= box["width"] and 0 <= point.y - box["y"] <= box["height"]
    assert hits >= 4, "of six large buttons with plain names"


def test_it_tells_which_place_has_a_name(drawn: tuple[Image.Image, dict[str, Any]]) -> None:
    picture, boxes = drawn
    engine = Engine(vlm.BUNDLED)
    middles = [Point(round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)) for box in boxes.values()]
    asked = engine.names_on(picture)
    named = [asked.fits(name, middles) for name in NAMES]
    right = [at for at, fits in enumerate(named) if fits.index(max(fits)) == at]
    assert len(right) >= 5, "of six; in the fonts of some machines one is missed"
    assert max(asked.fits("Subscribe", middles)) < min(max(named[at]) for at in right) - 1
    found = 0
    for name, box in boxes.items():
        best, *_ = asked.search(name, 3)
        found += 0 <= best.x - box["x"] <= box["width"] and 0 <= best.y - box["y"] <= box["height"]
    assert found >= 5

"""Icons: whose drawings are held out, what a tower should show of them, and that it learns to."""

import json
import random
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from action_space.errors import ConfigError
from action_space.geometry import Box
from environments.chromium import drawing_tab
from tests.vlm.tiny_trainer import draw_screens, tiny_trainer
from vlm.training.data import icons as sets
from vlm.training.data.icons import MEANINGS, Icons
from vlm.training.data.pages_figures import COLOURS, SHAPES
from vlm.training.data.pages_icons import icon_page
from vlm.training.data.render import Element, Screen, draw, installed_fonts, read_screens, screen_of
from vlm.training.data.sheet import Sheet
from vlm.training.data.words import Words
from vlm.training.dense import COUNTED, SLOTS, DenseTargets, dense_targets, labels_of, letter_counts
from vlm.training.icons import BLOCKS, Spelling, deepen, icon_loss, learn_icons, spelling_of
from vlm.training.pretrain import Crops
from vlm.training.run import SMOKE
from vlm.vision import VisionTower

SMALL = replace(SMOKE, crops=((112, 112, 4, 1),), pool=3)


def icon_screens(folder: Path, count: int = 3) -> Path:
    """Pictures of crosses and bars in buttons, called "Close" and "Menu"."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        picture = Image.new("RGB", (280, 168), "white")
        pen, rows = ImageDraw.Draw(picture), []
        for place in range(12):
            left, top = 10 + 44 * (place % 6) + number, 14 + 70 * (place // 6)
            if (place + number) % 2:
                pen.line((left + 8, top + 8, left + 24, top + 24), "black", 3)
                pen.line((left + 24, top + 8, left + 8, top + 24), "black", 3)
            else:
                for line in (10, 16, 22):
                    pen.line((left + 7, top + line, left + 25, top + line), "black", 2)
            name = "Close" if (place + number) % 2 else "Menu"
            rows.append({"kind": "button", "name": name, "icon": name, "box": [left, top, left + 32, top + 32]})
        picture.save(folder / f"{number:06d}.png")
        lines.append(json.dumps({"image": f"{number:06d}.png", "elements": rows, "chars": []}))
    (folder / "screens.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def lettered_screens(folder: Path) -> Path:
    """Those of `draw_screens`, said to have letters here and there."""
    draw_screens(folder)
    rows = [json.loads(line) for line in (folder / "screens.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["chars"] = [part for x in range(24, 250, 9) for part in (x, 30 + x % 60, ord("a") + x % 26)]
    (folder / "screens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_held_out_icons_are_drawn_by_others() -> None:
    sides = [Icons(held_out=held_out) for held_out in (False, True)]
    rng = random.Random(0)
    drawn = [{icons.draw(rng).svg for _ in range(300)} for icons in sides]
    assert not drawn[0] & drawn[1] and min(map(len, drawn)) > 80
    assert all("<svg" in svg and "</svg>" in svg for svg in drawn[0] | drawn[1])
    for name in ("Search", "Delete", "Settings"):
        assert all(icons.meant(rng, name) for icons in sides), "what is called so has to be learned"


def test_every_meaning_has_a_held_out_drawing() -> None:
    held_out = Icons(held_out=True)
    assert [name for name in MEANINGS if held_out.meant(random.Random(0), name) is None] == []


def test_without_icons_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"clickwright\[training\]"):
        Icons(held_out=True)


def test_a_page_of_icons_is_packed_with_them() -> None:
    rng = random.Random(5)
    fonts = installed_fonts(held_out=False)
    page = icon_page(Sheet(rng, Words(rng, held_out=False), fonts, Icons(held_out=False)))
    with drawing_tab() as tab:
        _, labels = draw(tab, page)
    found = screen_of(Path("x.png"), labels).elements
    assert len(found) > 300 and all(element.icon == element.name for element in found)
    figures = {element.name for element in found if element.name.split()[0] in COLOURS}
    assert figures & set(COLOURS) and any(name.split()[-1] in SHAPES for name in figures), "letters, and shapes"


def test_an_icon_spells_its_name_where_it_is(tmp_path: Path) -> None:
    labels = labels_of(next(read_screens(icon_screens(tmp_path / "icons"))))
    whole = dense_targets(labels, 0, 0, 280, 168).spelled.view(6, 10, COUNTED)
    assert whole[1, 0].tolist() == letter_counts("Menu") and whole[1, 2].tolist() == letter_counts("Close")
    assert not whole[2].any(), "between the rows"
    assert sum(letter_counts("Zoom in 2")) == 7 and letter_counts("zoom IN 2") == letter_counts("Zoom in 2")
    cut = dense_targets(labels, 20, 28, 112, 112).spelled.view(4, 4, COUNTED)
    assert cut[0, 0].isnan().all(), "the upper part of it is outside"


def test_of_two_icons_in_a_cell_neither_is_spelled() -> None:
    icons = [
        Element("button", "x", Box(left, 30, left + 12, 42), icon=name) for left, name in ((30, "Hide"), (42, "Cut"))
    ]
    labels = labels_of(Screen(Path("x.png"), (*icons, Element("button", "x", Box(70, 30, 82, 42), icon="Cut")), ()))
    spelled = dense_targets(labels, 0, 0, 112, 112).spelled.view(4, 4, COUNTED)
    assert spelled[1, 1].isnan().all() and spelled[1, 2].tolist() == letter_counts("Cut")
    assert spelled.isnan().any(2).sum() == 1


def test_what_only_a_part_of_an_icon_shows_is_unknown_but_for_text() -> None:
    wide = Element("button", "x", Box(60, 60, 100, 80), icon="Cut")  # its middle: 68 to 92, 64 to 76
    chars = ((90, 70, "a"),)
    for written, parts in (((), 1), (chars, 0)):
        labels = labels_of(Screen(Path("x.png"), (wide,), written))
        spelled = dense_targets(labels, 0, 0, 112, 112).spelled.view(4, 4, COUNTED)
        assert spelled[2, 2].tolist() == letter_counts("Cut") and spelled.isnan().any(2).sum() == parts
        assert spelled[2, 3].isnan().all() == bool(parts)
        above = dense_targets(labels, 0, 84, 112, 112).spelled
        assert not above.isnan().any(), "nothing of it is on this one"


def targets_of(spelled: torch.Tensor, written: int = 0) -> DenseTargets:
    """Of cells with these icons' letters, the first of which show text."""
    cells = len(spelled)
    chars = torch.zeros(cells, SLOTS, dtype=torch.long)
    chars[:written, 0] = 1
    return DenseTargets(chars, torch.zeros(cells, dtype=torch.long), torch.full((cells, 4), torch.nan), spelled)


def test_what_shows_no_icon_is_kept() -> None:
    shown, letters = torch.randn(4, 8), torch.randn(COUNTED, 8)
    nothing = Spelling(letters, torch.zeros(8, COUNTED), torch.zeros(COUNTED))
    spelled = torch.zeros(4, COUNTED)
    spelled[1, :5], spelled[2], spelled[3, 5:9] = 1, torch.nan, 1
    wanted = shown + spelled.nan_to_num() @ letters
    wanted[2] = 1e3  # cut off: nothing is asked of it
    targets = targets_of(spelled, written=1)
    loss, figures = icon_loss(wanted, shown, targets, nothing)
    assert loss.item() < 0.01 and figures["spelled"] > 0.999 and figures["told"] == 1 and figures["changed"] < 1e-9
    loss, figures = icon_loss(shown, shown, targets, nothing)
    assert loss.item() > 0 and abs(figures["spelled"]) < 1e-6
    assert icon_loss(wanted + 1, shown, targets, nothing)[1]["changed"] > 0.1
    no_icons, figures = icon_loss(shown + 1, shown, targets_of(torch.zeros(4, COUNTED)), nothing)
    assert no_icons.item() > 0 and figures.keys() == {"blank"}


def test_text_is_kept_however_much_of_a_page_is_blank() -> None:
    shown = torch.randn(100, 8)
    nothing = Spelling(torch.zeros(COUNTED, 8), torch.zeros(8, COUNTED), torch.zeros(COUNTED))
    targets, text, blank = targets_of(torch.zeros(100, COUNTED), written=4), shown.clone(), shown.clone()
    text[:4] += 1
    blank[4:] += 1
    losses = [icon_loss(tokens, shown, targets, nothing)[0].item() for tokens in (text, blank)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_what_is_spelled_already_is_not_added_again() -> None:
    adds = torch.linalg.qr(torch.randn(COUNTED, COUNTED)).Q
    spelling, spelled = Spelling(adds, adds.T, torch.zeros(COUNTED)), torch.zeros(3, COUNTED)
    spelled[0, :5], spelled[1, 5:9] = 1, 1
    whole, half, targets = spelled @ adds, 0.5 * spelled @ adds, targets_of(spelled)
    assert icon_loss(whole, half, targets, spelling)[1]["spelled"] == pytest.approx(1, abs=1e-5)
    assert icon_loss(half, half, targets, spelling)[1]["spelled"] == pytest.approx(0.75, abs=1e-5), "of the square"
    losses = [icon_loss(tokens, half, targets, spelling)[0].item() for tokens in (whole, half, whole + half)]
    assert min(losses) == losses[0]


def deepened() -> VisionTower:
    model = tiny_trainer().model
    deepen(model)
    return model.visual


def test_new_blocks_change_nothing_yet(tmp_path: Path) -> None:
    model = tiny_trainer().model
    patches, grids, _ = Crops(icon_screens(tmp_path / "icons"), 9, start=3).batch(112, 112, 2)
    with torch.no_grad():
        before, depth = model.visual(patches, grids), model.config.vision.depth
        deepen(model)
        assert torch.equal(model.visual(patches, grids), before)
    assert model.config.vision.depth == depth + BLOCKS == len(model.visual.blocks)


def test_a_tower_learns_icons_and_goes_on(tmp_path: Path) -> None:
    screens, icons = lettered_screens(tmp_path / "screens"), icon_screens(tmp_path / "icons")
    tower = deepened()
    before = deepcopy(tower)
    spelling = spelling_of(before, Crops(screens, 1, start=3), SMALL)

    def far(tower: VisionTower) -> float:
        patches, grids, targets = Crops(icons, 9, start=3).batch(112, 112, 12)
        with torch.no_grad():
            return icon_loss(tower(patches, grids), before(patches, grids), targets, spelling)[0].item()

    def learn(tower: VisionTower, minutes: float) -> int:
        learn_icons(tower, screens, icons, tmp_path, minutes=minutes, seed=1, amounts=SMALL)
        return int(torch.load(tmp_path / "icons.pt", weights_only=True)["step"])

    at_first = far(tower)
    steps = learn(tower, 0.05)
    assert learn(tower, 0.1) > steps, "it goes on"
    moved = [
        max((now - then).abs().max().item() for now, then in zip(part.parameters(), old.parameters(), strict=True))
        for part, old in zip(tower.blocks, before.blocks, strict=True)
    ]
    assert 0 < max(moved[:-BLOCKS]) < 0.5 * min(moved[-BLOCKS:]), "the old blocks follow slowly"
    learned = far(tower)
    assert learned < 0.8 * at_first and not any(p.requires_grad for p in tower.parameters())
    again = deepcopy(before)
    learn(again, 0.1)
    assert far(again) == learned, "a stage that is done is only loaded"


def test_letters_are_told_by_least_squares(tmp_path: Path) -> None:
    folder = lettered_screens(tmp_path / "screens")

    class Linear(torch.nn.Module):
        """Shows of a cell what its letters say, which are told to it."""

        def forward(self, *_: object) -> torch.Tensor:
            return told.counts().nan_to_num() @ added + 3

    class Told(Crops):
        def batch(self, width: int, height: int, count: int):  # noqa: ANN202
            nonlocal told
            made = super().batch(width, height, count)
            told = made[2]
            return made

    told, added = None, torch.randn(COUNTED, 8)
    found = spelling_of(Linear(), Told(folder, 1, start=3), SMALL)  # type: ignore[arg-type]
    assert torch.allclose(found.adds[:26], added[:26], atol=1e-3)

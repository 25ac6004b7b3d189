"""Which place is called what was asked for: the network that tells, how it is taught, and where a model brings it."""

import random
import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from action_space.errors import ConfigError, ModelError
from action_space.geometry import Box, Point
from tests.vlm.test_training_icons import icon_screens
from tests.vlm.tiny_trainer import TINY, draw_screens, tiny_trainer
from vlm.backends.base import Names
from vlm.backends.engine import Engine
from vlm.beside import save_beside
from vlm.convert import average
from vlm.naming import (
    CELL,
    COLUMNS,
    FILE,
    PIXELS,
    ROWS,
    Eye,
    Held,
    Naming,
    letters_of,
    load_naming,
    squares,
    windows,
)
from vlm.training import naming as learning
from vlm.training.data.render import Drawn, Element, Figure
from vlm.training.export import export
from vlm.training.naming import PAGES, Places, draw_places, learn_names, naming_loss
from vlm.training.pool import Control, EncodedScreen, Pool
from vlm.training.pretrain import Crops
from vlm.training.run import SMOKE


def test_a_window_is_centred_and_empty_beside_the_picture() -> None:
    tokens = torch.arange(1.0, 13.0).view(3, 4, 1)
    corner, inside = windows(tokens, torch.tensor([[0, 0], [1, 2]]))
    assert corner.shape == (ROWS, COLUMNS, 1)
    assert corner[ROWS // 2, COLUMNS // 2] == 1 and inside[ROWS // 2, COLUMNS // 2] == 7
    assert corner[: ROWS // 2].abs().sum() == 0 and corner[:, : COLUMNS // 2].abs().sum() == 0
    assert corner.sum() == inside.sum() == tokens.sum()


@pytest.mark.parametrize(("one", "other"), [("Save", "save"), ("straße", "straẞe"), ("  a  b ", "a b"), ("", "   ")])
def test_case_and_blanks_do_not_matter(one: str, other: str) -> None:
    assert letters_of(one) == letters_of(other)


def test_the_order_of_letters_and_words_of_letters_matter() -> None:
    assert len({tuple(letters_of(name)) for name in ("Tac", "Cat", "Ca t", "Cät", "Cat 2", "Cat 3")}) == 6
    assert all(letters_of(name) for name in ("", "保存", "🙂", "x" * 1000))


def test_it_learns_which_place_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "PACKED", 8)
    monkeypatch.setattr(learning, "SHOWN", 3)
    draw_screens(tmp_path / "screens")
    pool = Pool(tmp_path / "screens", tiny_trainer().model.visual, 1, pixels=True)
    packed = Crops(icon_screens(tmp_path / "icons"), 1, start=3)
    for _ in range(3):
        pool.grow()
    torch.manual_seed(1)
    naming = Naming(TINY.vision.out_hidden_size)
    optimizer = torch.optim.AdamW(naming.parameters(), 0.003)
    losses = []
    for _ in range(40):
        loss, figures = naming_loss(naming, draw_places(pool.rng, pool.screens, packed))
        losses.append(figures)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert losses[-1]["best"] < losses[0]["best"] / 2 and losses[-1]["fits"] < losses[0]["fits"] / 2
    assert losses[-1]["told"] > losses[0]["told"] + 0.3 and losses[-1]["found"] > losses[0]["found"] + 0.3


def test_an_icon_is_told_by_its_pixels_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "PACKED", 16)
    draw_screens(tmp_path / "screens")
    pool = Pool(tmp_path / "screens", tiny_trainer().model.visual, 1, pixels=True)
    pool.grow()
    packed = Crops(icon_screens(tmp_path / "icons"), 1, start=3)
    torch.manual_seed(1)
    naming = Naming(TINY.vision.out_hidden_size)
    optimizer = torch.optim.AdamW(naming.parameters(), 0.003)

    def icons() -> Places:
        drawn = draw_places(pool.rng, pool.screens, packed)
        first = len(drawn.tokens)
        assert {names[0].removesuffix(" icon") for names in drawn.names[first:]} == {"close", "menu"}
        assert drawn.screens[first:].unique().numel() == PAGES
        return Places(drawn.tokens[:0], drawn.at[:0], drawn.pixels[first:], drawn.names[first:], drawn.screens[first:])

    for _ in range(40):
        loss, _ = naming_loss(naming, icons())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        assert naming_loss(naming, icons())[1]["told"] > 0.95


def test_squares_are_centred_and_go_on_beside_the_picture() -> None:
    picture = (torch.arange(60)[None, :] + torch.arange(80)[:, None]).to(torch.uint8).expand(3, -1, -1)
    middle, corner = squares(picture, torch.tensor([(30, 40), (0, 0)]))
    half = PIXELS // 2
    assert middle.shape == corner.shape == (3, PIXELS, PIXELS)
    assert middle[0, half, half] == 70 and middle[2, 0, 0] == 70 - 2 * half and middle[1, half, half + 1] == 71
    assert corner[0, : half + 1, : half + 1].unique().tolist() == [0] and corner[0, half, half + 5] == 5


def test_how_light_an_icon_is_does_not_matter() -> None:
    torch.manual_seed(1)
    icon = torch.randint(60, 120, (1, 3, PIXELS, PIXELS), dtype=torch.uint8)
    plain, lighter, blank = Eye()(torch.cat((icon, icon + 100, torch.full_like(icon, 7))))
    assert torch.allclose(plain, lighter, atol=1e-5) and blank.isfinite().all() and not torch.allclose(plain, blank)


def test_a_label_beside_a_field_is_not_what_is_called_so(tmp_path: Path) -> None:
    rows, columns = 6, 20
    cells = torch.zeros(rows, columns, dtype=torch.bool)
    area, label = cells.clone(), cells.clone()
    area[3, 4:12], label[2, 4:7] = True, True
    box = Box(4 * CELL, 3 * CELL, 12 * CELL, 4 * CELL)
    field = Control(Element("field", "Your town", box), box, area, label)
    tokens = torch.arange(rows * columns, dtype=torch.float).view(rows, columns, 1)
    pixels = torch.zeros(3, rows * CELL, columns * CELL, dtype=torch.uint8)
    screen = EncodedScreen(tokens, cells, (field,), ~cells, "your town", pixels=pixels)
    packed = Crops(icon_screens(tmp_path / "icons"), 1, start=3)
    named, nothing = set(), set()
    for seed in range(40):
        places = draw_places(random.Random(seed), [screen], packed)
        middles = places.tokens[:, ROWS // 2, COLUMNS // 2, 0].long().tolist()
        for name, cell in zip(places.names, middles, strict=False):  # behind these are icons
            (named if name else nothing).add(divmod(cell, columns))
    assert named == {(3, column) for column in range(4, 12)}
    assert not nothing & named and nothing > {(2, 4), (2, 5), (2, 6)}


def test_where_a_name_is_only_mentioned_is_nothing_called_so(tmp_path: Path) -> None:
    rows, columns = 6, 40
    cells = torch.zeros(rows, columns, dtype=torch.bool)
    area = cells.clone()
    area[3, 2:4] = True
    box, mention = Box(2 * CELL, 3 * CELL, 4 * CELL, 4 * CELL), Box(30 * CELL, 0, 32 * CELL, CELL)
    link = Control(Element("link", "tides", box), box, area, area, (mention,))
    pixels = torch.zeros(3, rows * CELL, columns * CELL, dtype=torch.uint8)
    tokens = torch.arange(rows * columns, dtype=torch.float).view(rows, columns, 1)
    screen = EncodedScreen(tokens, cells, (link,), ~cells, "tides", pixels=pixels)
    packed = Crops(icon_screens(tmp_path / "icons"), 1, start=3)
    places = draw_places(random.Random(1), [screen], packed)
    middles = places.tokens[:, ROWS // 2, COLUMNS // 2, 0].long().tolist()
    far = [name for name, cell in zip(places.names, middles, strict=False) if cell % columns > 20]
    assert far == [()]


def test_the_words_of_an_entry_are_never_nothing(tmp_path: Path) -> None:
    rows, columns = 6, 20
    cells = torch.zeros(rows, columns, dtype=torch.bool)
    area, drawn = cells.clone(), cells.clone()
    area[3, 18], drawn[3, :] = True, True
    written = area.clone()
    written[3, 1:4] = True
    box = Box(18 * CELL, 3 * CELL, 19 * CELL, 4 * CELL)
    icon = Control(Element("button", "Delete Smith", box, icon="Delete"), box, area, written)
    pixels = torch.zeros(3, rows * CELL, columns * CELL, dtype=torch.uint8)
    tokens = torch.arange(rows * columns, dtype=torch.float).view(rows, columns, 1)
    screen = EncodedScreen(tokens, drawn, (icon,), ~cells, "delete smith", pixels=pixels)
    packed, found = Crops(icon_screens(tmp_path / "icons"), 1, start=3), dict[str, set[tuple[int, int]]]()
    for seed in range(40):
        places = draw_places(random.Random(seed), [screen], packed)
        middles = places.tokens[:, ROWS // 2, COLUMNS // 2, 0].long().tolist()
        for names, cell in zip(places.names, middles, strict=False):
            found.setdefault(names[0] if names else "", set()).add(divmod(cell, columns))
    words = {(3, column) for column in (1, 2, 3)}
    assert {"delete smith", "delete"} <= {*found} and found["smith"] == words and not found[""] & words
    assert found[""] > {(3, column) for column in range(4, 17)}


def test_all_that_one_may_call_a_figure_fits_it(tmp_path: Path) -> None:
    rows, columns = 6, 20
    cells = torch.zeros(rows, columns, dtype=torch.bool)
    circle, square = Box(2 * CELL, 3 * CELL, 3 * CELL, 4 * CELL), Box(9 * CELL, 3 * CELL, 10 * CELL, 4 * CELL)
    figures = (Figure(("red", "circle", "red circle"), circle), Figure(("red", "square", "red square"), square))
    control = Control(Element("button", "circle", circle), circle, cells, cells)
    pixels = torch.zeros(3, rows * CELL, columns * CELL, dtype=torch.uint8)
    tokens = torch.arange(rows * columns, dtype=torch.float).view(rows, columns, 1)
    screen = EncodedScreen(tokens, cells, (control,), ~cells, "circle", figures, pixels)
    packed, asked = Crops(icon_screens(tmp_path / "icons"), 1, start=3), dict[int, set[str]]()
    for seed in range(40):
        places = draw_places(random.Random(seed), [screen], packed)
        middles = places.tokens[:, ROWS // 2, COLUMNS // 2, 0].long().tolist()
        for names, cell in zip(places.names, middles, strict=False):
            assert {*names} in ({*figures[0].names}, {*figures[1].names}, set())
            asked.setdefault(cell % columns, set()).update(names[:1])
    assert asked[2] == {*figures[0].names} and asked[9] == {*figures[1].names}


def test_of_two_places_that_are_called_so_either_is_right() -> None:
    places = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    naming = _Fits({"red": [1.0, 1.0, 0], "square": [0, 1.0, 0], "blue": [0, 0, 1.0]}, places)
    names = (("red", "circle"), ("square", "red"), ("blue", "square"))
    drawn = Places(torch.zeros(3, 1), torch.zeros(3, 2), torch.zeros(3, 1), names, torch.zeros(3, dtype=torch.long))
    loss, figures = naming_loss(naming, drawn)
    assert figures["told"] == 1 and figures["found"] == 1 and figures["best"] < 0.01
    wrong, figures = naming_loss(naming, replace(drawn, names=(("red",), ("square",), ("blue", "square"))))
    assert figures["fits"] > 1 and wrong > loss + 1, "the second place is called red, it says"


class _Fits(Naming):
    """What fits is written down: for each name, which of three places."""

    def __init__(self, fits: dict[str, list[float]], places: torch.Tensor) -> None:
        super().__init__(1)
        self.fitting, self.three = fits, places

    def places(self, *_: torch.Tensor) -> torch.Tensor:
        return self.three

    def names(self, names: Sequence[str]) -> torch.Tensor:
        return torch.tensor([self.fitting[name] for name in names])

    def forward(self, places: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
        return 20 * (places @ names.T) - 10


def test_a_colour_that_is_all_around_is_told() -> None:
    torch.manual_seed(1)
    naming, colours = Naming(4), {"red": (220, 20, 30), "green": (20, 160, 40), "navy": (10, 10, 130)}
    optimizer = torch.optim.AdamW(naming.parameters(), 0.003)

    def boxes() -> Places:
        pixels = torch.tensor(list(colours.values()), dtype=torch.float)[:, :, None, None] + 20 * torch.rand(3, 1, 1, 1)
        names = tuple((name,) for name in colours)
        return Places(
            torch.zeros(3, ROWS, COLUMNS, 4),
            torch.full((3, 2), 0.5),
            pixels.to(torch.uint8).expand(3, 3, PIXELS, PIXELS),
            names,
            torch.arange(3),
        )

    for _ in range(60):
        loss, _ = naming_loss(naming, boxes())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        assert naming_loss(naming, boxes())[1]["told"] == 1


def test_the_stage_goes_on_from_what_it_saved(tmp_path: Path) -> None:
    draw_screens(tmp_path / "screens")
    drawn = Drawn(tmp_path / "screens", tmp_path / "none", icon_screens(tmp_path / "icons"))
    tower = tiny_trainer().model.visual
    first = learn_names(tower, drawn, tmp_path, minutes=0.001, seed=1, amounts=SMOKE)
    again = learn_names(tower, drawn, tmp_path, minutes=0.001, seed=1, amounts=SMOKE)
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), again.parameters(), strict=True))
    further = learn_names(tower, drawn, tmp_path / "on", minutes=0.001, seed=1, amounts=SMOKE, before=deepcopy(first))
    moved = [
        (one - other).abs().max().item() for one, other in zip(first.parameters(), further.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1, "a step on from there"


def test_another_place_of_the_same_control_is_as_good() -> None:
    naming = _Told({"save": 0, "next": 1})
    at = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    pixels = torch.zeros(4, 3, PIXELS, PIXELS, dtype=torch.uint8)
    names, screens = (("save",), ("save",), ("next",), ()), torch.zeros(4, dtype=torch.long)
    places = Places(torch.zeros(4, ROWS, COLUMNS, 4), at, pixels, names, screens)
    _, figures = naming_loss(naming, places)
    assert figures["best"] < 0.01 and figures["fits"] < 0.01
    assert figures["told"] == figures["found"] == 1.0


class _Told(Naming):
    """Knows each name's number, and takes for a place's number what is given as its position across."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__(4)
        self.numbers = numbers

    def places(self, tokens: torch.Tensor, at: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return torch.eye(3)[at[:, 0].long()]

    def names(self, names: list[str]) -> torch.Tensor:  # type: ignore[override]
        return torch.eye(3)[[self.numbers[name] for name in names]]

    def forward(self, places: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
        return 20 * (places @ names.T) - 10


class _Near(Naming):
    """A place is its position, and a name fits where that is nearest to its spot, in cells."""

    def __init__(self, **spots: tuple[float, float]) -> None:
        super().__init__(4)
        self.spots = spots

    def places(self, tokens: torch.Tensor, at: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return tokens[:, ROWS // 2, COLUMNS // 2, :2] + at

    def names(self, names: Sequence[str]) -> torch.Tensor:
        return torch.tensor([self.spots.get(name, (-99.0, -99.0)) for name in names])

    def forward(self, places: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
        return 5 - 10 * torch.cdist(places, names)


def picture_of(rows: int, columns: int, hidden: tuple[int, int] | None = None) -> Held:
    """Of a picture whose tokens say where they are, in cells."""
    shown = torch.ones(rows, columns, dtype=torch.bool)
    if hidden:
        shown[hidden] = False
    across, down = torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy")
    tokens = torch.stack((across, down, across, down), -1).float()
    return Held(tokens, torch.zeros(3, rows * CELL, columns * CELL, dtype=torch.uint8), shown)


def test_a_name_is_searched_for_all_over_a_picture() -> None:
    naming = _Near(save=(12.8, 3.1), edge=(0.2, 0.2))
    found = naming.search(picture_of(10, 20), "save", 3)
    assert found[0] == pytest.approx(((12 + 5 / 6) / 20, (3 + 1 / 6) / 10), abs=1e-4)
    assert naming.search(picture_of(10, 20), "edge", 1)[0] == pytest.approx((1 / 6 / 20, 1 / 6 / 10), abs=1e-4)
    hidden = naming.search(picture_of(10, 20, hidden=(3, 12)), "save", 3)
    assert hidden and all((int(x * 20), int(y * 10)) != (12, 3) for x, y in hidden), "not where nothing is shown"
    assert len(naming.search(picture_of(1, 1), "save", 5)) == 1


def test_the_first_words_may_be_on_it_and_the_others_on_its_line() -> None:
    naming = _Near(delete=(15.5, 3.5), Smith=(2.5, 4.5), Jones=(2.5, 7.5))
    held = picture_of(10, 20)
    bin_, beside = ((15.5 / 20, 3.5 / 10), (9.5 / 20, 3.5 / 10))
    fits = naming.fits(held, [bin_, beside], "delete Smith")
    assert fits[0] > 4 > -4 > fits[1]
    assert naming.fits(held, [bin_], "delete Jones")[0] < -4, "that is on another line"
    assert naming.fits(held, [bin_], "Smith delete")[0] < -4, "what is on it comes first"
    assert naming.fits(held, [bin_], "delete" + " Smith" * 40)[0] < -4
    assert all(map(isfinite, naming.fits(held, [bin_, beside], "")))


def test_a_name_is_parted_by_what_is_there() -> None:
    naming = _Near(**{"more options": (15.5, 3.5), "Anna Smith": (2.5, 4.5), "more": (0.5, 0.5), "Smith": (8.5, 8.5)})
    held = picture_of(10, 20)
    assert naming.parted(held, "more options Anna Smith") == ("more options", "Anna Smith")
    assert naming.parted(held, "more Smith") == ("more", "Smith")
    assert naming.parted(held, "more") is None
    assert naming.parted(held, "") is None


def test_a_name_is_searched_for_along_a_line() -> None:
    naming = _Near(delete=(15.5, 3.5))
    held = picture_of(10, 20)
    assert naming.along(held, "delete", 0.32) == pytest.approx((15.5 / 20, 0.32))
    assert naming.along(held, "delete", 1.0) == pytest.approx((15.5 / 20, 1.0), abs=1e-4)
    hidden = picture_of(10, 20, hidden=(3, 15))
    found = naming.along(hidden, "delete", 0.35)
    assert found is not None and int(found[0] * 20) != 15
    assert naming.along(picture_of(1, 1, hidden=(0, 0)), "delete", 0.5) is None, "nothing is shown there"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    torch.manual_seed(3)
    export(tiny_trainer(), folder, Naming(TINY.vision.out_hidden_size))
    return folder


def test_an_engine_asks_what_the_checkpoint_brings(checkpoint: Path) -> None:
    engine = Engine(checkpoint, dtype="float32")
    assert isinstance(engine, Names)
    picture = Image.new("RGB", (644, 336), "white")
    picture.paste("black", (30, 40, 200, 60))
    points = [Point(40, 50), Point(600, 300), Point(0, 0), Point(643, 335)]
    found = engine.names_on(picture).fits("Save", points)
    assert len(set(found)) == 4
    # The same as on all tokens of the whole picture, where those of blank cells are zero.
    shown = engine.shown(picture, engine.min_pixels, engine.max_pixels)
    tokens = engine.model.visual(engine.patches(shown), [shown.grid]).view(12, 23, -1)
    naming = load_naming(checkpoint, TINY.vision.out_hidden_size)
    assert naming is not None
    with torch.inference_mode():
        cells = torch.tensor([(point.y // CELL, point.x // CELL) for point in points])
        at = torch.tensor([(point.x % CELL / CELL, point.y % CELL / CELL) for point in points])
        around = squares(
            torch.tensor(np.asarray(picture)).permute(2, 0, 1), torch.tensor([(point.x, point.y) for point in points])
        )
        wanted = naming(naming.places(windows(tokens, cells), at, around), naming.names(["Save"]))[:, 0]
    assert found == pytest.approx(wanted.tolist(), abs=1e-3)


def test_cells_that_are_not_shown_are_empty(checkpoint: Path) -> None:
    engine = Engine(checkpoint, dtype="float32")
    picture = Image.new("RGB", (1288, 728), "white")
    picture.paste("black", (30, 40, 200, 60))
    middles = [Point(column * CELL + CELL // 2, row * CELL + CELL // 2) for column, row in ((2, 1), (35, 21), (32, 17))]
    found = engine.names_on(picture).fits("Save", middles)
    assert found[1] == pytest.approx(found[2], abs=1e-4) != found[0]


def test_an_engine_searches_what_it_shows(checkpoint: Path) -> None:
    engine = Engine(checkpoint, dtype="float32")
    picture = Image.new("RGB", (1288, 728), "white")
    picture.paste("black", (30, 40, 200, 60))
    asked = engine.names_on(picture)
    found = asked.search("Save", 3)
    assert 1 <= len(found) <= 3
    fits = asked.fits("Save", found)
    assert fits == sorted(fits, reverse=True)
    shown = engine.shown(picture, engine.min_pixels, engine.max_pixels)
    assert shown.kept is not None
    cells = shown.kept.view(26, 46)
    assert all(cells[point.y // CELL, point.x // CELL] for point in found)


def test_an_engine_answers_in_pixels_of_the_picture_it_was_given(checkpoint: Path) -> None:
    engine = Engine(checkpoint, dtype="float32")
    picture = Image.new("RGB", (650, 340), "white")
    picture.paste("black", (30, 40, 600, 300))
    asked = engine.names_on(picture)
    for y in (50, 299):
        found = asked.along("Save", y)
        assert found is not None and found.y == y and 0 <= found.x < 650
    assert asked.parted("Save") is None
    parts = asked.parted("Save the file")
    assert parts is not None and " ".join(parts) == "Save the file"


def test_a_checkpoint_without_it_does_not_tell(checkpoint: Path) -> None:
    assert Engine(checkpoint).knows_names
    (checkpoint / FILE).unlink()
    engine = Engine(checkpoint)
    assert not engine.knows_names
    with pytest.raises(ModelError, match="has not learned to tell names"):
        engine.names_on(Image.new("RGB", (280, 168)))


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04nothing"])
def test_a_broken_file_is_named(checkpoint: Path, content: bytes) -> None:
    (checkpoint / FILE).write_bytes(content)
    with pytest.raises(ModelError, match=FILE):
        Engine(checkpoint)


def test_one_of_another_width_is_named(checkpoint: Path) -> None:
    torch.save(Naming(TINY.vision.out_hidden_size + 4).state_dict(), checkpoint / FILE)
    with pytest.raises(ModelError, match=FILE):
        Engine(checkpoint)


def test_weights_are_stored_to_a_127th_of_the_largest_of_their_row(tmp_path: Path) -> None:
    naming = Naming(8)
    save_beside(naming, tmp_path / FILE)
    loaded = load_naming(tmp_path, 8)
    assert loaded is not None
    assert (tmp_path / FILE).stat().st_size < 1.4 * sum(weight.numel() for weight in naming.parameters())
    for one, other in zip(naming.parameters(), loaded.parameters(), strict=True):
        rows, stored = (
            weight.detach().reshape(len(weight), -1) if weight.ndim else weight.detach().view(1, 1)
            for weight in (one, other)
        )
        assert ((rows - stored).abs() <= rows.abs().amax(1, keepdim=True) / 200).all()


def test_a_mean_of_checkpoints_has_the_mean_of_what_all_bring(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    naming = load_naming(other, TINY.vision.out_hidden_size)
    assert naming is not None
    with torch.no_grad():
        naming.bias += 2
    save_beside(naming, other / FILE)
    average([checkpoint, other], tmp_path / "mean")
    mean = load_naming(tmp_path / "mean", TINY.vision.out_hidden_size)
    assert mean is not None and mean.bias.item() == pytest.approx(naming.bias.item() - 1)
    (other / FILE).unlink()
    average([checkpoint, other], tmp_path / "kept")
    assert (tmp_path / "kept" / FILE).read_bytes() == (checkpoint / FILE).read_bytes()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=FILE):
        save_beside(Naming(4), tmp_path / "nowhere" / FILE)

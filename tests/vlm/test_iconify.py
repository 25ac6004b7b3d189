"""Icons of @iconify/json: which sets and drawings are taken, and what they are said to show."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from action_space.errors import ConfigError
from vlm.training.data.iconify import PLACE, iconify_icons, thing_of
from vlm.training.data.icons import Icons

LINE = '<path fill="currentColor" d="M0 0h9v9z"/>'


def package(folder: Path, sets: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> Path:
    place = folder / "node_modules" / PLACE
    (place / "json").mkdir(parents=True)
    about = {name: {"license": {"spdx": "MIT"}, "palette": False} | facts for name, (facts, _) in sets.items()}
    (place / "collections.json").write_text(json.dumps(about), encoding="utf-8")
    for name, (_, icons) in sets.items():
        (place / "json" / f"{name}.json").write_text(json.dumps({"prefix": name} | icons), encoding="utf-8")
    return folder


def drawings(*names: str, body: str = LINE) -> dict[str, Any]:
    return {"icons": {name: {"body": body} for name in names}}


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("home", "home"),
        ("home-2-outline", "home"),
        ("baseline-arrow-back", "arrow-back"),
        ("arrow-left-20-filled", "arrow-left"),
        ("house01", "house"),
        ("search-line-duotone", "search"),
        ("outline", "outline"),
        ("123", "123"),
        ("4k", "4k"),
    ],
)
def test_what_tells_how_it_is_drawn_is_no_name(name: str, thing: str) -> None:
    assert thing_of(name) == thing


def test_sets_of_other_things_and_of_the_held_out_hands_are_left_out(tmp_path: Path) -> None:
    package(
        tmp_path,
        {
            "good": ({"category": "UI 24px"}, drawings("save")),
            "logos": ({"category": "Logos"}, drawings("brand")),
            "coloured": ({"palette": True}, drawings("red")),
            "sharealike": ({"license": {"spdx": "CC-BY-SA-4.0"}}, drawings("sa")),
            "copyleft": ({"license": {"spdx": "GPL-3.0"}}, drawings("gpl")),
            "unknown": ({"license": {}}, drawings("none")),
            "lucide": ({}, drawings("l")),
            "heroicons-outline": ({}, drawings("h")),
            "feather": ({}, drawings("f")),
        },
    )
    assert [name for name, _ in iconify_icons(tmp_path)] == ["save"]


def test_a_drawing_keeps_its_box_and_takes_the_colour_of_the_text(tmp_path: Path) -> None:
    icons = {"width": 32, "icons": {"a": {"body": LINE}, "b": {"body": LINE, "left": -2, "height": 24, "width": 20}}}
    package(tmp_path, {"one": ({}, icons)})
    assert dict(iconify_icons(tmp_path)) == {
        "a": f'<svg class=ic viewBox="0 0 32 16" fill=none>{LINE}</svg>',
        "b": f'<svg class=ic viewBox="-2 0 20 24" fill=none>{LINE}</svg>',
    }


def test_what_moves_or_is_huge_is_left_out_and_of_many_variants_some(tmp_path: Path) -> None:
    moving = {"icons": {"wait": {"body": "<path><animate/></path>"}, "much": {"body": LINE * 1000}}}
    package(tmp_path, {"a": ({}, moving), "b": ({}, drawings(*(f"save-{size}-filled" for size in range(10, 30))))})
    assert [name for name, _ in iconify_icons(tmp_path)] == ["save"] * 4


def test_they_are_among_those_to_train_on_and_nowhere_else(tmp_path: Path) -> None:
    package(tmp_path, {"one": ({}, drawings("zzz-outline"))})
    drawn = Icons(held_out=False, folder=tmp_path)
    found = {icon.name: icon.svg for icon in (drawn.draw(Random(seed), 0.0) for seed in range(20_000))}
    assert LINE in found["Zzz"]
    assert not list(iconify_icons(tmp_path / "elsewhere"))
    assert all(LINE not in Icons(held_out=True, folder=tmp_path).draw(Random(seed)).svg for seed in range(50))


@pytest.mark.parametrize(
    ("file", "content"),
    [("collections.json", "{"), ("collections.json", '{"one": 3}'), ("json/one.json", "[]"), ("json/one.json", "{}")],
)
def test_a_broken_package_is_named(tmp_path: Path, file: str, content: str) -> None:
    package(tmp_path, {"one": ({}, drawings("save"))})
    (tmp_path / "node_modules" / PLACE / file).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="install them again"):
        list(iconify_icons(tmp_path))

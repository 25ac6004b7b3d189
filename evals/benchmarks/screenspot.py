"""ScreenSpot and ScreenSpot-v2: `screenspot_{mobile,desktop,web}[_v2].json`.

Rows are `{img_filename, bbox, instruction, data_type, data_source}`. Two conventions of boxes are about, and told
apart by their values: x, y, width, height in pixels (the originals), and left, top, right, bottom between 0 and 1
(re-uploads). Normalised boxes are scaled to pixels where the picture is there; else coordinates are 0 to 1. Without
pictures the originals have no screen size: the rule does not need one, the baselines centre and random do.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

from evals.benchmarks.reading import Broken, Corners, Record, Row, Source, groups, json_rows
from evals.protocols.values import Act, Region, Step

FOLDERS = ("", "screenspot_imgs", "screenspotv2_image", "images", "img")
"""Where pictures are looked for, below the data's folder."""


class Question(Record):
    img_filename: str
    bbox: Corners
    instruction: str
    data_type: str = ""
    data_source: str = ""


def rows_v1(folder: Path) -> Iterator[Row | Broken]:
    names = [f"screenspot_{platform}.json" for platform in ("mobile", "desktop", "web")]
    return json_rows(folder, names, "ScreenSpot")


def rows_v2(folder: Path) -> Iterator[Row | Broken]:
    names = [f"screenspot_{platform}_v2.json" for platform in ("mobile", "desktop", "web")]
    return json_rows(folder, names, "ScreenSpot-v2")


def steps(row: Row, folder: Path) -> Iterator[Step]:
    question = Question.model_validate(row.data)
    file, _, number = row.where.rpartition(":")
    image, size = find_picture(folder, question.img_filename)
    if is_normalised(question.bbox):
        size = size or (1.0, 1.0)
        box = Region(*(value * size[side % 2] for side, value in enumerate(question.bbox)))
    else:
        box = Region.sized(*question.bbox)
    if box.right < box.left or box.bottom < box.top:
        raise ValueError(f"bbox: {list(question.bbox)} has no extent")
    platform = re.search("mobile|desktop|web", file)
    yield Step(
        id=f"{Path(file).stem}-{number}",
        acts=(Act("click", targets=(box,)),),
        size=size,
        instruction=question.instruction,
        image=image or question.img_filename,
        groups=groups(platform=platform[0] if platform else "", type=question.data_type, source=question.data_source),
    )


def is_normalised(box: Corners) -> bool:
    """Left, top, right, bottom between 0 and 1: no box of pixels is that small."""
    return all(0 <= value <= 1 for value in box)


def find_picture(folder: Path, name: str) -> tuple[str, tuple[float, float] | None]:
    """A picture's file below the folder and its size, ("", None) if it is not there or cannot be read."""
    for below in FOLDERS:
        path = folder / below / name
        if (size := picture_size(path)) is not None:
            return path.relative_to(folder).as_posix(), size
    return "", None


@lru_cache(maxsize=4096)
def picture_size(path: Path) -> tuple[float, float] | None:
    """From the file's header alone."""
    try:
        with Image.open(path) as picture:
            return float(picture.width), float(picture.height)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


IDS = "file name without .json, a hyphen, and the place in the file from 0: `screenspot_web-17`"
UNITS = "pixels; 0 to 1 where boxes are normalised and pictures are missing"

V1 = Source("screenspot", rows_v1, steps, IDS, UNITS, is_grounding=True)
V2 = Source("screenspot-v2", rows_v2, steps, IDS.replace("web-", "web_v2-"), UNITS, is_grounding=True)

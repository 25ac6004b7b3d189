"""Android in the Wild: GZIP TFRecords, a step a record, in folders or files named after their subset.

Read are `episode_id, episode_length, step_id, goal_info, results/action_type, results/type_action, results/yx_touch,
results/yx_lift, image/ui_annotations_positions` (flat, y, x, height, width), and for a model that is asked
`image/encoded, image/height, image/width` (RGB, a byte each). Coordinates are y, x between 0 and 1;
steps have them as x, y. A gesture of at most 0.04 of the
screen is a click where it begins: of a tap no rule looks at the end.
"""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from evals.benchmarks.reading import Broken, Row, Source, groups
from evals.benchmarks.tfrecord import Feature, example, integers, numbers, raw, record_rows, texts
from evals.protocols.aitw import TAP
from evals.protocols.values import Act, Place, Region, Step

TYPE, DUAL_POINT = 3, 4
OTHERS = {
    5: Act("press", keys=("back",)),
    6: Act("press", keys=("home",)),
    7: Act("press", keys=("enter",)),
    10: Act("finish"),
    11: Act("finish", status="failure"),
}
"""The source's ActionType."""

SUBSETS = ("general", "google_apps", "install", "single", "web_shopping")


def rows(folder: Path) -> Iterator[Row | Broken]:
    return record_rows(folder, ["**/*_?????-of-?????", "**/*-?????-of-?????", "**/*.tfrecord*"], "AITW")


def steps(row: Row, _folder: Path) -> Iterator[Step]:
    features = example(row.data)
    (episode,), (number,) = texts(features, "episode_id"), integers(features, "step_id")
    subset = next((name for name in SUBSETS if name in re.sub("[^a-z]+", "_", row.where.lower())), "")
    yield Step(
        id=f"{episode}-{number}",
        acts=(_act(features),),
        size=(1.0, 1.0),
        instruction=" ".join(texts(features, "goal_info")),
        episode=episode,
        number=number,
        steps=next(iter(integers(features, "episode_length")), 0) if "episode_length" in features else 0,
        groups=groups(subset=subset),
    )


def pictures(row: Row) -> Iterator[tuple[str, bytes]]:
    """Rows of pixels, which are no picture file yet."""
    features = example(row.data)
    (episode,), (number,) = texts(features, "episode_id"), integers(features, "step_id")
    (pixels,) = raw(features, "image/encoded")
    (height,), (width,) = integers(features, "image/height"), integers(features, "image/width")
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(file, "PNG")
    yield f"{episode}-{number}", file.getvalue()


def _act(features: dict[str, Feature]) -> Act:
    (kind,) = integers(features, "results/action_type")
    if kind == TYPE:
        return Act("type", text=" ".join(texts(features, "results/type_action")))
    if kind == DUAL_POINT:
        touch, lift = _place(features, "results/yx_touch"), _place(features, "results/yx_lift")
        if math.dist(touch, lift) <= TAP:
            return Act("click", touch, targets=_boxes(features))
        return Act("drag", touch, lift, targets=_boxes(features))
    if kind not in OTHERS:
        raise ValueError(f"results/action_type: {kind} is none of {TYPE}, {DUAL_POINT}, {', '.join(map(str, OTHERS))}")
    return OTHERS[kind]


def _place(features: dict[str, Feature], name: str) -> Place:
    y, x = numbers(features, name)
    return x, y


def _boxes(features: dict[str, Feature]) -> tuple[Region, ...]:
    flat = numbers(features, "image/ui_annotations_positions")
    if len(flat) % 4:
        raise ValueError(f"image/ui_annotations_positions: {len(flat)} numbers are no list of boxes")
    quads = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
    return tuple(Region.sized(x, y, wide, high) for y, x, high, wide in quads)


SOURCE = Source("aitw", rows, steps, "episode_id, a hyphen, step_id", "0 to 1", is_phone=True, pictures=pictures)

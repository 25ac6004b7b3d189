"""Mind2Web with boxes, as SeeClick prepared it (`mind2web_data_test_*.json`), and Multimodal-Mind2Web (parquet).

The first is a JSON array of episodes `{annotation_id, confirmed_task, website, actions [{action_uid, operation, bbox
{x, y, width, height}}]}`; screenshots are `ANNOTATION-ACTION.jpg`, and without them a step has no screen size. The
second has a step a row: operation is JSON `{op, original_op, value}` and pos_candidates are JSON objects whose
attributes hold `bounding_box_rect` "x,y,width,height". Of the screenshot only the header is looked at, for its size.
Reading parquet needs the extra `benchmarks`.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import Field, FiniteFloat, Json

from action_space.errors import ConfigError
from evals.acts import entered
from evals.benchmarks.reading import (
    Broken,
    Length,
    Record,
    Row,
    Source,
    files,
    groups,
    json_rows,
    load_json,
    problem,
    region,
)
from evals.benchmarks.screenspot import picture_size
from evals.protocols.values import Act, Kind, Region, Step


class Operation(Record):
    op: Literal["CLICK", "TYPE", "SELECT", "HOVER", "ENTER"] | None = None
    original_op: Literal["CLICK", "TYPE", "SELECT", "HOVER", "ENTER"] | None = None
    value: str = ""

    def to_act(self, targets: tuple[Region, ...]) -> Act:
        """HOVER and ENTER are clicks. Raises ValueError without an operation."""
        name = self.op or self.original_op
        if name is None:
            raise ValueError("operation: has no op")
        kind: Kind = "type" if name == "TYPE" else "select" if name == "SELECT" else "click"
        return Act(kind, targets[0].center if targets else None, text=self.value, targets=targets)


class Box(Record):
    x: FiniteFloat
    y: FiniteFloat
    width: Length
    height: Length


# ------------------------------------------------------------------------------------------- SeeClick's JSON


class RecordedAction(Record):
    action_uid: str = Field(min_length=1)
    operation: Operation
    bbox: Box | None = None


class Episode(Record):
    annotation_id: str = Field(min_length=1)
    confirmed_task: str = ""
    website: str = ""
    domain: str = ""
    actions: list[object]


def json_episodes(folder: Path) -> Iterator[Row | Broken]:
    return json_rows(folder, ["mind2web_data_test_*.json"], "Mind2Web")


def steps(row: Row, folder: Path) -> Iterator[Step | Broken]:
    episode = Episode.model_validate(row.data)
    split = row.where.rpartition(":")[0].removeprefix("mind2web_data_").removesuffix(".json")
    for number, data in enumerate(episode.actions):
        try:
            action = RecordedAction.model_validate(data)
            box = action.bbox
            targets = (region((box.x, box.y, box.width, box.height)),) if box else ()
            act = action.operation.to_act(targets)
        except ValueError as error:
            yield Broken(f"{row.where} action {number}", problem(error))
            continue
        image = f"mind2web_images/{episode.annotation_id}-{action.action_uid}.jpg"
        yield Step(
            id=f"{episode.annotation_id}_{action.action_uid}",
            acts=(act,),
            size=picture_size(folder / image),
            instruction=episode.confirmed_task,
            image=image,
            episode=episode.annotation_id,
            number=number,
            steps=len(episode.actions),
            groups=groups(split=split, domain=episode.domain),
        )


# ---------------------------------------------------------------------------------------------------- parquet

COLUMNS = (
    "action_uid",
    "annotation_id",
    "confirmed_task",
    "domain",
    "website",
    "operation",
    "pos_candidates",
    "target_action_index",
    "action_reprs",
    "screenshot",
)
"""What is read; raw_html and cleaned_html are most of a file."""

AT_ONCE = 16


class Attributes(Record):
    bounding_box_rect: str


class Candidate(Record):
    attributes: Json[Attributes] | Attributes


class ParquetStep(Record):
    action_uid: str = Field(min_length=1)
    annotation_id: str = Field(min_length=1)
    operation: Json[Operation]
    pos_candidates: list[Any] = Field(default_factory=list)
    confirmed_task: str = ""
    domain: str = ""
    website: str = ""
    target_action_index: str | int = 0
    action_reprs: list[str] = Field(default_factory=list)
    screenshot: Any = None


def parquet_rows(folder: Path) -> Iterator[Row | Broken]:
    paths = files(folder, ["*.parquet", "data/*.parquet"], "Multimodal-Mind2Web")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError('reading parquet needs pyarrow: pip install "clickwright[benchmarks]"') from error
    for path in paths:
        where, number = path.relative_to(folder).as_posix(), 0
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                columns = [name for name in COLUMNS if name in file.schema_arrow.names]
                for batch in file.iter_batches(batch_size=AT_ONCE, columns=columns):
                    for record in batch.to_pylist():
                        yield Row(f"{where}:{number}", record)
                        number += 1
        except (OSError, pyarrow.ArrowException) as error:
            yield Broken(f"{where}:{number}", f"the rest of the file is lost: {' '.join(str(error).split())}")


def parquet_steps(row: Row, _folder: Path) -> Iterator[Step]:
    record = ParquetStep.model_validate({name: value for name, value in row.data.items() if value is not None})
    act = record.operation.to_act(tuple(map(_candidate_region, record.pos_candidates)))
    yield Step(
        id=f"{record.annotation_id}_{record.action_uid}",
        acts=(act,),
        size=_encoded_size(record.screenshot),
        instruction=record.confirmed_task,
        episode=record.annotation_id,
        number=int(record.target_action_index),
        steps=len(record.action_reprs),
        groups=groups(split=row.where.rpartition("/")[2].partition("-")[0], domain=record.domain),
    )


def _candidate_region(data: object) -> Region:
    candidate = Candidate.model_validate(load_json(data) if isinstance(data, str) else data)
    text = candidate.attributes.bounding_box_rect
    sides = [float(side) for side in text.split(",")]
    if len(sides) != 4 or min(sides[2:]) < 0:
        raise ValueError(f"bounding_box_rect: {text!r:.60} is not x,y,width,height")
    return Region.sized(*sides)


def _encoded(screenshot: object) -> bytes | None:
    data = screenshot.get("bytes") if isinstance(screenshot, dict) else screenshot
    return data if isinstance(data, bytes) else None


def _encoded_size(screenshot: object) -> tuple[float, float] | None:
    """From the header of an encoded picture, None where there is none."""
    if (data := _encoded(screenshot)) is None:
        return None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return float(picture.width), float(picture.height)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def parquet_pictures(row: Row) -> Iterator[tuple[str, bytes]]:
    record = row.data
    if (data := _encoded(record.get("screenshot"))) is not None:
        yield f"{record.get('annotation_id')}_{record.get('action_uid')}", data


IDS = "annotation_id, `_`, action_uid"

JSON = Source("mind2web", json_episodes, steps, IDS, "pixels", most=2, joined=entered)
PARQUET = Source(
    "multimodal-mind2web",
    parquet_rows,
    parquet_steps,
    IDS,
    "pixels",
    most=2,
    joined=entered,
    pictures=parquet_pictures,
)

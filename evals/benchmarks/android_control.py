"""AndroidControl's evaluation JSONL: an episode a line, `{goal, steps: [{action_content, screenshot, check_options}]}`.

check_options is the action with `candidate_bbox` [[left, top, right, bottom], ...]; where it is missing,
action_content and `bbox` stand in for it. Actions are click, long_press (coordinate), swipe (coordinate and
coordinate2, else direction), type, open (text), system_button (button), wait, terminate (status), answer and key
(text).

The file has no screen sizes. A step's `width` and `height` are taken where somebody added them, else the picture's,
if it is there; else an episode whose points and boxes all fit is taken for 1080 x 2400, or that turned, the usual
size; and one that does not fit for as large as they reach.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from evals.benchmarks.reading import Broken, Corners, Record, Row, Source, groups, json_lines, load_json, problem
from evals.benchmarks.screenspot import picture_size
from evals.benchmarks.screenspot_pro import Side
from evals.protocols.values import Act, Direction, Place, Region, Step

USUAL = (1080.0, 2400.0)

Coordinate = tuple[FiniteFloat, FiniteFloat]
Boxes = tuple[Corners, ...]


class Touch(Record):
    action: Literal["click", "long_press"]
    coordinate: Coordinate
    candidate_bbox: Boxes = ()


class Swipe(Record):
    action: Literal["swipe"]
    coordinate: Coordinate | None = None
    coordinate2: Coordinate | None = None
    direction: Direction | None = None


class Words(Record):
    action: Literal["type", "open", "answer", "key"]
    text: str
    candidate_bbox: Boxes = ()


class Button(Record):
    action: Literal["system_button"]
    button: str


class Pause(Record):
    action: Literal["wait"]


class End(Record):
    action: Literal["terminate"]
    status: Literal["success", "failure"] = "success"


ACTION: TypeAdapter[Touch | Swipe | Words | Button | Pause | End] = TypeAdapter(
    Annotated[Touch | Swipe | Words | Button | Pause | End, Field(discriminator="action")]
)


class RecordedStep(Record):
    action_content: dict[str, Any]
    check_options: dict[str, Any] | None = None
    bbox: Any = None
    screenshot: str = ""
    width: Side | None = None
    height: Side | None = None


class Episode(Record):
    goal: str
    steps: list[Any] = Field(min_length=1)


def rows(folder: Path) -> Iterator[Row | Broken]:
    return json_lines(folder, ["*.jsonl"], "AndroidControl")


def steps(row: Row, folder: Path) -> Iterator[Step | Broken]:
    episode = Episode.model_validate(load_json(row.data))
    read = [_read(data) for data in episode.steps]
    size = guess_size([act for _, act in (pair for pair in read if not isinstance(pair, str))])
    first = next((recorded for recorded, _ in (pair for pair in read if not isinstance(pair, str))), None)
    name = _episode_name(first.screenshot if first else "", row.where)
    for number, pair in enumerate(read):
        if isinstance(pair, str):
            yield Broken(f"{row.where} step {number}", pair)
            continue
        recorded, act = pair
        own = (recorded.width, recorded.height) if recorded.width and recorded.height else None
        image = PurePosixPath(recorded.screenshot)
        yield Step(
            id=image.stem or f"{name}_{number}",
            acts=(act,),
            size=own or _size_of(folder, image) or size,
            instruction=episode.goal,
            image=recorded.screenshot,
            episode=name,
            number=number,
            steps=len(read),
            groups=groups(benchmark="androidcontrol", kind=act.kind),
        )


def _read(data: object) -> tuple[RecordedStep, Act] | str:
    """A step with its action, or what is wrong with it."""
    try:
        recorded = RecordedStep.model_validate(data)
        options = recorded.check_options or recorded.action_content | (
            {"candidate_bbox": recorded.bbox} if recorded.bbox else {}
        )
        return recorded, act_of(options)
    except ValueError as error:
        return problem(error)


def act_of(options: Mapping[str, object]) -> Act:
    """The source's action. Raises ValueError."""
    match ACTION.validate_python(options):
        case Touch() as touch:
            return Act(touch.action, touch.coordinate, targets=_regions(touch.candidate_bbox))
        case Swipe() as swipe:
            return _swipe(swipe)
        case Words(action="type") as words:
            return Act("type", text=words.text)
        case Words(action="open") as words:
            return Act("open", text=words.text, targets=_regions(words.candidate_bbox))
        case Words(action="answer") as words:
            return Act("finish", text=words.text)
        case Words() as words:
            return Act("hotkey", keys=(words.text,))
        case Button(button=button):
            return Act("press", keys=(button.lower().strip(),))
        case Pause():
            return Act("wait")
        case End(status=status):
            return Act("finish", status=status)


def _swipe(swipe: Swipe) -> Act:
    if swipe.coordinate is not None and swipe.coordinate2 is not None:
        return Act("drag", swipe.coordinate, swipe.coordinate2)
    if swipe.direction is None:
        raise ValueError("swipe: needs coordinate and coordinate2, or direction")
    return Act("scroll", swipe.coordinate, direction=swipe.direction)


def _regions(boxes: Boxes) -> tuple[Region, ...]:
    return tuple(Region(*box) for box in boxes)


def guess_size(acts: list[Act]) -> tuple[float, float]:
    """The screen that an episode was recorded on, by how far its points and boxes reach."""
    places: list[Place] = [place for act in acts for place in (act.point, act.end) if place is not None]
    places += [(box.right, box.bottom) for act in acts for box in act.targets]
    wide, high = (max((place[side] for place in places), default=0.0) for side in (0, 1))
    if wide <= USUAL[0] and high <= USUAL[1]:
        return USUAL
    if wide <= USUAL[1] and high <= USUAL[0]:
        return USUAL[1], USUAL[0]
    return max(wide, 1.0), max(high, 1.0)


def _size_of(folder: Path, image: PurePosixPath) -> tuple[float, float] | None:
    """Of the picture itself, which may lie as the file says or just by its name below `images`."""
    if not image.name:
        return None
    return picture_size(folder / image.name) or picture_size(folder / "images" / image.name)


def _episode_name(screenshot: str, where: str) -> str:
    """`240` of `240_0.png`."""
    return PurePosixPath(screenshot).stem.rpartition("_")[0] or where


SOURCE = Source(
    "androidcontrol",
    rows,
    steps,
    "file name of the screenshot without its ending: `240_0`; without a screenshot, the row, `_` and the step from 0",
    "pixels",
    is_phone=True,
)

"""AndroidControl's source data: GZIP TFRecords `android_control*`, an episode a record.

`{episode_id, goal, screenshots, accessibility_trees, screenshot_widths, screenshot_heights, actions,
step_instructions}`, with one action less than screenshots. Actions are JSON: click and long_press (x, y), scroll
(direction), open_app (app_name), input_text (text), navigate_home, navigate_back, wait.

There are no candidate boxes here, so rules that ask for them have the distance alone; the accessibility trees are read
for those that take elements. An element counts if it is visible, has an extent and says something.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from evals.benchmarks.protobuf import fields, messages, signed
from evals.benchmarks.reading import Broken, Record, Row, Source, groups, problem
from evals.benchmarks.tfrecord import example, integers, raw, record_rows, texts
from evals.protocols.values import Act, Direction, Node, Region, Step


class Touch(Record):
    action_type: Literal["click", "long_press"]
    x: FiniteFloat
    y: FiniteFloat


class Scroll(Record):
    action_type: Literal["scroll"]
    direction: Direction


class OpenApp(Record):
    action_type: Literal["open_app"]
    app_name: str


class InputText(Record):
    action_type: Literal["input_text"]
    text: str


class Other(Record):
    action_type: Literal["navigate_home", "navigate_back", "wait"]


ACTION: TypeAdapter[Touch | Scroll | OpenApp | InputText | Other] = TypeAdapter(
    Annotated[Touch | Scroll | OpenApp | InputText | Other, Field(discriminator="action_type")]
)


def rows(folder: Path) -> Iterator[Row | Broken]:
    return record_rows(folder, ["android_control*", "*.tfrecord*"], "AndroidControl's TFRecords")


def steps(row: Row, _folder: Path) -> Iterator[Step | Broken]:
    episode = example(row.data)
    (name,), (goal,) = integers(episode, "episode_id"), texts(episode, "goal")
    sizes = list(zip(integers(episode, "screenshot_widths"), integers(episode, "screenshot_heights"), strict=True))
    actions, trees = texts(episode, "actions"), raw(episode, "accessibility_trees")
    if len(sizes) != len(actions) + 1:
        raise ValueError(f"{len(actions)} actions between {len(sizes)} screenshots: there should be one less")
    for number, (action, size) in enumerate(zip(actions, sizes, strict=False)):
        try:
            act = act_of(action)
            nodes = read_tree(trees[number]) if number < len(trees) else ()
        except ValueError as error:
            yield Broken(f"{row.where} step {number}", problem(error))
            continue
        yield Step(
            id=f"{name}_{number}",
            acts=(act,),
            size=size,
            instruction=goal,
            nodes=nodes,
            episode=str(name),
            number=number,
            steps=len(actions),
            groups=groups(benchmark="androidcontrol", kind=act.kind),
        )


def pictures(row: Row) -> Iterator[tuple[str, bytes]]:
    episode = example(row.data)
    (name,) = integers(episode, "episode_id")
    yield from ((f"{name}_{number}", each) for number, each in enumerate(raw(episode, "screenshots")))


def act_of(text: str) -> Act:
    """The source's action. Raises ValueError."""
    match ACTION.validate_json(text):
        case Touch() as touch:
            return Act(touch.action_type, (touch.x, touch.y))
        case Scroll(direction=direction):
            return Act("scroll", direction=direction)
        case OpenApp(app_name=name):
            return Act("open", text=name)
        case InputText(text=words):
            return Act("type", text=words)
        case Other(action_type="wait"):
            return Act("wait")
        case Other(action_type=button):
            return Act("press", keys=(button.removeprefix("navigate_"),))


WINDOWS, TREE, NODES = 1, 11, 1
BOUNDS, DESCRIPTION, TEXT, VISIBLE = 2, 4, 7, 23
"""Field numbers of android_env's AndroidAccessibilityForest and the messages in it."""


def read_tree(data: bytes) -> tuple[Node, ...]:
    """The elements of an accessibility forest that count. Raises ValueError."""
    found = []
    for window in messages(data, WINDOWS):
        for tree in messages(window, TREE):
            found += [node for each in messages(tree, NODES) if (node := _node(each)) is not None]
    return tuple(found)


def _node(data: bytes) -> Node | None:
    values = dict(fields(data))
    said = [
        value.decode(errors="replace") if isinstance(value := values.get(field, b""), bytes) else ""
        for field in (TEXT, DESCRIPTION)
    ]
    bounds = values.get(BOUNDS, b"")
    if not values.get(VISIBLE) or not any(said) or not isinstance(bounds, bytes):
        return None
    sides = {number: signed(value) for number, value in fields(bounds) if isinstance(value, int)}
    region = Region(*(sides.get(side, 0) for side in (1, 2, 3, 4)))
    return Node(region, *said) if region.right > region.left and region.bottom > region.top else None


IDS = "episode, `_`, step from 0: `240_0`"

SOURCE = Source("androidcontrol-tfrecord", rows, steps, IDS, "pixels", is_phone=True, pictures=pictures)

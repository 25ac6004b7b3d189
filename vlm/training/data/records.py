"""What one piece of training data is, whatever its kind: a prompt with pictures, the answer that is due, and the truth
by which any other answer can be judged.

Makers (`vlm/training/data/kinds`) and demonstrations write records, filters drop some of them, rejection sampling
writes new answers to the same prompts. A record is a line of JSON in a shard (`shards.py`), where its pictures are.
"""

from collections.abc import Iterator
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from action_space.geometry import Box

Kind = Literal[
    "caption",
    "interleaved",
    "ocr",
    "knowledge",
    "qa",
    "grounding",
    "document",
    "video_caption",
    "video_grounding",
    "agent",
]
"""The ten kinds of the technical report's data, in its order."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Picture(_Value):
    """A picture in a prompt: number `image` of the record's images. seconds: when it was on the screen, in a video."""

    image: int = Field(ge=0)
    seconds: float | None = Field(default=None, ge=0)


Part = str | Picture


class Truth(_Value):
    """What is so on the pictures, read from the page and not from the answer.

    boxes: in pixels of the last picture; for a point any of them is right, and for a grounding question none of them
    means that what was asked for is not there. texts: what is right to say or to read, in the order of `boxes` if both
    are given. spans: from and to, in seconds. count: how many there are.
    """

    boxes: tuple[Box, ...] = ()
    texts: tuple[str, ...] = ()
    spans: tuple[tuple[float, float], ...] = ()
    count: int | None = None


class Record(_Value):
    """One question and its answer.

    id: unique in its shard set, and the same for the same seed: `KIND-SCREEN-NUMBER`. form: which question of its kind
    it is ("icon", "second from the top"), for counts and filters. images: names of PNG files in the record's shard.
    prompt: the user's turn, text and pictures in order; the system's turn is the dialect's. answer: the model's turn.
    source: what it was made from: `phone`, `desktop`, `web`, `miniwob/TASK`.
    Coordinates in prompt, answer and truth are pixels of the picture as stored.
    """

    id: str
    kind: Kind
    form: str
    images: tuple[str, ...]
    prompt: tuple[Part, ...]
    answer: str
    source: str
    truth: Truth = Truth()


def read_records(lines: str) -> Iterator[Record | None]:
    """The records of a file's text, line by line; None for a line that is none, as the last one of a file cut off."""
    for line in lines.splitlines():
        try:
            yield Record.model_validate_json(line)
        except ValueError:
            yield None

"""Kind -> who makes its questions: of a screen, or of an episode."""

import random
from collections.abc import Callable, Iterator

from vlm.training.data.episodes import Episode
from vlm.training.data.kinds import answering, captions, documents, grounding, knowledge, reading, trajectories, videos
from vlm.training.data.kinds.question import Question
from vlm.training.data.records import Kind
from vlm.training.data.render import Screen

STILL: dict[Kind, Callable[[random.Random, Screen], Iterator[Question]]] = {
    "caption": captions.caption,
    "ocr": reading.ocr,
    "knowledge": knowledge.knowledge,
    "qa": answering.answering,
    "grounding": grounding.grounding,
    "document": documents.document,
}
MOVING: dict[Kind, Callable[[random.Random, Episode], Iterator[Question]]] = {
    "interleaved": trajectories.interleaved,
    "video_caption": videos.video_caption,
    "video_grounding": videos.video_grounding,
    "agent": trajectories.agent,
}

"""Videos: what happens in a recording of a screen, with absolute times, and when a given thing happens."""

import random
from collections.abc import Iterator

from vlm.tasks import spans as when
from vlm.training.data.episodes import Episode
from vlm.training.data.kinds.question import Question, as_json
from vlm.training.data.records import Part, Picture, Truth

_EVENTS = (
    "Localize a series of activity events in the video, output the start and end timestamp for each event, and describe each "
    "event with sentences. Provide the result in json format with 'mm:ss.ff' format for time depiction."
)
_DESCRIBE = ("Describe what happens in the video.", "What is done in this video?")


def video_caption(rng: random.Random, episode: Episode) -> Iterator[Question]:
    """In sentences with seconds, and as a list with clock times."""
    if episode.events:
        told = " ".join(f"From {a:.1f} to {b:.1f} seconds, {what}." for a, b, what in episode.events)
        yield _about(episode, "sentences", rng.choice(_DESCRIBE), told, range(len(episode.events)))
        rows = [{"start_time": _clock(a), "end_time": _clock(b), "description": what} for a, b, what in episode.events]
        yield _about(episode, "events", _EVENTS, as_json(rows), range(len(episode.events)))


def video_grounding(rng: random.Random, episode: Episode) -> Iterator[Question]:  # noqa: ARG001 (makers are called alike)
    """Every event of an episode."""
    for number, (start, end, what) in enumerate(episode.events):
        question = when(what.replace("'", "’")).question
        answer = f"The given query happens in {start:.1f} - {end:.1f} seconds."
        yield _about(episode, "when", question, answer, range(number, number + 1))


def _about(episode: Episode, form: str, words: str, answer: str, events: range) -> Question:
    frames: list[Part] = [Picture(image=i, seconds=m.seconds) for i, m in enumerate(episode.moments)]
    told = [episode.events[number] for number in events]
    truth = Truth(spans=tuple((a, b) for a, b, _ in told), texts=tuple(what for *_, what in told))
    return Question(form, (words, *frames), answer, truth, tuple(m.image for m in episode.moments))


def _clock(seconds: float) -> str:
    """mm:ss.ff"""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"

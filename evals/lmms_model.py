"""Our models under lmms-eval, which has the general benchmarks (MMMU, DocVQA, Video-MME and many more).

    lmms-eval eval --model clickwright --model_args model=bundled --tasks mmmu_val

lmms-eval finds it by the entry point `lmms_eval.models` of this package. Importing this needs lmms-eval.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lmms_eval.api.model import lmms
from lmms_eval.api.registry import register_model
from lmms_eval.models.registry_v2 import ModelManifest
from PIL import Image
from rich.progress import track

from action_space.errors import ConfigError
from action_space.messages import Clip, Message
from agent.models import forget, load_model
from agent.pictures import open_picture_or_video

NAME = "clickwright"
PLACEHOLDER = "<image>"
LONGEST_REPLY = 1024
"""Tokens, where the task sets no limit."""

Visual = Image.Image | Clip


class Request(Protocol):
    """lmms-eval's `Instance`, as much of it as is used.

    args: the words, the settings of the generation, the function from a document to its pictures, and where the
    document is: its number, task and split.
    """

    args: tuple[str, Mapping[str, Any], Callable[[Any], Sequence[Any]], int, str, str]


@register_model(NAME)
class Clickwright(lmms):  # type: ignore[misc]  # lmms-eval has no types
    """Answers one question after the other, greedily, whatever temperature a task asks for.

    model: a SPEC. fps, max_frames: how closely videos are looked at. batch_size and device are lmms-eval's, and change
    nothing. Raises ConfigError, ModelError.
    """

    def __init__(
        self,
        model: str = "bundled",
        fps: float = 2.0,
        max_frames: int = 768,
        batch_size: int | str = 1,  # noqa: ARG002 (lmms-eval always gives it)
        max_batch_size: int | None = None,  # noqa: ARG002
        device: str = "",  # noqa: ARG002
    ) -> None:
        super().__init__()
        self._model = load_model(model)
        self._fps, self._max_frames = float(fps), int(max_frames)

    def generate_until(self, requests: Sequence[Request]) -> list[str]:
        """The replies, each cut at the first of its stop words. Raises ConfigError for what cannot be shown."""
        return [self._answer(request) for request in track(requests, "asking", disable=not requests, transient=True)]

    def loglikelihood(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        raise NotImplementedError("how likely a given answer is cannot be asked: use a task that generates answers")

    def generate_until_multi_round(self, requests: Sequence[Request]) -> list[str]:
        raise NotImplementedError("tasks of several rounds are not supported: use a task that generates an answer")

    def _answer(self, request: Request) -> str:
        words, settings, visuals_of, number, task, split = request.args
        document = self.task_dict[task][split][number]
        visuals = [self._visual(each) for each in _flat(visuals_of(document) or ())]
        forget(self._model)
        reply = self._model.generate(
            [Message("user", arranged(words, visuals))],
            max_new_tokens=int(settings.get("max_new_tokens") or LONGEST_REPLY),
        )
        text = cut(reply.text, settings.get("until") or ())
        self.cache_hook.add_partial("generate_until", (words, settings), text)
        return text

    def _visual(self, given: object) -> Visual:
        match given:
            case Image.Image():
                return given.convert("RGB")
            case str() | Path():
                return open_picture_or_video(Path(given), fps=self._fps, most=self._max_frames, start_s=0, end_s=None)
            case _:
                raise ConfigError(f"a {type(given).__name__} is no picture or video: sound cannot be heard")


def _flat(visuals: Sequence[Any]) -> list[Any]:
    """Some tasks give lists of lists."""
    return [each for some in visuals for each in (some if isinstance(some, list | tuple) else [some])]


def arranged(words: str, visuals: Sequence[Visual]) -> tuple[str | Visual, ...]:
    """Pictures where the words have a place for each, else before the words."""
    parts = words.split(PLACEHOLDER)
    if len(parts) - 1 != len(visuals):
        return (*visuals, " ".join(part for part in (each.strip() for each in parts) if part))
    mixed = [each for pair in zip(parts, (*visuals, ""), strict=True) for each in pair]
    return tuple(each for each in mixed if not isinstance(each, str) or each)


def cut(text: str, until: str | Sequence[str]) -> str:
    """The text before the first of the stop words."""
    stops = [until] if isinstance(until, str) else until
    return text[: min((place for stop in stops if stop and (place := text.find(stop)) >= 0), default=len(text))]


def manifest() -> ModelManifest:
    """What the entry point gives to lmms-eval."""
    return ModelManifest(model_id=NAME, simple_class_path=f"{__name__}.{Clickwright.__name__}")

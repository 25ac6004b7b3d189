"""Our own network behind the Model protocol: prefill, key-value cache, decoding."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from action_space.dialects.choose import dialect_for
from action_space.errors import ModelError
from action_space.geometry import Size
from action_space.messages import Clip, Message
from vlm.backends.base import Hear, Reply
from vlm.backends.reuse import Conversation, Seen, Shown, pixel_hash
from vlm.chat import encode, load_tokenizer, visuals
from vlm.checkpoint import load_checkpoint
from vlm.images import frame_patches, image_grid, rgb
from vlm.rope import rope_index
from vlm.video import clip_grid

if TYPE_CHECKING:
    from vlm.constrain import Guide, Guides

_LIMITS = {"min_pixels": ("shortest_edge", 3136), "max_pixels": ("longest_edge", 12845056)}
"""The name that newer preprocessor configs give a limit, inside `size` (pixel counts all the same), and its default."""


class Engine:
    """A checkpoint folder, ready to answer.

    dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 where the processor multiplies it natively,
    else float32. device: as PyTorch names it ("cpu", "cuda", "cuda:1"). Raises ModelError.
    """

    def __init__(self, folder: Path, *, dtype: str = "auto", device: str = "cpu") -> None:
        _check_device(device)
        self.name = folder.name
        self.model = load_checkpoint(folder, dtype=named_dtype(dtype, device), device=device)
        self.tokenizer = load_tokenizer(folder)
        self.dialect = dialect_for(str(folder.resolve()), read_json(folder, "config.json")) or "computer_use"
        # Large models think aloud and spell well; a small one that quotes a task drops letters unless it is held to it.
        self.constrained = self.dialect == "compact"
        self.min_pixels, self.max_pixels = pixel_limits(folder)
        self.stop_ids = stop_tokens(folder, self.tokenizer)
        self.device = device
        self.dtype = str(self.model.lm_head.weight.dtype).removeprefix("torch.")
        self.forget()
        self._guides: Guides | None = None
        self._check_tokens()

    def _check_tokens(self) -> None:
        """A tokenizer of another model would end in an IndexError, or in pictures that the model does not see."""
        config, known = self.model.config, self.tokenizer.get_vocab_size()
        if known > config.text.vocab_size:
            raise ModelError(
                f"the tokenizer has {known} tokens, the network {config.text.vocab_size}: they do not match"
            )
        pad = self.tokenizer.token_to_id("<|image_pad|>")
        if pad != config.image_token_id:
            raise ModelError(
                f"image_token_id is {config.image_token_id} in the config, {pad} in the tokenizer: they do not match"
            )

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        constraint: str | None = None,
        max_new_tokens: int = 256,
        attempt: int = 0,
        heard: Hear | None = None,
    ) -> Reply:
        """See `vlm.backends.base.Model`."""
        started = time.perf_counter()
        guide = self._guide(constraint) if constraint is not None else None
        speech = Speech(self.tokenizer, heard) if heard is not None else None
        with torch.inference_mode(), self._heeding(heard):
            logits, position, tokens_in, reused = self._prefill(
                messages, min_pixels or self.min_pixels, max_pixels or self.max_pixels, max_new_tokens
            )
            prefilled = time.perf_counter()
            said = self._decode(logits, position, max_new_tokens, _chooser(attempt), guide, speech)
        if speech is not None:
            speech.end()
        return Reply(
            self.tokenizer.decode(said.ids, skip_special_tokens=True),
            tokens_in,
            len(said.ids),
            prefilled - started,
            time.perf_counter() - prefilled,
            cached_tokens=reused,
            finished=said.finished,
            forced_tokens=said.forced,
        )

    @contextmanager
    def _heeding(self, heard: Hear | None) -> Iterator[None]:
        """Inside, `heard` may end the work before any layer: taking in a large screen is long, with no word said."""
        if heard is None:
            yield
            return
        layers = [*self.model.visual.blocks, *self.model.language_model.layers]
        hooks = [layer.register_forward_pre_hook(lambda *_: heard("")) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _guide(self, constraint: str) -> "Guide":
        # Not at the top: a model that is never constrained needs no grammar library.
        from vlm.constrain import Guides

        if self._guides is None:
            stop = self.tokenizer.token_to_id("<|im_end|>")
            stop = min(self.stop_ids) if stop is None else stop
            self._guides = Guides(self.tokenizer, self.model.config.text.vocab_size, stop)
        return self._guides.guide(constraint)

    def _prefill(
        self, messages: Sequence[Message], min_pixels: int, max_pixels: int, room: int
    ) -> tuple[Tensor, int, int, int]:
        """Logits of the last token, the next position, how many tokens the prompt has, and how many were reused."""
        config = self.model.config
        shown = [self.shown(visual, min_pixels, max_pixels) for visual in visuals(messages)]
        ids = encode(messages, self.tokenizer, [one.tokens for one in shown])
        limit = config.text.max_position_embeddings
        if len(ids) + room > limit:
            raise ModelError(
                f"the prompt has {len(ids)} tokens and the answer may take {room}, the model's context is {limit}: "
                "show fewer screenshots or a shorter task"
            )
        images = [one for one in shown if one.seconds is None]
        videos = [one for one in shown if one.seconds is not None]
        whole = torch.tensor([ids], device=self.device)
        grids = [one.grid for one in images], [one.grid for one in videos]
        seconds = [one.seconds for one in videos if one.seconds is not None]
        positions, deltas = rope_index(whole, torch.ones_like(whole), config, *grids, seconds)
        owners = iter([one.key for one in shown for _ in range(one.tokens)])
        pads = config.image_token_id, config.video_token_id
        tokens = [next(owners) if token in pads else token for token in ids]
        reused = self._conversation.begin(tokens)
        new = whole[:, reused:]
        output = self.model(
            new,
            position_ids=positions[:, :, reused:].to(self.device),
            image_features=self._features(images, int((new == pads[0]).sum())),
            video_features=self._features(videos, int((new == pads[1]).sum())),
            cache=self._conversation.cache,
            last_only=True,
        )
        self._conversation.add(tokens[reused:])
        return output.logits[0, -1], len(ids) + int(deltas[0]), len(ids), reused

    def shown(self, visual: Image.Image | Clip, min_pixels: int, max_pixels: int) -> Shown:
        """How a picture, or a video, which has a budget of its own, is seen within limits. Raises ModelError."""
        vision = self.model.config.vision
        patch, merge = vision.patch_size, vision.spatial_merge_size
        seconds = None
        try:
            if isinstance(visual, Clip):
                grid, seconds = clip_grid(visual, patch=patch), 2 * visual.seconds_per_frame
            else:
                visual = rgb(visual)
                size = Size(*visual.size)
                grid = image_grid(size, min_pixels=min_pixels, max_pixels=max_pixels, patch=patch, merge=merge)
        except ValueError as error:
            raise ModelError(str(error)) from None
        t, h, w = grid
        return Shown(visual, pixel_hash(visual, grid), t * h * w // merge**2, grid, seconds)

    def _features(self, shown: Sequence[Shown], count: int) -> Tensor | None:
        """The last `count` visual tokens; what comes before was taken in earlier, and is not encoded again."""
        parts: list[Tensor] = []
        for one in reversed(shown):
            if count > 0:
                parts.insert(0, self._seen.get(one.key, partial(self._encode, one))[-count:])
                count -= len(parts[0])
        return torch.cat(parts) if parts else None

    def _encode(self, shown: Shown) -> Tensor:
        features: Tensor = self.model.visual(self.patches(shown), [shown.grid])
        return features

    def patches(self, shown: Shown) -> Tensor:
        """The pixels `[patches, 1176]` that the vision tower takes."""
        vision, visual = self.model.config.vision, shown.visual
        frames = [rgb(frame) for frame in visual.frames] if isinstance(visual, Clip) else [visual]
        found = frame_patches(frames, shown.grid, patch=vision.patch_size, merge=vision.spatial_merge_size)
        return found.to(self.device)

    def forget(self) -> None:
        """Nothing is reused of what was asked before."""
        self._seen, self._conversation = Seen(), Conversation()

    def _decode(
        self,
        logits: Tensor,
        position: int,
        most: int,
        choose: Callable[[Tensor], int],
        guide: "Guide | None",
        speech: "Speech | None",
    ) -> "Said":
        """Token ids up to a stop token. What a guide leaves no choice about is fed together with what was chosen."""
        ids: list[int] = []
        forced = 0
        new = guide.forced() if guide else []
        while True:
            forced += len(new)
            if not new:
                token = choose(guide.allowed(logits) if guide else logits)
                if token in self.stop_ids:
                    return Said(ids, True, forced)
                new = [token]
                if guide:
                    guide.take(token)
                    new += guide.forced()
                    forced += len(new) - 1
            said = new[: most - len(ids)]
            ids += said
            if speech:
                speech.add(said)
            if len(ids) >= most or (guide and guide.ended):
                return Said(ids, bool(guide and guide.ended), forced)
            positions = (position + torch.arange(len(new), device=self.device)).expand(3, 1, -1)
            step = torch.tensor([new], device=self.device)
            cache = self._conversation.cache
            logits = self.model(step, position_ids=positions, cache=cache, last_only=True).logits[0, -1]
            self._conversation.add(new)
            position += len(new)
            new = []


class Speech:
    """Tells a reply while it is said. A character of several tokens is told when it is whole."""

    def __init__(self, tokenizer: Tokenizer, heard: Hear) -> None:
        self._tokenizer, self._heard = tokenizer, heard
        self._untold: list[int] = []

    def add(self, ids: Sequence[int]) -> None:
        self._untold += ids
        text = self._tokenizer.decode(self._untold, skip_special_tokens=True)
        if not text.endswith("\ufffd"):
            self._untold.clear()
            self._heard(text)

    def end(self) -> None:
        if self._untold:
            self._heard(self._tokenizer.decode(self._untold, skip_special_tokens=True))


@dataclass(frozen=True, slots=True)
class Said:
    """Ids of a reply, whether it came to its end, and how many of them were forced."""

    ids: list[int]
    finished: bool
    forced: int


def _chooser(attempt: int) -> Callable[[Tensor], int]:
    """How a token is taken from its logits."""
    if not attempt:
        return lambda logits: int(logits.argmax())
    chance = torch.Generator().manual_seed(attempt)
    return lambda logits: int(torch.multinomial(logits.float().softmax(-1).cpu(), 1, generator=chance))


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"the model cannot run on {device!r} here ({reason}): leave it on the cpu") from None


def stop_tokens(folder: Path, tokenizer: Tokenizer) -> frozenset[int]:
    """The ids that end a reply: those of generation_config.json, and Qwen's own."""
    given = read_json(folder, "generation_config.json").get("eos_token_id", [])
    named = [tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
    return frozenset(
        [*(given if isinstance(given, list) else [given]), *(token for token in named if token is not None)]
    )


def named_dtype(name: str, device: str = "cpu") -> torch.dtype:
    """See `Engine`. Raises ModelError."""
    if name == "auto":
        # The question has no public name yet, and older versions of torch do not have it at all.
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return torch.bfloat16 if device != "cpu" or (native is not None and native()) else torch.float32
    table = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in table:
        raise ModelError(f"dtype {name!r} is unknown: choose auto, {', '.join(table)}")
    return table[name]


def pixel_limits(folder: Path) -> tuple[int, int]:
    """The checkpoint's min_pixels and max_pixels, in the old or the new layout of preprocessor_config.json."""
    given = read_json(folder, "preprocessor_config.json")
    size = given.get("size")
    sizes = size if isinstance(size, dict) else {}
    limits = []
    for name, (edge, default) in _LIMITS.items():
        value = next((v for v in (given.get(name), sizes.get(edge)) if v is not None), default)
        if type(value) is not int or value < 1:
            raise ModelError(f"{name} is {value!r} in preprocessor_config.json, it must be a positive integer")
        limits.append(value)
    return limits[0], limits[1]


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of the checkpoint folder, {} if the file is not there."""
    path = folder / name
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r}: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{str(path)!r} holds {str(data)[:80]!r}, it must be a JSON object")
    return data

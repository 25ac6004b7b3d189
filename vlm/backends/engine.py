"""Our own network behind the Model protocol: prefill, key-value cache, decoding."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from action_space.actions import Action
from action_space.dialects.choose import dialect_for
from action_space.errors import InvalidAction, ModelError
from action_space.geometry import Point, Size
from action_space.messages import Clip, Message
from vlm.acting import load_acting, on_cells
from vlm.backends.base import Due, Hear, NamesOn, Reply
from vlm.backends.named import NamedPicture
from vlm.backends.prompt import Placed, Prompt, read_prompt
from vlm.backends.reuse import (
    KEPT_HELD,
    KEPT_TOKENS,
    Conversation,
    Conversations,
    Recent,
    Shown,
    parts_of,
    pixel_hash,
)
from vlm.backends.settings import named_device, named_dtype, pixel_limits, read_json, stop_tokens
from vlm.backends.sureness import Sureness
from vlm.chat import load_tokenizer, visuals
from vlm.checkpoint import load_checkpoint
from vlm.deeds import Deed, action_of, deed_of
from vlm.graphs import DecodeSteps, cuda_graph
from vlm.images import drawn_cells, frame_patches, image_grid, resized, rgb
from vlm.naming import Held, load_naming
from vlm.onednn import block_weights
from vlm.rope import Grid
from vlm.video import clip_grid
from vlm.vision import Glance

if TYPE_CHECKING:
    from vlm.constrain import Guide, Guides

PIECE_TOKENS = 2048
"""Tokens of a prompt that are taken in at once: what that needs of memory grows with them, and not with the prompt."""
ENCODED_PATCHES = 16_384
"""Patches of a video that are encoded at once, or one pair of frames if it has more."""
GLANCES = 4
"""Sizes of pictures of which the newest is kept, since much of the next one will be the same."""


class Engine:
    """A checkpoint folder, ready to answer.

    dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 where the device multiplies it natively, else float32.
    device: as PyTorch names it ("cpu", "cuda", "cuda:1"), or "auto": a GPU if there is one.
    temperature: of answers that are drawn, which are those from attempt 1 on. blocks: whether weights are laid out for
    speed where that can be done (`vlm.onednn`); the attribute tells whether they were. whole: whether a network that
    was trained without cells of one colour is shown them all the same. Raises ModelError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dtype: str = "auto",
        device: str = "auto",
        temperature: float = 1.0,
        blocks: bool = True,
        whole: bool = False,
    ) -> None:
        self.device, self.temperature = named_device(device), temperature
        self.name = folder.name
        self.model = load_checkpoint(folder, dtype=named_dtype(dtype, self.device), device=self.device)
        self.blocks = blocks and block_weights(self.model)
        self.whole_cells = None if whole else self.model.config.whole_cells
        self.tokenizer = load_tokenizer(folder)
        self.dialect = dialect_for(str(folder.resolve()), read_json(folder, "config.json")) or "computer_use"
        # Large models think aloud and spell well; a small one that quotes a task drops letters unless it is held to it.
        self.constrained = self.dialect == "compact"
        self.looks = 4 if self.dialect == "compact" else 0
        self._sureness = Sureness(self.tokenizer) if self.looks else None
        self._naming = load_naming(folder, self.model.config.text.hidden_size)
        self._acting = load_acting(folder)
        self.min_pixels, self.max_pixels = pixel_limits(folder)
        self.stop_ids = stop_tokens(folder, self.tokenizer)
        self.dtype = str(self.model.lm_head.weight.dtype).removeprefix("torch.")
        self.forget()
        # A GPU alone is so much faster than what tells it what to do.
        self._steps = DecodeSteps(self.model, cuda_graph) if self.device.startswith("cuda") else None
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
            shown = [
                self.shown(visual, min_pixels or self.min_pixels, max_pixels or self.max_pixels)
                for visual in visuals(messages)
            ]
            prompt = read_prompt(messages, shown, self.tokenizer, self.model.config)
            self._require_room(prompt, max_new_tokens)
            talk, reused = self._conversations.begin(prompt.keys, max_new_tokens)
            logits = self._prefill(prompt, talk, reused)
            prefilled = time.perf_counter()
            said = self._decode(logits, prompt.following, talk, max_new_tokens, self._chooser(attempt), guide, speech)
        if speech is not None:
            speech.end()
        return Reply(
            self.tokenizer.decode(said.ids, skip_special_tokens=True),
            prompt.length,
            len(said.ids),
            prefilled - started,
            time.perf_counter() - prefilled,
            cached_tokens=reused,
            finished=said.finished,
            forced_tokens=said.forced,
            sure=said.sure,
        )

    @property
    def knows_names(self) -> bool:
        """See `vlm.backends.base.Names`."""
        return self._naming is not None

    def names_on(
        self, picture: Image.Image, *, min_pixels: int | None = None, max_pixels: int | None = None
    ) -> NamesOn:
        """See `vlm.backends.base.Names`. A picture that was just looked at is not encoded again."""
        if self._naming is None:
            raise ModelError(
                f"{self.name} has not learned to tell names of places: `agent train --name-minutes` teaches it"
            )
        shown = self.shown(picture, min_pixels or self.min_pixels, max_pixels or self.max_pixels)
        with torch.inference_mode():
            held = self._held.get(shown.key, partial(self._hold, shown))
        return NamedPicture(self._naming, held, Size(*picture.size))

    @property
    def knows_acts(self) -> bool:
        """See `vlm.backends.base.Acts`."""
        return self._acting is not None

    def due_on(
        self, picture: Image.Image, task: str, done: Sequence[Action | None], spent: Sequence[Point] = ()
    ) -> Due | None:
        """See `vlm.backends.base.Acts`."""
        if self._acting is None:
            raise ModelError(
                f"{self.name} has not learned what is due on a screen: `agent train --act-minutes` teaches it"
            )
        seen = on_cells(picture)
        if seen is None:
            return None
        deeds = [(deed_of(action) if action else None) or Deed("wait") for action in done]
        deed, sure = self._acting.act(seen, task, deeds, spent)
        try:
            return Due(action_of(deed), sure)
        except InvalidAction:  # keys that there are none of
            return None

    def _hold(self, shown: Shown) -> Held:
        assert isinstance(shown.visual, Image.Image), "only pictures are held against names"
        said = self._seen.get(shown.key, partial(self._encode, shown)).cpu()
        vision = self.model.config.vision
        rows, columns = (side // vision.spatial_merge_size for side in shown.grid[1:])
        kept = torch.ones(shown.cells, dtype=torch.bool) if shown.kept is None else shown.kept.cpu()
        tokens = said.new_zeros(shown.cells, said.shape[-1])
        tokens[kept] = said
        pixels = torch.tensor(np.asarray(resized(shown.visual, shown.grid, vision.patch_size)))
        return Held(tokens.view(rows, columns, -1), pixels.permute(2, 0, 1), kept.view(rows, columns))

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

    def _require_room(self, prompt: Prompt, room: int) -> None:
        length, limit = prompt.length, self.model.config.text.max_position_embeddings
        if length + room > limit:
            raise ModelError(
                f"the prompt has {length} tokens and the answer may take {room}, the model's context is {limit}: "
                "show fewer screenshots, fewer frames of a video, or a shorter task"
            )

    def _prefill(self, prompt: Prompt, talk: Conversation, reused: int) -> Tensor:
        """Logits of the prompt's last token; so many of its tokens are taken in already."""
        for start in range(reused, prompt.length, PIECE_TOKENS):
            piece = slice(start, min(start + PIECE_TOKENS, prompt.length))
            output = self.model(
                prompt.ids[:, piece].to(self.device),
                position_ids=prompt.positions[:, :, piece].to(self.device),
                image_features=self._features(piece, prompt.images),
                video_features=self._features(piece, prompt.videos),
                cache=talk.cache,
                last_only=True,
            )
            talk.add(prompt.keys[piece])
        logits: Tensor = output.logits[0, -1]
        return logits

    def shown(self, visual: Image.Image | Clip, min_pixels: int, max_pixels: int) -> Shown:
        """How a picture, or a video, which has a budget of its own, is seen within limits. Raises ModelError."""
        vision = self.model.config.vision
        patch, merge = vision.patch_size, vision.spatial_merge_size
        seconds = kept = None
        try:
            if isinstance(visual, Clip):
                grid, seconds = clip_grid(visual, patch=patch), 2 * visual.seconds_per_frame
            else:
                visual = rgb(visual)
                size = Size(*visual.size)
                grid = image_grid(size, min_pixels=min_pixels, max_pixels=max_pixels, patch=patch, merge=merge)
                kept = self._kept(visual, grid)
        except ValueError as error:
            raise ModelError(str(error)) from None
        t, h, w = grid
        return Shown(visual, pixel_hash(visual, grid), t * h * w // merge**2, grid, seconds, kept)

    def _kept(self, picture: Image.Image, grid: Grid) -> Tensor | None:
        """Which cells of a picture in RGB are shown; None: all."""
        vision = self.model.config.vision
        patch, merge = vision.patch_size, vision.spatial_merge_size
        if self.whole_cells is None or grid[1] * grid[2] // merge**2 <= self.whole_cells:
            return None
        drawn = drawn_cells(np.asarray(resized(picture, grid, patch)), patch * merge)
        return self.model.visual.kept(torch.from_numpy(drawn).flatten(), grid) if drawn.any() else None

    def _features(self, piece: slice, placed: Sequence[Placed]) -> Tensor | None:
        """The visual tokens that stand in a piece of a prompt; a picture of which none does is not encoded."""
        parts = []
        for one in placed:
            if one.start < piece.stop and one.end > piece.start:
                features = self._seen.get(one.shown.key, partial(self._encode, one.shown))
                parts.append(features[max(0, piece.start - one.start) : piece.stop - one.start])
        return torch.cat(parts) if parts else None

    def _encode(self, shown: Shown) -> Tensor:
        """All its visual tokens. Frames do not see each other in the tower, so a few of a video at a time will do."""
        if shown.seconds is None:
            tokens, glance = self.model.visual.look(
                self.patches(shown), shown.grid, self._glances.pop(shown.grid, None), shown.kept
            )
            self._glances[shown.grid] = glance
            if len(self._glances) > GLANCES:
                del self._glances[next(iter(self._glances))]
            return tokens
        parts = parts_of(shown, ENCODED_PATCHES)
        return torch.cat([self.model.visual(self.patches(part), [part.grid]) for part in parts])

    def patches(self, shown: Shown) -> Tensor:
        """The pixels `[patches, 1176]` that the vision tower takes."""
        vision, visual, dtype = self.model.config.vision, shown.visual, self.model.lm_head.weight.dtype
        frames = [rgb(frame) for frame in visual.frames] if isinstance(visual, Clip) else [visual]
        found = frame_patches(frames, shown.grid, patch=vision.patch_size, merge=vision.spatial_merge_size, dtype=dtype)
        return found.to(self.device)

    def _chooser(self, attempt: int) -> Callable[[Tensor], int]:
        """How a token is taken from its logits."""
        if not attempt:
            return lambda logits: int(logits.argmax())
        chance = torch.Generator().manual_seed(attempt)

        def draw(logits: Tensor) -> int:
            shares = (logits.float() / self.temperature).softmax(-1).cpu()
            return int(torch.multinomial(shares, 1, generator=chance))

        return draw

    def forget(self) -> None:
        """Nothing is reused of what was asked before."""
        self._seen, self._conversations = Recent[Tensor](KEPT_TOKENS, len), Conversations()
        self._held = Recent[Held](KEPT_HELD, lambda _: 1)
        self._glances: dict[Grid, Glance] = {}

    def _decode(
        self,
        logits: Tensor,
        position: int,
        talk: Conversation,
        most: int,
        choose: Callable[[Tensor], int],
        guide: "Guide | None",
        speech: "Speech | None",
    ) -> "Said":
        """Token ids up to a stop token. What a guide leaves no choice about is fed together with what was chosen."""
        ids: list[int] = []
        chosen: list[int] = []
        forced = 0
        sure = 1.0 if self._sureness else None
        while True:
            new = chosen + (guide.forced() if guide else [])
            said = new[: most - len(ids)]
            ids += said
            forced += len(said) - len(chosen)
            if speech and said:
                speech.add(said)
            ended = guide is not None and guide.ended and said == new
            if len(ids) >= most or ended:
                return Said(ids, ended, forced, sure)
            if new:
                logits, position = self._feed(new, position, talk), position + len(new)
            logits = guide.allowed(logits) if guide else logits
            token = choose(logits)
            if self._sureness and sure is not None:
                # Free replies stay greedy, token by token what transformers says.
                token = self._sureness.middle(logits, token) if guide else token
                sure *= self._sureness.share(logits, token)
            if token in self.stop_ids:
                return Said(ids, True, forced, sure)
            if guide:
                guide.take(token)
            chosen = [token]

    def _feed(self, tokens: list[int], position: int, talk: Conversation) -> Tensor:
        """Logits behind tokens of text that stand from a position on."""
        recorded = self._steps.feed(tokens[0], position, talk.cache) if self._steps and len(tokens) == 1 else None
        if recorded is not None:
            talk.add(tokens)
            return recorded
        positions = (position + torch.arange(len(tokens), device=self.device)).expand(3, 1, -1)
        ids = torch.tensor([tokens], device=self.device)
        output = self.model(ids, position_ids=positions, cache=talk.cache, last_only=True)
        talk.add(tokens)
        logits: Tensor = output.logits[0, -1]
        return logits


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
    """Ids of a reply, whether it came to its end, how many of them were forced, and how likely the others were."""

    ids: list[int]
    finished: bool
    forced: int
    sure: float | None

"""What was computed before and is not computed again: what was seen by its pixels, conversations by their start."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from PIL import Image
from torch import Tensor

from action_space.messages import Clip
from vlm.language import KVCache
from vlm.rope import Grid

KEPT_TOKENS = 32_768
"""Visual tokens to keep, however many pictures and videos they are of."""
KEPT_HELD = 4
"""Pictures to keep as they are held against names, of some six megabytes each: as many as there are looks."""
KEPT_CONVERSATIONS = 2
KEPT_TALK = 32_768
"""Tokens of conversations: with more than these, none is kept beside the newest one."""
WORTH_WHILE = 64
"""Fewer tokens than this are computed again: in low precision an answer may depend on what was reused."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture or video in a prompt: its hash, how many cells (visual tokens) it has, and the grid of its patches.

    seconds: of a video, from one step of the grid to the next; None for a picture. kept `[cells]`: which are shown;
    None: all.
    """

    visual: Image.Image | Clip
    key: int
    cells: int
    grid: Grid
    seconds: float | None = None
    kept: Tensor | None = None

    @property
    def tokens(self) -> int:
        """How many it takes of a prompt."""
        return self.cells if self.kept is None else int(self.kept.sum())


def parts_of(shown: Shown, most_patches: int) -> Iterator[Shown]:
    """The picture; of a video, one part after the other with so many patches at most, or with one pair of frames."""
    visual, (pairs, rows, columns) = shown.visual, shown.grid
    if not isinstance(visual, Clip):
        yield shown
        return
    step = max(1, most_patches // (rows * columns))
    for first in range(0, pairs, step):
        frames = visual.frames[2 * first : 2 * (first + step)]
        grid = min(step, pairs - first), rows, columns
        yield replace(shown, visual=replace(visual, frames=frames), grid=grid)


def pixel_hash(visual: Image.Image | Clip, grid: Grid) -> int:
    """A picture or video by its pixels, modes, sizes and times, and the size at which it is seen."""
    frames, seconds = (visual.frames, visual.seconds_per_frame) if isinstance(visual, Clip) else ((visual,), None)
    found = hashlib.blake2b(f"{seconds} {grid}".encode(), digest_size=8)
    for frame in frames:
        found.update(f" {frame.mode} {frame.size} ".encode() + frame.tobytes())
    return int.from_bytes(found.digest(), "big")


T = TypeVar("T")


class Recent(Generic[T]):
    """What was made of the pictures that came last, by their hash. most: how much of it is kept, as `size` counts it;
    the newest is kept in any case."""

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most, size
        self._known: OrderedDict[int, T] = OrderedDict()

    def get(self, key: int, make: Callable[[], T]) -> T:
        """What is known of the picture or video with this hash, made if it is not known."""
        if key not in self._known:
            self._known[key] = make()
        self._known.move_to_end(key)
        while len(self._known) > 1 and sum(map(self._size, self._known.values())) > self._most:
            self._known.popitem(last=False)
        return self._known[key]


class Conversation:
    """Keys and values of one conversation. A token of text is its id, a picture's tokens are its hash."""

    def __init__(self) -> None:
        self.cache = KVCache()
        self._tokens: list[int] = []

    def shared(self, tokens: Sequence[int]) -> int:
        """With how many tokens of this one `tokens` begin, the last one never; 0 if they are not worth while."""
        same = 0
        for old, new in zip(self._tokens, tokens[:-1], strict=False):
            if old != new:
                break
            same += 1
        return same if same >= WORTH_WHILE else 0

    def go_back(self, length: int) -> None:
        """Forget all tokens from `length` on."""
        self.cache.truncate(length)
        del self._tokens[length:]

    def add(self, tokens: Sequence[int]) -> None:
        """Call when the network has taken these in."""
        self._tokens += tokens


class Conversations:
    """The newest ones. Two, since a step may ask for a plan and for a place, each behind what was said before."""

    def __init__(self) -> None:
        self._kept = [Conversation() for _ in range(KEPT_CONVERSATIONS)]

    def begin(self, tokens: Sequence[int], room: int) -> tuple[Conversation, int]:
        """The one that shares most with `tokens`, or else the oldest, cut to what is shared; how many tokens that are.

        room: for how many tokens of a reply there shall be memory at once.
        """
        best = max(self._kept, key=lambda one: one.shared(tokens))
        same = best.shared(tokens)
        best.go_back(same)
        best.cache.expect(len(tokens) + room)
        others = [one for one in self._kept if one is not best]
        if len(tokens) + room + sum(one.cache.length for one in others) > KEPT_TALK:
            others = [Conversation() for _ in others]
        self._kept = [*others, best]
        return best, same

"""What was computed before and is not computed again: pictures by their pixels, conversations by their start."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from PIL import Image
from torch import Tensor

from vlm.language import KVCache
from vlm.rope import Grid

PICTURES = 8
"""Encoded pictures to keep."""
WORTH_WHILE = 64
"""Fewer tokens than this are computed again: in low precision an answer may depend on what was reused."""


Encoded = tuple[Tensor, Grid]
"""Visual tokens `[n, width]`, and the grid of their patches."""


def pixel_hash(image: Image.Image, *limits: int) -> int:
    """A picture by its pixels, its size, and the limits to which it is resized."""
    about = f"{image.mode} {image.size} {limits} ".encode()
    return int.from_bytes(hashlib.blake2b(about + image.tobytes(), digest_size=8).digest(), "big")


class Pictures:
    """The pictures encoded last."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Encoded] = OrderedDict()

    def get(self, key: int, encode: Callable[[], Encoded]) -> Encoded:
        """The picture with this hash, encoded if it is not known."""
        if key not in self._known:
            self._known[key] = encode()
        self._known.move_to_end(key)
        while len(self._known) > PICTURES:
            self._known.popitem(last=False)
        return self._known[key]


class Conversation:
    """Keys and values of the newest conversation. A token of text is its id, a picture's tokens are its hash."""

    def __init__(self) -> None:
        self.cache = KVCache()
        self._tokens: list[int] = []

    def begin(self, tokens: Sequence[int]) -> int:
        """Forget all but what `tokens` begin with as well; how many tokens that are, the last one never."""
        same = 0
        for old, new in zip(self._tokens, tokens[:-1], strict=False):
            if old != new:
                break
            same += 1
        same = same if same >= WORTH_WHILE else 0
        self.cache.truncate(same)
        del self._tokens[same:]
        return same

    def add(self, tokens: Sequence[int]) -> None:
        """Call when the network has taken these in."""
        self._tokens += tokens

"""Messages to token ids: Qwen2.5-VL's chat template and the placeholders of pictures and videos.

Only the template writes control tokens. Text in a message stays text, whatever it spells: a page that shows
`<|im_start|>` cannot open a turn of its own.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from tokenizers import Tokenizer

from action_space.errors import ModelError
from action_space.messages import Clip, Message, Part

_DEFAULT_SYSTEM = "You are a helpful assistant."
_START, _END = "<|im_start|>", "<|im_end|>"
_VISION_START, _VISION_END = "<|vision_start|>", "<|vision_end|>"
_IMAGE_PAD, _VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"

_MARKUP = re.compile(r"(<\|(?:object_ref|box|quad)_(?:start|end)\|>)")
"""Special tokens that are content: models write them in their replies, and read them in their history."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer.json of a checkpoint folder, set to read special tokens in text as text. Raises ModelError."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"the checkpoint {str(folder)!r} has no tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 (the library raises nothing narrower)
        raise ModelError(f"{str(path)!r} is not a tokenizer: {error}") from None
    tokenizer.encode_special_tokens = True
    return tokenizer


def render(messages: Sequence[Message]) -> str:
    """The text of a conversation up to where the assistant speaks, one placeholder for each picture or video.

    As the hub's template: a default system message where the first message is not one.
    """
    pieces = (piece for _, piece in _pieces(messages))
    return "".join(piece if isinstance(piece, str) else _VISION_START + _pad(piece) + _VISION_END for piece in pieces)


def _pieces(messages: Sequence[Message]) -> Iterator[tuple[bool, Part]]:
    """The template: (is it a control token, what stands there)."""
    turns: list[tuple[str, tuple[Part, ...]]] = [(m.role, m.content) for m in messages]
    if messages and messages[0].role != "system":
        turns.insert(0, ("system", (_DEFAULT_SYSTEM,)))
    for role, content in turns:
        yield True, _START
        yield False, f"{role}\n"
        yield from ((False, part) for part in content)
        yield True, _END
        yield False, "\n"
    yield True, _START
    yield False, "assistant\n"


def _pad(visual: Image.Image | Clip) -> str:
    return _VIDEO_PAD if isinstance(visual, Clip) else _IMAGE_PAD


def visuals(messages: Sequence[Message]) -> Iterator[Image.Image | Clip]:
    """Every picture and video in the order in which the model sees it."""
    for message in messages:
        yield from (part for part in message.content if not isinstance(part, str))


def encode(messages: Sequence[Message], tokenizer: Tokenizer, visual_tokens: Sequence[int]) -> list[int]:
    """Token ids of a conversation. visual_tokens: how many tokens each picture or video takes, in order.

    Raises ModelError for a tokenizer without Qwen's control tokens, ValueError if visual_tokens does not fit.
    """
    plain = _plain(tokenizer)
    counts = iter(visual_tokens)
    ids: list[int] = []
    text = ""  # neighbouring texts are one: tokens may span them
    for control, piece in _pieces(messages):
        if isinstance(piece, str) and not control:
            text += piece
            continue
        ids += _text_ids(plain, text)
        text = ""
        ids += [_id(plain, piece)] if isinstance(piece, str) else _visual_ids(plain, next(counts, None), _pad(piece))
    if (surplus := next(counts, None)) is not None:
        raise ValueError(f"visual_tokens has {surplus} tokens for a picture that no message shows")
    return ids + _text_ids(plain, text)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, or a view of it, that reads special tokens in text as text."""
    if tokenizer.encode_special_tokens:
        return tokenizer
    view = Tokenizer.from_str(tokenizer.to_str())
    view.encode_special_tokens = True
    return view


def _text_ids(plain: Tokenizer, text: str) -> list[int]:
    ids: list[int] = []
    for part in _MARKUP.split(text):
        token = plain.token_to_id(part) if _MARKUP.fullmatch(part) else None
        ids += [token] if token is not None else plain.encode(part, add_special_tokens=False).ids
    return ids


def _visual_ids(tokenizer: Tokenizer, count: int | None, placeholder: str) -> list[int]:
    if count is None:
        raise ValueError("visual_tokens has fewer entries than the messages have pictures and videos")
    start, pad, end = (_id(tokenizer, token) for token in (_VISION_START, placeholder, _VISION_END))
    return [start, *[pad] * count, end]


def _id(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelError(f"the tokenizer has no {token!r}: it is not a Qwen2.5-VL tokenizer")
    return int(number)

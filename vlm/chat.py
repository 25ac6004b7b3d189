"""Messages to token ids: Qwen2.5-VL's chat template and the placeholders of pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from tokenizers import Tokenizer

from action_space.errors import ModelError
from action_space.messages import Message

_DEFAULT_SYSTEM = "You are a helpful assistant."
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer.json of a checkpoint folder. Raises ModelError."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"the checkpoint {str(folder)!r} has no tokenizer.json")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise ModelError(f"{str(path)!r} is not a tokenizer: {error}") from None


def render(messages: Sequence[Message]) -> str:
    """The text of a conversation up to where the assistant speaks, one placeholder for each picture.

    As the hub's template: a default system message where the first message is not one.
    """
    texts = []
    if messages and messages[0].role != "system":
        texts.append(f"<|im_start|>system\n{_DEFAULT_SYSTEM}<|im_end|>\n")
    for message in messages:
        content = "".join(part if isinstance(part, str) else PICTURE for part in message.content)
        texts.append(f"<|im_start|>{message.role}\n{content}<|im_end|>\n")
    return "".join(texts) + "<|im_start|>assistant\n"


def pictures(messages: Sequence[Message]) -> Iterator[Image.Image]:
    """Every picture in the order in which the model sees it."""
    for message in messages:
        yield from (part for part in message.content if not isinstance(part, str))


def encode(messages: Sequence[Message], tokenizer: Tokenizer, visual_tokens: Sequence[int]) -> list[int]:
    """Token ids of a conversation. visual_tokens: how many tokens each picture takes, in order."""
    pad = tokenizer.token_to_id("<|image_pad|>")
    counts = iter(visual_tokens)
    ids: list[int] = []
    for message_ids in _encode_parts(messages, tokenizer):
        ids.extend([pad] * next(counts) if message_ids is None else message_ids)
    return ids


def _encode_parts(messages: Sequence[Message], tokenizer: Tokenizer) -> Iterator[list[int] | None]:
    """Token ids of the text between pictures, and None for each picture's placeholder."""
    pieces = render(messages).split(PICTURE)
    start, end = tokenizer.token_to_id("<|vision_start|>"), tokenizer.token_to_id("<|vision_end|>")
    yield tokenizer.encode(pieces[0], add_special_tokens=False).ids
    for piece in pieces[1:]:
        yield [start]
        yield None
        yield [end, *tokenizer.encode(piece, add_special_tokens=False).ids]

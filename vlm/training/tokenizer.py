"""The bundled model's tokenizer: one token a byte, Qwen's special tokens, and the phrases of the `compact` dialect.

No merges: a name that was never seen is spelled like one that was, so that the letters on the screen can be
matched with the letters of the task. What every prompt and reply repeats is a token of its own: fewer tokens to
learn from and to wait for. So are the two halves of a click on a grid of 7 pixels, `click(644` and `, 364)`: where to
click is then one choice for each axis, as in Pix2Seq, and not a spelling of digits.
"""

from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from action_space.dialects.compact import GRID as GRID

SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
PLAIN_ADDED_TOKENS = ("<tool_call>", "</tool_call>")
PHRASES = (
    *("system\nGUI", "user\n", "assistant\n", "Task: ", "\nNext?"),
    *('click "', 'type "', '" button', '" field', '" checkbox'),
)
MOST_X, MOST_Y = 1932, 2408
"""The right and lower ends of that grid, for screens of 1920 x 1080 and 1080 x 2400; anything else is spelled."""
X_TOKENS = tuple(f"click({x}" for x in range(0, MOST_X + 1, GRID))
Y_TOKENS = tuple(f", {y})" for y in range(0, MOST_Y + 1, GRID))


def byte_tokenizer(phrases: Sequence[str] = (*PHRASES, *X_TOKENS, *Y_TOKENS)) -> Tokenizer:
    """Ids 0 to 255 are the bytes; the special tokens follow in Qwen's order, then the phrases and the grid."""
    alphabet = _byte_alphabet()
    tokenizer = Tokenizer(BPE(vocab={char: byte for byte, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    tokenizer.add_tokens(
        [AddedToken(token, normalized=False, special=False) for token in (*PLAIN_ADDED_TOKENS, *phrases)]
    )
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The number of a token that the tokenizer has. Raises KeyError."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise KeyError(token)
    return int(number)


def _byte_alphabet() -> list[str]:
    """The printable character that byte-level BPE writes for each byte (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]

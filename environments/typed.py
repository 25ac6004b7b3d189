"""Text that is to be typed, in the pieces in which a keyboard types it."""

from action_space.errors import InvalidAction


def typed_parts(text: str) -> list[str]:
    """The text in runs of characters, with "\\n" (Enter) and "\\t" (Tab) on their own. Raises InvalidAction."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    wrong = next((c for c in text if c not in "\n\t" and (c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff")), None)
    if wrong is not None:
        raise InvalidAction(f"{wrong!r} cannot be typed: leave control characters and halves of surrogate pairs out")
    parts = []
    for line in text.replace("\n", "\0\n\0").replace("\t", "\0\t\0").split("\0"):
        parts += [line] if line else []
    return parts

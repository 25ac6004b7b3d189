"""What modules that are run by `python -m` read from their command lines."""

import argparse


def count(text: str) -> int:
    """1 or more. Raises ArgumentTypeError, of which argparse makes one line."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no count; valid: 1, 2, 3 and so on")
    return int(text)

"""Protocol buffers on the wire, as far as recorded data needs them: no schema, no dependency.

A message is read as its fields in order. Varints come as unsigned integers, 64 and 32 bit values as bytes, everything
with a length as bytes. Raises ValueError for what is cut short or is no message.
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of every field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == LENGTH:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"no protocol buffer: wire type {kind} at byte {at}")
        if at + size > len(data):
            raise ValueError(f"protocol buffer cut short: {size} bytes at byte {at} of {len(data)}")
        yield number, data[at : at + size]
        at += size


def messages(data: bytes, number: int) -> Iterator[bytes]:
    """Every field of that number, which has to have a length: a message, a string, bytes."""
    for found, value in fields(data):
        if found == number:
            if isinstance(value, int):
                raise ValueError(f"protocol buffer: field {number} is a number, not a message")
            yield value


def varints(data: bytes) -> Iterator[int]:
    """Packed varints."""
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def floats(data: bytes) -> tuple[float, ...]:
    """Packed 32 bit floats."""
    if len(data) % 4:
        raise ValueError(f"protocol buffer: {len(data)} bytes are no list of floats")
    return struct.unpack(f"<{len(data) // 4}f", data)


def signed(value: int) -> int:
    """What an int32 or int64 field means by a varint."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError(f"protocol buffer: no number ends at byte {at} of {len(data)}")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

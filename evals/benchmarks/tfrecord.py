"""TFRecord files of tf.train.Example, without TensorFlow.

A record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes, the data, and that of the data.
The length's is checked, so a damaged file is noticed and not misread; the data's is not, since files are gzip, which
has a checksum of its own. Files that are not compressed are read too.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

from evals.benchmarks.protobuf import fields, floats, messages, signed, varints
from evals.benchmarks.reading import Broken, Row, files

Feature = list[bytes] | list[int] | list[float]

LARGEST = 1 << 31
"""No record is longer; a length above it is damage."""


def record_rows(folder: Path, patterns: Sequence[str], name: str) -> Iterator[Row | Broken]:
    """The records of files, undecoded. A place is its number from 0. What follows damage in a file is lost."""
    for path in files(folder, patterns, name):
        where = path.relative_to(folder).as_posix()
        number = 0
        try:
            with _open(path) as file:
                for record in records(file):
                    yield Row(f"{where}:{number}", record)
                    number += 1
        except (OSError, EOFError, ValueError, zlib.error) as error:
            yield Broken(f"{where}:{number}", f"the rest of the file is lost: {error}")


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if compressed else path.open("rb")  # type: ignore[return-value]


def records(file: BinaryIO) -> Iterator[bytes]:
    """Raises ValueError at damage, EOFError or OSError where the compression is cut short."""
    while head := file.read(12):
        if len(head) < 12:
            raise ValueError("a record's head is cut short")
        length, check = struct.unpack("<QI", head)
        if check != masked_crc(head[:8]) or length > LARGEST:
            raise ValueError("a record's length does not fit its checksum: no TFRecord, or damaged")
        data = file.read(length + 4)
        if len(data) < length + 4:
            raise ValueError(f"a record of {length} bytes is cut short")
        yield data[:length]


def masked_crc(data: bytes) -> int:
    """CRC-32C, turned and shifted as TFRecord does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _table()[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def example(data: bytes) -> dict[str, Feature]:
    """The features of a tf.train.Example. Raises ValueError."""
    found: dict[str, Feature] = {}
    for features in messages(data, 1):
        for entry in messages(features, 1):
            name = b"".join(messages(entry, 1)).decode()
            found[name] = [value for each in messages(entry, 2) for value in _values(each)]  # type: ignore[assignment]
    return found


def _values(feature: bytes) -> Iterator[bytes | float | int]:
    """A bytes, float or int64 list; numbers may be packed or one by one."""
    for kind, content in fields(feature):
        if isinstance(content, int):
            raise ValueError("no feature of a tf.train.Example")
        for number, value in fields(content):
            if number != 1:
                continue
            if kind == 1 and isinstance(value, bytes):
                yield value
            elif kind == 2 and isinstance(value, bytes):
                yield from floats(value)
            elif kind == 3:
                yield from ([value] if isinstance(value, int) else varints(value))


def texts(features: dict[str, Feature], name: str) -> list[str]:
    """Raises ValueError if it is not there or no text."""
    values = _need(features, name)
    if not all(isinstance(value, bytes) for value in values):
        raise ValueError(f"{name}: not bytes")
    return [value.decode(errors="replace") for value in values if isinstance(value, bytes)]


def raw(features: dict[str, Feature], name: str) -> list[bytes]:
    return [value for value in _need(features, name) if isinstance(value, bytes)]


def integers(features: dict[str, Feature], name: str) -> list[int]:
    """Raises ValueError if it is not there or no integers."""
    values = _need(features, name)
    if not all(isinstance(value, int) for value in values):
        raise ValueError(f"{name}: not integers")
    return [signed(value) for value in values if isinstance(value, int)]


def numbers(features: dict[str, Feature], name: str) -> list[float]:
    """Floats; an empty list may have any type. Raises ValueError if it is not there."""
    values = _need(features, name)
    if any(isinstance(value, bytes) for value in values):
        raise ValueError(f"{name}: not numbers")
    return [float(value) for value in values if not isinstance(value, bytes)]


def _need(features: dict[str, Feature], name: str) -> Feature:
    if name not in features:
        raise ValueError(f"{name}: missing")
    return features[name]

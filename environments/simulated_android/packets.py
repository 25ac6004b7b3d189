"""Packets of the ADB transport protocol: a header of 24 bytes, then the data."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CNXN: Final = 0x4E584E43
AUTH: Final = 0x48545541
OPEN: Final = 0x4E45504F
OKAY: Final = 0x59414B4F
WRTE: Final = 0x45545257
CLSE: Final = 0x45534C43

VERSION: Final = 0x01000001
"""From here on nobody checks sums."""
LARGEST: Final = 256 * 1024
"""Bytes of data in one packet."""

_HEADER = struct.Struct("<6I")


class BadPacket(Exception):  # noqa: N818 (what it is, not what went wrong)
    """The other side does not speak this protocol."""


@dataclass(frozen=True, slots=True)
class Packet:
    """command: one of the above. first, second: its two arguments, usually the ids of a stream on both sides."""

    command: int
    first: int
    second: int
    data: bytes = b""

    def pack(self) -> bytes:
        checksum = sum(self.data) & 0xFFFFFFFF
        head = (self.command, self.first, self.second, len(self.data), checksum, self.command ^ 0xFFFFFFFF)
        return _HEADER.pack(*head) + self.data


def read_packet(read: Callable[[int], bytes]) -> Packet | None:
    """The next packet, or None at the end. read: gives that many bytes, fewer only at the end. Raises BadPacket."""
    head = read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    command, first, second, length, _, magic = _HEADER.unpack(head)
    if magic != command ^ 0xFFFFFFFF or length > 4 * LARGEST:
        raise BadPacket(f"not a packet: {head.hex()}")
    data = read(length)
    return Packet(command, first, second, data) if len(data) == length else None

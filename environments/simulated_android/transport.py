"""The device's end of the ADB transport protocol: connections, their authentication, and streams.

One thread reads each connection, and one serves each stream. A stream writes one packet at a time and waits until it
was taken, as the protocol asks.
"""

import itertools
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from environments.simulated_android.auth import Keyring
from environments.simulated_android.packets import (
    AUTH,
    CLSE,
    CNXN,
    LARGEST,
    OKAY,
    OPEN,
    VERSION,
    WRTE,
    BadPacket,
    Packet,
    read_packet,
)

_TOKEN, _SIGNATURE, _PUBLIC_KEY = 1, 2, 3
_SLOWEST_S = 60.0
"""How long a host may take to accept what was written."""


class Gone(Exception):  # noqa: N818 (what happened, not an error of the program)
    """The host closed the stream, or the connection ended."""


@dataclass(slots=True)
class Fault:
    """Pull the cable once `after` bytes have gone through a stream whose service holds `service`."""

    service: str
    after: int


@dataclass(slots=True)
class Faults:
    """What is broken. mute: a host connects and hears nothing ("offline"). deaf: nothing that is opened is answered."""

    mute: bool = False
    deaf: bool = False
    next_cut: Fault | None = None

    def reset(self) -> None:
        self.mute, self.deaf, self.next_cut = False, False, None


class Stream:
    """A service that the host has opened, or, with remote 0, one that was asked of it."""

    def __init__(self, connection: "Connection", local: int, remote: int, service: str) -> None:
        self.service = service
        self._connection = connection
        self._local = local
        self._remote = remote
        self._incoming: queue.Queue[bytes] = queue.Queue()
        # Who was asked says that it has opened before anything may be written.
        self._may_write = threading.Semaphore(1 if remote else 0)
        self._closed = threading.Event()
        self._passed = 0

    def read(self) -> bytes:
        """What the host wrote next. Raises Gone when it will write no more."""
        data = self._incoming.get()
        if not data:
            raise Gone
        self._count(len(data))
        self._connection.send(Packet(OKAY, self._local, self._remote))
        return data

    def write(self, data: bytes) -> None:
        """Returns once all was handed over. Raises Gone."""
        for start in range(0, len(data), self._connection.largest):
            piece = data[start : start + self._connection.largest]
            self._count(len(piece))
            if not self._may_write.acquire(timeout=_SLOWEST_S) or self._closed.is_set():
                raise Gone
            self._connection.send(Packet(WRTE, self._local, self._remote, piece))

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._connection.send(Packet(CLSE, self._local, self._remote))

    def receive(self, data: bytes) -> None:
        self._incoming.put(data)

    def acknowledge(self, remote: int) -> None:
        self._remote = remote
        self._may_write.release()

    def dial(self, service: str) -> "Stream":
        """A stream to a service of the same host ("tcp:8000"). Raises Gone."""
        return self._connection.dial(service)

    def end(self) -> None:
        """The host is gone: whoever waits is woken."""
        self._closed.set()
        self._incoming.put(b"")
        self._may_write.release()

    def _count(self, size: int) -> None:
        self._passed += size
        cut = self._connection.faults.next_cut
        if cut is not None and cut.service in self.service and self._passed > cut.after:
            self._connection.faults.next_cut = None
            self._connection.close()
            raise Gone


Find = Callable[[str], Callable[[Stream], None] | None]
"""From the name of a service to what serves a stream of it until it is done; None if there is no such service."""


class Connection:
    """One host. keyring: None lets everybody in. banner: what the device says about itself."""

    def __init__(self, sock: socket.socket, banner: bytes, keyring: Keyring | None, faults: Faults, find: Find) -> None:
        self.faults = faults
        self.largest = LARGEST
        self._sock = sock
        self._file = sock.makefile("rb")
        self._banner = banner
        self._keyring = keyring
        self._find = find
        self._token = b""
        self._is_trusted = keyring is None
        self._streams: dict[int, Stream] = {}
        self._ids = itertools.count(1)
        self._sending = threading.Lock()

    def run(self) -> None:
        """Read until the host is gone."""
        try:
            while (packet := read_packet(self._file.read)) is not None:
                self._take(packet)
        except (OSError, BadPacket, ValueError, Gone):
            # A cable that is pulled, or a host that speaks something else: there is nobody to tell.
            pass
        finally:
            self.close()

    def send(self, packet: Packet) -> None:
        """Raises Gone when the connection is."""
        try:
            with self._sending:
                self._sock.sendall(packet.pack())
        except OSError as error:
            raise Gone from error

    def dial(self, service: str) -> Stream:
        """Ask the host for a service; what it refuses is a stream that ends. Raises Gone."""
        local = next(self._ids)
        stream = self._streams[local] = Stream(self, local, 0, service)
        self.send(Packet(OPEN, local, 0, service.encode() + b"\0"))
        return stream

    def close(self) -> None:
        """Pull the cable."""
        with suppress(OSError):  # it may be gone already
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        for stream in list(self._streams.values()):
            stream.end()

    def _take(self, packet: Packet) -> None:
        if self.faults.mute:
            return
        if packet.command == CNXN:
            self.largest = min(packet.second, LARGEST)
            self._welcome()
        elif packet.command == AUTH:
            self._authenticate(packet)
        elif self._is_trusted and not self.faults.deaf:
            self._take_of_stream(packet)

    def _welcome(self) -> None:
        if self._is_trusted:
            self.send(Packet(CNXN, VERSION, LARGEST, self._banner))
        elif self._keyring is not None:
            self._token = self._keyring.new_token()
            self.send(Packet(AUTH, _TOKEN, 0, self._token))

    def _authenticate(self, packet: Packet) -> None:
        if self._keyring is None:
            return
        if packet.first == _SIGNATURE:
            self._is_trusted = self._keyring.has_signed(self._token, packet.data)
            self._welcome()
        elif packet.first == _PUBLIC_KEY and self._keyring.offer(packet.data):
            self._is_trusted = True
            self._welcome()

    def _take_of_stream(self, packet: Packet) -> None:
        if packet.command == OPEN:
            self._open(packet)
            return
        stream = self._streams.get(packet.second)
        if stream is None:
            if packet.command != CLSE:
                self.send(Packet(CLSE, 0, packet.first))
        elif packet.command == WRTE:
            stream.receive(packet.data)
        elif packet.command == OKAY:
            stream.acknowledge(packet.first)
        elif packet.command == CLSE:
            # A close is answered by a close, unless it is the answer itself.
            stream.close()
            stream.end()
            self._streams.pop(packet.second, None)

    def _open(self, packet: Packet) -> None:
        service = packet.data.rstrip(b"\0").decode("utf-8", "replace")
        serve = self._find(service)
        if serve is None:
            self.send(Packet(CLSE, 0, packet.first))
            return
        local = next(self._ids)
        stream = self._streams[local] = Stream(self, local, packet.first, service)
        self.send(Packet(OKAY, local, packet.first))
        threading.Thread(target=_run, args=(stream, serve), name=f"adb {service[:40]}", daemon=True).start()


def _run(stream: Stream, serve: Callable[[Stream], None]) -> None:
    try:
        serve(stream)
        stream.close()
    except Gone:
        stream.end()


class Endpoint:
    """Listens on a loopback port. plug, unplug: the cable."""

    def __init__(self, connect: Callable[[socket.socket], Connection], port: int) -> None:
        self._connect = connect
        self.port = port
        self._listener: socket.socket | None = None
        self._connections: list[Connection] = []

    def plug(self) -> None:
        """Raises OSError when the port is taken."""
        listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="adb port", daemon=True).start()

    def unplug(self) -> None:
        if self._listener is not None:
            # On Linux a plain close does not wake the thread that accepts.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        while self._connections:
            self._connections.pop().close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._connect(sock)
            self._connections.append(connection)
            threading.Thread(target=connection.run, name="adb host", daemon=True).start()

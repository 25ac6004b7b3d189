"""`adb reverse`: ports on the device's own loopback that lead to ports of the host."""

import socket
import threading
from contextlib import suppress

from environments.simulated_android.transport import Gone, Stream

_PIECE = 64 * 1024


class Reverse:
    """The ports of one device. They listen on this machine's loopback, which the device's screen shares."""

    def __init__(self) -> None:
        self._ports: dict[int, tuple[socket.socket, str]] = {}

    def leads(self, port: int) -> bool:
        return port in self._ports

    def serve(self, stream: Stream, order: str) -> None:
        """Carry out one order of the host ("forward:tcp:0;tcp:8000") and answer it as adbd does. Raises Gone."""
        what, _, rest = order.partition(":")
        try:
            match what:
                case "forward":
                    text = self._forward(stream, *rest.removeprefix("norebind:").split(";"))
                case "killforward":
                    text = self._forget(_port(rest))
                case "killforward-all":
                    text = self.forget_all()
                case "list-forward":
                    # The only answer without a word in front of it.
                    stream.write(_block("".join(f"host tcp:{at} {to}\n" for at, (_, to) in self._ports.items())))
                    return
                case _:
                    raise ValueError(f"unknown order {what!r}")
        except (ValueError, TypeError, OSError) as error:
            stream.write(b"FAIL" + _block(str(error)))
        else:
            stream.write(b"OKAY" + (_block(text) if text else b""))

    def forget_all(self) -> str:
        """The host is gone, or wants no port any more."""
        for port in list(self._ports):
            self._forget(port)
        return ""

    def _forward(self, stream: Stream, device: str, host: str) -> str:
        """Listen; the port that was chosen if the host left the choice."""
        wanted = _port(device)
        if wanted in self._ports:
            self._forget(wanted)
        listener = socket.create_server(("127.0.0.1", wanted))
        port: int = listener.getsockname()[1]
        self._ports[port] = (listener, host)
        threading.Thread(target=_accept, args=(listener, stream, host), name="reverse", daemon=True).start()
        return str(port) if wanted == 0 else ""

    def _forget(self, port: int) -> str:
        if port not in self._ports:
            raise ValueError(f"listener 'tcp:{port}' not found")
        listener, _ = self._ports.pop(port)
        with suppress(OSError):
            # On Linux a plain close does not wake the thread that accepts.
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        return ""


def _port(text: str) -> int:
    """Of "tcp:8000". Raises ValueError."""
    kind, _, number = text.partition(":")
    if kind != "tcp" or not 0 <= int(number) < 65536:
        raise ValueError(f"{text!r} is no port of this device")
    return int(number)


def _block(text: str) -> bytes:
    data = text.encode()
    return f"{len(data):04x}".encode() + data


def _accept(listener: socket.socket, stream: Stream, host: str) -> None:
    """Until the listener is closed, or the host that asked for it is gone."""
    with listener:
        while True:
            try:
                client, _ = listener.accept()
                there = stream.dial(host)
            except (OSError, Gone):
                return
            for carry in (_to_host, _from_host):
                threading.Thread(target=carry, args=(client, there), name="reverse", daemon=True).start()


def _to_host(client: socket.socket, there: Stream) -> None:
    with suppress(OSError, Gone):
        while data := client.recv(_PIECE):
            there.write(data)
        there.close()


def _from_host(client: socket.socket, there: Stream) -> None:
    with suppress(OSError, Gone):
        while True:
            client.sendall(there.read())
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    client.close()

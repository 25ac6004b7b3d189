"""What an adb server can open on the device: a shell in its three forms, files, the framebuffer."""

import struct
from collections.abc import Callable, Iterator

from PIL import Image

from environments.simulated_android.files import Files, serve_sync
from environments.simulated_android.reverse import Reverse
from environments.simulated_android.shell import Result, Run, ShellError, run_line
from environments.simulated_android.transport import Stream

_OUT, _ERR, _EXIT = 1, 2, 3
_FRAMEBUFFER = struct.Struct("<13I")


class Services:
    """run: one command of a line. alarm: told of every line that no client should have sent. picture: the screen.

    reverse: the ports of the device that lead to a host.
    """

    def __init__(
        self,
        run: Run,
        alarm: Callable[[str], None],
        files: Files,
        picture: Callable[[], Image.Image],
        reverse: Reverse,
    ) -> None:
        self._run = run
        self._alarm = alarm
        self._files = files
        self._picture = picture
        self._reverse = reverse

    def find(self, service: str) -> Callable[[Stream], None] | None:
        """What serves a stream of this name; None if nothing does."""
        kind, _, line = service.partition(":")
        name, *options = kind.split(",")
        if name in ("shell", "exec"):
            return (lambda s: self._shell_v2(s, line)) if "v2" in options else (lambda s: self._shell_v1(s, line))
        if kind == "sync":
            return lambda stream: serve_sync(stream, self._files)
        if kind == "reverse":
            return lambda stream: self._reverse.serve(stream, line)
        if kind == "framebuffer":
            return self._framebuffer
        return None

    def _results(self, line: str) -> Iterator[Result]:
        if not line.strip():
            yield Result(err=b"sh: this device has no interactive shell\n", code=1)
            return
        try:
            yield from run_line(line, self._run)
        except ShellError as error:
            self._alarm(str(error))
            yield Result(err=f"sh: {error}\n".encode(), code=2)

    def _shell_v1(self, stream: Stream, line: str) -> None:
        # Without a protocol of its own, errors stand between the output.
        for result in self._results(line):
            stream.write(result.out + result.err)

    def _shell_v2(self, stream: Stream, line: str) -> None:
        code = 0
        for result in self._results(line):
            for channel, data in ((_OUT, result.out), (_ERR, result.err)):
                if data:
                    stream.write(struct.pack("<BI", channel, len(data)) + data)
            code = result.code
        stream.write(struct.pack("<BIB", _EXIT, 1, code))

    def _framebuffer(self, stream: Stream) -> None:
        image = self._picture().convert("RGBA")
        width, height = image.size
        # Version, bits, bytes, width, height; then where red, blue, green and alpha are, and how wide.
        head = (1, 32, 4 * width * height, width, height, 0, 8, 16, 8, 8, 8, 24, 8)
        stream.write(_FRAMEBUFFER.pack(*head) + image.tobytes())

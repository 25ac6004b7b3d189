"""What `agent doctor` says about Android: whether there is an adb, and each device that it knows."""

from collections.abc import Iterator

from action_space.errors import ClickwrightError
from environments.adb_devices import devices, explain, is_ready
from environments.adb_server import adb_program


def android_findings() -> Iterator[tuple[str, bool | None, str]]:
    """(what, whether it is well, a line of text); None for what is only told. Raises nothing of ours."""
    try:
        yield "adb", True, adb_program()
        found = devices()
    except ClickwrightError as error:
        yield "android", None, str(error)
        return
    if not found:
        yield "android", None, "no device is connected; `agent device simulate` starts one to try"
    for device in found:
        ready = is_ready(device)
        yield f"android {device.serial}", ready, device.model or "ready" if ready else explain(device.state)

"""What is told about Android devices: none, a good one, one that does not trust this computer, no adb at all."""

import time

import pytest
from adbutils import AdbClient

from agent.doctor_android import android_findings
from environments.adb_devices import devices
from environments.adb_server import adb_program, own_server
from environments.simulated_android.device import simulated_android


def test_every_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_server() as port, simulated_android(auth="refuse") as device:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        assert list(android_findings()) == [
            ("adb", True, adb_program()),
            ("android", None, "no device is connected; `agent device simulate` starts one to try"),
        ]
        name = f"android {device.serial}"
        AdbClient(port=port).connect(device.serial)
        wait_for("unauthorized", port)
        unasked = "it does not trust this computer yet: accept the question on its screen"
        assert list(android_findings())[1:] == [(name, False, unasked)]
        device.consent("accept")
        AdbClient(port=port).disconnect(device.serial)
        AdbClient(port=port).connect(device.serial)
        wait_for("device", port)
        assert list(android_findings())[1:] == [(name, True, "Simulated_phone")]


def wait_for(state: str, port: int) -> None:
    end = time.monotonic() + 60
    while [device.state for device in devices(port)] != [state]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_server_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    found = list(android_findings())
    assert found[0] == ("adb", True, "/bin/false")
    assert found[1][:2] == ("android", None) and "does not start on port 1" in found[1][2]

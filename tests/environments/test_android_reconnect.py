"""A device that is lost: cables, servers, keys. Everything through real adb."""

import threading
import time

import pytest
from adbutils import AdbClient

from action_space.actions import Open, Press, Type
from action_space.errors import ConfigError, DeviceError
from environments.adb_devices import AdbDevice, devices
from environments.adb_server import own_server, server_port
from environments.android import AndroidEnvironment
from environments.simulated_android.device import SimulatedAndroid, simulated_android
from environments.simulated_android.transport import Fault
from tests.environments.conftest import MakeAndroid


def test_the_cable_is_pulled_in_the_middle_of_a_screenshot(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(app="settings")
    phone.faults.next_cut = Fault("screencap", 5_000)
    assert environment.observe().details["app"] == "org.clickwright.settings"
    assert phone.faults.next_cut is None, "it was pulled"


def test_the_device_restarts(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android()
    environment.observe()
    phone.unplug()
    threading.Timer(1.0, phone.plug).start()
    environment.execute(Open(target="settings"))
    assert environment.observe().details["app"] == "org.clickwright.settings"


def test_a_touch_that_is_cut_is_not_repeated(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    """Nobody knows whether it was done, so the model is told to look."""
    environment = make_android(app="notes")
    environment.observe()
    phone.faults.next_cut = Fault("input text", 0)
    environment.execute(Type(text="hello"))
    assert (
        "The connection to the device broke while typing: it may not have been done." in environment.observe().context
    )
    assert len(environment.observe().context) == 1, "said once"


def test_the_adb_server_is_killed(phone: SimulatedAndroid) -> None:
    with own_server() as port:
        environment = AndroidEnvironment(phone.serial, adb_port=port, settle_s=15.0, reconnect_s=60.0)
        environment.observe()
        AdbClient(port=port).server_kill()
        try:
            assert environment.observe().image.size == (1080, 2400)
        finally:
            environment.close()
            AdbClient(port=port).server_kill()


def test_a_device_that_stays_away(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(reconnect_s=4.0)
    phone.unplug()
    with pytest.raises(DeviceError, match=r"was lost for 4 s: .*bring it back and go on with --resume") as caught:
        environment.execute(Open(target="settings"))
    assert "\n" not in str(caught.value)
    environment.release()
    phone.plug()
    environment.execute(Open(target="bank"))
    assert environment.observe().details["app"] == "org.clickwright.bank"


def test_a_device_that_hears_nothing(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    environment = make_android(timeout_s=4.0, reconnect_s=1.0)
    phone.faults.deaf = True
    with pytest.raises(DeviceError, match="was lost for 1 s"):
        environment.execute(Press(keys=("back",)))
    phone.faults.deaf = False
    assert make_android().observe().image.size == (1080, 2400)


def test_an_offline_device(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    phone.faults.mute = True
    with pytest.raises(DeviceError, match=f"the device {phone.serial!r} cannot be used: "):
        make_android(timeout_s=2.0, reconnect_s=1.0)


def test_offline_in_between(make_android: MakeAndroid, phone: SimulatedAndroid) -> None:
    """The server takes the device for connected, but nothing is answered, until a new connection is made."""
    environment = make_android(timeout_s=4.0)
    phone.faults.mute = True
    phone.unplug()
    phone.plug()
    threading.Timer(2.0, phone.faults.reset).start()
    environment.execute(Open(target="settings"))
    assert phone.phone.foreground == "org.clickwright.settings"


def test_a_key_has_to_be_accepted(adb_port: int) -> None:
    with simulated_android(auth="refuse") as device:
        with pytest.raises(DeviceError, match="accept the question on its screen"):
            AndroidEnvironment(device.serial, adb_port=adb_port, reconnect_s=1.0)
        device.consent("accept")
        AdbClient(port=adb_port).disconnect(device.serial)
        environment = AndroidEnvironment(device.serial, adb_port=adb_port, settle_s=15.0, reconnect_s=60.0)
        environment.execute(Open(target="settings"))
        assert environment.observe().details["app"] == "org.clickwright.settings"
        environment.close()


def test_an_old_device_that_sends_no_exit_status(adb_port: int) -> None:
    with simulated_android(old=True) as device:
        environment = AndroidEnvironment(device.serial, adb_port=adb_port, settle_s=15.0, reconnect_s=60.0)
        environment.execute(Open(target="settings"))
        device.faults.next_cut = Fault("screencap", 5_000)
        assert environment.observe().details["app"] == "org.clickwright.settings"
        with pytest.raises(Exception, match="no app 'x'"):
            environment.execute(Open(target="x"))
        environment.close()


def test_which_of_several(phone: SimulatedAndroid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    with own_server() as port:
        with pytest.raises(DeviceError, match=r"no Android device is connected: .*agent device simulate"):
            AndroidEnvironment(adb_port=port)
        only = AndroidEnvironment(phone.serial, adb_port=port)
        assert AndroidEnvironment(adb_port=port).serial == only.serial == phone.serial
        with simulated_android() as other:
            AdbClient(port=port).connect(other.serial)
            _wait_for(2, port)
            with pytest.raises(ConfigError, match=r"there are 2 Android devices: name one with --device \(.*, .*\)"):
                AndroidEnvironment(adb_port=port)
            monkeypatch.setenv("ANDROID_SERIAL", other.serial)
            assert AndroidEnvironment(adb_port=port).serial == other.serial
        assert AdbDevice(phone.serial, "device", "Simulated_phone") in devices(port)


def _wait_for(number: int, port: int) -> None:
    end = time.monotonic() + 30
    while sum(device.state == "device" for device in devices(port)) < number:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nobody_listens_at_an_address(adb_port: int) -> None:
    with pytest.raises(DeviceError, match=r"cannot be used: .*refused"):
        AndroidEnvironment("127.0.0.1:1", adb_port=adb_port, reconnect_s=0.5)


def test_a_serial_that_is_not_connected(adb_port: int) -> None:
    with pytest.raises(DeviceError, match="'R58M' cannot be used: it is not connected"):
        AndroidEnvironment("R58M", adb_port=adb_port, reconnect_s=0.5)


@pytest.mark.parametrize("port", ["", "adb", "0", "70000", "²"])
def test_a_port_that_is_none(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", port)
    with pytest.raises(ConfigError, match="ANDROID_ADB_SERVER_PORT"):
        server_port()


def test_no_adb_server_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    with pytest.raises(DeviceError, match=r"the adb server does not start on port 1 .*adb start-server"):
        AndroidEnvironment("127.0.0.1:1", adb_port=1)

"""The simulated device through the real adb program, the real adb server and the real adbutils."""

import hashlib
import io
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from adbutils import AdbClient, AdbError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Error as PlaywrightError

from environments.adb_devices import devices
from environments.adb_server import adb_program, own_server
from environments.simulated_android.apps import LAUNCHER, Store, serve_apps
from environments.simulated_android.auth import Keyring, read_public_key
from environments.simulated_android.device import SimulatedAndroid, simulated_android
from environments.simulated_android.packets import LARGEST, BadPacket, Packet, read_packet
from environments.simulated_android.phone import PHYSICAL
from environments.simulated_android.screen import Screen
from environments.simulated_android.shell import STATUS, ShellError, parse
from environments.simulated_android.transport import Fault

Adb = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def adb(phone: SimulatedAndroid, adb_port: int) -> Adb:
    def run(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = [adb_program(), "-P", str(adb_port), *arguments]
        return subprocess.run(command, capture_output=True, timeout=60)

    assert b"connected to" in run("connect", phone.serial).stdout
    wait_for("device", phone.serial, adb_port)
    # The server may still believe in the connection of the test before, and notice a moment later that it is gone.
    end = time.monotonic() + 60
    while run("-s", phone.serial, "shell", "echo", "here").stdout != b"here\n":
        assert time.monotonic() < end, devices(adb_port)
        run("connect", phone.serial)
    return run


def wait_for(state: str, serial: str, port: int) -> None:
    end = time.monotonic() + 60
    while not any((found.serial, found.state) == (serial, state) for found in devices(port)):
        assert time.monotonic() < end, devices(port)
        time.sleep(0.05)


def test_shell_has_output_errors_and_status(adb: Adb) -> None:
    done = adb("shell", "wm", "size")
    assert (done.returncode, done.stdout) == (0, b"Physical size: 1080x2400\n")
    failed = adb("shell", "teleport", "home")
    assert failed.returncode == 127
    assert failed.stdout == b"" and failed.stderr == b"/system/bin/sh: teleport: inaccessible or not found\n"
    assert adb("shell", "echo a; teleport || echo $? && echo 'b;c'").stdout == b"a\n127\nb;c\n"


def test_a_screen_that_hangs_is_stopped() -> None:
    with serve_apps(Store()) as address:
        screen = Screen(address, PHYSICAL, headless=True, answer_s=5)
        screen.show(f"{LAUNCHER}/")
        with pytest.raises(PlaywrightError, match="its browser did not react for 5 s and was stopped"):
            screen.ask("(() => { for (;;); })()")
        with pytest.raises(PlaywrightError):
            screen.picture()
        screen.close()


def test_pictures(adb: Adb, phone: SimulatedAndroid, adb_port: int) -> None:
    shot = Image.open(io.BytesIO(adb("exec-out", "screencap", "-p").stdout))
    assert shot.size == (1080, 2400) and len(shot.convert("RGB").getcolors(1 << 24) or []) > 100
    client = AdbClient(port=adb_port).device(phone.serial)
    assert client.screenshot(error_ok=False).tobytes() == shot.convert("RGB").tobytes()
    assert client.framebuffer().convert("RGB").tobytes() == shot.convert("RGB").tobytes()
    raw = adb("exec-out", "screencap").stdout
    assert raw[16:] == shot.convert("RGBA").tobytes()


def test_files_come_back_as_they_went(adb: Adb, tmp_path: Path) -> None:
    there, back = tmp_path / "there.bin", tmp_path / "back.bin"
    there.write_bytes(b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(30_000)))
    assert adb("push", str(there), "/sdcard/folder/a file.bin").returncode == 0
    assert adb("pull", "/sdcard/folder/a file.bin", str(back)).returncode == 0
    assert back.read_bytes() == there.read_bytes()
    assert b"a file.bin" in adb("ls", "/sdcard/folder").stdout
    missing = adb("pull", "/sdcard/nothing", str(back))
    assert missing.returncode == 1 and b"nothing" in missing.stderr


def test_a_push_that_is_cut_leaves_nothing(adb: Adb, phone: SimulatedAndroid, tmp_path: Path, adb_port: int) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(1_000_000))
    phone.faults.next_cut = Fault("sync:", 300_000)
    assert adb("push", str(big), "/sdcard/big.bin").returncode != 0
    assert phone.files.read("/sdcard/big.bin") is None
    adb("disconnect", phone.serial)
    adb("connect", phone.serial)
    wait_for("device", phone.serial, adb_port)
    assert adb("push", str(big), "/sdcard/big.bin").returncode == 0
    assert phone.files.read("/sdcard/big.bin") == bytes(1_000_000)


def test_a_service_that_is_not_there(adb: Adb) -> None:
    assert b"closed" in adb("root").stderr + adb("root").stdout


def test_what_a_shell_would_act_on_is_an_alarm(adb: Adb, phone: SimulatedAndroid) -> None:
    for line in ("echo $HOME", "echo `id`", "echo a > /sdcard/x", "echo *", 'echo "$(id)"', "echo a | cat"):
        assert adb("shell", line).returncode == 2, line
    assert len(phone.alarms) == 6
    phone.alarms.clear()


def test_apps_are_touched_and_keep_their_state(adb: Adb, phone: SimulatedAndroid) -> None:
    assert phone.state("settings") == {}
    adb("shell", "am", "start", "-n", "org.clickwright.settings/.Main")
    assert (
        "mCurrentFocus=Window{5a7c2e1 u0 org.clickwright.settings/" in adb("shell", "dumpsys", "window").stdout.decode()
    )
    tree = adb("exec-out", "uiautomator", "dump", "/dev/tty").stdout.decode()
    left, top, right, bottom = bounds_of("Bluetooth", tree)
    adb("shell", "input", "tap", str((left + right) // 2), str((top + bottom) // 2))
    until(lambda: phone.state("settings").get("Bluetooth") is True)
    assert phone.state("settings")["Wi-Fi"] is True
    assert adb("shell", "am", "start", "-n", "com.nobody/.Main").returncode == 1


def bounds_of(text: str, tree: str) -> tuple[int, int, int, int]:
    place = tree.partition(f'text="{text}"')[2].partition('bounds="[')[2].partition(']"')[0]
    left, top, right, bottom = place.replace("][", ",").split(",")
    return int(left), int(top), int(right), int(bottom)


def until(holds: Callable[[], bool]) -> None:
    """What an app keeps arrives a moment after the touch."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# -------------------------------------------------------------------------------------------------------------- keys


def test_a_key_is_accepted_once_and_then_known(adb_port: int) -> None:
    with simulated_android(auth="refuse") as device:
        client = AdbClient(port=adb_port)
        assert "connected to" not in client.connect(device.serial).replace("failed to", "")
        wait_for("unauthorized", device.serial, adb_port)
        with pytest.raises(AdbError, match="unauthorized"):
            client.device(device.serial).shell("echo")
        device.consent("accept")
        client.disconnect(device.serial)
        client.connect(device.serial)
        wait_for("device", device.serial, adb_port)
        # Now the key is known: nobody is asked any more.
        device.consent("refuse")
        client.disconnect(device.serial)
        client.connect(device.serial)
        wait_for("device", device.serial, adb_port)
        assert client.device(device.serial).shell("echo in") == "in"
        with own_server() as other:
            AdbClient(port=other).connect(device.serial)
            wait_for("unauthorized", device.serial, other)


@given(st.binary(max_size=900))
def test_no_key_is_made_of_noise(noise: bytes) -> None:
    assert read_public_key(noise) is None
    assert not Keyring("accept").offer(noise)
    assert not Keyring("accept").has_signed(b"\0" * 20, noise)


# ----------------------------------------------------------------------------------------------------------- packets


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=300))
def test_packets_come_back(command: int, first: int, second: int, data: bytes) -> None:
    packet = Packet(command, first, second, data)
    assert read_packet(io.BytesIO(packet.pack()).read) == packet
    assert read_packet(io.BytesIO(packet.pack()[:-1]).read) is None


@given(st.binary(min_size=24, max_size=200))
def test_noise_is_no_packet(noise: bytes) -> None:
    try:
        packet = read_packet(io.BytesIO(noise).read)
    except BadPacket:
        return
    assert packet is None or len(packet.data) <= LARGEST * 4


# ------------------------------------------------------------------------------------------------------------- shell


@settings(max_examples=60)
@example(["\\;"])
@example(["a\\ ", ";"])
@example(["a \\\n"])
@given(st.lists(st.text("ab '\"\\$`;&|<>*?~#(){}!\n\t é漢", max_size=8), min_size=1, max_size=4))
def test_words_are_read_as_a_posix_shell_reads_them(words: list[str]) -> None:
    """Every line that this shell accepts means the same to a real one."""
    line = " ".join(words)
    try:
        commands = parse(line)
    except ShellError:
        return
    if len(commands) != 1 or any(STATUS in word for word in commands[0].words):
        return
    bare = re.sub(r"(?<!\\)[ \t\n;]+$", "", line.lstrip(" \t\n;"))  # what is escaped is a word
    shown = subprocess.run(["sh", "-c", f"set -- {bare}\nprintf '%s\\0' \"$@\""], capture_output=True)
    assert shown.stdout.decode().split("\0")[:-1] == list(commands[0].words), line

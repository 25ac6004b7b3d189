"""Whatever a model writes: the lines that would go to the device, given to a real shell in which nothing but stand-ins
for Android's commands can be run."""

import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action_space.actions import Action, Open, Press, Type
from action_space.errors import ModelMistake
from environments.android import AndroidEnvironment
from environments.android_input import ADB_KEYBOARD
from environments.android_link import Output, Words, shell_line

COMMANDS = ("input", "am", "ime", "settings", "cmd", "pm", "monkey", "dumpsys", "screencap")
APPS = """Activity #0:
      name=org.evil.Main$(reboot)
      packageName=org.evil
      nonLocalizedLabel=$(reboot) `id` icon=0x0
"""
ANSWERS = {"cmd package": APPS, "ime list": ADB_KEYBOARD, "settings get": ADB_KEYBOARD}


class WrittenLink:
    """Keeps the lines instead of sending them. keyboard: whether ADBKeyboard is installed."""

    serial = "fake"

    def __init__(self, *_: object, **__: object) -> None:
        self.lines: list[str] = []
        self.wanted: list[list[str]] = []
        self.keyboard = True
        self._clipboard = ""

    def run(self, *commands: Words, joint: str = "&&", extra_s: float = 0.0) -> Output:  # noqa: ARG002 (Link's own)
        self.lines.append(shell_line(*commands, joint=joint))
        self.wanted += [list(words) for words in commands]
        first = " ".join(commands[0][:2])
        if first == "cmd clipboard":
            self._clipboard = commands[0][3] if len(commands[0]) > 3 else self._clipboard
            return Output(f"{self._clipboard}\n".encode(), b"", 0)
        return Output(ANSWERS.get(first, "").encode() if self.keyboard or first != "ime list" else b"", b"", 0)

    def act(self, *commands: Words, extra_s: float = 0.0) -> Output:
        return self.run(*commands, extra_s=extra_s)


@pytest.fixture(scope="module")
def android() -> Iterator[tuple[AndroidEnvironment, WrittenLink]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("environments.android.Link", WrittenLink)
        environment = AndroidEnvironment("fake", adb_port=1)
        link = environment._link
        assert isinstance(link, WrittenLink)
        yield environment, link


def shell_reads(lines: list[str]) -> list[list[str]]:
    """The commands of the lines with their arguments, as `sh` runs them: functions that print what they were given."""
    # How many words there are comes first: any byte that parts calls could be one of theirs.
    stand_ins = "".join(f'{name}() {{ printf \'%s\\0\' "$#" {name} "$@"; }}\n' for name in COMMANDS)
    script = stand_ins + "\n".join(lines)
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, env={"PATH": "/nowhere"})
    assert done.stderr == b"", (lines, done.stderr)
    words, calls = done.stdout.decode().split("\0")[:-1], list[list[str]]()
    while words:
        end = 2 + int(words[0])
        calls.append(words[1:end])
        words = words[end:]
    return calls


EVIL = st.lists(st.sampled_from(["$(reboot)", "`id`", "'", '"', "\\", ";", "&&", "|", ">x", "\n", " ", "*", "é", "-n"]))
TEXTS = st.one_of(st.text(max_size=60), EVIL.map("".join))
KEYS = st.one_of(
    st.sampled_from(["back", "ctrl", "enter", "f1", "a", "'", ";", "$", "`", "\\"]), st.characters(codec="utf-8")
)


def _pressed(keys: list[str]) -> Action | None:
    try:
        return Press(keys=tuple(keys))
    except ValueError:
        return None


ACTIONS = st.one_of(
    TEXTS.map(lambda text: Type(text=text)),
    TEXTS.filter(bool).map(lambda text: Open(target=text)),
    TEXTS.map(lambda text: Open(target=f"https://{text}")),
    st.sampled_from([Open(target="org.evil"), Open(target="https://\1")]),
    st.lists(KEYS, min_size=1, max_size=3).map(_pressed),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS, st.booleans())
def test_nothing_but_android_commands_is_run(
    android: tuple[AndroidEnvironment, WrittenLink], action: Action | None, keyboard: bool
) -> None:
    environment, link = android
    link.lines.clear()
    link.wanted.clear()
    link.keyboard = keyboard
    if action is None:
        return
    try:
        environment.execute(action)
    except ModelMistake as mistake:
        assert "\n" not in str(mistake)
    assert shell_reads(link.lines) == link.wanted
    assert all(words[0] in COMMANDS for words in link.wanted)

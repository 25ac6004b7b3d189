"""A task on the simulated phone for every seed, in plain words, and the state that the phone must end in.

The same seed gives the same task. Only what the task names may be set: everything else stays as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

SWITCHES_THAT_ARE_OFF = (
    "Bluetooth",
    "Airplane mode",
    "Dark theme",
    "Battery saver",
    "Do not disturb",
    "Auto-rotate",
    "Hotspot",
)
SWITCHES_THAT_ARE_ON = ("Wi-Fi", "Location")
BOOKS = (
    "The Last Garden",
    "The Last Harbour",
    "The Last River",
    "A Quiet Mountain",
    "The Glass Lantern",
    "My Other Bridge",
)
PEOPLE = {"Ada Byron": "555 0142", "Grace Hopper": "555 0119", "Alan Kay": "555 0177", "Radia Perlman": "555 0108"}
NOTES = ("Buy milk and bread", "Call the plumber", "Water the plants", "Return the library books")
LOGINS = {"ada": "engine1843", "grace": "cobol-1959"}

State = dict[str, object]


@dataclass(frozen=True, slots=True)
class PhoneTask:
    """app: the one that is open at the start. wanted: what it must keep at the end; other apps must keep nothing."""

    seed: int
    app: str
    words: str
    wanted: State


def draw_task(seed: int) -> PhoneTask:
    """The task of a seed; apps take turns."""
    app, draw = _KINDS[seed % len(_KINDS)]
    words, wanted = draw(Random(f"phone {seed}"))
    return PhoneTask(seed, app, words, wanted)


def mistakes(task: PhoneTask, state_of: Callable[[str], State]) -> list[str]:
    """What the phone keeps otherwise than the task asks for, one line each. state_of: the state of an app."""
    found = []
    for app in dict(_KINDS):
        kept, wanted = state_of(app), task.wanted if app == task.app else {}
        for key in sorted(kept.keys() | wanted.keys()):
            if kept.get(key) != wanted.get(key):
                found.append(f"{app}: {key} is {kept.get(key)!r}, it must be {wanted.get(key)!r}")
    return found


def _settings(rng: Random) -> tuple[str, State]:
    state = dict.fromkeys(SWITCHES_THAT_ARE_ON, True) | dict.fromkeys(SWITCHES_THAT_ARE_OFF, False)
    count = rng.choice((1, 1, 2))
    chosen = rng.sample([*SWITCHES_THAT_ARE_OFF, *SWITCHES_THAT_ARE_ON], count)
    deeds = [f'turn {"off" if state[name] else "on"} "{name}"' for name in chosen]
    return _sentence(deeds), {name: on is not (name in chosen) for name, on in state.items()}


def _contacts(rng: Random) -> tuple[str, State]:
    name = rng.choice(list(PEOPLE))
    deeds, phone = [f'type "{name}" into "Name"'], ""
    if rng.random() < 0.5:
        phone = PEOPLE[name]
        deeds.append(f'type "{phone}" into "Phone"')
    return _sentence([*deeds, 'press "Save"']), {"contacts": [{"name": name, "phone": phone, "email": ""}]}


def _notes(rng: Random) -> tuple[str, State]:
    note = rng.choice(NOTES)
    return _sentence(['press "New note"', f'type "{note}" into "Text"', 'press "Save"']), {"notes": [note]}


def _library(rng: Random) -> tuple[str, State]:
    book = rng.choice(BOOKS)
    return _sentence([f'borrow "{book}"']), {"borrowed": [book]}


def _bank(rng: Random) -> tuple[str, State]:
    user = rng.choice(list(LOGINS))
    deeds = [f'type "{user}" into "User name"', f'type "{LOGINS[user]}" into "Password"', 'press "Sign in"']
    return _sentence(deeds), {"user": user, "failed": 0}


def _sentence(deeds: list[str]) -> str:
    *first, last = deeds
    text = f"{', '.join(first)} and {last}." if first else f"{last}."
    return text[:1].upper() + text[1:]


_KINDS: tuple[tuple[str, Callable[[Random], tuple[str, State]]], ...] = (
    ("settings", _settings),
    ("contacts", _contacts),
    ("notes", _notes),
    ("library", _library),
    ("bank", _bank),
)

"""What an action may do without asking: allow, ask a person, or refuse.

The guard sees what a person would see, the words and the address, not the page's source: a seat belt, not a sandbox.
What the task itself names was wished for by a person: "press Send" in the task needs no second yes, "press Delete" on
the way to it does. Hosts outside `--allow-host` and script addresses are refused whatever `--confirm` says.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import SplitResult, urlsplit

from action_space.actions import (
    Action,
    Ask,
    Click,
    Drag,
    Finish,
    LongPress,
    Move,
    Open,
    Press,
    Scroll,
    Type,
    Wait,
)
from action_space.errors import ConfigError, PolicyRefusal
from agent.describe import describe
from agent.halt import Halt
from agent.trajectory import Confirm

Person = Callable[[str], str]
"""Asks a person and gives the answer; raises nothing. "" means that nobody is there."""


def _any_of(words: str, phrases: str = "") -> re.Pattern[str]:
    """Matches each word in all its English forms, group 1 being the stem, and each phrase."""
    stems = "|".join(re.escape(word.removesuffix("e")) for word in words.split())
    return re.compile(rf"\b({stems}{'|' + phrases if phrases else ''})(?:e[sd]?|s|ing)?\b", re.IGNORECASE)


_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_NAVIGATION_KEYS = frozenset({"back", "forward", "escape", "esc"})
_SCRIPT_SCHEMES = frozenset({"javascript", "vbscript", "data"})
_WEB_SCHEMES = frozenset({"http", "https", "about"})

_COMMITTING = _any_of(
    "buy purchase pay payment checkout order donate transfer delete remove erase wipe uninstall discard deactivate "
    "send post publish tweet share kaufen bezahlen bestellen löschen entfernen senden abschicken überweisen "
    "veröffentlichen acheter payer supprimer envoyer publier comprar pagar borrar eliminar enviar publicar"
)
"""What cannot be taken back, in the words that buttons carry."""
_SECRET = _any_of(
    "password passwort passcode passphrase otp cvv cvc iban ssn kreditkarte contraseña pin",
    "one-time code|security code|card number|credit card|debit card|account number|social security|api key|secret key|"
    "private key|seed phrase|mot de passe",
)
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guard may look at, "" where it is not known.

    task: in the person's words. words: what the model said it is about to do. url: of the page. focus: the kind of
    field that takes the keys. pages: whether addresses are opened by bare host names, as in a browser.
    """

    task: str = ""
    words: str = ""
    url: str = ""
    focus: str = ""
    pages: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """Reviews every action before it is carried out. person: None when nobody can be asked."""

    confirm: Confirm = "risky"
    allow_hosts: tuple[str, ...] = ()
    person: Person | None = None

    def __post_init__(self) -> None:
        for host in self.allow_hosts:
            if not re.fullmatch(r"(?:\*\.)?[\w.:\[\]-]+", host):
                raise ConfigError(
                    f"--allow-host {host!r} is not a host name: give one like 'example.com' or '*.example.com'"
                )

    def review(self, action: Action, situation: Situation) -> None:
        """Return if the action may be carried out.

        Raises PolicyRefusal (told to the model) or Halt (nobody can be asked: the run ends).
        """
        if forbidden := self._forbidden(action, situation):
            raise PolicyRefusal(forbidden)
        if self.confirm == "none" or isinstance(action, Ask | Finish | Wait):
            return
        reason = risk(action, situation)
        if reason or self.confirm == "all":
            self._ask(action, reason or "--confirm all asks before every action")

    def _ask(self, action: Action, reason: str) -> None:
        what = describe(action)
        answer = (
            self.person(f"Allow: {what}? ({reason}) [y/N, or say what to do instead]").strip() if self.person else ""
        )
        if answer.lower() in {"y", "yes"}:
            return
        if not answer and self.person is None:
            raise Halt(
                "refused",
                f"{what} needs a confirmation ({reason}) and nobody can be asked: "
                f"run it in a terminal, or allow it with --confirm none",
            )
        said = "" if answer.lower() in {"", "n", "no"} else f" and says: {answer}"
        raise PolicyRefusal(f"a person refused {what}{said}")

    def _forbidden(self, action: Action, situation: Situation) -> str:
        if isinstance(action, Open):
            return self._forbidden_target(action.target, situation.pages)
        if self._host_allowed(situation.url) or _only_leaves(action):
            return ""
        return (
            f"this page, {situation.url!r}, is outside the allowed hosts {self._hosts()}: go back, or open one of them"
        )

    def _forbidden_target(self, target: str, pages: bool) -> str:
        if not pages and not re.search(r"[:/]", target):
            return ""  # The name of an application, though a package may look like a host.
        parts = _split(target)
        if parts is None:
            return f"{target[:200]!r} is not an address"
        if parts.scheme in _SCRIPT_SCHEMES:
            return f"addresses that run a script are not opened: {target[:80]!r}"
        if not self._host_allowed(target):
            return f"{parts.hostname or target!r} is outside the allowed hosts {self._hosts()}"
        return ""

    def _host_allowed(self, url: str) -> bool:
        if not self.allow_hosts or not url or url == "about:blank":
            return True
        # `hostname` leaves out the part before an @, in which a wrong host can be made to look right.
        parts = _split(url)
        host = ((parts.hostname if parts else None) or "").rstrip(".")
        return bool(host) and any(_matches(host, allowed.lower()) for allowed in self.allow_hosts)

    def _hosts(self) -> str:
        return ", ".join(self.allow_hosts)


def risk(action: Action, situation: Situation) -> str:
    """Why a person should be asked before this action, in words; "" if there is no reason."""
    match action:
        case Open():
            return "" if action.target in situation.task else _risk_of_target(action.target)
        case Type():
            return _risk_of_text(action.text, situation)
        case Click() | LongPress() | Press() | Drag():
            return _risk_of_words(situation)
        case Move() | Scroll() | Wait() | Ask() | Finish():
            return ""
        case _:
            assert_never(action)


def _risk_of_words(situation: Situation) -> str:
    word = _not_wished_for(_COMMITTING, situation)
    return f"it may not be undone: {word!r}" if word else ""


def _risk_of_text(text: str, situation: Situation) -> str:
    if situation.focus == "password" and text not in situation.task:
        return "it types into a password field"
    if word := _not_wished_for(_SECRET, situation):
        return f"it types a secret: {word!r}"
    if any(_is_card_number(found) and found not in situation.task for found in _CARD.findall(text)):
        return "it types what looks like a card number"
    # A newline presses Enter, which sends what was typed.
    return _risk_of_words(situation) if "\n" in text else ""


def _not_wished_for(pattern: re.Pattern[str], situation: Situation) -> str:
    """The first word of this kind that the model says and the task does not."""
    wished = {match[1].lower() for match in pattern.finditer(situation.task)}
    said = (match[0] for match in pattern.finditer(situation.words) if match[1].lower() not in wished)
    return next(said, "")


def _risk_of_target(target: str) -> str:
    parts = _split(target)
    if parts is None:
        return ""
    if parts.username or parts.password:
        return "the address holds a user name or a password"
    if parts.scheme and "." not in parts.scheme and parts.scheme not in _WEB_SCHEMES and not _is_host_and_port(target):
        return f"it opens a {parts.scheme}: address"
    return ""


def _only_leaves(action: Action) -> bool:
    """Whether an action is harmless on a page that must not be touched, because it ends or leaves it."""
    if isinstance(action, Press):
        chord = frozenset(key.lower() for key in action.keys)
        return chord <= _NAVIGATION_KEYS or chord in ({"alt", "left"}, {"ctrl", "w"})
    return isinstance(action, Ask | Finish | Wait | Move)


def _split(target: str) -> SplitResult | None:
    # Browsers ignore white space and control characters in front of and inside a scheme.
    cleaned = re.sub(r"[\x00-\x20]", "", target).replace("\\", "/")
    try:
        parts = urlsplit(cleaned)
        if not parts.netloc and ("." in cleaned or cleaned.split(":")[0].lower() in _LOCAL_HOSTS) and _is_bare(cleaned):
            parts = urlsplit(f"//{cleaned}")
        parts.hostname  # noqa: B018 (raises ValueError for a malformed one)
    except ValueError:
        return None
    return parts


def _is_bare(target: str) -> bool:
    """`example.com/path` and `localhost:8000`: no scheme."""
    return _is_host_and_port(target) or not re.match(r"[a-zA-Z][a-zA-Z0-9+-]*:", target)


def _is_host_and_port(target: str) -> bool:
    return re.match(r"[\w.-]+:\d+(?:[/?#]|$)", target) is not None


def _matches(host: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return host == allowed[2:] or host.endswith(allowed[1:])
    return host == allowed


def _is_card_number(text: str) -> bool:
    """The check digit that every payment card has (Luhn)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0

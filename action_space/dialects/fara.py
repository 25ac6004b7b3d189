"""Fara-7B: a browser, by a `computer_use` function with words for pages.

Its `type` says four things at once: where, what, whether to clear the field and whether to press Enter. An action does
one thing, so a type with a coordinate is first read as the click there (three clicks, which select a line, if the field
is to be cleared), and as the typing once the mouse is there. To clear without a coordinate is refused and said.
`press_enter` is a newline at the end of the typed text; where it is not mentioned, nothing is submitted.

history_back and refresh are the keys back and f5. web_search opens the results page of the engine that the family's own
agent uses. pause_and_memorize_fact waits 0 seconds: the fact stays in the history, which tells past calls as they were
made.
Words of Qwen's computer_use are read too, but not rendered: it was taught neither other buttons nor drags.
"""

from typing import assert_never
from urllib.parse import quote_plus

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
from action_space.dialects import computer_use
from action_space.dialects.tool_call import Arguments, build
from action_space.dialects.tool_dialect import Argument, Json, ToolDialect, Word, understood, vocabulary
from action_space.dialects.tool_words import COORDINATE, STATUS, TERMINATE, TEXT, TIME, WAIT
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Frame

_SEARCH = "https://www.bing.com/search?q="
_BUTTONS = {"history_back": "back", "refresh": "f5"}
_BUTTON_NAMES = {key: name for name, key in _BUTTONS.items()}
_QWEN = computer_use.DIALECT


def _type(call: Arguments) -> Action:
    clear, enter = call.flag("delete_existing_text"), call.flag("press_enter")
    text = call.text("text")
    if "coordinate" in call:
        point = call.point("coordinate")
        if point != call.pointer:
            return build("click", point=point, count=3 if clear else 1)
    elif clear:
        raise InvalidAction("type cannot clear a field without its coordinate: press ctrl and a first, then type")
    return build("type", text=text + ("\n" if enter else ""))


def _visit(call: Arguments) -> Action:
    return build("open", target=call.text("url"))


def _search(call: Arguments) -> Action:
    return build("open", target=_SEARCH + quote_plus(call.text("query"), errors="replace"))


def _button(call: Arguments) -> Action:
    return build("press", keys=(_BUTTONS[call.action],))


def _memorize(call: Arguments) -> Action:
    call.text("fact")
    return build("wait", seconds=0)


def _say(action: Action, frame: Frame) -> dict[str, Json]:
    match action:
        case Type():
            enter = action.text.endswith("\n")
            return {"action": "type", "text": action.text[:-1] if enter else action.text, "press_enter": enter}
        case Open():
            return {"action": "visit_url", "url": action.target}
        case Press() if len(action.keys) == 1 and action.keys[0] in _BUTTON_NAMES:
            return {"action": _BUTTON_NAMES[action.keys[0]]}
        case Click(button="left", count=1, modifiers=()) | Scroll(direction="up" | "down"):
            return _QWEN.say(action, frame)
        case Move() | Press() | Wait() | Finish():
            return _QWEN.say(action, frame)
        case Click() | Scroll() | Drag() | LongPress() | Ask():
            raise UnsupportedAction(f"fara has no word for this {action.kind!r}")
        case _:
            assert_never(action)


_WORDS = vocabulary(
    _QWEN.words["key"],
    Word(
        "type",
        "Click a field and type a text there.",
        ("text", "coordinate", "press_enter", "delete_existing_text"),
        _type,
    ),
    _QWEN.words["mouse_move"],
    _QWEN.words["left_click"],
    _QWEN.words["scroll"],
    Word("visit_url", "Open a page by its address.", ("url",), _visit),
    Word("web_search", "Search the web.", ("query",), _search),
    Word("history_back", "Go back to the page before.", (), _button),
    Word("pause_and_memorize_fact", "Keep a fact in mind for later.", ("fact",), _memorize),
    WAIT,
    Word("refresh", "Load the page again.", (), _button),
    TERMINATE,
)

DIALECT = ToolDialect(
    name="fara",
    function="computer_use",
    device="browser",
    example="left_click",
    notes=(
        "It is a web page: there is no terminal and no other way in than mouse, keyboard and the words for pages.",
        "Pages need time: if a screenshot shows no result yet, wait before you repeat an action.",
        "To scroll something that lies over the page, move the mouse there first.",
        "Aim at the middle of buttons, links, icons and fields, not at their edges.",
    ),
    words=understood(_WORDS, _QWEN.words),
    arguments=(
        Argument("keys", {"type": "array", "items": {"type": "string"}}, "Names of the keys."),
        TEXT,
        Argument("press_enter", {"type": "boolean"}, "Whether to press Enter after the text."),
        Argument("delete_existing_text", {"type": "boolean"}, "Whether to clear the field before typing."),
        COORDINATE,
        Argument("pixels", {"type": "number"}, "How far to scroll: positive is up, negative is down."),
        Argument("url", {"type": "string"}, "The address."),
        Argument("query", {"type": "string"}, "What to search for."),
        Argument("fact", {"type": "string"}, "What to keep in mind."),
        TIME,
        STATUS,
    ),
    say=_say,
    keeps_replies=True,
)

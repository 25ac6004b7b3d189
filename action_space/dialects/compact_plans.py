"""What `compact` may plan: the grammar of the next instruction, made from the task and what was done so far.

Names and texts are quoted from the task. What the task itself has in quotes is said whole or not at all; what stands
between its quotes only where there is more than words such as "and press", and no name runs on into the next deed:
"Select Red and click Submit" has two. What is in quotes is named in its order, deed by deed. `done` comes when all that
is in quotes was named. What was named without effect counts as named from the second time on. After a few steps in vain
another name is due, one that was not named yet if there is any in quotes. What had an effect is named again only if the
task says it once more, or has nothing else in quotes. And if one of "Milk, Bread, Eggs" was named, the others are due
before anything else is. What is typed "in upper case" is written so, and 'drag "Report" to "Archive"' is one deed.
"""

import json
import re
from collections.abc import Sequence
from itertools import pairwise, takewhile

from action_space.dialects.base import NOTHING_CHANGED, PastStep
from action_space.dialects.grammar import keys, quotes
from action_space.words import find_words

_STEP = """step: "press " key (" " key){0,4} | "scroll " direction | "wait" | "look" | "failed"
direction: "up" | "down" | "left" | "right"
""" + keys()
_NAMING = """ | named
named: "click " quote (" button" | " field" | " checkbox")? | "type " quote | "open " quote
"""
_PATIENCE = 3
"""Steps in vain with one plan, after which another one is due."""
_NAMES_NOTHING = re.compile(
    r"a|activate|add|after|all|and|as|at|box|button|called|check|checkbox|choose|click|dialog|empty|enable|enter|field|"
    r"fill|first|for|from|go|hit|in|input|into|it|labeled|labelled|link|list|mark|named|of|on|open|option|or|pick|please|press|"
    r"push|put|select|set|switch|tab|that|the|then|this|tick|to|turn|type|value|with|write"
)
"""Words that tell what to do, and where; alone they are no name of a control."""
_NEXT_DEED = re.compile(
    r"(?:[,;.]\s+(?:and\s+)?(?:then\s+)?|\s+(?:and|then|and then)\s+)"
    r"(?=(?:click|press|hit|push|tap|tick|type|enter|choose|fill)\b)",
    re.IGNORECASE,
)
"""Where one deed of a task ends and the next begins: no name runs across, but for one in quotes."""
_ANOTHER_DEED = re.compile(r"[,;.!]|\b(?:and|then)\b", re.IGNORECASE)
"""Between quotes: they belong to two deeds."""
_OTHER_ORDER = re.compile(r"\b(?:after|before|except|if|not|once|only|unless|until|when)\b|n't\b", re.IGNORECASE)
"""What a task with such a word wants first, its order does not tell."""
_MORE_THAN_ONCE = re.compile(r"\b(?:again|each|every|keep|repeat\w*|times|twice|until|while)\b", re.IGNORECASE)
"""In a task with such a word what was done with an effect may be due once more."""
_TYPED = re.compile(r"\b(?:enter|fill|input|put|type|write)\b", re.IGNORECASE)
_IN_CAPITALS = re.compile(r"\b(?:upper[ -]?case|capital letters|in capitals|all caps)\b", re.IGNORECASE)
_IN_SMALL_LETTERS = re.compile(r"\b(?:lower[ -]?case|small letters)\b", re.IGNORECASE)
_DRAGS = re.compile(r"\bdrag\b[^,;.]*$", re.IGNORECASE)
"""Ends the words in front of what is dragged."""
_TO = re.compile(r"[\w\s]*\b(?:in|inside|into|on|onto|over|to)\b[\w\s]*", re.IGNORECASE)
"""Between what is dragged and where to."""
_AND_SO_ON = re.compile(r",\s+(?:and\s+)?|\s+and\s+")
_LIST = 3
"""Parts with commas between them that make a list."""
_IN_QUOTES = re.compile(r"""\"([^"]+)\"|“([^”]+)”|«([^»]+)»|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)""")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def plan_grammar(task: str, history: Sequence[PastStep]) -> str:
    """The grammar of the next instruction of a task, with what was done so far."""
    between, quoted = _taken_apart(task)
    quoted = [_in_case(text, *deed) for text, deed in zip(quoted, pairwise(between), strict=True)]
    tries = _in_vain(history)
    # What a person or the policy refused is not to be tried again: it is told with its action.
    again = tries == 1 and (history[-1].action is None or history[-1].note == NOTHING_CHANGED)
    named = _named(history[:-1] if again else history)
    unnamed = [text for text in quoted if text not in named]
    due = _due(between, quoted, named)
    if tries < _PATIENCE and (dragged := _dragged(between, quoted, named)):
        return f"start: {json.dumps(dragged, ensure_ascii=False)}\n"
    vain = _strings_in(history[-1].plan) if tries >= _PATIENCE else []
    start = "start: step" if unnamed else 'start: step | "done"'
    if unnamed and vain:
        return _grammar(start, [], [text for text in due if text not in named])
    deeds = [deed for text in between for deed in _NEXT_DEED.split(text)]
    if not vain and (listed := _listed(deeds, named)):
        return _grammar("start: step", [], [*listed, *due])
    worked = [] if _MORE_THAN_ONCE.search(task) else _worked(history)
    loose = _without([*vain, *worked], deeds)
    # The only name of a task may be that of what has to be opened first.
    still = [text for text in due if len(quoted) == 1 or worked.count(text) < quoted.count(text)]
    return _grammar(start, loose if loose or quoted or vain else [task], [text for text in still if text not in vain])


def _grammar(start: str, loose: Sequence[str], whole: Sequence[str]) -> str:
    """Of the rule `start`, and of steps that name something only if there is anything to name; see `quotes`."""
    return start + (_NAMING + quotes(loose, whole) if loose or whole else "\n") + _STEP


def _due(between: Sequence[str], quoted: Sequence[str], named: set[str]) -> list[str]:
    """What may be said of what is in quotes: what was named, and what is new in the first deed that has any."""
    if any(_OTHER_ORDER.search(text) for text in between):
        return list(quoted)
    found: list[str] = []
    for number, text in enumerate(quoted):
        if number and _ANOTHER_DEED.search(between[number]) and not set(found) <= named:
            break
        found.append(text)
    return [*found, *(text for text in quoted if text in named and text not in found)]


def _dragged(between: Sequence[str], quoted: Sequence[str], named: set[str]) -> str:
    """The plan to drag what is due next to what is behind it, if both are in quotes; "" for any other deed."""
    first = next((number for number, text in enumerate(quoted) if text not in named), None)
    if any(_OTHER_ORDER.search(text) for text in between):
        return ""
    for number, (start, end) in enumerate(pairwise(quoted)):
        words = _NEXT_DEED.split(between[number])[-1]
        # What is dragged may have been named for another deed.
        if first in (number, number + 1) and _DRAGS.search(words) and _TO.fullmatch(between[number + 1]):
            return f"drag {json.dumps(start, ensure_ascii=False)} to {json.dumps(end, ensure_ascii=False)}"
    return ""


def _listed(deeds: Sequence[str], named: set[str]) -> list[str]:
    """What was not named yet of a list of which something was; the part with its verb is left to the model."""
    for deed in deeds:
        _, *parts = (part.strip(" .") for part in _AND_SO_ON.split(deed))
        said = all(_names_only(part) for part in parts) and not _OTHER_ORDER.search(deed)
        if said and len(parts) + 1 >= _LIST and not named.isdisjoint(parts):
            return [part for part in parts if not any(find_words(name, part) for name in named)]
    return []


def _names_only(text: str) -> bool:
    """Whether no word of a text tells what to do, or where."""
    return bool(text) and not any(_NAMES_NOTHING.fullmatch(word.lower()) for word in re.findall(r"\w+", text))


def _taken_apart(task: str) -> tuple[list[str], list[str]]:
    """What stands between the quotes of a task, and what it has in quotes."""
    found = list(_IN_QUOTES.finditer(task))
    starts, ends = [0, *(match.end() for match in found)], [*(match.start() for match in found), len(task)]
    between = [task[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return between, [next(filter(None, match.groups())) for match in found]


def _in_case(text: str, before: str, behind: str) -> str:
    """What is typed of a text in quotes, by what its deed says in front of it and behind it."""
    deed = f"{_NEXT_DEED.split(before)[-1]} {_NEXT_DEED.split(behind)[0]}"
    if not _TYPED.search(deed):
        return text
    return text.upper() if _IN_CAPITALS.search(deed) else text.lower() if _IN_SMALL_LETTERS.search(deed) else text


def _worked(history: Sequence[PastStep]) -> list[str]:
    """What the plans that had an effect have in quotes, as often as they have."""
    return [text for step in history if not step.note for text in _strings_in(step.plan)]


def _without(names: Sequence[str], texts: list[str]) -> list[str]:
    """What is left of some texts that may name something, when each name was left out once."""
    for name in names:
        for number, text in enumerate(texts):
            if found := find_words(text, name):
                texts = [*texts[:number], text[: found.start()], text[found.end() :], *texts[number + 1 :]]
                break
    return [text for text in texts if _may_name(text)]


def _may_name(text: str) -> bool:
    return any(not _NAMES_NOTHING.fullmatch(word.lower()) for word in re.findall(r"\w+", text))


def _named(history: Sequence[PastStep]) -> set[str]:
    """What the plans of so far have in quotes."""
    return {text for step in history for text in _strings_in(step.plan)}


def _strings_in(plan: str) -> list[str]:
    try:
        return [str(json.loads(quote)) for quote in _JSON_STRING.findall(plan)]
    except ValueError:
        return []


def _in_vain(history: Sequence[PastStep]) -> int:
    """How many of the newest steps in a row had one plan and a note on what went wrong."""
    newest = history[-1].plan if history else ""
    return sum(1 for _ in takewhile(lambda step: step.note and step.plan == newest, reversed(history)))

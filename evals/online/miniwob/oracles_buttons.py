"""Oracles of tasks that are solved by clicking on what the task names."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from evals.online.miniwob.oracle import Deed, Eyes


def quoted(text: str) -> str:
    """What stands in quotes in a task."""
    return text.split('"')[1]


def with_text(selector: str, text: str) -> str:
    """The first element that a selector finds and whose whole text this is, as JavaScript."""
    wanted = json.dumps(text)
    return f"[...document.querySelectorAll({json.dumps(selector)})].find(e => e.textContent.trim() === {wanted})"


TEXT_FIELD = "text field", "textbox", "text input", "input textbox", "text box"
"""What the tasks call it."""


def only(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


def submit(eyes: Eyes) -> Deed:
    return eyes.click(only("#subbtn"))


def click_submit(eyes: Eyes) -> Iterator[Deed]:
    label = eyes.read(f"{only('#subbtn')}.textContent")
    yield eyes.click(only("#subbtn"), eyes.called(label, "button"))


def click_named_button(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(with_text("#area button", quoted(eyes.task)))


def click_button_transfer(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(with_text("button", eyes.task.rstrip(".").split()[-1]))


def click_sequence(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#subbtn"))
    yield eyes.click(only("#subbtn2"))


def click_with_delay(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#subbtn"))
    # Looking at the screen takes time as well: the page's clock says when.
    seconds = int(re.findall(r"wait (\d+)", eyes.task)[0])
    elapsed = eyes.read("new Date().getTime() - currentTime") / 1000
    eyes.pause(max(0.0, seconds - elapsed))
    yield eyes.click(only("#subbtn2"))


def focus_text(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#tt"), eyes.called(*TEXT_FIELD))


def focus_text_2(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#tt" + re.findall(r"the (\d)", eyes.task)[0]), eyes.called(*TEXT_FIELD))


def click_dialog(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only(".ui-dialog-titlebar button"), "x")


def click_dialog_2(eyes: Eyes) -> Iterator[Deed]:
    name = quoted(eyes.task)
    if name == "x":
        yield from click_dialog(eyes)
    else:
        yield eyes.click(with_text(".ui-dialog-buttonset button", name))


def click_link(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(with_text(".alink", quoted(eyes.task)))


def click_widget(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only(f"[data-type={quoted(eyes.task)}]"), quoted(eyes.task))


def click_tab(eyes: Eyes) -> Iterator[Deed]:
    number = re.findall(r"#(\d)", eyes.task)[0]
    yield eyes.click(only(f"a[href='#tabs-{number}']"))


def alink(eyes: Eyes) -> str:
    return with_text(".alink", quoted(eyes.task))


def click_tab_2(eyes: Eyes) -> Iterator[Deed]:
    link, tabs = alink(eyes), "document.querySelectorAll('.ui-tab')"
    if not eyes.read(f"Boolean({link})"):
        # It was on the second tab, whose text is gone: the tab itself counts.
        yield eyes.missed(quoted(eyes.task))
        yield eyes.click(f"{tabs}[1]")
        return
    yield from eyes.find(link, [f"{tabs}[{number}]" for number in range(1, eyes.read(f"{tabs}.length"))])


def click_collapsible(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#area h3"), "section")
    yield from eyes.reach(only("#subbtn"))


def click_collapsible_2(eyes: Eyes) -> Iterator[Deed]:
    sections = "document.querySelectorAll('#area h3')"
    yield from eyes.find(alink(eyes), [f"{sections}[{number}]" for number in range(eyes.read(f"{sections}.length"))])


def click_checkboxes(eyes: Eyes) -> Iterator[Deed]:
    """Tick those that the task names."""
    said = eyes.task.removeprefix("Select ").split(" and click Submit")[0]
    for name in [] if said == "nothing" else said.split(", "):
        yield from eyes.reach(f"{with_text('label', name)}.querySelector('input')", name)
    yield from eyes.reach(only("#subbtn"))


def click_option(eyes: Eyes) -> Iterator[Deed]:
    name = eyes.task.removeprefix("Select ").split(" and click Submit")[0]
    yield eyes.click(f"{with_text('label', name)}.querySelector('input')", name)
    yield submit(eyes)


def click_similar(eyes: Eyes) -> Iterator[Deed]:
    """Tick the words that mean the same as those of the task."""
    said = eyes.task.removeprefix("Select words similar to ").split(" and click Submit")[0].split(", ")
    groups = [set(group) for group in eyes.read("SYNONYMS")]
    for name in eyes.read("[...document.querySelectorAll('#boxes label')].map(e => e.textContent)"):
        if any(name in group and group & set(said) for group in groups):
            yield eyes.click(f"{with_text('label', name)}.querySelector('input')", name)
    yield submit(eyes)


def click_color(eyes: Eyes) -> Iterator[Deed]:
    color = eyes.task.removeprefix("Click on the ").split(" colored")[0]
    yield eyes.click(only(f"#area [data-color={color}]"), color, drawn=True)


def click_shades(eyes: Eyes) -> Iterator[Deed]:
    color = eyes.task.split("shades of ")[1].split()[0]
    shades = f"document.querySelectorAll('#area [data-color={color}]')"
    for number in range(eyes.read(f"{shades}.length")):
        yield eyes.click(f"{shades}[{number}]", color)
    yield eyes.click(only("#submit"))


def click_pie(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#divWheel"), "pie menu")
    item = with_text("#divWheel text", quoted(eyes.task))
    yield from eyes.until_shown(item)
    yield eyes.click(item, quoted(eyes.task))


def click_menu(eyes: Eyes) -> Iterator[Deed]:
    *parents, leaf = eyes.task.removeprefix("Select ").split(">")
    # A click on a parent would choose it.
    for parent, item in pairwise([*parents, leaf]):
        yield eyes.move_to(*eyes.place(with_text("#menu div", parent)), parent)
        yield from eyes.until_shown(with_text("#menu div", item))
    yield eyes.click(with_text("#menu div", leaf))


def click_menu_2(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#open-menu"))
    icon = eyes.read("document.querySelector('#query .ui-icon')?.className")
    if icon:
        found = f"document.querySelector('#menu .{icon.split()[-1]}').parentElement"
    else:
        found = with_text("#menu div", eyes.task.split('"')[3])
    if not eyes.read(f"{found}.offsetParent !== null"):
        yield eyes.move_to(*eyes.place(with_text("#menu div", "Playback")), "Playback")
        yield from eyes.until_shown(found)
    yield eyes.click(found)


def navigate_tree(eyes: Eyes) -> Iterator[Deed]:
    """Open one folder after the other, from the top, with those that are in it."""
    folders = "document.querySelectorAll('#tree span.folder')"
    places = [f"{folders}[{number}]" for number in range(eyes.read(f"{folders}.length"))]
    yield from eyes.find(with_text("#tree span", quoted(eyes.task)), places)


def number_checkboxes(eyes: Eyes) -> Iterator[Deed]:
    pattern = eyes.read(f"PATTERNS[{quoted(eyes.task)}].flat()")
    for number, ticked in enumerate(pattern):
        if ticked:
            yield eyes.click(f"document.querySelectorAll('#checkboxes input')[{number}]", "checkbox")
    yield submit(eyes)


def odd_or_even(eyes: Eyes) -> Iterator[Deed]:
    for number, value in enumerate(
        eyes.read("[...document.querySelectorAll('.display-number')].map(e => +e.innerText)")
    ):
        kind = "odd" if value % 2 else "even"
        yield from eyes.reach(f"document.querySelectorAll('.row .{kind}')[{number}]")
    yield from eyes.reach(only("#submit"))


def find_greatest(eyes: Eyes) -> Iterator[Deed]:
    """Turn every card, then the greatest again."""
    cards = "document.querySelectorAll('#cardholder > div')"
    values = eyes.read(f"[...{cards}].map(e => +e.textContent)")
    order = [*range(len(values)), values.index(max(values))]
    for number in order if order[-1] != order[-2] else order[:-1]:
        yield eyes.click(f"{cards}[{number}]", "card")
    yield eyes.click(only("#submit"))


def phone_book(eyes: Eyes) -> Iterator[Deed]:
    name, kind = re.findall(r"Find (.+) in the contact book and click on their (\w+)", eyes.task)[0]
    while eyes.read("document.querySelector('.name').textContent") != name:
        yield eyes.click(with_text("#pagination a", ">"))
    yield eyes.click(only(f"a.{kind}"))


def generate_number(eyes: Eyes) -> Iterator[Deed]:
    asked = re.findall(r"(less than|greater than|odd|even)(?: (\d+))?", eyes.task)[0]
    while True:
        yield eyes.click(only("#generate"))
        number = int(eyes.read("document.querySelector('#display-number').textContent"))
        if _suits(number, *asked):
            break
    yield eyes.click(only("#submit"))


def _suits(number: int, kind: str, limit: str) -> bool:
    match kind:
        case "less than":
            return number < int(limit)
        case "greater than":
            return number > int(limit)
        case "odd":
            return number % 2 == 1
        case _:
            return number % 2 == 0

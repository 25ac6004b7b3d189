"""Oracles of tasks that are solved by clicking on what the task names."""

import json
import re
from collections.abc import Iterator

from evals.online.miniwob.oracle import Deed, Eyes


def quoted(text: str) -> str:
    """What stands in quotes in a task."""
    return text.split('"')[1]


def with_text(selector: str, text: str) -> str:
    """The first element that a selector finds and whose whole text this is, as JavaScript."""
    wanted = json.dumps(text)
    return f"[...document.querySelectorAll({json.dumps(selector)})].find(e => e.textContent.trim() === {wanted})"


def only(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


def submit(eyes: Eyes) -> Deed:
    return eyes.click(only("#subbtn"))


def click_submit(eyes: Eyes) -> Iterator[Deed]:
    yield submit(eyes)


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
    yield eyes.click(only("#tt"), "text field")


def focus_text_2(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#tt" + re.findall(r"the (\d)", eyes.task)[0]), "text field")


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


def click_tab_2(eyes: Eyes) -> Iterator[Deed]:
    link = f"[...document.querySelectorAll('.alink')].find(e => e.textContent === {json.dumps(quoted(eyes.task))})"
    tab = eyes.read(f"{link}.closest('.ui-tabs-panel').id")
    if not eyes.read(f"{link}.offsetParent !== null"):
        yield eyes.click(only(f"a[href='#{tab}']"))
    yield eyes.click(link)


def click_collapsible(eyes: Eyes) -> Iterator[Deed]:
    if not eyes.read("document.querySelector('#subbtn').offsetParent !== null"):
        yield eyes.click(only("#area h3"))
    yield submit(eyes)


def click_collapsible_2(eyes: Eyes) -> Iterator[Deed]:
    link = f"[...document.querySelectorAll('.alink')].find(e => e.textContent === {json.dumps(quoted(eyes.task))})"
    if not eyes.read(f"{link}.offsetParent !== null"):
        yield eyes.click(f"{link}.closest('.ui-accordion-content').previousElementSibling")
    yield eyes.click(link)


def click_checkboxes(eyes: Eyes) -> Iterator[Deed]:
    """Tick those that the task names."""
    said = eyes.task.removeprefix("Select ").split(" and click Submit")[0]
    for name in [] if said == "nothing" else said.split(", "):
        yield eyes.click(f"{with_text('label', name)}.querySelector('input')", name)
    yield submit(eyes)


def click_option(eyes: Eyes) -> Iterator[Deed]:
    name = eyes.task.removeprefix("Select ").split(" and click Submit")[0]
    yield eyes.click(f"{with_text('label', name)}.querySelector('input')", name)
    yield submit(eyes)

"""Oracles of tasks with lists, sliders, pickers and other widgets, and of two games."""

import json
import re
from collections.abc import Iterator

from action_space.actions import Click
from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import only, submit, with_text
from evals.online.miniwob.oracles_text import fill


def _slide(eyes: Eyes, slider: str, value: int) -> Iterator[Deed]:
    """Click where the value should be, then correct by keys: a pixel can be several values wide, or a value unseen."""
    option = "$({}).slider('option', '{}')"
    low, high, upright = (eyes.read(option.format(slider, name)) for name in ("min", "max", "orientation"))
    left, top, right, bottom = eyes.box(slider)
    part = (value - low) / (high - low)
    x, y = (left + right) / 2, (top + bottom) / 2
    if upright == "vertical":
        y = bottom - part * (bottom - top)
    else:
        x = left + part * (right - left)
    yield eyes.click_at(min(max(x, left + 0.5), right - 0.5), min(max(y, top + 0.5), bottom - 0.5), "slider")
    while (now := eyes.read(option.format(slider, "value"))) != value:
        yield eyes.press("right" if now < value else "left")


def use_slider(eyes: Eyes) -> Iterator[Deed]:
    yield from _slide(eyes, only("#slider"), int(re.findall(r"Select (-?\d+)", eyes.task)[0]))
    yield submit(eyes)


def use_slider_2(eyes: Eyes) -> Iterator[Deed]:
    for number, value in enumerate(json.loads(re.findall(r"\[.*\]", eyes.task)[0]), start=1):
        yield from _slide(eyes, only(f"#slider-{number}"), value)
    yield submit(eyes)


def form_sequence(eyes: Eyes) -> Iterator[Deed]:
    value, box = re.findall(r"Select (-?\d+) with the slider, click the (\d)", eyes.task)[0]
    yield from _slide(eyes, only("#slider"), int(value))
    yield eyes.click(only(f"#checkbox-{box}"), "checkbox")
    yield submit(eyes)


def form_sequence_2(eyes: Eyes) -> Iterator[Deed]:
    radio, value, field = re.findall(r'the (\d).*number "(-?\d+)" into the (\d)', eyes.task)[0]
    yield eyes.click(only(f"input[value='{radio}']"), "radio button")
    yield from fill(eyes, f"#input-{field}", value)
    yield submit(eyes)


def form_sequence_3(eyes: Eyes) -> Iterator[Deed]:
    height, name = re.findall(r'Choose (.+) from the dropdown.*"(\w+)"', eyes.task)[0]
    yield eyes.click(only(".selectric"), "list")
    yield from eyes.reach(with_text(".selectric-items li", height))
    yield eyes.click(only(f"#{name.lower()}"))


def use_spinner(eyes: Eyes) -> Iterator[Deed]:
    value = int(re.findall(r"Select (-?\d+)", eyes.task)[0])
    for _ in range(abs(value)):
        yield eyes.click(only(".ui-spinner-up" if value > 0 else ".ui-spinner-down"), "up" if value > 0 else "down")
    yield submit(eyes)


def _type_color(eyes: Eyes, color: str) -> Iterator[Deed]:
    yield eyes.click(only("#col"), "color field")
    yield eyes.press("ctrl", "a")
    yield eyes.type(color.lstrip("#").upper())
    # The picker lies over the button until something else is clicked.
    yield eyes.click(only("#query"), "Select")
    yield submit(eyes)


def use_colorwheel(eyes: Eyes) -> Iterator[Deed]:
    name = re.findall(r"Select ([\w-]+)", eyes.task)[0]
    yield from _type_color(eyes, eyes.read(f"ui_utils.colorNameToHex({name!r})"))


def use_colorwheel_2(eyes: Eyes) -> Iterator[Deed]:
    rgb = re.findall(r"\d+", eyes.read("document.querySelector('.cc').style.backgroundColor"))
    yield from _type_color(eyes, "".join(f"{int(part):02x}" for part in rgb))


def choose_list(eyes: Eyes) -> Iterator[Deed]:
    name = eyes.task.removeprefix("Select ").split(" from the list")[0]
    yield eyes.click(only("#options"), "list")
    yield from eyes.reach(with_text("#options option", name))
    yield eyes.click(only("#area button"))


def click_scroll_list(eyes: Eyes) -> Iterator[Deed]:
    names = eyes.task.removeprefix("Select ").split(" from the scroll list")[0].split(", ")
    for number, name in enumerate(names):
        option = with_text("#options option", name)
        yield from _show_option(eyes, option)
        deed = eyes.click(option)
        click = Click(point=eyes.point(*eyes.place(option)), modifiers=("ctrl",) if number else ())
        yield Deed(click, deed.words)
    yield eyes.click(only("#area button"))


def _show_option(eyes: Eyes, option: str) -> Iterator[Deed]:
    """Scroll a list, of which a notch of the wheel jumps over some options: they are seen on the way back."""
    for notches in (1, 1, 1, -1, -1, -1):
        _, top, _, bottom = eyes.box(option)
        _, first, _, last = eyes.box(only("#options"))
        if first <= top and bottom <= last:
            return
        yield eyes.scroll_at(*eyes.place(only("#options")), notches)


def pick_day(eyes: Eyes, date: str) -> Iterator[Deed]:
    """Choose month/day/year in a calendar that opens by a click."""
    month, day, _ = (int(part) for part in date.split("/"))
    yield eyes.click(only("#datepicker"), "Date")
    shown = "$('.ui-datepicker-month').text()"
    months = eyes.read("$.datepicker._defaults.monthNames")
    while (now := months.index(eyes.read(shown)) + 1) != month:
        name = "prev" if now > month else "next"
        yield eyes.click(only(f".ui-datepicker-{name}"), name)
    yield eyes.click(with_text(".ui-datepicker-calendar a", str(day)))


def choose_date(eyes: Eyes) -> Iterator[Deed]:
    yield from pick_day(eyes, re.findall(r"\d\d/\d\d/\d{4}", eyes.task)[0])
    yield submit(eyes)


def use_autocomplete(eyes: Eyes) -> Iterator[Deed]:
    start, *end = re.findall(r'"([^"]*)"', eyes.task)
    items = [item for item in eyes.read("ITEMS") if item.startswith(start) and item.endswith(end[0] if end else "")]
    yield from fill(eyes, "#tags", items[0][: len(start) + 1])
    item = with_text(".ui-menu-item", items[0])
    yield from eyes.until_shown(item)
    yield from eyes.reach(item)
    yield submit(eyes)


def resize_textarea(eyes: Eyes) -> Iterator[Deed]:
    way = 15 if "larger" in eyes.task else -15
    x, y = eyes.place(only(".ui-resizable-se"))
    yield eyes.drag((x, y), (x + way, y) if "width" in eyes.task else (x, y + way))
    yield eyes.click(only("#submit"))


_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def tic_tac_toe(eyes: Eyes) -> Iterator[Deed]:
    """Play well against an opponent who often moves at random. Wins mostly, not always."""
    while 0 in (board := eyes.read("gameState")):
        yield eyes.click(only(f"#ttt-{_best_move(board)}"), "free field")


def _best_move(board: list[int]) -> int:
    return max((field for field in range(9) if board[field] == 0), key=lambda field: _worth(_with(board, field, 1), -1))


def _worth(board: list[int], turn: int) -> float:
    """The chance that X wins, against moves at random."""
    if any(all(board[field] == -turn for field in line) for line in _LINES):
        return 1.0 if turn == -1 else 0.0
    free = [field for field in range(9) if board[field] == 0]
    if not free:
        return 0.0
    values = [_worth(_with(board, field, turn), -turn) for field in free]
    # Half of the opponent's moves are good ones.
    return max(values) if turn == 1 else 0.5 * sum(values) / len(values) + 0.5 * min(values)


def _with(board: list[int], field: int, mark: int) -> list[int]:
    return [*board[:field], mark, *board[field + 1 :]]


def stock_market(eyes: Eyes) -> Iterator[Deed]:
    """Buy when the price is well below the limit, as it moves on before the click arrives; later, just below."""
    limit = float(re.findall(r"less than \$([\d.]+?)\.?$", eyes.task)[0])
    price = "parseFloat(document.querySelector('#stock-price').textContent.slice(1))"
    for number in range(400):
        if eyes.read(price) <= limit - (2 if number < 250 else 0):
            break
        eyes.pause(0.02)
    yield eyes.click(only("#buy"))

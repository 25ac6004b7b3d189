"""Oracles of tasks with drawn shapes, and of those that are solved by dragging."""

import json
import math
import re
from collections.abc import Iterator

from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import only, submit, with_text

# What a click on each of the elements would bring, without the end that it would bring with it.
_RIGHT_ONE = """(elements => {
  const end = core.endEpisode;
  try {
    return elements.findIndex(element => {
      let reward = null;
      core.endEpisode = got => { reward ??= got; };
      element.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
      return reward === 1;
    });
  } finally { core.endEpisode = end; }
})"""


def _right_one(eyes: Eyes, elements: str) -> str:
    return f"{elements}[{eyes.read(f'{_RIGHT_ONE}({elements})')}]"


def click_shape(eyes: Eyes) -> Iterator[Deed]:
    shape = _right_one(eyes, "[...document.querySelectorAll('#area_svg > *')]")
    yield eyes.click(shape, eyes.task.split(" a ")[1], drawn=True)


def click_right_button(eyes: Eyes) -> Iterator[Deed]:
    asked = eyes.task[max(0, eyes.task.find("button that")) :].rstrip(".?")
    yield eyes.click(_right_one(eyes, "[...document.querySelectorAll('#area button')]"), asked)


def grid_coordinate(eyes: Eyes) -> Iterator[Deed]:
    place = re.findall(r"[(].*[)]", eyes.task)[0]
    yield eyes.click(f"document.getElementById({place!r})", place)


def ascending_numbers(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(with_text("svg text", "1"))
    for number in range(2, 6):
        yield eyes.click(only(f"svg rect[data-index='{number}']"), str(number))


def drag_box(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.drag(eyes.place(only("#draggableSmall")), eyes.place(only("#draggableLarge")))
    yield submit(eyes)


_ITEMS = "document.querySelectorAll('#sortable > li')"
_DRAG = re.compile(r"Drag (.+?) ((?:to the|up|down|left|right) .+)\.$")
"""Whom, and where to. Some names have a space."""


def _place_of(eyes: Eyes, name: str) -> int:
    return int(eyes.read(f"[...{_ITEMS}].findIndex(e => e.textContent.trim() === {json.dumps(name)})"))


def _drag_item(eyes: Eyes, start: int, end: int) -> Deed:
    """Drag an entry onto another. Those two change places only when the middle is passed."""
    left, top, right, bottom = eyes.box(f"{_ITEMS}[{end}]")
    x, y = eyes.place(f"{_ITEMS}[{start}]")
    to_x, to_y = (left + right) / 2, (top + bottom) / 2
    return eyes.drag((x, y), (_past(x, to_x, right - left), _past(y, to_y, bottom - top)), seconds=0.6)


def _past(start: float, end: float, size: float) -> float:
    """A little further than `end`, as seen from `start`."""
    if abs(end - start) < size / 2:
        return end
    return end + size / 5 if end > start else end - size / 5


def drag_items(eyes: Eyes) -> Iterator[Deed]:
    name, where = _DRAG.findall(eyes.task)[0]
    now = _place_of(eyes, name)
    named = {"to the top": 0, "to the bottom": 4, "down by one position": now + 1, "up by one position": now - 1}
    number = re.findall(r"to the (\d)", where)
    yield _drag_item(eyes, now, int(number[0]) - 1 if number else named[where])


_GRID = [
    f"{row} {column}".strip()
    for row in ("top", "center", "bottom")
    for column in ("left", "center" if row != "center" else "", "right")
]


def drag_items_grid(eyes: Eyes) -> Iterator[Deed]:
    name, where = _DRAG.findall(eyes.task)[0]
    now = _place_of(eyes, name)
    ways = {"up by one": now - 3, "down by one": now + 3, "left by one": now - 1, "right by one": now + 1}
    end = ways[where] if where in ways else _GRID.index(where.removeprefix("to the "))
    # Who comes from the left is put behind what it is dropped on, also when it moves up.
    up_and_right = end < now and end % 3 > now % 3
    yield _drag_item(eyes, now, end - 1 if up_and_right else end)


def drag_sort_numbers(eyes: Eyes) -> Iterator[Deed]:
    for place in range(3):
        now = eyes.read(f"[...{_ITEMS}].map(e => +e.textContent)")
        least = min(now[place:])
        if now[place] != least:
            yield _drag_item(eyes, place + now[place:].index(least), place)
    yield submit(eyes)


def drag_one_way(eyes: Eyes) -> Iterator[Deed]:
    right, down = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}[eyes.task.split()[3]]
    x, y = eyes.place(only("svg > *"))
    yield eyes.drag((x, y), (x + 25 * right, y + 25 * down))
    yield submit(eyes)


_TAGS = {"rectangles": "rect", "circles": "circle", "triangles": "polygon"}
_LOOSE = "[...document.querySelectorAll('svg > *')].filter(e => e.id !== 'shape-container')"


def _drag_to(eyes: Eyes, shape: str, box: str) -> Deed:
    return eyes.drag(eyes.place(shape), eyes.place(box))


def drag_shapes(eyes: Eyes) -> Iterator[Deed]:
    tag = _TAGS[eyes.task.split()[2]]
    shapes = f"{_LOOSE}.filter(e => e.matches('{tag}'))"
    for number in range(eyes.read(f"{shapes}.length")):
        yield _drag_to(eyes, f"{shapes}[{number}]", only("#shape-container"))
    yield submit(eyes)


def drag_shapes_2(eyes: Eyes) -> Iterator[Deed]:
    word = eyes.task.split()[2]
    is_left = f"e.matches('{_TAGS[word]}')" if word in _TAGS else f"e.getAttribute('fill') === {json.dumps(word)}"
    for number in range(eyes.read(f"{_LOOSE}.length")):
        shape = f"{_LOOSE}[{number}]"
        box = 0 if eyes.read(f"(e => {is_left})({shape})") else 1
        yield _drag_to(eyes, shape, f"document.querySelectorAll('#shape-container')[{box}]")
    yield submit(eyes)


_HOT = """(() => {
  const area = document.querySelector('#touch-area');
  for (let y = 55; y < 175; y += 2) for (let x = 5; x < 155; x += 2) {
    const at = {bubbles: true, clientX: x, clientY: y};
    area.dispatchEvent(new MouseEvent('mousemove', at));
    if (document.querySelector('#signal').textContent === 'HOT') return [x, y];
  }
})()"""


def hot_cold(eyes: Eyes) -> Iterator[Deed]:
    # The first spot of the search lies at the rim.
    x, y = eyes.read(_HOT)
    yield eyes.move_to(x, y + 2)
    yield eyes.click_at(x, y + 2)


def draw_line(eyes: Eyes) -> Iterator[Deed]:
    x, y = eyes.place(only("#circ"))
    right, down = (30, 0) if "horizontal" in eyes.task else (0, 30)
    yield eyes.drag((x - right, y - down), (x + right, y + down))
    yield eyes.click(only("#controls button"))


def circle_center(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click_at(*eyes.place(only("circle.black-circle")))
    yield submit(eyes)


def find_midpoint(eyes: Eyes) -> Iterator[Deed]:
    one, other = (eyes.place(f"document.querySelectorAll('.black-circle')[{number}]") for number in (0, 1))
    yield eyes.click_at((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
    yield submit(eyes)


def bisect_angle(eyes: Eyes) -> Iterator[Deed]:
    tip = eyes.place(only(".init-blue"))
    one, other = (eyes.place(f"document.querySelectorAll('.init-black')[{number}]") for number in (0, 1))
    # The line that halves an angle parts the opposite side in the ratio of the other two.
    share = math.dist(tip, one) / (math.dist(tip, one) + math.dist(tip, other))
    yield eyes.click_at(one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1]))
    yield submit(eyes)


_LEG = 0.5
"""Of a right angle, at most, as a share of the one that is there: told by the screen, so it can be learned."""


def right_angle(eyes: Eyes) -> Iterator[Deed]:
    (x, y), (tip_x, tip_y) = eyes.place(only("#init-black")), eyes.place(only("#init-blue"))
    left, top, right, bottom = eyes.box(only("#svg-grid"))
    across, down = tip_y - y, x - tip_x
    is_inwards = across * (left + right - 2 * tip_x) + down * (top + bottom - 2 * tip_y) > 0
    legs = (_LEG / 2**halved * (1 if is_inwards else -1) for halved in range(5))
    ends = ((tip_x + leg * across, tip_y + leg * down) for leg in legs)
    yield eyes.click_at(*next(end for end in ends if left < end[0] < right and top < end[1] < bottom))
    yield submit(eyes)

"""Oracles of tasks with drawn shapes, and of those that are solved by dragging."""

import json
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


def _click_right_one(eyes: Eyes, elements: str, name: str) -> Iterator[Deed]:
    number = eyes.read(f"{_RIGHT_ONE}({elements})")
    yield eyes.click(f"{elements}[{number}]", name)


def click_shape(eyes: Eyes) -> Iterator[Deed]:
    yield from _click_right_one(eyes, "[...document.querySelectorAll('#area_svg > *')]", eyes.task.split(" a ")[1])


def click_right_button(eyes: Eyes) -> Iterator[Deed]:
    yield from _click_right_one(eyes, "[...document.querySelectorAll('#area button')]", "")


def grid_coordinate(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(f"document.getElementById({re.findall(r'[(].*[)]', eyes.task)[0]!r})", "point")


def ascending_numbers(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(with_text("svg text", "1"))
    for number in range(2, 6):
        yield eyes.click(only(f"svg rect[data-index='{number}']"), str(number))


def drag_box(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.drag(eyes.place(only("#draggableSmall")), eyes.place(only("#draggableLarge")))
    yield submit(eyes)


def _item(name: str) -> str:
    return f"{with_text('#sortable li div', name)}.parentElement"


def _drag_item(eyes: Eyes, name: str, place: int) -> Deed:
    """Drag an entry to a place, which counts from 0."""
    return eyes.drag(
        eyes.place(_item(name)), eyes.place(f"document.querySelectorAll('#sortable > li')[{place}]"), seconds=0.6
    )


def _place_of(eyes: Eyes, name: str) -> int:
    return int(eyes.read(f"[...document.querySelectorAll('#sortable > li')].indexOf({_item(name)})"))


def drag_items(eyes: Eyes) -> Iterator[Deed]:
    name, where = re.findall(r"Drag (\w+) (.+)\.$", eyes.task)[0]
    now = _place_of(eyes, name)
    named = {"to the top": 0, "to the bottom": 4, "down by one position": now + 1, "up by one position": now - 1}
    number = re.findall(r"to the (\d)", where)
    yield _drag_item(eyes, name, int(number[0]) - 1 if number else named[where])


_GRID = [
    f"{row} {column}".strip()
    for row in ("top", "center", "bottom")
    for column in ("left", "center" if row != "center" else "", "right")
]


def drag_items_grid(eyes: Eyes) -> Iterator[Deed]:
    name, where = re.findall(r"Drag (\w+) (.+)\.$", eyes.task)[0]
    now = _place_of(eyes, name)
    ways = {"up by one": now - 3, "down by one": now + 3, "left by one": now - 1, "right by one": now + 1}
    yield _drag_item(eyes, name, ways[where] if where in ways else _GRID.index(where.removeprefix("to the ")))


def drag_sort_numbers(eyes: Eyes) -> Iterator[Deed]:
    read = "[...document.querySelectorAll('#sortable li div')].map(e => +e.textContent)"
    for place in range(len(eyes.read(read)) - 1):
        now = eyes.read(read)
        least = min(now[place:])
        if now[place] != least:
            start = f"document.querySelectorAll('#sortable > li')[{place + now[place:].index(least)}]"
            yield eyes.drag(
                eyes.place(start), eyes.place(f"document.querySelectorAll('#sortable > li')[{place}]"), seconds=0.6
            )
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

"""Oracles of tasks that are solved by typing."""

import re
from collections.abc import Iterator

from action_space.actions import Click
from evals.online.miniwob.oracle import Deed, Eyes
from evals.online.miniwob.oracles_buttons import TEXT_FIELD, only, quoted, submit


def fill(eyes: Eyes, selector: str, text: str, name: str = "") -> Iterator[Deed]:
    """Click on a field and type into it."""
    yield eyes.click(only(selector), name or eyes.called(*TEXT_FIELD))
    yield eyes.type(text)


def answer(eyes: Eyes, text: str, field: str = "#tt") -> Iterator[Deed]:
    yield from fill(eyes, field, text)
    yield submit(eyes)


def enter_text(eyes: Eyes) -> Iterator[Deed]:
    yield from answer(eyes, quoted(eyes.task))


def enter_text_2(eyes: Eyes) -> Iterator[Deed]:
    text = quoted(eyes.task)
    yield from answer(eyes, text.upper() if "upper case" in eyes.task else text.lower())


def enter_password(eyes: Eyes) -> Iterator[Deed]:
    yield from fill(eyes, "#password", quoted(eyes.task), "Password")
    yield from fill(eyes, "#verify", quoted(eyes.task), "both text fields")
    yield submit(eyes)


def login_user(eyes: Eyes) -> Iterator[Deed]:
    name, password = re.findall(r'"([^"]*)"', eyes.task)
    yield from fill(eyes, "#username", name, "Username")
    yield from fill(eyes, "#password", password, "Password")
    yield submit(eyes)


def login_user_popup(eyes: Eyes) -> Iterator[Deed]:
    """As `login_user`, but a question may come up at any time and has to be declined."""
    name, password = re.findall(r'"([^"]*)"', eyes.task)
    for field, text in (("#username", name), ("#password", password)):
        while eyes.read(f"document.querySelector('{field}').value") != text:
            if eyes.read("Boolean(document.querySelector('#popup'))"):
                yield eyes.click(only("#popup-cancel"))
            elif eyes.read(f"document.activeElement !== document.querySelector('{field}')"):
                yield eyes.click(only(field), field.strip("#"))
            elif eyes.read(f"document.querySelector('{field}').value"):
                yield eyes.press("ctrl", "a")
                yield eyes.press("backspace")
            else:
                yield eyes.type(text)
    if eyes.read("Boolean(document.querySelector('#popup'))"):
        yield eyes.click(only("#popup-cancel"))
    yield submit(eyes)


def enter_date(eyes: Eyes) -> Iterator[Deed]:
    """The month is the first of three parts, each of which leads on to the next when it is full."""
    left, top, _, bottom = eyes.box(only("#tt"))
    yield eyes.click_at(left + 10, (top + bottom) / 2, "date")
    yield eyes.type(re.findall(r"\d\d/\d\d/\d{4}", eyes.task)[0])
    yield submit(eyes)


def enter_time(eyes: Eyes) -> Iterator[Deed]:
    left, top, _, bottom = eyes.box(only("#tt"))
    hour, minute, half = re.findall(r"(\d+):(\d\d) ([AP]M)", eyes.task)[0]
    yield eyes.click_at(left + 10, (top + bottom) / 2, "time")
    yield eyes.type(f"{int(hour):02d}{minute}{half[0]}")
    yield submit(eyes)


def find_word(eyes: Eyes) -> Iterator[Deed]:
    number = int(re.findall(r"the (\d+)", eyes.task)[0])
    word = eyes.read("document.querySelector('#area p').textContent").split()[number - 1]
    yield from answer(eyes, re.sub(r"[^a-zA-Z]", "", word), "#answer-input")


def _table(eyes: Eyes) -> dict[str, str]:
    rows = eyes.read("[...document.querySelectorAll('#tab tr')].map(r => [...r.cells].map(c => c.textContent))")
    return dict(rows)


def read_table(eyes: Eyes) -> Iterator[Deed]:
    key = eyes.task.removeprefix("Enter the value of ").split(" into the")[0]
    yield from answer(eyes, _table(eyes)[key])


def read_table_2(eyes: Eyes) -> Iterator[Deed]:
    table = _table(eyes)
    for number in (1, 2):
        label = eyes.read(f"document.querySelector('#ll{number}').dataset.key")
        yield from fill(eyes, f"#tt{number}", table[label], label)
    yield submit(eyes)


def search_movies(eyes: Eyes) -> Iterator[Deed]:
    genre, director, year = re.findall(r"for (.+) movies directed by (.+) from year (\d+)", eyes.task)[0]
    values = {"Genre": genre, "Director": director, "Year|Date": year}
    inputs = "[...document.querySelectorAll('#area input')]"
    for words, value in values.items():
        row = "e.closest('p, .row, tr, .field, .ui-entry')"
        field = f"{inputs}.find(e => /{words}/.test({row}.textContent))"
        yield eyes.click(field, words.split("|")[0])
        yield eyes.type(value)
    yield eyes.click(only("#area button, #area .final, #area .ui-submit"))


def search_engine(eyes: Eyes) -> Iterator[Deed]:
    yield from fill(eyes, "#search-text", quoted(eyes.task))
    yield eyes.click(only("#search"))
    page, place = divmod(int(re.findall(r"the (\d+)\w\w search result", eyes.task)[0]) - 1, 3)
    if page:
        pages = "[...document.querySelectorAll('#pagination a')]"
        yield eyes.click(f"{pages}.find(e => e.textContent === '{page + 1}')")
    yield eyes.click(f"document.querySelectorAll('#page-content a')[{place}]")


def _to_end(eyes: Eyes, element: str, *, down: bool = True) -> Iterator[Deed]:
    """Scroll an element as far as it goes."""
    hidden = f"(e => {'e.scrollHeight - e.clientHeight - e.scrollTop' if down else 'e.scrollTop'})({element})"
    while (left := eyes.read(hidden)) > 1:
        notches = max(1, min(10, round(left / 100)))
        yield eyes.scroll_at(*eyes.place(element), notches if down else -notches)


def scroll_and_enter(eyes: Eyes) -> Iterator[Deed]:
    yield from _to_end(eyes, only("#text-area"))
    word = eyes.read("document.querySelector('#text-area').value").split()[-1].replace(".", "")
    yield from answer(eyes, word, "#answer-input")


def scroll_text_2(eyes: Eyes) -> Iterator[Deed]:
    yield from _to_end(eyes, only("#text-area"), down="to the bottom" in eyes.task)
    yield submit(eyes)


def sign_agreement(eyes: Eyes) -> Iterator[Deed]:
    if '"' in eyes.task:
        yield from _to_end(eyes, only("#text-area"))
        yield from fill(eyes, "#name", quoted(eyes.task), "Name")
    yield eyes.click(only("#agree" if "Agree" in eyes.task else "#cancel"))


def text_transform(eyes: Eyes) -> Iterator[Deed]:
    yield from answer(eyes, eyes.read("document.querySelector('#captcha').textContent"))


def simple_arithmetic(eyes: Eyes) -> Iterator[Deed]:
    left, sign, right, _ = eyes.read("document.querySelector('#math-problem').textContent").split()
    results = {"+": int(left) + int(right), "-": int(left) - int(right), "x": int(left) * int(right)}
    yield from answer(eyes, str(results[sign]), "#math-answer")


def simple_algebra(eyes: Eyes) -> Iterator[Deed]:
    left, sign, right, _, result = eyes.read("document.querySelector('#math-problem').textContent").split()
    if sign == "+":
        x = int(result) - int(right if left == "x" else left)
    elif left == "x":
        x = int(result) + int(right)
    else:
        x = int(left) - int(result)
    yield from answer(eyes, str(x), "#math-answer")


def visual_addition(eyes: Eyes) -> Iterator[Deed]:
    yield from answer(eyes, str(eyes.read("document.querySelectorAll('.addition-block').length")), "#math-answer")


def guess_number(eyes: Eyes) -> Iterator[Deed]:
    low, high = 0, 9
    while True:
        guess = (low + high) // 2
        yield eyes.click(only("#tt"), eyes.called(*TEXT_FIELD))
        yield eyes.press("ctrl", "a")
        yield eyes.type(str(guess))
        yield submit(eyes)
        if eyes.read("document.querySelector('#higher').classList.contains('hide')"):
            high = guess - 1
        else:
            low = guess + 1


def _copy(eyes: Eyes, source: str) -> Iterator[Deed]:
    yield eyes.click(only(source), "text area")
    yield eyes.press("ctrl", "a")
    yield eyes.press("ctrl", "c")
    yield eyes.click(only("#answer-input"), eyes.called(*TEXT_FIELD))
    yield eyes.press("ctrl", "v")
    yield submit(eyes)


def copy_paste(eyes: Eyes) -> Iterator[Deed]:
    yield from _copy(eyes, "#to-copy")


def copy_paste_2(eyes: Eyes) -> Iterator[Deed]:
    yield from _copy(eyes, "#text-" + re.findall(r"the (\d)", eyes.task)[0])


def _mark(eyes: Eyes, element: str) -> Iterator[Deed]:
    """Mark a paragraph by clicking three times."""
    point = eyes.point(
        *eyes.read(f"(e => {{ const b = e.getBoundingClientRect(); return [b.left + 8, b.top + 6]; }})({element})")
    )
    yield Deed(Click(point=point, count=3), "click the text three times")
    yield submit(eyes)


def highlight_text(eyes: Eyes) -> Iterator[Deed]:
    yield from _mark(eyes, only("#randomText"))


def highlight_text_2(eyes: Eyes) -> Iterator[Deed]:
    number = int(re.findall(r"the (\d)", eyes.task)[0])
    yield from _mark(eyes, f"document.querySelectorAll('#randomText p')[{number - 1}]")


def text_editor(eyes: Eyes) -> Iterator[Deed]:
    word = re.findall(r"give the text (.+) the (?:style|color)", eyes.task)
    if word:
        yield eyes.drag(*_ends_of(eyes, word[0]))
    else:
        yield eyes.click(only(".ql-editor p"), "text")
        yield eyes.press("ctrl", "a")
    style = re.findall(r"the (style|color) (\w+)", eyes.task)[0]
    if style[0] == "style":
        yield eyes.click(
            only(".ql-" + {"bold": "bold", "italics": "italic", "underlined": "underline"}[style[1]]), style[1]
        )
    else:
        yield eyes.click(only(".ql-color .ql-picker-label"), "color")
        color = eyes.read(f"COLOR_MAP.{style[1]}[0]")
        yield eyes.click(only(f".ql-color .ql-picker-item[data-value='{color}']"), style[1])
    yield submit(eyes)


def _ends_of(eyes: Eyes, word: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a word of the editor begins and ends."""
    script = f"""(() => {{
      const node = document.querySelector('.ql-editor p').firstChild, range = document.createRange();
      const start = (' ' + node.data + ' ').indexOf({f" {word} "!r});
      range.setStart(node, start); range.setEnd(node, start + {len(word)});
      const box = range.getBoundingClientRect(), y = (box.top + box.bottom) / 2;
      return [[box.left + 0.5, y], [box.right + 0.5, y]];
    }})()"""
    start, end = eyes.read(script)
    return tuple(start), tuple(end)


def terminal(eyes: Eyes) -> Iterator[Deed]:
    yield eyes.click(only("#terminal-contents"), "terminal")
    yield eyes.type("ls\n")
    files = eyes.read("currentFiles")
    ending = re.findall(r"extension (\.[\w.]+?)\.?$", eyes.task)
    wanted = next(name for name in files if (name.endswith(ending[0]) if ending else "." not in name))
    eyes.pause(0.3)
    yield eyes.type(f"rm {wanted}\n")

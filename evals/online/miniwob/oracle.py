"""An oracle plays through the ordinary loop: a model that looks behind the picture, and answers in the usual words.

So its runs prove that a task can be solved with our actions, coordinates and timing, and their recordings are
demonstrations for training: pictures, instructions in words, and actions.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Action, Click, Direction, Drag, Finish, Move, Press, Scroll, Type, Wait
from action_space.dialects import load_dialect
from action_space.dialects.base import NOT_THERE
from action_space.errors import ConfigError, DeviceError
from action_space.geometry import Frame, Point, Size
from action_space.keys import canonical_key
from action_space.messages import Message
from action_space.words import find_words
from agent.planner import model_frame
from evals.online.miniwob.attempts import Plan, Player
from evals.online.miniwob.tasks import SCALE
from evals.online.miniwob.world import VIEWPORT, World
from vlm.backends.base import Hear, Reply

_CENTRE = """e => {
  const box = e.getBoundingClientRect();
  const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
  const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
  return [(left + right) / 2, (top + bottom) / 2];
}"""
# Null when a click on the middle of the element meets it; else where the wheel has to turn, whether downwards, and
# whether nothing of the element is in view.
_HIDDEN = """e => {
  const box = e.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
  const inside = x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;
  const hit = inside ? document.elementFromPoint(x, y) : null;
  if (hit && e.contains(hit)) return null;
  let scroller = e.parentElement;
  while (scroller && !(scroller.scrollHeight > scroller.clientHeight + 1
    && ['auto', 'scroll'].includes(getComputedStyle(scroller).overflowY))) scroller = scroller.parentElement;
  const view = scroller ? scroller.getBoundingClientRect() : {left: 0, top: 0, right: innerWidth, bottom: innerHeight};
  const top = Math.max(view.top, 0), bottom = Math.min(view.bottom, innerHeight);
  const away = box.bottom <= top || box.top >= bottom;
  return [(view.left + Math.min(view.right, innerWidth)) / 2, (top + bottom) / 2, y > (top + bottom) / 2, away];
}"""
_SHOWN = """e => {
  if (!e || !e.checkVisibility()) return false;
  const box = e.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
  return x < 0 || y < 0 || x >= innerWidth || y >= innerHeight || e.contains(document.elementFromPoint(x, y));
}"""
_MOST_SCROLLS, _MOST_WAITS = 12, 3
_NAME = "e => (e.innerText || e.value || e.placeholder || e.name || e.id || '').trim().slice(0, 40)"


@dataclass(frozen=True, slots=True)
class Deed:
    """An action, and how one would put it in a few words. drawn: these name what is drawn there, as "red" does. A
    `Finish` here is the answer to an instruction whose target is not on the screen, and the page stays as it is.
    exact: of a click, that no other place of what lies there would do."""

    action: Action
    words: str
    drawn: bool = False
    exact: bool = False


Oracle = Callable[["Eyes"], Iterator[Deed]]
"""The deeds that solve the page. What comes after a `yield` sees the page as the deed left it."""


class Eyes:
    """What an oracle sees, and the deeds it is made of. Places are JavaScript expressions of an element.

    x and y are CSS pixels of the window.
    """

    def __init__(self, world: World, scale: float = SCALE) -> None:
        self._page = world.page
        self._scale = scale
        self.task = world.utterance

    def read(self, expression: str) -> Any:  # noqa: ANN401 - whatever JavaScript has
        """The value of an expression. Raises DeviceError when it has none."""
        try:
            return self._page.evaluate(expression)
        except PlaywrightError as error:
            raise DeviceError(f"the oracle's {expression[:80]!r} failed: {error.message.splitlines()[0]}") from error

    def pause(self, seconds: float) -> None:
        """Let time pass between the look and the deed."""
        self._page.wait_for_timeout(1000 * seconds)

    def place(self, element: str) -> tuple[float, float]:
        """The middle of the visible part of an element."""
        x, y = self.read(f"({_CENTRE})({element})")
        return x, y

    def point(self, x: float, y: float) -> Point:
        return Point(int(x * self._scale), int(y * self._scale))

    def click(self, element: str, name: str = "", *, drawn: bool = False) -> Deed:
        """Click on the middle of an element. name: as one would call it, by default its text. drawn: see `Deed`."""
        name = self.called(name or str(self.read(f"({_NAME})({element})")))
        words = f"click {json.dumps(name, ensure_ascii=False)}"
        return Deed(Click(point=self.point(*self.place(element))), words, drawn)

    def called(self, *names: str) -> str:
        """The first of the names that the task has, as it is written there: a plan quotes its task. Else the first."""
        for name in names:
            if found := find_words(self.task, name, any_case=True):
                return found[0]
        return names[0]

    def reach(self, element: str, name: str = "") -> Iterator[Deed]:
        """Click on an element, scrolled to where that is possible."""
        for _ in range(_MOST_SCROLLS):
            hidden = self.read(f"({_HIDDEN})({element})")
            if hidden is None:
                break
            x, y, down, away = hidden
            said = self.called(name or str(self.read(f"({_NAME})({element})")))
            if away and find_words(self.task, said):
                yield self.missed(said)
            yield self.scroll_at(x, y, 1 if down else -1)
        yield self.click(element, name)

    def find(self, element: str, places: Iterable[str]) -> Iterator[Deed]:
        """Click on an element; as long as it is not shown, on one place after the other where it may be."""
        name = str(self.read(f"({_NAME})({element})"))
        for place in places:
            if self.read(f"({_SHOWN})({element})"):
                break
            yield self.missed(name)
            yield from self.reach(place)
        yield from self.reach(element)

    def missed(self, name: str) -> Deed:
        """An instruction whose target is not on the screen."""
        words = f"click {json.dumps(self.called(name), ensure_ascii=False)}"
        return Deed(Finish(status="failure", text=NOT_THERE), words)

    def until_shown(self, element: str) -> Iterator[Deed]:
        """Wait for what opens late, so that the picture before the next deed shows it."""
        for _ in range(_MOST_WAITS):
            if self.read(f"({_SHOWN})({element})"):
                return
            yield Deed(Wait(), "wait")

    def box(self, element: str) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        left, top, right, bottom = self.read(
            f"(e => {{ const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }})({element})"
        )
        return left, top, right, bottom

    def click_at(self, x: float, y: float, name: str = "") -> Deed:
        name = self.called(name or "here")
        return Deed(Click(point=self.point(x, y)), f"click {json.dumps(name, ensure_ascii=False)}", exact=True)

    def move_to(self, x: float, y: float, name: str = "here") -> Deed:
        return Deed(Move(point=self.point(x, y)), f"move to {json.dumps(name, ensure_ascii=False)}")

    def drag(self, start: tuple[float, float], end: tuple[float, float], seconds: float = 0.3) -> Deed:
        action = Drag(start=self.point(*start), end=self.point(*end), seconds=seconds)
        return Deed(action, "drag")

    def scroll_at(self, x: float, y: float, notches: int) -> Deed:
        """notches: downwards; upwards if negative."""
        direction: Direction = "down" if notches > 0 else "up"
        action = Scroll(point=self.point(x, y), direction=direction, amount=abs(notches))
        return Deed(action, f"scroll {direction}")

    def type(self, text: str) -> Deed:
        return Deed(Type(text=text), f"type {json.dumps(text, ensure_ascii=False)}")

    def press(self, *keys: str) -> Deed:
        names = tuple(canonical_key(key) for key in keys)
        return Deed(Press(keys=names), f"press {' '.join(json.dumps(key) for key in names)}")


class OracleModel:
    """Implements `SpokenModel`: says the next deed of an oracle, plan first, as the bundled model would."""

    name = "oracle"
    dialect = "compact"
    constrained = False
    looks = 0

    def __init__(self, oracle: Oracle, world: World, scale: float = SCALE) -> None:
        self._dialect = load_dialect(self.dialect)
        size = Size(round(VIEWPORT.width * scale), round(VIEWPORT.height * scale))
        self._frame = model_frame(Frame(size, size), self._dialect)
        self._deeds = oracle(Eyes(world, scale))
        self._deed: Deed | None = None

    def generate(
        self,
        messages: Sequence[Message],  # noqa: ARG002 (it looks at the page)
        *,
        min_pixels: int | None = None,  # noqa: ARG002
        max_pixels: int | None = None,  # noqa: ARG002
        constraint: str | None = None,  # noqa: ARG002
        max_new_tokens: int = 256,  # noqa: ARG002
        attempt: int = 0,  # noqa: ARG002
        heard: Hear | None = None,  # noqa: ARG002 (words come whole)
    ) -> Reply:
        """The words of a deed; asked again, its call. Raises DeviceError when the oracle cannot read the page."""
        if self._deed is None:
            self._deed = next(self._deeds, Deed(Finish(status="success"), "done"))
            said = self._deed.words
            if self._dialect.plan_action(said, self._frame) is not None:
                self._deed = None
            return Reply(text=said)
        said, self._deed = self._dialect.render(self._deed.action, self._frame), None
        return Reply(text=said)


_FUNCTIONS = {
    "buttons": {
        "click_submit": "click-test click-test-2",
        "click_named_button": "click-button unicode-test",
        "click_button_transfer": "click-test-transfer",
        "click_sequence": "click-button-sequence",
        "click_with_delay": "button-delay",
        "focus_text": "focus-text",
        "focus_text_2": "focus-text-2",
        "click_dialog": "click-dialog",
        "click_dialog_2": "click-dialog-2",
        "click_link": "click-link",
        "click_widget": "click-widget",
        "click_tab": "click-tab",
        "click_tab_2": "click-tab-2 click-tab-2-easy click-tab-2-medium click-tab-2-hard",
        "click_collapsible": "click-collapsible click-collapsible-nodelay",
        "click_collapsible_2": "click-collapsible-2 click-collapsible-2-nodelay",
        "click_checkboxes": "click-checkboxes click-checkboxes-large click-checkboxes-transfer",
        "click_similar": "click-checkboxes-soft",
        "click_option": "click-option",
        "click_color": "click-color",
        "click_shades": "click-shades",
        "click_pie": "click-pie click-pie-nodelay",
        "click_menu": "click-menu",
        "click_menu_2": "click-menu-2",
        "navigate_tree": "navigate-tree",
        "number_checkboxes": "number-checkboxes",
        "odd_or_even": "odd-or-even",
        "find_greatest": "find-greatest",
        "phone_book": "phone-book",
        "generate_number": "generate-number",
    },
    "text": {
        "enter_text": "enter-text enter-text-dynamic",
        "enter_text_2": "enter-text-2",
        "enter_password": "enter-password",
        "login_user": "login-user",
        "login_user_popup": "login-user-popup",
        "enter_date": "enter-date",
        "enter_time": "enter-time",
        "find_word": "find-word",
        "read_table": "read-table",
        "read_table_2": "read-table-2",
        "search_movies": "multi-layouts multi-orderings",
        "search_engine": "search-engine",
        "scroll_and_enter": "scroll-text",
        "scroll_text_2": "scroll-text-2",
        "sign_agreement": "sign-agreement",
        "text_transform": "text-transform",
        "simple_arithmetic": "simple-arithmetic",
        "simple_algebra": "simple-algebra",
        "visual_addition": "visual-addition",
        "guess_number": "guess-number",
        "copy_paste": "copy-paste",
        "copy_paste_2": "copy-paste-2",
        "highlight_text": "highlight-text",
        "highlight_text_2": "highlight-text-2",
        "text_editor": "text-editor",
        "terminal": "terminal",
    },
    "widgets": {
        "use_slider": "use-slider",
        "use_slider_2": "use-slider-2",
        "form_sequence": "form-sequence",
        "form_sequence_2": "form-sequence-2",
        "form_sequence_3": "form-sequence-3",
        "use_spinner": "use-spinner",
        "use_colorwheel": "use-colorwheel",
        "use_colorwheel_2": "use-colorwheel-2",
        "choose_list": "choose-list",
        "click_scroll_list": "click-scroll-list",
        "choose_date": "choose-date choose-date-easy choose-date-medium choose-date-nodelay",
        "use_autocomplete": "use-autocomplete use-autocomplete-nodelay",
        "resize_textarea": "resize-textarea",
        "tic_tac_toe": "tic-tac-toe",
        "stock_market": "stock-market",
    },
    "mail": {
        "email": (
            "email-inbox email-inbox-noscroll email-inbox-delete email-inbox-reply email-inbox-star-reply "
            "email-inbox-important email-inbox-forward email-inbox-nl-turk email-inbox-forward-nl "
            "email-inbox-forward-nl-turk"
        ),
        "social_media": "social-media",
        "social_media_some": "social-media-some social-media-all",
    },
    "shapes": {
        "click_shape": "click-shape",
        "click_right_button": "count-shape count-sides identify-shape",
        "grid_coordinate": "grid-coordinate",
        "ascending_numbers": "ascending-numbers",
        "drag_box": "drag-box",
        "drag_items": "drag-items",
        "drag_items_grid": "drag-items-grid",
        "drag_sort_numbers": "drag-sort-numbers",
        "drag_one_way": "drag-circle drag-single-shape",
        "drag_shapes": "drag-shapes",
        "drag_shapes_2": "drag-shapes-2",
        "hot_cold": "hot-cold",
        "draw_line": "draw-line",
        "circle_center": "circle-center",
        "find_midpoint": "find-midpoint",
        "bisect_angle": "bisect-angle",
        "right_angle": "right-angle",
    },
    "shops": {
        "order_food": "order-food",
        "buy_ticket": "buy-ticket",
        "book_flight": "book-flight book-flight-nodelay",
    },
}
"""Module -> function -> the tasks that it solves."""

ORACLES: dict[str, str] = {
    task: f"evals.online.miniwob.oracles_{module}:{function}"
    for module, functions in _FUNCTIONS.items()
    for function, tasks in functions.items()
    for task in tasks.split()
}
"""Task -> where its oracle is."""


def load_oracle(task: str) -> Oracle:
    """Raises ConfigError for a task that has none."""
    if task not in ORACLES:
        raise ConfigError(f"there is no oracle for {task!r} yet: choose of {', '.join(sorted(ORACLES))}")
    found: Oracle = resolve_name(ORACLES[task])
    return found


def play_by_oracle(plan: Plan) -> Player:
    """Raises ConfigError when a task of the plan has no oracle."""
    oracles = {task: load_oracle(task) for task in plan.tasks}
    return lambda world: OracleModel(oracles[world.task], world, plan.scale)

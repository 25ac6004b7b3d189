"""One page of MiniWoB++ as an environment: the ordinary browser on a small window.

The model gets the picture, and the page's instruction as its task; no address, no title, nothing else of the page. The
reward stays on the page until the run is over.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from action_space.actions import Action
from action_space.errors import DeviceError, UnsupportedAction
from action_space.geometry import Size
from environments.base import Observation
from environments.browser import BrowserEnvironment
from environments.browser_tabs import one_line
from evals.online.miniwob.tasks import SCALE, pages_folder

VIEWPORT = Size(160, 210)
"""CSS pixels: what the benchmark calls the screen. The scoreboard lies right of it."""

_READY_MS = 20_000
_DAY_MS = 86_400_000
_SETTLE_S = 1.5

# The scoreboard would make the window scroll sideways, and scroll bars would hide a tenth of so small a screen.
_STYLE = "#reward-display, #click-canvas { display: none } html { overflow-x: hidden; scrollbar-width: none }"
_READY = "() => typeof core === 'object' && core.cover_div !== null && typeof genProblem === 'function'"
# A second start would draw another page, and lose the reward of this one: a double click must not do that.
_START = """([seed, limit_ms]) => {
  Math.seedrandom(seed);
  core.EPISODE_MAX_TIME = limit_ms;
  window.clickwrightStart ??= core.startEpisodeReal;
  window.clickwrightStart.call(core);
  core.startEpisodeReal = () => {};
  window.clickwrightSeed = seed;
}"""
_UTTERANCE = "() => { const said = core.getUtterance(); return typeof said === 'string' ? said : said.utterance; }"
_VERDICT = """seed => window.clickwrightSeed !== seed ? null : {
  ended: WOB_DONE_GLOBAL, reward: Number(WOB_RAW_REWARD_GLOBAL), reason: String(WOB_REWARD_REASON ?? '')
}"""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The page's word. reward: raw, without a penalty for time, -1 to 1; 0 while the episode goes on."""

    ended: bool
    reward: float
    reason: str = ""

    @property
    def solved(self) -> bool:
        """The rule of the benchmark: nothing less than the full reward."""
        return self.reward == 1


LEFT = Verdict(ended=True, reward=0.0, reason="the page was left")


class World:
    """The page of one task and seed, begun; implements `Environment`.

    scale: screenshot pixels for each CSS pixel. settle_s: the longest wait for a quiet picture. browser: one that is
    running already and stays so.
    task: the page's name. utterance: its instruction, read once.
    Raises ConfigError when the pages are not installed, DeviceError when this one does not begin.
    """

    name = "miniwob"
    # Leaving the page is no part of any task, and the model must not open the next one for itself.
    actions = BrowserEnvironment.actions - {"open"}

    def __init__(
        self,
        task: str,
        seed: int,
        *,
        scale: float = SCALE,
        settle_s: float = _SETTLE_S,
        browser: Browser | None = None,
        headless: bool = True,
    ) -> None:
        self.task = task
        self._seed = seed
        # Of these pages' small letters, as large as elsewhere at SCALE: no look at them is to be shrunk.
        self._density = scale / SCALE
        self._browser = BrowserEnvironment(
            (pages_folder() / f"{task}.html").as_uri(),
            viewport=VIEWPORT,
            device_scale=scale,
            settle_s=settle_s,
            browser=browser,
            headless=headless,
        )
        self.page = self._browser.page
        try:
            self.utterance = _told(f"starting {task!r}", self._open)
        except BaseException:
            self.close()
            raise

    def again(self, seed: int) -> None:
        """Begin with another seed on the page that is open, which is a third of the work. Raises DeviceError."""
        self._seed = seed
        self.utterance = _told(f"starting {self.task!r} again", self._begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def observe(self) -> Observation:
        # Address and title would tell the name of the task.
        seen = self._browser.observe()
        return replace(seen, context=(), frame=replace(seen.frame, density=self._density))

    def execute(self, action: Action) -> None:
        if action.kind not in self.actions:
            raise UnsupportedAction(
                f"{action.kind!r} is not possible here: use one of {', '.join(sorted(self.actions))}"
            )
        self._browser.execute(action)

    def release(self) -> None:
        self._browser.release()

    def close(self) -> None:
        self._browser.close()

    def verdict(self) -> Verdict:
        """What the page says now. Raises DeviceError."""
        if self.page.is_closed():
            return LEFT
        said = _told("reading the reward", lambda: self.page.evaluate(_VERDICT, self._seed))
        return LEFT if said is None else Verdict(said["ended"], said["reward"], one_line(said["reason"]))

    def _open(self) -> str:
        page: Page = self.page
        page.wait_for_load_state()
        page.wait_for_function(_READY, timeout=_READY_MS)
        page.add_style_tag(content=_STYLE)
        return self._begin()

    def _begin(self) -> str:
        page: Page = self.page
        page.evaluate(_START, [self._seed, _DAY_MS])
        page.wait_for_function("() => WOB_TASK_READY", timeout=_READY_MS)
        return " ".join(str(page.evaluate(_UTTERANCE)).split())


def _told(doing: str, ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except PlaywrightError as error:
        raise DeviceError(f"{doing} failed: {one_line(error.message)}") from error

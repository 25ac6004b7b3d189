"""`agent eval miniwob`: what the command does."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from agent.models import SpokenModel, forget, load_model
from environments.chromium import own_browser
from evals import runner
from evals.journal import RESULTS
from evals.online.miniwob import attempts, oracle
from evals.online.miniwob.attempts import Attempt, Episode, Plan
from evals.pictures import Pictures
from evals.work import Do, Done, Item, Work


def play_episodes(plan: Plan, folder: Path, crew: runner.Crew, pictures_mb: float) -> bool:
    """Play what `folder` has no result of yet, or only an error. False when interrupted. Raises as `runner.run`."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"results: {folder / RESULTS}")
    finished = {(attempt.task, attempt.seed) for attempt in attempts.read_results(folder) if not attempt.error}
    items = [
        Item(f"{task} {seed}", (task, seed)) for task, seed in plan.episodes_of_all() if (task, seed) not in finished
    ]
    pictures = Pictures(folder, pictures_mb)

    def tell(done: Done) -> runner.Told | None:
        attempt: Attempt = attempts.lost(done.item.data, done.error) if done.error else done.result
        if attempt.stopped == "interrupted":
            return None
        kept = pictures.keep(Path(attempt.run)) if attempt.run else True
        return runner.Told(attempt.model_copy(update={"pictures": kept}), _line(attempt))

    work = Work("evals.online.miniwob.play:opened", (plan, folder))
    return runner.run(work, items, crew, folder, tell)


def _line(attempt: Attempt) -> str:
    said = attempt.error or ("solved" if attempt.solved else f"not solved ({attempt.stopped})")
    return f"{attempt.task} {attempt.seed}: {said}, {attempt.steps} steps, {attempt.seconds} s"


@contextmanager
def opened(settings: tuple[Plan, Path]) -> Iterator[Do]:
    """A worker's model and browser. Gives what plays an episode. Raises ConfigError, DeviceError, ModelError."""
    plan, folder = settings
    player = player_of(plan)
    with ExitStack() as stack:
        browser = stack.enter_context(own_browser())

        def do(episode: Episode) -> Attempt:
            nonlocal browser
            if not browser.is_connected():  # it crashed in the episode before, whose error that was
                browser = stack.enter_context(own_browser())
            task, seed = episode
            return attempts.play(task, seed, player, attempts.free(folder / task / str(seed)), plan, browser)

        yield do


def player_of(plan: Plan) -> attempts.Player:
    """Who plays: the oracle, or a model. Raises ConfigError, ModelError."""
    if plan.model == oracle.OracleModel.name:
        return oracle.play_by_oracle(plan)
    loaded = load_model(plan.model)

    def player(_world: object) -> SpokenModel:
        forget(loaded)
        return loaded

    return player

"""Read this first: one episode on one page.

A step is: look, think, check, act, look again, write down. The numbers in the code: 1 limits, 2 look, 3 planner,
4 policy, 5 act, 6 effect, 7 recorder, 8 loop breaker. What the model gets wrong it is told, and the run goes on;
everything else ends the run with a reason of its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from action_space.actions import Action, Ask, Finish
from action_space.errors import DeviceError, ModelError, ModelMistake, Paused, PolicyRefusal, UnsupportedAction
from agent.breaker import ALLOWED_TRIES, MOST_IN_VAIN, in_vain, tries_so_far
from agent.describe import describe
from agent.draft import Draft
from agent.halt import Halt
from agent.interrupt import StopRequest
from agent.limits import check_limits
from agent.planner import Planner
from agent.policy import Person, Policy
from agent.recorder import Recorder
from agent.trajectory import Step, Trajectory
from environments.base import Environment, Observation
from environments.effect import effect_of


@dataclass(frozen=True, slots=True)
class Episode:
    """All that takes part in a run. person: answers questions, None if nobody can. watch: sees every recorded step,
    and may raise Halt: the page itself can know that the task is over."""

    env: Environment
    planner: Planner
    policy: Policy
    recorder: Recorder
    stop: StopRequest
    person: Person | None = None
    watch: Callable[[Step], None] = lambda _step: None
    news: tuple[str, ...] = ()
    """What the model should know at its first look, such as that the run was interrupted."""


def run(e: Episode) -> Trajectory:
    """Work on the task until there is a reason to stop; each step is on disk before the next. Raises RecordingError."""
    first = len(e.recorder.trajectory.steps)
    seen: Observation | None = None
    try:
        while True:
            check_limits(e.recorder.trajectory, first)  # 1
            e.stop.check()
            draft = Draft(len(e.recorder.trajectory.steps) + 1, seen or e.env.observe())  # 2
            if draft.number == first + 1:
                draft.add_context(e.news)
            try:
                seen = take_step(e, draft)  # 3 to 6
            finally:
                _record(e, draft)  # 7
    except Halt as halt:
        end = halt
    except DeviceError as error:
        end = Halt("device", str(error))
    except ModelError as error:
        end = Halt("model", str(error))
    except KeyboardInterrupt:
        end = Halt("interrupted", "stopped by the person at the keyboard")
    finally:
        e.env.release()
    e.recorder.finish(end.outcome)
    return e.recorder.trajectory


def take_step(e: Episode, draft: Draft) -> Observation | None:
    """Think, check, act. The next observation, or None if nothing was done. Raises Halt, DeviceError and ModelError."""
    try:
        with e.stop.breakable():
            task, steps = e.recorder.trajectory.header.task, e.recorder.trajectory.steps
            draft.proposal = e.planner.propose(task, steps, draft.seen, e.recorder.load_image)  # 3
            action = draft.proposal.require_action()
            _break_loops(e, draft, action)  # 8
            e.policy.review(action, draft.situation(task))  # 4
            if isinstance(action, Ask):
                draft.note = _ask(e, action)
                return None
        if isinstance(action, Finish):
            raise Halt(action.status, action.text)
        started = time.monotonic()
        try:
            e.env.execute(action)  # 5
        finally:
            draft.act_s = time.monotonic() - started
        after = e.env.observe()
        draft.compare(action, effect_of(draft.seen, after, action))  # 6
        return after
    except ModelMistake as mistake:
        draft.blame(mistake)
        return None
    except Paused as pause:
        draft.note = "interrupted: a person used the mouse or the keyboard, the screen may have changed"
        _wait_for_person(e, pause)
        return None
    except (DeviceError, Halt) as end:
        draft.blame(end)
        raise
    except KeyboardInterrupt:
        draft.note = "stopped before it was carried out"
        raise


def _break_loops(e: Episode, draft: Draft, action: Action) -> None:
    """The third try of an action on a screen is refused, the fourth is put to the person, the next ends the run. So is
    every twelfth step in a row that changed nothing, whatever it was."""
    steps, seen = e.recorder.trajectory.steps, draft.seen
    tries, vain = (
        tries_so_far(steps, action, seen.image, seen.frame, e.recorder.load_image),
        in_vain(steps, seen.image, e.recorder.load_image),
    )
    lost = vain > 0 and vain % MOST_IN_VAIN == 0
    if isinstance(action, Finish) or (tries < ALLOWED_TRIES and not lost):
        return
    tried = f"{describe(action)} was tried {ALLOWED_TRIES} times on this very screen"
    if tries == ALLOWED_TRIES and not lost:
        raise PolicyRefusal(f"{tried} and led nowhere: it is not done again, do something else")
    stuck = f"the last {vain} steps changed nothing" if lost else tried
    if (lost or tries == ALLOWED_TRIES + 1) and e.person is not None:
        answer = e.person(f"The model is stuck: {stuck}. What should it do? (empty: stop)").strip()
        if answer:
            raise PolicyRefusal(f"{stuck}: it is not done again. A person says: {answer}")
    raise Halt("loop", f"{stuck}, and the model wants nothing else")


def _ask(e: Episode, question: Ask) -> str:
    answer = e.person(question.question).strip() if e.person is not None else ""
    if not answer:
        raise UnsupportedAction("nobody can answer questions: decide yourself, or finish with failure")
    return f"the person answered: {answer}"


def _wait_for_person(e: Episode, pause: Paused) -> None:
    """Nothing is done while a person uses the desktop; they say when to go on. Raises Halt if that is never."""
    e.env.release()
    with e.stop.breakable():
        answer = e.person(f"Paused: {pause}. Enter to go on, n to stop") if e.person is not None else "n"
    if answer.strip().lower() in {"n", "no", "stop"}:
        raise Halt("interrupted", f"paused: {pause}; go on with --resume")


def _record(e: Episode, draft: Draft) -> None:
    if draft.proposal is None:
        return  # the model did not get to an answer: there is nothing to tell
    step = draft.step(e.recorder.save_image(draft.seen.image))
    e.recorder.write(step)
    e.watch(step)

"""A task on a simulated Android phone, behind a real adb server; the phone's own state says whether it was done.

    python -m evals.online.demo_android [--seed N | --seeds A-B] [--headed] [--model SPEC] [--out DIR] [--max-steps N]
                                        [--json]

Everything goes the way of `agent run --env android`; nothing there knows more about the task than its words. Exit
status: 0 if the task (with --seeds: every task) was done, 1 if not, otherwise as `agent run`. With --seeds, the rate of
each app too.
"""

import sys
import time
from collections.abc import Sequence

from rich.markup import escape

import agent
from agent.terminal import Terminal
from environments.adb_server import own_server
from environments.android import AndroidEnvironment
from environments.simulated_android.device import SimulatedAndroid, simulated_android
from evals.online.demo_table import Attempt, Demo, Job, attempt_of, demo_parser, read_seeds, run_demo
from evals.online.phone_tasks import PhoneTask, draw_task, mistakes

_PATIENCE_S = 1.0
"""What an app keeps arrives a moment after the touch."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    parser = demo_parser("demo-android", "A model carries out a task on a simulated Android phone.")
    parser.add_argument("--headed", action="store_true", help="show the phone's screen in a window")
    return run_demo(Demo("demo-android", "phone", attempt), read_seeds(parser, arguments))


def attempt(job: Job) -> Attempt:
    """Let the agent work on a new phone, and look into the phone."""
    task = draw_task(job.seed)
    with own_server() as port, simulated_android(headless=not job.options.headed) as phone:
        job.console.print(f"\n[bold]Phone {job.seed}[/] [dim]{task.app}[/]\n[bold]Task[/]    {escape(task.words)}")
        environment = AndroidEnvironment(phone.serial, app=task.app, adb_port=port)
        try:
            trajectory = agent.run(
                task.words,
                model=job.model,
                env=environment,
                out=job.folder,
                watch=Terminal().step,
                max_steps=job.options.max_steps,
                confirm="none",  # the phone is ours: nothing is sold or deleted
            )
        finally:
            environment.close()
        wrong = _verdict(task, phone)
    return attempt_of(job, task.words, trajectory, wrong, done=not wrong, program=task.app)


def _verdict(task: PhoneTask, phone: SimulatedAndroid) -> list[str]:
    end = time.monotonic() + _PATIENCE_S
    while (wrong := mistakes(task, phone.state)) and time.monotonic() < end:
        time.sleep(0.05)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
